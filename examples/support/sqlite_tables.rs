//! A schema as the tables of an SQLite database in memory, so that what runs over one source can
//! run over the other.

use penstock::{Schema, SourceError, SqliteSource, TableSchema};

/// An SQLite source with empty tables of a schema.
pub(crate) fn sqlite_source(schema: &Schema) -> Result<SqliteSource, SourceError> {
    let fails = |error: rusqlite::Error| SourceError {
        context: "making the tables of a schema".to_owned(),
        reason: error.to_string(),
    };
    let connection = rusqlite::Connection::open_in_memory().map_err(fails)?;
    for table in schema.tables() {
        connection.execute_batch(&create_table(table)).map_err(fails)?;
    }
    SqliteSource::from_connection(connection)
}

/// The statement that creates a table.
pub(crate) fn create_table(table: &TableSchema) -> String {
    let mut parts: Vec<String> = table
        .columns()
        .iter()
        .map(|column| {
            let not_null = if column.nullable { "" } else { " NOT NULL" };
            format!("{} {}{not_null}", quoted(&column.name), declared(column.column_type))
        })
        .collect();
    let list = |columns: &[usize]| -> String {
        let names = columns.iter().map(|column| quoted(&table.columns()[*column].name));
        names.collect::<Vec<_>>().join(", ")
    };
    parts.push(format!("PRIMARY KEY ({})", list(table.primary_key())));
    parts.extend(table.unique_keys().iter().map(|key| format!("UNIQUE ({})", list(key))));
    format!("CREATE TABLE {} ({})", quoted(table.name()), parts.join(", "))
}

/// The declared type under which SQLite keeps every value of a type as it is.
fn declared(column_type: penstock::ColumnType) -> &'static str {
    use penstock::ColumnType::{Any, Blob, Boolean, Integer, Json, Number, Real, Text};
    match column_type {
        Boolean => "BOOLEAN",
        Integer => "INTEGER",
        // Other columns for numbers store 1.0 as 1 or 1 as 1.0; one without a type does not.
        Number | Real | Any => "",
        Text => "TEXT",
        Blob => "BLOB",
        // The plain name would have numeric affinity, and turn the JSON `1` into a number.
        Json => "JSON TEXT",
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

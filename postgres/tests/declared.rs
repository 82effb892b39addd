//! Columns as they are declared in a replica are read back as what the table of types promises.

use penstock::{ColumnType, Database};
use penstock_postgres::types::Catalogue;

/// A type of each kind.
const TYPES: [(u32, ColumnType); 12] = [
    (16, ColumnType::Boolean),
    (20, ColumnType::Integer),
    (26, ColumnType::Integer),
    (701, ColumnType::Real),
    (1184, ColumnType::Real),
    (1083, ColumnType::Real),
    (1700, ColumnType::Number),
    (25, ColumnType::Text),
    (2950, ColumnType::Text),
    (17, ColumnType::Blob),
    (3802, ColumnType::Json),
    (1007, ColumnType::Json),
];

#[test]
fn declared_types_are_read_back() {
    let catalogue = Catalogue::default();
    let path = std::env::temp_dir().join(format!("penstock-declared-{}.db", std::process::id()));
    let mut columns = String::new();
    for (oid, column_type) in TYPES {
        let mapping = catalogue.mapping(oid).expect("a built-in type");
        assert_eq!(mapping.column_type(), column_type);
        columns.push_str(&format!(", c{oid} {}", mapping.declared()));
    }
    let connection = rusqlite::Connection::open(&path).expect("a new file");
    connection
        .execute_batch(&format!("CREATE TABLE t (id INTEGER PRIMARY KEY{columns})"))
        .expect("a table");
    drop(connection);
    let schema = Database::open(&path).expect("the file opens").schema();
    std::fs::remove_file(&path).expect("the file is there");
    let [table] = schema.tables() else { panic!("one table") };
    for (oid, column_type) in TYPES {
        let found = table.columns().iter().find(|column| column.name == format!("c{oid}"));
        // SQLite lets a numeric column hold anything.
        let expected =
            if column_type == ColumnType::Number { ColumnType::Any } else { column_type };
        assert_eq!(found.map(|column| column.column_type), Some(expected), "{oid}");
    }
}

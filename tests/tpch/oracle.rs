//! SQLite itself.

use penstock::Value;
use rusqlite::Connection;
use rusqlite::types::ValueRef;

/// The names of the columns and the rows of a result.
pub(crate) type Rows = (Vec<String>, Vec<Vec<Value>>);

/// The result of a query.
pub(crate) fn rows(connection: &Connection, sql: &str) -> Rows {
    let mut statement = connection.prepare_cached(sql).expect("a query");
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let row = |row: &rusqlite::Row<'_>| {
        Ok((0..names.len())
            .map(|at| match row.get_ref_unwrap(at) {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(value) => Value::Int(value),
                ValueRef::Real(value) => Value::Float(value),
                ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into()),
                ValueRef::Blob(bytes) => Value::Blob(bytes.into()),
            })
            .collect())
    };
    let rows = statement.query_map([], row).expect("a query").map(|row| row.expect("a row"));
    let rows = rows.collect();
    (names, rows)
}

//! SQLite itself.

use penstock::Value;
use rusqlite::Connection;
use rusqlite::types::{Value as SqlValue, ValueRef as SqlRef};

use super::schema::{Schema, Table};
use super::script::{Action, Call};
use super::select::{Params, Statement};

/// The names of the columns and the rows of a result.
pub(crate) type Rows = (Vec<String>, Vec<Vec<Value>>);

/// A connection that says what is right.
pub(crate) struct Oracle {
    pub(crate) connection: Connection,
}

fn value(value: SqlRef<'_>) -> Value {
    match value {
        SqlRef::Null => Value::Null,
        SqlRef::Integer(value) => Value::Int(value),
        SqlRef::Real(value) => Value::Float(value),
        SqlRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into()),
        SqlRef::Blob(bytes) => Value::Blob(bytes.into()),
    }
}

pub(crate) fn bound(value: &Value) -> SqlValue {
    match value {
        Value::Null => SqlValue::Null,
        Value::Bool(value) => SqlValue::Integer(i64::from(*value)),
        Value::Int(value) => SqlValue::Integer(*value),
        Value::Float(value) => SqlValue::Real(*value),
        Value::Text(text) | Value::Json(text) => SqlValue::Text(text.to_string()),
        Value::Blob(bytes) => SqlValue::Blob(bytes.to_vec()),
    }
}

impl Oracle {
    pub(crate) fn new(connection: Connection) -> Oracle {
        Oracle { connection }
    }

    /// Runs statements; those that fail have no effect.
    pub(crate) fn run_all<'a>(&self, statements: impl IntoIterator<Item = &'a String>) {
        for sql in statements {
            self.run(sql);
        }
    }

    /// Whether SQLite takes a statement.
    pub(crate) fn prepares(&self, sql: &str) -> Result<(), String> {
        self.connection.prepare(sql).map(|_| ()).map_err(|error| error.to_string())
    }

    /// The result of a query; an error where SQLite raises one on the way (an integer overflow,
    /// say).
    pub(crate) fn rows(&self, statement: &Statement) -> Result<Rows, rusqlite::Error> {
        let mut prepared = self.connection.prepare_cached(&statement.sql)?;
        let names: Vec<String> = prepared.column_names().map(str::to_owned).collect();
        match &statement.params {
            Params::Positional(values) => {
                for (at, value) in values.iter().enumerate() {
                    prepared.raw_bind_parameter(at + 1, bound(value))?;
                }
            }
            Params::Named(values) => {
                for (name, value) in values {
                    let at = prepared.parameter_index(name)?.expect("a parameter of the query");
                    prepared.raw_bind_parameter(at, bound(value))?;
                }
            }
        }
        let mut rows = Vec::new();
        let mut found = prepared.raw_query();
        while let Some(row) = found.next()? {
            rows.push((0..names.len()).map(|at| value(row.get_ref_unwrap(at))).collect());
        }
        Ok((names, rows))
    }

    /// All rows of a table, by its key.
    pub(crate) fn table(&self, table: &Table) -> Vec<Vec<Value>> {
        let keys: Vec<String> =
            table.key_names().map(|name| format!("{name} COLLATE BINARY")).collect();
        let sql = format!("SELECT * FROM {} ORDER BY {}", table.name, keys.join(", "));
        self.rows(&Statement { sql, params: Params::Positional(Vec::new()) }).expect("a table").1
    }

    /// A constant.
    pub(crate) fn literal(&self, sql: &str) -> Value {
        let one = self
            .connection
            .query_row(&format!("SELECT {sql}"), [], |row| Ok(value(row.get_ref_unwrap(0))));
        one.expect("a constant")
    }

    fn run(&self, sql: &str) -> bool {
        self.connection.execute(sql, []).is_ok()
    }

    /// Makes a write. Returns for each statement and call whether it took place.
    pub(crate) fn act(&self, schema: &Schema, action: &Action, outcomes: &mut Vec<bool>) {
        match action {
            Action::Sql(sql) => outcomes.push(self.run(sql)),
            Action::Row { call, table, values } => {
                outcomes.push(self.call(schema.table(table), *call, values));
            }
            Action::Savepoint { actions, undone } => {
                assert!(self.run("SAVEPOINT s"));
                for action in actions {
                    self.act(schema, action, outcomes);
                }
                if *undone {
                    assert!(self.run("ROLLBACK TO s"));
                }
                assert!(self.run("RELEASE s"));
            }
        }
    }

    /// What a call of the row API comes to.
    fn call(&self, table: &Table, call: Call, values: &[(String, String)]) -> bool {
        let name = &table.name;
        let is_key = |column: &str| table.key_names().any(|key| key == column);
        let equal =
            |(column, value): &(String, String)| format!("{column} COLLATE BINARY IS {value}");
        let (keys, rest): (Vec<_>, Vec<_>) =
            values.iter().cloned().partition(|(column, _)| is_key(column));
        let wanted: Vec<String> = keys.iter().map(equal).collect();
        let wanted = wanted.join(" AND ");
        let sql = match call {
            Call::Insert => insert(name, values),
            Call::Delete => format!("DELETE FROM {name} WHERE {wanted}"),
            Call::Update | Call::Upsert => {
                let exists = format!("SELECT 1 FROM {name} WHERE {wanted}");
                let exists = self.connection.prepare(&exists).expect("a query").exists([]);
                if !exists.expect("an answer") {
                    return call == Call::Upsert && self.run(&insert(name, values));
                }
                if rest.is_empty() {
                    return true;
                }
                let set: Vec<String> =
                    rest.iter().map(|(column, value)| format!("{column} = {value}")).collect();
                format!("UPDATE {name} SET {} WHERE {wanted}", set.join(", "))
            }
        };
        match self.connection.execute(&sql, []) {
            Ok(rows) => rows > 0 || call == Call::Insert,
            Err(_) => false,
        }
    }
}

fn insert(table: &str, values: &[(String, String)]) -> String {
    let (columns, values): (Vec<&str>, Vec<&str>) =
        values.iter().map(|(column, value)| (column.as_str(), value.as_str())).unzip();
    format!("INSERT INTO {table} ({}) VALUES ({})", columns.join(", "), values.join(", "))
}

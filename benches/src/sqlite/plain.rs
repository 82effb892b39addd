//! SQLite without this library: raw writes, and a SELECT again after each.

use penstock::operators::key::{Direction, decode};
use penstock::operators::source::Change;
use penstock::{Error, Value};
use rusqlite::types::{ToSqlOutput, Value as Stored, ValueRef};
use rusqlite::{Connection, ToSql};

use super::failed;
use super::files::load;
use crate::check::Check;
use crate::data::Data;

const EDIT: &str = "UPDATE issue SET open = ?2, modified = ?3 WHERE id = ?1";
const ADD_COMMENT: &str = "INSERT INTO comment VALUES (?1, ?2, ?3, ?4, ?5)";
const ADD_LABEL: &str = "INSERT INTO issueLabel VALUES (?1, ?2)";
const REMOVE_LABEL: &str = "DELETE FROM issueLabel WHERE issueId = ?1 AND labelId = ?2";

/// A change as an application writes it in SQL.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// The text, one of few.
    pub sql: &'static str,
    /// The values of its parameters.
    pub values: Vec<Value>,
}

impl Statement {
    /// The statement for one of the changes of [`tables`](crate::tables).
    ///
    /// # Errors
    /// A change that is none of them.
    pub fn of(change: &Change) -> Result<Statement, Error> {
        let statement = match change {
            Change::Update { row, .. } => {
                let values = [0, 2, 3].map(|column| row.get(column).to_owned());
                Statement { sql: EDIT, values: values.into() }
            }
            Change::Insert { row, .. } => {
                let sql = if row.len() == 2 { ADD_LABEL } else { ADD_COMMENT };
                Statement { sql, values: row.to_values() }
            }
            Change::Delete { key, .. } => {
                let values = decode(key.as_slice(), &[Direction::Asc; 2])
                    .map_err(|error| Error::abort(error.to_string()))?;
                Statement { sql: REMOVE_LABEL, values }
            }
        };
        Ok(statement)
    }
}

/// A value as SQLite takes it.
struct Parameter<'a>(&'a Value);

impl ToSql for Parameter<'_> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>, rusqlite::Error> {
        let value = self.0;
        Ok(ToSqlOutput::Borrowed(match value.as_bool() {
            Some(flag) => ValueRef::Integer(i64::from(flag)),
            None => match value.as_i64() {
                Some(number) => ValueRef::Integer(number),
                None => ValueRef::Text(value.as_str().unwrap_or_default().as_bytes()),
            },
        }))
    }
}

/// A connection that this library knows nothing of.
#[derive(Debug)]
pub struct Plain(Connection);

impl Plain {
    /// Over a filled database.
    pub fn new(connection: Connection) -> Plain {
        Plain(connection)
    }

    /// Puts the rows into empty tables, in one transaction.
    ///
    /// # Errors
    /// Tables that are not empty.
    pub fn load(&mut self, data: &Data) -> Result<(), Error> {
        load(&mut self.0, data).map_err(|error| failed("loading", &error))
    }

    /// Writes a transaction; of one statement without BEGIN and COMMIT unless `explicit`.
    ///
    /// # Errors
    /// A statement that changes another number of rows than one.
    pub fn write(&self, transaction: &[Statement], explicit: bool) -> Result<(), Error> {
        let explicit = explicit || transaction.len() > 1;
        self.try_write(transaction, explicit).map_err(|error| failed("writing", &error))
    }

    fn try_write(&self, transaction: &[Statement], explicit: bool) -> Result<(), rusqlite::Error> {
        if explicit {
            self.0.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        }
        for statement in transaction {
            let values = statement.values.iter().map(Parameter);
            let changed = self
                .0
                .prepare_cached(statement.sql)?
                .execute(rusqlite::params_from_iter(values))?;
            if changed != 1 {
                return Err(rusqlite::Error::StatementChangedRows(changed));
            }
        }
        if explicit {
            self.0.prepare_cached("COMMIT")?.execute([])?;
        }
        Ok(())
    }

    /// The rows of a SELECT, every value of them copied out.
    ///
    /// # Errors
    /// SQL that SQLite does not take.
    pub fn select(&self, sql: &str, values: &[Value]) -> Result<Vec<Vec<Stored>>, Error> {
        self.try_select(sql, values).map_err(|error| failed("reading", &error))
    }

    fn try_select(&self, sql: &str, values: &[Value]) -> Result<Vec<Vec<Stored>>, rusqlite::Error> {
        let mut statement = self.0.prepare_cached(sql)?;
        let width = statement.column_count();
        let rows = statement
            .query_map(rusqlite::params_from_iter(values.iter().map(Parameter)), |row| {
                (0..width).map(|at| row.get(at)).collect()
            })?;
        rows.collect()
    }

    /// The check of a SELECT's rows: by the columns named, or where none are by `id` and, depth
    /// first, by the ids in columns of JSON: one object, or an array of them.
    ///
    /// # Errors
    /// SQL that SQLite does not take, and a column that is not there.
    pub fn check(&self, sql: &str, columns: &[&str]) -> Result<Check, Error> {
        let rows = self.select(sql, &[])?;
        let names: Vec<String> = {
            let statement =
                self.0.prepare_cached(sql).map_err(|error| failed("reading", &error))?;
            statement.column_names().map(str::to_owned).collect()
        };
        let at = |name: &&str| {
            let found = names.iter().position(|column| column == name);
            found.ok_or_else(|| Error::abort(format!("the SELECT has no column {name}")))
        };
        let mut check = Check::default();
        let by: Vec<usize> = match columns {
            [] => vec![at(&"id")?],
            columns => columns.iter().map(at).collect::<Result<_, _>>()?,
        };
        for row in &rows {
            check.entry(&by.iter().map(|at| text(&row[*at])).collect::<Vec<_>>().join("|"));
            if columns.is_empty() {
                row.iter().for_each(|value| nested(&mut check, value));
            }
        }
        Ok(check)
    }
}

fn text(value: &Stored) -> String {
    match value {
        Stored::Integer(number) => number.to_string(),
        Stored::Text(text) => text.clone(),
        _ => String::new(),
    }
}

/// Adds the ids in a column of JSON; other columns have none.
fn nested(check: &mut Check, value: &Stored) {
    let Stored::Text(text) = value else { return };
    if !text.starts_with(['{', '[']) {
        return;
    }
    let one_or_many = match serde_json::from_str(text) {
        Ok(serde_json::Value::Array(entries)) => entries,
        Ok(entry) => vec![entry],
        Err(_) => return,
    };
    let ids = one_or_many.iter().filter_map(|entry| entry.get("id")?.as_str());
    ids.for_each(|id| check.entry(id));
}

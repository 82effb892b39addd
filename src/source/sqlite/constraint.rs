//! Constraints of the file that a write violates, as the errors of a source.

use penstock_operators::key::KeySpec;
use penstock_operators::row::Row;
use penstock_operators::schema::TableId;
use penstock_operators::source::{ApplyError, TableRule};
use rusqlite::{Connection, ffi};

use super::SqliteSource;
use super::error::{extended_code, message};
use super::value::Bound;

/// What a failing write of a row of a table means; `None` where it is no violated constraint of
/// that table.
pub(super) fn refusal(
    source: &SqliteSource,
    id: TableId,
    row: Option<&Row>,
    error: &rusqlite::Error,
) -> Option<ApplyError> {
    let schema = source.schema.table(id);
    let message = message(error);
    let (kind, subject) = message.split_once(" constraint failed: ").unwrap_or((&message, ""));
    let bad =
        |problem: String| Some(ApplyError::BadRow { table: schema.name().to_owned(), problem });
    if let Some(rule) = rule(&source.connection, error) {
        let problem = match &rule {
            TableRule::Check { subject, .. } => {
                format!("the CHECK constraint \"{subject}\" does not hold")
            }
            rule => format!("a trigger refuses it: {}", rule.says()),
        };
        let place = format!("table \"{}\"", schema.name());
        return Some(ApplyError::Refused { place, rule, problem });
    }
    match extended_code(error) {
        ffi::SQLITE_CONSTRAINT_PRIMARYKEY
        | ffi::SQLITE_CONSTRAINT_UNIQUE
        | ffi::SQLITE_CONSTRAINT_ROWID => unique(source, id, row?, subject),
        ffi::SQLITE_CONSTRAINT_NOTNULL => {
            let (table, column) = subject.split_once('.').unwrap_or(("", subject));
            let problem = format!("column \"{column}\": expected a value, found null");
            let table = if table.is_empty() { schema.name() } else { table };
            Some(ApplyError::BadRow { table: table.to_owned(), problem })
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => bad(
            "a foreign key would refer to a row that is not there; write the row that it refers \
             to first, or delete those that refer to this one"
                .to_owned(),
        ),
        ffi::SQLITE_CONSTRAINT_DATATYPE | ffi::SQLITE_MISMATCH => bad(format!("{kind}{subject}")),
        _ => None,
    }
}

/// The rule of the application's that an error tells of, if it tells of one.
pub(super) fn rule(connection: &Connection, error: &rusqlite::Error) -> Option<TableRule> {
    let message = message(error);
    match extended_code(error) {
        ffi::SQLITE_CONSTRAINT_CHECK => {
            let subject = message.strip_prefix("CHECK constraint failed: ").unwrap_or(&message);
            // A schema that cannot be read has no names.
            let is_named = is_constraint_name(connection, subject).unwrap_or(false);
            Some(TableRule::Check { subject: subject.to_owned(), is_named })
        }
        ffi::SQLITE_CONSTRAINT_TRIGGER => Some(TableRule::Trigger { message }),
        _ => None,
    }
}

/// Whether a definition of a table names a constraint like this. SQLite says the expression of one
/// without a name in its place.
fn is_constraint_name(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    let quoted = [("\"", "\""), ("'", "'"), ("[", "]"), ("`", "`"), ("", "")];
    let written = quoted.map(|(open, close)| format!("{open}{name}{close}"));
    let named = |sql: &str| {
        let mut places = written.iter().flat_map(|name| sql.match_indices(name.as_str()));
        places.any(|(at, _)| {
            let before = sql[..at].trim_end().as_bytes();
            let keyword = before.len().checked_sub("CONSTRAINT".len()).map(|from| &before[from..]);
            keyword.is_some_and(|word| word.eq_ignore_ascii_case(b"CONSTRAINT"))
        })
    };
    let mut select =
        connection.prepare_cached("SELECT sql FROM main.sqlite_schema WHERE type = 'table'")?;
    let mut definitions = select.query([])?;
    while let Some(row) = definitions.next()? {
        if row.get_ref(0)?.as_str_or_null()?.is_some_and(named) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The row that another one stands in the way of.
fn unique(source: &SqliteSource, id: TableId, row: &Row, subject: &str) -> Option<ApplyError> {
    let schema = source.schema.table(id);
    let info = &source.tables[id.0 as usize];
    // The message names the table; a trigger may have written to another one.
    let own = format!("{}.", info.name);
    let elsewhere = !subject.starts_with(&own) && !subject.starts_with("index ");
    if !subject.is_empty() && elsewhere {
        return None;
    }
    let key = info.key_spec.key(row);
    let names: Vec<&str> =
        subject.split(", ").filter_map(|name| name.strip_prefix(&*own)).collect();
    let columns: Vec<usize> = names
        .iter()
        .filter_map(|name| info.columns.iter().position(|column| column.name == *name))
        .collect();
    let is_key = columns.len() == info.key.len() && columns.iter().all(|at| info.key.contains(at));
    if is_key || columns.is_empty() {
        let there = source.reader().get(info, &key).ok().flatten();
        if is_key || there.is_some() {
            let (table, key) = (schema.name().to_owned(), schema.describe_key(row));
            return Some(ApplyError::DuplicateKey { table, key });
        }
        return None;
    }
    let other = other_row(source, id, row, &columns)?;
    let values: Vec<String> = columns
        .iter()
        .map(|column| format!("{} = {}", info.columns[*column].name, row.get(*column)))
        .collect();
    Some(ApplyError::UniqueViolation {
        table: schema.name().to_owned(),
        key: schema.describe_key(row),
        other: schema.describe_key(&other),
        columns: values.join(", "),
    })
}

/// The row that has the same values in some columns, as SQLite compares them.
fn other_row(source: &SqliteSource, id: TableId, row: &Row, columns: &[usize]) -> Option<Row> {
    let info = &source.tables[id.0 as usize];
    let terms: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| format!("{}=?{}", info.column(*column), at + 1))
        .collect();
    let sql = format!("{} WHERE {} LIMIT 2", info.select, terms.join(" AND "));
    let mut statement = source.connection.prepare_cached(&sql).ok()?;
    for (at, column) in columns.iter().enumerate() {
        statement.raw_bind_parameter(at + 1, Bound(row.get(*column))).ok()?;
    }
    let mut rows = statement.raw_query();
    let key = KeySpec::asc(&info.key).key(row);
    while let Ok(Some(found)) = rows.next() {
        let found = source.reader().row(info, found).ok()?.ok()?;
        if info.key_spec.key(&found) != key {
            return Some(found);
        }
    }
    None
}

//! The triggers by which a connection tells what its statements touch.
//!
//! They are temporary: they belong to the connection and leave no trace in the file. SQLite runs
//! temporary triggers before a table's own, so a row is seen before anything else has changed it.
//! Rows are handed over *before* they are changed; an inserted row's key is known only after.

use std::sync::Arc;

use rusqlite::Connection;

use super::capture::{NEW_KEY, OLD_ROW, OLD_ROW_NEW_KEY};
use super::schema::own_name;
use super::table::{TableInfo, quoted};

/// What the names of the triggers begin with, after the prefix of all our names.
const KINDS: [&str; 4] = ["before_insert", "after_insert", "before_update", "before_delete"];

/// Makes the triggers on all tables, in place of those that are there.
pub(super) fn install(connection: &Connection, tables: &[Arc<TableInfo>]) -> rusqlite::Result<()> {
    remove(connection)?;
    let mut sql = String::new();
    for (number, info) in tables.iter().enumerate().filter(|(_, info)| info.present) {
        for statement in statements(number, info) {
            sql.push_str(&statement);
        }
    }
    connection.execute_batch(&sql)
}

/// Removes the triggers.
pub(super) fn remove(connection: &Connection) -> rusqlite::Result<()> {
    let mut names = connection.prepare(
        "SELECT name FROM temp.sqlite_schema \
         WHERE type = 'trigger' AND name LIKE 'penstock\\_%' ESCAPE '\\'",
    )?;
    let names: Vec<String> = names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    names.iter().try_for_each(|name| {
        // One whose table another connection has dropped is listed, but not there.
        connection.execute_batch(&format!("DROP TRIGGER IF EXISTS temp.{}", quoted(name)))
    })
}

fn statements(number: usize, info: &TableInfo) -> [String; 4] {
    let table = info.path();
    let all = || 0..info.columns.len();
    let old = info.list("OLD.", all());
    let new_key = info.list("NEW.", info.key.iter().copied());
    let probe = format!(
        "SELECT count(penstock_capture({number},{OLD_ROW},{})) FROM {table} WHERE {}",
        info.list("", all()),
        replaced(info)
    );
    let bodies = [
        (format!("BEFORE INSERT ON {table} WHEN penstock_probing()"), probe.clone()),
        (
            format!("AFTER INSERT ON {table}"),
            format!("SELECT penstock_capture({number},{NEW_KEY},{new_key})"),
        ),
        (
            format!("BEFORE UPDATE ON {table}"),
            // What stands at another key is looked for first: the capture takes it for absent.
            format!(
                "SELECT CASE WHEN {} THEN ({probe}) END,\
                 CASE WHEN penstock_capture({number},{OLD_ROW_NEW_KEY},{old},{new_key}) \
                 THEN ({probe}) END",
                key_changes(info)
            ),
        ),
        (
            format!("BEFORE DELETE ON {table}"),
            format!("SELECT penstock_capture({number},{OLD_ROW},{old})"),
        ),
    ];
    let mut kinds = KINDS.into_iter();
    bodies.map(|(when, body)| {
        let name = own_name(kinds.next().unwrap_or_default(), &info.name);
        format!("CREATE TEMP TRIGGER {name} {when} BEGIN {body}; END;")
    })
}

/// Whether an update gives a row another key.
pub(super) fn key_changes(info: &TableInfo) -> String {
    let any: Vec<String> = info
        .key
        .iter()
        .map(|column| format!("OLD.{0} IS NOT NEW.{0} COLLATE BINARY", info.column(*column)))
        .collect();
    any.join(" OR ")
}

/// The rows that a new row may replace: those that it meets in a unique index.
pub(super) fn replaced(info: &TableInfo) -> String {
    let mut any: Vec<String> = info
        .unique
        .iter()
        .map(|index| {
            let all: Vec<String> = index
                .columns
                .iter()
                .map(|(column, collation)| {
                    let name = info.column(*column);
                    format!("{name}=NEW.{name} COLLATE {}", quoted(collation))
                })
                .collect();
            if all.is_empty() { "1".to_owned() } else { all.join(" AND ") }
        })
        .collect();
    any.extend(info.rowid.map(|rowid| format!("{rowid}=NEW.{rowid}")));
    if any.is_empty() { "0".to_owned() } else { format!("({})", any.join(") OR (")) }
}

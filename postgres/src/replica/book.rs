//! The replica's bookkeeping, in tables of the same file that are written in the same transactions.
//!
//! | table | what it holds |
//! |---|---|
//! | `penstock_replica` | one row: which server, and up to where the stream has been applied |
//! | `penstock_table` | each table of the server: how it is described, and where it stands |
//! | `penstock_change_log` | the changes themselves, where they are kept |

use std::collections::BTreeMap;
use std::sync::Arc;

use penstock::{Transaction, Value};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::error::ReplicaError;
use super::spec::{TableSpec, TableState};
use super::table::{Known, Table};
use crate::lsn::Lsn;
use crate::snapshot::Mark;
use crate::table::TableName;

/// Raised when an older version could not read what this one writes.
const FORMAT: i64 = 1;

pub(super) const CREATE: &str = "
    CREATE TABLE IF NOT EXISTS penstock_replica(
        only INTEGER PRIMARY KEY CHECK (only = 1), format INTEGER NOT NULL,
        system_id TEXT NOT NULL, timeline INTEGER NOT NULL, slot TEXT NOT NULL,
        commit_lsn INTEGER NOT NULL, end_lsn INTEGER NOT NULL, xid INTEGER, committed_at INTEGER NOT NULL,
        log_floor INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS penstock_table(
        id INTEGER PRIMARY KEY, schema TEXT NOT NULL, name TEXT NOT NULL, spec TEXT,
        state TEXT NOT NULL, reason TEXT, mark TEXT, generation INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS penstock_change_log(
        lsn INTEGER NOT NULL, seq INTEGER NOT NULL, xid INTEGER NOT NULL,
        committed_at INTEGER NOT NULL, tbl TEXT NOT NULL, op TEXT NOT NULL, old TEXT, new TEXT,
        schema_version INTEGER NOT NULL, origin TEXT, PRIMARY KEY (lsn, seq)) WITHOUT ROWID";

/// Which server a replica is of, and up to where it holds what happened there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The server's identifier, which a restored backup shares and a new cluster does not.
    pub system_id: u64,
    /// The server's timeline, which a failover or a restored backup changes.
    pub timeline: u32,
    /// The replication slot whose stream is applied.
    pub slot: String,
    /// The commit record of the last transaction that was applied.
    pub commit: Lsn,
    /// The position behind it: everything that was committed before is applied.
    pub end: Lsn,
    /// The id of the last transaction that was applied; none if there is only a copy.
    pub xid: Option<u32>,
    /// When the last transaction was committed, in microseconds since 1970-01-01T00:00:00Z.
    pub committed_at: i64,
}

/// What the bookkeeping says.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) position: Option<Position>,
    pub(super) log_floor: Lsn,
    pub(super) tables: BTreeMap<u32, Table>,
}

fn lsn(stored: i64) -> Lsn {
    Lsn(stored as u64)
}

pub(super) fn stored(lsn: Lsn) -> i64 {
    lsn.0 as i64
}

/// Reads the bookkeeping; the inner error says why it makes no sense.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<Result<Book, String>> {
    let mut book = Book::default();
    let found = connection
        .query_row("SELECT * FROM penstock_replica", [], |row| {
            let system_id: String = row.get("system_id")?;
            let position = Position {
                system_id: system_id.parse().unwrap_or(0),
                timeline: row.get("timeline")?,
                slot: row.get("slot")?,
                commit: lsn(row.get("commit_lsn")?),
                end: lsn(row.get("end_lsn")?),
                xid: row.get("xid")?,
                committed_at: row.get("committed_at")?,
            };
            Ok((row.get::<_, i64>("format")?, position, lsn(row.get("log_floor")?)))
        })
        .optional()?;
    if let Some((format, position, floor)) = found {
        if format != FORMAT {
            return Ok(Err(format!("its format is {format}, and this version knows {FORMAT}")));
        }
        (book.position, book.log_floor) = (Some(position), floor);
    }
    let mut statement = connection.prepare("SELECT * FROM penstock_table ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id: u32 = row.get("id")?;
        let name = TableName::new(row.get::<_, String>("schema")?, row.get::<_, String>("name")?);
        let reason = row.get::<_, Option<String>>("reason")?.unwrap_or_default();
        let state: String = row.get("state")?;
        let state = match state.as_str() {
            "wanted" => TableState::Wanted { reason },
            "refused" => TableState::Refused { reason },
            _ => {
                let mark: Option<String> = row.get("mark")?;
                match mark.map(|text| text.parse::<Mark>()).transpose() {
                    Ok(mark) => TableState::Copied { mark },
                    Err(error) => return Ok(Err(format!("table {name}: {error}"))),
                }
            }
        };
        let spec: Option<String> = row.get("spec")?;
        let known = match spec.map(|text| TableSpec::from_json(id, &text)) {
            None => None,
            Some(Some(spec)) => Some(Arc::new(Known::new(spec))),
            Some(None) => return Ok(Err(format!("the description of table {name} is damaged"))),
        };
        let generation = row.get("generation")?;
        book.tables.insert(id, Table { id, name, known, state, generation });
    }
    Ok(Ok(book))
}

/// Notes the server and the position.
pub(super) fn write_position(
    tx: &mut Transaction<'_>,
    position: &Position,
    floor: Lsn,
) -> Result<(), ReplicaError> {
    let values: [Value; 9] = [
        FORMAT.into(),
        position.system_id.to_string().into(),
        i64::from(position.timeline).into(),
        position.slot.as_str().into(),
        stored(position.commit).into(),
        stored(position.end).into(),
        position.xid.map(i64::from).into(),
        position.committed_at.into(),
        stored(floor).into(),
    ];
    // An upsert: it is the same row for ever.
    tx.execute(
        "INSERT INTO penstock_replica VALUES(1,?,?,?,?,?,?,?,?,?) ON CONFLICT(only) DO UPDATE SET \
         format=excluded.format, system_id=excluded.system_id, timeline=excluded.timeline, \
         slot=excluded.slot, commit_lsn=excluded.commit_lsn, end_lsn=excluded.end_lsn, \
         xid=excluded.xid, committed_at=excluded.committed_at, log_floor=excluded.log_floor",
        values,
    )?;
    Ok(())
}

/// Notes a table.
pub(super) fn write_table(tx: &mut Transaction<'_>, table: &Table) -> Result<(), ReplicaError> {
    let (state, reason, mark) = match &table.state {
        TableState::Wanted { reason } => ("wanted", Some(reason.as_str()), None),
        TableState::Refused { reason } => ("refused", Some(reason.as_str()), None),
        TableState::Copied { mark } => ("copied", None, mark.as_ref()),
    };
    let values: [Value; 8] = [
        i64::from(table.id).into(),
        table.name.schema.as_str().into(),
        table.name.table.as_str().into(),
        table.known.as_ref().map(|known| known.spec.to_json()).into(),
        state.into(),
        reason.into(),
        mark.map(Mark::to_string).into(),
        table.generation.into(),
    ];
    tx.execute("DELETE FROM penstock_table WHERE id=?", [i64::from(table.id)])?;
    tx.execute("INSERT INTO penstock_table VALUES(?,?,?,?,?,?,?,?)", values)?;
    Ok(())
}

/// Forgets a table.
pub(super) fn forget_table(tx: &mut Transaction<'_>, id: u32) -> Result<(), ReplicaError> {
    tx.execute("DELETE FROM penstock_table WHERE id=?", [i64::from(id)])?;
    Ok(())
}

/// The indexes of a table that live queries had made, as statements that make them.
pub(super) fn indexes(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(
        "SELECT sql FROM main.sqlite_schema WHERE type = 'index' AND tbl_name = ?1 \
         AND sql IS NOT NULL AND name NOT LIKE 'penstock\\_key\\_%' ESCAPE '\\' ORDER BY name",
    )?;
    statement.query_map(params![table], |row| row.get(0))?.collect()
}

/// Whether the file has a table of this name; SQLite takes names that differ in case only for one.
pub(super) fn exists(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE type = 'table' \
         AND lower(name) = lower(?1))",
        params![table],
        |row| row.get(0),
    )
}

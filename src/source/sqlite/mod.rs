//! [`SqliteSource`]: the tables of an SQLite file.

mod alter;
mod attach;
mod capture;
mod constraint;
mod error;
mod foreign;
mod guard;
mod index;
mod log;
mod open;
mod options;
mod read;
mod relations;
mod schema;
mod source;
mod stage;
mod statement;
mod table;
mod triggers;
mod value;
mod write;

use std::cell::RefCell;
use std::sync::Arc;

use indexmap::IndexMap;
use penstock_operators::key::Key;
use penstock_operators::row::Row;
use penstock_operators::schema::{Schema, TableId};
use penstock_operators::source::{ScanId, ScanShape, SourceError};
use rusqlite::Connection;

use super::FixedState;
use capture::SharedCapture;
use guard::Guard;
use read::{Prepared, Reader};
use table::TableInfo;

pub use attach::Attached;
pub use options::SqliteOptions;

/// The tables of an SQLite file, over one connection of its own.
///
/// # Tables and values
///
/// Every table with a primary key is there, or with a unique index over columns that are NOT NULL,
/// which then serves as one. Others, views and virtual tables are refused by name when they are
/// queried. A column's declared type decides its type by SQLite's rules of affinity; besides,
/// BOOLEAN or BOOL make a boolean column and JSON or JSONB a json column. A numeric affinity other
/// than those of INTEGER and REAL, and no type at all, hold anything ([`ColumnType::Any`]).
///
/// A value that its column's type cannot hold stays what SQLite holds: text in an INTEGER column is
/// text. In a boolean column 0 and 1 are booleans; in a json column texts that are valid JSON are
/// JSON. Texts that are not UTF-8 are an error when such a row is read, which names it, and so is a
/// null in a primary key, which SQLite allows for old files' sake.
///
/// Foreign keys are offered as relationships: from the child, one row, named after the column
/// without `_id` or `Id` at its end, else after the parent; from the parent, many rows, named after
/// the child. Where such a name is taken, the columns are appended: `issue_by_owner_id`.
///
/// # Writes
///
/// Everything that a transaction changes is seen, also by triggers, cascades, REPLACE and
/// statements in SQL: temporary triggers of the connection note the keys that are touched with
/// their rows as they were, and each is read again at the end. SQLite checks unique keys at each
/// statement; so other than in memory, two rows cannot swap their values in one transaction
/// without a value in between.
///
/// # Other writers
///
/// | who writes | how it is followed | cost |
/// |---|---|---|
/// | this source | row by row | O(changed rows) |
/// | attached connections, with the promise of [`SqliteOptions::only_attached_writers`] | row by row | O(changed rows) |
/// | anyone, with a change log in the file | row by row | O(changed rows); each writer writes the log too |
/// | anyone, without | every live result is read again and compared | O(live results) |
///
/// [`ColumnType::Any`]: penstock_operators::value::ColumnType::Any
#[derive(Debug)]
pub struct SqliteSource {
    connection: Connection,
    /// What errors call the file.
    file: Arc<str>,
    schema: Schema,
    /// In the order of the schema.
    tables: Arc<[Arc<TableInfo>]>,
    /// Whether the file's own triggers or tables may replace rows.
    may_replace: bool,
    /// Prepared reads by id; ids that have been given back are used again, the lowest first.
    scans: Vec<Option<Prepared>>,
    ids: IndexMap<ScanShape, ScanId, FixedState>,
    create_indexes: bool,
    capture: SharedCapture,
    /// Whether the triggers are there, and fit the schema.
    has_triggers: bool,
    guard: Guard,
    state: State,
    /// The row that was read last in a transaction that has not written since: the one that is
    /// written next, more often than not.
    last_read: RefCell<Option<(TableId, Key, Row)>>,
    /// Statements that update some columns of a table.
    updates: Vec<(TableId, Box<[usize]>, Arc<str>)>,
    /// Why SQLite rolled the transaction back.
    lost_reason: String,
    /// Statements of the application known to be single, and whether they may replace rows.
    statements: IndexMap<Box<str>, bool, FixedState>,
    standing: foreign::Standing,
    log: log::Log,
    only_attached_writers: bool,
    attached: attach::Queue,
    /// Rows that attached connections touched, as they are now: their commits may not have been
    /// visible yet.
    unconfirmed: capture::Touched,
    /// Whether the schema has been changed, by others or by a transaction of this source, and not
    /// followed yet.
    stale: bool,
    /// Whether the transaction in flight has changed the schema, so that its changes are not known
    /// row by row.
    altered: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No transaction.
    Idle,
    /// A read of one state.
    Reading,
    /// A transaction that takes writes.
    Open,
    /// A transaction whose batch has been given out.
    Finished,
    /// A transaction that SQLite has rolled back.
    Lost,
}

impl SqliteSource {
    fn reader(&self) -> Reader<'_> {
        Reader { connection: &self.connection, file: &self.file }
    }

    fn info(&self, table: TableId) -> Result<&Arc<TableInfo>, SourceError> {
        match self.tables.get(table.0 as usize) {
            Some(info) if info.present => Ok(info),
            Some(info) => Err(SourceError {
                context: format!("{}: table \"{}\"", self.file, info.name),
                reason: "it has been dropped".to_owned(),
            }),
            None => Err(SourceError {
                context: format!("table {}", table.0),
                reason: "the schema has no such table".to_owned(),
            }),
        }
    }
}

//! The [`Source`] trait: where rows live.
//!
//! A source is a set of typed tables with indexed, ordered reads and transactional writes. While a
//! transaction is in flight (between [`Source::begin`] and [`Source::commit`] or
//! [`Source::rollback`]) reads can be made as of *before* it and as of *after* the writes made so
//! far. The dataflow only reads; it never learns how a source stores its rows.

use std::ops::ControlFlow;

use crate::delta::Batch;
use crate::key::{Direction, Key, KeySpec};
use crate::row::Row;
use crate::schema::{Schema, TableId};

/// Which state of the data a read sees while a transaction is in flight. Outside a transaction
/// the two are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The state before the transaction in flight.
    Before,
    /// The state with the writes of the transaction in flight.
    After,
}

/// One write of a transaction.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A new row; its primary key must be absent.
    Insert {
        /// The table.
        table: TableId,
        /// The row, a value for every column in schema order.
        row: Row,
    },
    /// A new version of a row; the row with primary key `key` must be present. The new row may
    /// have another primary key, which must then be absent.
    Update {
        /// The table.
        table: TableId,
        /// The encoded primary key (all columns ascending, in primary-key order) of the old row.
        key: Key,
        /// The whole new row.
        row: Row,
    },
    /// The removal of a row, which must be present.
    Delete {
        /// The table.
        table: TableId,
        /// The encoded primary key of the row.
        key: Key,
    },
}

/// Why a write or a commit was refused. The text names table, key and column.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// An insert (or a primary-key change) of a key that is present.
    #[error("table \"{table}\": a row with {key} is already there; update it, or delete it first")]
    DuplicateKey {
        /// The table's name.
        table: String,
        /// The key, as `column = value` pairs.
        key: String,
    },
    /// An update or a delete of a key that is absent.
    #[error("table \"{table}\": there is no row with {key} to {operation}")]
    MissingRow {
        /// The table's name.
        table: String,
        /// The key, as `column = value` pairs.
        key: String,
        /// `update` or `delete`.
        operation: &'static str,
    },
    /// Two rows with the same values in the columns of a unique key at the end of a transaction.
    #[error(
        "table \"{table}\": the rows with {key} and {other} have the same {columns}, which is a unique key"
    )]
    UniqueViolation {
        /// The table's name.
        table: String,
        /// The primary key of the row that was written.
        key: String,
        /// The primary key of the row that has the values already.
        other: String,
        /// The unique key's columns with their values.
        columns: String,
    },
    /// A row that does not fit its table.
    #[error("table \"{table}\": {problem}")]
    BadRow {
        /// The table's name.
        table: String,
        /// The column or count at fault, with what was found and what is expected.
        problem: String,
    },
    /// A row that the application's own rules in the database do not allow.
    #[error("{place}: {problem}")]
    Refused {
        /// The table, or the statement that wrote the row.
        place: String,
        /// The rule.
        rule: TableRule,
        /// The rule in words, with the row where it is known.
        problem: String,
    },
    /// The storage under the source failed.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// What an application has declared in a database about the rows of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TableRule {
    /// A CHECK constraint: its name, or if it has none its expression.
    Check {
        /// As the database says it.
        subject: String,
        /// Whether the application gave it this name.
        is_named: bool,
    },
    /// A trigger that raised an error with this message.
    Trigger {
        /// As the trigger says it.
        message: String,
    },
}

impl TableRule {
    /// What the application says by it: a name, an expression or a message.
    #[must_use]
    pub fn says(&self) -> &str {
        match self {
            TableRule::Check { subject, .. } => subject,
            TableRule::Trigger { message } => message,
        }
    }
}

/// A failure of the storage under a source. In-memory sources have none.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{context}: {reason}")]
pub struct SourceError {
    /// What was being worked on, with the table's name.
    pub context: String,
    /// What the storage said.
    pub reason: String,
}

/// The shape of a family of ordered reads: which columns are held equal and how rows are ordered.
///
/// `order` is total: it contains every primary-key column.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ScanShape {
    /// The table read.
    pub table: TableId,
    /// The columns that a read holds equal to given values, without repeats.
    pub equal: Vec<usize>,
    /// The order in which rows are visited, without repeats.
    pub order: Vec<(usize, Direction)>,
}

/// A prepared [`ScanShape`] of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScanId(pub u32);

/// A position in a scan's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor<'a> {
    /// The encoded values of the scan's `order` columns, with its directions. The row at that
    /// position need not exist.
    pub key: &'a [u8],
    /// Whether a row exactly at the position is visited.
    pub inclusive: bool,
}

/// What others than this source's own transactions have changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Foreign {
    /// Nothing.
    Nothing,
    /// These rows; reads see them as they are after it.
    Batch(Batch),
    /// Rows of which nothing is known.
    Unknown,
    /// The schema, and perhaps rows. [`Source::schema`] is the new one: tables that are still
    /// there have the ids that they had.
    Schema,
}

/// Receives the rows of a scan in order; breaks to end it.
pub type Visitor<'a> = dyn FnMut(&Row) -> ControlFlow<()> + 'a;

/// Typed tables with indexed, ordered reads and transactional writes.
///
/// Contract: between transactions `Before` and `After` are the same state. `write` either takes
/// effect whole or returns an error and has none. After `commit` the written state is the state;
/// after `rollback` nothing has happened. A source is deterministic: the same calls give the same
/// answers in the same order.
pub trait Source: Send {
    /// The tables and their types. Changes only where [`Source::foreign`] says so.
    fn schema(&self) -> &Schema;

    /// How a table tells its rows apart: its primary key.
    fn identity(&self, table: TableId) -> KeySpec {
        self.schema().table(table).primary_key_spec().clone()
    }

    /// Prepares reads of a shape; the source may build an index for it. Preparing the same shape
    /// again returns the same id and counts a further user.
    fn prepare(&mut self, shape: &ScanShape) -> Result<ScanId, SourceError>;

    /// Gives back one use of a prepared shape; at zero uses what was built for it alone is dropped.
    fn release(&mut self, scan: ScanId);

    /// The row with an encoded primary key.
    fn get(&self, at: At, table: TableId, key: &[u8]) -> Result<Option<Row>, SourceError>;

    /// Visits the rows whose `equal` columns have the values encoded in `equal`, in the order of
    /// the prepared shape (reversed where `reverse` is set), from `from` on in that direction.
    ///
    /// `equal` is the concatenation of the ascending encodings of the values, in the order of
    /// [`ScanShape::equal`]; null matches null. Rows are read in bounded chunks where the storage
    /// is not memory.
    fn scan(
        &self,
        at: At,
        scan: ScanId,
        equal: &[u8],
        from: Option<Cursor<'_>>,
        reverse: bool,
        visit: &mut Visitor<'_>,
    ) -> Result<(), SourceError>;

    /// Whether reads of a prepared shape visit rows as they come, so that reading a part costs a
    /// part; otherwise each read sorts all rows first. Decides whether a long read is worth being
    /// divided.
    fn is_ordered(&self, _scan: ScanId) -> bool {
        true
    }

    /// Starts a transaction. There is at most one at a time.
    fn begin(&mut self) -> Result<(), SourceError>;

    /// Makes one write of the transaction in flight.
    fn write(&mut self, change: Change) -> Result<(), ApplyError>;

    /// Checks what can only be checked at the end (unique keys) and returns what the transaction
    /// changed. The transaction stays in flight, so that both states can be read.
    fn finish(&mut self) -> Result<Batch, ApplyError>;

    /// Makes the transaction in flight permanent.
    fn commit(&mut self) -> Result<(), SourceError>;

    /// Undoes the transaction in flight.
    fn rollback(&mut self);

    /// Begins, makes all writes and finishes. On an error nothing has changed and no transaction
    /// is in flight; otherwise it stays in flight until `commit` or `rollback`.
    fn apply(&mut self, changes: Vec<Change>) -> Result<Batch, ApplyError> {
        self.begin()?;
        let outcome = changes
            .into_iter()
            .try_for_each(|change| self.write(change))
            .and_then(|()| self.finish());
        if outcome.is_err() {
            self.rollback();
        }
        outcome
    }

    /// Until [`Source::end_read`], outside a transaction, all reads see one state of the data.
    /// Sources that only change by their own transactions need not do anything.
    ///
    /// # Errors
    /// A storage that cannot be read now; then the read has not begun.
    fn begin_read(&mut self) -> Result<(), SourceError> {
        Ok(())
    }

    /// Ends what [`Source::begin_read`] began.
    fn end_read(&mut self) {}

    /// What others have changed between the state that this source last stood at and the one that
    /// is read now. Asked within a read or at the start of a transaction, before its first write;
    /// the source then stands at the state that is read now. Where the caller could not follow, it
    /// calls [`Source::unfollowed`].
    ///
    /// # Errors
    /// A failing storage; the source stands where it stood.
    fn foreign(&mut self) -> Result<Foreign, SourceError> {
        Ok(Foreign::Nothing)
    }

    /// The caller could not follow what [`Source::foreign`] last said: the next answer has to
    /// cover it, as [`Foreign::Unknown`].
    fn unfollowed(&mut self) {}

    /// The storage itself, for statements in its own language within a transaction.
    fn storage(&mut self) -> Option<&mut dyn std::any::Any> {
        None
    }

    /// Bytes held for rows and for each index, as `(owner, bytes)` pairs, the owner being
    /// `table` or `table(column, …)`.
    fn memory(&self) -> Vec<(String, usize)>;
}

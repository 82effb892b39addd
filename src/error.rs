//! The errors that an application sees.

use penstock_operators::schema::SchemaError;
use penstock_operators::source::{ApplyError, SourceError};

use crate::query::QueryError;

/// What can go wrong. Every operation that returns an error has changed nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The schema contradicts itself.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// A query that cannot be answered, found when it is built.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// A write that the data or the schema refuses.
    #[error(transparent)]
    Apply(ApplyError),
    /// A failing source.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A table that the schema does not have.
    #[error("there is no table \"{name}\"; the schema has: {known}")]
    UnknownTable {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A row that does not fit its table.
    #[error("table \"{table}\": {problem}")]
    BadRow {
        /// The table's name.
        table: String,
        /// The row, by its key or its place in a batch if it has either, the column at fault and
        /// what is expected.
        problem: String,
    },
    /// A relationship declared to lead to one row that leads to two.
    #[error(
        "relationship \"{path}\" was declared to lead to one row of \"{table}\" but leads to at least two: {first} and {second}"
    )]
    NotSingular {
        /// The relationships from the root down, separated by dots.
        path: String,
        /// The table of the rows.
        table: String,
        /// The key of one row.
        first: String,
        /// The key of another.
        second: String,
    },
    /// A row or column that cannot be turned into the type asked for.
    #[error("row of table \"{table}\": {problem}")]
    Convert {
        /// The table's name.
        table: String,
        /// What serde said.
        problem: String,
    },
    /// A call into a database from inside one of its own transactions.
    #[error(
        "{operation} was called inside a transaction of the same database; use the transaction's own methods, or call it after the transaction"
    )]
    Reentrant {
        /// What was called.
        operation: &'static str,
    },
    /// The closure of a transaction gave up.
    #[error("the transaction was given up: {0}")]
    Aborted(Box<dyn std::error::Error + Send + Sync>),
    /// With [`DatabaseBuilder::verify_every_commit`](crate::DatabaseBuilder::verify_every_commit):
    /// a maintained result that differs from a fresh evaluation. A defect of this library.
    #[error(
        "the maintained result of a query over \"{table}\" differs from a fresh evaluation after commit {version}; please report this"
    )]
    Diverged {
        /// The root table of the query.
        table: String,
        /// The commit with which they differ; by `verify_every_commit` it has been undone.
        version: u64,
    },
    /// A change of the schema that the query of a subscription cannot follow has ended it; its last
    /// result can still be read.
    #[error(
        "this subscription has ended, because table \"{table}\" has changed: {change}; subscribe anew with a query for the table as it is now"
    )]
    SchemaChanged {
        /// The table's name.
        table: String,
        /// What became of it.
        change: String,
    },
    /// A statement in SQL for a source that takes none.
    #[error("this database's source takes no SQL statements; open it with Database::open")]
    NoSql,
    /// A query that costs more than its [`Budget`](crate::Budget); nothing of it is kept.
    #[error("the query needs more than {most} {what}; ask for less, or raise that limit")]
    TooCostly {
        /// What it needs too much of.
        what: &'static str,
        /// How much of it is allowed.
        most: usize,
    },
    /// The system refused a thread to follow what others write.
    #[error("no thread to follow other writers: {0}")]
    Thread(std::io::Error),
    /// A panic in the library left the database in an unknown state.
    #[error("an earlier panic left this database in an unknown state; open it again")]
    Broken,
}

impl From<ApplyError> for Error {
    /// A failing source is one, whatever it was asked to do.
    fn from(error: ApplyError) -> Error {
        match error {
            ApplyError::Source(error) => Error::Source(error),
            error => Error::Apply(error),
        }
    }
}

impl Error {
    /// Gives up a transaction from inside its closure: nothing is applied and the caller gets
    /// [`Error::Aborted`] with this reason.
    pub fn abort(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::Aborted(reason.into())
    }
}

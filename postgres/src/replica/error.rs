//! What goes wrong with a replica.

use crate::table::TableName;

/// What goes wrong with a replica. An operation that fails has changed nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplicaError {
    /// The file, or the database over it.
    #[error(transparent)]
    Database(#[from] penstock::Error),
    /// The bookkeeping of the file is not what this version writes.
    #[error(
        "the replica {file} cannot be used: {reason}; delete the file, and it is copied anew from the server"
    )]
    Unusable {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// A table that cannot be kept.
    #[error("table {table}: {reason}")]
    Refused {
        /// The table.
        table: TableName,
        /// Why, and what to do.
        reason: String,
    },
    /// The stream broke off within a transaction.
    #[error("the stream ended within a transaction: {0}")]
    Interrupted(String),
    /// The stream gave pieces that do not follow on each other.
    #[error("the stream is not in order: {0}")]
    Disorder(String),
    /// The server could not be asked about a table.
    #[error("asking the server about a table: {0}")]
    Server(String),
}

impl From<rusqlite::Error> for ReplicaError {
    fn from(error: rusqlite::Error) -> ReplicaError {
        let error =
            penstock::SourceError { context: "the replica".to_owned(), reason: error.to_string() };
        ReplicaError::Database(error.into())
    }
}

/// For use within the closure of a transaction.
impl From<ReplicaError> for penstock::Error {
    fn from(error: ReplicaError) -> penstock::Error {
        match error {
            ReplicaError::Database(error) => error,
            other => penstock::Error::Aborted(Box::new(other)),
        }
    }
}

impl ReplicaError {
    /// The error within one that came out of a transaction's closure.
    pub(crate) fn unwrapped(error: penstock::Error) -> ReplicaError {
        match error {
            penstock::Error::Aborted(inner) => match inner.downcast::<ReplicaError>() {
                Ok(error) => *error,
                Err(inner) => ReplicaError::Database(penstock::Error::Aborted(inner)),
            },
            error => ReplicaError::Database(error),
        }
    }
}

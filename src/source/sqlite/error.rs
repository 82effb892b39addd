//! What SQLite says, as errors that name the file and what to do.

use penstock_operators::source::SourceError;
use rusqlite::ffi::{self, ErrorCode};

/// The error of an operation on a file.
pub(super) fn failure(file: &str, operation: &str, error: &rusqlite::Error) -> SourceError {
    SourceError { context: format!("{file}: {operation}"), reason: reason(error) }
}

/// What SQLite said, without more.
pub(super) fn message(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        error => error.to_string(),
    }
}

/// What SQLite said and what to do about it.
fn reason(error: &rusqlite::Error) -> String {
    let message = message(error);
    match advice(error) {
        Some(advice) => format!("{message}; {advice}"),
        None => message,
    }
}

fn advice(error: &rusqlite::Error) -> Option<&'static str> {
    let code = error.sqlite_error()?;
    Some(match code.code {
        ErrorCode::DatabaseBusy if code.extended_code == ffi::SQLITE_BUSY_SNAPSHOT => {
            "another connection has written since this read began; try again"
        }
        ErrorCode::DatabaseBusy => {
            "another connection holds the file's lock for longer than the busy timeout; try again, \
             or give SqliteOptions::busy_timeout more time"
        }
        ErrorCode::DatabaseLocked => {
            "another connection of this process with a shared cache holds a lock; try again"
        }
        ErrorCode::ReadOnly => {
            "nothing can be written to it; check the permissions of the file and of its directory"
        }
        ErrorCode::DiskFull => {
            "the disk, or the size that the file may have, is used up; make room and try again"
        }
        ErrorCode::DatabaseCorrupt => {
            "the file is damaged; check it with PRAGMA integrity_check and restore it from a copy"
        }
        ErrorCode::NotADatabase => {
            "the file is no SQLite database, or it is encrypted; check the path"
        }
        ErrorCode::CannotOpen => {
            "it cannot be opened; check the path, that the directory is there, and the permissions"
        }
        ErrorCode::PermissionDenied => "check the permissions of the file",
        ErrorCode::SystemIoFailure => {
            "reading or writing the file failed; check the disk and try again"
        }
        ErrorCode::SchemaChanged => "the schema was changed meanwhile; try again",
        ErrorCode::OperationInterrupted => "it was interrupted; try again",
        _ => return None,
    })
}

/// The extended code of an error of SQLite; 0 for others.
pub(super) fn extended_code(error: &rusqlite::Error) -> i32 {
    error.sqlite_error().map_or(0, |code| code.extended_code)
}

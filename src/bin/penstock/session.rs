//! Opening files and subscribing.

use std::path::Path;

use penstock::source::SqliteOptions;
use penstock::tool::param::params;
use penstock::{Database, Subscription};

use crate::command::Query;
use crate::failure::Failure;

/// Opens a file that exists; a watcher that made one would wait for ever.
///
/// # Errors
/// A file that is not there or that SQLite cannot open.
pub(crate) fn open(file: &str) -> Result<Database, Failure> {
    let failure = |reason: String| Failure::File { file: file.to_owned(), reason };
    match Path::new(file).metadata() {
        Ok(metadata) if metadata.is_dir() => {
            return Err(failure("this is a directory, not a database file".to_owned()));
        }
        Ok(_) => {}
        Err(error) => return Err(failure(format!("cannot open the file: {error}"))),
    }
    // Who watches does not write.
    let options = SqliteOptions::new(file).read_only(true);
    Database::open_with(options).map_err(|error| failure(error.to_string()))
}

/// Subscribes to a query of the command line.
///
/// # Errors
/// A query that is refused, or parameters that do not match it.
pub(crate) fn subscribe(db: &Database, query: &Query) -> Result<Subscription, Failure> {
    let failure = |error| Failure::Query { sql: query.sql.clone(), error: Box::new(error) };
    let params = params(&query.params).map_err(Failure::Usage)?;
    db.subscribe_sql(&query.sql, params).map_err(failure)
}

/// The indexes that the live queries of a database could use and the file does not have, as
/// statements that create them.
///
/// # Errors
/// As of any use of the file.
pub(crate) fn missing_indexes(db: &Database, query: &Query) -> Result<Vec<String>, Failure> {
    let reason = |error: penstock::Error| error.to_string();
    db.missing_indexes()
        .map_err(|error| Failure::File { file: query.file.clone(), reason: reason(error) })
}

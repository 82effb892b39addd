//! Opening files and subscribing.

use std::path::Path;

use penstock::{Database, Subscription};

use crate::command::Query;
use crate::failure::Failure;
use crate::param::Param;

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
    Database::open(file).map_err(|error| failure(error.to_string()))
}

/// Subscribes to a query of the command line.
///
/// # Errors
/// A query that is refused, or parameters that do not match it.
pub(crate) fn subscribe(db: &Database, query: &Query) -> Result<Subscription, Failure> {
    let failure = |error| Failure::Query { sql: query.sql.clone(), error: Box::new(error) };
    db.subscribe_sql(&query.sql, params(&query.params)).map_err(failure)
}

fn params(_: &[Param]) {}

pub(crate) fn missing_indexes(_: &Database, _: &Query) -> Result<Vec<String>, Failure> {
    Ok(vec![])
}

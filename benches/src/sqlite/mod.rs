//! SQLite: the tables in a file or in memory, and SQLite itself without this library, which writes
//! the same changes and reads the same rows.

mod files;
mod plain;

pub use files::{Scratch, fill, open_file, open_memory};
pub use plain::{Plain, Statement};

use penstock::Error;

/// A failure of SQLite as an error of the workload.
fn failed(doing: &str, error: &rusqlite::Error) -> Error {
    Error::abort(format!("SQLite, {doing}: {error}"))
}

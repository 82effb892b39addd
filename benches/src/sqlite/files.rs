//! Databases of SQLite with the five tables.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use penstock::Error;
use rusqlite::{Connection, Transaction, params};

use super::failed;
use crate::data::{Data, comment_id, issue_id, label_id, label_name, user_id};

const TABLES: &str = "
    CREATE TABLE user (id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, role TEXT NOT NULL);
    CREATE TABLE issue (id TEXT PRIMARY KEY NOT NULL, title TEXT NOT NULL, open BOOLEAN NOT NULL,
        modified INTEGER NOT NULL, created INTEGER NOT NULL, ownerId TEXT NOT NULL,
        priority INTEGER NOT NULL);
    CREATE TABLE comment (id TEXT PRIMARY KEY NOT NULL, issueId TEXT NOT NULL,
        authorId TEXT NOT NULL, created INTEGER NOT NULL, body TEXT NOT NULL);
    CREATE TABLE label (id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL);
    CREATE TABLE issueLabel (issueId TEXT NOT NULL, labelId TEXT NOT NULL,
        PRIMARY KEY (issueId, labelId));";

/// A folder of its own for the files of one run; goes with all of them when dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new folder in the system's folder for temporary files.
    ///
    /// # Errors
    /// A folder that cannot be made.
    pub fn new() -> Result<Scratch, Error> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("penstock-workloads-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path)
            .map_err(|error| Error::abort(format!("cannot make {}: {error}", path.display())))?;
        Ok(Scratch(path))
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing depends on it: it is the system's folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A connection to a file as applications set one up: write-ahead log, no wait for the disk at
/// every commit.
///
/// # Errors
/// A file that cannot be opened.
pub fn open_file(path: &Path) -> Result<Connection, Error> {
    let opened = Connection::open(path).and_then(|connection| {
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")?;
        Ok(connection)
    });
    opened.map_err(|error| failed("opening a file", &error))
}

/// A connection to an empty database in memory.
///
/// # Errors
/// None to be expected.
pub fn open_memory() -> Result<Connection, Error> {
    Connection::open_in_memory().map_err(|error| failed("opening a database in memory", &error))
}

/// Makes the tables with their rows, then the indexes, given as `table (column, …)`.
///
/// # Errors
/// A disk that is full.
pub fn fill(connection: &mut Connection, data: &Data, indexes: &[&str]) -> Result<(), Error> {
    try_fill(connection, data, indexes).map_err(|error| failed("filling the tables", &error))
}

fn try_fill(
    connection: &mut Connection,
    data: &Data,
    indexes: &[&str],
) -> Result<(), rusqlite::Error> {
    connection.execute_batch(TABLES)?;
    load(connection, data)?;
    for (number, index) in indexes.iter().enumerate() {
        connection.execute_batch(&format!("CREATE INDEX index{number} ON {index}"))?;
    }
    // What an application gets from `PRAGMA optimize`: the planner knows the sizes.
    connection.execute_batch("ANALYZE")
}

/// Puts the rows into empty tables, in one transaction.
pub(super) fn load(connection: &mut Connection, data: &Data) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction()?;
    insert_all(&transaction, data)?;
    transaction.commit()
}

fn insert_all(transaction: &Transaction<'_>, data: &Data) -> Result<(), rusqlite::Error> {
    let mut insert = transaction.prepare("INSERT INTO user VALUES (?1, ?2, ?3)")?;
    for i in 0..data.sizes.users {
        let role = if i.is_multiple_of(10) { "crew" } else { "user" };
        insert.execute(params![user_id(i), format!("User {i}"), role])?;
    }
    let mut insert = transaction.prepare("INSERT INTO label VALUES (?1, ?2)")?;
    for i in 0..data.sizes.labels {
        insert.execute(params![label_id(i), label_name(i)])?;
    }
    let mut insert =
        transaction.prepare("INSERT INTO issue VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    for (i, issue) in (0..).zip(&data.issues) {
        let owner = user_id(issue.owner);
        insert.execute(params![
            issue_id(i),
            issue.title,
            issue.open,
            issue.modified,
            issue.created,
            owner,
            issue.priority
        ])?;
    }
    let mut insert = transaction.prepare("INSERT INTO comment VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for (i, comment) in (0..).zip(&data.comments) {
        let (issue, author) = (issue_id(comment.issue), user_id(comment.author));
        insert.execute(params![comment_id(i), issue, author, comment.created, comment.body])?;
    }
    let mut insert = transaction.prepare("INSERT INTO issueLabel VALUES (?1, ?2)")?;
    for &(issue, label) in &data.issue_labels {
        insert.execute(params![issue_id(issue), label_id(label)])?;
    }
    Ok(())
}

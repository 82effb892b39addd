//! Where client groups are kept between runs: an SQLite file, or memory.
//!
//! One row for each group, its state as JSON. What is lost with it is only time: a client whose group is
//! not known is sent everything anew.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use crate::hub::{GroupStore, StoredGroup};

/// The layout of the file; another is refused.
const VERSION: i64 = 1;

/// A store in an SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
}

impl SqliteStore {
    /// Opens or creates a file.
    ///
    /// # Errors
    /// A file that cannot be opened, or that another version has written; for people.
    pub fn open(path: &Path) -> Result<SqliteStore, String> {
        let connection = Connection::open(path)
            .map_err(|error| format!("cannot open {}: {error}", path.display()))?;
        SqliteStore::new(connection).map_err(|problem| format!("{}: {problem}", path.display()))
    }

    /// A store that is gone with the process.
    ///
    /// # Errors
    /// Memory that cannot be had.
    pub fn in_memory() -> Result<SqliteStore, String> {
        SqliteStore::new(Connection::open_in_memory().map_err(text)?)
    }

    fn new(connection: Connection) -> Result<SqliteStore, String> {
        connection.pragma_update(None, "journal_mode", "wal").map_err(text)?;
        connection.pragma_update(None, "synchronous", "normal").map_err(text)?;
        let version: i64 =
            connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(text)?;
        if version != 0 && version != VERSION {
            return Err(format!(
                "it has layout {version}, this server writes {VERSION}; delete the file, and clients are sent everything anew"
            ));
        }
        connection
            .execute_batch(
                "CREATE TABLE IF NOT EXISTS client_group (
                     id TEXT PRIMARY KEY, state TEXT NOT NULL
                 ) WITHOUT ROWID",
            )
            .map_err(text)?;
        connection.pragma_update(None, "user_version", VERSION).map_err(text)?;
        Ok(SqliteStore { connection })
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl GroupStore for SqliteStore {
    fn load(&mut self, id: &str) -> Result<Option<StoredGroup>, String> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT state FROM client_group WHERE id = ?1")
            .map_err(text)?;
        let state: Option<String> =
            statement.query_row([id], |row| row.get(0)).optional().map_err(text)?;
        state.map(|state| serde_json::from_str(&state).map_err(text)).transpose()
    }

    fn save(&mut self, groups: &[StoredGroup]) -> Result<(), String> {
        let transaction = self.connection.transaction().map_err(text)?;
        for group in groups {
            let state = serde_json::to_string(group).map_err(text)?;
            transaction
                .prepare_cached("INSERT OR REPLACE INTO client_group VALUES (?1, ?2)")
                .and_then(|mut statement| statement.execute(params![group.id, state]))
                .map_err(text)?;
        }
        transaction.commit().map_err(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(id: &str, version: u64) -> StoredGroup {
        StoredGroup {
            id: id.to_owned(),
            user: Some("ada".to_owned()),
            schema: None,
            version,
            histories: vec![(7, version)],
            floor: 0,
            active_ms: 3,
            clients: Default::default(),
            queries: Default::default(),
            rows: vec![("issue".into(), r#"{"id":1}"#.into(), u128::MAX, 2)],
            tombstones: vec![("x".into(), 1)],
            gone: Default::default(),
        }
    }

    #[test]
    fn groups_come_back_as_they_were_saved_last() {
        let mut store = SqliteStore::in_memory().expect("a store");
        store.save(&[group("a", 1), group("b", 1)]).expect("saved");
        store.save(&[group("a", 2)]).expect("saved");
        assert_eq!(store.load("a"), Ok(Some(group("a", 2))));
        assert_eq!(store.load("b"), Ok(Some(group("b", 1))));
        assert_eq!(store.load("c"), Ok(None));
    }
}

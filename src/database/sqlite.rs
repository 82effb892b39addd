//! Databases over SQLite files.

use std::path::Path;

use super::{Database, DatabaseBuilder};
use crate::error::Error;
use crate::source::{Attached, SqliteOptions, SqliteSource};

impl DatabaseBuilder {
    /// A database over the tables of an SQLite file.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub fn open(self, path: impl AsRef<Path>) -> Result<Database, Error> {
        self.open_with(SqliteOptions::new(path))
    }

    /// A database over the tables of an SQLite file, opened with options.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub fn open_with(self, options: SqliteOptions) -> Result<Database, Error> {
        self.with_source(SqliteSource::open_with(options)?)
    }
}

impl Database {
    /// A database over the tables of an SQLite file, with default options; see
    /// [`SqliteSource`] for what its tables are and how the writes of others are followed, and
    /// [`SqliteOptions`] for what can be said otherwise.
    ///
    /// ```
    /// use penstock::{Database, Query, SqliteSource};
    ///
    /// # let file = std::env::temp_dir().join(format!("penstock-open-{}.db", std::process::id()));
    /// # let connection = rusqlite::Connection::open(&file)?;
    /// # connection.execute_batch("DROP TABLE IF EXISTS task; CREATE TABLE task(id INTEGER PRIMARY KEY, title TEXT)")?;
    /// let db = Database::open(&file)?;
    /// let tasks = db.subscribe(Query::table("task"))?;
    /// db.transaction(|tx| tx.insert("task", penstock::row! { id: 1, title: "water the plants" }))?;
    /// assert_eq!(tasks.rows().len(), 1);
    /// # std::fs::remove_file(&file)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A file that is not there, cannot be read or is no SQLite database. Tables that cannot be
    /// queried are an error only when they are.
    pub fn open(path: impl AsRef<Path>) -> Result<Database, Error> {
        Database::builder().open(path)
    }

    /// A database over the tables of an SQLite file, opened with options.
    ///
    /// # Errors
    /// As [`open`](Database::open).
    pub fn open_with(options: SqliteOptions) -> Result<Database, Error> {
        Database::builder().open_with(options)
    }

    /// Watches a connection of the application to the same file; see [`SqliteSource::attach`].
    ///
    /// # Errors
    /// [`Error::NoSql`] over another source, and as there.
    pub fn attach(&self, connection: &mut rusqlite::Connection) -> Result<Attached, Error> {
        self.with_sqlite("Database::attach", |source| source.attach(connection))
    }

    /// Installs the change log in the file; see [`SqliteSource::install_change_log`].
    ///
    /// # Errors
    /// [`Error::NoSql`] over another source, and as there.
    pub fn install_change_log(&self) -> Result<(), Error> {
        self.with_sqlite("Database::install_change_log", SqliteSource::install_change_log)
    }

    /// Removes the change log from the file; see [`SqliteSource::remove_change_log`].
    ///
    /// # Errors
    /// [`Error::NoSql`] over another source, and as there.
    pub fn remove_change_log(&self) -> Result<(), Error> {
        self.with_sqlite("Database::remove_change_log", SqliteSource::remove_change_log)
    }

    /// The indexes that live queries could use and the file does not have, as statements that
    /// create them; see [`SqliteSource::missing_indexes`].
    ///
    /// # Errors
    /// [`Error::NoSql`] over another source.
    pub fn missing_indexes(&self) -> Result<Vec<String>, Error> {
        self.with_sqlite("Database::missing_indexes", |source| Ok(source.missing_indexes()))
    }

    fn with_sqlite<T>(
        &self,
        operation: &'static str,
        act: impl FnOnce(&mut SqliteSource) -> Result<T, crate::SourceError>,
    ) -> Result<T, Error> {
        let mut source = self.shared.lock_source(operation)?;
        let storage = source.storage().and_then(|storage| storage.downcast_mut::<SqliteSource>());
        Ok(act(storage.ok_or(Error::NoSql)?)?)
    }
}

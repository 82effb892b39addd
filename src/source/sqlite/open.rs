//! Opening files and taking over connections.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use indexmap::IndexMap;
use penstock_operators::schema::Schema;
use penstock_operators::source::SourceError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::attach::Queue;
use super::capture::{self, SharedCapture};
use super::error::failure;
use super::foreign::Standing;
use super::guard::Guard;
use super::log::Log;
use super::read::Prepared;
use super::schema::{self, Found};
use super::table::TableInfo;
use super::{SqliteOptions, SqliteSource, State};

/// How many statements stay prepared.
const STATEMENTS_MAX: usize = 512;

impl SqliteSource {
    /// Opens a file with default options. `:memory:` is an empty database of its own.
    ///
    /// # Errors
    /// A file that is not there, cannot be read or is no SQLite database.
    pub fn open(path: impl AsRef<Path>) -> Result<SqliteSource, SourceError> {
        SqliteSource::open_with(SqliteOptions::new(path))
    }

    /// Opens a file.
    ///
    /// # Errors
    /// As [`open`](SqliteSource::open), and a change log that cannot be installed.
    pub fn open_with(options: SqliteOptions) -> Result<SqliteSource, SourceError> {
        let file = options.path.display().to_string();
        let in_memory = options.path.as_os_str() == ":memory:";
        if !options.create && !in_memory && !is_uri(&file) && !options.path.exists() {
            return Err(SourceError {
                context: format!("{file}: opening the file"),
                reason: "there is no such file; check the path, or let it be made with \
                         SqliteOptions::create_if_missing"
                    .to_owned(),
            });
        }
        let mut flags = OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        flags |= match (options.read_only, options.create || in_memory) {
            (true, _) => OpenFlags::SQLITE_OPEN_READ_ONLY,
            (false, true) => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
            (false, false) => OpenFlags::SQLITE_OPEN_READ_WRITE,
        };
        let opened = Connection::open_with_flags(&options.path, flags).and_then(|connection| {
            connection.busy_timeout(options.busy_timeout)?;
            // The triggers need no file then, which a read-only place could not have.
            connection.pragma_update(None, "temp_store", "MEMORY")?;
            if options.relaxed_durability {
                connection.pragma_update(None, "synchronous", "NORMAL")?;
            }
            Ok(connection)
        });
        let connection = opened.map_err(|error| failure(&file, "opening the file", &error))?;
        SqliteSource::new(connection, file.into(), &options)
    }

    /// Takes over a connection. Its authorizer is replaced, functions and temporary triggers
    /// named `penstock_…` are added, and its statements are planned whatever the values of their
    /// parameters (SQLite's stability guarantee); everything else about it is left as it is.
    ///
    /// # Errors
    /// A connection within a transaction, or a file that cannot be read.
    pub fn from_connection(connection: Connection) -> Result<SqliteSource, SourceError> {
        let file = match connection.path() {
            Some(path) if !path.is_empty() => path.to_owned(),
            _ => ":memory:".to_owned(),
        };
        if !connection.is_autocommit() {
            return Err(SourceError {
                context: format!("{file}: taking over a connection"),
                reason: "it has a transaction in flight; end that first".to_owned(),
            });
        }
        let options = SqliteOptions::new(&file);
        SqliteSource::new(connection, file.into(), &options)
    }

    fn new(
        mut connection: Connection,
        file: Arc<str>,
        options: &SqliteOptions,
    ) -> Result<SqliteSource, SourceError> {
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        // A file that has been analysed would have statements compiled again for other values.
        let stable = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true);
        stable.map_err(|error| failure(&file, "opening the file", &error))?;
        let (capture, guard) = (SharedCapture::new(Arc::new([])), Guard::default());
        let prepared = capture.register(&connection).and_then(|()| guard.install(&mut connection));
        prepared.map_err(|error| failure(&file, "opening the file", &error))?;
        let schema = Schema::new([]).map_err(|error| SourceError {
            context: file.to_string(),
            reason: error.to_string(),
        })?;
        let mut source = SqliteSource {
            connection,
            file,
            schema,
            tables: Arc::new([]),
            may_replace: false,
            scans: Vec::new(),
            ids: IndexMap::with_hasher(super::super::fixed_state()),
            create_indexes: options.create_indexes,
            capture,
            has_triggers: false,
            guard,
            state: State::Idle,
            last_read: RefCell::default(),
            updates: Vec::new(),
            lost_reason: String::new(),
            statements: IndexMap::with_hasher(super::super::fixed_state()),
            standing: Standing::default(),
            log: Log::default(),
            only_attached_writers: options.only_attached_writers,
            attached: Queue::default(),
            unconfirmed: capture::touched(),
            stale: false,
            altered: false,
        };
        source.stand_at_first()?;
        if options.change_log {
            source.install_change_log()?;
        }
        Ok(source)
    }

    /// Reads the schema and keeps the ids of the tables that are known. Returns whether it differs
    /// from the one known.
    pub(super) fn read_schema(&mut self) -> Result<bool, SourceError> {
        let read = schema::read(&self.connection, &self.file)?;
        let mut slots: Vec<(String, Option<&Found>)> =
            self.tables.iter().map(|info| (info.name.clone(), None)).collect();
        for found in &read.found {
            match slots.iter_mut().find(|(name, _)| *name == found.info.name) {
                Some((_, slot)) => *slot = Some(found),
                None => slots.push((found.info.name.clone(), Some(found))),
            }
        }
        let schema = schema::schema(&slots, read.refused, &self.file)?;
        let tables: Arc<[Arc<TableInfo>]> = slots
            .iter()
            .enumerate()
            .map(|(at, (_, found))| match found {
                Some(found) => Arc::new(found.info.clone()),
                None => {
                    let mut gone = (*self.tables[at]).clone();
                    gone.present = false;
                    Arc::new(gone)
                }
            })
            .collect();
        self.may_replace = read.may_replace;
        let differs = schema != self.schema;
        if differs || tables != self.tables {
            self.has_triggers = false;
            self.updates.clear();
            self.scans.iter().flatten().for_each(Prepared::forget_statements);
            self.capture.lock().tables = Arc::clone(&tables);
            (self.schema, self.tables) = (schema, tables);
        }
        Ok(differs)
    }
}

fn is_uri(path: &str) -> bool {
    path.starts_with("file:")
}

//! A replica of a Postgres database in an SQLite file, or in memory, kept transaction by transaction.
//!
//! | module | what it holds |
//! |---|---|
//! | `apply` | one transaction of the stream, piece by piece |
//! | `book` | the bookkeeping in the file |
//! | `checksum` | sums by which a table is compared with the server's |
//! | `copy` | copies of whole tables |
//! | `evolve` | changes of tables that need no new copy |
//! | `log` | the change log, and its readers |
//! | `spec` | tables and the statements that keep them |

mod apply;
mod book;
mod checksum;
mod copy;
mod error;
mod evolve;
mod log;
mod rows;
mod spec;
mod table;
mod value;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use penstock::{Database, SqliteOptions, Transaction};
use rusqlite::Connection;
use rusqlite::config::DbConfig;

pub use apply::{Applied, Batch, Divergence};
pub use book::Position;
pub use copy::TableCopy;
pub use error::ReplicaError;
pub use evolve::{Described, DescribedColumn, Describer, Missing};
pub use log::{LogLimits, LoggedChange, LoggedChanges};
pub use spec::{TableSpec, TableState};

use crate::lsn::Lsn;
use crate::table::TableName;
use table::Table;

/// How a replica is kept.
#[derive(Clone, Debug)]
pub struct ReplicaOptions {
    path: PathBuf,
    log: Option<LogLimits>,
    verify_every_commit: bool,
}

impl ReplicaOptions {
    /// In the file at a path, which is made if it is not there. `:memory:` is a replica in memory.
    pub fn new(path: impl AsRef<Path>) -> ReplicaOptions {
        ReplicaOptions { path: path.as_ref().to_owned(), log: None, verify_every_commit: false }
    }

    /// Whether each change is kept in the change log, and for how long. Costs a row of the log and, for
    /// updates and deletes, a look-up of the old row.
    #[must_use]
    pub fn change_log(mut self, limits: Option<LogLimits>) -> Self {
        self.log = limits;
        self
    }

    /// Whether every commit compares every live result with a fresh evaluation. For tests.
    #[must_use]
    pub fn verify_every_commit(mut self, verify: bool) -> Self {
        self.verify_every_commit = verify;
        self
    }
}

/// A replica. Whoever holds it is the only one who writes it; [`Replica::database`] gives any number of
/// handles that read it and subscribe.
pub struct Replica {
    db: Database,
    options: ReplicaOptions,
    position: Option<Position>,
    log_floor: Lsn,
    tables: BTreeMap<u32, Table>,
    /// Whether what is known of the tables may not be what the file says.
    is_stale: bool,
    /// Changes since the change log was cut.
    unlogged: u64,
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replica").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Replica {
    /// Opens a replica, or makes one that is empty.
    ///
    /// # Errors
    /// A file that cannot be opened, is no database, or was written by a later version.
    pub fn open(options: ReplicaOptions) -> Result<Replica, ReplicaError> {
        if options.path.as_os_str() != ":memory:" {
            // Readers then never wait for the writer, nor it for them. The file remembers it.
            let connection = Connection::open(&options.path)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
        }
        let how = SqliteOptions::new(&options.path)
            .create_if_missing(true)
            .create_indexes(true)
            .relaxed_durability(true);
        let db = Database::builder().verify_every_commit(options.verify_every_commit);
        let db = db.open_with(how)?;
        let mut replica = Replica {
            db,
            options,
            position: None,
            log_floor: Lsn::ZERO,
            tables: BTreeMap::new(),
            is_stale: false,
            unlogged: 0,
        };
        in_transaction(&replica.db, |tx| {
            // Or an index of a copy that lacks a column, made again, would be one over a text, and
            // stand in the way of later changes of the table.
            let setting = DbConfig::SQLITE_DBCONFIG_DQS_DDL;
            tx.with_connection(|connection| connection.set_db_config(setting, false))?;
            Ok(tx.change_schema(book::CREATE)?)
        })?;
        replica.reload()?;
        Ok(replica)
    }

    /// The database, to subscribe to.
    pub fn database(&self) -> Database {
        self.db.clone()
    }

    /// Up to where the stream has been applied; `None` before the first [`Replica::start`].
    pub fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// The server's object id, the name and the state of each table, by id.
    pub fn tables(&self) -> impl Iterator<Item = (u32, &TableName, &TableState)> {
        self.tables.values().map(|table| (table.id, &table.name, &table.state))
    }

    /// What is known of a table that was copied.
    pub fn spec(&self, id: u32) -> Option<&TableSpec> {
        self.tables.get(&id)?.known.as_ref().map(|known| &known.spec)
    }

    /// Begins anew with the stream of a slot, from a position on: every table has to be copied, though
    /// what there is stays readable until then. Also ends what readers of the change log know.
    ///
    /// # Errors
    /// A failing file.
    pub fn start(&mut self, position: Position) -> Result<(), ReplicaError> {
        let mut tables = self.tables.clone();
        for table in tables.values_mut() {
            table.want("the stream begins anew");
        }
        let floor = position.end;
        in_transaction(&self.db, |tx| {
            tables.values().try_for_each(|table| book::write_table(tx, table))?;
            tx.execute("DELETE FROM penstock_change_log", Vec::<penstock::Value>::new())?;
            book::write_position(tx, &position, floor)
        })?;
        (self.tables, self.position, self.log_floor) = (tables, Some(position), floor);
        Ok(())
    }

    /// Notes that a table has to be copied. What the stream says of it is passed over until then.
    ///
    /// # Errors
    /// A failing file.
    pub fn want(&mut self, id: u32, name: &TableName, reason: &str) -> Result<(), ReplicaError> {
        let known = self.tables.get(&id).cloned();
        let mut table = known.unwrap_or_else(|| Table::wanted(id, name.clone(), reason));
        table.name = name.clone();
        table.want(reason);
        in_transaction(&self.db, |tx| book::write_table(tx, &table))?;
        self.tables.insert(id, table);
        Ok(())
    }

    /// Drops a table that the server has no more, or that is not published any more.
    ///
    /// # Errors
    /// A failing file.
    pub fn forget(&mut self, id: u32) -> Result<(), ReplicaError> {
        let Some(table) = self.tables.get(&id) else { return Ok(()) };
        in_transaction(&self.db, |tx| {
            evolve::drop_table(tx, table)?;
            book::forget_table(tx, id)
        })?;
        self.tables.remove(&id);
        Ok(())
    }

    /// Notes that there is no stream to go on from, and that a slot of this name, should there be one, is
    /// ours and of no use: the next stream begins anew, with [`Replica::start`]. What there is stays
    /// readable.
    ///
    /// # Errors
    /// A failing file.
    pub fn give_up(&mut self, slot: &str) -> Result<(), ReplicaError> {
        let slot = given_up(slot);
        let position = match self.position.clone() {
            Some(position) => Position { slot, ..position },
            None => Position {
                system_id: 0,
                timeline: 0,
                slot,
                commit: Lsn::ZERO,
                end: Lsn::ZERO,
                xid: None,
                committed_at: 0,
            },
        };
        in_transaction(&self.db, |tx| book::write_position(tx, &position, self.log_floor))?;
        self.position = Some(position);
        Ok(())
    }

    /// Whether the stream of a slot was given up, so that a slot of this name is of no use.
    pub fn has_given_up(&self, slot: &str) -> bool {
        self.position.as_ref().is_some_and(|position| position.slot == given_up(slot))
    }

    /// Notes the server's timeline.
    ///
    /// # Errors
    /// A failing file.
    pub fn set_timeline(&mut self, timeline: u32) -> Result<(), ReplicaError> {
        if let Some(position) = self.position.clone()
            && position.timeline != timeline
        {
            let position = Position { timeline, ..position };
            in_transaction(&self.db, |tx| book::write_position(tx, &position, self.log_floor))?;
            self.position = Some(position);
        }
        Ok(())
    }

    /// Notes that nothing of interest happened on the server up to a position.
    ///
    /// # Errors
    /// A failing file.
    pub fn advance(&mut self, end: Lsn) -> Result<(), ReplicaError> {
        let Some(position) = self.position.clone() else { return Ok(()) };
        if end > position.end {
            let position = Position { end, ..position };
            in_transaction(&self.db, |tx| book::write_position(tx, &position, self.log_floor))?;
            self.position = Some(position);
        }
        Ok(())
    }

    /// Makes everything that was applied survive a power failure; then it may be acknowledged. Costs
    /// one sync of the write-ahead log; nothing in memory.
    ///
    /// # Errors
    /// A failing disk.
    pub fn make_durable(&self) -> Result<(), ReplicaError> {
        if self.options.path.as_os_str() == ":memory:" {
            return Ok(());
        }
        let mut log = self.options.path.clone().into_os_string();
        log.push("-wal");
        let synced = std::fs::File::open(&log).and_then(|file| file.sync_data());
        synced.map_err(|error| {
            let context = format!("{}: syncing the write-ahead log", self.options.path.display());
            let error = penstock::SourceError { context, reason: error.to_string() };
            ReplicaError::Database(error.into())
        })
    }

    /// Reads the bookkeeping again if an operation has failed so that it is not known; nothing otherwise.
    ///
    /// # Errors
    /// A failing file.
    pub fn refresh(&mut self) -> Result<(), ReplicaError> {
        if self.is_stale { self.reload() } else { Ok(()) }
    }

    /// Reads the bookkeeping again.
    fn reload(&mut self) -> Result<(), ReplicaError> {
        let read = in_transaction(&self.db, |tx| Ok(tx.with_connection(book::read)?))?;
        let book = read.map_err(|reason| ReplicaError::Unusable {
            file: self.options.path.display().to_string(),
            reason,
        })?;
        (self.position, self.log_floor, self.tables) = (book.position, book.log_floor, book.tables);
        self.is_stale = false;
        Ok(())
    }
}

/// What is noted in place of a slot's name; no name of a slot has a hyphen.
fn given_up(slot: &str) -> String {
    format!("-{slot}")
}

/// Runs a transaction of the replica.
fn in_transaction<T>(
    db: &Database,
    run: impl FnOnce(&mut Transaction<'_>) -> Result<T, ReplicaError>,
) -> Result<T, ReplicaError> {
    db.transaction(|tx| Ok(run(tx)?)).map_err(ReplicaError::unwrapped)
}

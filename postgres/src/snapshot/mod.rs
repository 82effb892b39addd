//! The initial copy, and the copy of single tables later on.
//!
//! **A copy and the stream fit without a gap.** A slot is made together with a snapshot that the
//! server exports: the snapshot has exactly the transactions whose commit lies before the slot's
//! position. Every table remembers the [`Mark`] of the snapshot that it was copied from, and of the
//! stream only what the mark does not [hold](Mark::holds) is applied to it. So tables may be copied
//! from different snapshots: one that was copied before an interruption is not copied again, and a
//! table can be copied anew while the others are followed. (For the later snapshots a temporary
//! slot is made, only for as long as it takes to share its snapshot.)
//!
//! **Without replication connections** (wal2json) a slot exports nothing. Then a snapshot is taken
//! after the slot was made, and says itself which transactions it sees: see [`Visible`]. Before it
//! is taken, every transaction that was running when the slot was made must have ended: one that
//! has committed before the slot's position, but is not visible yet (it may be waiting for a
//! synchronous standby), would be in neither.
//!
//! **DDL during a copy.** A table is locked against it (`ACCESS SHARE`) only when its turn comes,
//! after the snapshot was taken: to lock before could wait forever for a transaction that waits for
//! the lock. A table that was rewritten in between is copied from another snapshot, after the
//! others.

mod binary;
mod checksum;
mod mark;
mod origin;
mod progress;
mod reader;

use std::sync::{Arc, Mutex};

use penstock::Value;
use tokio::sync::mpsc;

pub use binary::BadCopy;
pub use checksum::{Checksum, checksums};
pub use mark::{Mark, NotAMark, Visible};
pub use progress::{Progress, TableProgress};

use crate::connect::{Config, ServerError};
use crate::setup::{Setup, SourceTable};
use crate::stream::Resume;
use crate::table::TableName;
use crate::types::{UnknownType, ValueError};
use reader::Item;

/// How many pieces of rows may wait for the sink.
const ITEMS_MAX: usize = 8;

/// How often tables that were altered during the copy are tried again.
const ROUNDS_MAX: u32 = 5;

/// What takes a copy.
pub trait CopySink {
    /// A slot was made: where the stream goes on from. To be written down before anything else. Not
    /// called by [`copy_tables`].
    fn slot_made(&mut self, resume: &Resume) -> Result<(), SinkError>;

    /// The copy of a table begins: what there is of it must go, and a table is to be made of these
    /// columns. Copies of several tables come side by side.
    fn begin(&mut self, table: &SourceTable) -> Result<(), SinkError>;

    /// Some rows, with values in the order of the columns.
    fn rows(&mut self, table: &TableName, rows: Vec<Vec<Value>>) -> Result<(), SinkError>;

    /// The copy of a table is complete. To be written down with its mark, so that it need not be
    /// repeated.
    fn end(&mut self, table: &SourceTable, mark: &Mark) -> Result<(), SinkError>;

    /// How far everything is; called after each piece.
    fn progress(&mut self, progress: &Progress) {
        let _ = progress;
    }
}

/// An error of a sink, in its own words.
pub type SinkError = Box<dyn std::error::Error + Send + Sync>;

/// Why a copy failed. What was complete stays complete.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// The server refuses or is gone.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The stream of a copy is broken.
    #[error("copying {table}: {error}")]
    Malformed {
        /// The table.
        table: TableName,
        /// What is wrong.
        error: BadCopy,
    },
    /// A value that is not one of its type.
    #[error("copying {table}: column \"{column}\": {error}")]
    Value {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// What is wrong with it.
        error: Box<ValueError>,
    },
    /// A column of a type that is not known.
    #[error("copying {table}: column \"{column}\": {error}")]
    UnknownType {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// The type.
        error: UnknownType,
    },
    /// Tables are altered again and again.
    #[error("these tables were altered each time they were to be copied: {0}")]
    Restless(String),
    /// The sink refuses.
    #[error("the copy cannot be written: {0}")]
    Sink(SinkError),
    /// No thread can be started.
    #[error("the threads of the copy cannot be started: {0}")]
    Threads(#[from] std::io::Error),
}

impl CopyError {
    /// Whether the same may work later with nothing changed.
    pub fn is_passing(&self) -> bool {
        match self {
            CopyError::Server(error) => error.is_passing(),
            CopyError::Restless(_) => true,
            _ => false,
        }
    }
}

/// Makes the slot, and copies tables as they are at its position, over several connections at a
/// time. Gives from where the stream goes on. Not to be called from within a runtime.
///
/// # Errors
///
/// The server's and the sink's. The slot stays, and tables that were complete need not be copied
/// again: the rest is for [`copy_tables`].
pub fn copy_all(
    config: &Config,
    setup: &Setup,
    tables: Vec<SourceTable>,
    connections: usize,
    sink: &mut dyn CopySink,
) -> Result<Resume, CopyError> {
    let resume = run(config, setup, tables, connections, true, sink)?;
    resume.ok_or_else(|| ServerError::unexpected("making the slot", "it was not made").into())
}

/// Copies tables as they are now, each with a [`Mark`] that says what of the stream it holds. The
/// slot must be there: nothing before its position is needed. Not to be called from within a
/// runtime.
///
/// # Errors
///
/// The server's and the sink's. Tables that were complete need not be copied again.
pub fn copy_tables(
    config: &Config,
    setup: &Setup,
    tables: Vec<SourceTable>,
    connections: usize,
    sink: &mut dyn CopySink,
) -> Result<(), CopyError> {
    run(config, setup, tables, connections, false, sink).map(|_| ())
}

fn run(
    config: &Config,
    setup: &Setup,
    mut tables: Vec<SourceTable>,
    connections: usize,
    mut make_slot: bool,
    sink: &mut dyn CopySink,
) -> Result<Option<Resume>, CopyError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(connections.clamp(1, 4))
        .thread_name("penstock-copy")
        .enable_all()
        .build()?;
    let mut progress = Progress::of(&tables);
    let mut resume = None;
    for _ in 0..ROUNDS_MAX {
        let origin = runtime.block_on(origin::open(config, setup, make_slot, connections))?;
        if let Some(made) = &origin.resume {
            sink.slot_made(made).map_err(CopyError::Sink)?;
            resume = Some(made.clone());
        }
        make_slot = false;
        // As the snapshot sees them: they may have been altered since they were read, and what was written
        // to them in between is not in the stream.
        tables = match origin.sessions.first() {
            Some(session) => {
                let seen = runtime.block_on(crate::setup::followed_tables(session, setup))?;
                these(seen, &tables)
            }
            None => tables,
        };
        let (items, received) = mpsc::channel(ITEMS_MAX);
        // The largest first, so that none is left alone at the end.
        tables.sort_by(|a, b| a.bytes.cmp(&b.bytes).then(b.relation.name.cmp(&a.relation.name)));
        let queue: reader::Queue = Arc::new(Mutex::new(tables));
        for session in origin.sessions {
            let reading =
                reader::run(session, Arc::clone(&origin.types), Arc::clone(&queue), items.clone());
            runtime.spawn(reading);
        }
        drop(items);
        tables = drain(received, &origin.mark, &mut progress, sink)?;
        if tables.is_empty() {
            return Ok(resume);
        }
        // What they look like now.
        let now = runtime.block_on(async {
            let session = config.connect().await?;
            crate::setup::followed_tables(&session, setup).await
        })?;
        tables = these(now, &tables);
    }
    let names: Vec<String> = tables.iter().map(|table| table.relation.name.to_string()).collect();
    Err(CopyError::Restless(names.join(", ")))
}

/// Those of some tables that are also among others, by their ids.
fn these(tables: Vec<SourceTable>, wanted: &[SourceTable]) -> Vec<SourceTable> {
    let is_wanted =
        |table: &SourceTable| wanted.iter().any(|other| other.relation.id == table.relation.id);
    tables.into_iter().filter(is_wanted).collect()
}

/// Gives everything that comes to the sink. What is given back must be copied again.
fn drain(
    mut items: mpsc::Receiver<Item>,
    mark: &Mark,
    progress: &mut Progress,
    sink: &mut dyn CopySink,
) -> Result<Vec<SourceTable>, CopyError> {
    let mut altered = Vec::new();
    while let Some(item) = items.blocking_recv() {
        match item {
            Item::Begin(table) => {
                progress.begin(&table);
                sink.begin(&table).map_err(CopyError::Sink)?;
            }
            Item::Rows { table, rows, bytes } => {
                let count = rows.len() as u64;
                sink.rows(&table, rows).map_err(CopyError::Sink)?;
                progress.add(&table, count, bytes);
            }
            Item::End(table) => {
                sink.end(&table, mark).map_err(CopyError::Sink)?;
                progress.end(&table.relation.name);
            }
            Item::Altered(table) => altered.push(table),
            Item::Failed(error) => return Err(*error),
        }
        sink.progress(progress);
    }
    Ok(altered)
}

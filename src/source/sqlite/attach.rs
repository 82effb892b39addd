//! Connections of the application that are watched.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use penstock_operators::source::{Foreign, SourceError};
use rusqlite::Connection;

use super::capture::{SharedCapture, Touched, touched};
use super::error::failure;
use super::table::TableInfo;
use super::{SqliteSource, State, triggers};

/// How many touched rows of attached connections are kept until they are followed.
const TOUCHED_MAX: usize = 100_000;

/// A connection of the application that is watched, by [`SqliteSource::attach`]. When this is
/// dropped its writes are watched no longer: they are then those of a stranger.
#[derive(Debug)]
pub struct Attached {
    watched: Arc<Watched>,
}

#[derive(Debug)]
struct Watched {
    capture: SharedCapture,
    /// Whether the [`Attached`] is still there.
    alive: AtomicBool,
    commits: AtomicU64,
}

/// What attached connections have touched and committed, in the order of their commits.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue(Arc<Mutex<Queued>>);

#[derive(Debug, Default)]
struct Queued {
    touched: Option<Touched>,
    /// For how many more rounds something may have been touched of which no row is known: the
    /// one in which that is found, and one more, as its commit may not have been visible yet.
    unknown_rounds: u8,
    /// The connections, so that they learn of another schema.
    connections: Vec<Arc<Watched>>,
}

impl Attached {
    /// How many transactions of the connection have come to their commit.
    pub fn commits(&self) -> u64 {
        self.watched.commits.load(Ordering::Relaxed)
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.watched.alive.store(false, Ordering::Relaxed);
    }
}

impl Queue {
    fn with<T>(&self, act: impl FnOnce(&mut Queued) -> T) -> T {
        // Whole at any time.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The schema has changed, for which the triggers of attached connections are not made.
    pub(super) fn misfit(&self, tables: &Arc<[Arc<TableInfo>]>) {
        self.with(|queued| {
            queued.touched = None;
            queued.unknown_rounds = 2;
            queued.connections.retain(|watched| watched.alive.load(Ordering::Relaxed));
            for watched in &queued.connections {
                let mut capture = watched.capture.lock();
                capture.tables = Arc::clone(tables);
                capture.touched.clear();
                capture.misfit = true;
            }
        });
    }

    /// A connection's transaction comes to its commit.
    fn commit(&self, watched: &Watched) {
        watched.commits.fetch_add(1, Ordering::Relaxed);
        let mut capture = watched.capture.lock();
        let new = std::mem::replace(&mut capture.touched, touched());
        let misfit = capture.misfit || !watched.alive.load(Ordering::Relaxed);
        drop(capture);
        self.with(|queued| {
            if misfit {
                queued.unknown_rounds = 2;
            }
            let all = queued.touched.get_or_insert_with(touched);
            for (key, old) in new {
                all.entry(key).or_insert(old);
            }
            if all.len() > TOUCHED_MAX {
                queued.unknown_rounds = 2;
                queued.touched = None;
            }
        });
    }

    /// Forgets everything: what has been committed is followed, and what has not never will be.
    pub(super) fn clear(&self) {
        self.with(|queued| {
            queued.touched = None;
            queued.unknown_rounds = 0;
        });
    }
}

impl SqliteSource {
    /// Watches a connection of the application to the same file, by temporary triggers and
    /// functions named `penstock_…` and its hooks of commit and rollback, which are replaced.
    ///
    /// Where this source was opened with [`SqliteOptions::only_attached_writers`], what the
    /// connection writes is followed row by row. Every write of a watched connection costs a call
    /// per changed row. After a change of the schema attach it again; until then all that it writes
    /// is followed by reading everything again.
    ///
    /// # Errors
    /// Within a transaction of either, or a connection to another file.
    ///
    /// [`SqliteOptions::only_attached_writers`]: super::SqliteOptions::only_attached_writers
    pub fn attach(&mut self, connection: &mut Connection) -> Result<Attached, SourceError> {
        if self.state != State::Idle || !connection.is_autocommit() {
            return Err(self.refused("a connection cannot be attached within a transaction"));
        }
        let path = |connection: &Connection| {
            connection.path().filter(|path| !path.is_empty()).map(str::to_owned)
        };
        if path(&self.connection).is_none() || path(&self.connection) != path(connection) {
            return Err(self.refused("the connection to attach is to another file"));
        }
        let capture = SharedCapture::new(Arc::clone(&self.tables));
        // Its statements are not seen, so any of them may replace rows.
        capture.probe(true);
        let (alive, commits) = (AtomicBool::new(true), AtomicU64::new(0));
        let watched = Arc::new(Watched { capture, alive, commits });
        self.watch(connection, &watched)
            .map_err(|error| failure(&self.file, "attaching a connection", &error))?;
        self.attached.with(|queued| queued.connections.push(Arc::clone(&watched)));
        Ok(Attached { watched })
    }

    fn watch(&self, connection: &mut Connection, watched: &Arc<Watched>) -> rusqlite::Result<()> {
        // The hooks of an earlier attachment would take what is done here for a stranger's.
        connection.commit_hook(None::<fn() -> bool>)?;
        watched.capture.register(connection)?;
        triggers::install(connection, &self.tables)?;
        let (queue, committing) = (self.attached.clone(), Arc::clone(watched));
        connection.commit_hook(Some(move || {
            queue.commit(&committing);
            false
        }))?;
        let undone = Arc::clone(watched);
        connection.rollback_hook(Some(move || undone.capture.lock().touched.clear()))
    }

    /// What attached connections have changed since it was followed.
    ///
    /// A connection queues what it touched as it begins to commit, so that commit may not be
    /// visible yet; but then the next one that is visible comes after it, as SQLite has one writer
    /// at a time. So what is taken from the queue is looked at once more after the next commit.
    pub(super) fn follow_attached(&mut self) -> Result<Foreign, SourceError> {
        let (new, unknown) = self.attached.with(|queued| {
            let unknown = queued.unknown_rounds > 0;
            queued.unknown_rounds = queued.unknown_rounds.saturating_sub(1);
            (queued.touched.take().unwrap_or_else(touched), unknown)
        });
        let mut all = std::mem::replace(&mut self.unconfirmed, touched());
        if unknown {
            return Ok(Foreign::Unknown);
        }
        // With the write lock held nobody else is committing.
        let is_certain = self.state == State::Open;
        let keys: Vec<_> = if is_certain { Vec::new() } else { new.keys().cloned().collect() };
        for (key, old) in new {
            all.entry(key).or_insert(old);
        }
        let kept = self.changes(&all, &touched()).and_then(|batch| {
            let mut kept = touched();
            for (table, key) in keys {
                let now = self.reader().get(self.info(table)?, &key)?;
                kept.insert((table, key), now);
            }
            Ok((batch, kept))
        });
        // On an error it is asked for again, and then everything is read, twice.
        let kept = kept.inspect_err(|_| self.attached.with(|queued| queued.unknown_rounds = 2));
        let (batch, kept) = kept?;
        self.unconfirmed = kept;
        Ok(if batch.is_empty() { Foreign::Nothing } else { Foreign::Batch(batch) })
    }
}

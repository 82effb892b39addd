//! How a followed database stands, readable at any time.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::progress::CopyProgress;
use crate::lsn::Lsn;
use crate::stream;
use crate::table::TableName;

/// What a follower is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It connects, checks the server, or waits before it tries again.
    Connecting,
    /// It copies tables.
    Copying,
    /// It applies the stream.
    Streaming,
    /// It was stopped.
    Stopped,
    /// It has given up: what is said has to be changed first.
    Failed(String),
}

/// How a followed database stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// What is being done.
    pub phase: Phase,
    /// Everything before this position is in the replica.
    pub applied: Lsn,
    /// When the last transaction in the replica was committed, in microseconds since 1970.
    pub committed_at: i64,
    /// The stream, as it was when it was last looked at.
    pub stream: Option<stream::Status>,
    /// The copy under way, or the last one.
    pub copy: CopyProgress,
    /// Transactions applied since the start.
    pub transactions: u64,
    /// Changes of rows applied since the start.
    pub changes: u64,
    /// Tables copied since the start.
    pub copies: u64,
    /// How often everything had to be copied again: a lost slot, another server.
    pub restarts: u64,
    /// How often a table was found to differ from the server, and was copied again.
    pub divergences: u64,
    /// Tables that cannot be kept, and why.
    pub refused: Vec<(TableName, String)>,
    /// What went wrong last, if anything did.
    pub last_error: Option<String>,
}

impl Default for Status {
    fn default() -> Status {
        Status {
            phase: Phase::Connecting,
            applied: Lsn::ZERO,
            committed_at: 0,
            stream: None,
            copy: CopyProgress::default(),
            transactions: 0,
            changes: 0,
            copies: 0,
            restarts: 0,
            divergences: 0,
            refused: Vec::new(),
            last_error: None,
        }
    }
}

/// One line of `name=value` pairs.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.phase {
            Phase::Connecting => write!(f, "phase=connecting")?,
            Phase::Copying => return write!(f, "phase=copying {}", self.copy),
            Phase::Streaming => write!(f, "phase=streaming")?,
            Phase::Stopped => write!(f, "phase=stopped")?,
            Phase::Failed(reason) => return write!(f, "phase=failed error={reason:?}"),
        }
        write!(f, " applied={}", self.applied)?;
        if let Some(stream) = &self.stream {
            write!(f, " received={} server={}", stream.received, stream.server_end)?;
            write!(f, " lag_bytes={} lag_ms={}", stream.lag_bytes(), stream.lag_ms)?;
            if let Some(retained) = stream.retained_bytes() {
                write!(f, " retained_wal_bytes={retained}")?;
            }
            if let Some(slot) = &stream.slot {
                write!(f, " slot={:?}", slot.wal_status)?;
            }
            write!(f, " connections={}", stream.connections)?;
        }
        write!(f, " transactions={} changes={}", self.transactions, self.changes)?;
        write!(f, " copies={} restarts={}", self.copies, self.restarts)?;
        write!(f, " divergences={}", self.divergences)?;
        match &self.last_error {
            Some(error) => write!(f, " last_error={error:?}"),
            None => Ok(()),
        }
    }
}

/// Reads how a followed database stands, from any thread; also after its follower has ended.
#[derive(Clone, Debug)]
pub struct StatusReader(pub(super) SharedStatus);

impl StatusReader {
    /// How it stands now.
    pub fn get(&self) -> Status {
        self.0.get()
    }

    /// The transaction that is being applied, if one is. In a callback of the replica's database it is
    /// the one that the callback tells of, unless the callback tells of several at once.
    pub fn committing(&self) -> Option<Commit> {
        self.0.now().commit
    }
}

/// A transaction of the server, as it is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Where it was committed.
    pub position: Lsn,
    /// When, in microseconds since 1970 by the server's clock.
    pub at_us: i64,
}

/// A status that several threads see.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedStatus(Arc<Mutex<Status>>, Arc<Mutex<Now>>);

/// What changes while a transaction is applied.
#[derive(Debug, Default)]
struct Now {
    commit: Option<Commit>,
    stream: Option<stream::StatusReader>,
}

impl SharedStatus {
    pub(super) fn get(&self) -> Status {
        let mut status = self.lock().clone();
        // It grows older while a transaction is applied, or waits for a lock of the replica.
        if let Some(stream) = &self.now().stream
            && status.stream.is_some()
        {
            status.stream = Some(stream.get());
        }
        status
    }

    /// From now on this stream is followed.
    pub(super) fn follows(&self, stream: stream::StatusReader) {
        self.now().stream = Some(stream);
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.1.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says which transaction is being applied.
    pub(super) fn committing(&self, commit: Option<Commit>) {
        self.now().commit = commit;
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, Status> {
        // Each change under the lock is one of independent values.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_line() {
        let status = Status { phase: Phase::Streaming, applied: Lsn(0x1F), ..Status::default() };
        let line = "phase=streaming applied=0/1F transactions=0 changes=0 copies=0 restarts=0 divergences=0";
        assert_eq!(status.to_string(), line);
        let failed = Status { phase: Phase::Failed("no \"x\"".into()), ..Status::default() };
        assert_eq!(failed.to_string(), "phase=failed error=\"no \\\"x\\\"\"");
    }
}

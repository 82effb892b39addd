//! How a followed database stands, readable at any time.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

/// How a copy stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyProgress {
    /// The table that is being copied.
    pub table: Option<TableName>,
    /// How many tables are done, of this round.
    pub tables_done: u64,
    /// How many tables this round has.
    pub tables: u64,
    /// Rows copied so far, of all tables of this round.
    pub rows: u64,
    /// About how many rows there are, where the server knows.
    pub rows_estimated: u64,
    /// For how long, in milliseconds, this round has been going on.
    pub elapsed_ms: u64,
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

impl CopyProgress {
    /// Rows per second so far.
    pub fn rows_per_second(&self) -> u64 {
        self.rows.saturating_mul(1000) / self.elapsed_ms.max(1)
    }

    /// How many seconds are left if it goes on like this, where the number of rows is known.
    pub fn seconds_left(&self) -> Option<u64> {
        let left = self.rows_estimated.checked_sub(self.rows)?;
        (self.rows > 0).then(|| left / self.rows_per_second().max(1))
    }
}

/// One line: `copying public.task: 2 of 5 tables, 120000 of about 300000 rows, 60000 rows/s, 3 s left`.
impl fmt::Display for CopyProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(table) = &self.table {
            write!(f, "copying {table}: ")?;
        }
        write!(f, "{} of {} tables, {}", self.tables_done, self.tables, self.rows)?;
        if self.rows_estimated > self.rows {
            write!(f, " of about {}", self.rows_estimated)?;
        }
        write!(f, " rows, {} rows/s", self.rows_per_second())?;
        match self.seconds_left() {
            Some(seconds) if self.table.is_some() => write!(f, ", {seconds} s left"),
            _ => Ok(()),
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
}

/// A status that several threads see.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedStatus(Arc<Mutex<Status>>);

impl SharedStatus {
    pub(super) fn get(&self) -> Status {
        self.lock().clone()
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
    fn progress_tells_what_is_left() {
        let progress = CopyProgress {
            table: Some(TableName::new("public", "task")),
            tables_done: 2,
            tables: 5,
            rows: 120_000,
            rows_estimated: 300_000,
            elapsed_ms: 2000,
        };
        let line = "copying public.task: 2 of 5 tables, 120000 of about 300000 rows, 60000 rows/s, 3 s left";
        assert_eq!(progress.to_string(), line);
        let done = CopyProgress { table: None, tables_done: 5, rows: 300_001, ..progress };
        assert_eq!(done.to_string(), "5 of 5 tables, 300001 rows, 150000 rows/s");
        assert_eq!(CopyProgress::default().to_string(), "0 of 0 tables, 0 rows, 0 rows/s");
    }

    #[test]
    fn a_status_is_one_line() {
        let status = Status { phase: Phase::Streaming, applied: Lsn(0x1F), ..Status::default() };
        let line = "phase=streaming applied=0/1F transactions=0 changes=0 copies=0 restarts=0 divergences=0";
        assert_eq!(status.to_string(), line);
        let failed = Status { phase: Phase::Failed("no \"x\"".into()), ..Status::default() };
        assert_eq!(failed.to_string(), "phase=failed error=\"no \\\"x\\\"\"");
    }
}

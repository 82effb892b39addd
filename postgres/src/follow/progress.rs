//! How a copy stands, for people and for metrics.

use std::fmt;

use crate::table::TableName;

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
    /// About how many rows there are; 0 if the server does not know it of every table.
    pub rows_estimated: u64,
    /// Bytes received so far.
    pub bytes: u64,
    /// About how many bytes there are: for tables that are not done, how much room they take on the
    /// server.
    pub bytes_estimated: u64,
    /// For how long, in milliseconds, this round has been going on.
    pub elapsed_ms: u64,
}

impl CopyProgress {
    /// Rows per second so far.
    pub fn rows_per_second(&self) -> u64 {
        self.per_second(self.rows)
    }

    /// Bytes per second so far.
    pub fn bytes_per_second(&self) -> u64 {
        self.per_second(self.bytes)
    }

    fn per_second(&self, done: u64) -> u64 {
        done.saturating_mul(1000) / self.elapsed_ms.max(1)
    }

    /// How many seconds are left if it goes on like this: by rows where their number is about known,
    /// else by bytes. None before anything is there.
    pub fn seconds_left(&self) -> Option<u64> {
        let by_rows = self.rows_estimated >= self.rows && self.rows_estimated > 0;
        let (done, all, speed) = match by_rows {
            true => (self.rows, self.rows_estimated, self.rows_per_second()),
            false => (self.bytes, self.bytes_estimated, self.bytes_per_second()),
        };
        (done > 0).then(|| all.saturating_sub(done) / speed.max(1))
    }
}

/// One line: `copying public.task: 2 of 5 tables, 120000 of about 300000 rows, 12.0 of about 30.0 MB, 60000
/// rows/s, 3 s left`.
impl fmt::Display for CopyProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(table) = &self.table {
            write!(f, "copying {table}: ")?;
        }
        write!(f, "{} of {} tables, {}", self.tables_done, self.tables, self.rows)?;
        if self.rows_estimated > self.rows {
            write!(f, " of about {}", self.rows_estimated)?;
        }
        write!(f, " rows, {}", megabytes(self.bytes))?;
        if self.bytes_estimated > self.bytes {
            write!(f, " of about {}", megabytes(self.bytes_estimated))?;
        }
        write!(f, " MB, {} rows/s", self.rows_per_second())?;
        match self.seconds_left() {
            Some(seconds) if self.table.is_some() => write!(f, ", {seconds} s left"),
            _ => Ok(()),
        }
    }
}

/// Millions of bytes, to a tenth.
fn megabytes(bytes: u64) -> String {
    format!("{}.{}", bytes / 1_000_000, bytes / 100_000 % 10)
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
            bytes: 12_345_678,
            bytes_estimated: 30_000_000,
            elapsed_ms: 2000,
        };
        let line = "copying public.task: 2 of 5 tables, 120000 of about 300000 rows, 12.3 of about 30.0 MB, \
                    60000 rows/s, 3 s left";
        assert_eq!(progress.to_string(), line);
        let unknown = CopyProgress { rows_estimated: 0, ..progress.clone() };
        // By bytes: 17.7 MB at 6.2 MB/s.
        let line = "copying public.task: 2 of 5 tables, 120000 rows, 12.3 of about 30.0 MB, 60000 rows/s, 2 s left";
        assert_eq!(unknown.to_string(), line);
        let done = CopyProgress {
            table: None,
            tables_done: 5,
            rows: 300_001,
            bytes: 30_050_000,
            ..progress
        };
        assert_eq!(done.to_string(), "5 of 5 tables, 300001 rows, 30.0 MB, 150000 rows/s");
        let nothing = CopyProgress::default();
        assert_eq!(nothing.to_string(), "0 of 0 tables, 0 rows, 0.0 MB, 0 rows/s");
        assert_eq!(nothing.seconds_left(), None);
    }
}

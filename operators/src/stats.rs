//! What a level has done, counted. The counts are part of `explain`; no result depends on them.

/// Counts of one level's work since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LevelStats {
    /// Partitions filled from the source.
    pub partitions_hydrated: u64,
    /// Rows read from the source to fill partitions.
    pub hydrate_rows_in: u64,
    /// Rows that entered windows while they were filled.
    pub hydrate_rows_out: u64,
    /// Nanoseconds spent filling partitions, children included.
    pub hydrate_nanos: u64,
    /// Transactions that reached the level.
    pub batches: u64,
    /// Row deltas that reached the level.
    pub deltas_in: u64,
    /// Candidates that came from gates that may have flipped.
    pub candidates: u64,
    /// Changes to windows, consolidated per transaction.
    pub changes_out: u64,
    /// Windows refilled from the source because rows had left them.
    pub refills: u64,
    /// Rows read by refills.
    pub refill_rows_in: u64,
    /// Gates of this level decided by a read, because no row of a window held the answer.
    pub probes: u64,
    /// Nanoseconds spent on transactions, children not included.
    pub maintain_nanos: u64,
}

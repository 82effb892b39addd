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
    /// Nanoseconds spent filling partitions, children included but where several results were
    /// filled together; estimated from one in sixteen.
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
    /// Nanoseconds spent on transactions, children not included; estimated from one in sixteen.
    pub maintain_nanos: u64,
}

/// One in so many is timed: reading the clock costs as much as a small window's maintenance.
const TIMED: u64 = 16;

/// A time that is measured for one occasion in [`TIMED`] and stands for the others too.
pub(crate) struct Timing(Option<u64>);

impl Timing {
    /// Begins; `before` is how many occasions there have been.
    #[inline]
    pub(crate) fn start(before: u64, clock: fn() -> u64) -> Timing {
        Timing(before.is_multiple_of(TIMED).then(clock))
    }

    /// Ends, and adds to `nanos`, which is for `before` occasions, what makes it right for one more.
    pub(crate) fn stop(self, before: u64, clock: fn() -> u64, nanos: &mut u64) {
        Timing::add(self.elapsed(clock), before, nanos);
    }

    /// Ends; the nanoseconds since the start, if this occasion is measured.
    #[inline]
    pub(crate) fn elapsed(self, clock: fn() -> u64) -> Option<u64> {
        self.0.map(|started| clock() - started)
    }

    /// Adds an occasion as [`Timing::stop`] does, with the time that it took if it was measured.
    #[inline]
    pub(crate) fn add(elapsed: Option<u64>, before: u64, nanos: &mut u64) {
        *nanos = match elapsed {
            // The mean of those timed, for all up to now.
            Some(elapsed) => {
                let timed = before / TIMED;
                let earlier = nanos.checked_div(before).map_or(0, |mean| mean * timed);
                (earlier + elapsed) / (timed + 1) * (before + 1)
            }
            None => *nanos + *nanos / before.max(1),
        };
    }
}

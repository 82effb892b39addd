//! When what is told was committed: for measuring and for logs; nothing depends on it.

use std::sync::Arc;

use penstock_postgres::Lsn;

use super::clock::monotonic_us;

/// A commit of a database that is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// When it was committed there, in microseconds since 1970, by that machine's clock.
    pub at_us: i64,
    /// Where it is in that database's log.
    pub position: Lsn,
}

/// Asks, in a callback of a commit, which commit of the followed database it is.
pub type Committing = Arc<dyn Fn() -> Option<Committed> + Send + Sync>;

/// When a commit was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// When it was known here, in microseconds since a moment of this process.
    pub known_us: u64,
    /// As the followed database has it, if one is followed.
    pub committed: Option<Committed>,
}

impl Commit {
    /// One that is known from now on.
    pub(crate) fn now(committing: Option<&Committing>) -> Commit {
        let committed = committing.and_then(|committing| committing());
        Commit { known_us: monotonic_us(), committed }
    }

    /// The one that was known first.
    pub(crate) fn first(a: Option<Commit>, b: Option<Commit>) -> Option<Commit> {
        match (a, b) {
            (Some(a), Some(b)) => Some(if b.known_us < a.known_us { b } else { a }),
            (a, b) => a.or(b),
        }
    }
}

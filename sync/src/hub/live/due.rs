//! When there is something to take live queries to.

use super::Lives;

impl Lives {
    /// Whether the next cut would be another than the last: not where all that is known to have changed
    /// changed in a commit of which callbacks are yet to come.
    pub(crate) fn can_advance(&self) -> bool {
        // A database that cannot be used says so when it is advanced.
        let delivered = || self.database.delivered_version().ok();
        self.is_dirty() && delivered().is_none_or(|at| at != self.cut)
    }
}

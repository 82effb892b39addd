//! Up to where callbacks have been told.

use super::Database;
use crate::error::Error;

impl Database {
    /// The [`version`](Database::version) up to which every callback
    /// ([`Subscription::on_change`](crate::Subscription::on_change)) has been called and has returned.
    /// It is behind while another thread is delivering a commit.
    ///
    /// For a reader that hears of commits from callbacks of many subscriptions, on other threads than
    /// its own: if it takes patches up to this version only
    /// ([`Patch::version`](crate::Patch::version)), it sees all results as they were at one commit,
    /// never one with a transaction and another without it.
    ///
    /// # Errors
    /// [`Error::Broken`].
    pub fn delivered_version(&self) -> Result<u64, Error> {
        // Notices are queued under the engine's lock, so that none is between its commit and the queue.
        let engine = self.shared.lock_engine()?;
        let first = self.shared.deliveries.first_version();
        Ok(first.map_or(engine.version(), |first| first.saturating_sub(1)))
    }
}

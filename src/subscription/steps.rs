//! Subscriptions that are filled in steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Subscription;
use crate::error::Error;
use crate::query::{Params, Query};
use crate::shared::Shared;

impl Subscription {
    pub(crate) fn in_steps(
        shared: Arc<Shared>,
        query: Query,
        params: Params,
    ) -> Result<Subscription, Error> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Subscription::made(shared, query, params, |plan| {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            plan.in_steps(number)
        })
    }

    /// Whether the result has all its rows. Only of a subscription that is filled in steps
    /// ([`Database::subscribe_in_steps`](crate::Database::subscribe_in_steps)) it may not, until
    /// [`grow`](Subscription::grow) says so.
    ///
    /// # Errors
    /// [`Error::Broken`], [`Error::SchemaChanged`].
    pub fn is_complete(&self) -> Result<bool, Error> {
        Ok(self.lock_live()?.is_complete(self.root))
    }

    /// Reads on to fill the result, for up to `rows` rows of its table, those that its condition
    /// leaves out counted. What came is the next patch, with the version of the last commit. Returns
    /// whether the result is complete; then further calls do nothing.
    ///
    /// Cost: O(`rows` and what hangs below those that came). Others wait for the database no longer
    /// than that.
    ///
    /// # Errors
    /// A failing source; the result is then as before, and can be grown later.
    /// [`Error::SchemaChanged`] where the subscription has ended.
    pub fn grow(&mut self, rows: usize) -> Result<bool, Error> {
        let shared = Arc::clone(&self.shared);
        let _deliver = shared.deliver_after();
        let (mut source, mut engine) = shared.read_results("Subscription::grow")?;
        // Following others may have ended it.
        self.feed.check()?;
        let (is_complete, notices) = engine.grow(&mut *source, self.root, rows)?;
        shared.deliveries.queue(notices);
        Ok(is_complete)
    }
}

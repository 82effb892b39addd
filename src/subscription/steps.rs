//! Subscriptions that are filled in steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Subscription;
use crate::budget::{Budget, PLACES};
use crate::engine::Engine;
use crate::error::Error;
use crate::query::{Params, Query};
use crate::shared::Shared;

impl Subscription {
    pub(crate) fn in_steps(
        shared: Arc<Shared>,
        query: Query,
        params: Params,
        budget: Budget,
    ) -> Result<Subscription, Error> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Subscription::made(shared, query, params, budget, |plan| {
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

    /// Whether a row set that was asked for is not kept any more, since it has come to stand at more places
    /// than its [`Budget`] allowed. Patches then say nothing of rows, until it is asked for again; the
    /// transaction by which that came is a patch, even if it changed nothing in the tree.
    ///
    /// # Errors
    /// [`Error::Broken`].
    pub fn has_lost_row_set(&self) -> Result<bool, Error> {
        let engine = self.shared.lock_engine()?;
        // Under the lock, as its result may end, and the number be another's then.
        Ok(self.keeps_rows() && self.feed.check().is_ok() && self.is_row_set_lost(&engine))
    }

    pub(super) fn is_row_set_lost(&self, engine: &Engine) -> bool {
        !engine.keeps_row_set(self.root, self.row_set_losses)
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
        Ok(self.grow_within(rows, Budget::default())?.0)
    }

    /// As [`grow`](Subscription::grow), as long as the step costs no more than a budget allows. Returns what
    /// is left of the budget as well.
    ///
    /// # Errors
    /// As `grow`, and [`Error::TooCostly`]: the result is then as before, but where its row set has come to
    /// stand at too many places that is not kept any more.
    pub fn grow_within(&mut self, rows: usize, budget: Budget) -> Result<(bool, Budget), Error> {
        let shared = Arc::clone(&self.shared);
        let _deliver = shared.deliver_after();
        let (mut source, mut engine) = shared.read_results("Subscription::grow")?;
        // Following others may have ended it.
        self.feed.check()?;
        let grown = engine.grow(&mut *source, self.root, rows, budget)?;
        shared.deliveries.queue(grown.notices);
        if self.keeps_rows() && self.is_row_set_lost(&engine) {
            return Err(Error::TooCostly { what: PLACES, most: budget.places });
        }
        Ok((grown.is_complete, grown.left))
    }
}

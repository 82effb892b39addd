//! Moving a subscription to another limit or start.

use std::sync::Arc;

use penstock_operators::plan::Binding;

use super::Subscription;
use crate::engine::RowSetUse;
use crate::error::Error;
use crate::feed::Pending;
use crate::notice::{Listener, Notice};
use crate::patch::Patch;
use crate::query::Query;
use crate::row_input::RowInput;

impl Subscription {
    /// Changes the limit of the live result. Rows that stay are not read again; the difference is
    /// the next patch.
    ///
    /// # Errors
    /// A failing source, or a subscription that has ended; the limit then stays.
    pub fn set_limit(&mut self, limit: Option<usize>) -> Result<(), Error> {
        let query = self.query.clone().with_limit(limit);
        self.rebind(query)
    }

    /// Changes where the live result starts: after the given position, or at the beginning. The
    /// difference is the next patch.
    ///
    /// # Errors
    /// A column that the table does not have, a value of the wrong type, a failing source,
    /// or a subscription that has ended; the start then stays.
    pub fn set_start(&mut self, after: Option<RowInput>) -> Result<(), Error> {
        let query = self.query.clone().with_start(after);
        self.rebind(query)
    }

    fn rebind(&mut self, query: Query) -> Result<(), Error> {
        self.feed.check()?;
        let target = query.compile(&self.context.schema, &self.params)?;
        // The same constants with another extent at the top.
        let binding =
            Binding { extent: target.plan.binding.extent.clone(), ..(*self.binding).clone() };
        if binding == *self.binding {
            self.query = query;
            return Ok(());
        }
        let keeps_rows = self.keeps_rows();
        let shared = Arc::clone(&self.shared);
        let _deliver = shared.deliver_after();
        let (mut source, mut engine) = shared.read_results("Subscription::set_limit")?;
        // Following others may have ended it.
        self.feed.check()?;
        let binding = Arc::new(binding);
        let schema = &self.context.schema;
        let is_lost = keeps_rows && self.is_row_set_lost(&engine);
        let rows = match (keeps_rows, is_lost) {
            (false, _) => RowSetUse::None,
            (true, true) => RowSetUse::Lost,
            (true, false) => RowSetUse::Kept,
        };
        let (root, feed, committed) =
            engine.rebind(&mut *source, self.root, &binding, schema, rows)?;
        let losses = engine.row_set_losses(root);
        // What was lost is not there again by moving.
        self.row_set_losses = if is_lost { losses.wrapping_sub(1) } else { losses };
        // Under the lock, so that nothing committed from now on is taken from the old feed, and
        // callbacks are told of this between what was committed before and after.
        let (left, before) = (std::mem::replace(&mut self.feed, feed), Arc::clone(&self.position));
        self.position = self.feed.position();
        match left.take(&before) {
            Pending::Patches(pending) => {
                self.queue(&pending, keeps_rows);
                self.queue(std::slice::from_ref(&committed), keeps_rows);
                let bytes = self.earlier.iter().map(Patch::bytes).sum();
                let limits = engine.limits();
                if bytes > limits.bytes || self.earlier.len() as u64 > limits.patches {
                    self.lose();
                } else {
                    self.position.set_earlier(bytes);
                }
            }
            Pending::Lost => self.lose(),
        }
        let mut listeners: Vec<Arc<Listener>> =
            self.listeners.drain(..).filter_map(|number| left.unlisten(number)).collect();
        for listener in &listeners {
            self.listeners.push(self.feed.listen(Arc::clone(listener)));
        }
        // A task that waits for patches would not hear of those of the new feed.
        let wakers: Vec<_> = left.take_waker(&before).into_iter().collect();
        if committed.is_empty() {
            listeners.clear();
        }
        if !(listeners.is_empty() && wakers.is_empty()) {
            shared.deliveries.queue([Notice::new(committed, listeners.into_iter(), wakers)]);
        }
        (self.root, self.binding, self.query) = (root, binding, query);
        self.count();
        Ok(())
    }

    /// Lets go of all patches: the next one is the whole tree.
    fn lose(&mut self) {
        self.earlier.clear();
        self.position.set_earlier(0);
        self.feed.lose(&self.position);
    }
}

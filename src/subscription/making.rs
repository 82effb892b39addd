//! Making subscriptions.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use penstock_operators::graph::RootId;
use penstock_operators::plan::{Binding, Plan};

use super::Subscription;
use crate::budget::Budget;
use crate::error::Error;
use crate::feed::{Feed, Position};
use crate::patch::PatchContext;
use crate::query::{CompiledQuery, Params, Query};
use crate::shared::Shared;

/// A subscribed result, before anybody has it.
pub(super) struct Made {
    pub(super) root: RootId,
    pub(super) feed: Arc<Feed>,
    /// The constants of the query, shared with the result.
    pub(super) binding: Arc<Binding>,
    pub(super) position: Arc<Position>,
}

impl Subscription {
    pub(crate) fn new(
        shared: Arc<Shared>,
        query: Query,
        params: Params,
    ) -> Result<Subscription, Error> {
        Subscription::within(shared, query, params, Budget::default())
    }

    pub(crate) fn within(
        shared: Arc<Shared>,
        query: Query,
        params: Params,
        budget: Budget,
    ) -> Result<Subscription, Error> {
        Subscription::made(shared, query, params, budget, |plan| plan)
    }

    /// A subscription to a query whose plan is prepared before it is filled.
    pub(super) fn made(
        shared: Arc<Shared>,
        mut query: Query,
        params: Params,
        budget: Budget,
        prepare: impl FnOnce(Plan) -> Plan,
    ) -> Result<Subscription, Error> {
        query.shrink();
        let locks = Arc::clone(&shared);
        let _deliver = locks.deliver_after();
        let (mut source, mut engine) = locks.read_results("Database::subscribe")?;
        let mut compiled = query.compile(source.schema(), &params)?;
        compiled.plan = prepare(compiled.plan);
        let (root, feed, binding) = engine.subscribe(&mut *source, &compiled, budget)?;
        let position = feed.position();
        drop((engine, source));
        Ok(Subscription::of(
            shared,
            query,
            params,
            compiled,
            Made { root, feed, binding, position },
        ))
    }

    /// A subscription to a result that has been made.
    pub(super) fn of(
        shared: Arc<Shared>,
        query: Query,
        params: Params,
        compiled: CompiledQuery,
        made: Made,
    ) -> Subscription {
        let CompiledQuery { schema, view, .. } = compiled;
        let Made { root, feed, binding, position } = made;
        let context = Arc::new(PatchContext { schema, view });
        let mut subscription = Subscription {
            shared,
            bytes: 0,
            query,
            context,
            params,
            binding,
            root,
            feed,
            position,
            earlier: VecDeque::new(),
            listeners: Vec::new(),
            keeps_rows: Arc::default(),
            row_set_losses: 0,
        };
        subscription.count();
        subscription
    }

    /// Counts what it holds now.
    pub(super) fn count(&mut self) {
        let counts = 2 * size_of::<usize>();
        let now = size_of::<Subscription>()
            + self.query.heap_bytes()
            + self.params.heap_bytes()
            + counts
            + size_of::<PatchContext>()
            + self.context.view.shared_bytes()
            + counts
            + size_of::<Position>()
            + counts
            + size_of::<AtomicBool>().next_multiple_of(size_of::<usize>())
            + self.listeners.capacity() * size_of::<u64>();
        self.shared.count_subscription(std::mem::replace(&mut self.bytes, now), now);
    }
}

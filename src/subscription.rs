//! Subscriptions: a live result and the changes to it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use penstock_operators::explain::LevelReport;
use penstock_operators::graph::RootId;
use penstock_operators::plan::Binding;
use smallvec::SmallVec;

use crate::budget::Budget;
use crate::error::Error;
use crate::explain::Explain;
use crate::feed::{Committed, Feed, Pending, Position};
use crate::notice::Listener;
use crate::patch::{Changes, Patch, PatchContext};
use crate::query::{Params, Query};
use crate::shared::{EngineGuard, Shared};
use crate::tree::{RowView, Tree};

mod making;
mod rebind;
mod steps;
mod together;

/// A live result. Dropping it unsubscribes.
///
/// [`rows`](Subscription::rows) is the result after the last commit. [`changes`](Subscription::changes)
/// are the patches since the subscription was made, or since they were last taken: applied to the
/// tree of that moment they give the current one, with nothing missed and nothing twice.
///
/// Patches are kept until they are taken. Where more are left than the database allows
/// ([`MAX_PENDING_PATCHES`](crate::MAX_PENDING_PATCHES),
/// [`MAX_PENDING_BYTES`](crate::MAX_PENDING_BYTES)), they are not: then the next patch holds the
/// whole current tree ([`Patch::reset_tree`]).
///
/// Where others change the schema so that the query cannot go on (a table or column that it had is
/// gone, has moved or has another type), the subscription *ends*: [`status`](Subscription::status)
/// says why ([`Error::SchemaChanged`]), its last result and patches can still be read, and nothing
/// more comes. Further tables and columns end nothing.
pub struct Subscription {
    shared: Arc<Shared>,
    /// As counted in the shared state.
    bytes: usize,
    query: Query,
    params: Params,
    /// The constants of the query, shared with the result.
    binding: Arc<Binding>,
    /// What patches need to show names; shared with them.
    context: Arc<PatchContext>,
    root: RootId,
    pub(crate) feed: Arc<Feed>,
    position: Arc<Position>,
    /// Patches taken from feeds that this subscription has left, and others not handed out yet.
    earlier: VecDeque<Patch>,
    /// By their numbers in the feed.
    listeners: Vec<u64>,
    /// Shared with the callbacks.
    keeps_rows: Arc<AtomicBool>,
    /// How often its row set had been lost when it was asked for.
    row_set_losses: u32,
}

impl Subscription {
    /// The result after the last commit; of a subscription that has ended, its last. Cost:
    /// O(result) once per change, O(1) otherwise.
    ///
    /// # Panics
    /// After an earlier panic of the library left the database in an unknown state;
    /// [`try_rows`](Subscription::try_rows) has an error for that.
    pub fn rows(&self) -> Tree {
        match (self.try_rows(), self.feed.ended()) {
            (Ok(tree), _) => tree,
            (Err(Error::SchemaChanged { .. }), Some(ended)) => self.tree(Arc::clone(&ended.nodes)),
            (Err(error), _) => panic!("{error}"),
        }
    }

    /// The result after the last commit.
    ///
    /// # Errors
    /// [`Error::Broken`], [`Error::SchemaChanged`].
    pub fn try_rows(&self) -> Result<Tree, Error> {
        let nodes = self.lock_live()?.snapshot(self.root);
        Ok(self.tree(nodes))
    }

    /// The engine, unless the result has ended: its number may then be another's.
    fn lock_live(&self) -> Result<EngineGuard<'_>, Error> {
        let engine = self.shared.lock_engine()?;
        self.feed.check()?;
        Ok(engine)
    }

    fn tree(&self, nodes: Arc<[penstock_operators::view::Node]>) -> Tree {
        Tree::new(self.context.schema.clone(), Arc::clone(&self.context.view), nodes)
    }

    /// The result after the last commit, with the position of [`changes`](Subscription::changes)
    /// moved to it: what to start a copy from that is kept up to date with patches.
    ///
    /// # Errors
    /// [`Error::Broken`], [`Error::SchemaChanged`].
    pub fn resync(&mut self) -> Result<Tree, Error> {
        let shared = Arc::clone(&self.shared);
        let mut engine = shared.lock_engine()?;
        self.feed.check()?;
        self.feed.skip(&self.position);
        self.earlier.clear();
        self.position.set_earlier(0);
        let nodes = engine.snapshot(self.root);
        drop(engine);
        Ok(self.tree(nodes))
    }

    fn keeps_rows(&self) -> bool {
        self.keeps_rows.load(Ordering::Acquire)
    }

    /// The patches since they were last taken, one per transaction that changed the result.
    pub fn changes(&mut self) -> Changes {
        let mut patches: SmallVec<[Patch; 1]> = SmallVec::new();
        if !self.earlier.is_empty() {
            patches.extend(self.earlier.drain(..));
            self.position.set_earlier(0);
        }
        let keeps_rows = self.keeps_rows();
        match self.feed.take(&self.position) {
            Pending::Patches(pending) => {
                for committed in pending {
                    if let Some(patch) = self.patch(committed, keeps_rows) {
                        patches.push(patch);
                    }
                }
            }
            Pending::Lost => {
                // The whole tree stands for everything that was missed, what is queued included.
                let tree = match (self.resync(), self.feed.ended()) {
                    (Ok(tree), _) => Some(tree),
                    (Err(_), Some(ended)) => {
                        self.feed.skip(&self.position);
                        Some(self.tree(Arc::clone(&ended.nodes)))
                    }
                    (Err(_), None) => None,
                };
                if let Some(tree) = tree {
                    patches = SmallVec::from_iter([Patch::reset(tree)]);
                }
            }
        }
        Changes::new(patches)
    }

    /// Keeps patches for the next [`changes`](Subscription::changes).
    fn queue(&mut self, pending: &[Arc<Committed>], keeps_rows: bool) {
        for committed in pending.iter().filter(|committed| !committed.is_empty()).cloned() {
            let patch = self.patch(committed, keeps_rows);
            self.earlier.extend(patch);
        }
    }

    /// What this subscriber is told of a commit: no row set unless it keeps one, and nothing where
    /// nothing is left.
    fn patch(&self, committed: Arc<Committed>, keeps_rows: bool) -> Option<Patch> {
        let committed = committed.for_subscriber(keeps_rows)?;
        Some(Patch::new(Arc::clone(&self.context), committed))
    }

    /// The next patch that has not been taken.
    #[cfg(feature = "stream")]
    pub(crate) fn next_change(&mut self) -> Option<Patch> {
        if self.earlier.is_empty() {
            let patches = self.changes();
            self.earlier.extend(patches);
        }
        self.earlier.pop_front()
    }

    /// Whether nothing comes any more.
    #[cfg(feature = "stream")]
    pub(crate) fn has_ended(&self) -> bool {
        self.feed.ended().is_some()
    }

    /// Wakes a task at the next patch; of several only the last.
    #[cfg(feature = "stream")]
    pub(crate) fn wake(&self, waker: &std::task::Waker) {
        self.feed.wake(&self.position, waker);
    }

    /// Whether there are patches that have not been taken.
    pub fn has_changes(&self) -> bool {
        !self.earlier.is_empty() || self.feed.is_behind(&self.position, self.keeps_rows())
    }

    /// Blocks until there are changes to take, or the time is over. Returns whether there are.
    ///
    /// They may be those of a transaction whose callbacks are still being called. Inside a
    /// transaction of this thread nothing comes, so there it only waits for the time to be over.
    /// Where the subscription has ended it does not wait.
    pub fn wait(&self, timeout: Duration) -> bool {
        self.has_changes() || self.feed.wait(&self.position, self.keeps_rows(), timeout)
    }

    /// Calls back with every patch of the commits from now on, each once and in their order, and
    /// with the difference that [`set_limit`](Subscription::set_limit) and
    /// [`set_start`](Subscription::set_start) make. It stays until the subscription is dropped,
    /// after which no call begins.
    ///
    /// It is called outside of all locks, by the thread that commits and before its call returns;
    /// or where several commit at once or a callback does, by the one of them that is delivering
    /// already. So it may use the database and the subscription; what it commits, or changes of
    /// the limit, is delivered once it has returned. If it panics, the other callbacks are called
    /// all the same, and then the panic goes on in the call that delivers.
    ///
    /// A copy of the result that the callback keeps up to date starts from
    /// [`rows`](Subscription::rows) as they are at this call: while nobody else writes.
    ///
    /// Patches are kept for [`changes`](Subscription::changes) all the same, so that the callback
    /// may serve as a mere signal.
    pub fn on_change(&mut self, mut callback: impl FnMut(&Patch) + Send + 'static) {
        let context = Arc::clone(&self.context);
        let callback = move |committed| callback(&Patch::new(Arc::clone(&context), committed));
        let listener = Listener::new(Arc::clone(&self.keeps_rows), Box::new(callback));
        // Under the lock, so that it is told of exactly the commits that are still to come.
        let engine = self.shared.lock_any_engine();
        self.listeners.push(self.feed.listen(Arc::new(listener)));
        drop(engine);
    }

    /// Whether the result is as the query declares it: an error where a relationship declared to
    /// lead to one row leads to two; the subscription then goes on, and recovers with the data. Or
    /// where the subscription has ended.
    ///
    /// # Errors
    /// [`Error::NotSingular`] for the first such relationship, [`Error::SchemaChanged`].
    pub fn status(&self) -> Result<(), Error> {
        let violations = {
            let engine = self.lock_live()?;
            engine.graph().violations(self.root)
        };
        let Some(violation) = violations.first() else { return Ok(()) };
        let mut format = &self.context.view;
        let mut names = Vec::new();
        for &position in &violation.path {
            let relationship = &format.relationships[position];
            names.push(relationship.name.as_str());
            format = &relationship.format;
        }
        let table = self.context.schema.table(format.table);
        Err(Error::NotSingular {
            path: names.join("."),
            table: table.name().to_owned(),
            first: table.describe_key(&violation.rows[0]),
            second: table.describe_key(&violation.rows[1]),
        })
    }

    /// Starts (or goes on) to keep the row set of the result, and returns it: every base row that
    /// the result is made of, each once, by table and primary key. From then on patches carry its
    /// changes; see [`Patch::rows`].
    ///
    /// The row set holds the rows of the tree, the hidden rows of junctions, and for each EXISTS
    /// that holds one witness, the first matching row by primary key.
    ///
    /// After a patch that holds a whole tree ([`Patch::reset_tree`]), which says nothing of the row
    /// set, call this again.
    ///
    /// # Errors
    /// [`Error::Broken`], [`Error::SchemaChanged`].
    pub fn row_set(&mut self) -> Result<Vec<RowView>, Error> {
        self.row_set_within(Budget::default())
    }

    /// As [`row_set`](Subscription::row_set), unless it has more rows, or its rows more places, than a
    /// budget allows.
    ///
    /// # Errors
    /// As `row_set`, and [`Error::TooCostly`]; then it is not kept.
    pub fn row_set_within(&mut self, budget: Budget) -> Result<Vec<RowView>, Error> {
        let shared = Arc::clone(&self.shared);
        let mut engine = shared.lock_engine()?;
        self.feed.check()?;
        let rows = engine.keep_row_set_within(&self.context.schema, self.root, budget)?;
        // What has not been taken yet is in the row set already, so only its trees are left.
        if self.keeps_rows.swap(false, Ordering::AcqRel) {
            engine.drop_row_set(self.root);
        }
        match self.feed.take(&self.position) {
            Pending::Patches(pending) => {
                let earlier = std::mem::take(&mut self.earlier);
                self.earlier.extend(earlier.into_iter().filter_map(Patch::without_rows));
                self.queue(&pending, false);
            }
            Pending::Lost => self.feed.lose(&self.position),
        }
        self.keeps_rows.store(true, Ordering::Release);
        self.row_set_losses = engine.row_set_losses(self.root);
        drop(engine);
        let view = |((table, _), row)| RowView::new(self.context.schema.clone(), table, row);
        Ok(rows.puts.into_iter().map(view).collect())
    }

    /// What the query is made of, and what each part has done so far.
    ///
    /// # Panics
    /// As [`rows`](Subscription::rows); [`try_explain`](Subscription::try_explain) has an error.
    pub fn explain(&self) -> Explain {
        match (self.try_explain(), self.feed.ended()) {
            (Ok(explain), _) => explain,
            (Err(Error::SchemaChanged { .. }), Some(ended)) => {
                self.explain_report(ended.report.clone())
            }
            (Err(error), _) => panic!("{error}"),
        }
    }

    /// What the query is made of, and what each part has done so far. Cost: O(levels).
    ///
    /// # Errors
    /// [`Error::Broken`], [`Error::SchemaChanged`].
    pub fn try_explain(&self) -> Result<Explain, Error> {
        let report = self.lock_live()?.graph().explain(self.root);
        Ok(self.explain_report(report))
    }

    fn explain_report(&self, report: LevelReport) -> Explain {
        let binding = Arc::clone(&self.binding);
        let (schema, view) = (self.context.schema.clone(), Arc::clone(&self.context.view));
        Explain::new(schema, view, binding, report)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.shared.count_subscription(self.bytes, 0);
        for number in self.listeners.drain(..) {
            // Retired too, because a notice under way may still hold it.
            if let Some(listener) = self.feed.unlisten(number) {
                listener.retire();
            }
        }
        drop(self.feed.take_waker(&self.position));
        self.shared.release(self.root, &self.feed, self.keeps_rows());
    }
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription").field("query", &self.query).finish_non_exhaustive()
    }
}

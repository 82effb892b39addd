//! Subscriptions: a live result and the changes to it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use penstock_operators::graph::RootId;
use smallvec::SmallVec;

use crate::engine::with_extent;
use crate::error::Error;
use crate::explain::Explain;
use crate::feed::{Committed, Feed, Pending, Position};
use crate::notice::{Listener, Notice};
use crate::patch::{Changes, Patch, PatchContext};
use crate::query::{CompiledQuery, Params, Query};
use crate::row_input::RowInput;
use crate::shared::Shared;
use crate::tree::{RowView, Tree};

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
pub struct Subscription {
    shared: Arc<Shared>,
    query: Query,
    params: Params,
    compiled: CompiledQuery,
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
}

impl Subscription {
    pub(crate) fn new(
        shared: Arc<Shared>,
        query: Query,
        params: Params,
        compiled: CompiledQuery,
    ) -> Result<Subscription, Error> {
        let (root, feed, position) = {
            let (mut source, mut engine) = shared.lock("Database::subscribe")?;
            let (root, feed) = engine.subscribe(&mut **source, &compiled.plan)?;
            let position = feed.position();
            (root, feed, position)
        };
        let context = Arc::new(PatchContext {
            schema: shared.schema.clone(),
            view: Arc::clone(&compiled.view),
        });
        Ok(Subscription {
            shared,
            query,
            context,
            params,
            compiled,
            root,
            feed,
            position,
            earlier: VecDeque::new(),
            listeners: Vec::new(),
            keeps_rows: Arc::default(),
        })
    }

    /// The result after the last commit. Cost: O(result) once per change, O(1) otherwise.
    ///
    /// # Panics
    /// After an earlier panic of the library left the database in an unknown state;
    /// [`try_rows`](Subscription::try_rows) has an error for that.
    pub fn rows(&self) -> Tree {
        match self.try_rows() {
            Ok(tree) => tree,
            Err(error) => panic!("{error}"),
        }
    }

    /// The result after the last commit.
    ///
    /// # Errors
    /// [`Error::Broken`].
    pub fn try_rows(&self) -> Result<Tree, Error> {
        let nodes = self.shared.lock_engine()?.snapshot(self.root);
        Ok(self.tree(nodes))
    }

    fn tree(&self, nodes: Arc<[penstock_operators::view::Node]>) -> Tree {
        Tree::new(self.shared.schema.clone(), Arc::clone(&self.compiled.view), nodes)
    }

    /// The result after the last commit, with the position of [`changes`](Subscription::changes)
    /// moved to it: what to start a copy from that is kept up to date with patches.
    ///
    /// # Errors
    /// [`Error::Broken`].
    pub fn resync(&mut self) -> Result<Tree, Error> {
        let mut engine = self.shared.lock_engine()?;
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
        let mut patches: SmallVec<[Patch; 1]> = self.earlier.drain(..).collect();
        self.position.set_earlier(0);
        let keeps_rows = self.keeps_rows();
        match self.feed.take(&self.position) {
            Pending::Patches(pending) => {
                patches.extend(
                    pending.into_iter().filter_map(|committed| self.patch(&committed, keeps_rows)),
                );
            }
            Pending::Lost => {
                // The whole tree stands for everything that was missed, what is queued included.
                if let Ok(tree) = self.resync() {
                    patches = SmallVec::from_iter([Patch::reset(tree)]);
                }
            }
        }
        Changes::new(patches)
    }

    /// Keeps patches for the next [`changes`](Subscription::changes).
    fn queue(&mut self, pending: &[Arc<Committed>], keeps_rows: bool) {
        for committed in pending.iter().filter(|committed| !committed.is_empty()) {
            let patch = self.patch(committed, keeps_rows);
            self.earlier.extend(patch);
        }
    }

    /// What this subscriber is told of a commit: no row set unless it keeps one, and nothing where
    /// nothing is left.
    fn patch(&self, committed: &Arc<Committed>, keeps_rows: bool) -> Option<Patch> {
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
    /// lead to one row leads to two. The subscription goes on, and recovers with the data.
    ///
    /// # Errors
    /// [`Error::NotSingular`] for the first such relationship.
    pub fn status(&self) -> Result<(), Error> {
        let violations = {
            let engine = self.shared.lock_engine()?;
            engine.graph().violations(self.root)
        };
        let Some(violation) = violations.first() else { return Ok(()) };
        let mut format = &self.compiled.view;
        let mut names = Vec::new();
        for &position in &violation.path {
            let relationship = &format.relationships[position];
            names.push(relationship.name.as_str());
            format = &relationship.format;
        }
        let table = self.shared.schema.table(format.table);
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
    /// [`Error::Broken`].
    pub fn row_set(&mut self) -> Result<Vec<RowView>, Error> {
        let shared = Arc::clone(&self.shared);
        let mut engine = shared.lock_engine()?;
        let rows = engine.keep_row_set(&self.shared.schema, self.root);
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
        drop(engine);
        let view = |((table, _), row)| RowView::new(self.shared.schema.clone(), table, row);
        Ok(rows.puts.into_iter().map(view).collect())
    }

    /// Changes the limit of the live result. Rows that stay are not read again; the difference is
    /// the next patch.
    ///
    /// # Errors
    /// A failing source; the limit then stays.
    pub fn set_limit(&mut self, limit: Option<usize>) -> Result<(), Error> {
        let query = self.query.clone().with_limit(limit);
        self.rebind(query)
    }

    /// Changes where the live result starts: after the given position, or at the beginning. The
    /// difference is the next patch.
    ///
    /// # Errors
    /// A column that the table does not have, a value of the wrong type, or a failing source; the
    /// start then stays.
    pub fn set_start(&mut self, after: Option<RowInput>) -> Result<(), Error> {
        let query = self.query.clone().with_start(after);
        self.rebind(query)
    }

    fn rebind(&mut self, query: Query) -> Result<(), Error> {
        let target = query.compile(&self.shared.schema, &self.params)?;
        let plan = with_extent(&self.compiled.plan, |binding| {
            binding.extent = target.plan.binding.extent.clone();
        });
        if plan.binding == self.compiled.plan.binding {
            self.query = query;
            return Ok(());
        }
        let keeps_rows = self.keeps_rows();
        let shared = Arc::clone(&self.shared);
        let (mut source, mut engine) = shared.lock("Subscription::set_limit")?;
        let (root, feed, committed) = engine.rebind(&mut **source, self.root, &plan, keeps_rows)?;
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
        (self.root, self.compiled.plan, self.query) = (root, plan, query);
        drop((engine, source));
        shared.deliveries.deliver();
        Ok(())
    }

    /// Lets go of all patches: the next one is the whole tree.
    fn lose(&mut self) {
        self.earlier.clear();
        self.position.set_earlier(0);
        self.feed.lose(&self.position);
    }

    /// What the query is made of, and what each part has done so far.
    ///
    /// # Panics
    /// As [`rows`](Subscription::rows); [`try_explain`](Subscription::try_explain) has an error.
    pub fn explain(&self) -> Explain {
        match self.try_explain() {
            Ok(explain) => explain,
            Err(error) => panic!("{error}"),
        }
    }

    /// What the query is made of, and what each part has done so far. Cost: O(levels).
    ///
    /// # Errors
    /// [`Error::Broken`].
    pub fn try_explain(&self) -> Result<Explain, Error> {
        let report = self.shared.lock_engine()?.graph().explain(self.root);
        let binding = Arc::clone(&self.compiled.plan.binding);
        let (schema, view) = (self.shared.schema.clone(), Arc::clone(&self.compiled.view));
        Ok(Explain::new(schema, view, binding, report))
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        for number in self.listeners.drain(..) {
            // Retired too, because a notice under way may still hold it.
            if let Some(listener) = self.feed.unlisten(number) {
                listener.retire();
            }
        }
        drop(self.feed.take_waker(&self.position));
        self.shared.release(self.root, self.keeps_rows());
    }
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription").field("query", &self.query).finish_non_exhaustive()
    }
}

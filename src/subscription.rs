//! Subscriptions: a live result and the changes to it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use penstock_operators::graph::RootId;

use crate::database::Shared;
use crate::engine::with_extent;
use crate::error::Error;
use crate::explain::Explain;
use crate::feed::{Committed, Feed, Pending, Position};
use crate::patch::Patch;
use crate::query::{CompiledQuery, Params, Query};
use crate::row_input::RowInput;
use crate::tree::{RowView, Tree};

/// A live result. Dropping it unsubscribes.
///
/// [`rows`](Subscription::rows) is the result after the last commit. [`changes`](Subscription::changes)
/// are the patches since the subscription was made, or since they were last taken: applied to the
/// tree of that moment they give the current one, with nothing missed and nothing twice.
pub struct Subscription {
    shared: Arc<Shared>,
    query: Query,
    params: Params,
    compiled: CompiledQuery,
    root: RootId,
    feed: Arc<Feed>,
    position: Arc<Position>,
    /// Patches taken from feeds that this subscription has left.
    earlier: VecDeque<Patch>,
    listeners: Vec<(Arc<Feed>, u64)>,
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
            let mut engine = shared.lock("Database::subscribe")?;
            let (root, feed) = engine.subscribe(&compiled.plan)?;
            let position = feed.position();
            (root, feed, position)
        };
        Ok(Subscription {
            shared,
            query,
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
    /// Inside a transaction of the same database, or after an earlier panic of the library; use
    /// [`try_rows`](Subscription::try_rows) where that can happen.
    pub fn rows(&self) -> Tree {
        match self.try_rows() {
            Ok(tree) => tree,
            Err(error) => panic!("{error}"),
        }
    }

    /// The result after the last commit.
    ///
    /// # Errors
    /// A call from inside a transaction of the same database.
    pub fn try_rows(&self) -> Result<Tree, Error> {
        let nodes = self.shared.lock("Subscription::rows")?.snapshot(self.root);
        Ok(self.tree(nodes))
    }

    fn tree(&self, nodes: Arc<[penstock_operators::view::Node]>) -> Tree {
        Tree::new(self.shared.schema.clone(), Arc::clone(&self.compiled.view), nodes)
    }

    /// The result after the last commit, with the position of [`changes`](Subscription::changes)
    /// moved to it: what to start a copy from that is kept up to date with patches.
    ///
    /// # Errors
    /// A call from inside a transaction of the same database.
    pub fn resync(&mut self) -> Result<Tree, Error> {
        let mut engine = self.shared.lock("Subscription::resync")?;
        self.feed.skip(&self.position);
        self.earlier.clear();
        let nodes = engine.snapshot(self.root);
        drop(engine);
        Ok(self.tree(nodes))
    }

    /// The patches since they were last taken, one per transaction that changed the result.
    pub fn changes(&mut self) -> std::vec::IntoIter<Patch> {
        let mut patches: Vec<Patch> = self.earlier.drain(..).collect();
        match self.position.take() {
            Pending::Patches(pending) => patches.extend(self.patches(pending)),
            Pending::Lost => {
                // The whole tree stands for everything that was missed, what is queued included.
                if let Ok(tree) = self.resync() {
                    patches = vec![Patch::reset(tree)];
                }
            }
        }
        patches.into_iter()
    }

    /// What this subscriber is told of commits: no row set unless it keeps one, and nothing where
    /// nothing is left.
    fn patches(&self, committed: Vec<Arc<Committed>>) -> impl Iterator<Item = Patch> {
        let keeps_rows = self.keeps_rows.load(Ordering::Acquire);
        committed.into_iter().filter_map(move |committed| {
            let committed = committed.for_subscriber(keeps_rows)?;
            Some(self.patch(committed))
        })
    }

    fn patch(&self, committed: Arc<Committed>) -> Patch {
        Patch::new(self.shared.schema.clone(), Arc::clone(&self.compiled.view), committed)
    }

    /// The next patch that has not been taken.
    #[cfg(feature = "stream")]
    pub(crate) fn next_change(&mut self) -> Option<Patch> {
        if self.earlier.is_empty() {
            let patches: Vec<Patch> = self.changes().collect();
            self.earlier.extend(patches);
        }
        self.earlier.pop_front()
    }

    /// Wakes a task at the next patch.
    #[cfg(feature = "stream")]
    pub(crate) fn wake(&self, waker: &std::task::Waker) {
        self.feed.wake(waker);
    }

    /// Whether there are patches that have not been taken.
    pub fn has_changes(&self) -> bool {
        !self.earlier.is_empty() || self.position.is_behind(self.keeps_rows.load(Ordering::Acquire))
    }

    /// Blocks until there are changes, or the time is over. Returns whether there are changes.
    pub fn wait(&self, timeout: Duration) -> bool {
        let keeps_rows = self.keeps_rows.load(Ordering::Acquire);
        self.has_changes() || self.feed.wait(&self.position, keeps_rows, timeout)
    }

    /// Calls back with every patch from now on, on the thread that commits, after the commit. The
    /// callback may use the database. It stays until the subscription is dropped.
    pub fn on_change(&mut self, mut callback: impl FnMut(&Patch) + Send + 'static) {
        let schema = self.shared.schema.clone();
        let view = Arc::clone(&self.compiled.view);
        let keeps_rows = Arc::clone(&self.keeps_rows);
        let listener = move |committed: &Arc<Committed>| {
            let keeps_rows = keeps_rows.load(Ordering::Acquire);
            if let Some(committed) = committed.for_subscriber(keeps_rows) {
                callback(&Patch::new(schema.clone(), Arc::clone(&view), committed));
            }
        };
        let number = self.feed.listen(Arc::new(Mutex::new(listener)));
        self.listeners.push((Arc::clone(&self.feed), number));
    }

    /// Whether the result is as the query declares it: an error where a relationship declared to
    /// lead to one row leads to two. The subscription goes on, and recovers with the data.
    ///
    /// # Errors
    /// [`Error::NotSingular`] for the first such relationship.
    pub fn status(&self) -> Result<(), Error> {
        let violations = {
            let engine = self.shared.lock("Subscription::status")?;
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
    /// # Errors
    /// A call from inside a transaction of the same database.
    pub fn row_set(&mut self) -> Result<Vec<RowView>, Error> {
        let shared = Arc::clone(&self.shared);
        let mut engine = shared.lock("Subscription::row_set")?;
        let rows = engine.keep_row_set(self.root);
        // What has not been taken yet is in the row set already, so only its trees are left.
        if self.keeps_rows.swap(false, Ordering::AcqRel) {
            engine.drop_row_set(self.root);
        }
        match self.position.take() {
            Pending::Patches(pending) => {
                let patches: Vec<Patch> = self.patches(pending).collect();
                let earlier = self.earlier.drain(..).filter_map(Patch::without_rows);
                self.earlier = earlier.chain(patches).collect();
            }
            Pending::Lost => self.position.lose(),
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
        let keeps_rows = self.keeps_rows.load(Ordering::Acquire);
        let mut engine = self.shared.lock("Subscription::set_limit")?;
        let (root, feed, committed) = engine.rebind(self.root, &plan, keeps_rows)?;
        let position = feed.position();
        drop(engine);
        let earlier: Vec<Patch> = self.changes().collect();
        self.earlier.extend(earlier);
        let listeners = std::mem::take(&mut self.listeners);
        for (number, listener) in listeners.into_iter().filter_map(|(left, number)| {
            let listener = left.unlisten(number)?;
            Some((feed.listen(Arc::clone(&listener)), listener))
        }) {
            self.listeners.push((Arc::clone(&feed), number));
            if !committed.is_empty() {
                crate::feed::tell(&listener, &committed);
            }
        }
        if !committed.is_empty() {
            let patch = self.patch(committed);
            self.earlier.push_back(patch);
        }
        (self.root, self.feed, self.position) = (root, feed, position);
        self.compiled.plan = plan;
        self.query = query;
        Ok(())
    }

    /// What the query is made of, and what each part has done so far.
    pub fn explain(&self) -> Explain {
        let report = match self.shared.lock("Subscription::explain") {
            Ok(engine) => engine.graph().explain(self.root),
            Err(error) => panic!("{error}"),
        };
        let binding = Arc::clone(&self.compiled.plan.binding);
        Explain::new(self.shared.schema.clone(), Arc::clone(&self.compiled.view), binding, report)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        for (feed, number) in self.listeners.drain(..) {
            drop(feed.unlisten(number));
        }
        self.shared.release(self.root, self.keeps_rows.load(Ordering::Acquire));
    }
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription").field("query", &self.query).finish_non_exhaustive()
    }
}

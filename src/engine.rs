//! The engine: one source, one graph, and the feeds of the subscribed results.
//!
//! Everything here happens under the database's lock, in the order of the calls.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use penstock_operators::delta::Batch;
use penstock_operators::graph::{Graph, RootId};
use penstock_operators::plan::{Binding, Plan};
use penstock_operators::row::Row;
use penstock_operators::row_set::{RowIdentity, RowSetPatch};
use penstock_operators::source::{ApplyError, Source};
use penstock_operators::view::Node;

use crate::error::Error;
use crate::feed::{Committed, Feed};

/// Subscribed results by root, with a fixed hasher.
type Feeds = HashMap<RootId, Subscribed, ahash::RandomState>;

/// One subscribed result.
struct Subscribed {
    feed: Arc<Feed>,
    plan: Plan,
    table: String,
    subscribers: usize,
    snapshot: Option<Arc<[Node]>>,
}

/// The state behind a database handle.
pub(crate) struct Engine {
    pub(crate) source: Box<dyn Source>,
    graph: Graph,
    version: u64,
    feeds: Feeds,
    verify: bool,
    max_pending: u64,
    /// Set while state is being changed, so that a panic in between is noticed.
    changing: bool,
}

/// A feed with what was committed to it, to be told once the lock is released.
pub(crate) type Notice = (Arc<Feed>, Arc<Committed>);

impl Engine {
    pub(crate) fn new(source: Box<dyn Source>, verify: bool, max_pending: u64) -> Engine {
        Engine {
            source,
            graph: Graph::new(nanoseconds),
            version: 0,
            feeds: Feeds::with_hasher(ahash::RandomState::with_seeds(5, 7, 11, 13)),
            verify,
            max_pending,
            changing: false,
        }
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.changing
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Subscribes to a plan and joins its feed.
    pub(crate) fn subscribe(&mut self, plan: &Plan) -> Result<(RootId, Arc<Feed>), Error> {
        self.changing = true;
        let root = self.graph.subscribe(&mut *self.source, plan);
        self.changing = false;
        let root = root?;
        Ok((root, self.join(root, plan)))
    }

    /// Moves one subscriber to another binding of its template. Where it keeps a row set, it keeps
    /// that of the new result from now on.
    pub(crate) fn rebind(
        &mut self,
        root: RootId,
        plan: &Plan,
        keeps_rows: bool,
    ) -> Result<(RootId, Arc<Feed>, Arc<Committed>), Error> {
        let before = keeps_rows.then(|| self.keep_row_set(root));
        self.changing = true;
        let moved = self.graph.rebind(&mut *self.source, root, &plan.binding);
        self.changing = false;
        if keeps_rows {
            self.graph.drop_row_set(root);
        }
        let (new, tree) = moved?;
        let rows = before.map(|mut before| {
            self.graph.drop_row_set(root);
            let after = self.keep_row_set(new);
            let kept = |(identity, _): &(RowIdentity, Row)| {
                after.puts.binary_search_by(|(other, _)| other.cmp(identity)).is_ok()
            };
            let known = std::mem::take(&mut before.puts);
            let is_known = |put: &&(RowIdentity, Row)| {
                let at = known.binary_search_by(|(identity, _)| identity.cmp(&put.0));
                at.is_ok_and(|at| known[at].1 == put.1)
            };
            let puts = after.puts.iter().filter(|put| !is_known(put)).cloned().collect();
            Arc::new(RowSetPatch {
                puts,
                deletes: known.into_iter().filter(|put| !kept(put)).collect(),
            })
        });
        let feed = self.join(new, plan);
        self.leave(root);
        Ok((new, feed, Arc::new(Committed { version: self.version, tree, rows })))
    }

    /// Takes one subscriber away.
    pub(crate) fn unsubscribe(&mut self, root: RootId, keeps_rows: bool) {
        if keeps_rows {
            self.graph.drop_row_set(root);
        }
        self.changing = true;
        self.graph.unsubscribe(&mut *self.source, root);
        self.changing = false;
        self.leave(root);
    }

    fn join(&mut self, root: RootId, plan: &Plan) -> Arc<Feed> {
        let table = self.source.schema().table(plan.shape.table).name().to_owned();
        let entry = self.feeds.entry(root).or_insert_with(|| Subscribed {
            feed: Arc::new(Feed::new()),
            plan: plan.clone(),
            table,
            subscribers: 0,
            snapshot: None,
        });
        entry.subscribers += 1;
        Arc::clone(&entry.feed)
    }

    fn leave(&mut self, root: RootId) {
        if let Some(entry) = self.feeds.get_mut(&root) {
            entry.subscribers -= 1;
            if entry.subscribers == 0 {
                self.feeds.remove(&root);
            }
        }
    }

    /// The current tree of a subscribed result; built once per change.
    pub(crate) fn snapshot(&mut self, root: RootId) -> Arc<[Node]> {
        let Some(entry) = self.feeds.get_mut(&root) else { return self.graph.snapshot(root) };
        let graph = &self.graph;
        Arc::clone(entry.snapshot.get_or_insert_with(|| graph.snapshot(root)))
    }

    pub(crate) fn keep_row_set(&mut self, root: RootId) -> RowSetPatch {
        self.graph.keep_row_set(self.source.schema(), root)
    }

    pub(crate) fn drop_row_set(&mut self, root: RootId) {
        self.graph.drop_row_set(root);
    }

    /// Takes the transaction in flight in the source through the graph and makes it permanent.
    /// On an error it is undone everywhere.
    pub(crate) fn commit(&mut self) -> Result<(Batch, Vec<Notice>), Error> {
        let batch = match self.source.finish() {
            Ok(batch) => batch,
            Err(error) => {
                self.source.rollback();
                return Err(error.into());
            }
        };
        self.commit_batch(batch)
    }

    fn commit_batch(&mut self, batch: Batch) -> Result<(Batch, Vec<Notice>), Error> {
        self.changing = true;
        if let Err(error) = self.graph.advance(&*self.source, &batch) {
            self.source.rollback();
            self.changing = false;
            return Err(error.into());
        }
        if let Err(error) = self.source.commit() {
            self.graph.undo();
            self.source.rollback();
            self.changing = false;
            return Err(error.into());
        }
        let patches = self.graph.commit(self.source.schema());
        self.changing = false;
        if !batch.is_empty() {
            self.version += 1;
        }
        let version = self.version;
        let mut notices = Vec::new();
        for patch in patches {
            let Some(entry) = self.feeds.get_mut(&patch.root) else { continue };
            entry.snapshot = None;
            let committed = Arc::new(Committed { version, tree: patch.tree, rows: patch.rows });
            entry.feed.append(Arc::clone(&committed), self.max_pending);
            if entry.feed.has_listeners() {
                notices.push((Arc::clone(&entry.feed), committed));
            }
        }
        if self.verify {
            self.verify()?;
        }
        Ok((batch, notices))
    }

    /// Makes and commits all changes, or none.
    pub(crate) fn apply(
        &mut self,
        changes: Vec<penstock_operators::source::Change>,
    ) -> Result<(Batch, Vec<Notice>), Error> {
        let batch = self.source.apply(changes).map_err(|error| match error {
            ApplyError::Source(error) => Error::Source(error),
            error => Error::Apply(error),
        })?;
        self.commit_batch(batch)
    }

    /// Evaluates a plan from nothing, beside the live graph.
    pub(crate) fn evaluate(&mut self, plan: &Plan) -> Result<Arc<[Node]>, Error> {
        let mut graph = Graph::default();
        let root = graph.subscribe(&mut *self.source, plan)?;
        let nodes = graph.snapshot(root);
        graph.unsubscribe(&mut *self.source, root);
        Ok(nodes)
    }

    /// Evaluates a plan from nothing and returns its row set.
    pub(crate) fn evaluate_row_set(&mut self, plan: &Plan) -> Result<RowSetPatch, Error> {
        let mut graph = Graph::default();
        let root = graph.subscribe(&mut *self.source, plan)?;
        let rows = graph.keep_row_set(self.source.schema(), root);
        graph.unsubscribe(&mut *self.source, root);
        Ok(rows)
    }

    /// Compares every subscribed result with a fresh evaluation.
    pub(crate) fn verify(&mut self) -> Result<(), Error> {
        let mut roots: Vec<RootId> = self.feeds.keys().copied().collect();
        roots.sort();
        for root in roots {
            let Some(entry) = self.feeds.get(&root) else { continue };
            let (plan, table) = (entry.plan.clone(), entry.table.clone());
            let fresh = self.evaluate(&plan)?;
            if fresh != self.graph.snapshot(root) {
                return Err(Error::Diverged { table, version: self.version });
            }
        }
        Ok(())
    }
}

/// A plan with the same shape and another extent at its root.
pub(crate) fn with_extent(plan: &Plan, change: impl FnOnce(&mut Binding)) -> Plan {
    let mut binding = (*plan.binding).clone();
    change(&mut binding);
    Plan { shape: plan.shape.clone(), binding: Arc::new(binding) }
}

/// Nanoseconds since the first call, for the times that `explain` shows.
#[allow(clippy::disallowed_methods)] // The one clock of the library; no result depends on it.
fn nanoseconds() -> u64 {
    use std::sync::OnceLock;
    use std::time::Instant;
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    let elapsed = ORIGIN.get_or_init(Instant::now).elapsed();
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}

/// Where a feed's subscribers keep their positions.
pub(crate) type WeakPosition = Weak<crate::feed::Position>;

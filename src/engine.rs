//! The engine: the graph of live queries over a database's source, and the feeds of their results.
//!
//! Everything here happens under the database's engine lock, in the order of the calls. The source
//! has a lock of its own, which is taken first; whoever writes or fills results passes it in.

use std::collections::HashMap;
use std::sync::Arc;

use penstock_operators::delta::Batch;
use penstock_operators::graph::{Graph, RootId};
use penstock_operators::plan::{Binding, Plan};
use penstock_operators::row::Row;
use penstock_operators::row_set::{RowIdentity, RowSetPatch};
use penstock_operators::schema::{Schema, TableId};
use penstock_operators::source::{Foreign, Source};
use penstock_operators::view::Node;

use crate::budget::{Budget, Metered};
use crate::error::Error;
use crate::feed::{Committed, Ended, Feed, Limits};
use crate::memory_usage::Sizes;
use crate::notice::Notice;
use crate::query::CompiledQuery;
use crate::schema_change::breaking;
use crate::threads::Threads;

mod budgeted;
mod together;

pub(crate) use budgeted::RowSetUse;

/// Subscribed results by root, with a fixed hasher.
type Feeds = HashMap<RootId, Subscribed, ahash::RandomState>;

/// What a subscriber has of a result: its number, its feed and the constants of its plan.
type Joined = (RootId, Arc<Feed>, Arc<Binding>);

/// One subscribed result.
struct Subscribed {
    feed: Arc<Feed>,
    plan: Plan,
    /// The widest that a subscriber has.
    schema: Schema,
    /// Of the rows.
    table: TableId,
    subscribers: usize,
    snapshot: Option<Arc<[Node]>>,
}

const SUBSCRIBED: &str = "invariant: a result has an entry until its last subscriber has left it";

/// The state behind a database handle.
pub(crate) struct Engine {
    graph: Graph,
    version: u64,
    feeds: Feeds,
    verify: bool,
    limits: Limits,
    threads: Threads,
    /// Set while state is being changed, so that a panic in between is noticed.
    changing: bool,
}

impl Engine {
    pub(crate) fn new(verify: bool, limits: Limits, threads: Threads) -> Engine {
        Engine {
            graph: Graph::new(nanoseconds),
            version: 0,
            feeds: Feeds::with_hasher(ahash::RandomState::with_seeds(5, 7, 11, 13)),
            verify,
            limits,
            threads,
            changing: false,
        }
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.changing
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// How much a subscriber may leave unread.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Who fills several results.
    pub(crate) fn threads(&self) -> Threads {
        self.threads
    }

    /// Bytes of the patches and trees that are kept for subscribers.
    pub(crate) fn feed_bytes(&self) -> usize {
        let mut sizes = Sizes::new();
        let mut bytes = 0;
        for entry in self.feeds.values() {
            bytes += entry.feed.retained_bytes() as usize;
            bytes += entry.snapshot.as_ref().map_or(0, |list| sizes.list(list, false));
        }
        bytes
    }

    /// Bytes of what there is once for each live result: its entry, its feed, its constants.
    pub(crate) fn subscribed_bytes(&self) -> usize {
        let entry = size_of::<(RootId, Subscribed)>() + 1;
        let results = self.feeds.values().map(|entry| {
            let binding = entry.plan.binding.heap_bytes() + 2 * size_of::<usize>();
            binding + size_of::<Binding>() + entry.feed.bytes()
        });
        self.feeds.capacity() * entry * 8 / 7 + results.sum::<usize>()
    }

    pub(crate) fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Subscribes to a query within a budget and joins its feed.
    pub(crate) fn subscribe(
        &mut self,
        source: &mut dyn Source,
        query: &CompiledQuery,
        budget: Budget,
    ) -> Result<Joined, Error> {
        let mut metered = Metered::new(source, budget);
        self.changing = true;
        let root = match budget == Budget::default() {
            true => self.graph.subscribe(metered.unmetered(), &query.plan),
            false => self.graph.subscribe(&mut metered, &query.plan),
        };
        self.changing = false;
        let root = root.map_err(|error| metered.error(error))?;
        let entry = self.join(&query.schema, query.view.table, root, &query.plan);
        Ok((root, Arc::clone(&entry.feed), Arc::clone(&entry.plan.binding)))
    }

    /// Whether a result has all its rows.
    pub(crate) fn is_complete(&self, root: RootId) -> bool {
        self.graph.is_complete(root)
    }

    /// Moves one subscriber to another binding of its template. Where it keeps a row set, it keeps
    /// that of the new result from now on.
    pub(crate) fn rebind(
        &mut self,
        source: &mut dyn Source,
        root: RootId,
        binding: &Arc<Binding>,
        schema: &Schema,
        row_set: RowSetUse,
    ) -> Result<(RootId, Arc<Feed>, Arc<Committed>), Error> {
        let entry = self.feeds.get(&root).expect(SUBSCRIBED);
        let plan = Plan { binding: Arc::clone(binding), ..entry.plan.clone() };
        let table = entry.table;
        let is_kept = row_set == RowSetUse::Kept;
        let before = is_kept.then(|| self.keep_row_set(source.schema(), root));
        self.changing = true;
        let moved = self.graph.rebind(source, root, binding);
        self.changing = false;
        if is_kept {
            self.graph.drop_row_set(root);
        }
        let (new, tree) = moved?;
        if row_set == RowSetUse::Lost {
            self.graph.drop_row_set(root);
            self.keep_row_set(source.schema(), new);
        }
        let rows = before.map(|mut before| {
            self.graph.drop_row_set(root);
            let after = self.keep_row_set(source.schema(), new);
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
        let feed = Arc::clone(&self.join(schema, table, new, &plan).feed);
        self.leave(root);
        Ok((new, feed, Arc::new(Committed::new(self.version, tree, rows))))
    }

    /// Takes one subscriber of a result away, unless the result has ended, and its number perhaps
    /// been given to another.
    pub(crate) fn unsubscribe(
        &mut self,
        source: &mut dyn Source,
        root: RootId,
        feed: &Arc<Feed>,
        keeps_rows: bool,
    ) {
        if self.feeds.get(&root).is_none_or(|entry| !Arc::ptr_eq(&entry.feed, feed)) {
            return;
        }
        if keeps_rows {
            self.graph.drop_row_set(root);
        }
        self.changing = true;
        self.graph.unsubscribe(source, root);
        self.changing = false;
        self.leave(root);
    }

    fn join(
        &mut self,
        schema: &Schema,
        table: TableId,
        root: RootId,
        plan: &Plan,
    ) -> &mut Subscribed {
        let graph = &self.graph;
        let entry = self.feeds.entry(root).or_insert_with(|| {
            let mut plan = plan.clone();
            if plan.derived.is_empty() {
                plan.shape = Arc::clone(graph.shape(root));
            }
            Subscribed {
                feed: Arc::new(Feed::new()),
                plan,
                schema: schema.clone(),
                table,
                subscribers: 0,
                snapshot: None,
            }
        });
        entry.subscribers += 1;
        entry.schema = schema.clone();
        entry
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

    pub(crate) fn keep_row_set(&mut self, schema: &Schema, root: RootId) -> RowSetPatch {
        self.graph.keep_row_set(schema, root)
    }

    pub(crate) fn drop_row_set(&mut self, root: RootId) {
        self.graph.drop_row_set(root);
    }

    /// Takes a finished transaction of the source through the graph and makes it permanent. On an
    /// error it is undone everywhere.
    pub(crate) fn commit(
        &mut self,
        source: &mut dyn Source,
        batch: &Batch,
    ) -> Result<Vec<Notice>, Error> {
        let version = self.version + u64::from(!batch.is_empty());
        self.changing = true;
        if let Err(error) = self.advance(source, batch, version) {
            source.rollback();
            self.changing = false;
            return Err(error);
        }
        Ok(self.publish(source.schema(), version))
    }

    /// Takes what others have changed to the results; reads see the state after it. On an error
    /// nothing has changed.
    pub(crate) fn follow(
        &mut self,
        source: &mut dyn Source,
        foreign: &Foreign,
    ) -> Result<Vec<Notice>, Error> {
        let version = self.version + 1;
        self.changing = true;
        let moved = match foreign {
            Foreign::Batch(batch) => self.graph.advance(source, batch),
            _ => self.graph.reread(source),
        };
        let followed = moved.map_err(Error::from).and_then(|()| {
            let verified = if self.verify { self.verify(source, version) } else { Ok(()) };
            verified.inspect_err(|_| self.graph.undo())
        });
        match followed {
            Ok(()) => Ok(self.publish(source.schema(), version)),
            Err(error) => {
                self.changing = false;
                Err(error)
            }
        }
    }

    /// Ends the results that cannot go on under the schema that the source has now.
    pub(crate) fn end_broken(&mut self, source: &mut dyn Source) -> Vec<Notice> {
        let mut broken: Vec<_> = self
            .feeds
            .iter()
            .filter_map(|(root, entry)| {
                Some((*root, breaking(&entry.schema, source.schema(), &entry.plan)?))
            })
            .collect();
        broken.sort_by_key(|(root, _)| *root);
        let mut notices = Vec::new();
        for (root, why) in broken {
            let nodes = self.snapshot(root);
            let report = self.graph.explain(root);
            let Some(entry) = self.feeds.remove(&root) else { continue };
            self.changing = true;
            for _ in 0..entry.subscribers {
                self.graph.unsubscribe(source, root);
            }
            self.changing = false;
            notices.push(entry.feed.end(Ended { why, nodes, report }, self.version));
        }
        notices
    }

    /// Makes what the graph has gone through permanent, and known to subscribers.
    fn publish(&mut self, schema: &Schema, version: u64) -> Vec<Notice> {
        let patches = self.graph.commit(schema);
        self.changing = false;
        self.version = version;
        let mut notices = Vec::new();
        for patch in patches {
            let Some(entry) = self.feeds.get_mut(&patch.root) else { continue };
            entry.snapshot = None;
            let committed = Arc::new(Committed::new(version, patch.tree, patch.rows));
            notices.extend(entry.feed.append(&committed, self.limits));
        }
        notices
    }

    /// The part of a commit that can fail; then the graph is as before.
    fn advance(
        &mut self,
        source: &mut dyn Source,
        batch: &Batch,
        version: u64,
    ) -> Result<(), Error> {
        self.graph.advance(source, batch)?;
        // The source still has the transaction in flight, and reads see its writes.
        let verified = if self.verify { self.verify(source, version) } else { Ok(()) };
        let done = verified.and_then(|()| Ok(source.commit()?));
        done.inspect_err(|_| self.graph.undo())
    }

    /// Compares every subscribed result with a fresh evaluation. The version is for the error.
    pub(crate) fn verify(&self, source: &mut dyn Source, version: u64) -> Result<(), Error> {
        let mut roots: Vec<RootId> = self.feeds.keys().copied().collect();
        roots.sort();
        for root in roots {
            let Some(entry) = self.feeds.get(&root) else { continue };
            let fresh = evaluate(source, &entry.plan)?;
            let held = self.graph.snapshot(root);
            let is_right = match self.graph.is_complete(root) {
                true => fresh == held,
                // The first rows of the result.
                false => fresh.starts_with(&held),
            };
            if !is_right {
                let table = entry.schema.table(entry.table).name().to_owned();
                return Err(Error::Diverged { table, version });
            }
        }
        Ok(())
    }
}

/// Evaluates a plan from nothing.
pub(crate) fn evaluate(source: &mut dyn Source, plan: &Plan) -> Result<Arc<[Node]>, Error> {
    with_fresh(source, plan, |graph, _, root| graph.snapshot(root))
}

/// Evaluates a plan from nothing and returns its row set.
pub(crate) fn evaluate_row_set(source: &mut dyn Source, plan: &Plan) -> Result<RowSetPatch, Error> {
    with_fresh(source, plan, |graph, schema, root| graph.keep_row_set(schema, root))
}

fn with_fresh<T>(
    source: &mut dyn Source,
    plan: &Plan,
    read: impl FnOnce(&mut Graph, &Schema, RootId) -> T,
) -> Result<T, Error> {
    let mut graph = Graph::default();
    let root = graph.subscribe(source, &plan.clone().at_once())?;
    let outcome = read(&mut graph, source.schema(), root);
    graph.unsubscribe(source, root);
    Ok(outcome)
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

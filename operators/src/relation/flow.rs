//! The dataflow of relations: the nodes of all live derived tables, and a transaction's way
//! through them.
//!
//! Nodes are shared: equal relations anywhere in any query are one node. A transaction reaches
//! nodes inputs first, each once. What a node keeps is a sum over its input, so undoing a
//! transaction is taking in the same changes with the opposite sign: exact, and without reading
//! anything.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use smallvec::SmallVec;

use super::derived::Tables;
use super::node::{Node, Operator};
use super::plan::Relation;
use super::rebuild::Replaced;
use super::routes::Routes;
use super::zset::{Changes, consolidate};
use crate::delta::Batch;
use crate::level::{FixedMap, fixed_hasher};
use crate::source::{Source, SourceError};

/// A node of the dataflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(pub(crate) u32);

/// Buffers up to this many entries are kept from one transaction to the next.
const KEPT: usize = 64;

/// The nodes and derived tables of all live queries over one source.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(super) nodes: Vec<Option<Box<Node>>>,
    pub(super) free: Vec<u32>,
    pub(super) by_plan: FixedMap<Arc<Relation>, NodeId>,
    pub(super) routes: Routes,
    pub(super) tables: Tables,
    /// The nodes that the transaction in flight has reached.
    reached: Vec<NodeId>,
    /// What the transaction in flight changed in derived tables.
    pub(super) batch: Batch,
    /// What the last [`Flow::reread`] put aside.
    pub(super) replaced: Option<Box<Replaced>>,
    queue: BinaryHeap<Reverse<(u32, NodeId)>>,
}

impl Default for Flow {
    fn default() -> Flow {
        Flow {
            nodes: Vec::new(),
            free: Vec::new(),
            by_plan: FixedMap::with_hasher(fixed_hasher()),
            routes: Routes::default(),
            tables: Tables::default(),
            reached: Vec::new(),
            batch: Batch::new(),
            replaced: None,
            queue: BinaryHeap::new(),
        }
    }
}

impl Flow {
    /// A node that is not being processed right now.
    #[inline]
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        match &self.nodes[id.0 as usize] {
            Some(node) => node,
            None => unreachable!("a node that is referred to is live"),
        }
    }

    #[inline]
    pub(super) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        match &mut self.nodes[id.0 as usize] {
            Some(node) => node,
            None => unreachable!("a node that is referred to is live"),
        }
    }

    /// Takes a node out to process it.
    pub(super) fn take_node(&mut self, id: NodeId) -> Box<Node> {
        match self.nodes[id.0 as usize].take() {
            Some(node) => node,
            None => {
                unreachable!("a node that is referred to is live, and processed once at a time")
            }
        }
    }

    /// Puts a processed node back.
    pub(super) fn put_node(&mut self, id: NodeId, node: Box<Node>) {
        self.nodes[id.0 as usize] = Some(node);
    }

    /// Whether nothing is live.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_plan.is_empty()
    }

    /// Hands out what the transaction in flight changed in derived tables.
    pub(crate) fn take_batch(&mut self) -> Batch {
        std::mem::take(&mut self.batch)
    }

    /// Takes a transaction through all nodes, and into the derived tables.
    ///
    /// # Errors
    /// A failing source; everything is then as before.
    pub(crate) fn advance(
        &mut self,
        source: &dyn Source,
        batch: &Batch,
    ) -> Result<(), SourceError> {
        self.route(batch);
        while let Some(Reverse((_, id))) = self.queue.pop() {
            let mut node = self.take_node(id);
            let outcome = self.process(source, &mut node);
            let (silent, parents) = (node.out.is_empty(), node.parents.len());
            self.put_node(id, node);
            if let Err(error) = outcome {
                self.undo();
                return Err(error);
            }
            if !silent {
                for at in 0..parents {
                    let parent = self.node(id).parents[at];
                    self.reach(parent);
                }
            }
        }
        for at in 0..self.reached.len() {
            let id = self.reached[at];
            let Some(Some(node)) = self.nodes.get(id.0 as usize) else { continue };
            for table in &node.tables {
                self.tables.apply(*table, &node.out, &mut self.batch);
            }
        }
        Ok(())
    }

    /// Brings the changes of a batch to the scans that they are in.
    fn route(&mut self, batch: &Batch) {
        let routes = std::mem::take(&mut self.routes);
        for (table, deltas) in batch.tables() {
            if !routes.reads(table) {
                continue;
            }
            for delta in deltas {
                routes.route(table, delta, &mut |id, row, count| {
                    let node = self.node_mut(id);
                    let Operator::Scan(reader) = &node.operator else { return };
                    let Some(row) = reader.chain().apply(row) else { return };
                    node.out.push((row, count));
                    self.reach(id);
                });
            }
        }
        self.routes = routes;
    }

    fn reach(&mut self, id: NodeId) {
        let node = self.node_mut(id);
        if !std::mem::replace(&mut node.reached, true) {
            let height = node.height;
            self.reached.push(id);
            self.queue.push(Reverse((height, id)));
        }
    }

    /// Makes what a node puts out of what its inputs did, and takes it into its state.
    fn process(&self, source: &dyn Source, node: &mut Node) -> Result<(), SourceError> {
        let mut out = std::mem::take(&mut node.out);
        let input = |at: usize| &self.node(node.inputs[at]).out;
        let mut came = out.len();
        match &mut node.operator {
            Operator::Scan(_) | Operator::Rows(_) => {}
            Operator::Map(projection) => {
                out.extend(input(0).iter().map(|(row, count)| (projection.apply(row), *count)));
            }
            Operator::Filter(condition) => {
                out.extend(input(0).iter().filter(|(row, _)| condition.holds(row)).cloned());
            }
            Operator::Union => {
                for at in 0..node.inputs.len() {
                    out.extend(input(at).iter().cloned());
                }
            }
            Operator::LeftJoin(join) => {
                join.apply(self, source, input(0), input(1), &mut out)?;
            }
            Operator::DeltaJoin(join) => {
                let inputs: SmallVec<[&Changes; 4]> = (0..node.inputs.len()).map(input).collect();
                join.apply(self, source, &inputs, &mut out)?;
            }
            stateful => stateful.apply(input(0), 1, &mut out),
        }
        consolidate(&mut out);
        came += node.inputs.iter().map(|input| self.node(*input).out.len()).sum::<usize>();
        node.stats.batches += 1;
        node.stats.changes_in += came as u64;
        node.stats.changes_out += out.len() as u64;
        node.out = out;
        node.arrange(1);
        node.applied = true;
        Ok(())
    }

    /// Makes the last [`Flow::advance`] or [`Flow::reread`] permanent.
    pub(crate) fn commit(&mut self) {
        self.replaced = None;
        self.tables.commit();
        self.forget();
    }

    /// Undoes the last [`Flow::advance`] or [`Flow::reread`].
    pub(crate) fn undo(&mut self) {
        self.queue.clear();
        if let Some(replaced) = self.replaced.take() {
            self.restore(*replaced);
        }
        for at in 0..self.reached.len() {
            let id = self.reached[at];
            let mut node = self.take_node(id);
            if node.applied {
                if node.operator.has_state() {
                    let input = &self.node(node.inputs[0]).out;
                    node.operator.apply(input, -1, &mut Changes::new());
                }
                node.arrange(-1);
                self.tables.undo(&node);
            }
            self.put_node(id, node);
        }
        self.tables.commit();
        self.forget();
    }

    /// Forgets the transaction that is over.
    fn forget(&mut self) {
        let mut reached = std::mem::take(&mut self.reached);
        for id in reached.drain(..) {
            let node = self.node_mut(id);
            node.reached = false;
            node.applied = false;
            node.out.clear();
            if node.out.capacity() > KEPT {
                node.out = Changes::new();
            }
        }
        if reached.capacity() <= KEPT {
            self.reached = reached;
        }
        self.batch = Batch::new();
    }
}

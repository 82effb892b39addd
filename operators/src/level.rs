//! A level: one node of a query tree compiled, with its live partitions.
//!
//! Levels are shared: every query that contains the same [`LevelPlan`] anywhere uses the same
//! level. A level's partitions are found by *route*: the encoded values of its partition columns.
//! Partitions with one route and different bindings (another limit, other constants below) are
//! variants of each other.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use indexmap::IndexSet;

use crate::bindings::Bindings;
use crate::bounds::OrderBounds;
use crate::delta::ColumnSet;
use crate::dispatch::Concern;
use crate::filter::Filter;
use crate::key::{Key, KeySpec};
use crate::partition::{Partition, Partitions};
use crate::plan::{Binding, LevelPlan};
use crate::schema::TableId;
use crate::source::ScanId;
use crate::stats::LevelStats;

/// A level of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LevelId(pub(crate) u32);

/// Which edge of a level: its position in [`Level::edges`] and in [`Binding::children`].
pub(crate) type Slot = u16;

/// The slot of a junction's hidden hop.
pub(crate) const NEAR: Slot = 0;
/// The slot of a junction's far side.
pub(crate) const FAR: Slot = 1;

/// A partition of a level of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PartitionId {
    pub(crate) level: LevelId,
    pub(crate) partition: u32,
}

/// A hash map with fixed seeds: the same history gives the same iteration order.
pub(crate) type FixedMap<K, V> = HashMap<K, V, ahash::RandomState>;

/// The hasher of every map in the core.
pub(crate) fn fixed_hasher() -> ahash::RandomState {
    ahash::RandomState::with_seeds(0x7065_6e73, 0x746f_636b, 0x6c69_7665, 0x726f_7773)
}

/// From a row to a partition of a child level.
#[derive(Clone, Debug)]
pub(crate) struct LevelEdge {
    pub(crate) columns: Vec<usize>,
    pub(crate) child: LevelId,
    /// For a gate: whether its witnesses stay out of row sets.
    pub(crate) private: bool,
    /// For a gate: reads this level's table by `columns`, in this level's order.
    pub(crate) parents: Option<ScanId>,
    /// For the gate that drives its level: reads the child's table by the child's constants.
    pub(crate) body: Option<ScanId>,
}

/// What a level's rows come from.
#[derive(Debug)]
pub(crate) enum LevelInput {
    Scan(ScanInput),
    Junction,
}

/// The compiled form of [`Input::Scan`].
#[derive(Debug)]
pub(crate) struct ScanInput {
    pub(crate) partition: Vec<usize>,
    pub(crate) partition_columns: ColumnSet,
    pub(crate) correlated: usize,
    pub(crate) filter: Filter,
    pub(crate) scan: ScanId,
    /// Where in the order its rows can be at all, if the condition says so.
    pub(crate) bounds: Option<Box<OrderBounds>>,
    /// The keys of the only rows that can pass, if the condition lists them.
    pub(crate) listed: Option<Box<[Key]>>,
    /// A gate that must be open for any row of the level, from which the rows can be found.
    pub(crate) driver: Option<Slot>,
    /// Columns whose values decide where a row belongs. A change elsewhere only changes content.
    pub(crate) reads: ColumnSet,
    /// The columns that decide whether a row that passes the row part of the filter passes the
    /// rest: those that the gates are correlated by, and those tested beside the gates.
    pub(crate) gate_columns: ColumnSet,
}

/// One node of the graph.
#[derive(Debug)]
pub(crate) struct Level {
    pub(crate) plan: Arc<LevelPlan>,
    pub(crate) table: TableId,
    pub(crate) order: KeySpec,
    /// The columns by which the table tells its rows apart.
    pub(crate) identity: KeySpec,
    pub(crate) input: LevelInput,
    /// Scan: gates, then related. Junction: near, far, then related.
    pub(crate) edges: Vec<LevelEdge>,
    /// How many of `edges` are not `related`.
    pub(crate) inner_edges: usize,
    /// Longest way down; children are processed before parents.
    pub(crate) height: u32,
    /// The levels with an edge to this one, with the edge's slot.
    pub(crate) parents: IndexSet<(LevelId, Slot), ahash::RandomState>,
    /// How many of `parents` use this level as a gate.
    pub(crate) gate_parents: usize,
    pub(crate) partitions: Partitions,
    pub(crate) bindings: Bindings,
    /// How many row sets are kept that this level contributes to, counted by way.
    pub(crate) row_set_users: usize,
    pub(crate) batch: LevelBatch,
    pub(crate) stats: LevelStats,
}

/// What a level gathers during one transaction.
#[derive(Debug, Default)]
pub(crate) struct LevelBatch {
    /// Whether the level waits to be processed.
    pub(crate) queued: bool,
    /// Which deltas of its table a scan level is to look at.
    pub(crate) concern: Concern,
    /// Partitions with a change in or below them, each once.
    pub(crate) dirty: Vec<u32>,
    /// For a level used as a gate: routes at which some row's membership may have changed, with
    /// the length of the part that is the correlation key.
    pub(crate) touched: BTreeMap<Key, usize>,
}

impl Level {
    pub(crate) fn new(
        plan: Arc<LevelPlan>,
        identity: KeySpec,
        input: LevelInput,
        edges: Vec<LevelEdge>,
        inner_edges: usize,
        height: u32,
    ) -> Level {
        let gates = match input {
            LevelInput::Scan(_) => inner_edges,
            LevelInput::Junction => 0,
        };
        Level {
            table: plan.table,
            order: plan.order.clone(),
            identity,
            plan,
            input,
            edges,
            inner_edges,
            height,
            parents: IndexSet::with_hasher(fixed_hasher()),
            gate_parents: 0,
            partitions: Partitions::new(),
            bindings: Bindings::new(gates),
            row_set_users: 0,
            batch: LevelBatch::default(),
            stats: LevelStats::default(),
        }
    }

    /// Whether the edge at a slot is a gate.
    pub(crate) fn is_gate(&self, slot: Slot) -> bool {
        matches!(self.input, LevelInput::Scan(_)) && usize::from(slot) < self.inner_edges
    }

    /// The slots of `related`.
    pub(crate) fn related_slots(&self) -> impl Iterator<Item = Slot> + use<> {
        // A plan has far fewer edges than a slot can count; the planner bounds its size.
        (self.inner_edges as Slot)..(self.edges.len() as Slot)
    }

    /// The live partitions with a route, whatever their binding.
    #[inline]
    pub(crate) fn variants(&self, route: &[u8]) -> &[u32] {
        self.partitions.variants(route)
    }

    /// The live partition with a route and a binding.
    #[inline]
    pub(crate) fn find(&self, route: &[u8], binding: &Arc<Binding>) -> Option<u32> {
        self.partitions.find(route, binding)
    }

    /// A live partition. Whoever keeps an id keeps the partition alive.
    #[inline]
    pub(crate) fn partition(&self, id: u32) -> &Partition {
        self.partitions.get(id)
    }

    /// A live partition, to change.
    #[inline]
    pub(crate) fn partition_mut(&mut self, id: u32) -> &mut Partition {
        self.partitions.get_mut(id)
    }

    /// Adds an empty partition.
    pub(crate) fn add(&mut self, route: Key, binding: Arc<Binding>) -> u32 {
        let id = self.partitions.add(route, Arc::clone(&binding));
        self.bindings.add_partition(&binding, id);
        id
    }

    /// Removes a partition.
    pub(crate) fn take(&mut self, id: u32) -> Option<Box<Partition>> {
        let partition = self.partitions.take(id)?;
        self.bindings.remove_partition(&partition.binding, id);
        Some(partition)
    }

    /// Notes that something changed in or below a partition.
    pub(crate) fn mark(&mut self, id: u32) {
        let batch = &mut self.partitions.get_mut(id).batch;
        if !batch.dirty {
            batch.dirty = true;
            self.batch.dirty.push(id);
        }
    }
}

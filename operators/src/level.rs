//! A level: one node of a query tree compiled, with its live partitions.
//!
//! Levels are shared: every query that contains the same [`LevelPlan`] anywhere uses the same
//! level. A level's partitions are found by *route*: the encoded values of its partition columns.
//! Partitions with one route and different bindings (another limit, other constants below) are
//! variants of each other.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use indexmap::IndexMap;
use smallvec::SmallVec;

use crate::delta::ColumnSet;
use crate::filter::Filter;
use crate::holders::Holders;
use crate::key::{Direction, Key, KeyBuffer, KeySpec, decode, encode, write_columns_non_null};
use crate::plan::{Binding, Input, LevelPlan};
use crate::row::Row;
use crate::schema::TableId;
use crate::source::ScanId;
use crate::stats::LevelStats;
use crate::take::Window;

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
    pub(crate) correlated: usize,
    pub(crate) filter: Filter,
    pub(crate) scan: ScanId,
    /// A gate that must be open for any row of the level, from which the rows can be found.
    pub(crate) driver: Option<Slot>,
    /// Columns whose values decide where a row belongs. A change elsewhere only changes content.
    pub(crate) reads: ColumnSet,
    /// The columns that decide whether a row that passes the row part of the filter passes the
    /// rest: those that the gates are correlated by, and those tested beside the gates.
    pub(crate) gate_columns: ColumnSet,
}

/// The live partitions of one gate binding, by the encoded constants of the gate and the binding.
pub(crate) type GateBindings = FixedMap<Key, IndexMap<Arc<Binding>, BTreeSet<u32>>>;

/// One node of the graph.
#[derive(Debug)]
pub(crate) struct Level {
    pub(crate) plan: Arc<LevelPlan>,
    pub(crate) table: TableId,
    pub(crate) order: KeySpec,
    pub(crate) input: LevelInput,
    /// Scan: gates, then related. Junction: near, far, then related.
    pub(crate) edges: Vec<LevelEdge>,
    /// How many of `edges` are not `related`.
    pub(crate) inner_edges: usize,
    /// Longest way down; children are processed before parents.
    pub(crate) height: u32,
    /// The levels with an edge to this one, with the edge's slot.
    pub(crate) parents: Vec<(LevelId, Slot)>,
    /// How many of `parents` use this level as a gate.
    pub(crate) gate_parents: usize,
    index: FixedMap<Key, SmallVec<[u32; 1]>>,
    partitions: Vec<Option<Box<Partition>>>,
    free: Vec<u32>,
    live: usize,
    /// By slot of a gate.
    pub(crate) gate_bindings: Vec<GateBindings>,
    pub(crate) batch: LevelBatch,
    pub(crate) stats: LevelStats,
}

/// What a level gathers during one transaction.
#[derive(Debug, Default)]
pub(crate) struct LevelBatch {
    /// Whether the level waits to be processed.
    pub(crate) queued: bool,
    /// Partitions with a change in or below them, each once.
    pub(crate) dirty: Vec<u32>,
    /// For a level used as a gate: routes at which some row's membership may have changed, with
    /// the length of the part that is the correlation key.
    pub(crate) touched: BTreeMap<Key, usize>,
}

/// The rows of a level for one route and one binding.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) route: Key,
    pub(crate) binding: Arc<Binding>,
    pub(crate) window: Window,
    pub(crate) holders: Holders,
    pub(crate) subscribers: u32,
    /// Present in the partitions of a junction.
    pub(crate) junction: Option<Box<crate::distinct::Reached>>,
    pub(crate) batch: PartitionBatch,
}

/// What a partition gathers during one transaction.
#[derive(Debug, Default)]
pub(crate) struct PartitionBatch {
    /// Whether the partition is in [`LevelBatch::dirty`].
    pub(crate) dirty: bool,
    /// Whether the partition was made in this transaction.
    pub(crate) fresh: bool,
    /// Rows below which something changed, with the edge that leads there.
    pub(crate) touched: Vec<(Key, Slot)>,
}

impl ScanInput {
    /// Writes the route of a row and returns the length of its correlation key, or `None` where a
    /// null keeps the row out of every partition.
    #[inline]
    pub(crate) fn route(&self, row: &Row, route: &mut KeyBuffer) -> Option<usize> {
        route.clear();
        let (correlated, lifted) = self.partition.split_at(self.correlated);
        if !write_columns_non_null(row, correlated, route) {
            return None;
        }
        let correlation = route.len();
        for &column in lifted {
            encode(route, row.get(column), Direction::Asc);
        }
        Some(correlation)
    }
}

impl Level {
    pub(crate) fn new(
        plan: Arc<LevelPlan>,
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
            plan,
            input,
            edges,
            inner_edges,
            height,
            parents: Vec::new(),
            gate_parents: 0,
            index: FixedMap::with_hasher(fixed_hasher()),
            partitions: Vec::new(),
            free: Vec::new(),
            live: 0,
            gate_bindings: (0..gates).map(|_| FixedMap::with_hasher(fixed_hasher())).collect(),
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
        self.index.get(route).map_or(&[], |variants| variants.as_slice())
    }

    /// The live partition with a route and a binding.
    pub(crate) fn find(&self, route: &[u8], binding: &Arc<Binding>) -> Option<u32> {
        self.variants(route).iter().copied().find(|&id| {
            let other = &self.partition(id).binding;
            Arc::ptr_eq(other, binding) || other == binding
        })
    }

    /// A live partition.
    ///
    /// # Panics
    /// Where the partition is not live: whoever keeps an id keeps the partition alive.
    #[inline]
    pub(crate) fn partition(&self, id: u32) -> &Partition {
        match &self.partitions[id as usize] {
            Some(partition) => partition,
            None => unreachable!("a partition that is referred to is live"),
        }
    }

    /// A live partition, to change.
    #[inline]
    pub(crate) fn partition_mut(&mut self, id: u32) -> &mut Partition {
        match &mut self.partitions[id as usize] {
            Some(partition) => partition,
            None => unreachable!("a partition that is referred to is live"),
        }
    }

    /// A partition, if it is still live.
    pub(crate) fn get_partition(&self, id: u32) -> Option<&Partition> {
        self.partitions.get(id as usize)?.as_deref()
    }

    /// All live partitions.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = (u32, &Partition)> {
        (0u32..).zip(&self.partitions).filter_map(|(id, slot)| Some((id, slot.as_deref()?)))
    }

    /// The number of live partitions.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// Adds an empty partition.
    pub(crate) fn add(&mut self, route: Key, binding: Arc<Binding>) -> u32 {
        let partition = Box::new(Partition {
            route: route.clone(),
            binding: Arc::clone(&binding),
            window: Window::new(),
            holders: Holders::new(),
            subscribers: 0,
            junction: None,
            batch: PartitionBatch { fresh: true, ..PartitionBatch::default() },
        });
        let id = match self.free.pop() {
            Some(id) => {
                self.partitions[id as usize] = Some(partition);
                id
            }
            None => {
                self.partitions.push(Some(partition));
                (self.partitions.len() - 1) as u32
            }
        };
        self.live += 1;
        self.index.entry(route).or_default().push(id);
        for (slot, bindings) in self.gate_bindings.iter_mut().enumerate() {
            let gate = &binding.children[slot];
            bindings
                .entry(constants(gate))
                .or_default()
                .entry(Arc::clone(gate))
                .or_default()
                .insert(id);
        }
        id
    }

    /// Removes a partition.
    pub(crate) fn take(&mut self, id: u32) -> Option<Box<Partition>> {
        let partition = self.partitions[id as usize].take()?;
        self.free.push(id);
        self.live -= 1;
        if let Some(variants) = self.index.get_mut(&partition.route) {
            variants.retain(|other| *other != id);
            if variants.is_empty() {
                self.index.remove(&partition.route);
            }
        }
        for (slot, bindings) in self.gate_bindings.iter_mut().enumerate() {
            let gate = &partition.binding.children[slot];
            let constants = constants(gate);
            let Some(by_binding) = bindings.get_mut(&constants) else { continue };
            if let Some(ids) = by_binding.get_mut(gate) {
                ids.remove(&id);
                if ids.is_empty() {
                    by_binding.swap_remove(gate);
                }
            }
            if by_binding.is_empty() {
                bindings.remove(&constants);
            }
        }
        Some(partition)
    }

    /// Notes that something changed in or below a partition.
    pub(crate) fn mark(&mut self, id: u32) {
        let batch = &mut self.partition_mut(id).batch;
        if !batch.dirty {
            batch.dirty = true;
            self.batch.dirty.push(id);
        }
    }

    /// Bytes of state: partitions, windows, holders and look-up tables.
    pub(crate) fn bytes(&self) -> usize {
        let index =
            self.index.capacity() * (size_of::<Key>() + size_of::<SmallVec<[u32; 1]>>() + 1);
        let slots = self.partitions.capacity() * size_of::<Option<Box<Partition>>>();
        let partitions: usize = self
            .partitions()
            .map(|(_, partition)| {
                size_of::<Partition>()
                    + 2 * partition.route.heap_bytes()
                    + partition.window.bytes()
                    + partition.holders.heap_bytes()
                    + partition.junction.as_ref().map_or(0, |junction| junction.bytes())
            })
            .sum();
        index + slots + partitions
    }
}

/// The encoded constants of a binding.
pub(crate) fn constants(binding: &Binding) -> Key {
    let mut buffer = KeyBuffer::new();
    write_constants(binding, &mut buffer);
    Key::from_slice(&buffer)
}

/// Appends the encoded constants of a binding.
#[inline]
pub(crate) fn write_constants(binding: &Binding, buffer: &mut KeyBuffer) {
    for value in &binding.constants {
        encode(buffer, value.as_ref(), Direction::Asc);
    }
}

/// Writes the route to which an edge leads from a row; false where a null leads nowhere.
#[inline]
pub(crate) fn child_route(
    columns: &[usize],
    row: &Row,
    child: &Binding,
    route: &mut KeyBuffer,
) -> bool {
    route.clear();
    if !write_columns_non_null(row, columns, route) {
        return false;
    }
    write_constants(child, route);
    true
}

/// The columns by which a level's rows are divided and placed.
pub(crate) fn reads(plan: &LevelPlan) -> ColumnSet {
    let mut set: ColumnSet = plan.order.columns().iter().map(|(column, _)| *column).collect();
    let mut add = |columns: &[usize]| columns.iter().for_each(|column| set.insert(*column));
    plan.related.iter().for_each(|edge| add(&edge.columns));
    if let Input::Scan { partition, condition, gates, .. } = &plan.input {
        add(partition);
        gates.iter().for_each(|edge| add(&edge.columns));
        set = set.union(Filter::new(condition).columns());
    }
    set
}

/// The columns without repeats, for a read that holds them equal.
pub(crate) fn distinct_columns(columns: &[usize]) -> Vec<usize> {
    let mut distinct = Vec::with_capacity(columns.len());
    for &column in columns {
        if !distinct.contains(&column) {
            distinct.push(column);
        }
    }
    distinct
}

/// The part of an encoded tuple that belongs to [`distinct_columns`], or `None` where one column
/// would have to equal two different values.
pub(crate) fn distinct_values<'a>(columns: &[usize], encoded: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    let distinct = distinct_columns(columns);
    if distinct.len() == columns.len() {
        return Some(Cow::Borrowed(encoded));
    }
    let values = decode(encoded, &vec![Direction::Asc; columns.len()]).ok()?;
    let mut buffer = KeyBuffer::new();
    for column in distinct {
        let mut held = columns.iter().zip(&values).filter(|(c, _)| **c == column).map(|(_, v)| v);
        let first = held.next()?;
        if held.any(|other| other != first) {
            return None;
        }
        encode(&mut buffer, first.as_ref(), Direction::Asc);
    }
    Some(Cow::Owned(buffer.to_vec()))
}

//! `exists`: gates, and the candidates that arise when they flip.
//!
//! A gate is open for a row when the partition of its child level for the row's key has a row. For
//! rows in windows that partition is live: a window of one row, the *witness*, the first match in
//! primary-key order. So a child that comes or goes without being the witness costs one
//! comparison, and a witness that goes is replaced from where it stood, not from the start. For
//! rows not in any window nothing is kept, and the gate is decided by a read.
//!
//! When a child level's rows change, the parents to look at again are found in two ways. Rows in
//! windows can only leave through a partition that flipped, whose holders they are. Rows outside
//! can only enter; they are found in the source by their key, in the level's own order, and only
//! up to the edge of the windows.
//!
//! Cost: O(log n) per child change; O(parents with that key inside the windows) per flip.
//! State: one witness per gate and row in a window.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::filter::evaluate;
use crate::graph::Graph;
use crate::key::{Key, KeyBuffer};
use crate::level::{Level, LevelId, LevelInput, ScanInput, Slot};
use crate::plan::{Binding, Condition};
use crate::route::{child_route, distinct_values};
use crate::row::Row;
use crate::source::{At, Cursor, Source, SourceError};
use crate::take::Edge;

/// Up to this many windows are asked for their edges to bound the search for rows that may enter.
const BOUNDED_WINDOWS: usize = 256;

/// How many rows that may enter are read at a time.
const CHUNK: usize = if cfg!(debug_assertions) { 2 } else { 512 };

impl Graph {
    /// Whether a row passes the gated part of its level's condition, on the data after the
    /// transaction; `open` is a gate that is known to be open.
    #[inline]
    #[allow(clippy::too_many_arguments)] // The context of one read.
    pub(crate) fn gates_pass(
        &self,
        source: &dyn Source,
        level: &Level,
        scan: &ScanInput,
        binding: &Binding,
        row: &Row,
        open: Option<Slot>,
        probes: &mut u64,
    ) -> Result<bool, SourceError> {
        let Some(condition) = scan.filter.gated() else { return Ok(true) };
        evaluate(condition, row, &mut |gate| {
            if open.is_some_and(|open| usize::from(open) == gate) {
                return Ok(true);
            }
            let edge = &level.edges[gate];
            let child = &binding.children[gate];
            let mut route = KeyBuffer::new();
            if !child_route(&edge.columns, row, child, &mut route) {
                return Ok(false);
            }
            self.is_open(source, edge.child, &route, child, probes)
        })
    }

    /// Whether some row of a level matches at a route.
    fn is_open(
        &self,
        source: &dyn Source,
        level: LevelId,
        route: &[u8],
        binding: &Arc<Binding>,
        probes: &mut u64,
    ) -> Result<bool, SourceError> {
        let level = self.level(level);
        if let Some(partition) = level.find(route, binding) {
            let held = level.partition(partition);
            if !held.batch.unfilled {
                return Ok(!held.window.is_empty());
            }
        }
        let LevelInput::Scan(scan) = &level.input else { return Ok(false) };
        let Some(equal) = distinct_values(&scan.partition, route) else { return Ok(false) };
        *probes += 1;
        let mut outcome = Ok(false);
        source.scan(At::After, scan.scan, &equal, None, false, &mut |row| {
            outcome = self.passes(source, level, scan, binding, row, probes);
            match outcome {
                Ok(false) => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            }
        })?;
        outcome
    }

    /// Brings the windows of a level up to date with what changed in one of its gates.
    pub(crate) fn gate_changes(
        &self,
        source: &dyn Source,
        id: LevelId,
        level: &mut Level,
        slot: Slot,
    ) -> Result<(), SourceError> {
        let gate = level.edges[usize::from(slot)].child;
        let child = self.level(gate);
        for (route, &correlation) in &child.batch.touched {
            let (key, constants) = route.split_at(correlation);
            let mut enter = Vec::new();
            // Whether the gate may have flipped for some row, under some binding in use.
            let mut flipped = false;
            for binding in level.bindings.of_gate(slot, constants) {
                // A partition made in this transaction has no past to compare with.
                let known = child
                    .find(route, &binding)
                    .map(|partition| child.partition(partition))
                    .filter(|partition| !partition.batch.fresh);
                let open = match known {
                    Some(partition) => {
                        let open = !partition.window.is_empty();
                        if partition.window.was_empty() != open {
                            continue;
                        }
                        self.recheck(source, level, partition.holders.of(id, slot))?;
                        open
                    }
                    None => {
                        let mut probes = 0;
                        let open = self.is_open(source, gate, route, &binding, &mut probes)?;
                        level.stats.probes += probes;
                        open
                    }
                };
                flipped = true;
                if self.may_admit(level, slot, open) {
                    enter.push(binding);
                }
            }
            if !enter.is_empty() || (flipped && level.gate_parents > 0) {
                self.admit_parents(source, level, slot, key, &enter)?;
            }
        }
        Ok(())
    }

    /// Whether a gate in this state can let a row in: whether it occurs with the right sign.
    fn may_admit(&self, level: &Level, slot: Slot, open: bool) -> bool {
        let LevelInput::Scan(scan) = &level.input else { return false };
        fn admits(condition: &Condition, slot: usize, open: bool) -> bool {
            match condition {
                Condition::Always(_) | Condition::Test(_) => false,
                Condition::Gate { gate, negated } => *gate == slot && *negated != open,
                Condition::All(all) | Condition::Any(all) => {
                    all.iter().any(|each| admits(each, slot, open))
                }
            }
        }
        scan.filter.gated().is_some_and(|gated| admits(gated, usize::from(slot), open))
    }

    /// Tests rows in windows again and takes those out that no longer pass.
    fn recheck(
        &self,
        source: &dyn Source,
        level: &mut Level,
        rows: Vec<(u32, Key)>,
    ) -> Result<(), SourceError> {
        for (partition, key) in rows {
            let LevelInput::Scan(scan) = &level.input else { return Ok(()) };
            let held = level.partition(partition);
            let Some(row) = held.window.get(&key) else { continue };
            let mut probes = 0;
            let passes =
                self.gates_pass(source, level, scan, &held.binding, row, None, &mut probes)?;
            level.stats.probes += probes;
            level.stats.candidates += 1;
            if !passes {
                level.partition_mut(partition).window.remove(&key);
                level.mark(partition);
            }
        }
        Ok(())
    }

    /// Finds the rows of a level with a key of one of its gates and lets those into windows that
    /// pass now; `bindings` are the gate's bindings under which a row may enter.
    ///
    /// Rows are read in chunks, in the level's order. After each, windows over capacity evict, so
    /// that the furthest edge, beyond which no row is read, comes nearer.
    fn admit_parents(
        &self,
        source: &dyn Source,
        level: &mut Level,
        slot: Slot,
        key: &[u8],
        bindings: &[Arc<Binding>],
    ) -> Result<(), SourceError> {
        let edge = &level.edges[usize::from(slot)];
        let (Some(equal), Some(parents)) = (distinct_values(&edge.columns, key), edge.parents)
        else {
            return Ok(());
        };
        let equal = equal.into_owned();
        let mut after: Option<Key> = None;
        loop {
            let bound = self.common_edge(level, slot, bindings);
            let LevelInput::Scan(scan) = &level.input else { return Ok(()) };
            let mut found: Vec<Row> = Vec::new();
            let mut last = None;
            let cursor = after.as_ref().map(|key| Cursor { key, inclusive: false });
            source.scan(At::After, parents, &equal, cursor, false, &mut |row| {
                let beyond = |bound: &Key| level.order.key(row) > *bound;
                if bound.as_ref().is_some_and(beyond) {
                    return ControlFlow::Break(());
                }
                if scan.filter.row_passes(row) {
                    found.push(row.clone());
                }
                if found.len() == CHUNK {
                    last = Some(level.order.key(row));
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            })?;
            level.stats.candidates += found.len() as u64;
            let mut changed = BTreeSet::new();
            for row in found {
                self.admit(source, level, slot, bindings, &row, &mut changed)?;
            }
            if last.is_none() {
                return Ok(());
            }
            for partition in changed {
                let held = level.partition_mut(partition);
                let binding = Arc::clone(&held.binding);
                held.window.evict(&binding.extent);
            }
            after = last;
        }
    }

    /// Lets a row into the windows in which it belongs now.
    fn admit(
        &self,
        source: &dyn Source,
        level: &mut Level,
        slot: Slot,
        bindings: &[Arc<Binding>],
        row: &Row,
        changed: &mut BTreeSet<u32>,
    ) -> Result<(), SourceError> {
        let LevelInput::Scan(scan) = &level.input else { return Ok(()) };
        let mut route = KeyBuffer::new();
        let Some(correlation) = scan.route(row, &mut route) else { return Ok(()) };
        if level.gate_parents > 0 {
            level.batch.touched.insert(Key::from_slice(&route), correlation);
        }
        if bindings.is_empty() {
            return Ok(());
        }
        let order_key = level.order.key(row);
        for at in 0..level.variants(&route).len() {
            let partition = level.variants(&route)[at];
            let LevelInput::Scan(scan) = &level.input else { return Ok(()) };
            let held = level.partition(partition);
            let gate = &held.binding.children[usize::from(slot)];
            if !held.window.admits(&held.binding.extent, &order_key)
                || held.window.contains(&order_key)
                || !bindings.iter().any(|other| Arc::ptr_eq(other, gate) || other == gate)
            {
                continue;
            }
            let mut probes = 0;
            let passes =
                self.gates_pass(source, level, scan, &held.binding, row, None, &mut probes)?;
            level.stats.probes += probes;
            if passes {
                level.partition_mut(partition).window.insert(order_key.clone(), row.clone());
                level.mark(partition);
                changed.insert(partition);
            }
        }
        Ok(())
    }

    /// The furthest edge of the windows that a row may enter, or `None` where there is none (one
    /// of them takes everything), or the rows beyond it matter to a gate above, or there are many.
    fn common_edge(&self, level: &Level, slot: Slot, bindings: &[Arc<Binding>]) -> Option<Key> {
        if level.gate_parents > 0 {
            return None;
        }
        let mut furthest: Option<&Key> = None;
        for binding in bindings {
            let partitions = level.bindings.partitions(slot, binding);
            if partitions.len() > BOUNDED_WINDOWS {
                return None;
            }
            for partition in partitions {
                match level.partition(partition).window.edge() {
                    Edge::Open => return None,
                    Edge::At(edge) => furthest = furthest.max(Some(edge)),
                }
            }
        }
        furthest.cloned()
    }
}

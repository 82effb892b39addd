//! Filling a result in steps, so that a long first read does not hold up everybody else.
//!
//! A result that is bound for it ([`Extent::in_steps`](crate::plan::Extent::in_steps)) begins with an
//! empty window whose edge lies before all rows. Each step reads on from the edge and moves it. In
//! between, transactions maintain the window as any other: rows up to the edge come and go, rows
//! beyond it are read when their turn comes. So at every moment the result is the first rows of the
//! complete one. A step goes through the graph like a transaction that changed no data: rows that
//! came take hold of their child partitions, and [`Graph::commit`] tells what came.
//!
//! Only the root is read in steps; what hangs below one row is filled at once.
//!
//! Cost of all steps: that of filling at once, plus a seek and a patch per step.

use crate::fill::{End, Limits};
use crate::graph::{Graph, RootId};
use crate::level::{Level, LevelId, LevelInput};
use crate::plan::Extent;
use crate::source::{Source, SourceError};
use crate::take::Edge;

impl Graph {
    /// Whether a result has all its rows; one that is filled in steps may not have them yet.
    pub fn is_complete(&self, root: RootId) -> bool {
        !self.level(root.0.level).partition(root.0.partition).window.is_growing()
    }

    /// Reads on to fill a result, for up to so many rows of its table. [`Graph::commit`] then tells
    /// what came, as after [`Graph::advance`]. Returns whether the result is complete.
    ///
    /// Cost: O(rows read, and what hangs below those that came).
    ///
    /// # Errors
    /// A failing source; the result is then as it was before.
    pub fn grow(
        &mut self,
        source: &mut dyn Source,
        root: RootId,
        rows: usize,
    ) -> Result<bool, SourceError> {
        if self.is_complete(root) {
            return Ok(true);
        }
        self.with_derived(source, |graph, source| {
            debug_assert!(graph.reached.is_empty(), "one transaction at a time");
            let id = root.0.level;
            graph.reached.push(id);
            let mut level = graph.take_level(id);
            let outcome = graph.grow_window(source, id, &mut level, root.0.partition, rows.max(1));
            graph.put_level(id, level);
            outcome.inspect_err(|_| graph.undo_levels())
        })
    }

    fn grow_window(
        &mut self,
        source: &dyn Source,
        id: LevelId,
        level: &mut Level,
        partition: u32,
        reads: usize,
    ) -> Result<bool, SourceError> {
        let held = level.partition(partition);
        let (route, binding) = (held.route.clone(), std::sync::Arc::clone(&held.binding));
        let capacity = binding.extent.capacity().unwrap_or(usize::MAX);
        // Rows that came up to the edge may have filled it.
        let room = capacity.saturating_sub(held.window.rows().len());
        let edge = match held.window.edge() {
            Edge::At(edge) => Some(edge.clone()).filter(|edge| !edge.is_empty()),
            Edge::Open => None,
        };
        let (rows, end) = match room {
            0 => (Vec::new(), End::Full),
            _ => {
                let limits = Limits { room, reads };
                self.fill_within(source, level, &route, &binding, edge.as_ref(), limits)?
            }
        };
        let (edge, is_complete) = match (end, rows.last()) {
            (End::Stopped(edge), _) => (Edge::At(edge), false),
            (End::Full, Some((last, _))) => (Edge::At(last.clone()), true),
            (End::Full, None) => (Edge::At(edge.unwrap_or_default()), true),
            (End::Exhausted, _) => (Edge::Open, true),
        };
        level.mark(partition);
        let held = level.partition_mut(partition);
        held.window.grow(rows, edge, is_complete);
        held.window.settle(&binding.extent);
        self.relink(source, id, level, partition)?;
        self.note_violation(id, level, partition);
        Ok(is_complete)
    }
}

/// Whether a window of this extent begins empty, to be filled in steps. Where rows are looked up by
/// key, or all sorted for each read, that would be more work and not less at a time.
#[inline]
pub(crate) fn is_filled_in_steps(source: &dyn Source, level: &Level, extent: &Extent) -> bool {
    let LevelInput::Scan(scan) = &level.input else { return false };
    extent.in_steps.is_some() && scan.listed.is_none() && source.is_ordered(scan.scan)
}

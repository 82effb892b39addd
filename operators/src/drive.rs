//! Driving a level from an EXISTS: its rows, found from the rows that the EXISTS finds.
//!
//! A level whose condition requires an EXISTS has no other rows than the parents of the rows of the
//! EXISTS body. Where those are few, going to them and up is cheaper than reading the level in
//! order. The body's rows are found in turn from an EXISTS that it requires, or by the constants
//! that it requires, or, with neither, by reading its table. The walk gives up when it has read
//! as many rows as it may.
//!
//! Cost: at most the budget, and sorting the rows found. State: none.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use crate::fill::{Position, Reads};
use crate::graph::Graph;
use crate::key::{Key, KeyBuffer, write_columns_non_null};
use crate::level::{Level, LevelEdge, LevelInput, ScanInput, Slot};
use crate::plan::Binding;
use crate::route::{constants, distinct_values};
use crate::row::Row;
use crate::source::{At, ScanId, Source, SourceError};

/// Rows that may still be read.
struct Budget<'r> {
    left: usize,
    reads: &'r mut Reads,
}

impl Graph {
    /// The rows of a partition from a position on that pass, in order, found from the EXISTS that
    /// the level requires; `None` where that would read more than `budget` rows.
    #[allow(clippy::too_many_arguments)] // The context of one read.
    pub(crate) fn drive(
        &self,
        source: &dyn Source,
        level: &Level,
        route: &[u8],
        binding: &Binding,
        from: Option<&Position>,
        budget: usize,
        reads: &mut Reads,
    ) -> Result<Option<BTreeMap<Key, Row>>, SourceError> {
        let LevelInput::Scan(scan) = &level.input else { return Ok(None) };
        let Some(slot) = scan.driver else { return Ok(None) };
        let mut budget = Budget { left: budget, reads };
        let Some(rows) = self.parents_of_gate(source, level, slot, binding, &mut budget)? else {
            return Ok(None);
        };
        let mut found = BTreeMap::new();
        let mut buffer = KeyBuffer::new();
        for row in rows {
            if scan.route(&row, &mut buffer).is_none() || buffer[..] != *route {
                continue;
            }
            let key = level.order.key(&row);
            let probes = &mut budget.reads.probes;
            if from.is_none_or(|from| from.admits(&key))
                && scan.filter.row_passes(&row)
                && self.gates_pass(source, level, scan, binding, &row, Some(slot), probes)?
            {
                found.insert(key, row);
            }
        }
        Ok(Some(found))
    }

    /// The rows of a level for which one of its gates is open, each once.
    fn parents_of_gate(
        &self,
        source: &dyn Source,
        level: &Level,
        slot: Slot,
        binding: &Binding,
        budget: &mut Budget<'_>,
    ) -> Result<Option<Vec<Row>>, SourceError> {
        let edge = &level.edges[usize::from(slot)];
        let child_binding = &binding.children[usize::from(slot)];
        let child = self.level(edge.child);
        let (LevelInput::Scan(child_scan), Some(parents)) = (&child.input, edge.parents) else {
            return Ok(None);
        };
        let Some(rows) =
            self.rows_of_body(source, edge, child, child_scan, child_binding, budget)?
        else {
            return Ok(None);
        };
        let mut keys = BTreeSet::new();
        let mut buffer = KeyBuffer::new();
        for row in rows {
            buffer.clear();
            let correlated = &child_scan.partition[..child_scan.correlated];
            if write_columns_non_null(&row, correlated, &mut buffer) {
                keys.insert(Key::from_slice(&buffer));
            }
        }
        let mut found = Vec::new();
        for key in keys {
            let Some(equal) = distinct_values(&edge.columns, &key) else { continue };
            if !read_all(source, parents, &equal, budget, &mut found)? {
                return Ok(None);
            }
        }
        Ok(Some(found))
    }

    /// The rows of an EXISTS body, whatever they are correlated with.
    fn rows_of_body(
        &self,
        source: &dyn Source,
        edge: &LevelEdge,
        child: &Level,
        scan: &ScanInput,
        binding: &Binding,
        budget: &mut Budget<'_>,
    ) -> Result<Option<Vec<Row>>, SourceError> {
        let required = constants(binding);
        // Candidates found from the body's own EXISTS have it.
        let open = scan.driver;
        let candidates = match (scan.driver, edge.body) {
            (Some(slot), _) => self.parents_of_gate(source, child, slot, binding, budget)?,
            (None, Some(body)) => {
                let mut rows = Vec::new();
                read_all(source, body, &required, budget, &mut rows)?.then_some(rows)
            }
            (None, None) => None,
        };
        let Some(candidates) = candidates else { return Ok(None) };
        let mut rows = Vec::new();
        let mut buffer = KeyBuffer::new();
        for row in candidates {
            let Some(correlation) = scan.route(&row, &mut buffer) else { continue };
            let probes = &mut budget.reads.probes;
            if buffer[correlation..] == *required
                && scan.filter.row_passes(&row)
                && self.gates_pass(source, child, scan, binding, &row, open, probes)?
            {
                rows.push(row);
            }
        }
        Ok(Some(rows))
    }
}

/// Reads all rows with these values; returns false where the budget does not allow it.
fn read_all(
    source: &dyn Source,
    scan: ScanId,
    equal: &[u8],
    budget: &mut Budget<'_>,
    rows: &mut Vec<Row>,
) -> Result<bool, SourceError> {
    let mut within = true;
    source.scan(At::After, scan, equal, None, false, &mut |row| {
        if budget.left == 0 {
            within = false;
            return ControlFlow::Break(());
        }
        budget.left -= 1;
        budget.reads.rows += 1;
        rows.push(row.clone());
        ControlFlow::Continue(())
    })?;
    Ok(within)
}

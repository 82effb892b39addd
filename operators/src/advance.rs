//! A transaction's way through the levels.
//!
//! Levels are processed children first, each once. For a scan level: the table's deltas are
//! routed to partitions and filtered; then the candidates of gates that may have flipped; then
//! each changed window evicts or refills; then rows that came or went take hold of or let go of
//! child partitions; then the holders of the changed partitions are told. What a window held
//! before the transaction *is* the state before it, so only the state after is ever read.
//!
//! A source error undoes everything: windows from their logs, links from the journal.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::delta::{Batch, Delta, Deltas};
use crate::distinct;
use crate::graph::{Graph, RootId};
use crate::holders::Holder;
use crate::key::{Key, KeyBuffer};
use crate::level::{Level, LevelId, LevelInput, PartitionId, Slot};
use crate::patch::PatchBuilder;
use crate::relation::source_view::SourceView;
use crate::row::Row;
use crate::row_set::RowSetPatch;
use crate::schema::Schema;
use crate::source::{Source, SourceError};
use crate::stats::Timing;
use crate::take::Edge;
use crate::view::ListPatch;

/// What one transaction changed in one subscribed result.
#[derive(Clone, Debug)]
pub struct RootPatch {
    /// The result.
    pub root: RootId,
    /// The change of its tree; may be empty where only the row set changed.
    pub tree: Arc<ListPatch>,
    /// The change of its row set, where one is kept.
    pub rows: Option<Arc<RowSetPatch>>,
}

/// Buffers up to this many entries are kept from one transaction to the next.
const KEPT: usize = 64;

/// Levels that wait to be processed, lowest first.
pub(crate) type Queue = BinaryHeap<Reverse<(u32, LevelId)>>;

impl Graph {
    /// Takes a transaction through all levels. The source has it in flight; once it is permanent
    /// there, [`Graph::commit`] tells what changed. [`Graph::undo`] forgets it instead.
    ///
    /// # Errors
    /// A failing source; every result is then as it was before the transaction.
    pub fn advance(&mut self, source: &mut dyn Source, batch: &Batch) -> Result<(), SourceError> {
        let Some(mut flow) = self.flow.take() else {
            return self.advance_levels(source, &Deltas { base: batch, derived: None });
        };
        let mut outcome = flow.advance(source, batch);
        if outcome.is_ok() {
            // The levels read the tables through the flow, and their deltas beside it.
            let derived = flow.take_batch();
            let view = SourceView { base: source, flow: &mut flow };
            let deltas = Deltas { base: batch, derived: Some(&derived) };
            outcome = self.advance_levels(&view, &deltas);
            if outcome.is_err() {
                flow.undo();
            }
        }
        self.flow = Some(flow);
        outcome
    }

    fn advance_levels(
        &mut self,
        source: &dyn Source,
        batch: &Deltas<'_>,
    ) -> Result<(), SourceError> {
        debug_assert!(self.reached.is_empty(), "one transaction at a time");
        let mut queue = std::mem::take(&mut self.queue);
        for table in batch.tables() {
            self.enqueue_concerned(&mut queue, table, batch.table(table));
        }
        self.process_all(source, Some(batch), queue)
    }

    /// Processes the levels that wait, and those that come to wait thereby. Without a batch nothing
    /// is known of what changed.
    pub(crate) fn process_all(
        &mut self,
        source: &dyn Source,
        batch: Option<&Deltas<'_>>,
        mut queue: Queue,
    ) -> Result<(), SourceError> {
        while let Some(Reverse((_, id))) = queue.pop() {
            self.reached.push(id);
            let mut level = self.take_level(id);
            let batches = level.stats.batches;
            let timing = Timing::start(batches, self.clock);
            let outcome = self.process(source, batch, id, &mut level);
            timing.stop(batches, self.clock, &mut level.stats.maintain_nanos);
            level.stats.batches += 1;
            self.put_level(id, level);
            if let Err(error) = outcome {
                self.reached.extend(queue.drain().map(|Reverse((_, id))| id));
                self.undo_levels();
                return Err(error);
            }
            self.tell_parents(id, &mut queue);
        }
        self.queue = queue;
        Ok(())
    }

    /// Makes the last [`Graph::advance`] permanent and returns what it changed in subscribed
    /// results, each at most once, in a deterministic order. Cannot fail.
    pub fn commit(&mut self, schema: &Schema) -> Vec<RootPatch> {
        let mut reached = std::mem::take(&mut self.reached);
        let patches = self.collect(schema, &reached);
        for id in &reached {
            self.settle_level(*id);
        }
        reached.clear();
        self.reached = reached;
        self.end_transaction();
        self.flow.iter_mut().for_each(|flow| flow.commit());
        patches
    }

    /// Undoes the last [`Graph::advance`]: every result is as it was before. Cannot fail.
    pub fn undo(&mut self) {
        self.undo_levels();
        self.flow.iter_mut().for_each(|flow| flow.undo());
    }

    pub(crate) fn undo_levels(&mut self) {
        let reached = std::mem::take(&mut self.reached);
        self.abandon(&reached);
    }

    pub(crate) fn enqueue(&mut self, queue: &mut Queue, id: LevelId) {
        let level = self.level_mut(id);
        if !std::mem::replace(&mut level.batch.queued, true) {
            queue.push(Reverse((level.height, id)));
        }
    }

    fn process(
        &mut self,
        source: &dyn Source,
        batch: Option<&Deltas<'_>>,
        id: LevelId,
        level: &mut Level,
    ) -> Result<(), SourceError> {
        match (&level.input, batch) {
            (LevelInput::Scan(_), Some(batch)) => {
                self.route_deltas(source, level, batch.table(level.table))?;
                for slot in 0..level.inner_edges {
                    let child = level.edges[slot].child;
                    if !self.level(child).batch.touched.is_empty() {
                        self.gate_changes(source, id, level, slot as Slot)?;
                    }
                }
            }
            (LevelInput::Scan(_), None) => self.reread_level(source, level)?,
            (LevelInput::Junction, _) => {
                for partition in level.batch.dirty.clone() {
                    self.junction_changes(source, id, level, partition)?;
                }
            }
        }
        for at in 0..level.batch.dirty.len() {
            let partition = level.batch.dirty[at];
            self.settle_window(source, level, partition)?;
            self.relink(source, id, level, partition)?;
            self.note_violation(id, level, partition);
        }
        Ok(())
    }

    /// Routes one row delta of a scan level's table to the partitions it concerns.
    pub(crate) fn route_delta(
        &self,
        source: &dyn Source,
        level: &mut Level,
        delta: &Delta,
    ) -> Result<(), SourceError> {
        let LevelInput::Scan(scan) = &level.input else { return Ok(()) };
        level.stats.deltas_in += 1;
        let (mut old_route, mut new_route) = (KeyBuffer::new(), KeyBuffer::new());
        let old = delta.old.as_ref().and_then(|row| Some((row, scan.route(row, &mut old_route)?)));
        if let Some((row, _)) = old
            && let Some(new) = &delta.new
            && !delta.changed.intersects(scan.reads)
        {
            // The row stays where it is; only its content is new.
            let variants: SmallVec<[u32; 4]> = level.variants(&old_route).into();
            if !variants.is_empty() {
                let key = level.order.key(row);
                for partition in variants {
                    if level.partition(partition).window.contains(&key) {
                        level.partition_mut(partition).window.insert(key.clone(), new.clone());
                        level.mark(partition);
                    }
                }
            }
            return Ok(());
        }
        // A row whose partition columns are the same is where it was.
        let stays = delta.old.is_some() && !delta.changed.intersects(scan.partition_columns);
        let new = delta.new.as_ref().and_then(|row| match stays {
            true => Some((row, old?.1)),
            false => Some((row, scan.route(row, &mut new_route)?)),
        });
        let same_route = old.is_some() && new.is_some() && (stays || old_route == new_route);
        let new_route = if same_route { &old_route } else { &new_route };
        type Found = SmallVec<[u32; 4]>;
        let old_variants: Found = match old {
            Some(_) => level.variants(&old_route).into(),
            None => Found::new(),
        };
        let new_variants: Found = match new {
            Some(_) if same_route => old_variants.clone(),
            Some(_) => level.variants(new_route).into(),
            None => Found::new(),
        };
        let new_passes = new.is_some_and(|(row, _)| scan.filter.row_passes(row));
        if level.gate_parents > 0 {
            let old_passes = old.is_some_and(|(row, _)| scan.filter.row_passes(row));
            let unmoved = same_route
                && old_passes
                && new_passes
                && !delta.changed.intersects(scan.gate_columns);
            if !unmoved {
                let touched = &mut level.batch.touched;
                if let Some((_, correlation)) = old.filter(|_| old_passes) {
                    touched.insert(Key::from_slice(&old_route), correlation);
                }
                if let Some((_, correlation)) = new.filter(|_| new_passes) {
                    touched.insert(Key::from_slice(new_route), correlation);
                }
            }
        }
        let key = |row: &Row| level.order.key(row);
        let old_key = old.filter(|_| !old_variants.is_empty()).map(|(row, _)| key(row));
        let new_key = new.filter(|_| !new_variants.is_empty()).map(|(row, _)| key(row));
        // A row that keeps its place is replaced there, not taken out and put back.
        let in_place = same_route && old_key.is_some() && old_key == new_key;
        if let Some(key) = &old_key
            && !in_place
        {
            for partition in old_variants {
                if level.partition_mut(partition).window.remove(key) {
                    level.mark(partition);
                }
            }
        }
        let (Some((row, _)), Some(key)) = (new, &new_key) else { return Ok(()) };
        for partition in new_variants {
            let LevelInput::Scan(scan) = &level.input else { return Ok(()) };
            let held = level.partition(partition);
            let mut probes = 0;
            let enters = new_passes
                && held.window.admits(&held.binding.extent, key)
                && self.gates_pass(source, level, scan, &held.binding, row, None, &mut probes)?;
            level.stats.probes += probes;
            if enters {
                level.partition_mut(partition).window.insert(key.clone(), row.clone());
                level.mark(partition);
            } else if in_place && level.partition_mut(partition).window.remove(key) {
                level.mark(partition);
            }
        }
        Ok(())
    }

    /// Brings a changed window back within its limit, and fills it up where rows left it.
    fn settle_window(
        &mut self,
        source: &dyn Source,
        level: &mut Level,
        partition: u32,
    ) -> Result<(), SourceError> {
        let held = level.partition_mut(partition);
        let binding = Arc::clone(&held.binding);
        if held.window.evict(&binding.extent) {
            level.stats.refills += 1;
            match level.input {
                LevelInput::Junction => distinct::refill(level, partition),
                LevelInput::Scan(_) => {
                    let held = level.partition(partition);
                    let route = held.route.clone();
                    let edge = match held.window.edge() {
                        Edge::At(edge) => Some(edge.clone()),
                        Edge::Open => None,
                    };
                    let capacity = binding.extent.capacity().unwrap_or(usize::MAX);
                    let room = capacity - held.window.rows().len();
                    let (rows, exhausted) =
                        self.fill(source, level, &route, &binding, edge.as_ref(), room)?;
                    let window = &mut level.partition_mut(partition).window;
                    for (key, row) in rows {
                        window.insert(key, row);
                    }
                    window.refilled(exhausted);
                }
            }
        }
        let held = level.partition_mut(partition);
        held.window.settle(&binding.extent);
        level.stats.changes_out += level.partition(partition).window.log().len() as u64;
        Ok(())
    }

    /// Tells the holders of a processed level's changed partitions, and the levels that it gates.
    fn tell_parents(&mut self, id: LevelId, queue: &mut Queue) {
        let level = self.level(id);
        if level.parents.is_empty() {
            return;
        }
        let mut told: Vec<Holder> = Vec::new();
        for &partition in &level.batch.dirty {
            let held = level.partition(partition);
            if held.window.log().is_empty() && held.batch.touched().is_empty() {
                continue;
            }
            // A witness is only shown in row sets.
            let relevant = |holder: &&Holder| {
                let parent = self.level(holder.level);
                parent.row_set_users > 0 || !parent.is_gate(holder.slot)
            };
            told.extend(held.holders.iter().filter(relevant).cloned());
        }
        let gated: Vec<LevelId> = match level.batch.touched.is_empty() {
            true => Vec::new(),
            false => level.parents.iter().map(|(parent, _)| *parent).collect(),
        };
        for holder in told {
            let parent = self.level_mut(holder.level);
            parent.mark(holder.partition);
            let held = parent.partition_mut(holder.partition);
            held.batch.touch(holder.key, holder.slot);
            self.enqueue(queue, holder.level);
        }
        for parent in gated {
            self.enqueue(queue, parent);
        }
    }

    /// The patches of the subscribed results among the changed partitions.
    fn collect(&mut self, schema: &Schema, reached: &[LevelId]) -> Vec<RootPatch> {
        let mut roots: SmallVec<[PartitionId; 4]> = SmallVec::new();
        for &level in reached {
            let dirty = &self.level(level).batch.dirty;
            roots.extend(
                dirty
                    .iter()
                    .filter(|partition| self.level(level).partition(**partition).subscribers > 0)
                    .map(|&partition| PartitionId { level, partition }),
            );
        }
        let mut builder = PatchBuilder::new(self);
        let trees: SmallVec<[_; 4]> = roots.iter().map(|root| builder.patch(*root)).collect();
        let mut patches = Vec::with_capacity(roots.len());
        for (root, tree) in roots.into_iter().zip(trees) {
            let root = RootId(root);
            let was_kept = self.keeps_row_set(root);
            let rows = self.row_set_patch(schema, root).map(Arc::new);
            let is_lost = was_kept && !self.keeps_row_set(root);
            if is_lost || !tree.is_empty() || rows.as_ref().is_some_and(|rows| !rows.is_empty()) {
                patches.push(RootPatch { root, tree, rows });
            }
        }
        patches
    }

    /// Forgets what a level gathered in a transaction that is over.
    fn settle_level(&mut self, id: LevelId) {
        let Some(level) = &mut self.levels[id.0 as usize] else { return };
        level.batch.queued = false;
        level.batch.concern.clear();
        level.batch.touched.clear();
        let mut dirty = std::mem::take(&mut level.batch.dirty);
        self.dispatch.settle(id, level, &dirty);
        for partition in dirty.drain(..) {
            let held = level.partition_mut(partition);
            held.batch.clear();
            held.window.commit();
            held.junction.iter_mut().for_each(|reached| reached.commit());
        }
        if dirty.capacity() <= KEPT {
            level.batch.dirty = dirty;
        }
    }

    /// Undoes what the levels reached so far have done.
    fn abandon(&mut self, reached: &[LevelId]) {
        for &id in reached {
            let mut level = self.take_level(id);
            level.batch.queued = false;
            level.batch.concern.clear();
            level.batch.touched.clear();
            for partition in std::mem::take(&mut level.batch.dirty) {
                let held = level.partition_mut(partition);
                held.batch.clear();
                held.window.rollback();
                held.junction.iter_mut().for_each(|reached| reached.rollback());
                self.note_violation(id, &level, partition);
            }
            self.put_level(id, level);
        }
        self.rollback();
    }
}

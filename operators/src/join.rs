//! `join`: rows hold the partitions of their child levels.
//!
//! A row in a window holds, for each of its level's edges, the child partition for its correlation
//! key: its `related` lists and the witnesses of its gates. A child partition is filled when its
//! first holder comes and dropped after its last has left; in between it is maintained once,
//! however many rows hold it.
//!
//! Cost: one look-up per edge for a row that enters or leaves. State: one holder per edge and row,
//! in the child.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::graph::{Graph, LinkStep};
use crate::grow::is_filled_in_steps;
use crate::holders::Holder;
use crate::key::{Key, KeyBuffer};
use crate::level::{FAR, Level, LevelId, LevelInput, NEAR, PartitionId, Slot};
use crate::plan::Binding;
use crate::route::child_route;
use crate::row::Row;
use crate::source::{Source, SourceError};
use crate::stats::Timing;
use crate::take::{Edge, RowChange, Window};

impl Graph {
    /// The live partition for a route and a binding, filled where it is not live.
    pub(crate) fn acquire(
        &mut self,
        source: &dyn Source,
        level: LevelId,
        route: &[u8],
        binding: &Arc<Binding>,
    ) -> Result<u32, SourceError> {
        if let Some(id) = self.level(level).find(route, binding) {
            return Ok(id);
        }
        let mut taken = self.take_level(level);
        let made = self.hydrate(source, level, &mut taken, route, binding);
        self.put_level(level, taken);
        made
    }

    /// Makes and fills a partition.
    fn hydrate(
        &mut self,
        source: &dyn Source,
        id: LevelId,
        level: &mut Level,
        route: &[u8],
        binding: &Arc<Binding>,
    ) -> Result<u32, SourceError> {
        let hydrated = level.stats.partitions_hydrated;
        let timing = Timing::start(hydrated, self.clock);
        let partition = level.add(Key::from_slice(route), Arc::clone(binding));
        self.fresh.push(PartitionId { level: id, partition });
        match &level.input {
            LevelInput::Scan(_) if is_filled_in_steps(source, level, &binding.extent) => {
                level.partition_mut(partition).window = Window::growing();
            }
            LevelInput::Scan(_) => {
                let extent = &binding.extent;
                let room = extent.capacity().unwrap_or(usize::MAX);
                let (rows, exhausted) = self.fill(source, level, route, binding, None, room)?;
                level.partition_mut(partition).window = Window::hydrated(extent, rows, exhausted);
                self.note_shown(id, level, level.partition(partition), true);
            }
            LevelInput::Junction => self.reach(source, id, level, partition)?,
        }
        level.stats.partitions_hydrated += 1;
        level.stats.hydrate_rows_out += level.partition(partition).window.rows().len() as u64;
        self.link_all(source, id, level, partition)?;
        self.note_violation(id, level, partition);
        timing.stop(hydrated, self.clock, &mut level.stats.hydrate_nanos);
        Ok(partition)
    }

    /// Takes hold of the child partitions of all rows of a new window.
    fn link_all(
        &mut self,
        source: &dyn Source,
        id: LevelId,
        level: &Level,
        partition: u32,
    ) -> Result<(), SourceError> {
        if row_slots(level).is_empty() {
            return Ok(());
        }
        for (key, row) in level.partition(partition).window.rows().iter() {
            self.link(source, id, level, partition, &Key::from_slice(key), row)?;
        }
        Ok(())
    }

    /// Takes hold of the child partitions of a row that entered a window.
    pub(crate) fn link(
        &mut self,
        source: &dyn Source,
        id: LevelId,
        level: &Level,
        partition: u32,
        key: &Key,
        row: &Row,
    ) -> Result<(), SourceError> {
        if level.edges.is_empty() {
            return Ok(());
        }
        let binding = Arc::clone(&level.partition(partition).binding);
        let mut route = KeyBuffer::new();
        for slot in row_slots(level) {
            let edge = &level.edges[usize::from(slot)];
            let child_binding = &binding.children[usize::from(slot)];
            if child_route(&edge.columns, row, child_binding, &mut route) {
                let holder = Holder { level: id, slot, partition, key: key.clone() };
                self.hold(source, edge.child, &route, child_binding, holder)?;
            }
        }
        Ok(())
    }

    /// Lets go of the child partitions of a row that left a window.
    pub(crate) fn unlink(
        &mut self,
        id: LevelId,
        level: &Level,
        partition: u32,
        binding: &Binding,
        key: &Key,
        row: &Row,
    ) {
        let mut route = KeyBuffer::new();
        for slot in row_slots(level) {
            let edge = &level.edges[usize::from(slot)];
            let child_binding = &binding.children[usize::from(slot)];
            if child_route(&edge.columns, row, child_binding, &mut route) {
                let holder = Holder { level: id, slot, partition, key: key.clone() };
                self.let_go(edge.child, &route, child_binding, holder);
            }
        }
    }

    /// Moves the links of the rows of one window after its changes: first takes hold, then lets go,
    /// so that what is needed before and after is never dropped.
    pub(crate) fn relink(
        &mut self,
        source: &dyn Source,
        id: LevelId,
        level: &Level,
        partition: u32,
    ) -> Result<(), SourceError> {
        if level.edges.is_empty() {
            return Ok(());
        }
        let changes = level.partition(partition).window.log();
        let binding = &level.partition(partition).binding;
        // A row whose position and correlation columns are the same holds what it held.
        let stays = |change: &RowChange| match (&change.old, &change.new) {
            (Some(old), Some(new)) => row_slots(level).all(|slot| {
                level.edges[usize::from(slot)].columns.iter().all(|&c| old.get(c) == new.get(c))
            }),
            _ => false,
        };
        let moving: SmallVec<[&RowChange; 4]> = changes.iter().filter(|c| !stays(c)).collect();
        for change in &moving {
            if let Some(old) = &change.old
                && change.new.is_some()
            {
                // Same position, other correlation: the holder is the same but for the child.
                self.unlink(id, level, partition, binding, &change.key, old);
            }
            if let Some(new) = &change.new {
                self.link(source, id, level, partition, &change.key, new)?;
            }
        }
        for change in &moving {
            if let (Some(old), None) = (&change.old, &change.new) {
                self.unlink(id, level, partition, binding, &change.key, old);
            }
        }
        Ok(())
    }

    /// Adds a holder to a child partition, which is filled where it is not live.
    pub(crate) fn hold(
        &mut self,
        source: &dyn Source,
        level: LevelId,
        route: &[u8],
        binding: &Arc<Binding>,
        holder: Holder,
    ) -> Result<u32, SourceError> {
        let partition = self.acquire(source, level, route, binding)?;
        let held = self.level_mut(level).partition_mut(partition);
        if held.holders.insert(holder.clone()) {
            let child = PartitionId { level, partition };
            self.journal.push(LinkStep { child, holder, added: true });
        }
        Ok(partition)
    }

    /// Removes a holder from a child partition; the partition is dropped at the end of the
    /// transaction if nothing holds it then.
    pub(crate) fn let_go(
        &mut self,
        level: LevelId,
        route: &[u8],
        binding: &Arc<Binding>,
        holder: Holder,
    ) {
        let Some(partition) = self.level(level).find(route, binding) else { return };
        let child = PartitionId { level, partition };
        let held = self.level_mut(level).partition_mut(partition);
        if held.holders.remove(&holder) {
            if held.holders.is_empty() {
                self.sweep.push(child);
            }
            self.journal.push(LinkStep { child, holder, added: false });
        }
    }

    /// Drops partitions without holders and subscribers, and what they held, and so on down.
    pub(crate) fn sweep_unheld(&mut self) {
        while let Some(id) = self.sweep.pop() {
            let mut level = self.take_level(id.level);
            let unheld = level
                .partitions
                .get_live(id.partition)
                .is_some_and(|held| held.holders.is_empty() && held.subscribers == 0);
            if unheld && let Some(dropped) = level.take(id.partition) {
                self.violating.remove(&id);
                self.note_shown(id.level, &level, &dropped, false);
                for (key, row) in dropped.window.rows().iter() {
                    let key = Key::from_slice(key);
                    self.unlink(id.level, &level, id.partition, &dropped.binding, &key, row);
                }
                if let Some(reached) = &dropped.junction {
                    self.unreach(id, &level, &dropped.route, &dropped.binding, reached);
                }
            }
            self.put_level(id.level, level);
        }
    }

    /// Makes a partition for another binding of a root's template out of the root's own rows,
    /// reading only what they do not cover.
    pub(crate) fn adopt(
        &mut self,
        source: &dyn Source,
        root: PartitionId,
        route: &Key,
        binding: &Arc<Binding>,
    ) -> Result<u32, SourceError> {
        let id = root.level;
        if let Some(found) = self.level(id).find(route, binding) {
            return Ok(found);
        }
        let old = self.level(id).partition(root.partition);
        let same_start = old.binding.extent.start == binding.extent.start;
        let is_scan = matches!(self.level(id).input, LevelInput::Scan(_));
        if !same_start || !is_scan || old.binding.extent.limit == Some(0) {
            return self.acquire(source, id, route, binding);
        }
        let rows: Vec<(Key, Row)> = old
            .window
            .rows()
            .iter()
            .map(|(key, row)| (Key::from_slice(key), row.clone()))
            .collect();
        let edge = old.window.edge().clone();
        let extent = &binding.extent;
        let capacity = extent.capacity().unwrap_or(usize::MAX);
        let mut level = self.take_level(id);
        let made = (|| {
            let partition = level.add(route.clone(), Arc::clone(binding));
            self.fresh.push(PartitionId { level: id, partition });
            let mut rows = rows;
            let mut exhausted = edge == Edge::Open && rows.len() <= capacity;
            rows.truncate(capacity);
            if rows.len() < capacity
                && let Edge::At(edge) = &edge
            {
                let room = capacity - rows.len();
                let (more, all) =
                    self.fill(source, &mut level, route, binding, Some(edge), room)?;
                rows.extend(more);
                exhausted = all;
            }
            level.partition_mut(partition).window = Window::hydrated(extent, rows, exhausted);
            self.note_shown(id, &level, level.partition(partition), true);
            self.link_all(source, id, &level, partition)?;
            self.note_violation(id, &level, partition);
            Ok(partition)
        })();
        self.put_level(id, level);
        made
    }

    /// Keeps the list of partitions that hold two rows where one was declared.
    pub(crate) fn note_violation(&mut self, id: LevelId, level: &Level, partition: u32) {
        let held = level.partition(partition);
        if held.binding.extent.expect_one {
            let id = PartitionId { level: id, partition };
            if held.window.rows().len() > 1 {
                self.violating.insert(id);
            } else {
                self.violating.remove(&id);
            }
        }
    }
}

/// The slots through which a level's rows hold partitions. Those of a junction's inner edges are
/// held by the partition itself.
pub(crate) fn row_slots(level: &Level) -> std::ops::Range<Slot> {
    let first = match level.input {
        LevelInput::Scan(_) => NEAR,
        LevelInput::Junction => FAR + 1,
    };
    first..(level.edges.len() as Slot)
}

//! `distinct`: the far side of a junction, each row once.
//!
//! A junction partition holds the hidden partition for its key (its *near* rows) and, for each
//! distinct far key among those, one far partition. A far row has one far key, so rows of two far
//! partitions are never the same row, and counting near rows per far key is all that keeping
//! distinct rows takes.
//!
//! Where the junction has a limit or offset, all rows it reaches are kept in order beside the
//! window, since a union of partitions has no index to refill from.
//!
//! Cost: O(log reached) per near or far change; a far key that comes or goes costs its rows.
//! State: one count per far key; with a limit, one entry per reached row.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use smallvec::SmallVec;

use crate::graph::Graph;
use crate::holders::Holder;
use crate::key::{Key, KeyBuffer};
use crate::level::{FAR, Level, LevelId, NEAR, PartitionId, Slot};
use crate::order_by::OrderedRows;
use crate::plan::Binding;
use crate::route::{child_route, write_constants};
use crate::row::Row;
use crate::source::{Source, SourceError};
use crate::take::{RowChange, Window};

/// What a junction partition reaches.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    /// The far routes, each with the number of near rows that lead there.
    far: BTreeMap<Key, u32>,
    /// All reached rows in order, where the window takes only some.
    members: Option<OrderedRows>,
    far_log: Vec<(Key, u32)>,
    member_log: Vec<(Key, Option<Row>)>,
}

impl Reached {
    /// What a new junction partition reaches.
    pub(crate) fn new(far: BTreeMap<Key, u32>, members: Option<OrderedRows>) -> Reached {
        Reached { far, members, ..Reached::default() }
    }

    /// The far routes in key order.
    pub(crate) fn far_routes(&self) -> impl Iterator<Item = &Key> {
        self.far.keys()
    }

    pub(crate) fn commit(&mut self) {
        self.far_log.clear();
        self.member_log.clear();
    }

    pub(crate) fn rollback(&mut self) {
        for (key, count) in std::mem::take(&mut self.far_log).into_iter().rev() {
            match count {
                0 => drop(self.far.remove(&key)),
                _ => drop(self.far.insert(key, count)),
            }
        }
        let Some(members) = &mut self.members else { return };
        for (key, row) in std::mem::take(&mut self.member_log).into_iter().rev() {
            match row {
                Some(row) => drop(members.insert(&key, row)),
                None => drop(members.remove(&key)),
            }
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.far.len() * (size_of::<Key>() + 4) * 4 / 3
            + self.members.as_ref().map_or(0, OrderedRows::bytes)
    }

    fn add_member(&mut self, key: &Key, row: &Row) {
        if let Some(members) = &mut self.members {
            let old = members.insert(key, row.clone());
            self.member_log.push((key.clone(), old));
        }
    }

    fn remove_member(&mut self, key: &Key) {
        if let Some(members) = &mut self.members {
            let old = members.remove(key);
            self.member_log.push((key.clone(), old));
        }
    }
}

/// The hidden partition of a junction partition: its route is the junction's own, with the
/// constants of the hidden hop.
pub(crate) fn near_route(route: &Key, near: &Binding) -> KeyBuffer {
    let mut buffer = KeyBuffer::from_slice(route);
    write_constants(near, &mut buffer);
    buffer
}

impl Graph {
    /// Fills a new junction partition.
    pub(crate) fn reach(
        &mut self,
        source: &dyn Source,
        id: LevelId,
        level: &mut Level,
        partition: u32,
    ) -> Result<(), SourceError> {
        let (route, binding) = {
            let held = level.partition(partition);
            (held.route.clone(), Arc::clone(&held.binding))
        };
        let near_binding = &binding.children[usize::from(NEAR)];
        let near_level = level.edges[usize::from(NEAR)].child;
        let holder = Holder { level: id, slot: NEAR, partition, key: Key::default() };
        let near_key = near_route(&route, near_binding);
        let near = self.hold(source, near_level, &near_key, near_binding, holder)?;

        let far_level = level.edges[usize::from(FAR)].child;
        let far_binding = &binding.children[usize::from(FAR)];
        let far = self.far_routes(level, &binding, near);
        let mut found: SmallVec<[u32; 8]> = SmallVec::new();
        for far_key in far.keys() {
            let holder = Holder { level: id, slot: FAR, partition, key: far_key.clone() };
            found.push(self.hold(source, far_level, far_key, far_binding, holder)?);
        }
        let (window, members) = self.reached(level, &binding, found.into_iter());
        let held = level.partition_mut(partition);
        held.window = window;
        held.junction = Some(Box::new(Reached::new(far, members)));
        Ok(())
    }

    /// The far routes to which the rows of a hidden partition lead, with how many lead there.
    pub(crate) fn far_routes(
        &self,
        level: &Level,
        binding: &Binding,
        near: u32,
    ) -> BTreeMap<Key, u32> {
        let far_edge = &level.edges[usize::from(FAR)];
        let far_binding = &binding.children[usize::from(FAR)];
        let near_level = self.level(level.edges[usize::from(NEAR)].child);
        let mut far_route = KeyBuffer::new();
        let mut far = BTreeMap::new();
        for (_, row) in near_level.partition(near).window.visible() {
            if child_route(&far_edge.columns, row, far_binding, &mut far_route) {
                *far.entry(Key::from_slice(&far_route)).or_insert(0) += 1;
            }
        }
        far
    }

    /// The window of a junction partition that reaches these far partitions, and all rows of them
    /// if it takes only some.
    pub(crate) fn reached(
        &self,
        level: &Level,
        binding: &Binding,
        found: impl Iterator<Item = u32>,
    ) -> (Window, Option<OrderedRows>) {
        let far_level = self.level(level.edges[usize::from(FAR)].child);
        let mut all = OrderedRows::default();
        for far in found {
            for (_, row) in far_level.partition(far).window.visible() {
                all.insert(&level.order.key(row), row.clone());
            }
        }
        let extent = &binding.extent;
        let room = extent.capacity().unwrap_or(usize::MAX);
        let blank = Window::new();
        let admitted = all.iter().filter(|(key, _)| blank.admits(extent, key));
        let mut rows: Vec<(Key, Row)> = Vec::new();
        let mut exhausted = true;
        for (key, row) in admitted {
            if rows.len() == room {
                exhausted = false;
                break;
            }
            rows.push((Key::from_slice(key), row.clone()));
        }
        let window = Window::hydrated(extent, rows, exhausted);
        (window, extent.capacity().map(|_| all))
    }

    /// Lets go of the partitions that a dropped junction partition held.
    pub(crate) fn unreach(
        &mut self,
        id: PartitionId,
        level: &Level,
        route: &Key,
        binding: &Binding,
        reached: &Reached,
    ) {
        let near = &binding.children[usize::from(NEAR)];
        let holder =
            |slot: Slot, key: Key| Holder { level: id.level, slot, partition: id.partition, key };
        let near_level = level.edges[usize::from(NEAR)].child;
        self.let_go(near_level, &near_route(route, near), near, holder(NEAR, Key::default()));
        let far = &binding.children[usize::from(FAR)];
        let far_level = level.edges[usize::from(FAR)].child;
        for key in reached.far_routes() {
            self.let_go(far_level, key, far, holder(FAR, key.clone()));
        }
    }

    /// Brings a junction partition up to date with what changed in its near and far partitions.
    pub(crate) fn junction_changes(
        &mut self,
        source: &dyn Source,
        id: LevelId,
        level: &mut Level,
        partition: u32,
    ) -> Result<(), SourceError> {
        let (route, binding, touched) = {
            let held = level.partition(partition);
            (held.route.clone(), Arc::clone(&held.binding), held.batch.touched().to_vec())
        };
        let far_binding = &binding.children[usize::from(FAR)];
        let far_level = level.edges[usize::from(FAR)].child;
        let mut steps = Steps::default();

        // Far keys that came or went with near rows.
        if touched.iter().any(|(_, slot)| *slot == NEAR) {
            let near_binding = &binding.children[usize::from(NEAR)];
            let near_level = self.level(level.edges[usize::from(NEAR)].child);
            let changes = near_level
                .find(&near_route(&route, near_binding), near_binding)
                .map(|near| near_level.partition(near).window.visible_changes())
                .unwrap_or_default();
            for (far_key, difference) in far_differences(level, far_binding, &changes) {
                self.count_far(source, id, level, partition, far_key, difference, &mut steps)?;
            }
        }
        // Rows that changed within far partitions that were held before and still are.
        let far = self.level(far_level);
        for (far_key, slot) in &touched {
            let came = steps.came.contains(far_key);
            if *slot != FAR || came || steps.went.contains(far_key) {
                continue;
            }
            let Some(found) = far.find(far_key, far_binding) else { continue };
            for change in far.partition(found).window.visible_changes().iter() {
                steps.remove.extend(change.old.clone());
                steps.add.extend(change.new.clone());
            }
        }

        let extent = &binding.extent;
        for row in &steps.remove {
            let key = level.order.key(row);
            let held = level.partition_mut(partition);
            held.window.remove(&key);
            held.junction.iter_mut().for_each(|reached| reached.remove_member(&key));
        }
        for row in &steps.add {
            let key = level.order.key(row);
            let held = level.partition_mut(partition);
            held.junction.iter_mut().for_each(|reached| reached.add_member(&key, row));
            if held.window.admits(extent, &key) {
                held.window.insert(key, row.clone());
            }
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments)] // One step of `junction_changes`, with its whole context.
    fn count_far(
        &mut self,
        source: &dyn Source,
        id: LevelId,
        level: &mut Level,
        partition: u32,
        far_key: Key,
        difference: i64,
        steps: &mut Steps,
    ) -> Result<(), SourceError> {
        let far_level = level.edges[usize::from(FAR)].child;
        let held = level.partition_mut(partition);
        let binding = Arc::clone(&held.binding);
        let far_binding = &binding.children[usize::from(FAR)];
        let Some(reached) = &mut held.junction else { return Ok(()) };
        let before = reached.far.get(&far_key).copied().unwrap_or(0);
        // Differences come from rows that were counted, so a count never falls below zero.
        let after = u32::try_from(i64::from(before) + difference).unwrap_or(0);
        reached.far_log.push((far_key.clone(), before));
        match after {
            0 => drop(reached.far.remove(&far_key)),
            _ => drop(reached.far.insert(far_key.clone(), after)),
        }
        let holder = Holder { level: id, slot: FAR, partition, key: far_key.clone() };
        if before == 0 && after > 0 {
            let far = self.hold(source, far_level, &far_key, far_binding, holder)?;
            let window = &self.level(far_level).partition(far).window;
            steps.add.extend(window.visible().map(|(_, row)| row.clone()));
            steps.came.insert(far_key);
        } else if before > 0 && after == 0 {
            let far = self.level(far_level);
            if let Some(found) = far.find(&far_key, far_binding) {
                let rows = far.partition(found).window.visible_before();
                steps.remove.extend(rows.into_iter().map(|(_, row)| row));
            }
            self.let_go(far_level, &far_key, far_binding, holder);
            steps.went.insert(far_key);
        }
        Ok(())
    }
}

/// Far rows to take out and to put in, and the far keys that came and went.
#[derive(Default)]
struct Steps {
    remove: Vec<Row>,
    add: Vec<Row>,
    came: BTreeSet<Key>,
    went: BTreeSet<Key>,
}

/// How many near rows more or fewer lead to each far key.
fn far_differences(
    level: &Level,
    far_binding: &Binding,
    changes: &[RowChange],
) -> BTreeMap<Key, i64> {
    let columns = &level.edges[usize::from(FAR)].columns;
    let mut route = KeyBuffer::new();
    let mut differences = BTreeMap::new();
    for change in changes {
        for (row, difference) in [(&change.old, -1), (&change.new, 1)] {
            if let Some(row) = row
                && child_route(columns, row, far_binding, &mut route)
            {
                *differences.entry(Key::from_slice(&route)).or_insert(0) += difference;
            }
        }
    }
    differences.retain(|_, difference| *difference != 0);
    differences
}

/// Refills a junction's window from what it reaches.
pub(crate) fn refill(level: &mut Level, partition: u32) {
    let held = level.partition_mut(partition);
    let binding = Arc::clone(&held.binding);
    let extent = &binding.extent;
    let edge = match held.window.edge() {
        crate::take::Edge::At(edge) => Some(edge.clone()),
        crate::take::Edge::Open => None,
    };
    let Some(members) = held.junction.as_ref().and_then(|reached| reached.members.as_ref()) else {
        return;
    };
    let mut exhausted = true;
    for (key, row) in members.after(edge.as_deref()) {
        if extent.start.as_ref().is_some_and(|start| !start.admits(key)) {
            continue;
        }
        held.window.insert(Key::from_slice(key), row.clone());
        if extent.capacity().is_some_and(|capacity| held.window.rows().len() >= capacity) {
            exhausted = false;
            break;
        }
    }
    held.window.refilled(exhausted);
}

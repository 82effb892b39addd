//! Patches: what one transaction changed in a partition and below.
//!
//! Built after the transaction, top down from the partitions that are subscribed to, along the
//! rows that changed or have a change below them. A partition under many rows has one patch that
//! they share.
//!
//! Cost: O(changed rows and the subtrees that came with them), plus the rows above a change.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::graph::Graph;
use crate::key::Key;
use crate::level::{FixedMap, Level, LevelInput, PartitionId, Slot, fixed_hasher};
use crate::row::Row;
use crate::take::RowChange;
use crate::view::{ListPatch, NodeBuilder, Op};

/// Builds the patches of one transaction, each partition's once.
pub(crate) struct PatchBuilder<'g> {
    graph: &'g Graph,
    nodes: NodeBuilder<'g>,
    patches: FixedMap<PartitionId, Arc<ListPatch>>,
}

impl<'g> PatchBuilder<'g> {
    pub(crate) fn new(graph: &'g Graph) -> PatchBuilder<'g> {
        PatchBuilder {
            graph,
            nodes: NodeBuilder::new(graph),
            patches: FixedMap::with_hasher(fixed_hasher()),
        }
    }

    /// What the transaction changed in a partition and below.
    pub(crate) fn patch(&mut self, id: PartitionId) -> Arc<ListPatch> {
        if let Some(patch) = self.patches.get(&id) {
            return Arc::clone(patch);
        }
        let patch = Arc::new(self.build(id));
        let held = self.graph.level(id.level).partition(id.partition);
        if held.holders.len() > 1 || (held.subscribers > 0 && !held.holders.is_empty()) {
            self.patches.insert(id, Arc::clone(&patch));
        }
        patch
    }

    fn build(&mut self, id: PartitionId) -> ListPatch {
        let level = self.graph.level(id.level);
        let held = level.partition(id.partition);
        let changes = held.window.visible_changes();
        let mut ops = Vec::new();
        let mut gone: Vec<&RowChange> = Vec::new();
        let mut come: Vec<&RowChange> = Vec::new();
        for change in changes.iter() {
            match (&change.old, &change.new) {
                (Some(old), Some(new)) => {
                    ops.push(self.keep(level, id, (&change.key, old), (&change.key, new)));
                }
                (Some(_), None) => gone.push(change),
                (None, Some(_)) => come.push(change),
                (None, None) => {}
            }
        }
        self.pair_moves(level, id, gone, come, &mut ops);

        let mut touched: Vec<&(Key, Slot)> = match level.input {
            LevelInput::Scan(_) => held.batch.touched.iter().collect(),
            // The inner edges of a junction have had their effect on its rows already.
            LevelInput::Junction => {
                let outer = |slot: Slot| usize::from(slot) >= level.inner_edges;
                held.batch.touched.iter().filter(|(_, slot)| outer(*slot)).collect()
            }
        };
        touched.sort();
        touched.dedup_by(|a, b| a.0 == b.0);
        for (key, _) in touched {
            let changed = changes.binary_search_by(|change| change.key.cmp(key)).is_ok();
            let Some(row) = held.window.rows().get(key) else { continue };
            if changed || !held.window.shows(key) {
                continue;
            }
            let kept = self.keep(level, id, (key, row), (key, row));
            if matches!(&kept, Op::Keep { related, .. } if !related.is_empty()) {
                ops.push(kept);
            }
        }
        ListPatch::sorted(ops)
    }

    /// A row that left one place and entered another with the same primary key has moved.
    fn pair_moves(
        &mut self,
        level: &Level,
        id: PartitionId,
        gone: Vec<&RowChange>,
        come: Vec<&RowChange>,
        ops: &mut Vec<Op>,
    ) {
        let identity = |row: &Row| level.identity.key(row);
        let mut left: FixedMap<Key, &RowChange> = FixedMap::with_hasher(fixed_hasher());
        if !gone.is_empty() && !come.is_empty() {
            left.extend(gone.iter().filter_map(|c| Some((identity(c.old.as_ref()?), *c))));
        }
        let mut moved: Vec<&Key> = Vec::new();
        for change in come {
            let Some(new) = &change.new else { continue };
            let before = if left.is_empty() { None } else { left.get(&identity(new)) };
            match before.and_then(|before| Some((&before.key, before.old.as_ref()?))) {
                Some((from, old)) => {
                    moved.push(from);
                    let op = self.keep(level, id, (from, old), (&change.key, new));
                    ops.push(op);
                }
                None => {
                    ops.push(Op::Insert {
                        node: self.nodes.node(level, id, change.key.clone(), new),
                    });
                }
            }
        }
        moved.sort();
        for change in gone {
            if let Some(old) = &change.old
                && moved.binary_search(&&change.key).is_err()
            {
                ops.push(Op::Remove { key: change.key.clone(), row: old.clone() });
            }
        }
    }

    /// The operation for a row that stayed, with the changes of its related lists.
    fn keep(
        &mut self,
        level: &Level,
        id: PartitionId,
        (from, old): (&Key, &Row),
        (key, row): (&Key, &Row),
    ) -> Op {
        let binding = &level.partition(id.partition).binding;
        let mut related = SmallVec::new();
        for (position, slot) in level.related_slots().enumerate() {
            let before = self.graph.child(level, binding, slot, old);
            let after = self.graph.child(level, binding, slot, row);
            let patch = match (before, after) {
                (before, after) if before == after => match after {
                    Some(child) if self.is_dirty(child) => self.patch(child),
                    _ => continue,
                },
                (before, after) => Arc::new(self.replace(before, after)),
            };
            if !patch.is_empty() {
                related.push((position, patch));
            }
        }
        Op::Keep {
            from: from.clone(),
            key: key.clone(),
            old: old.clone(),
            row: row.clone(),
            related,
        }
    }

    fn is_dirty(&self, id: PartitionId) -> bool {
        self.graph.level(id.level).partition(id.partition).batch.dirty
    }

    /// The patch from all of one partition, as it was, to all of another of the same level and
    /// binding, as it is. A row that is in both stays.
    fn replace(&mut self, before: Option<PartitionId>, after: Option<PartitionId>) -> ListPatch {
        let graph = self.graph;
        let mut ops = Vec::new();
        let mut gone: FixedMap<Key, (Key, Row)> = FixedMap::with_hasher(fixed_hasher());
        if let Some(before) = before {
            let level = graph.level(before.level);
            let held = level.partition(before.partition);
            // A partition made in this transaction was not there before it.
            let rows = if held.batch.fresh { Vec::new() } else { held.window.visible_before() };
            gone.extend(rows.into_iter().map(|(key, row)| (level.identity.key(&row), (key, row))));
        }
        if let Some(after) = after {
            let level = graph.level(after.level);
            for (key, row) in level.partition(after.partition).window.visible() {
                let key = Key::from_slice(key);
                let Some((from, old)) = gone.remove(&level.identity.key(row)) else {
                    ops.push(Op::Insert { node: self.nodes.node(level, after, key, row) });
                    continue;
                };
                let kept = self.keep(level, after, (&from, &old), (&key, row));
                let same = from == key && old == *row;
                if !same || matches!(&kept, Op::Keep { related, .. } if !related.is_empty()) {
                    ops.push(kept);
                }
            }
        }
        ops.extend(gone.into_values().map(|(key, row)| Op::Remove { key, row }));
        ListPatch::sorted(ops)
    }
}

//! The scan levels of one table, and an index of them by the rows that may pass.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::delta::{ColumnSet, Delta};
use crate::key::KeyBuffer;
use crate::level::{LevelId, fixed_hasher};
use crate::plan::{Input, LevelPlan};
use crate::row::Row;

use super::cover::{Cover, Reading, cover};
use super::intervals::Intervals;

/// Up to this many levels of a table are visited one by one.
pub(super) const FEW: usize = 8;

type FixedIndexMap<K, V> = IndexMap<K, V, ahash::RandomState>;

/// The scan levels of one table.
#[derive(Debug)]
pub(super) struct TableLevels {
    pub(super) levels: FixedIndexMap<LevelId, Arc<LevelPlan>>,
    /// Present where the levels are many.
    pub(super) index: Option<Box<Index>>,
}

impl Default for TableLevels {
    fn default() -> TableLevels {
        TableLevels { levels: FixedIndexMap::with_hasher(fixed_hasher()), index: None }
    }
}

impl TableLevels {
    /// Adds a level. O(log n) per interval of its cover.
    pub(super) fn add(&mut self, level: LevelId, plan: Arc<LevelPlan>) {
        if let Some(index) = &mut self.index {
            index.add(level, &plan);
        }
        self.levels.insert(level, plan);
        if self.index.is_none() && self.levels.len() > FEW {
            let mut index = Box::new(Index::new());
            self.levels.iter().for_each(|(level, plan)| index.add(*level, plan));
            self.index = Some(index);
        }
    }

    /// Takes a level away. O(log n) per interval of its cover.
    pub(super) fn remove(&mut self, level: LevelId) {
        let Some(plan) = self.levels.swap_remove(&level) else { return };
        // Not at once, so that a table with about so many is not indexed time and again.
        if self.levels.len() <= FEW / 2 {
            self.index = None;
        }
        if let Some(index) = &mut self.index {
            index.remove(level, &plan);
        }
    }

    /// Bytes of the list and the index.
    pub(super) fn bytes(&self) -> usize {
        let listed = size_of::<(LevelId, Arc<LevelPlan>)>() + 2 * size_of::<usize>();
        self.levels.capacity() * listed + self.index.as_ref().map_or(0, |index| index.bytes())
    }
}

/// The intervals of one reading.
#[derive(Debug)]
struct Tree {
    columns: ColumnSet,
    intervals: Intervals,
}

/// Levels by the values of the rows that may pass their conditions.
#[derive(Debug)]
pub(super) struct Index {
    trees: FixedIndexMap<Reading, Tree>,
    /// The levels that any row may pass.
    always: FixedIndexMap<LevelId, ()>,
}

impl Index {
    fn new() -> Index {
        Index {
            trees: FixedIndexMap::with_hasher(fixed_hasher()),
            always: FixedIndexMap::with_hasher(fixed_hasher()),
        }
    }

    fn add(&mut self, level: LevelId, plan: &LevelPlan) {
        let Some(cover) = cover_of(plan) else {
            self.always.insert(level, ());
            return;
        };
        for (reading, interval) in cover {
            let columns = reading.columns();
            let tree = self
                .trees
                .entry(reading)
                .or_insert_with(|| Tree { columns, intervals: Intervals::default() });
            tree.intervals.insert(interval, level);
        }
    }

    fn remove(&mut self, level: LevelId, plan: &LevelPlan) {
        let Some(cover) = cover_of(plan) else {
            self.always.swap_remove(&level);
            return;
        };
        for (reading, interval) in cover {
            let Some(tree) = self.trees.get_mut(&reading) else { continue };
            tree.intervals.remove(&interval, level);
            if tree.intervals.is_empty() {
                self.trees.swap_remove(&reading);
            }
        }
    }

    /// The levels that any change concerns.
    pub(super) fn always(&self) -> impl Iterator<Item = LevelId> {
        self.always.keys().copied()
    }

    /// Calls with every other level that the old or the new row of a change may pass, some of
    /// them several times. One look-up per reading.
    pub(super) fn concerned(&self, delta: &Delta, visit: &mut impl FnMut(LevelId)) {
        let (mut old_key, mut new_key) = (KeyBuffer::new(), KeyBuffer::new());
        for (reading, tree) in &self.trees {
            let stab = |row: &Row, key: &mut KeyBuffer, visit: &mut _| {
                key.clear();
                reading.write(row, key);
                tree.intervals.stab(key, visit);
            };
            if let Some(new) = &delta.new {
                stab(new, &mut new_key, visit);
            }
            if let Some(old) = &delta.old
                && delta.changed.intersects(tree.columns)
            {
                stab(old, &mut old_key, visit);
            }
        }
    }

    fn bytes(&self) -> usize {
        let trees = self.trees.capacity() * (size_of::<(Reading, Tree)>() + 2 * size_of::<usize>());
        let intervals: usize = self.trees.values().map(|tree| tree.intervals.bytes()).sum();
        let always = self.always.capacity() * (size_of::<LevelId>() + 2 * size_of::<usize>());
        trees + intervals + always
    }
}

fn cover_of(plan: &LevelPlan) -> Option<Cover> {
    match &plan.input {
        Input::Scan { condition, .. } => cover(condition),
        Input::Junction { .. } => None,
    }
}

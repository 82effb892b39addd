//! Levels found by the values of one row, as far as their conditions decide alone.

use indexmap::{IndexMap, IndexSet};

use crate::delta::ColumnSet;
use crate::key::KeyBuffer;
use crate::level::{LevelId, fixed_hasher};
use crate::row::Row;

use super::cover::Reading;
use super::intervals::Intervals;
use super::member::Member;

/// The intervals of one reading.
#[derive(Debug)]
struct Tree {
    columns: ColumnSet,
    intervals: Intervals,
}

/// Levels by the values of the rows that may pass their conditions.
#[derive(Debug)]
pub(super) struct Shelf {
    trees: IndexMap<Reading, Tree, ahash::RandomState>,
    /// The levels that any row may pass.
    always: IndexSet<LevelId, ahash::RandomState>,
}

impl Default for Shelf {
    fn default() -> Shelf {
        Shelf {
            trees: IndexMap::with_hasher(fixed_hasher()),
            always: IndexSet::with_hasher(fixed_hasher()),
        }
    }
}

impl Shelf {
    /// Adds a level. O(log n) per interval of its cover.
    pub(super) fn add(&mut self, member: &Member<'_>) {
        let level = member.level;
        let Some(cover) = member.cover() else {
            self.always.insert(level);
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

    /// Takes a level away. O(log n) per interval of its cover.
    pub(super) fn remove(&mut self, member: &Member<'_>) {
        let level = member.level;
        let Some(cover) = member.cover() else {
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

    pub(super) fn is_empty(&self) -> bool {
        self.trees.is_empty() && self.always.is_empty()
    }

    /// The levels that any row may pass.
    pub(super) fn always(&self) -> impl Iterator<Item = LevelId> {
        self.always.iter().copied()
    }

    /// Calls with the other levels that a row may pass, with some several times. Conditions on
    /// none of `columns` are left out. One look-up per reading.
    pub(super) fn find(&self, row: &Row, columns: ColumnSet, hit: &mut impl FnMut(LevelId)) {
        let mut key = KeyBuffer::new();
        for (reading, tree) in &self.trees {
            if tree.columns.intersects(columns) {
                key.clear();
                reading.write(row, &mut key);
                tree.intervals.stab(&key, hit);
            }
        }
    }

    /// Bytes of the look-up tables and trees.
    pub(super) fn bytes(&self) -> usize {
        let trees = self.trees.capacity() * (size_of::<(Reading, Tree)>() + 2 * size_of::<usize>());
        let intervals: usize = self.trees.values().map(|tree| tree.intervals.bytes()).sum();
        let always = self.always.capacity() * (size_of::<LevelId>() + 2 * size_of::<usize>());
        trees + intervals + always
    }
}

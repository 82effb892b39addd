//! An index of the scan levels of one table: first by the constants of their lifted columns, then
//! by their conditions.

use indexmap::IndexMap;

use crate::delta::{ColumnSet, Delta};
use crate::key::{Key, KeyBuffer, write_columns};
use crate::level::{FixedMap, LevelId, fixed_hasher};
use crate::row::Row;

use super::member::Member;
use super::shelf::Shelf;

/// The levels that lift the same columns. Levels that are not told by their constants are in the
/// group of no columns.
#[derive(Debug)]
struct Group {
    columns: ColumnSet,
    shelves: FixedMap<Key, Shelf>,
}

/// Levels by the values of the rows that concern them.
#[derive(Debug)]
pub(super) struct Index {
    groups: IndexMap<Vec<usize>, Group, ahash::RandomState>,
}

impl Default for Index {
    fn default() -> Index {
        Index { groups: IndexMap::with_hasher(fixed_hasher()) }
    }
}

impl Index {
    /// Adds a level for the rows with these values in these columns.
    pub(super) fn add(&mut self, member: &Member<'_>, lifted: &[usize], key: &Key) {
        if !self.groups.contains_key(lifted) {
            let columns = lifted.iter().copied().collect();
            let shelves = FixedMap::with_hasher(fixed_hasher());
            self.groups.insert(lifted.to_vec(), Group { columns, shelves });
        }
        if let Some(group) = self.groups.get_mut(lifted) {
            group.shelves.entry(key.clone()).or_default().add(member);
        }
    }

    /// Takes back what was added with the same arguments.
    pub(super) fn remove(&mut self, member: &Member<'_>, lifted: &[usize], key: &Key) {
        let Some(group) = self.groups.get_mut(lifted) else { return };
        if let Some(shelf) = group.shelves.get_mut(key) {
            shelf.remove(member);
            if shelf.is_empty() {
                group.shelves.remove(key);
            }
        }
        if group.shelves.is_empty() {
            self.groups.swap_remove(lifted);
        }
    }

    /// Calls with every level that the old or the new row of a change may pass, with some several
    /// times. A look-up per group, and one per reading of the shelves found.
    pub(super) fn concerned(&self, delta: &Delta, visit: &mut impl FnMut(LevelId)) {
        for (lifted, group) in &self.groups {
            if let Some(new) = &delta.new {
                group.find(lifted, new, ColumnSet::ALL, visit);
            }
            if let Some(old) = &delta.old {
                // Where nothing has changed that is looked at, the new row has found the same.
                let moved = delta.changed.intersects(group.columns);
                let columns = if moved { ColumnSet::ALL } else { delta.changed };
                group.find(lifted, old, columns, visit);
            }
        }
    }

    /// Bytes of the look-up tables and shelves.
    pub(super) fn bytes(&self) -> usize {
        let groups = self.groups.values().map(|group| {
            let shelves: usize = group.shelves.values().map(Shelf::bytes).sum();
            shelves + group.shelves.capacity() * (size_of::<(Key, Shelf)>() + 1)
        });
        groups.sum::<usize>() + self.groups.capacity() * size_of::<(Vec<usize>, Group)>()
    }
}

impl Group {
    fn find(
        &self,
        lifted: &[usize],
        row: &Row,
        columns: ColumnSet,
        visit: &mut impl FnMut(LevelId),
    ) {
        let mut key = KeyBuffer::new();
        write_columns(row, lifted, &mut key);
        let Some(shelf) = self.shelves.get(&key[..]) else { return };
        if columns == ColumnSet::ALL {
            shelf.always().for_each(&mut *visit);
        }
        shelf.find(row, columns, visit);
    }
}

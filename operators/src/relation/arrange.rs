//! Arrangements: the rows of a relation by some of their columns, for joins to look up.
//!
//! Cost: one look-up per change. State: every row whose columns are not null.

use super::bag::Bag;
use super::zset::Changes;
use crate::key::{Key, KeyBuffer, write_columns_non_null};
use crate::level::{FixedMap, fixed_hasher};
use crate::row::Row;

/// Rows by key, shared by all joins that look them up by the same columns.
#[derive(Debug)]
pub(crate) struct Arrangement {
    pub(crate) columns: Vec<usize>,
    pub(crate) users: usize,
    rows: FixedMap<Key, Bag>,
}

impl Arrangement {
    pub(crate) fn new(columns: Vec<usize>) -> Arrangement {
        Arrangement { columns, users: 1, rows: FixedMap::with_hasher(fixed_hasher()) }
    }

    /// An empty one with the same columns and users.
    pub(crate) fn emptied(&self) -> Arrangement {
        Arrangement { users: self.users, ..Arrangement::new(self.columns.clone()) }
    }

    /// Changes the count of a row.
    pub(crate) fn add(&mut self, row: &Row, count: i64) {
        let mut key = KeyBuffer::new();
        if !write_columns_non_null(row, &self.columns, &mut key) {
            return;
        }
        if let Some(bag) = self.rows.get_mut(&key[..]) {
            bag.add(row, count);
            if bag.is_empty() {
                self.rows.remove(&key[..]);
            }
            return;
        }
        let mut bag = Bag::default();
        bag.add(row, count);
        self.rows.insert(Key::from_slice(&key), bag);
    }

    /// Appends rows with a key until there are more than `bound`.
    pub(crate) fn look_up(&self, key: &[u8], bound: i64, out: &mut Changes) {
        let Some(bag) = self.rows.get(key) else { return };
        let mut found = 0;
        for (row, count) in bag.iter() {
            out.push((row.clone(), count));
            found += count;
            if found > bound {
                return;
            }
        }
    }

    /// Visits every row kept.
    pub(crate) fn for_each_row(&self, visit: &mut dyn FnMut(&Row)) {
        self.rows.values().flat_map(Bag::iter).for_each(|(row, _)| visit(row));
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.values().map(Bag::len).sum()
    }

    /// Bytes of state, without those of rows that others may share.
    pub(crate) fn bytes(&self) -> usize {
        let table = self.rows.capacity() * (size_of::<Key>() + size_of::<Bag>() + 1);
        let rows = self.rows.iter();
        table + rows.map(|(key, bag)| key.heap_bytes() + bag.bytes()).sum::<usize>()
    }
}

//! `order_by`: the rows of a partition in query order.
//!
//! Rows are kept under their order key (the order's columns, encoded so that `memcmp` is the
//! order), so every comparison is one of byte strings and no column is decoded to compare.
//!
//! Cost: O(log n) per insert, remove and seek. State: one key and one row handle per row.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::key::Key;
use crate::row::Row;

/// A B-tree entry costs about this many bytes per byte of payload, at the usual fill of its nodes.
const TREE_OVERHEAD_PERCENT: usize = 135;

/// Rows sorted by order key.
#[derive(Clone, Debug, Default)]
pub(crate) struct OrderedRows {
    rows: BTreeMap<Key, Row>,
    key_heap: usize,
}

impl OrderedRows {
    /// Rows that are in order already, packed as densely as the tree allows.
    pub(crate) fn from_ordered(rows: Vec<(Key, Row)>) -> OrderedRows {
        let key_heap = rows.iter().map(|(key, _)| key.heap_bytes()).sum();
        OrderedRows { rows: rows.into_iter().collect(), key_heap }
    }

    /// Puts a row at a key and returns the row that was there.
    pub(crate) fn insert(&mut self, key: Key, row: Row) -> Option<Row> {
        let heap = key.heap_bytes();
        let old = self.rows.insert(key, row);
        if old.is_none() {
            self.key_heap += heap;
        }
        old
    }

    /// Takes the row at a key out.
    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<Row> {
        let (key, row) = self.rows.remove_entry(key)?;
        self.key_heap -= key.heap_bytes();
        Some(row)
    }

    /// Takes the last row out.
    pub(crate) fn pop_last(&mut self) -> Option<(Key, Row)> {
        let (key, row) = self.rows.pop_last()?;
        self.key_heap -= key.heap_bytes();
        Some((key, row))
    }

    /// The row at a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Row> {
        self.rows.get(key)
    }

    /// The last key.
    pub(crate) fn last_key(&self) -> Option<&Key> {
        self.rows.last_key_value().map(|(key, _)| key)
    }

    /// The key at a rank, in O(rank).
    pub(crate) fn key_at(&self, rank: usize) -> Option<&Key> {
        self.rows.keys().nth(rank)
    }

    /// The number of rows.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// All rows in order.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&Key, &Row)> {
        self.rows.iter()
    }

    /// The rows after a key, or all of them.
    pub(crate) fn after(&self, key: Option<&[u8]>) -> impl Iterator<Item = (&Key, &Row)> {
        let bound = key.map_or(Bound::Unbounded, Bound::Excluded);
        self.rows.range::<[u8], _>((bound, Bound::Unbounded))
    }

    /// Bytes held, without the rows' own.
    pub(crate) fn bytes(&self) -> usize {
        let entry = size_of::<Key>() + size_of::<Row>();
        self.rows.len() * entry * TREE_OVERHEAD_PERCENT / 100 + self.key_heap
    }
}

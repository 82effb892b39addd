//! `order_by`: the rows of a partition in query order.
//!
//! Rows are kept under their order key (the order's columns, encoded so that `memcmp` is the
//! order), so every comparison is one of byte strings and no column is decoded to compare.
//!
//! Cost: O(log n) per insert, remove and seek. State: the bytes of the key and one row handle
//! per row.

use std::ops::Bound;

use crate::key::Key;
use crate::packed::PackedTree;
use crate::row::Row;

/// Rows sorted by order key.
#[derive(Clone, Debug, Default)]
pub(crate) struct OrderedRows {
    rows: PackedTree<Row>,
}

impl OrderedRows {
    /// Rows that are in order already, packed as densely as the tree allows.
    pub(crate) fn from_ordered(rows: Vec<(Key, Row)>) -> OrderedRows {
        OrderedRows { rows: PackedTree::from_sorted(rows) }
    }

    /// Puts a row at a key and returns the row that was there.
    pub(crate) fn insert(&mut self, key: &[u8], row: Row) -> Option<Row> {
        self.rows.insert(key, row)
    }

    /// Takes the row at a key out.
    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<Row> {
        self.rows.remove(key)
    }

    /// Takes the last row out.
    pub(crate) fn pop_last(&mut self) -> Option<(Key, Row)> {
        self.rows.pop_last()
    }

    /// The row at a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Row> {
        self.rows.get(key)
    }

    /// The last key.
    pub(crate) fn last_key(&self) -> Option<Key> {
        self.rows.last_key().map(Key::from_slice)
    }

    /// The key at a rank. Costs O(rank), of which little is done per row.
    pub(crate) fn key_at(&self, rank: usize) -> Option<Key> {
        self.rows.key_at(rank).map(Key::from_slice)
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
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&[u8], &Row)> {
        self.rows.iter()
    }

    /// The rows after a key, or all of them.
    pub(crate) fn after(&self, key: Option<&[u8]>) -> impl Iterator<Item = (&[u8], &Row)> {
        let bound = key.map_or(Bound::Unbounded, Bound::Excluded);
        self.rows.range((bound, Bound::Unbounded))
    }

    /// Bytes held, without the rows' own. Costs O(rows), a small part of a step for each.
    pub(crate) fn bytes(&self) -> usize {
        self.rows.bytes()
    }
}

//! A result in the hands of its consumer.

use std::collections::BTreeMap;

/// Rows in order, each with its weight. A row begins with the columns that it is ordered by.
#[derive(Clone, Debug)]
pub struct Rows<R>(BTreeMap<R, i64>);

impl<R: Ord> Default for Rows<R> {
    fn default() -> Self {
        Rows(BTreeMap::new())
    }
}

impl<R: Ord> Rows<R> {
    /// Takes in one change: the row's weight grows by `diff`. O(log rows).
    pub fn apply(&mut self, row: R, diff: i64) {
        match self.0.entry(row) {
            std::collections::btree_map::Entry::Vacant(vacant) => {
                vacant.insert(diff);
            }
            std::collections::btree_map::Entry::Occupied(mut occupied) => {
                *occupied.get_mut() += diff;
                if *occupied.get() == 0 {
                    occupied.remove();
                }
            }
        }
    }

    /// The rows in order.
    ///
    /// # Panics
    /// If a row has a weight other than one: results of these workloads are sets.
    pub fn iter(&self) -> impl Iterator<Item = &R> {
        self.0.iter().map(|(row, weight)| {
            assert_eq!(*weight, 1, "a row of a result has a weight other than one");
            row
        })
    }
}

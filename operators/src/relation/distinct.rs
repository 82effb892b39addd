//! `distinct`: each row once.
//!
//! Rows are equal by their encoding, so 1 and 1.0 are one; which of them is put out depends on
//! what is there alone.
//!
//! Cost: one look-up per distinct row that a transaction touches. State: every distinct row.

use super::bag::Bag;
use super::zset::{Changes, keyed, runs};
use crate::key::{Key, KeyBuffer, write_row};
use crate::level::{FixedMap, fixed_hasher};
use crate::row::Row;

/// The distinct rows of an input, with how often each is there.
#[derive(Debug)]
pub(crate) struct Distinct {
    rows: FixedMap<Key, Bag>,
}

impl Distinct {
    pub(crate) fn new() -> Distinct {
        Distinct { rows: FixedMap::with_hasher(fixed_hasher()) }
    }

    /// Takes in one row, before there is anyone to tell.
    pub(crate) fn load(&mut self, row: &Row, count: i64) {
        let mut key = KeyBuffer::new();
        write_row(row, &mut key);
        self.rows.entry(Key::from_slice(&key)).or_default().add(row, count);
    }

    /// Takes in a change, `sign` times, and puts out what it makes.
    pub(crate) fn apply(&mut self, input: &[(Row, i64)], sign: i64, out: &mut Changes) {
        let keyed = keyed(input, sign, |row, key| {
            write_row(row, key);
            true
        });
        for run in runs(&keyed) {
            let key = &run[0].key;
            let bag = self.rows.entry(key.clone()).or_default();
            let before = bag.first().cloned();
            run.iter().for_each(|change| bag.add(change.row, change.count));
            let after = bag.first().cloned();
            if bag.is_empty() {
                self.rows.remove(key);
            }
            if before != after {
                out.extend(before.map(|row| (row, -1)));
                out.extend(after.map(|row| (row, 1)));
            }
        }
    }

    /// The rows out.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values().filter_map(Bag::first)
    }

    /// Visits every row kept.
    pub(crate) fn for_each_row(&self, visit: &mut dyn FnMut(&Row)) {
        self.rows.values().flat_map(Bag::iter).for_each(|(row, _)| visit(row));
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Bytes of state, without those of rows that others may share.
    pub(crate) fn bytes(&self) -> usize {
        let table = self.rows.capacity() * (size_of::<Key>() + size_of::<Bag>() + 1);
        let rows = self.rows.iter();
        table + rows.map(|(key, bag)| key.heap_bytes() + bag.bytes()).sum::<usize>()
    }
}

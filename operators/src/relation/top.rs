//! `top`: the first rows of each group.
//!
//! Contract: of the rows of each group in order (completed by all columns) those after the first
//! `offset` are put out, `limit` of them at most. A change beyond the last of them puts nothing
//! out.
//!
//! Cost: O(log group) per row, and O(offset + limit) per group that a transaction changes at or
//! before the last row put out; without a limit, O(group). State: every row of the input.

use super::bag::{Bag, Ordered};
use super::zset::{Changes, consolidate, keyed, runs};
use crate::key::{Direction, Key, KeyBuffer, KeySpec, write_columns, write_row};
use crate::level::{FixedMap, fixed_hasher};
use crate::row::Row;

/// The ranked rows of an input.
#[derive(Debug)]
pub(crate) struct Top {
    group: Vec<usize>,
    order: KeySpec,
    offset: usize,
    limit: Option<usize>,
    groups: FixedMap<Key, Ranked>,
}

#[derive(Debug, Default)]
struct Ranked {
    rows: Ordered<Bag>,
    shown: Changes,
    /// Where what is shown ends, if it has as many rows as it may.
    edge: Option<Key>,
}

impl Top {
    pub(crate) fn new(
        group: Vec<usize>,
        order: Vec<(usize, Direction)>,
        offset: usize,
        limit: Option<usize>,
    ) -> Top {
        let groups = FixedMap::with_hasher(fixed_hasher());
        Top { group, order: KeySpec::new(order), offset, limit, groups }
    }

    fn place(order: &KeySpec, row: &Row) -> Key {
        let mut key = KeyBuffer::new();
        order.write(row, &mut key);
        write_row(row, &mut key);
        Key::from_slice(&key)
    }

    /// Takes in one row, before there is anyone to tell. [`Top::loaded`] follows.
    pub(crate) fn load(&mut self, row: &Row, count: i64) {
        let mut key = KeyBuffer::new();
        write_columns(row, &self.group, &mut key);
        let group = self.groups.entry(Key::from_slice(&key)).or_default();
        group.add(&Top::place(&self.order, row), row, count);
    }

    /// Ends loading.
    pub(crate) fn loaded(&mut self) {
        for group in self.groups.values_mut() {
            group.refresh(self.offset, self.limit);
        }
    }

    /// Takes in a change, `sign` times, and puts out what it makes.
    pub(crate) fn apply(&mut self, input: &[(Row, i64)], sign: i64, out: &mut Changes) {
        let columns = &self.group;
        let keyed = keyed(input, sign, |row, key| {
            write_columns(row, columns, key);
            true
        });
        for run in runs(&keyed) {
            let key = &run[0].key;
            let group = self.groups.entry(key.clone()).or_default();
            let mut within = false;
            for change in run {
                let place = Top::place(&self.order, change.row);
                within |= group.edge.as_ref().is_none_or(|edge| place <= *edge);
                group.add(&place, change.row, change.count);
            }
            if within {
                let mut changes = std::mem::take(&mut group.shown);
                changes.iter_mut().for_each(|(_, count)| *count = -*count);
                group.refresh(self.offset, self.limit);
                changes.extend(group.shown.iter().cloned());
                consolidate(&mut changes);
                out.append(&mut changes);
            }
            if group.rows.is_empty() {
                self.groups.remove(key);
            }
        }
    }

    /// Visits every row kept; those put out are among them.
    pub(crate) fn for_each_row(&self, visit: &mut dyn FnMut(&Row)) {
        let bags = self.groups.values().flat_map(|group| group.rows.iter());
        bags.flat_map(|(_, bag)| bag.iter()).for_each(|(row, _)| visit(row));
    }

    /// The rows out, with their counts.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &(Row, i64)> {
        self.groups.values().flat_map(|group| &group.shown)
    }

    pub(crate) fn len(&self) -> usize {
        self.groups.values().map(|group| group.rows.len()).sum()
    }

    /// Bytes of state, without those of rows that others may share.
    pub(crate) fn bytes(&self) -> usize {
        let table = self.groups.capacity() * (size_of::<Key>() + size_of::<Ranked>() + 1);
        let groups = self.groups.iter().map(|(key, group)| {
            let shown = group.shown.capacity() * size_of::<(Row, i64)>();
            let edge = group.edge.as_ref().map_or(0, Key::heap_bytes);
            key.heap_bytes() + shown + edge + group.rows.bytes(Bag::bytes)
        });
        table + groups.sum::<usize>()
    }
}

impl Ranked {
    fn add(&mut self, place: &Key, row: &Row, count: i64) {
        self.rows.change(place, |bag| {
            bag.add(row, count);
            !bag.is_empty()
        });
    }

    /// Decides anew what is shown.
    fn refresh(&mut self, offset: usize, limit: Option<usize>) {
        self.shown.clear();
        self.edge = None;
        let mut skip = i64::try_from(offset).unwrap_or(i64::MAX);
        let mut room = limit.map_or(i64::MAX, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
        if room == 0 {
            // Every place lies beyond the empty key.
            self.edge = Some(Key::default());
            return;
        }
        for (place, bag) in self.rows.iter() {
            for (row, count) in bag.iter() {
                let skipped = skip.min(count);
                skip -= skipped;
                let taken = (count - skipped).min(room);
                room -= taken;
                if taken > 0 {
                    self.shown.push((row.clone(), taken));
                }
            }
            if room == 0 {
                self.edge = Some(place.clone());
                return;
            }
        }
    }
}

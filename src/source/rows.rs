//! The rows of a table in numbered places, found by primary key.
//!
//! Orders of the table refer to rows by place, so that a row that changes without changing its
//! place in an order costs that order nothing.
//!
//! Cost: O(1) per operation. State, beside the rows: one word for each row, and five bytes for
//! each bucket of the hash table, of which there are between 8/7 and 16/7 for each row.

use std::hash::{BuildHasher, Hasher};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use penstock_operators::key::{KeyBuffer, KeySpec};
use penstock_operators::row::Row;

use super::FixedState;

/// A row's number; its own until it is removed, then free for another.
pub(super) type Place = u32;

const LIVE: &str = "invariant: a place that an order or the hash table names holds a row";

/// Rows by primary key.
#[derive(Debug)]
pub(super) struct Rows {
    key: KeySpec,
    places: Vec<Option<Row>>,
    free: Vec<Place>,
    by_key: HashTable<Place>,
    hasher: FixedState,
    row_bytes: usize,
}

impl Rows {
    /// No rows; `key` makes their primary keys.
    pub(super) fn new(key: KeySpec) -> Rows {
        Rows {
            key,
            places: Vec::new(),
            free: Vec::new(),
            by_key: HashTable::new(),
            hasher: super::fixed_state(),
            row_bytes: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// The row at a place.
    #[inline]
    pub(super) fn at(&self, place: Place) -> &Row {
        self.places[place as usize].as_ref().expect(LIVE)
    }

    /// The place of the row with a key.
    #[inline]
    pub(super) fn place(&self, key: &[u8]) -> Option<Place> {
        let is = |place: &Place| self.key.is_key_of(key, self.at(*place));
        self.by_key.find(hash(&self.hasher, key), is).copied()
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&Row> {
        Some(self.at(self.place(key)?))
    }

    /// All rows with their places, in no order that means anything.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Place, &Row)> {
        (0..).zip(&self.places).filter_map(|(place, row)| Some((place, row.as_ref()?)))
    }

    /// Makes room for so many further rows.
    pub(super) fn reserve(&mut self, further: usize) {
        self.places.reserve_exact(further.saturating_sub(self.free.len()));
        let (places, key, hasher) = (&self.places, &self.key, &self.hasher);
        self.by_key.reserve(further, |place| rehash(places, key, hasher, *place));
    }

    /// Puts a row under its key, which is given too; `None`, and nothing is done, if it is taken.
    pub(super) fn insert(&mut self, key: &[u8], row: Row) -> Option<Place> {
        let (places, spec, hasher) = (&self.places, &self.key, &self.hasher);
        let is = |place: &Place| {
            places[*place as usize].as_ref().is_some_and(|row| spec.is_key_of(key, row))
        };
        let entry =
            self.by_key.entry(hash(hasher, key), is, |place| rehash(places, spec, hasher, *place));
        let Entry::Vacant(vacant) = entry else { return None };
        self.row_bytes += row.heap_bytes();
        let place = match self.free.pop() {
            Some(place) => {
                vacant.insert(place);
                self.places[place as usize] = Some(row);
                place
            }
            None => {
                let place = self.places.len() as Place;
                vacant.insert(place);
                self.places.push(Some(row));
                place
            }
        };
        Some(place)
    }

    /// Puts another row with the same key at a place; returns the one that was there.
    pub(super) fn replace(&mut self, place: Place, row: Row) -> Row {
        self.row_bytes += row.heap_bytes();
        let old = self.places[place as usize].replace(row).expect(LIVE);
        self.row_bytes -= old.heap_bytes();
        old
    }

    /// Takes the row with a key out of its place.
    pub(super) fn remove(&mut self, key: &[u8]) -> Option<(Place, Row)> {
        let (places, spec) = (&self.places, &self.key);
        let is = |place: &Place| {
            places[*place as usize].as_ref().is_some_and(|row| spec.is_key_of(key, row))
        };
        let found = self.by_key.find_entry(hash(&self.hasher, key), is).ok()?;
        let (place, _) = found.remove();
        let row = self.places[place as usize].take().expect(LIVE);
        self.free.push(place);
        self.row_bytes -= row.heap_bytes();
        Some((place, row))
    }

    /// Bytes of the rows, their places and the hash table. Costs O(1).
    pub(super) fn bytes(&self) -> usize {
        self.row_bytes
            + self.places.capacity() * size_of::<Option<Row>>()
            + self.free.capacity() * size_of::<Place>()
            + self.by_key.allocation_size()
    }
}

#[inline]
fn hash(hasher: &FixedState, key: &[u8]) -> u64 {
    let mut state = hasher.build_hasher();
    state.write(key);
    state.finish()
}

fn rehash(places: &[Option<Row>], spec: &KeySpec, hasher: &FixedState, place: Place) -> u64 {
    let mut key = KeyBuffer::new();
    spec.write(places[place as usize].as_ref().expect(LIVE), &mut key);
    hash(hasher, &key)
}

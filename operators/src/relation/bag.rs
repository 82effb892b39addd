//! Counted rows, and maps by key that take little room while they hold little.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::key::Key;
use crate::row::Row;

/// Up to this many entries are kept in a sorted list.
const FEW: usize = 16;

/// Rows with counts. Rows differ here if their bytes do, so 1 and 1.0 are told apart.
///
/// Counts may be negative while a change is taken in; a row whose count is zero is forgotten.
///
/// Cost: O(log n) per change.
#[derive(Clone, Debug)]
pub(crate) enum Bag {
    Few(SmallVec<[(Row, i64); 1]>),
    Many(BTreeMap<ByBytes, i64>),
}

/// A row ordered by its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ByBytes(Row);

impl Ord for ByBytes {
    fn cmp(&self, other: &ByBytes) -> Ordering {
        self.0.bytes().cmp(other.0.bytes())
    }
}

impl PartialOrd for ByBytes {
    fn partial_cmp(&self, other: &ByBytes) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Default for Bag {
    fn default() -> Bag {
        Bag::Few(SmallVec::new())
    }
}

impl Bag {
    /// Changes the count of a row.
    pub(crate) fn add(&mut self, row: &Row, count: i64) {
        match self {
            Bag::Few(rows) => {
                match rows.binary_search_by(|(other, _)| other.bytes().cmp(row.bytes())) {
                    Ok(at) => {
                        rows[at].1 += count;
                        if rows[at].1 == 0 {
                            rows.remove(at);
                        }
                    }
                    Err(at) if count != 0 => rows.insert(at, (row.clone(), count)),
                    Err(_) => {}
                }
                if rows.len() > FEW {
                    let many = rows.drain(..).map(|(row, count)| (ByBytes(row), count)).collect();
                    *self = Bag::Many(many);
                }
            }
            Bag::Many(rows) => {
                let entry = rows.entry(ByBytes(row.clone())).or_insert(0);
                *entry += count;
                if *entry == 0 {
                    rows.remove(&ByBytes(row.clone()));
                }
                if rows.is_empty() {
                    *self = Bag::default();
                }
            }
        }
    }

    /// The rows with their counts, by their bytes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Row, i64)> {
        let (few, many) = match self {
            Bag::Few(rows) => (Some(rows.iter().map(|(row, count)| (row, *count))), None),
            Bag::Many(rows) => (None, Some(rows.iter().map(|(row, count)| (&row.0, *count)))),
        };
        few.into_iter().flatten().chain(many.into_iter().flatten())
    }

    /// The row that stands for all: the first by its bytes.
    pub(crate) fn first(&self) -> Option<&Row> {
        self.iter().find(|(_, count)| *count > 0).map(|(row, _)| row)
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Bag::Few(rows) if rows.is_empty())
    }

    /// The number of different rows.
    pub(crate) fn len(&self) -> usize {
        match self {
            Bag::Few(rows) => rows.len(),
            Bag::Many(rows) => rows.len(),
        }
    }

    /// The bytes beyond the bag itself, without the rows' own.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Bag::Few(rows) if rows.spilled() => rows.capacity() * size_of::<(Row, i64)>(),
            Bag::Few(_) => 0,
            Bag::Many(rows) => rows.len() * tree_entry(size_of::<(ByBytes, i64)>()),
        }
    }
}

/// Bytes that an entry of a tree takes: nodes are about three quarters full.
pub(crate) fn tree_entry(bytes: usize) -> usize {
    bytes * 4 / 3 + 4
}

/// A map ordered by key.
#[derive(Clone, Debug)]
pub(crate) enum Ordered<V> {
    Few(Vec<(Key, V)>),
    Many(BTreeMap<Key, V>),
}

impl<V> Default for Ordered<V> {
    fn default() -> Ordered<V> {
        Ordered::Few(Vec::new())
    }
}

impl<V: Default> Ordered<V> {
    /// Changes the value of a key, made where there is none; `change` returns whether to keep it.
    pub(crate) fn change(&mut self, key: &Key, change: impl FnOnce(&mut V) -> bool) {
        match self {
            Ordered::Few(entries) => {
                let at = match entries.binary_search_by(|(other, _)| other.cmp(key)) {
                    Ok(at) => at,
                    Err(at) => {
                        entries.insert(at, (key.clone(), V::default()));
                        at
                    }
                };
                if !change(&mut entries[at].1) {
                    entries.remove(at);
                }
                if entries.len() > FEW {
                    *self = Ordered::Many(entries.drain(..).collect());
                }
            }
            Ordered::Many(entries) => {
                if !change(entries.entry(key.clone()).or_default()) {
                    entries.remove(key);
                }
                if entries.is_empty() {
                    *self = Ordered::default();
                }
            }
        }
    }
}

impl<V> Ordered<V> {
    /// The values in the order of their keys.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&Key, &V)> {
        let (few, many) = match self {
            Ordered::Few(entries) => (Some(entries.iter().map(|(key, value)| (key, value))), None),
            Ordered::Many(entries) => (None, Some(entries.iter())),
        };
        few.into_iter().flatten().chain(many.into_iter().flatten())
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Ordered::Few(entries) => entries.len(),
            Ordered::Many(entries) => entries.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes beyond the map itself; `of` says what a value has beyond itself.
    pub(crate) fn bytes(&self, of: impl Fn(&V) -> usize) -> usize {
        let entries = match self {
            Ordered::Few(entries) => entries.capacity() * size_of::<(Key, V)>(),
            Ordered::Many(entries) => entries.len() * tree_entry(size_of::<(Key, V)>()),
        };
        entries + self.iter().map(|(key, value)| key.heap_bytes() + of(value)).sum::<usize>()
    }
}

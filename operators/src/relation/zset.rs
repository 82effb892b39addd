//! Z-sets: rows with counts, in which a change of a relation is written down. A row that came has
//! a positive count, a row that went a negative one.

use smallvec::SmallVec;

use crate::key::{Key, KeyBuffer};
use crate::row::Row;

/// A change: rows with by how much their counts change.
pub(crate) type Changes = Vec<(Row, i64)>;

/// Up to this many changes are compared with each other in place.
const FEW: usize = 8;

/// Adds up the counts of equal rows, and drops rows whose counts cancel. O(n log n).
pub(crate) fn consolidate(changes: &mut Changes) {
    if changes.len() > FEW {
        changes.sort_by(|a, b| a.0.bytes().cmp(b.0.bytes()));
        changes.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
    } else {
        for at in (1..changes.len()).rev() {
            let (before, rest) = changes.split_at_mut(at);
            let (row, count) = &mut rest[0];
            if let Some(same) = before.iter_mut().find(|(other, _)| other == row) {
                same.1 += std::mem::take(count);
            }
        }
    }
    changes.retain(|(_, count)| *count != 0);
}

/// A change of one row, with the key by which an operator looks at it.
#[derive(Clone, Debug)]
pub(crate) struct Keyed<'a> {
    pub(crate) key: Key,
    pub(crate) row: &'a Row,
    pub(crate) count: i64,
}

/// Changes by key; those of most transactions are kept in place.
pub(crate) type KeyedChanges<'a> = SmallVec<[Keyed<'a>; 4]>;

/// The changes sorted by key, `sign` times. `write` writes a row's key, or returns false for a row
/// to leave out.
pub(crate) fn keyed(
    changes: &[(Row, i64)],
    sign: i64,
    mut write: impl FnMut(&Row, &mut KeyBuffer) -> bool,
) -> KeyedChanges<'_> {
    let mut keyed = KeyedChanges::with_capacity(changes.len());
    let mut buffer = KeyBuffer::new();
    for (row, count) in changes {
        buffer.clear();
        if write(row, &mut buffer) {
            keyed.push(Keyed { key: Key::from_slice(&buffer), row, count: count * sign });
        }
    }
    keyed.sort_by(|a, b| a.key.cmp(&b.key));
    keyed
}

/// Stretches of changes with one key.
pub(crate) fn runs<'k, 'a>(keyed: &'k [Keyed<'a>]) -> impl Iterator<Item = &'k [Keyed<'a>]> {
    keyed.chunk_by(|a, b| a.key == b.key)
}

/// The changes with a key, among changes sorted by key.
pub(crate) fn run_of<'k, 'a>(keyed: &'k [Keyed<'a>], key: &Key) -> &'k [Keyed<'a>] {
    let start = keyed.partition_point(|change| change.key < *key);
    let length = keyed[start..].partition_point(|change| change.key == *key);
    &keyed[start..start + length]
}

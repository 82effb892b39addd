//! Which levels' windows hold a row.
//!
//! A change of columns that a level does not read leaves its rows where they are: what it concerns
//! are the windows that hold the row, however many others its conditions let it into. Rows are told
//! apart by a hash of their identity, so a level may be named for a row that it does not hold,
//! never the reverse.
//!
//! Cost: a look-up per row that enters or leaves a window. State: an entry per row and level.

use hashbrown::HashTable;
use smallvec::SmallVec;

use crate::key::{KeyBuffer, KeySpec};
use crate::level::{LevelId, fixed_hasher};
use crate::row::Row;

/// A level, and in how many of its windows the row is.
#[derive(Clone, Copy, Debug)]
struct Holding {
    level: LevelId,
    windows: u32,
}

/// The levels that hold a row, by id.
#[derive(Debug)]
struct Held {
    hash: u64,
    levels: SmallVec<[Holding; 2]>,
}

/// The levels of one table by the rows that they hold.
#[derive(Debug)]
pub(crate) struct Shown {
    identity: KeySpec,
    rows: HashTable<Held>,
    hasher: ahash::RandomState,
}

impl Shown {
    pub(super) fn new(identity: KeySpec) -> Shown {
        Shown { identity, rows: HashTable::new(), hasher: fixed_hasher() }
    }

    #[inline]
    fn hash(&self, row: &Row) -> u64 {
        let mut key = KeyBuffer::new();
        self.identity.write(row, &mut key);
        self.hasher.hash_one(&key[..])
    }

    /// A row has come into a window of a level.
    pub(crate) fn add(&mut self, row: &Row, level: LevelId) {
        let hash = self.hash(row);
        let entry = self.rows.entry(hash, |held| held.hash == hash, |held| held.hash);
        let levels =
            &mut entry.or_insert_with(|| Held { hash, levels: SmallVec::new() }).into_mut().levels;
        match levels.binary_search_by_key(&level, |holding| holding.level) {
            Ok(at) => levels[at].windows += 1,
            Err(at) => levels.insert(at, Holding { level, windows: 1 }),
        }
    }

    /// A row has gone from a window of a level.
    pub(crate) fn remove(&mut self, row: &Row, level: LevelId) {
        let hash = self.hash(row);
        let Ok(mut entry) = self.rows.find_entry(hash, |held| held.hash == hash) else { return };
        let levels = &mut entry.get_mut().levels;
        let Ok(at) = levels.binary_search_by_key(&level, |holding| holding.level) else { return };
        levels[at].windows -= 1;
        if levels[at].windows > 0 {
            return;
        }
        levels.remove(at);
        if levels.is_empty() {
            entry.remove();
        }
    }

    /// Calls with every level that holds a row, in the order of their ids.
    pub(super) fn visit(&self, row: &Row, visit: &mut impl FnMut(LevelId)) {
        let hash = self.hash(row);
        if let Some(held) = self.rows.find(hash, |held| held.hash == hash) {
            held.levels.iter().for_each(|holding| visit(holding.level));
        }
    }

    /// Whether no window holds a row.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes of the table and the lists.
    pub(super) fn bytes(&self) -> usize {
        let spilled = self.rows.iter().filter(|held| held.levels.spilled());
        let lists: usize = spilled.map(|held| held.levels.capacity() * size_of::<Holding>()).sum();
        lists + self.rows.allocation_size()
    }
}

//! What the transaction in flight has changed in one table.

use indexmap::IndexMap;
use indexmap::map::Entry;
use penstock_operators::delta::ColumnSet;
use penstock_operators::key::Key;
use penstock_operators::row::Row;

use super::FixedState;

/// Room for changes that is kept from one transaction to the next.
const KEPT_CAPACITY: usize = 1024;

/// The row of one primary key before the transaction and now.
#[derive(Debug)]
pub(super) struct PendingRow {
    pub(super) old: Option<Row>,
    pub(super) new: Option<Row>,
    /// The columns in which the two differ, where that is known because there was one write.
    pub(super) changed: Option<ColumnSet>,
}

/// The rows touched by the transaction in flight, by primary key, in the order of first touch.
/// Serves as the undo record, and as the batch once the transaction is finished.
#[derive(Debug)]
pub(super) struct Pending {
    rows: IndexMap<Key, PendingRow, FixedState>,
}

impl Pending {
    pub(super) fn new() -> Pending {
        Pending { rows: IndexMap::with_hasher(super::fixed_state()) }
    }

    /// Records that the row of a key, which was `old`, is now `new`. The first record of a key
    /// fixes what it was before the transaction.
    pub(super) fn record(&mut self, key: Key, old: Option<Row>, new: Option<Row>) {
        match self.rows.entry(key) {
            Entry::Occupied(mut known) => {
                known.get_mut().new = new;
                known.get_mut().changed = None;
            }
            Entry::Vacant(first) => {
                first.insert(PendingRow { old, new, changed: None });
            }
        }
    }

    /// Records an update, of which these columns are known to have changed.
    pub(super) fn record_update(&mut self, key: Key, old: Row, new: Row, changed: ColumnSet) {
        match self.rows.entry(key) {
            Entry::Occupied(mut known) => {
                known.get_mut().new = Some(new);
                known.get_mut().changed = None;
            }
            Entry::Vacant(first) => {
                first.insert(PendingRow { old: Some(old), new: Some(new), changed: Some(changed) });
            }
        }
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&PendingRow> {
        // An empty map still hashes the key.
        if self.rows.is_empty() { None } else { self.rows.get(key) }
    }

    /// The rank of a key in the order of first touch.
    pub(super) fn rank(&self, key: &[u8]) -> Option<usize> {
        self.rows.get_index_of(key)
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The touched rows in the order of first touch.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Key, &PendingRow)> {
        self.rows.iter()
    }

    /// Forgets all changes.
    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.rows.shrink_to(KEPT_CAPACITY);
    }

    /// Takes all changes out, leaving none.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (Key, PendingRow)> + use<> {
        std::mem::replace(self, Pending::new()).rows.into_iter()
    }
}

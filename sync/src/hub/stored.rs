//! What of a group is kept over restarts, and how a store is told what has changed of it.
//!
//! A store is told changes only: a row that was put costs one entry, whatever else the group holds. The
//! changes of one call are kept all or none, so that what a store has is always the group as its clients
//! knew it at one version.

use std::collections::BTreeMap;

use penstock::RowView;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::protocol::downstream::{put_row, row_key};

/// Where groups are kept.
pub trait GroupStore: Send {
    /// What was saved of a group, everything that was told before included.
    ///
    /// # Errors
    /// A store that cannot be read, for people.
    fn load(&mut self, id: &str) -> Result<Option<StoredGroup>, String>;

    /// Keeps changes, those of one call all or none, after those of earlier calls; perhaps later, on
    /// another thread.
    ///
    /// # Errors
    /// A store that cannot be written, for people. Of the groups nothing is then taken that is not
    /// [whole](GroupChanges::is_whole).
    fn save(&mut self, changes: Vec<GroupChanges>) -> Result<(), String>;

    /// A group is not live any more: until it is loaded again nothing of it is saved, and it may be forgotten
    /// if that is long from now.
    fn let_go(&mut self, id: &str) {
        let _ = id;
    }

    /// Groups of which something could not be kept since this was last asked, and why: they have to be
    /// told whole.
    fn failures(&mut self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Whether more changes had better wait, and be told together with later ones.
    fn is_busy(&self) -> bool {
        false
    }

    /// Waits until everything that was told is kept.
    fn flush(&mut self) {}
}

/// The table and the key of a row, as JSON.
pub type StoredKey = (String, String);

/// A group as it is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredGroup {
    /// Its name.
    pub id: String,
    /// What is one for all.
    pub head: StoredHead,
    /// The clients' tables.
    pub schema: Option<Json>,
    /// Its clients.
    pub clients: BTreeMap<String, StoredClient>,
    /// Its queries.
    pub queries: BTreeMap<String, StoredQuery>,
    /// Queries that are gone, and at which version.
    pub gone: BTreeMap<String, u64>,
    /// The rows that its clients hold: a sum of what is in each, and at which version it was put.
    pub rows: BTreeMap<StoredKey, (u128, u64)>,
    /// Rows that were deleted, and at which version.
    pub tombstones: BTreeMap<StoredKey, u64>,
}

/// What a group has one of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredHead {
    /// Its user.
    pub user: Option<String>,
    /// How many pokes it has had.
    pub version: u64,
    /// Its histories, each up to which version.
    pub histories: Vec<(u32, u64)>,
    /// What left before this version is forgotten.
    pub floor: u64,
    /// For how long somebody was connected, in milliseconds.
    pub active_ms: u64,
}

/// A client as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StoredClient {
    /// What it wants: for how long, and since when not any more.
    pub desires: BTreeMap<String, (u64, Option<u64>)>,
    /// Its last mutation.
    pub last_mutation_id: u64,
    /// At which version that was told.
    pub told_at: u64,
}

/// A query as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredQuery {
    /// Stated outright.
    pub ast: Option<Json>,
    /// Or by name, with arguments.
    pub named: Option<(String, Vec<Json>)>,
    /// At which version clients were told that it is complete; 0 if not.
    pub got_at: u64,
}

/// A row that was put or deleted.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRow {
    /// Its table and key.
    pub key: StoredKey,
    /// The sum of what is in it; `None` if it was deleted.
    pub sum: Option<u128>,
    /// At which version.
    pub at: u64,
}

/// A row that was put or deleted, as the hub knows it. It becomes a [`StoredRow`] where it is kept, so that
/// summing up does not keep the hub from its work.
#[derive(Clone, Debug)]
pub struct ChangedRow(Changed);

#[derive(Clone, Debug)]
enum Changed {
    Known { row: RowView, is_held: bool, at: u64 },
    Stored(StoredRow),
}

/// What has changed of a group since the store was last told.
#[derive(Clone, Debug)]
pub struct GroupChanges {
    /// The group.
    pub id: String,
    /// Whether this is all there is, in the place of what was kept before.
    pub is_whole: bool,
    /// What it has one of.
    pub head: StoredHead,
    /// The clients' tables, if they are others.
    pub schema: Option<Option<Json>>,
    /// Whether rows and queries that left up to the floor are forgotten.
    pub is_pruned: bool,
    /// Clients that are others than before; `None` for those that are gone.
    pub clients: BTreeMap<String, Option<StoredClient>>,
    /// Queries that are others than before; `None` for those that are gone.
    pub queries: BTreeMap<String, Option<StoredQuery>>,
    /// Queries that have left, or come back.
    pub gone: BTreeMap<String, Option<u64>>,
    /// Rows that were put or deleted.
    pub rows: Vec<ChangedRow>,
}

impl ChangedRow {
    /// A row of the hub.
    pub(crate) fn known(row: RowView, is_held: bool, at: u64) -> ChangedRow {
        ChangedRow(Changed::Known { row, is_held, at })
    }

    /// A row of which only this is known.
    #[must_use]
    pub fn stored(row: StoredRow) -> ChangedRow {
        ChangedRow(Changed::Stored(row))
    }

    fn is_held(&self) -> bool {
        match &self.0 {
            Changed::Known { is_held, .. } => *is_held,
            Changed::Stored(row) => row.sum.is_some(),
        }
    }

    /// As it is kept. Cost: O(row).
    #[must_use]
    pub fn to_stored(&self) -> StoredRow {
        match &self.0 {
            Changed::Known { row, is_held, at } => {
                let sum = is_held.then(|| sum(row));
                StoredRow { key: stored_key(row), sum, at: *at }
            }
            Changed::Stored(row) => row.clone(),
        }
    }
}

/// The key of a row.
pub(crate) fn stored_key(row: &RowView) -> StoredKey {
    (row.table().name().to_owned(), row_key(row.table(), row.row()))
}

/// A sum of what clients see of a row.
pub(crate) fn sum(row: &RowView) -> u128 {
    text_sum(&put_row(row.table(), row.row()))
}

/// A sum by which texts are told apart.
pub(super) fn text_sum(text: &str) -> u128 {
    let digest = Sha256::digest(text.as_bytes());
    let mut first = [0; 16];
    first.copy_from_slice(&digest[..16]);
    u128::from_be_bytes(first)
}

impl GroupChanges {
    /// The rows as they are kept, those that were deleted first: of a key that was deleted and put, the
    /// row is what counts.
    pub fn stored_rows(&self) -> impl Iterator<Item = StoredRow> {
        let deleted = self.rows.iter().filter(|row| !row.is_held());
        deleted.chain(self.rows.iter().filter(|row| row.is_held())).map(ChangedRow::to_stored)
    }
}

impl StoredGroup {
    /// What is kept once changes are, in the place of what was. The meaning of changes, for stores in
    /// memory and to compare others with.
    #[must_use]
    pub fn with(before: Option<StoredGroup>, changes: GroupChanges) -> StoredGroup {
        fn take<V>(into: &mut BTreeMap<String, V>, changes: BTreeMap<String, Option<V>>) {
            for (key, value) in changes {
                match value {
                    Some(value) => drop(into.insert(key, value)),
                    None => drop(into.remove(&key)),
                }
            }
        }
        let mut group = before.filter(|_| !changes.is_whole).unwrap_or_default();
        for row in changes.stored_rows() {
            match row.sum {
                Some(sum) => {
                    group.tombstones.remove(&row.key);
                    group.rows.insert(row.key, (sum, row.at));
                }
                None => {
                    group.rows.remove(&row.key);
                    group.tombstones.insert(row.key, row.at);
                }
            }
        }
        take(&mut group.clients, changes.clients);
        take(&mut group.queries, changes.queries);
        take(&mut group.gone, changes.gone);
        if changes.is_pruned {
            let floor = changes.head.floor;
            group.tombstones.retain(|_, at| *at > floor);
            group.gone.retain(|_, at| *at > floor);
        }
        if let Some(schema) = changes.schema {
            group.schema = schema;
        }
        (group.id, group.head) = (changes.id, changes.head);
        group
    }
}

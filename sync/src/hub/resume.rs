//! What of a group outlives the process: who wants what, and which rows, as sums, its clients hold.
//!
//! A group that is recalled hydrates its queries anew and compares: rows with the same sum have not
//! changed since, others are put at a new version, and what is not there any more is deleted. A group is
//! saved now and then; what its clients were told after that is not known to a server that is killed, and
//! it notices by their cookies, which are of a history that it cannot know: it then sends everything anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::clock::ActiveClock;
use super::group::{Client, Desire, Group, GroupQuery, QueryState, Touched};
use super::live::fixed_map;
use super::{Hub, Now};
use crate::protocol::cookie::Tag;
use crate::protocol::downstream::{delete_row, put_row, row_key};
use crate::protocol::upstream::Wanted;

/// How often a group that has changed is saved at most, in milliseconds.
const SAVE_MS: u64 = 5000;
/// How many groups are saved at a tick.
const SAVE_AT_ONCE: usize = 8;
/// How many histories of a group are kept.
const HISTORIES: usize = 32;

/// Where groups are kept.
pub trait GroupStore: Send {
    /// What was saved of a group.
    ///
    /// # Errors
    /// A store that cannot be read, for people.
    fn load(&mut self, id: &str) -> Result<Option<StoredGroup>, String>;

    /// Saves groups, all or none, in the place of what was saved of them before.
    ///
    /// # Errors
    /// A store that cannot be written, for people.
    fn save(&mut self, groups: &[StoredGroup]) -> Result<(), String>;
}

/// A group as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredGroup {
    /// Its name.
    pub id: String,
    /// Its user.
    pub user: Option<String>,
    /// The clients' tables.
    pub schema: Option<Json>,
    /// How many pokes it has had.
    pub version: u64,
    /// Its histories, each up to which version.
    pub histories: Vec<(u32, u64)>,
    /// What left before this version is forgotten.
    pub floor: u64,
    /// For how long somebody was connected, in milliseconds.
    pub active_ms: u64,
    /// Its clients.
    pub clients: BTreeMap<String, StoredClient>,
    /// Its queries.
    pub queries: BTreeMap<String, StoredQuery>,
    /// The rows that its clients hold.
    pub rows: Vec<StoredRow>,
    /// The operations that deleted rows, and at which version.
    pub tombstones: Vec<(String, u64)>,
    /// Queries that are gone, and at which version.
    pub gone: BTreeMap<String, u64>,
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

/// A row as it is kept: the table, the key as JSON, a sum of what is in it, and its version.
pub type StoredRow = (String, String, u128, u64);

/// What is remembered of a group until it can be compared.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    /// By table and key.
    rows: BTreeMap<(String, String), (u128, u64)>,
    /// At which version queries were told to be complete.
    got_at: BTreeMap<String, u64>,
}

fn sum(text: &str) -> u128 {
    let digest = Sha256::digest(text.as_bytes());
    let mut first = [0; 16];
    first.copy_from_slice(&digest[..16]);
    u128::from_be_bytes(first)
}

impl Group {
    fn stored(&self, now: Now) -> StoredGroup {
        let mut rows: Vec<StoredRow> = self
            .rows
            .values()
            .map(|held| {
                let (table, row) = (held.row.table(), held.row.row());
                let name = table.name().to_owned();
                (name, row_key(table, row), sum(&put_row(table, row)), held.put_at)
            })
            .collect();
        rows.sort();
        let mut tombstones: Vec<(String, u64)> =
            self.tombstones.iter().map(|(op, at)| (op.to_string(), *at)).collect();
        tombstones.sort();
        let mut histories: Vec<(u32, u64)> =
            self.earlier.iter().map(|(tag, until)| (tag.0, *until)).collect();
        histories.push((self.tag.0, self.version));
        histories.drain(..histories.len().saturating_sub(HISTORIES));
        let clients = self.clients.iter().map(|(id, client)| {
            let desires = client.desires.iter();
            let desires =
                desires.map(|(hash, desire)| (hash.clone(), (desire.ttl, desire.inactive_since)));
            let (last_mutation_id, told_at) = (client.last_mutation_id, client.told_at);
            (id.clone(), StoredClient { desires: desires.collect(), last_mutation_id, told_at })
        });
        let queries = self.queries.iter().map(|(hash, query)| {
            let got_at = match query.state {
                QueryState::Live { got_at, .. } => got_at,
                QueryState::Pending | QueryState::Failed => 0,
            };
            let stored = match &query.what {
                Wanted::Ast(ast) => StoredQuery { ast: Some(ast.clone()), named: None, got_at },
                Wanted::Named { name, args } => {
                    StoredQuery { ast: None, named: Some((name.clone(), args.clone())), got_at }
                }
            };
            (hash.clone(), stored)
        });
        StoredGroup {
            id: self.id.to_string(),
            user: self.user.clone(),
            schema: self.schema.clone(),
            version: self.version,
            histories,
            floor: self.floor,
            active_ms: self.clock.read(now),
            clients: clients.collect(),
            queries: queries.collect(),
            rows,
            tombstones,
            gone: self.gone.clone(),
        }
    }

    fn recalled(stored: StoredGroup, tag: Tag) -> Group {
        let mut group = Group::new(&stored.id, tag);
        group.user = stored.user;
        group.schema = stored.schema;
        group.version = stored.version;
        group.floor = stored.floor;
        group.clock = ActiveClock::at(stored.active_ms);
        group.gone = stored.gone;
        for (earlier, until) in stored.histories {
            if earlier != tag.0 {
                group.earlier.push((Tag(earlier), until));
            }
        }
        for (id, client) in stored.clients {
            let desires = client
                .desires
                .into_iter()
                .map(|(hash, (ttl, inactive_since))| (hash, Desire { ttl, inactive_since }));
            let (last_mutation_id, told_at) = (client.last_mutation_id, client.told_at);
            let client = Client { desires: desires.collect(), last_mutation_id, told_at };
            group.clients.insert(id, client);
        }
        let mut remembered = Remembered::default();
        for (hash, query) in stored.queries {
            let what = match (query.ast, query.named) {
                (Some(ast), _) => Wanted::Ast(ast),
                (None, Some((name, args))) => Wanted::Named { name, args },
                (None, None) => continue,
            };
            remembered.got_at.insert(hash.clone(), query.got_at);
            group.queries.insert(hash, GroupQuery { what, state: QueryState::Pending });
        }
        let rows = stored.rows.into_iter();
        remembered.rows = rows.map(|(table, key, sum, at)| ((table, key), (sum, at))).collect();
        group.tombstones = fixed_map();
        let tombstones = stored.tombstones.into_iter();
        group.tombstones.extend(tombstones.map(|(op, at)| (Arc::from(op), at)));
        group.remembered = Some(remembered);
        group
    }

    /// Compares the rows that the queries have now with those that clients hold, and takes out of
    /// `touched` what they hold already.
    pub(crate) fn compare_with_remembered(&mut self, touched: &mut Touched) {
        let Some(mut remembered) = self.remembered.take() else { return };
        for (identity, held) in &mut self.rows {
            let (table, row) = (held.row.table(), held.row.row());
            let key = (table.name().to_owned(), row_key(table, row));
            if let Some((sum_before, put_at)) = remembered.rows.remove(&key)
                && sum_before == sum(&put_row(table, row))
            {
                held.put_at = put_at;
                touched.rows.remove(identity);
            }
        }
        let mut left = Vec::new();
        for ((table, key), _) in remembered.rows {
            left.push(delete_row(&table, &key));
        }
        for (hash, was_got_at) in remembered.got_at {
            match self.queries.get_mut(&hash) {
                Some(GroupQuery { state: QueryState::Live { got_at, .. }, .. })
                    if was_got_at > 0 =>
                {
                    *got_at = was_got_at;
                    touched.got.remove(&hash);
                }
                _ if was_got_at > 0 => drop(touched.gone.insert(hash)),
                _ => {}
            }
        }
        if !left.is_empty() {
            self.version += 1;
            self.tombstones.extend(left.into_iter().map(|op| (op, self.version)));
        }
    }
}

impl Hub {
    /// A group as the store has it, its queries still to be hydrated.
    pub(super) fn recall(&mut self, id: &str) -> Option<Group> {
        let store = self.options.store.as_mut()?;
        match store.load(id) {
            Ok(stored) => stored.map(|stored| Group::recalled(stored, self.options.tag)),
            Err(problem) => {
                // The group starts over, which its clients are told by their cookies.
                self.counters.store_errors += 1;
                self.counters.last_store_error = Some(problem);
                None
            }
        }
    }

    /// Saves some of the groups that have changed and have not been saved for a while.
    pub(super) fn save_some(&mut self, now: Now) {
        let is_due = |group: &&Group| now.mono_ms.saturating_sub(group.saved_at) >= SAVE_MS;
        let due = self.groups.values().filter(|group| group.is_unsaved).filter(is_due);
        let due: Vec<Arc<str>> =
            due.take(SAVE_AT_ONCE).map(|group| Arc::clone(&group.id)).collect();
        self.save(now, &due);
    }

    /// Saves all groups that have changed.
    pub(super) fn save_all(&mut self, now: Now) {
        let unsaved = self.groups.values().filter(|group| group.is_unsaved);
        let unsaved: Vec<Arc<str>> = unsaved.map(|group| Arc::clone(&group.id)).collect();
        self.save(now, &unsaved);
    }

    /// Saves a group that nobody is connected to, and lets go of it. Without a store it is forgotten.
    pub(super) fn park(&mut self, now: Now, id: &Arc<str>) {
        self.save(now, std::slice::from_ref(id));
        let Some(group) = self.groups.remove(id) else { return };
        self.touched.remove(id);
        self.forget_attaching(id);
        for (hash, query) in group.queries {
            if let QueryState::Live { live, .. } = query.state {
                let role = super::live::Role::Query(hash);
                self.lives.remove_user(live, &super::live::User { group: Arc::clone(id), role });
            }
        }
        for (live, role) in group.bookkeeping {
            self.lives.remove_user(live, &super::live::User { group: Arc::clone(id), role });
        }
    }

    fn save(&mut self, now: Now, ids: &[Arc<str>]) {
        let Some(store) = self.options.store.as_mut() else { return };
        // One that has not been compared yet is in the store as it is.
        let is_known = |group: &&Group| group.remembered.is_none();
        let groups = ids.iter().filter_map(|id| self.groups.get(id)).filter(is_known);
        let stored: Vec<StoredGroup> = groups.map(|group| group.stored(now)).collect();
        if stored.is_empty() {
            return;
        }
        match store.save(&stored) {
            Ok(()) => {
                for id in ids {
                    if let Some(group) = self.groups.get_mut(id) {
                        group.is_unsaved = false;
                        group.saved_at = now.mono_ms;
                    }
                }
            }
            Err(problem) => {
                self.counters.store_errors += 1;
                self.counters.last_store_error = Some(problem);
            }
        }
    }
}

//! What of a group outlives the process: who wants what, and which rows, as sums, its clients hold.
//!
//! A group that is recalled hydrates its queries anew and compares: rows with the same sum have not
//! changed since, others are put at a new version, and what is not there any more is deleted. What has
//! changed of groups is saved at every tick, so within a fraction of a second; what their clients were told
//! after that is not known to a server that is killed, and it notices by their cookies, which are of a
//! history that it cannot know: it then sends everything anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::clock::ActiveClock;
use super::group::{Client, Desire, Group, GroupQuery, QueryState, Touched};
use super::live::fixed_map;
use super::stored::{StoredGroup, StoredKey, StoredRow, stored_key, sum};
use super::unsaved::Unsaved;
use super::{Hub, Now};
use crate::protocol::cookie::Tag;
use crate::protocol::downstream::delete_row;
use crate::protocol::upstream::Wanted;

/// What is remembered of a group until it can be compared.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    rows: BTreeMap<StoredKey, (u128, u64)>,
    /// At which version queries were told to be complete.
    got_at: BTreeMap<String, u64>,
}

impl Group {
    fn recalled(stored: StoredGroup, tag: Tag) -> Group {
        let mut group = Group::new(&stored.id, tag);
        let head = stored.head;
        group.unsaved = Unsaved::default();
        group.user = head.user;
        group.schema = stored.schema;
        group.version = head.version;
        group.floor = head.floor;
        group.clock = ActiveClock::at(head.active_ms);
        group.gone = stored.gone;
        for (earlier, until) in head.histories {
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
            let desires = desires.collect();
            let client = Client { desires, last_mutation_id, counted: 0, told_at };
            group.clients.insert(id, client);
        }
        let mut remembered = Remembered { rows: stored.rows, ..Remembered::default() };
        for (hash, query) in stored.queries {
            let what = match (query.ast, query.named) {
                (Some(ast), _) => Wanted::Ast(ast),
                (None, Some((name, args))) => Wanted::Named { name, args },
                (None, None) => continue,
            };
            remembered.got_at.insert(hash.clone(), query.got_at);
            let bytes = what.bytes();
            group.queries.insert(hash, GroupQuery { what, bytes, state: QueryState::Pending });
        }
        group.tombstones = fixed_map();
        let tombstones = stored.tombstones.into_iter();
        let tombstones = tombstones.map(|((table, key), at)| (delete_row(&table, &key), at));
        group.tombstones.extend(tombstones);
        group.remembered = Some(remembered);
        group
    }

    /// Compares the rows that the queries have now with those that clients hold, and takes out of
    /// `touched` what they hold already.
    pub(crate) fn compare_with_remembered(&mut self, touched: &mut Touched) {
        let Some(mut remembered) = self.remembered.take() else { return };
        for (identity, held) in &mut self.rows {
            if let Some((sum_before, put_at)) = remembered.rows.remove(&stored_key(&held.row))
                && sum_before == sum(&held.row)
            {
                held.put_at = put_at;
                touched.rows.remove(identity);
            }
        }
        let left = remembered.rows;
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
            for (key, _) in left {
                self.tombstones.insert(delete_row(&key.0, &key.1), self.version);
                self.unsaved.left(StoredRow { key, sum: None, at: self.version });
            }
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
                tracing::warn!(group = id, problem, "a client group cannot be read from the store");
                self.counters.store_errors += 1;
                self.counters.last_store_error = Some(problem);
                None
            }
        }
    }

    /// Has the store told what has changed, unless it has much to do already: then later, all together.
    pub(super) fn save_changed(&mut self, now: Now) {
        let Some(store) = self.options.store.as_mut() else { return };
        for (id, problem) in store.failures() {
            self.note_failure(&problem);
            if let Some(group) = self.groups.get_mut(id.as_str()) {
                group.unsaved = Unsaved::whole();
            }
        }
        if self.options.store.as_ref().is_some_and(|store| !store.is_busy()) {
            self.save_all(now);
        }
    }

    /// Has the store told of all groups that have changed.
    pub(super) fn save_all(&mut self, now: Now) {
        let changed = self.groups.values().filter(|group| !group.unsaved.is_empty());
        let changed: Vec<Arc<str>> = changed.map(|group| Arc::clone(&group.id)).collect();
        self.save(now, &changed);
    }

    /// Saves everything, and waits until it is kept.
    pub(super) fn save_at_end(&mut self, now: Now) {
        self.save_all(now);
        if let Some(store) = self.options.store.as_mut() {
            store.flush();
            for (_, problem) in store.failures() {
                self.note_failure(&problem);
            }
        }
    }

    fn note_failure(&mut self, problem: &str) {
        tracing::warn!(problem, "client groups cannot be saved");
        self.counters.store_errors += 1;
        self.counters.last_store_error = Some(problem.to_owned());
    }

    /// Saves a group that nobody is connected to, and lets go of it. Without a store it is forgotten.
    pub(super) fn park(&mut self, now: Now, id: &Arc<str>) {
        self.save(now, std::slice::from_ref(id));
        if let Some(store) = self.options.store.as_mut() {
            store.let_go(id);
        }
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

    pub(super) fn save(&mut self, now: Now, ids: &[Arc<str>]) {
        let Some(store) = self.options.store.as_mut() else { return };
        let mut changes = Vec::new();
        for id in ids {
            // One that has not been compared yet is in the store as it is.
            if let Some(group) = self.groups.get_mut(id)
                && group.remembered.is_none()
                && !group.unsaved.is_empty()
            {
                changes.push(group.take_unsaved(now));
            }
        }
        if changes.is_empty() {
            return;
        }
        if let Err(problem) = store.save(changes) {
            for id in ids {
                if let Some(group) =
                    self.groups.get_mut(id).filter(|group| group.remembered.is_none())
                {
                    group.unsaved = Unsaved::whole();
                }
            }
            self.note_failure(&problem);
        }
    }
}

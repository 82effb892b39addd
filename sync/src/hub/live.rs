//! Live queries, each once for all client groups that want it, as sets of rows.
//!
//! A live query has what its query's result is made of at one version of the database, the *cut* of the
//! last [`Lives::advance`]. Patches of later commits wait, so that all live queries are seen at the same
//! version. Cost of an advance: O(changed rows), and nothing for live queries that have not changed.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use penstock::operators::row_set::RowIdentity;
use penstock::{Budget, Database, Error, Params, Patch, Query, RowView, Subscription};

use super::Wake;
use super::commit::{Commit, Committing};

mod due;
mod filling;
mod taking;

/// A map with a fixed hasher.
pub(crate) type FixedMap<K, V> = HashMap<K, V, ahash::RandomState>;

/// An empty map whose order is the same in every run.
pub(crate) fn fixed_map<K, V>() -> FixedMap<K, V> {
    HashMap::with_hasher(ahash::RandomState::with_seeds(17, 19, 23, 29))
}

/// The number of a live query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LiveId(u64);

/// Who has a use for a live query: a client group, and as what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct User {
    pub(crate) group: Arc<str>,
    pub(crate) role: Role,
}

impl User {
    /// A group's query.
    pub(crate) fn query(group: &Arc<str>, hash: &str) -> User {
        User { group: Arc::clone(group), role: Role::Query(hash.to_owned()) }
    }
}

/// What a live query is for a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// The query of this name, whose rows the clients hold.
    Query(String),
    /// The last mutation ids of the group's clients.
    Clients,
    /// The results of failed mutations.
    Results,
}

/// A row that came, changed or went.
#[derive(Clone, Debug)]
pub(crate) struct RowChange {
    pub(crate) identity: RowIdentity,
    pub(crate) before: Option<RowView>,
    pub(crate) after: Option<RowView>,
}

impl RowChange {
    /// Whether the row is as it was.
    fn is_none(&self) -> bool {
        self.before.as_ref().map(RowView::row) == self.after.as_ref().map(RowView::row)
    }
}

/// A live query.
pub(crate) struct Live {
    key: Arc<str>,
    subscription: Subscription,
    /// In the order of their identities, so that a group can take them in part by part.
    rows: BTreeMap<RowIdentity, RowView>,
    /// At which version of the database all its rows were there; `None` while it is being filled.
    complete_at: Option<u64>,
    /// Patches of commits after the cut.
    later: Vec<Patch>,
    users: BTreeSet<User>,
    is_dirty: Arc<AtomicBool>,
    /// The first commit that callbacks have told of since it was last looked at.
    told: Arc<Mutex<Option<Commit>>>,
    /// The first commit that is not told to anybody yet.
    commit: Option<Commit>,
    pub(crate) hydrated_us: u64,
    pub(crate) advances: u64,
    /// What it may still cost.
    budget: Budget,
}

impl Live {
    pub(crate) fn rows(&self) -> &BTreeMap<RowIdentity, RowView> {
        &self.rows
    }

    pub(crate) fn users(&self) -> &BTreeSet<User> {
        &self.users
    }

    /// Whether all its rows are there, but for those of commits after the cut.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete_at.is_some()
    }

    pub(crate) fn key(&self) -> &Arc<str> {
        &self.key
    }

    pub(crate) fn subscription(&self) -> &Subscription {
        &self.subscription
    }
}

/// A live query whose rows have changed.
#[derive(Debug)]
pub(crate) struct Advanced {
    pub(crate) live: LiveId,
    pub(crate) changes: Vec<RowChange>,
    /// The first commit among those that changed them, where it is known.
    pub(crate) commit: Option<Commit>,
}

/// All live queries.
pub(crate) struct Lives {
    database: Database,
    wake: Wake,
    committing: Option<Committing>,
    /// Those that have come to have all their rows.
    filled: Vec<LiveId>,
    by_key: FixedMap<Arc<str>, LiveId>,
    all: BTreeMap<LiveId, Live>,
    next: u64,
    dirty: Arc<Mutex<Vec<LiveId>>>,
    /// Those that are being filled, in turn.
    filling: VecDeque<LiveId>,
    /// The version that all live queries were last taken to.
    cut: u64,
    /// Whether there may be live queries that nobody uses.
    has_unused: bool,
    /// The version that the last live query which was read is at, at most: no cut is before it.
    ahead: u64,
    /// Those whose sets of rows have become too large to be kept.
    lost: Vec<LiveId>,
}

fn identity(row: &RowView) -> RowIdentity {
    (row.table_id(), row.table().primary_key_spec().key(row.row()))
}

impl Lives {
    pub(crate) fn new(database: Database, wake: Wake) -> Lives {
        Lives {
            database,
            wake,
            committing: None,
            filled: Vec::new(),
            by_key: fixed_map(),
            all: BTreeMap::new(),
            next: 0,
            dirty: Arc::default(),
            filling: VecDeque::new(),
            cut: 0,
            has_unused: false,
            ahead: 0,
            lost: Vec::new(),
        }
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// Asks so, in callbacks, what is being committed. For live queries that are made from now on.
    pub(crate) fn ask_commits(&mut self, committing: Committing) {
        self.committing = Some(committing);
    }

    pub(crate) fn get(&self, id: LiveId) -> Option<&Live> {
        self.all.get(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (LiveId, &Live)> {
        self.all.iter().map(|(id, live)| (*id, live))
    }

    /// The version of the database at which all live queries are seen.
    pub(crate) fn version(&self) -> u64 {
        self.cut
    }

    /// Those that have all their rows since this was last asked.
    pub(crate) fn take_filled(&mut self) -> Vec<LiveId> {
        std::mem::take(&mut self.filled)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// The live query of this key, made if it is not there. It has no users yet; the caller adds one
    /// or [sweeps](Lives::sweep). Cost: a hydration if it is new, within the budget.
    pub(crate) fn find_or_make(
        &mut self,
        key: &str,
        budget: Budget,
        query: impl FnOnce() -> Result<Query, Error>,
    ) -> Result<LiveId, Error> {
        match self.by_key.get(key) {
            Some(id) => Ok(*id),
            None => self.make(key, budget, |database, budget| {
                Ok((database.subscribe_within(query()?, &Params::default(), budget)?, budget))
            }),
        }
    }

    fn make(
        &mut self,
        key: &str,
        budget: Budget,
        subscribe: impl FnOnce(&Database, Budget) -> Result<(Subscription, Budget), Error>,
    ) -> Result<LiveId, Error> {
        let started = super::clock::monotonic_us();
        let id = LiveId(self.next);
        let (mut subscription, budget) = subscribe(&self.database, budget)?;
        let is_dirty = Arc::new(AtomicBool::new(true));
        let (flag, dirty, wake) =
            (Arc::clone(&is_dirty), Arc::clone(&self.dirty), Arc::clone(&self.wake));
        let told = Arc::new(Mutex::new(None));
        let (noted, committing) = (Arc::clone(&told), self.committing.clone());
        subscription.on_change(move |_| {
            if !flag.swap(true, Ordering::AcqRel) {
                *noted.lock() = Some(Commit::now(committing.as_ref()));
                dirty.lock().push(id);
                wake();
            }
        });
        let rows = subscription.row_set_within(budget)?;
        self.ahead = self.database.version()?;
        self.next += 1;
        // What was committed since is only known to be there by looking.
        self.dirty.lock().push(id);
        let rows = rows.into_iter().map(|row| (identity(&row), row)).collect();
        let complete_at = match subscription.is_complete()? {
            true => Some(self.database.version()?),
            false => None,
        };
        let key: Arc<str> = Arc::from(key);
        self.by_key.insert(Arc::clone(&key), id);
        let hydrated_us = super::clock::monotonic_us().saturating_sub(started);
        let live = Live {
            key,
            subscription,
            rows,
            complete_at,
            later: Vec::new(),
            users: BTreeSet::new(),
            is_dirty,
            told,
            commit: None,
            hydrated_us,
            advances: 0,
            budget,
        };
        self.all.insert(id, live);
        self.has_unused = true;
        Ok(id)
    }

    pub(crate) fn add_user(&mut self, id: LiveId, user: User) {
        if let Some(live) = self.all.get_mut(&id) {
            live.users.insert(user);
        }
    }

    /// Takes a user away; the live query stays until the next [`sweep`](Lives::sweep).
    pub(crate) fn remove_user(&mut self, id: LiveId, user: &User) {
        if let Some(live) = self.all.get_mut(&id) {
            live.users.remove(user);
            self.has_unused |= live.users.is_empty();
        }
    }

    /// Ends live queries that nobody uses or waits for.
    pub(crate) fn sweep(&mut self, waited_for: impl FnOnce() -> BTreeSet<LiveId>) {
        if !std::mem::take(&mut self.has_unused) {
            return;
        }
        let waited_for = waited_for();
        // Those may come to be waited for no more.
        self.has_unused = !waited_for.is_empty();
        let by_key = &mut self.by_key;
        self.all.retain(|id, live| {
            let used = !live.users.is_empty() || waited_for.contains(id);
            if !used && by_key.get(&live.key) == Some(id) {
                by_key.remove(&live.key);
            }
            used
        });
    }

    /// Forgets by which key live queries are found, so that the next are made anew: for a changed schema.
    pub(crate) fn forget_keys(&mut self) {
        self.by_key.clear();
    }

    /// Whether there may be something to advance.
    pub(crate) fn is_dirty(&self) -> bool {
        !self.dirty.lock().is_empty()
    }

    /// The last version of which all callbacks have come, once it is not behind what was read.
    fn delivered(&self) -> Result<u64, Error> {
        loop {
            let version = self.database.delivered_version()?;
            if version >= self.ahead {
                return Ok(version);
            }
            // Another thread is at it.
            std::thread::yield_now();
        }
    }

    /// Takes all live queries to the last version of which all callbacks have come, and returns what
    /// changed in each.
    ///
    /// # Errors
    /// A database that cannot be used any more.
    pub(crate) fn advance(&mut self) -> Result<Vec<Advanced>, Error> {
        let mut changed: BTreeMap<LiveId, BTreeMap<RowIdentity, Option<RowView>>> = BTreeMap::new();
        let mut dirty = BTreeSet::new();
        loop {
            // Callbacks of one commit come one after another: before the last has come, it is not known
            // which live queries the commit changes. Those that any commit up to the version changes
            // are marked by the time that the version is known, so only then is looked at the marks.
            let version = self.delivered()?;
            self.cut = self.cut.max(version);
            dirty.extend(std::mem::take(&mut *self.dirty.lock()));
            let mut again = false;
            for id in &dirty {
                let Some(live) = self.all.get_mut(id) else { continue };
                live.is_dirty.store(false, Ordering::Release);
                live.commit = live.commit.or(live.told.lock().take());
                live.later.extend(live.subscription.changes());
                let before = changed.entry(*id).or_default();
                let advanced = match live.subscription.has_lost_row_set()? {
                    true => None,
                    false => match live.advance(version, before) {
                        Err(Error::TooCostly { .. }) => None,
                        advanced => Some(advanced?),
                    },
                };
                match advanced {
                    Some(is_there) => again |= !is_there,
                    // It stays as it was until its users have let go of it.
                    None => {
                        live.later.clear();
                        self.lost.push(*id);
                    }
                }
            }
            if !again {
                // Those whose patches were too late for this cut go on to the next one.
                let behind = dirty
                    .iter()
                    .filter(|id| self.all.get(id).is_some_and(|live| !live.later.is_empty()));
                self.dirty.lock().extend(behind.copied());
                break;
            }
            // A live query was read anew and may be ahead: all follow.
            self.ahead = self.database.version()?;
        }
        let changes = changed.into_iter().filter_map(|(id, before)| {
            let live = self.all.get_mut(&id)?;
            let changes: Vec<RowChange> = before
                .into_iter()
                .map(|(identity, before)| {
                    let after = live.rows.get(&identity).cloned();
                    RowChange { identity, before, after }
                })
                .filter(|change| !change.is_none())
                .collect();
            live.advances += u64::from(!changes.is_empty());
            let commit = live.commit;
            if live.later.is_empty() {
                live.commit = None;
            }
            (!changes.is_empty()).then_some(Advanced { live: id, changes, commit })
        });
        Ok(changes.collect())
    }
}

#[cfg(test)]
mod tests;

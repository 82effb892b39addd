//! A client group: the clients that share one store, and which rows that store holds.
//!
//! Every poke that tells the clients something new is a *version* of the group. Of each row the group
//! knows at which version it was last put, and of rows that left at which version they did; so what a
//! client misses that is at an earlier version is the rows put and deleted since. That is how clients
//! reconnect, how slow ones are brought up to date in one go, and how two tabs with different cookies
//! are served.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use penstock::RowView;
use penstock::operators::row_set::RowIdentity;
use serde_json::Value as Json;

use super::clock::ActiveClock;
use super::commit::Commit;
use super::live::{FixedMap, LiveId, RowChange, fixed_map};
use super::unsaved::Unsaved;
use crate::claims::Claims;
use crate::protocol::ConnectionId;
use crate::protocol::cookie::{Cookie, Tag};
use crate::protocol::downstream::{Piece, delete_row, row_key};
use crate::protocol::upstream::Wanted;

/// Beyond this many rows that left, and as many as there are rows, the older half is forgotten.
const TOMBSTONES_MIN: usize = 1000;

/// A row that the group's clients hold.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) row: RowView,
    /// How many of the group's queries need it.
    uses: u32,
    /// At which version it was last put.
    pub(crate) put_at: u64,
}

impl Held {
    pub(crate) fn uses(&self) -> u32 {
        self.uses
    }
}

/// What a client wants.
#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    pub(crate) desires: BTreeMap<String, Desire>,
    pub(crate) last_mutation_id: u64,
    /// The same as the database has it.
    pub(crate) counted: u64,
    /// At which version that was told.
    pub(crate) told_at: u64,
}

/// A client's wish for a query.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Desire {
    /// In milliseconds.
    pub(crate) ttl: u64,
    /// Since when on the group's clock it is not wanted any more; `None` while it is.
    pub(crate) inactive_since: Option<u64>,
}

/// A query of the group, by the name that clients gave it.
#[derive(Clone, Debug)]
pub(crate) struct GroupQuery {
    pub(crate) what: Wanted,
    /// How long it is as text.
    pub(crate) bytes: usize,
    pub(crate) state: QueryState,
}

/// How far a query is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum QueryState {
    /// The application is asked what it means, or it is about to be hydrated.
    Pending,
    /// It cannot be served; clients have been told.
    Failed,
    /// Its rows are with the group.
    Live {
        live: LiveId,
        /// At which version clients were told that it is complete; 0 if not yet.
        got_at: u64,
    },
}

/// What failed mutations came to, as told to clients.
#[derive(Clone, Debug)]
pub(crate) struct MutationResult {
    pub(crate) op: Piece,
    pub(crate) put_at: u64,
}

/// A client group.
pub(crate) struct Group {
    pub(crate) id: Arc<str>,
    pub(crate) user: Option<String>,
    /// Under whose names its mutations were written, as the database says.
    pub(crate) authors: BTreeSet<String>,
    /// What the newest token says.
    pub(crate) claims: Claims,
    /// The clients' tables, if they have said.
    pub(crate) schema: Option<Json>,
    pub(crate) version: u64,
    pub(crate) tag: Tag,
    /// Earlier histories, each up to which version.
    pub(crate) earlier: Vec<(Tag, u64)>,
    /// What left before this version is forgotten.
    pub(crate) floor: u64,
    pub(crate) clients: BTreeMap<String, Client>,
    pub(crate) queries: BTreeMap<String, GroupQuery>,
    pub(crate) rows: FixedMap<RowIdentity, Held>,
    /// The operations that deleted rows, and at which version.
    pub(crate) tombstones: FixedMap<Piece, u64>,
    /// Queries that are gone, and at which version.
    pub(crate) gone: BTreeMap<String, u64>,
    pub(crate) results: BTreeMap<(String, u64), MutationResult>,
    /// Results that are gone, and at which version.
    pub(crate) results_gone: BTreeMap<(String, u64), MutationResult>,
    pub(crate) connections: BTreeSet<ConnectionId>,
    pub(crate) clock: ActiveClock,
    /// The live queries for mutations, where the database has their tables.
    pub(crate) bookkeeping: Vec<(LiveId, super::live::Role)>,
    /// Since when nobody is connected.
    pub(crate) empty_since: Option<u64>,
    /// When its named queries were last asked for.
    pub(crate) transformed_at: u64,
    /// What a store remembers of it and has not been compared yet.
    pub(crate) remembered: Option<super::resume::Remembered>,
    /// What the store has not been told.
    pub(crate) unsaved: Unsaved,
}

/// How the rows of a group were before they were touched, and what else its clients are to be told.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    /// As clients hold them, and at which version they were put.
    pub(crate) rows: BTreeMap<RowIdentity, Option<(RowView, u64)>>,
    pub(crate) last_mutation_ids: BTreeSet<String>,
    pub(crate) got: BTreeSet<String>,
    pub(crate) gone: BTreeSet<String>,
    pub(crate) results: BTreeSet<(String, u64)>,
    /// The first commit that touched them, where it is known.
    pub(crate) commit: Option<Commit>,
}

impl Group {
    pub(crate) fn new(id: &str, tag: Tag) -> Group {
        Group {
            id: Arc::from(id),
            user: None,
            authors: BTreeSet::new(),
            claims: Claims::default(),
            schema: None,
            version: 0,
            tag,
            earlier: Vec::new(),
            floor: 0,
            clients: BTreeMap::new(),
            queries: BTreeMap::new(),
            rows: fixed_map(),
            tombstones: fixed_map(),
            gone: BTreeMap::new(),
            results: BTreeMap::new(),
            results_gone: BTreeMap::new(),
            connections: BTreeSet::new(),
            clock: ActiveClock::default(),
            bookkeeping: Vec::new(),
            empty_since: None,
            transformed_at: 0,
            remembered: None,
            unsaved: Unsaved::whole(),
        }
    }

    /// The cookie of the current version.
    pub(crate) fn cookie(&self) -> Cookie {
        Cookie { version: self.version, tag: self.tag }
    }

    /// The version that a client's cookie stands for, if the group can tell what came since.
    pub(crate) fn knows(&self, cookie: Cookie) -> Option<u64> {
        let until = if cookie.tag == self.tag {
            self.version
        } else {
            self.earlier.iter().find(|(tag, _)| *tag == cookie.tag)?.1
        };
        (cookie.version <= until && cookie.version >= self.floor).then_some(cookie.version)
    }

    /// Takes a change of one of its queries' rows.
    pub(crate) fn apply(&mut self, change: &RowChange, touched: &mut Touched) {
        match (&change.before, &change.after) {
            (None, Some(row)) => self.enter(&change.identity, row, touched),
            (Some(_), Some(row)) => {
                if let Some(held) = self.rows.get_mut(&change.identity) {
                    touched.note(&change.identity, Some(held));
                    held.row = row.clone();
                }
            }
            (Some(_), None) => self.leave(&change.identity, touched),
            (None, None) => {}
        }
    }

    /// One more query needs a row.
    pub(crate) fn enter(&mut self, identity: &RowIdentity, row: &RowView, touched: &mut Touched) {
        if let Some(held) = self.rows.get_mut(identity) {
            touched.note(identity, Some(held));
            held.uses += 1;
            held.row = row.clone();
        } else {
            touched.note(identity, None);
            self.rows.insert(identity.clone(), Held { row: row.clone(), uses: 1, put_at: 0 });
        }
    }

    /// One query fewer needs a row.
    pub(crate) fn leave(&mut self, identity: &RowIdentity, touched: &mut Touched) {
        let Some(held) = self.rows.get_mut(identity) else {
            debug_assert!(false, "a row that leaves a group was counted");
            return;
        };
        touched.note(identity, Some(held));
        held.uses -= 1;
        if held.uses == 0 {
            self.rows.remove(identity);
        }
    }

    /// Notes that a row was put at the current version.
    pub(crate) fn put(&mut self, identity: &RowIdentity, entered: bool) {
        let Some(held) = self.rows.get_mut(identity) else { return };
        held.put_at = self.version;
        self.unsaved.row(identity, &held.row, true, self.version);
        if entered && !self.tombstones.is_empty() {
            let table = held.row.table();
            let op = delete_row(table.name(), &row_key(table, held.row.row()));
            self.tombstones.remove(&op);
        }
    }

    /// Notes that a row left at the current version, and returns the operation that says so.
    pub(crate) fn delete(&mut self, identity: &RowIdentity, row: &RowView) -> Piece {
        self.unsaved.row(identity, row, false, self.version);
        let op = delete_row(row.table().name(), &row_key(row.table(), row.row()));
        self.tombstones.insert(Arc::clone(&op), self.version);
        op
    }

    /// Forgets the older half of what left, where it is much. Clients that are further behind then
    /// start over.
    pub(crate) fn prune(&mut self) {
        let left = self.tombstones.len() + self.gone.len() + self.results_gone.len();
        if left <= TOMBSTONES_MIN.max(self.rows.len()) {
            return;
        }
        let results = self.results_gone.values().map(|result| result.put_at);
        let versions = self.tombstones.values().chain(self.gone.values()).copied();
        let mut versions: Vec<u64> = versions.chain(results).collect();
        let middle = versions.len() / 2;
        let (_, &mut middle, _) = versions.select_nth_unstable(middle);
        self.floor = self.floor.max(middle);
        self.unsaved.is_pruned = true;
        self.tombstones.retain(|_, at| *at > middle);
        self.gone.retain(|_, at| *at > middle);
        self.results_gone.retain(|_, result| result.put_at > middle);
        self.earlier.retain(|(_, until)| *until >= middle);
    }

    /// About how many bytes its rows and what left take, without the rows' contents, which are the
    /// database's.
    pub(crate) fn bytes(&self) -> usize {
        // A byte of control and a free slot for each seven.
        let entry = |size: usize| (size + 1) * 8 / 7;
        self.rows.capacity() * entry(size_of::<(RowIdentity, Held)>())
            + self.tombstones.capacity() * entry(size_of::<(Piece, u64)>())
            + self.tombstones.len() * 64
    }

    /// Whether some query's rows are not all there yet.
    pub(crate) fn has_pending(&self) -> bool {
        self.queries.values().any(|query| query.state == QueryState::Pending)
    }

    /// Until when on the group's clock a query is wanted; `None` where somebody wants it now.
    pub(crate) fn wanted_until(&self, hash: &str) -> Option<u64> {
        let mut until = 0;
        for desire in self.clients.values().filter_map(|client| client.desires.get(hash)) {
            until = until.max(desire.inactive_since? + desire.ttl);
        }
        Some(until)
    }
}

impl Touched {
    fn note(&mut self, identity: &RowIdentity, held: Option<&Held>) {
        if !self.rows.contains_key(identity) {
            let before = held.map(|held| (held.row.clone(), held.put_at));
            self.rows.insert(identity.clone(), before);
        }
    }
}

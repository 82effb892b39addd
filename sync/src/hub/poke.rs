//! What clients are told: the same to all of a group that are up to date, and what they miss to the others.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use penstock::operators::row_set::RowIdentity;
use penstock::{Row, RowView};

use super::connection::{Base, Connection};
use super::group::{Group, GroupQuery, QueryState, Touched};
use super::live::User;
use super::{Hub, Now, Output, Outputs};
use crate::protocol::ConnectionId;
use crate::protocol::cookie::Cookie;
use crate::protocol::downstream::{Piece, Poke, poke_end, poke_start, put_row};
use crate::protocol::error::{ErrorBody, ErrorKind};

/// How long a client is given to take in that its store is to be empty, in milliseconds. What it has not
/// taken in when its connection ends is lost.
const SETTLING_MS: u64 = 1000;

/// Rows as they are put, each written once for all groups that are told of it.
#[derive(Default)]
pub(super) struct Encoder {
    written: BTreeMap<RowIdentity, (Row, Piece)>,
}

impl Encoder {
    fn put(&mut self, identity: &RowIdentity, row: &RowView) -> Piece {
        if let Some((of, piece)) = self.written.get(identity)
            && (of.ptr_eq(row.row()) || of == row.row())
        {
            return Arc::clone(piece);
        }
        let piece = put_row(row.table(), row.row());
        self.written.insert(identity.clone(), (row.row().clone(), Arc::clone(&piece)));
        piece
    }
}

impl Hub {
    /// Tells every group that has been touched, and everybody who is to be brought up to date.
    pub(super) fn flush(&mut self, now: Now, outputs: &mut Outputs) {
        let touched = std::mem::take(&mut self.touched);
        let mut encoder = Encoder::default();
        for (id, mut touched) in touched {
            let Some(group) = self.groups.get_mut(&id) else { continue };
            if group.remembered.is_some() {
                if group.has_pending() {
                    // Until all queries are there it cannot be told what the clients miss.
                    self.touched.insert(id, touched);
                    continue;
                }
                group.compare_with_remembered(&mut touched);
            }
            self.poke_group(&id, &touched, &mut encoder, now, outputs);
        }
        let waiting: Vec<ConnectionId> = std::mem::take(&mut self.greeting).into_iter().collect();
        for connection in waiting {
            let Some(of) = self.connections.get(&connection) else { continue };
            let Some(group) = self.groups.get(&of.group) else { continue };
            // Queries that are being filled are told of when they are complete.
            let is_unknown = |(hash, query): (&String, &GroupQuery)| {
                query.state == QueryState::Pending
                    && !self.attaching.contains_key(&User::query(&of.group, hash))
            };
            // Who starts over gets everything in one poke, so that no row is gone in between.
            let waits = of.starts_over(group) && group.has_pending();
            if of.is_ready()
                && group.remembered.is_none()
                && !waits
                && !group.queries.iter().any(is_unknown)
            {
                self.catch_up(connection, &mut encoder, now, outputs);
            } else {
                self.greeting.insert(connection);
            }
        }
    }

    fn poke_group(
        &mut self,
        id: &Arc<str>,
        touched: &Touched,
        encoder: &mut Encoder,
        now: Now,
        outputs: &mut Outputs,
    ) {
        let Some(group) = self.groups.get_mut(id) else { return };
        let before = group.version;
        let poke = group.next(touched, encoder);
        if poke.is_empty() {
            return;
        }
        group.unsaved.head = true;
        group.prune();
        let span = tracing::debug_span!(
            "poke",
            group = &**id,
            version = group.version,
            transaction = self.lives.version(),
            position = tracing::field::Empty,
            rows = poke.rows.len(),
            clients = tracing::field::Empty,
        );
        if let Some(committed) = touched.commit.and_then(|commit| commit.committed) {
            span.record("position", tracing::field::display(committed.position));
        }
        let _in_span = span.enter();
        let told = self.counters.pokes;
        let cookie = group.cookie().to_string();
        let mut parts: Option<Vec<Arc<str>>> = None;
        for number in group.connections.clone() {
            let Some(connection) = self.connections.get_mut(&number) else { continue };
            if !connection.is_up_to_date(before) {
                self.greeting.insert(number);
                continue;
            }
            if connection.is_full(self.options.limits.queued_bytes) {
                self.counters.fell_behind += u64::from(connection.fall_behind(now));
                self.greeting.insert(number);
                continue;
            }
            let parts = parts.get_or_insert_with(|| poke.parts(&cookie));
            connection.poke(number, parts, &cookie, group.version, outputs);
            self.counters.pokes += 1;
            self.counters.poked_rows += poke.rows.len() as u64;
            if let Some(commit) = touched.commit {
                outputs.push(Output::Told { connection: number, commit });
            }
        }
        span.record("clients", self.counters.pokes - told);
        for (client, mutation) in &poke.last_mutation_ids {
            tracing::debug!(client, mutation, "mutations are acknowledged");
        }
        tracing::debug!("a group is told of changes");
    }

    /// Brings one client up to date, with what it misses or with everything.
    fn catch_up(
        &mut self,
        number: ConnectionId,
        encoder: &mut Encoder,
        now: Now,
        outputs: &mut Outputs,
    ) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let Some(group) = self.groups.get_mut(&connection.group) else { return };
        if connection.is_full(self.options.limits.queued_bytes) {
            self.counters.fell_behind += u64::from(connection.fall_behind(now));
            self.greeting.insert(number);
            return;
        }
        let known = match &connection.base {
            Base::Empty => Some(0),
            Base::Version(version) => (*version >= group.floor).then_some(*version),
            Base::Text(text) => Cookie::parse(text).and_then(|cookie| group.knows(cookie)),
        };
        let mut poke = group.since(known.unwrap_or(0), encoder);
        if known.is_none() {
            // Another history, or one that is forgotten: everything anew, at a version above it.
            let base = connection.cookie.as_deref().unwrap_or_default();
            poke.clear = true;
            match Cookie::parse(base) {
                Some(theirs) => group.version = group.version.max(theirs.version),
                // It comes from another server, which may have told it what of its wishes that server
                // knows: it does not say them again before its store is empty.
                None => connection.leaves_at = Some(now.mono_ms + SETTLING_MS),
            }
            group.version += 1;
            group.unsaved.head = true;
            if group.cookie().to_string().as_str() <= base {
                let error = ErrorBody::new(
                    ErrorKind::ClientNotFound,
                    format!("the cookie {base:?} is of another server; start with an empty store"),
                );
                self.end(number, &error, outputs);
                return;
            }
        } else if poke.is_empty() && connection.is_at(group.version) && connection.is_greeted {
            return;
        } else if group.version == 0 {
            // A version of its own, as the first cookie must not be the empty one.
            group.version = 1;
            group.unsaved.head = true;
        }
        let cookie = match (&connection.base, &connection.cookie) {
            (Base::Text(text), _)
                if poke.is_empty()
                    && Cookie::parse(text).is_some_and(|c| c.version == group.version) =>
            {
                text.clone()
            }
            _ => group.cookie().to_string(),
        };
        let parts = poke.parts(&cookie);
        let version = group.version;
        connection.poke(number, &parts, &cookie, version, outputs);
        connection.is_greeted = true;
        tracing::debug!(
            connection = number.0,
            group = &*group.id,
            client = connection.client,
            version,
            transaction = self.lives.version(),
            rows = poke.rows.len(),
            anew = poke.clear,
            "a client is brought up to date"
        );
        self.counters.pokes += 1;
        self.counters.poked_rows += poke.rows.len() as u64;
        self.counters.catch_ups += 1;
    }
}

impl Connection {
    /// Whether it has all that the group's clients were told until a version.
    fn is_up_to_date(&self, version: u64) -> bool {
        self.is_greeted && self.behind_since.is_none() && self.is_at(version)
    }

    fn is_at(&self, version: u64) -> bool {
        matches!(self.base, Base::Version(at) if at == version)
    }

    /// Whether it has something, and the group does not know what.
    fn starts_over(&self, group: &Group) -> bool {
        match &self.base {
            Base::Empty => false,
            Base::Version(version) => *version < group.floor,
            Base::Text(text) => Cookie::parse(text).and_then(|of| group.knows(of)).is_none(),
        }
    }

    /// Whether it can be brought up to date now.
    fn is_ready(&self) -> bool {
        self.has_initialised && self.validating.is_none()
    }

    fn is_full(&self, limit: usize) -> bool {
        let queued = self.queued.load(Ordering::Relaxed);
        // One that was too slow has to get rid of most of it first.
        queued > if self.behind_since.is_some() { limit / 4 } else { limit }
    }

    /// Returns whether it has kept up until now.
    fn fall_behind(&mut self, now: Now) -> bool {
        self.behind_since.replace(self.behind_since.unwrap_or(now.mono_ms)).is_none()
    }

    fn poke(
        &mut self,
        number: ConnectionId,
        parts: &[Arc<str>],
        cookie: &str,
        version: u64,
        outputs: &mut Outputs,
    ) {
        let start = poke_start(cookie, self.cookie.as_deref());
        self.send(number, Arc::from(start), outputs);
        for part in parts {
            self.send(number, Arc::clone(part), outputs);
        }
        self.send(number, Arc::from(poke_end(cookie, cookie)), outputs);
        self.behind_since = None;
        self.cookie = Some(cookie.to_owned());
        self.base = Base::Version(version);
    }

    /// Hands a frame to the connection's queue.
    pub(super) fn send(&self, connection: ConnectionId, frame: Arc<str>, outputs: &mut Outputs) {
        self.queued.fetch_add(frame.len(), Ordering::Relaxed);
        outputs.push(Output::Send { connection, frame });
    }
}

impl Group {
    /// The next version: what has changed in what was touched. Nothing, and the version stays, where
    /// nothing has.
    fn next(&mut self, touched: &Touched, encoder: &mut Encoder) -> Poke {
        let mut poke = Poke::default();
        self.version += 1;
        for (identity, before) in &touched.rows {
            match (before, self.rows.get_mut(identity)) {
                (None, Some(held)) => {
                    poke.rows.push(encoder.put(identity, &held.row));
                    self.put(identity, true);
                }
                (Some((before, put_at)), Some(held)) if before.row() == held.row.row() => {
                    // It may have left and come back.
                    held.put_at = *put_at;
                }
                (Some(_), Some(held)) => {
                    poke.rows.push(encoder.put(identity, &held.row));
                    self.put(identity, false);
                }
                (Some((before, _)), None) => poke.rows.push(self.delete(identity, before)),
                (None, None) => {}
            }
        }
        let version = self.version;
        for client in &touched.last_mutation_ids {
            if let Some(state) = self.clients.get_mut(client) {
                state.told_at = version;
                self.unsaved.clients.insert(client.clone());
                poke.last_mutation_ids.push((client.clone(), state.last_mutation_id));
            }
        }
        for hash in &touched.got {
            if let Some(query) = self.queries.get_mut(hash)
                && let QueryState::Live { got_at, .. } = &mut query.state
            {
                *got_at = version;
                self.unsaved.queries.insert(hash.clone());
                if self.gone.remove(hash).is_some() {
                    self.unsaved.gone.insert(hash.clone());
                }
                poke.got.push(hash.clone());
            }
        }
        for hash in touched.gone.iter().filter(|hash| !touched.got.contains(*hash)) {
            self.gone.insert(hash.clone(), version);
            self.unsaved.gone.insert(hash.clone());
            poke.gone.push(hash.clone());
        }
        for id in &touched.results {
            let result = self.results.get_mut(id).or_else(|| self.results_gone.get_mut(id));
            if let Some(result) = result {
                result.put_at = version;
                poke.mutations.push(Arc::clone(&result.op));
            }
        }
        if poke.is_empty() {
            self.version -= 1;
        }
        poke
    }

    /// What a client misses that is at an earlier version; all there is for version 0. Cost: O(rows of
    /// the group).
    fn since(&self, version: u64, encoder: &mut Encoder) -> Poke {
        let mut poke = Poke::default();
        let mut puts: Vec<_> = self.rows.iter().filter(|(_, held)| held.put_at > version).collect();
        puts.sort_by(|a, b| a.0.cmp(b.0));
        poke.rows.extend(puts.into_iter().map(|(identity, held)| encoder.put(identity, &held.row)));
        for (client, state) in &self.clients {
            if state.told_at > version {
                poke.last_mutation_ids.push((client.clone(), state.last_mutation_id));
            }
        }
        for (hash, query) in &self.queries {
            if matches!(query.state, QueryState::Live { got_at, .. } if got_at > version) {
                poke.got.push(hash.clone());
            }
        }
        let results = self.results.values().filter(|result| result.put_at > version);
        poke.mutations.extend(results.map(|result| Arc::clone(&result.op)));
        if version > 0 {
            let left = self.tombstones.iter().filter(|(_, at)| **at > version);
            let mut left: Vec<Piece> = left.map(|(op, _)| Arc::clone(op)).collect();
            left.sort();
            poke.rows.extend(left);
            let gone = self.gone.iter().filter(|(_, at)| **at > version);
            poke.gone.extend(gone.map(|(hash, _)| hash.clone()));
            let results = self.results_gone.values().filter(|result| result.put_at > version);
            poke.mutations.extend(results.map(|result| Arc::clone(&result.op)));
        }
        poke
    }
}

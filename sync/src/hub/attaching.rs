//! Queries on their way to their groups: filled step by step, then taken in by the group step by step.
//!
//! So a query with very many rows keeps nobody waiting for longer than a step. While a group takes
//! rows in, it has those up to one in the order of their identities; changes of rows beyond it are
//! not for it yet. Its clients are told of the rows as they come, and that the query is complete once
//! it has them all. Queries that fit into a step, as most do, are there at once.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use penstock::operators::row_set::RowIdentity;
use penstock::{Error, Query};
use serde_json::Value as Json;

use super::group::{Group, QueryState, Touched};
use super::live::{Live, LiveId, Role, RowChange, User};
use super::queries::Refusal;
use super::{Hub, Outputs};
use crate::measure::Limit;

/// How much is done at a time before others have their turn.
#[derive(Clone, Copy, Debug)]
pub struct Steps {
    /// Rows of a query's table that are read to fill it.
    pub read: usize,
    /// Rows that groups take in.
    pub take: usize,
}

impl Default for Steps {
    fn default() -> Steps {
        Steps { read: 1000, take: 4000 }
    }
}

/// A live query that a group is going to have.
#[derive(Clone, Debug)]
pub(super) struct Attaching {
    live: LiveId,
    /// Up to which row the group has taken its rows in; `None` before the first.
    upto: Option<RowIdentity>,
    /// Whether the group has begun to take them in.
    has_begun: bool,
}

impl Attaching {
    /// Which.
    pub(super) fn live(&self) -> LiveId {
        self.live
    }

    /// Whether the group is taking in the rows of this live query.
    pub(super) fn is_taking(&self, live: LiveId) -> bool {
        self.has_begun && self.live == live
    }

    /// Whether the group has taken a row in, or would have if it had been there.
    fn has_passed(&self, identity: &RowIdentity) -> bool {
        self.upto.as_ref().is_some_and(|upto| identity <= upto)
    }

    /// The rows that the group has taken in.
    pub(super) fn rows<'l>(
        &self,
        live: &'l Live,
    ) -> impl Iterator<Item = (&'l RowIdentity, &'l penstock::RowView)> + use<'l> {
        let range = self.upto.clone().map(|upto| live.rows().range(..=upto));
        range.into_iter().flatten()
    }
}

impl Group {
    /// Takes changes of a live query that it uses; of one that it has not taken in whole, those of
    /// the rows that it has.
    pub(super) fn take_all(
        &mut self,
        role: &Role,
        changes: &[RowChange],
        attaching: Option<&Attaching>,
        touched: &mut Touched,
    ) {
        let has = |change: &&RowChange| {
            attaching.is_none_or(|attaching| attaching.has_passed(&change.identity))
        };
        for change in changes.iter().filter(has) {
            self.take(role, change, touched);
        }
    }
}

impl Hub {
    /// Has a query filled, and its rows come to the group from a cut on at which they are all there
    /// ([`attach`](Hub::attach)).
    pub(super) fn serve(&mut self, id: &Arc<str>, hash: &str, ast: &Json) -> Result<(), Refusal> {
        let key = ast.to_string();
        if let Some(message) = self.costly.find(&key) {
            return Err(("app", message.clone()));
        }
        let query = || Query::from_ast(ast).map_err(Error::from);
        let budget = self.options.limits.budget();
        let live = self.lives.find_or_begin(&key, budget, query, self.options.steps.read);
        let live = live.map_err(|error| self.refusal(&key, &error))?;
        let user = User::query(id, hash);
        if self.attaching.get(&user).is_none_or(|attaching| attaching.live != live) {
            self.abandon(&user);
            let attaching = Attaching { live, upto: None, has_begun: false };
            self.attaching.insert(user, attaching);
        }
        self.note_filled();
        Ok(())
    }

    /// Takes note of queries that have all their rows now.
    fn note_filled(&mut self) {
        for id in self.lives.take_filled() {
            let Some(of) = self.lives.get(id) else { continue };
            let (rows, took_us) = (of.rows().len(), of.hydrated_us);
            self.measures.hydration.observe(Duration::from_micros(took_us));
            let wanted = self.attaching.iter().find(|(_, attaching)| attaching.live == id);
            if let Some((User { group, role: Role::Query(query) }, _)) = wanted {
                tracing::debug!(group = &**group, query, rows, took_us, "a query is filled");
            }
        }
    }

    /// Fills queries by a step.
    pub(super) fn fill(&mut self, outputs: &mut Outputs) {
        let failed = self.lives.fill(self.options.steps.read);
        self.note_filled();
        let Some((live, error)) = failed else { return };
        let waiting = self.attaching.iter().filter(|(_, attaching)| attaching.live == live);
        let waiting: Vec<User> = waiting.map(|(user, _)| user.clone()).collect();
        let key = self.lives.get(live).map(|live| Arc::clone(live.key())).unwrap_or_default();
        let ast = serde_json::from_str(&key).ok();
        let told = match &error {
            Error::SchemaChanged { .. } => None,
            error => Some(self.refusal(&key, error)),
        };
        for user in waiting {
            self.abandon(&user);
            let User { group, role: Role::Query(hash) } = &user else { continue };
            let refusal = match (&told, &ast) {
                // It begins anew under the new schema.
                (None, Some(ast)) => self.serve(group, hash, ast).err(),
                _ => told.clone(),
            };
            if let Some(refusal) = refusal {
                self.refuse(group, hash, "", refusal, None, outputs);
            }
        }
    }

    /// Refuses queries whose sets of rows have become too large to be kept.
    pub(super) fn refuse_lost(&mut self, outputs: &mut Outputs) {
        for live in self.lives.take_lost() {
            let Some(of) = self.lives.get(live) else { continue };
            let (key, mut users) = (Arc::clone(of.key()), of.users().clone());
            // Who is to have another in its place has that soon.
            users.retain(|user| self.attaching.get(user).is_none_or(|of| of.live == live));
            let waiting = self.attaching.iter().filter(|(_, attaching)| attaching.live == live);
            users.extend(waiting.map(|(user, _)| user.clone()));
            let what = penstock::operators::row_set::PLACES;
            let error = Error::TooCostly { what, most: self.options.limits.hydration_reads };
            let refusal = self.refusal(&key, &error);
            for user in users {
                self.abandon(&user);
                if let Role::Query(hash) = &user.role {
                    self.refuse(&user.group, hash, "", refusal.clone(), None, outputs);
                }
            }
        }
    }

    /// Gives rows of queries that have been filled to their groups, up to a step in all, in the place
    /// of what the queries had before.
    pub(super) fn attach(&mut self, outputs: &mut Outputs) {
        if self.attaching.is_empty() {
            return;
        }
        let mut left = self.options.steps.take.max(1);
        let (before, after): (Vec<User>, Vec<User>) = self
            .attaching
            .keys()
            .cloned()
            .partition(|user| self.attached_last.as_ref().is_some_and(|last| user <= last));
        for user in after.into_iter().chain(before) {
            if left == 0 {
                return;
            }
            self.attach_some(&user, &mut left, outputs);
            self.attached_last = Some(user);
        }
    }

    fn attach_some(&mut self, user: &User, left: &mut usize, outputs: &mut Outputs) {
        let Role::Query(hash) = &user.role else { return };
        let Some(attaching) = self.attaching.get(user) else { return };
        let live = attaching.live;
        let query = self.groups.get(&user.group).and_then(|group| group.queries.get(hash));
        match query.map(|query| &query.state) {
            None | Some(QueryState::Failed) => return self.abandon(user),
            Some(QueryState::Live { live: held, .. }) if *held == live => {
                return self.abandon(user);
            }
            Some(QueryState::Pending | QueryState::Live { .. }) => {}
        }
        let Some(rows) = self.lives.get(live).map(|live| live.rows().len()) else {
            return self.abandon(user);
        };
        let limit = self.options.limits.rows;
        let mut is_too_much = rows > limit;
        if !is_too_much {
            if !self.lives.is_ready(live) || !self.take_in(user, left) {
                return;
            }
            is_too_much =
                self.groups.get(&user.group).is_some_and(|group| group.rows.len() > limit);
        }
        if is_too_much {
            self.hit(Limit::Rows);
            let message =
                format!("a client group may have {limit} rows; with this query it has more");
            self.refuse(&user.group, hash, "", ("app", message), None, outputs);
        }
    }

    /// Has a group take in some more rows of a query that is ready. Returns whether it has all, or
    /// more than it may.
    fn take_in(&mut self, user: &User, left: &mut usize) -> bool {
        let Role::Query(hash) = &user.role else { return true };
        let Some(attaching) = self.attaching.get_mut(user) else { return true };
        let live = attaching.live;
        if !std::mem::replace(&mut attaching.has_begun, true) {
            self.lives.add_user(live, user.clone());
        }
        let (Some(group), Some(of)) = (self.groups.get_mut(&user.group), self.lives.get(live))
        else {
            return true;
        };
        let touched = self.touched.entry(Arc::clone(&user.group)).or_default();
        let from = attaching.upto.clone().map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = of.rows().range((from, Bound::Unbounded));
        for (identity, row) in rest.by_ref().take(*left) {
            group.enter(identity, row, touched);
            attaching.upto = Some(identity.clone());
            *left -= 1;
        }
        if rest.next().is_some() {
            return group.rows.len() > self.options.limits.rows;
        }
        self.attaching.remove(user);
        let Some(query) = group.queries.get_mut(hash) else { return true };
        let before = query.state.clone();
        let got_at = match before {
            QueryState::Live { got_at, .. } => got_at,
            QueryState::Pending | QueryState::Failed => 0,
        };
        query.state = QueryState::Live { live, got_at };
        if got_at == 0 {
            touched.got.insert(hash.clone());
        }
        if let QueryState::Live { live: old, .. } = before {
            self.take_away(&user.group, hash, old);
        }
        true
    }

    /// Takes a live query's rows from the group, which has them all.
    pub(super) fn take_away(&mut self, id: &Arc<str>, hash: &str, live: LiveId) {
        self.lives.remove_user(live, &User::query(id, hash));
        let (Some(group), Some(of)) = (self.groups.get_mut(id), self.lives.get(live)) else {
            return;
        };
        let touched = self.touched.entry(Arc::clone(id)).or_default();
        for identity in of.rows().keys() {
            group.leave(identity, touched);
        }
    }

    /// Has a group not wait for a query any more, and takes away what it has of it.
    pub(super) fn abandon(&mut self, user: &User) {
        let Some(attaching) = self.attaching.remove(user) else { return };
        // Otherwise it may have the same live query already, which it then keeps.
        if !attaching.has_begun {
            return;
        }
        self.lives.remove_user(attaching.live, user);
        let (Some(group), Some(of)) =
            (self.groups.get_mut(&user.group), self.lives.get(attaching.live))
        else {
            return;
        };
        let touched = self.touched.entry(Arc::clone(&user.group)).or_default();
        for (identity, _) in attaching.rows(of) {
            group.leave(identity, touched);
        }
    }

    /// Forgets what a group that is gone has waited for.
    pub(super) fn forget_attaching(&mut self, id: &Arc<str>) {
        let lives = &mut self.lives;
        self.attaching.retain(|user, attaching| {
            let stays = user.group != *id;
            if !stays && attaching.has_begun {
                lives.remove_user(attaching.live, user);
            }
            stays
        });
    }
}

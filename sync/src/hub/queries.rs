//! What clients want: queries hydrated and dropped.

use std::sync::Arc;

use penstock::Error;
use serde_json::{Value as Json, json};

use super::group::{Desire, Group, GroupQuery, QueryState};
use super::live::{LiveId, Role, User};
use super::{Hub, Limits, Now, Outputs};
use crate::claims::Claims;
use crate::measure::Limit;
use crate::protocol::ConnectionId;
use crate::protocol::downstream;
use crate::protocol::upstream::{DesiredOp, Wanted};

/// The longest that a query is kept which nobody wants, in milliseconds.
const TTL_MAX: f64 = 600_000.0;

/// Why a query cannot be served: the kind, as clients know it, and a text.
pub(super) type Refusal = (&'static str, String);

impl Wanted {
    /// How long it is as text.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Wanted::Ast(ast) => ast.to_string().len(),
            Wanted::Named { name, args } => {
                name.len() + args.iter().map(|arg| arg.to_string().len()).sum::<usize>()
            }
        }
    }
}

impl Group {
    /// Why a query of so many bytes cannot be added, if it cannot: the limit, and what to say.
    fn is_full(&self, limits: &Limits, bytes: usize) -> Option<(Limit, String)> {
        let Limits { queries, query_bytes, group_query_bytes, .. } = *limits;
        if self.queries.len() >= queries {
            let text = format!("a client group may have {queries} queries; this is one more");
            return Some((Limit::Queries, text));
        }
        if bytes > query_bytes {
            let text = format!("a query may have {query_bytes} bytes, this has {bytes}");
            return Some((Limit::QueryBytes, text));
        }
        let held: usize = self.queries.values().map(|query| query.bytes).sum();
        (held + bytes > group_query_bytes).then(|| {
            let text = format!(
                "the queries of a client group may have {group_query_bytes} bytes; with this they have more"
            );
            (Limit::GroupQueryBytes, text)
        })
    }
}

impl Hub {
    /// Takes what a client wants. With `is_whole`, it wants nothing that it does not say.
    pub(super) fn change_desires(
        &mut self,
        now: Now,
        number: ConnectionId,
        ops: Vec<DesiredOp>,
        is_whole: bool,
        outputs: &mut Outputs,
    ) {
        let Some(connection) = self.connections.get(&number) else { return };
        let id = Arc::clone(&connection.group);
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.unsaved.clients.insert(connection.client.clone());
        let now_active = group.clock.read(now);
        let client = group.clients.entry(connection.client.clone()).or_default();
        let mut stop = |hash: Option<&str>| {
            for (_, desire) in
                client.desires.iter_mut().filter(|(of, _)| hash.is_none_or(|hash| hash == *of))
            {
                desire.inactive_since.get_or_insert(now_active);
            }
        };
        if is_whole {
            stop(None);
        }
        let mut wanted = Vec::new();
        for op in ops {
            match op {
                DesiredOp::Clear => {
                    stop(None);
                    wanted.clear();
                }
                DesiredOp::Del(hash) => {
                    stop(Some(&hash));
                    wanted.retain(|(of, _, _)| *of != hash);
                }
                DesiredOp::Put { hash, ttl, what } => wanted.push((hash, ttl, what)),
            }
        }
        let mut named = Vec::new();
        for (hash, ttl, what) in wanted {
            let is_named = matches!(what, Wanted::Named { .. });
            if self.want(&id, number, &hash, ttl, what, outputs) && is_named {
                named.push(hash);
            }
        }
        self.expire(now, &id);
        // At the start all named queries are asked for, these among them.
        if !is_whole && !named.is_empty() {
            self.ask(now, number, named, outputs);
        }
    }

    /// A client wants a query; returns whether its rows are not there yet.
    fn want(
        &mut self,
        id: &Arc<str>,
        number: ConnectionId,
        hash: &str,
        ttl: f64,
        what: Wanted,
        outputs: &mut Outputs,
    ) -> bool {
        let Some(connection) = self.connections.get(&number) else { return false };
        let Some(group) = self.groups.get_mut(id) else { return false };
        let ttl = if ttl < 0.0 { TTL_MAX } else { ttl.clamp(0.0, TTL_MAX) } as u64;
        let bytes = what.bytes();
        if !group.queries.contains_key(hash)
            && let Some((limit, message)) = group.is_full(&self.options.limits, bytes)
        {
            self.hit(limit);
            self.refuse(id, hash, "", ("app", message), Some(number), outputs);
            return false;
        }
        let client = group.clients.entry(connection.client.clone()).or_default();
        let desire = client.desires.entry(hash.to_owned()).or_default();
        *desire = Desire { ttl: ttl.max(desire.ttl), inactive_since: None };
        let query = group.queries.entry(hash.to_owned()).or_insert_with(|| GroupQuery {
            what,
            bytes,
            state: QueryState::Pending,
        });
        if let QueryState::Live { .. } = query.state {
            return false;
        }
        query.state = QueryState::Pending;
        group.unsaved.queries.insert(hash.to_owned());
        if let Wanted::Ast(ast) = query.what.clone() {
            let claims = group.claims.clone();
            if let Err(refusal) = self.serve_stated(id, hash, &ast, &claims) {
                self.refuse(id, hash, "", refusal, None, outputs);
            }
            return false;
        }
        true
    }

    /// Has a query served that a client states, under the rules for reading.
    fn serve_stated(
        &mut self,
        id: &Arc<str>,
        hash: &str,
        ast: &Json,
        claims: &Claims,
    ) -> Result<(), Refusal> {
        self.admit_query(ast)?;
        let compiled = self.options.read_rules.compile(ast, claims);
        self.serve(id, hash, &compiled)
    }

    /// Tells those who want a query that it cannot be served, and takes its rows away.
    pub(super) fn refuse(
        &mut self,
        id: &Arc<str>,
        hash: &str,
        name: &str,
        (kind, message): Refusal,
        only: Option<ConnectionId>,
        outputs: &mut Outputs,
    ) {
        let error = json!({"error": kind, "id": hash, "name": name, "message": message});
        self.refuse_with(id, hash, error, only, outputs);
    }

    pub(super) fn refuse_with(
        &mut self,
        id: &Arc<str>,
        hash: &str,
        error: Json,
        only: Option<ConnectionId>,
        outputs: &mut Outputs,
    ) {
        self.abandon(&User::query(id, hash));
        let Some(group) = self.groups.get_mut(id) else { return };
        if let Some(query) = group.queries.get_mut(hash) {
            let before = std::mem::replace(&mut query.state, QueryState::Failed);
            group.unsaved.queries.insert(hash.to_owned());
            if let QueryState::Live { live, got_at } = before {
                let touched = self.touched.entry(Arc::clone(id)).or_default();
                touched.got.remove(hash);
                if got_at > 0 {
                    touched.gone.insert(hash.to_owned());
                }
                self.take_away(id, hash, live);
            }
        }
        self.counters.refused_queries += 1;
        let name = error["name"].as_str().unwrap_or_default();
        tracing::info!(group = &**id, query = hash, name, "a query is refused");
        let reason = error["message"].as_str().unwrap_or_default();
        tracing::debug!(group = &**id, query = hash, reason, "why it is refused");
        let Some(group) = self.groups.get(id) else { return };
        let frame: Arc<str> = downstream::transform_error(&[error]).into();
        for number in &group.connections {
            let Some(connection) = self.connections.get(number) else { continue };
            let client = group.clients.get(&connection.client);
            let desire = client.and_then(|client| client.desires.get(hash));
            let wants = desire.is_some_and(|desire| desire.inactive_since.is_none());
            if only.map_or(wants, |only| only == *number) {
                connection.send(*number, Arc::clone(&frame), outputs);
            }
        }
    }

    /// Drops queries and clients that nobody has wanted for as long as was asked.
    pub(super) fn expire(&mut self, now: Now, id: &Arc<str>) {
        let Some(group) = self.groups.get_mut(id) else { return };
        let now_active = group.clock.read(now);
        // There is nothing to keep of one that has failed.
        let is_over = |hash: &String, query: &GroupQuery| {
            let until = group.wanted_until(hash);
            until.is_some_and(|until| until <= now_active || query.state == QueryState::Failed)
        };
        let over = group.queries.iter().filter(|(hash, query)| is_over(hash, query));
        let over: Vec<String> = over.map(|(hash, _)| hash.clone()).collect();
        for hash in over {
            let Some(group) = self.groups.get_mut(id) else { return };
            let query = group.queries.remove(&hash);
            for (id, client) in &mut group.clients {
                if client.desires.remove(&hash).is_some() {
                    group.unsaved.clients.insert(id.clone());
                }
            }
            group.unsaved.queries.insert(hash.clone());
            tracing::debug!(group = &**id, query = hash, "a query is not wanted any more");
            self.abandon(&User::query(id, &hash));
            if let Some(GroupQuery { state: QueryState::Live { live, got_at }, .. }) = query {
                let touched = self.touched.entry(Arc::clone(id)).or_default();
                touched.got.remove(&hash);
                if got_at > 0 {
                    touched.gone.insert(hash.clone());
                }
                self.take_away(id, &hash, live);
            }
        }
        let Some(group) = self.groups.get_mut(id) else { return };
        let connected = group.connections.iter().filter_map(|number| self.connections.get(number));
        let connected: Vec<&str> = connected.map(|of| of.client.as_str()).collect();
        let unsaved = &mut group.unsaved.clients;
        group.clients.retain(|id, client| {
            let stays = !client.desires.is_empty()
                || client.last_mutation_id > 0
                || connected.contains(&id.as_str());
            if !stays {
                unsaved.insert(id.clone());
            }
            stays
        });
    }

    /// Applies the rules of reading with what the newest token says.
    pub(super) fn apply_rules(&mut self, id: &Arc<str>, claims: Claims, outputs: &mut Outputs) {
        let Some(group) = self.groups.get_mut(id) else { return };
        if group.claims == claims && group.remembered.is_none() {
            return;
        }
        group.claims = claims;
        self.compile_anew(id, outputs);
    }

    /// Applies rules that are others than they were to the queries of all groups.
    pub(super) fn follow_rules(&mut self, outputs: &mut Outputs) {
        let generation = self.options.read_rules.generation();
        if std::mem::replace(&mut self.rules, generation) == generation {
            return;
        }
        let ids: Vec<Arc<str>> = self.groups.keys().cloned().collect();
        for id in ids {
            self.compile_anew(&id, outputs);
        }
    }

    /// Has the queries that a group's clients state served under the rules as they are.
    fn compile_anew(&mut self, id: &Arc<str>, outputs: &mut Outputs) {
        let Some(group) = self.groups.get_mut(id) else { return };
        let claims = group.claims.clone();
        let asts: Vec<(String, Json)> = group
            .queries
            .iter_mut()
            .filter_map(|(hash, query)| match &query.what {
                Wanted::Ast(ast) => {
                    // What could not be served under other rules may be now.
                    if query.state == QueryState::Failed {
                        query.state = QueryState::Pending;
                    }
                    Some((hash.clone(), ast.clone()))
                }
                Wanted::Named { .. } => None,
            })
            .collect();
        for (hash, ast) in asts {
            if let Err(refusal) = self.serve_stated(id, &hash, &ast, &claims) {
                self.refuse(id, &hash, "", refusal, None, outputs);
            }
        }
    }

    /// Ends what cannot go on after a change of the schema, and begins it anew.
    pub(super) fn follow_schema(&mut self, outputs: &mut Outputs) {
        let schema = self.lives.database().schema();
        if schema == self.schema {
            return;
        }
        self.schema = schema;
        self.lives.forget_keys();
        let ended: Vec<(LiveId, Arc<str>, Vec<User>)> = self
            .lives
            .iter()
            .filter(|(_, live)| {
                matches!(live.subscription().status(), Err(Error::SchemaChanged { .. }))
            })
            .map(|(id, live)| {
                let waiting = self.attaching.iter().filter(|(_, of)| of.live() == id);
                // Who is to have another in its place, under other rules perhaps, waits for that.
                let has_no_other =
                    |user: &&User| self.attaching.get(*user).is_none_or(|of| of.live() == id);
                let users = live.users().iter().filter(has_no_other);
                let users = users.chain(waiting.map(|(user, _)| user)).cloned();
                (id, Arc::clone(live.key()), users.collect())
            })
            .collect();
        for (_, key, users) in ended {
            for User { group, role } in users {
                let Role::Query(hash) = role else { continue };
                let ast: Json = serde_json::from_str(&key).unwrap_or(Json::Null);
                if let Err(refusal) = self.serve(&group, &hash, &ast) {
                    self.refuse(&group, &hash, "", refusal, None, outputs);
                }
            }
        }
    }
}

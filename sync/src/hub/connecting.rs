//! How clients come and go.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::connection::{Base, Connection};
use super::{Hub, Now, Output, Outputs, schema};
use crate::claims::Claims;
use crate::measure::Limit;
use crate::protocol::ConnectionId;
use crate::protocol::connect::ConnectRequest;
use crate::protocol::downstream;
use crate::protocol::error::{ErrorBody, ErrorKind};
use crate::protocol::upstream::{InitConnection, Upstream};

/// The code of a close without a fault.
const NORMAL: u16 = 1000;
/// The code of a close because of who the client is.
const UNAUTHORISED: u16 = 3000;

impl Hub {
    pub(super) fn connect(
        &mut self,
        now: Now,
        number: ConnectionId,
        mut request: ConnectRequest,
        claims: Claims,
        queued: Arc<AtomicUsize>,
        outputs: &mut Outputs,
    ) {
        let init = request.init.take();
        let group = match self.find_group(now, &request) {
            Ok(group) => group,
            Err(error) => {
                self.counters.errors += 1;
                self.measures.error(error.kind);
                log_error(number, &request.group_id, &request.client_id, &error);
                outputs.push(Output::Send { connection: number, frame: error.frame().into() });
                let code =
                    if error.kind == ErrorKind::Unauthorized { UNAUTHORISED } else { NORMAL };
                outputs.push(Output::Close { connection: number, code, reason: error.message });
                return;
            }
        };
        let same = |number: &&ConnectionId| {
            let of = self.connections.get(number);
            of.is_some_and(|of| of.client == request.client_id)
        };
        let of_group = self.groups.get(&group).map(|group| &group.connections);
        if let Some(earlier) = of_group.into_iter().flatten().find(same).copied() {
            self.close(now, earlier, "the client has connected anew", outputs);
        }
        let base = request.base_cookie.clone().map_or(Base::Empty, Base::Text);
        let connection = Connection {
            group: Arc::clone(&group),
            client: request.client_id,
            user: request.user_id,
            auth: request.auth,
            claims: claims.clone(),
            base,
            cookie: request.base_cookie,
            has_initialised: false,
            is_greeted: false,
            validating: None,
            leaves_at: None,
            behind_since: None,
            queued_before: 0,
            queued,
            since_ms: now.mono_ms,
            push_url: None,
            push_headers: Default::default(),
            query_url: None,
            query_headers: Default::default(),
            cookies: request.cookies,
            origin: request.origin,
        };
        connection.send(number, downstream::connected(&request.wsid, now.unix_ms).into(), outputs);
        self.connections.insert(number, connection);
        if let Some(group) = self.groups.get_mut(&group) {
            group.connections.insert(number);
            group.clock.start(now);
            group.empty_since = None;
        }
        self.greeting.insert(number);
        self.counters.connections += 1;
        self.apply_rules(&group, claims, outputs);
        if let Some(init) = init {
            self.initialise(now, number, *init, outputs);
        }
    }

    pub(super) fn message(
        &mut self,
        now: Now,
        number: ConnectionId,
        message: Upstream,
        outputs: &mut Outputs,
    ) {
        if !self.connections.contains_key(&number) {
            return;
        }
        self.counters.messages += 1;
        if !self.admit_message(number, &message, outputs) {
            return;
        }
        let Some(connection) = self.connections.get(&number) else { return };
        match message {
            Upstream::InitConnection(init) => self.initialise(now, number, *init, outputs),
            Upstream::ChangeDesiredQueries(ops) => {
                self.change_desires(now, number, ops, false, outputs);
            }
            Upstream::Ping => connection.send(number, downstream::pong(), outputs),
            Upstream::Push(push) => self.push(number, push, outputs),
            Upstream::UpdateAuth(token) => {
                let user = connection.user.clone();
                outputs.push(Output::Verify { connection: number, token, user });
            }
            Upstream::DeleteClients(clients) => {
                connection.send(number, downstream::delete_clients(&clients).into(), outputs);
                self.delete_clients(now, number, &clients);
            }
            Upstream::AckMutationResponses { client_id, id } => {
                self.acknowledge(number, client_id, id, outputs);
            }
            Upstream::Inspect { id } => {
                connection.send(number, downstream::inspect_refused(&id).into(), outputs);
            }
            Upstream::Ignored => {}
        }
    }

    fn initialise(
        &mut self,
        now: Now,
        number: ConnectionId,
        init: InitConnection,
        outputs: &mut Outputs,
    ) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let Some(group) = self.groups.get_mut(&connection.group) else { return };
        if let Some(client_schema) = &init.schema {
            if let Err(problems) =
                schema::check(client_schema, &self.schema, &self.options.is_internal)
            {
                let error = ErrorBody::new(ErrorKind::SchemaVersionNotSupported, problems);
                self.end(number, &error, outputs);
                return;
            }
            if group.schema != init.schema {
                group.schema = init.schema;
                group.unsaved.schema = true;
            }
        } else if let Some(schema) = &group.schema
            && let Err(problems) = schema::check(schema, &self.schema, &self.options.is_internal)
        {
            let error = ErrorBody::new(ErrorKind::SchemaVersionNotSupported, problems);
            self.end(number, &error, outputs);
            return;
        }
        connection.has_initialised = true;
        connection.push_url = init.push_url;
        connection.push_headers = init.push_headers;
        connection.query_url = init.query_url;
        connection.query_headers = init.query_headers;
        if !init.deleted_clients.is_empty() {
            let acknowledged = downstream::delete_clients(&init.deleted_clients);
            connection.send(number, acknowledged.into(), outputs);
        }
        let me = connection.client.clone();
        let now_active = group.clock.read(now);
        if let Some(active) = init.active_clients {
            // Those that are neither open nor connected do not want anything any more.
            let connected: Vec<String> = group
                .connections
                .iter()
                .filter_map(|of| self.connections.get(of))
                .map(|connection| connection.client.clone())
                .collect();
            for (client, state) in &mut group.clients {
                if *client != me && !active.contains(client) && !connected.contains(client) {
                    group.unsaved.clients.insert(client.clone());
                    for desire in state.desires.values_mut() {
                        desire.inactive_since.get_or_insert(now_active);
                    }
                }
            }
        }
        self.delete_clients(now, number, &init.deleted_clients);
        self.change_desires(now, number, init.desired, true, outputs);
        self.validate(now, number, outputs);
    }

    fn delete_clients(&mut self, now: Now, number: ConnectionId, clients: &[String]) {
        let Some(connection) = self.connections.get(&number) else { return };
        let Some(group) = self.groups.get_mut(&connection.group) else { return };
        for client in clients.iter().filter(|client| **client != connection.client) {
            if let Some(state) = group.clients.get_mut(client) {
                state.desires.clear();
                group.unsaved.clients.insert(client.clone());
            }
        }
        let id = Arc::clone(&group.id);
        self.expire(now, &id);
    }

    pub(super) fn verified(
        &mut self,
        now: Now,
        number: ConnectionId,
        token: Option<String>,
        outcome: Result<Claims, ErrorBody>,
        outputs: &mut Outputs,
    ) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        match outcome {
            Ok(claims) => {
                let user = claims.user().map(str::to_owned);
                if !claims.members.is_empty() && user != connection.user {
                    let message = "the new token is of another user";
                    let error = ErrorBody::new(ErrorKind::Unauthorized, message);
                    self.end(number, &error, outputs);
                    return;
                }
                connection.claims = claims.clone();
                // The application is asked with it from now on.
                connection.auth = token;
                let group = Arc::clone(&connection.group);
                self.apply_rules(&group, claims, outputs);
                self.validate(now, number, outputs);
            }
            Err(error) => self.end(number, &error, outputs),
        }
    }

    pub(super) fn refuse_message(
        &mut self,
        number: ConnectionId,
        problem: &str,
        outputs: &mut Outputs,
    ) {
        let error = ErrorBody::new(ErrorKind::InvalidMessage, problem);
        self.end(number, &error, outputs);
    }

    /// Tells a client of an error, and closes its connection if that kind ends it.
    pub(super) fn tell_error(
        &mut self,
        number: ConnectionId,
        error: &ErrorBody,
        outputs: &mut Outputs,
    ) {
        if error.kind.keeps_connection() {
            if let Some(connection) = self.connections.get(&number) {
                connection.send(number, error.frame().into(), outputs);
                log_error(number, &connection.group, &connection.client, error);
            }
            self.counters.errors += 1;
            self.measures.error(error.kind);
        } else {
            self.end(number, error, outputs);
        }
    }

    /// Tells a client of an error and closes its connection.
    pub(super) fn end(&mut self, number: ConnectionId, error: &ErrorBody, outputs: &mut Outputs) {
        let Some(connection) = self.connections.get(&number) else { return };
        connection.send(number, error.frame().into(), outputs);
        log_error(number, &connection.group, &connection.client, error);
        let code = if error.kind == ErrorKind::Unauthorized { UNAUTHORISED } else { NORMAL };
        outputs.push(Output::Close { connection: number, code, reason: error.message.clone() });
        self.counters.errors += 1;
        self.measures.error(error.kind);
        self.greeting.remove(&number);
        self.forget_connection(number, None);
    }

    fn close(&mut self, now: Now, number: ConnectionId, reason: &str, outputs: &mut Outputs) {
        outputs.push(Output::Close { connection: number, code: NORMAL, reason: reason.to_owned() });
        self.disconnect(now, number);
    }

    pub(super) fn disconnect(&mut self, now: Now, number: ConnectionId) {
        self.greeting.remove(&number);
        self.forget_connection(number, Some(now));
    }

    /// Without a time, the group's clock is stopped at the next tick.
    fn forget_connection(&mut self, number: ConnectionId, now: Option<Now>) {
        let Some(connection) = self.connections.remove(&number) else { return };
        let Some(group) = self.groups.get_mut(&connection.group) else { return };
        group.connections.remove(&number);
        if let Some(now) = now
            && group.connections.is_empty()
        {
            group.clock.stop(now);
            group.empty_since = Some(now.mono_ms);
        }
    }

    /// What is due by the time.
    pub(super) fn tick(&mut self, now: Now, outputs: &mut Outputs) {
        let limits = self.options.limits;
        let mut ends = Vec::new();
        for (number, connection) in &self.connections {
            let behind = connection.behind_since.map(|since| now.mono_ms.saturating_sub(since));
            let waited = now.mono_ms.saturating_sub(connection.since_ms);
            if behind.is_some_and(|behind| behind > limits.behind_ms) {
                let message = "the client does not read what it is sent; connect again";
                ends.push((
                    *number,
                    ErrorBody::new(ErrorKind::Rebalance, message),
                    Some(Limit::BehindTime),
                ));
            } else if !connection.has_initialised && waited > limits.initialise_ms {
                let message = "the client has not said what it wants; connect again";
                let error = ErrorBody::new(ErrorKind::Rebalance, message);
                ends.push((*number, error, Some(Limit::InitialiseTime)));
            } else if connection.claims.expires().is_some_and(|at| at * 1000.0 < now.unix_ms as f64)
            {
                let message = "the token has expired; connect with a new one";
                ends.push((*number, ErrorBody::new(ErrorKind::AuthInvalidated, message), None));
            }
        }
        for (number, error, limit) in ends {
            limit.into_iter().for_each(|limit| self.hit(limit));
            self.end(number, &error, outputs);
        }
        let leaves = |of: &Connection| of.leaves_at.is_some_and(|at| at <= now.mono_ms);
        let leaving: Vec<ConnectionId> = self
            .connections
            .iter()
            .filter_map(|(number, of)| leaves(of).then_some(*number))
            .collect();
        for number in leaving {
            self.close(now, number, "connect again and say what is wanted", outputs);
        }
        self.costly.forget(now.mono_ms);
        let ids: Vec<Arc<str>> = self.groups.keys().cloned().collect();
        for id in ids {
            self.expire(now, &id);
            self.retransform(now, &id, outputs);
        }
    }

    /// Lets go of groups that nobody is connected to, and saves some that have changed. What was touched
    /// has been told by then, so that a group is saved as its clients know it.
    pub(super) fn keep(&mut self, now: Now) {
        let ids: Vec<Arc<str>> = self.groups.keys().cloned().collect();
        for id in ids {
            let Some(group) = self.groups.get_mut(&id) else { continue };
            if !group.connections.is_empty() {
                continue;
            }
            group.clock.stop(now);
            let empty_since = *group.empty_since.get_or_insert(now.mono_ms);
            if now.mono_ms.saturating_sub(empty_since) >= self.options.linger_ms {
                self.park(now, &id);
            }
        }
        self.save_changed(now);
    }

    pub(super) fn shut_down(&mut self, now: Now, outputs: &mut Outputs) {
        let message = "the server is about to end; connect again";
        let error = ErrorBody::new(ErrorKind::Rehome, message);
        let numbers: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for number in numbers {
            self.end(number, &error, outputs);
        }
        for group in self.groups.values_mut() {
            group.clock.stop(now);
        }
        self.save_at_end(now);
    }
}

/// The kind and whom it concerns; what is wrong may hold what users write, so it is for those who ask.
fn log_error(ConnectionId(connection): ConnectionId, group: &str, client: &str, error: &ErrorBody) {
    let kind = error.kind.name();
    tracing::info!(connection, group, client, kind, "a client is told of an error");
    tracing::debug!(connection, group, client, kind, reason = error.message, "what it is told");
}

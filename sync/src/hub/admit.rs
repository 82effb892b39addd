//! What is let in: requests, messages and queries that keep to the limits, and nothing of the tables that
//! are not for clients.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use penstock::Error;
use serde_json::{Map, Value as Json};

use super::group::Group;
use super::limits::tables_of;
use super::queries::Refusal;
use super::stored::text_sum as sum;
use super::{Hub, Outputs};
use crate::fault::concealed;
use crate::measure::Limit;
use crate::protocol::ConnectionId;
use crate::protocol::connect::ConnectRequest;
use crate::protocol::error::{ErrorBody, ErrorKind};
use crate::protocol::upstream::{DesiredOp, InitConnection, Upstream};

/// When a client that there is no room for may come again, in milliseconds.
const BACK_OFF: u64 = 5000;

/// How many queries that cost too much are known at a time.
const COSTLY_MAX: usize = 1024;
/// For how long a query that cost too much is refused without being tried again, in milliseconds.
const COSTLY_MS: u64 = 60_000;

/// Queries that cost too much lately, with what was said of them.
#[derive(Debug, Default)]
pub(super) struct Costly {
    /// By a sum of the query.
    known: std::collections::BTreeMap<u128, String>,
    since: u64,
}

impl Costly {
    fn note(&mut self, key: &str, message: &str) {
        if self.known.len() < COSTLY_MAX {
            self.known.insert(sum(key), message.to_owned());
        }
    }

    pub(super) fn find(&self, key: &str) -> Option<&String> {
        if self.known.is_empty() { None } else { self.known.get(&sum(key)) }
    }

    pub(super) fn forget(&mut self, now_ms: u64) {
        if now_ms.saturating_sub(self.since) >= COSTLY_MS {
            self.known.clear();
            self.since = now_ms;
        }
    }
}

fn full(message: String) -> ErrorBody {
    ErrorBody::new(ErrorKind::ServerOverloaded, message).with("minBackoffMs", BACK_OFF)
}

fn bytes(members: &Map<String, Json>) -> usize {
    members.iter().map(|(name, value)| name.len() + value.to_string().len()).sum()
}

impl Hub {
    /// Whether a request keeps to the limits.
    pub(super) fn admit_request(&mut self, request: &ConnectRequest) -> Result<(), ErrorBody> {
        let most = self.options.limits.name_bytes;
        let names = [
            ("clientID", request.client_id.as_str()),
            ("clientGroupID", &request.group_id),
            ("userID", request.user_id.as_deref().unwrap_or_default()),
            ("baseCookie", request.base_cookie.as_deref().unwrap_or_default()),
            ("wsid", &request.wsid),
        ];
        if let Some((name, _)) = names.into_iter().find(|(_, text)| text.len() > most) {
            self.hit(Limit::NameBytes);
            let message = format!("{name} is longer than {most} bytes");
            return Err(ErrorBody::new(ErrorKind::InvalidConnectionRequest, message));
        }
        if let Some(init) = &request.init {
            self.admit_init(init)
                .map_err(|message| ErrorBody::new(ErrorKind::InvalidConnectionRequest, message))?;
        }
        let limits = self.options.limits;
        let Some(group) = self.groups.get(request.group_id.as_str()) else {
            if self.groups.len() < limits.groups {
                return Ok(());
            }
            self.hit(Limit::Groups);
            return Err(full(format!("{} client groups are served already", limits.groups)));
        };
        let known = group.clients.get(&request.client_id);
        let is_new = known.is_none_or(|client| client.desires.is_empty());
        if is_new && group.active_clients() >= limits.clients {
            self.hit(Limit::Clients);
            return Err(full(format!("the client group has {} clients already", limits.clients)));
        }
        Ok(())
    }

    /// Whether a message keeps to the limits. The connection of one that does not is ended.
    pub(super) fn admit_message(
        &mut self,
        number: ConnectionId,
        message: &Upstream,
        outputs: &mut Outputs,
    ) -> bool {
        let limits = self.options.limits;
        let Some(connection) = self.connections.get_mut(&number) else { return true };
        let queued = connection.queued.load(Ordering::Relaxed);
        // A long answer over a slow line takes its time, and is read.
        let was_queued = std::mem::replace(&mut connection.queued_before, queued);
        let reads = was_queued < limits.queued_bytes || queued < was_queued;
        if queued > limits.queued_bytes.saturating_mul(2) && !reads {
            self.hit(Limit::QueuedBytes);
            let text = "the client does not read what it is sent; connect again";
            self.end(number, &ErrorBody::new(ErrorKind::Rebalance, text), outputs);
            return false;
        }
        let most = limits.name_bytes;
        let is_long = |name: &String| name.len() > most;
        let names = |names: &[String]| match names.iter().any(is_long) {
            true => Err(format!("a name is longer than {most} bytes")),
            false => Ok(()),
        };
        let admitted = match message {
            Upstream::InitConnection(init) => self.admit_init(init),
            Upstream::UpdateAuth(token) => {
                let most = limits.initial_bytes;
                match token.as_ref().is_some_and(|token| token.len() > most) {
                    true => Err(format!("a token is longer than {most} bytes")),
                    false => Ok(()),
                }
            }
            Upstream::ChangeDesiredQueries(ops) => self.admit_names(ops),
            Upstream::DeleteClients(clients) => names(clients),
            Upstream::AckMutationResponses { client_id, .. } => {
                names(std::slice::from_ref(client_id))
            }
            Upstream::Push(push) => {
                let all = push.mutations.iter();
                let all = all.flat_map(|mutation| [&mutation.client_id, &mutation.name]);
                match all.into_iter().any(is_long) {
                    true => Err(format!("a name in a mutation is longer than {most} bytes")),
                    false => Ok(()),
                }
            }
            _ => Ok(()),
        };
        let Err(problem) = admitted else { return true };
        self.hit(Limit::NameBytes);
        self.refuse_message(number, &problem, outputs);
        false
    }

    fn admit_init(&self, init: &InitConnection) -> Result<(), String> {
        self.admit_names(&init.desired)?;
        let most = self.options.limits.initial_bytes;
        let said = [
            ("clientSchema", init.schema.as_ref().map_or(0, |schema| schema.to_string().len())),
            ("userPushHeaders", bytes(&init.push_headers)),
            ("userQueryHeaders", bytes(&init.query_headers)),
            ("userPushURL", init.push_url.as_ref().map_or(0, String::len)),
            ("userQueryURL", init.query_url.as_ref().map_or(0, String::len)),
        ];
        match said.into_iter().find(|(_, bytes)| *bytes > most) {
            Some((name, _)) => Err(format!("{name} is longer than {most} bytes")),
            None => Ok(()),
        }
    }

    fn admit_names(&self, ops: &[DesiredOp]) -> Result<(), String> {
        let most = self.options.limits.name_bytes;
        let is_long = |op: &DesiredOp| match op {
            DesiredOp::Put { hash, .. } | DesiredOp::Del(hash) => hash.len() > most,
            DesiredOp::Clear => false,
        };
        match ops.iter().any(is_long) {
            true => Err(format!("the hash of a query is longer than {most} bytes")),
            false => Ok(()),
        }
    }

    /// Whether a query, as a client or the application states it, may be asked at all.
    pub(super) fn admit_query(&mut self, ast: &Json) -> Result<(), Refusal> {
        if let Some((limit, message)) = self.options.limits.passed_by(ast) {
            self.hit(limit);
            return Err(("app", message));
        }
        let limit = self.options.limits.query_bytes;
        let bytes = ast.to_string().len();
        if bytes > limit {
            self.hit(Limit::QueryBytes);
            return Err(("app", format!("a query may have {limit} bytes, this has {bytes}")));
        }
        let mut tables = Vec::new();
        tables_of(ast, &mut tables);
        match tables.into_iter().find(|table| (self.options.is_internal)(table)) {
            Some(table) => Err(("app", format!("there is no table \"{table}\""))),
            None => Ok(()),
        }
    }

    /// What a client is told of a query that cannot be served.
    pub(super) fn refusal(&mut self, key: &str, error: &Error) -> Refusal {
        let message = match error {
            Error::TooCostly { what, .. } => {
                let limit = match *what {
                    "rows" => Limit::Rows,
                    what if what.starts_with("milliseconds") => Limit::HydrationTime,
                    _ => Limit::HydrationReads,
                };
                self.hit(limit);
                let message = error.to_string();
                self.costly.note(key, &message);
                message
            }
            Error::Query(_) | Error::UnknownTable { .. }
                if self.options.read_rules.allows_all() =>
            {
                error.to_string()
            }
            other => concealed("the query cannot be answered", other),
        };
        ("app", message)
    }

    /// Refuses queries of groups that have come to more rows than they may have: the largest first.
    pub(super) fn shed(&mut self, outputs: &mut Outputs) {
        let limit = self.options.limits.rows;
        let is_over = |id: &&Arc<str>| self.groups.get(*id).is_some_and(|of| of.rows.len() > limit);
        let over: Vec<Arc<str>> = self.touched.keys().filter(is_over).cloned().collect();
        for id in over {
            while let Some(hash) = self.groups.get(&id).and_then(|group| self.largest(group)) {
                self.hit(Limit::Rows);
                let message = format!(
                    "a client group may have {limit} rows; with this query it has come to more"
                );
                self.refuse(&id, &hash, "", ("app", message), None, outputs);
            }
        }
    }

    /// The query with the most rows of a group that has too many.
    fn largest(&self, group: &Group) -> Option<String> {
        if group.rows.len() <= self.options.limits.rows {
            return None;
        }
        let live = group.queries.iter().filter_map(|(hash, query)| match query.state {
            super::group::QueryState::Live { live, .. } => Some((self.lives.get(live)?, hash)),
            _ => None,
        });
        live.max_by_key(|(live, hash)| (live.rows().len(), *hash)).map(|(_, hash)| hash.clone())
    }
}

impl Group {
    /// Clients that are connected or want something.
    fn active_clients(&self) -> usize {
        let wanting = self.clients.values().filter(|client| !client.desires.is_empty()).count();
        wanting.max(self.connections.len())
    }
}

//! What is going on, for people and for metrics.

use serde::Serialize;

use super::Hub;
use super::group::{Client, QueryState};
use super::live::User;
use crate::protocol::ConnectionId;
use crate::protocol::upstream::Wanted;

/// What has happened since the start.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Counters {
    /// Connections.
    pub connections: u64,
    /// Messages of clients.
    pub messages: u64,
    /// Pokes, each to one client.
    pub pokes: u64,
    /// Rows that were put or deleted by them, each for one client.
    pub poked_rows: u64,
    /// Those of the pokes that brought one client up to date by itself.
    pub catch_ups: u64,
    /// Clients that did not keep up, and are brought up to date by and by.
    pub fell_behind: u64,
    /// Rows that changed in live queries.
    pub row_changes: u64,
    /// Mutations that came.
    pub mutations: u64,
    /// Queries that could not be served.
    pub refused_queries: u64,
    /// Errors that were told to clients.
    pub errors: u64,
    /// Faults of the store of groups.
    pub store_errors: u64,
    /// The last of them.
    pub last_store_error: Option<String>,
}

/// What there is now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// What has happened.
    pub counters: Counters,
    /// Connections.
    pub connections: Vec<ConnectionReport>,
    /// Client groups that are live.
    pub groups: Vec<GroupReport>,
    /// Live queries, each once for all groups.
    pub live_queries: usize,
}

/// How much there is now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    /// What has happened.
    pub counters: Counters,
    /// Clients that are connected.
    pub connections: usize,
    /// Of these, how many do not keep up.
    pub behind: usize,
    /// Bytes that wait for sockets.
    pub queued_bytes: usize,
    /// Client groups that are live.
    pub groups: usize,
    /// Clients of these groups, connected or not.
    pub clients: usize,
    /// Queries of these groups.
    pub queries: usize,
    /// Rows of these groups.
    pub rows: usize,
    /// Rows that left these groups and are remembered.
    pub tombstones: usize,
    /// About how many bytes the groups' rows and what left take, without the rows' contents.
    pub group_bytes: usize,
    /// Live queries, each once for all groups.
    pub live_queries: usize,
    /// Questions to the application that wait for an answer.
    pub questions: usize,
}

/// A connection.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConnectionReport {
    /// Its number.
    pub number: u64,
    /// The client.
    pub client: String,
    /// Its group.
    pub group: String,
    /// Since when, in the time of the process, in milliseconds.
    pub since_ms: u64,
    /// Whether it does not keep up.
    pub is_behind: bool,
    /// Bytes that wait for it.
    pub queued_bytes: usize,
}

/// A client group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupReport {
    /// Its name.
    pub id: String,
    /// Its user.
    pub user: Option<String>,
    /// How many pokes it has had.
    pub version: u64,
    /// Its clients, connected or not.
    pub clients: usize,
    /// Of which connected.
    pub connected: usize,
    /// Rows that they hold.
    pub rows: usize,
    /// Its queries.
    pub queries: Vec<QueryReport>,
}

/// A query of a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QueryReport {
    /// The clients' name for it.
    pub hash: String,
    /// The application's name, or the AST.
    pub what: String,
    /// `pending`, `failed`, `live`.
    pub state: &'static str,
    /// Its rows.
    pub rows: usize,
    /// How long hydration took, in microseconds; with others that want the same, once.
    pub hydrated_us: u64,
    /// How often its rows have changed.
    pub updates: u64,
    /// How many of the group's clients want it now.
    pub wanted_by: usize,
    /// How many transactions its operators have looked at, and for how long in all, in microseconds.
    /// Operators are shared between queries: others' work is in it. 0 unless operators are asked for.
    pub transactions: u64,
    /// See `transactions`.
    pub maintain_us: f64,
    /// Its operators, as text.
    pub operators: Option<String>,
}

impl Hub {
    /// What has happened.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How many clients are connected, groups are live, and queries are.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize, usize) {
        (self.connections.len(), self.groups.len(), self.lives.len())
    }

    /// How much there is now. Cost: O(connections and groups).
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals {
            counters: self.counters.clone(),
            connections: self.connections.len(),
            groups: self.groups.len(),
            live_queries: self.lives.len(),
            questions: self.transforms.len(),
            ..Totals::default()
        };
        for connection in self.connections.values() {
            totals.behind += usize::from(connection.behind_since.is_some());
            totals.queued_bytes += connection.queued.load(std::sync::atomic::Ordering::Relaxed);
        }
        for group in self.groups.values() {
            totals.clients += group.clients.len();
            totals.queries += group.queries.len();
            totals.rows += group.rows.len();
            totals.tombstones += group.tombstones.len();
            totals.group_bytes += group.bytes();
        }
        totals
    }

    /// What there is now; with the operators of each query if asked for. Cost: O(all queries).
    #[must_use]
    pub fn report(&self, with_operators: bool) -> Report {
        let connections = self.connections.iter().map(|(ConnectionId(number), connection)| {
            let queued = connection.queued.load(std::sync::atomic::Ordering::Relaxed);
            ConnectionReport {
                number: *number,
                client: connection.client.clone(),
                group: connection.group.to_string(),
                since_ms: connection.since_ms,
                is_behind: connection.behind_since.is_some(),
                queued_bytes: queued,
            }
        });
        let groups = self.groups.values().map(|group| GroupReport {
            id: group.id.to_string(),
            user: group.user.clone(),
            version: group.version,
            clients: group.clients.len(),
            connected: group.connections.len(),
            rows: group.rows.len(),
            queries: group
                .queries
                .iter()
                .map(|(hash, query)| {
                    let live = match query.state {
                        QueryState::Live { live, .. } => self.lives.get(live),
                        QueryState::Pending | QueryState::Failed => None,
                    };
                    let explain = |live: &super::live::Live| live.subscription().try_explain().ok();
                    let operators = live.filter(|_| with_operators).and_then(explain);
                    let report = operators.as_ref().map(penstock::Explain::report);
                    let wants = |client: &&Client| {
                        let desire = client.desires.get(hash);
                        desire.is_some_and(|desire| desire.inactive_since.is_none())
                    };
                    QueryReport {
                        hash: hash.clone(),
                        what: match &query.what {
                            Wanted::Ast(ast) => ast.to_string(),
                            Wanted::Named { name, args } => {
                                format!("{name}({})", serde_json::Value::from(args.clone()))
                            }
                        },
                        state: match query.state {
                            QueryState::Pending
                                if self.attaching.contains_key(&User::query(&group.id, hash)) =>
                            {
                                "filling"
                            }
                            QueryState::Pending => "pending",
                            QueryState::Failed => "failed",
                            QueryState::Live { .. } => "live",
                        },
                        rows: live.map_or(0, |live| live.rows().len()),
                        hydrated_us: live.map_or(0, |live| live.hydrated_us),
                        updates: live.map_or(0, |live| live.advances),
                        wanted_by: group.clients.values().filter(wants).count(),
                        transactions: report.map_or(0, |report| report.stats.batches),
                        maintain_us: report.map_or(0.0, maintain_us),
                        operators: operators.map(|explain| explain.to_string()),
                    }
                })
                .collect(),
        });
        Report {
            counters: self.counters.clone(),
            connections: connections.collect(),
            groups: groups.collect(),
            live_queries: self.lives.len(),
        }
    }
}

/// How long a level and those below it have taken to follow transactions, in microseconds.
fn maintain_us(level: &penstock::operators::explain::LevelReport) -> f64 {
    let below: f64 = level.children.iter().map(maintain_us).sum();
    level.stats.maintain_nanos as f64 / 1e3 + below
}

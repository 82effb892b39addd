//! The hub: who is connected, what they want, and what they are told.
//!
//! It is one state machine without sockets, clocks and threads: inputs come in with the time, outputs go
//! out, and the same inputs over the same database give the same outputs. The server runs it with real
//! sockets, the simulator with none.
//!
//! | module | what it does |
//! |---|---|
//! | `commit` | when what is told was committed |
//! | `live` | live queries, each once for all groups, as sets of rows at one version of the database |
//! | `group` | client groups: which rows their clients hold, since which version |
//! | `poke` | what clients are told |
//! | `connection`, `connecting` | one client each, and how it comes and goes |
//! | `queries` | what clients want and do not want any more |
//! | `attaching` | queries filled, and their rows given to their groups, a step at a time |
//! | `belonging` | whose a client group is |
//! | `limits`, `admit` | what is refused: by which limit, and where |
//! | `asking` | what is asked of the application |
//! | `mutations` | who may write, and what was written as clients are told |
//! | `stored`, `unsaved` | what of a group outlives the process, and what of it is not kept yet |
//! | `resume` | groups saved and recalled |
//! | `output` | what is to be done |
//! | `report` | what is going on, for people |
//! | `schema` | whether a client's tables fit the database |
//! | `verify` | whether what is held is what the database gives |

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use penstock::{Database, Error};
use serde_json::Value as Json;

use crate::claims::Claims;
use crate::measure::Measures;
use crate::protocol::ConnectionId;
use crate::protocol::connect::ConnectRequest;
use crate::protocol::cookie::Tag;
use crate::protocol::error::ErrorBody;
use crate::protocol::upstream::Upstream;

mod admit;
mod asking;
mod attaching;
mod belonging;
mod clock;
mod commit;
mod connecting;
mod connection;
mod group;
mod limits;
mod live;
mod mutations;
mod output;
mod poke;
mod queries;
mod report;
mod resume;
mod schema;
mod stored;
mod unsaved;
mod verify;

pub use attaching::Steps;
pub use clock::Now;
pub(crate) use clock::monotonic_us;
pub use commit::{Commit, Committed, Committing};
pub use limits::Limits;
pub use output::{Output, Outputs, Transform};
pub use report::{ConnectionReport, Counters, GroupReport, QueryReport, Report, Totals};
pub use stored::{
    ChangedRow, GroupChanges, GroupStore, StoredClient, StoredGroup, StoredHead, StoredKey,
    StoredQuery, StoredRow,
};

use connection::Connection;
use group::{Group, Touched};
use live::{Advanced, Lives};

/// Called, by any thread, when there is something for [`Input::Data`].
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Who may read what by ad-hoc queries.
pub trait ReadRules: Send {
    /// Compiles it into a query.
    fn compile(&self, ast: &Json, claims: &Claims) -> Json;

    /// Whether everybody may read everything, so that errors of queries may name tables and columns.
    fn allows_all(&self) -> bool;

    /// A number that is another once the rules are others.
    fn generation(&self) -> u64;
}

/// Whether a table is not for clients, whatever rules say.
pub type IsInternal = Box<dyn Fn(&str) -> bool + Send>;

/// The tables in which mutations are accounted for.
#[derive(Clone, Debug)]
pub struct Bookkeeping {
    /// `clientGroupID`, `clientID`, `lastMutationID`, `userID`.
    pub clients_table: String,
    /// `clientGroupID`, `clientID`, `mutationID`, `result`.
    pub mutations_table: String,
}

/// How a hub is set up.
pub struct Options {
    /// What is refused.
    pub limits: Limits,
    /// Who may read what by ad-hoc queries.
    pub read_rules: Box<dyn ReadRules>,
    /// Tables that no query of a client may read, named queries included.
    pub is_internal: IsInternal,
    /// Where mutations are accounted for, if they are.
    pub bookkeeping: Option<Bookkeeping>,
    /// Whether the application can be asked what named queries mean.
    pub has_query_endpoint: bool,
    /// How much is done for one query at a time.
    pub steps: Steps,
    /// For how long a group that nobody is connected to stays live, in milliseconds.
    pub linger_ms: u64,
    /// How often named queries are asked for anew, in milliseconds.
    pub retransform_ms: u64,
    /// Tells this run of the server from others.
    pub tag: Tag,
    /// What outlives the process, if anything does.
    pub store: Option<Box<dyn GroupStore>>,
}

/// What named queries mean: each with its AST, or with an error for the clients that want it.
pub type Meanings = Vec<(String, Result<Json, Json>)>;

/// What happens.
#[derive(Debug)]
pub enum Input {
    /// A client connects; its token has been verified.
    Connect {
        /// Its number, new.
        connection: ConnectionId,
        /// What it asked.
        request: Box<ConnectRequest>,
        /// What its token says.
        claims: Claims,
        /// Bytes that wait for the socket: the hub adds, whoever sends takes away.
        queued: Arc<AtomicUsize>,
    },
    /// A message of a client.
    Message {
        /// Whose.
        connection: ConnectionId,
        /// What.
        message: Upstream,
    },
    /// A frame of a client that is no message.
    Unreadable {
        /// Whose.
        connection: ConnectionId,
        /// What is wrong with it.
        problem: String,
    },
    /// A socket is closed.
    Closed {
        /// Whose.
        connection: ConnectionId,
    },
    /// A new token has been verified ([`Output::Verify`]).
    Verified {
        /// Whose.
        connection: ConnectionId,
        /// The token.
        token: Option<String>,
        /// What it says, or why it is refused.
        outcome: Result<Claims, ErrorBody>,
    },
    /// The application's answer ([`Output::Transform`]).
    Transformed {
        /// To which question.
        request: u64,
        /// Each query with its AST, or with an error for the clients that want it.
        outcome: Result<Meanings, ErrorBody>,
    },
    /// A mutation was not carried out, and the client is to know.
    MutationFailed {
        /// Whose.
        connection: ConnectionId,
        /// Why.
        error: ErrorBody,
    },
    /// The database has changed.
    Data,
    /// Time has passed; about ten times a second.
    Tick,
    /// The server is about to end: everybody is sent away, and everything is saved.
    Shutdown,
}

/// The state machine.
pub struct Hub {
    options: Options,
    lives: Lives,
    groups: BTreeMap<Arc<str>, Group>,
    connections: BTreeMap<ConnectionId, Connection>,
    /// Queries whose rows their groups have not got yet, or not all of them.
    attaching: BTreeMap<live::User, attaching::Attaching>,
    /// Whose turn it was last.
    attached_last: Option<live::User>,
    touched: BTreeMap<Arc<str>, Touched>,
    /// Connections that are to be brought up to date by themselves.
    greeting: BTreeSet<ConnectionId>,
    /// Questions to the application: of which connection and group, about which queries.
    transforms: BTreeMap<u64, asking::Asked>,
    next_transform: u64,
    costly: admit::Costly,
    schema: penstock::Schema,
    /// Of the rules that queries were last compiled with.
    rules: u64,
    counters: Counters,
    measures: Arc<Measures>,
}

impl Hub {
    /// A hub over a database. `wake` is called when there is something for [`Input::Data`].
    #[must_use]
    pub fn new(database: Database, options: Options, wake: Wake) -> Hub {
        let schema = database.schema();
        let rules = options.read_rules.generation();
        Hub {
            options,
            lives: Lives::new(database, wake),
            groups: BTreeMap::new(),
            connections: BTreeMap::new(),
            attaching: BTreeMap::new(),
            attached_last: None,
            touched: BTreeMap::new(),
            greeting: BTreeSet::new(),
            transforms: BTreeMap::new(),
            next_transform: 1,
            costly: admit::Costly::default(),
            schema,
            rules,
            counters: Counters::default(),
            measures: Arc::default(),
        }
    }

    /// Counts together with others.
    #[must_use]
    pub fn measured(mut self, measures: Arc<Measures>) -> Hub {
        self.measures = measures;
        self
    }

    /// Asks, as commits are told by the database, which of a followed database they are.
    #[must_use]
    pub fn committing(mut self, committing: Committing) -> Hub {
        self.lives.ask_commits(committing);
        self
    }

    /// Whether there is more to tell at once: then [`Input::Data`] is due.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.lives.is_dirty() || self.is_filling()
    }

    /// Whether clients wait for queries to be filled: then [`Input::Data`] is due.
    #[must_use]
    pub fn is_filling(&self) -> bool {
        self.lives.is_filling() || !self.attaching.is_empty()
    }

    /// Whether what has changed can be told by now: not while callbacks of its commit are yet to come.
    #[must_use]
    pub fn can_advance(&self) -> bool {
        self.lives.can_advance()
    }

    /// How many clients have been told more than has been sent to them, counted up to a limit.
    #[must_use]
    pub fn waiting(&self, limit: usize) -> usize {
        // Those that do not keep up are waited for by nobody.
        let waits =
            |of: &&Connection| of.behind_since.is_none() && of.queued.load(Ordering::Relaxed) > 0;
        self.connections.values().filter(waits).take(limit).count()
    }

    /// Whether something was committed that clients are still to be told of.
    #[must_use]
    pub fn has_untold(&self) -> bool {
        self.lives.is_dirty()
    }

    /// Takes an input.
    ///
    /// # Errors
    /// A database that cannot be used any more; the server has to end.
    pub fn handle(&mut self, now: Now, input: Input, outputs: &mut Outputs) -> Result<(), Error> {
        let is_tick = matches!(input, Input::Tick);
        let is_turn = is_tick || matches!(input, Input::Data);
        match input {
            Input::Connect { connection, request, claims, queued } => {
                self.connect(now, connection, *request, claims, queued, outputs);
            }
            Input::Message { connection, message } => {
                self.message(now, connection, message, outputs)
            }
            Input::Unreadable { connection, problem } => {
                self.refuse_message(connection, &problem, outputs);
            }
            Input::Closed { connection } => self.disconnect(now, connection),
            Input::Verified { connection, token, outcome } => {
                self.verified(now, connection, token, outcome, outputs);
            }
            Input::Transformed { request, outcome } => {
                self.transformed(now, request, outcome, outputs);
            }
            Input::MutationFailed { connection, error } => {
                self.tell_error(connection, &error, outputs);
            }
            Input::Data => {}
            Input::Tick => self.tick(now, outputs),
            Input::Shutdown => {
                self.shut_down(now, outputs);
                return Ok(());
            }
        }
        self.follow_rules(outputs);
        if is_turn {
            self.fill(outputs);
        }
        self.advance(outputs)?;
        self.flush(now, outputs);
        if is_tick {
            self.keep(now);
        }
        let attaching = &self.attaching;
        self.lives.sweep(|| attaching.values().map(attaching::Attaching::live).collect());
        Ok(())
    }

    /// Takes what has changed in the database to the groups.
    fn advance(&mut self, outputs: &mut Outputs) -> Result<(), Error> {
        self.follow_schema(outputs);
        for Advanced { live, changes, commit } in self.lives.advance()? {
            let Some(of) = self.lives.get(live) else { continue };
            for user in of.users() {
                let Some(group) = self.groups.get_mut(&user.group) else { continue };
                let touched = self.touched.entry(Arc::clone(&user.group)).or_default();
                touched.commit = Commit::first(touched.commit, commit);
                let attaching = self.attaching.get(user).filter(|of| of.is_taking(live));
                group.take_all(&user.role, &changes, attaching, touched);
            }
            self.counters.row_changes += changes.len() as u64;
        }
        self.refuse_lost(outputs);
        self.attach(outputs);
        self.shed(outputs);
        Ok(())
    }
}

//! Published clients, and their views.

use std::time::Instant;

use serde_json::{Value as Json, json};

use super::driver::{call, fresh_name};
use crate::support::server::LONG;

/// How long the driver waits before it answers anyway.
const LONG_MS: u64 = LONG.as_millis() as u64 * 3 / 4;
const LOOK_MS: u64 = 2_000;

/// A client, from `new Zero(…)` to `close()`.
pub(crate) struct Client {
    name: String,
    pub(crate) id: String,
    pub(crate) group: String,
}

/// A query for a view.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(crate) ast: Json,
    pub(crate) format: Json,
    pub(crate) ttl: Option<u64>,
    /// Name and arguments, if the server is asked by name.
    pub(crate) named: Option<(String, Json)>,
}

impl Query {
    /// A flat list, or with `related` in the syntax tree, nested ones.
    pub(crate) fn new(ast: Json) -> Self {
        let format = format_of(&ast);
        Self { ast, format, ttl: None, named: None }
    }

    pub(crate) fn ttl(mut self, ms: u64) -> Self {
        self.ttl = Some(ms);
        self
    }

    pub(crate) fn named(mut self, name: &str, args: Json) -> Self {
        self.named = Some((name.to_owned(), args));
        self
    }
}

/// The shape of a result in which every relationship is a list.
fn format_of(ast: &Json) -> Json {
    let mut relationships = json!({});
    for related in ast["related"].as_array().into_iter().flatten() {
        let subquery = &related["subquery"];
        let alias = subquery["alias"].as_str().expect("an alias");
        let inner =
            if related["hidden"] == true { &subquery["related"][0]["subquery"] } else { subquery };
        relationships[alias] = format_of(inner);
    }
    json!({"singular": false, "relationships": relationships})
}

impl Client {
    /// Makes a client of `server`, a URL; `options` are those of `Zero` beside it.
    pub(crate) fn open(server: &str, mut options: Json) -> Self {
        let name = fresh_name();
        options["server"] = server.into();
        let opened = call(json!({"do": "open", "client": name, "options": options}));
        let opened = opened.expect("a client");
        let of = |field: &str| opened[field].as_str().expect("an id").to_owned();
        Self { name, id: of("clientID"), group: of("clientGroupID") }
    }

    fn call(&self, what: &str, mut command: Json) -> Json {
        command["do"] = what.into();
        command["client"] = self.name.as_str().into();
        call(command.clone()).unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Materialises a query; the error that the client throws if it refuses.
    pub(crate) fn try_view(&self, query: &Query) -> Result<View<'_>, String> {
        let view = fresh_name();
        let mut command = json!({"do": "view", "client": self.name, "view": view,
            "ast": query.ast, "format": query.format});
        if let Some(ttl) = query.ttl {
            command["ttl"] = ttl.into();
        }
        if let Some((name, args)) = &query.named {
            command["named"] = json!({"name": name, "args": args});
        }
        call(command)?;
        Ok(View { client: self, name: view })
    }

    pub(crate) fn view(&self, query: &Query) -> View<'_> {
        self.try_view(query).unwrap_or_else(|error| panic!("{query:?}: {error}"))
    }

    /// Starts CRUD operations `[{op, table, value}]`, one mutation, under a name.
    pub(crate) fn crud(&self, mutation: &str, ops: Json) {
        self.call("crud", json!({"mutation": mutation, "ops": ops}));
    }

    /// Starts the custom mutation with its arguments.
    pub(crate) fn custom(&self, mutation: &str, args: Json) {
        self.call("custom", json!({"mutation": mutation, "args": args}));
    }

    /// What a mutation came to on one side, `client` or `server`.
    pub(crate) fn outcome(&self, mutation: &str, side: &str) -> Json {
        let command = json!({"mutation": mutation, "side": side, "within": LONG_MS});
        let mut outcome = self.call("mutation", command);
        let outcome = outcome[side].take();
        assert!(!outcome.is_null(), "mutation {mutation} is not settled on the {side}");
        outcome
    }

    /// Waits until the connection is in a state; what it says of it.
    pub(crate) fn until_state(&self, name: &str) -> Json {
        let state = self.call("state", json!({"until": [name], "within": LONG_MS}));
        assert_eq!(state["now"]["name"], name, "{state}; {}", self.told());
        state["now"].clone()
    }

    /// Every state so far, as the application is told of them.
    pub(crate) fn all_states(&self) -> Vec<Json> {
        let state = self.call("state", json!({}));
        state["all"].as_array().expect("states").clone()
    }

    /// Their names.
    pub(crate) fn states(&self) -> Vec<String> {
        let all = self.all_states();
        all.iter().map(|state| state["name"].as_str().expect("a name").to_owned()).collect()
    }

    /// `connection.connect()`, with what is to be its `auth` if any.
    pub(crate) fn connect(&self, auth: Option<&str>) {
        let command = auth.map_or(json!({}), |auth| json!({"auth": auth}));
        self.call("connect", command);
    }

    /// What it told its application and its log.
    pub(crate) fn told(&self) -> Json {
        self.call("told", json!({}))
    }

    /// The same, once it told its application something.
    pub(crate) fn until_told(&self) -> Json {
        self.call("told", json!({"within": LONG_MS}))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let closed = call(json!({"do": "close", "client": self.name}));
        assert!(closed.is_ok() || std::thread::panicking(), "{closed:?}");
    }
}

/// What a client shows of a query. It stays until its client ends, or it is destroyed.
pub(crate) struct View<'c> {
    client: &'c Client,
    name: String,
}

/// What a view shows: its rows, and `unknown`, `complete` or `error`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shown {
    pub(crate) data: Json,
    pub(crate) of: String,
    pub(crate) error: Json,
}

impl Shown {
    fn from(mut state: Json) -> Self {
        let of = state["type"].as_str().expect("a type").to_owned();
        Self { data: state["data"].take(), of, error: state["error"].take() }
    }
}

impl View<'_> {
    fn call(&self, what: &str, mut command: Json) -> Json {
        command["view"] = self.name.as_str().into();
        self.client.call(what, command)
    }

    /// What it shows now.
    pub(crate) fn now(&self) -> Shown {
        Shown::from(self.call("read", json!({})))
    }

    /// Everything that it has shown so far.
    pub(crate) fn all(&self) -> Vec<Shown> {
        let shown = self.call("shown", json!({}));
        shown.as_array().expect("a list").iter().cloned().map(Shown::from).collect()
    }

    /// Waits until a condition holds of what it shows.
    pub(crate) fn until(&self, what: &str, holds: impl Fn(&Shown) -> bool) -> Shown {
        self.until_or_broken(what, holds).unwrap_or_else(|reason| panic!("{what}: {reason}"))
    }

    /// Waits until a condition holds of what it shows, or the client's connection is in the state
    /// `error`, with its reason.
    #[expect(clippy::disallowed_methods, reason = "a test waits no longer than some time")]
    pub(crate) fn until_or_broken(
        &self,
        what: &str,
        holds: impl Fn(&Shown) -> bool,
    ) -> Result<Shown, String> {
        let start = Instant::now();
        let mut after = 0;
        loop {
            let state = self.call("read", json!({"after": after, "within": LOOK_MS}));
            after = state["version"].as_u64().expect("a version");
            let shown = Shown::from(state);
            if holds(&shown) {
                return Ok(shown);
            }
            let states = self.client.all_states();
            let last = states.last().expect("a state");
            if last["name"] == "error" {
                return Err(last["reason"].as_str().unwrap_or_default().to_owned());
            }
            let in_vain = start.elapsed() > LONG;
            assert!(!in_vain, "{what}: {shown:?}; {last}; {}", self.client.told());
        }
    }

    /// Waits until it is complete.
    pub(crate) fn complete(&self) -> Json {
        let shown = self.until("complete", |shown| shown.of != "unknown");
        assert_eq!(shown.of, "complete", "{}", shown.error);
        shown.data
    }

    /// Waits until it has an error.
    pub(crate) fn fails(&self) -> Json {
        self.until("an error", |shown| shown.of == "error").error
    }

    pub(crate) fn destroy(self) {
        self.call("destroy", json!({}));
    }
}

/// Whether two values are the same to JavaScript.
pub(crate) fn same(one: &Json, other: &Json) -> bool {
    penstock_sync::validate::plain(one) == penstock_sync::validate::plain(other)
}

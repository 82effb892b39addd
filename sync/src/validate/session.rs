//! One socket, from its upgrade to its close.

use serde_json::Value as Json;

use super::patch::Poke;
use super::shapes;
use super::{Rule, Store, Violation};

/// The types of message that a server may send.
const KNOWN: [&str; 11] = [
    "connected",
    "error",
    "pong",
    "pokeStart",
    "pokePart",
    "pokeEnd",
    "pull",
    "deleteClients",
    "pushResponse",
    "inspect",
    "transformError",
];

/// Errors that do not end the connection.
const PASSING: [&str; 2] = ["MutationRateLimited", "MutationFailed"];

/// What a client said when it opened a socket.
#[derive(Debug, Clone, Default)]
pub struct Upgrade {
    /// The id of the client.
    pub client: String,
    /// The id of this socket.
    pub wsid: String,
    /// The value of `Sec-WebSocket-Protocol`.
    pub protocol: String,
    /// Whether no other client of the group exists: then nothing is got that this one does not ask.
    pub alone: bool,
    /// The `initConnection` message in the header, if it was there.
    pub init: Option<Json>,
}

/// Looks at a store and says what a query that was just got still lacks.
type Oracle = Box<dyn FnMut(&str, &Store) -> Result<(), String> + Send>;

/// What was seen of one socket, and what the client holds by now.
pub struct Session {
    upgrade: Upgrade,
    store: Store,
    open: Option<Poke>,
    frames: usize,
    connected: bool,
    asked: bool,
    pokes: usize,
    pings: usize,
    /// The kind of the error that ends the connection.
    ended: Option<String>,
    closed: bool,
    oracle: Option<Oracle>,
    violations: Vec<Violation>,
}

impl Session {
    /// A socket on which nothing has been sent, of a client that holds `store`.
    pub fn begin(upgrade: Upgrade, store: Store) -> Self {
        let init = upgrade.init.clone();
        let mut session = Self {
            upgrade,
            store,
            open: None,
            frames: 0,
            connected: false,
            asked: false,
            pokes: 0,
            pings: 0,
            ended: None,
            closed: false,
            oracle: None,
            violations: Vec::new(),
        };
        if let Some(init) = init {
            session.asks(&init);
        }
        session
    }

    /// Has `oracle` look at the store whenever a query is got: it is given the query's hash and says
    /// what of its rows is missing.
    pub fn with_oracle(
        mut self,
        oracle: impl FnMut(&str, &Store) -> Result<(), String> + Send + 'static,
    ) -> Self {
        self.oracle = Some(Box::new(oracle));
        self
    }

    /// The server accepted the upgrade with this value of `Sec-WebSocket-Protocol`.
    pub fn accepted(&mut self, protocol: Option<&str>) {
        if protocol != Some(self.upgrade.protocol.as_str()) {
            let found = format!("the answer has {protocol:?}");
            self.broken(Rule::UpgradeEchoesProtocol, found);
        }
    }

    /// The client sent a frame. What is no message of a client is passed over.
    pub fn sent(&mut self, text: &str) {
        let Ok(message) = serde_json::from_str::<Json>(text) else { return };
        match message.get(0).and_then(Json::as_str) {
            Some("initConnection" | "changeDesiredQueries") => self.asks(&message),
            Some("ping") => self.pings += 1,
            Some("push") => {
                let mutations = message.pointer("/1/mutations").and_then(Json::as_array);
                for mutation in mutations.into_iter().flatten() {
                    let client = mutation["clientID"].as_str().unwrap_or_default().to_owned();
                    let id = mutation["id"].as_u64().unwrap_or(0);
                    let sent = self.store.pushed.entry(client).or_default();
                    *sent = id.max(*sent);
                }
            }
            _ => {}
        }
    }

    fn asks(&mut self, message: &Json) {
        self.asked |= message[0] == "initConnection";
        let body = &message[1];
        if let Some(schema) = body.get("clientSchema") {
            self.store.learn_schema(schema);
        }
        let patch = body.get("desiredQueriesPatch").and_then(Json::as_array);
        for op in patch.into_iter().flatten().filter(|op| op["op"] == "put") {
            let hash = op["hash"].as_str().unwrap_or_default().to_owned();
            self.store.asked.insert(hash, op.clone());
        }
    }

    /// The server sent a text frame.
    pub fn received(&mut self, text: &str) {
        self.frames += 1;
        if self.closed {
            return self.broken(Rule::NothingAfterClose, text.to_owned());
        }
        if let Some(kind) = &self.ended {
            let found = format!("after the error {kind}: {text}");
            return self.broken(Rule::ClosesAfterError, found);
        }
        let message = match serde_json::from_str::<Json>(text) {
            Ok(Json::Array(message)) => message,
            Ok(_) => return self.broken(Rule::WellFormed, format!("no array: {text}")),
            Err(error) => return self.broken(Rule::WellFormed, format!("{error}: {text}")),
        };
        let [Json::String(kind), body] = message.as_slice() else {
            return self.broken(Rule::WellFormed, format!("not [type, body]: {text}"));
        };
        if !KNOWN.contains(&kind.as_str()) {
            return self.broken(Rule::KnownType, format!("{kind:?}"));
        }
        if !self.connected && kind != "connected" && kind != "error" {
            self.broken(Rule::ConnectedFirst, format!("the first frame is {kind:?}"));
            self.connected = true;
        }
        if let Err((rule, found)) = shapes::check(kind, body) {
            return self.broken(rule, found);
        }
        self.message(kind, body);
    }

    fn message(&mut self, kind: &str, body: &Json) {
        match kind {
            "connected" => self.is_connected(body),
            "pong" => self.pings = self.pings.saturating_sub(1),
            "pokeStart" => self.poke_start(body),
            "pokePart" => self.poke_part(body),
            "pokeEnd" => self.poke_end(body),
            "error" => {
                let kind = body["kind"].as_str().unwrap_or_default();
                if !PASSING.contains(&kind) {
                    self.ended = Some(kind.to_owned());
                }
            }
            _ => {}
        }
    }

    fn is_connected(&mut self, body: &Json) {
        if self.connected {
            self.broken(Rule::ConnectedOnce, "a second `connected`".to_owned());
        }
        self.connected = true;
        if body["wsid"] != self.upgrade.wsid.as_str() {
            let found = format!("{}, the request said {:?}", body["wsid"], self.upgrade.wsid);
            self.broken(Rule::ConnectedNamesSocket, found);
        }
    }

    fn poke_start(&mut self, body: &Json) {
        let id = body["pokeID"].as_str().unwrap_or_default().to_owned();
        if let Some(open) = &self.open {
            let found = format!("poke {id:?} begins inside poke {:?}", open.id);
            self.broken(Rule::OnePokeAtATime, found);
        }
        let base = body["baseCookie"].as_str().map(str::to_owned);
        self.open = Some(Poke { id, base, parts: Vec::new() });
    }

    /// Whether a message belongs to the poke that is open.
    fn of_open_poke(&mut self, what: &str, body: &Json) -> bool {
        let id = body["pokeID"].as_str().unwrap_or_default();
        let open = self.open.as_ref().map(|poke| poke.id.clone());
        if open.as_deref() == Some(id) {
            return true;
        }
        self.broken(Rule::OnePokeId, format!("{what} of poke {id:?}, open is {open:?}"));
        false
    }

    fn poke_part(&mut self, body: &Json) {
        if self.of_open_poke("a part", body)
            && let Some(open) = &mut self.open
        {
            open.parts.push(body.clone());
        }
    }

    fn poke_end(&mut self, body: &Json) {
        if !self.of_open_poke("the end", body) {
            return;
        }
        let Some(poke) = self.open.take() else { return };
        if body.get("cancel") == Some(&Json::Bool(true)) {
            return;
        }
        let cookie = body["cookie"].as_str().unwrap_or_default();
        let applied = poke.apply(&mut self.store, cookie, &self.upgrade.client);
        self.pokes += 1;
        for (rule, found) in applied.broken {
            self.broken(rule, found);
        }
        for hash in applied.got {
            let desired = self.store.desired.values().any(|hashes| hashes.contains(&hash));
            if self.upgrade.alone && !desired && !self.store.asked.contains_key(&hash) {
                self.broken(Rule::GotIsDesired, format!("nobody asked for {hash:?}"));
            }
            let lacks = self.oracle.as_mut().map(|oracle| oracle(&hash, &self.store));
            if let Some(Err(found)) = lacks {
                self.broken(Rule::GotAfterRows, format!("{hash:?} is got: {found}"));
            }
        }
    }

    /// The server sent a binary frame.
    pub fn received_binary(&mut self) {
        self.frames += 1;
        self.broken(Rule::TextOnly, "a binary frame".to_owned());
    }

    /// The socket was closed, by whichever side.
    pub fn closed(&mut self) {
        self.closed = true;
    }

    /// Nothing more is to be expected from the server for now: checks that it owes nothing. A
    /// socket that was closed without an error owes nothing either.
    pub fn quiet(&mut self) {
        if let (Some(kind), false) = (&self.ended, self.closed) {
            let found = format!("the socket is open after the error {kind}");
            self.broken(Rule::ClosesAfterError, found);
        }
        if self.closed || self.ended.is_some() {
            return;
        }
        if self.asked && self.pokes == 0 {
            self.broken(Rule::InitialPoke, "no poke was sent".to_owned());
        }
        if self.pings > 0 {
            let found = format!("{} pings without a pong", self.pings);
            self.broken(Rule::PongForPing, found);
        }
        if let Some(open) = &self.open {
            let found = format!("poke {:?} has not ended", open.id);
            self.broken(Rule::PokeEnds, found);
        }
    }

    fn broken(&mut self, rule: Rule, found: String) {
        self.violations.push(Violation { rule, frame: self.frames, found });
    }

    /// What was broken so far, in the order in which it was seen.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// What the client holds.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What the client holds, for its next socket. A poke that has not ended is dropped.
    pub fn into_store(self) -> Store {
        self.store
    }

    /// How many pokes have ended on this socket, cancelled ones not counted.
    pub fn pokes(&self) -> usize {
        self.pokes
    }

    /// Whether `connected` was received.
    pub fn is_open(&self) -> bool {
        self.connected && !self.closed
    }

    /// The kind of the error that ended the connection.
    pub fn ended_by(&self) -> Option<&str> {
        self.ended.as_deref()
    }
}

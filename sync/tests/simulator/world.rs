//! A server without sockets, its clients, and what befalls them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use penstock::{Database, Params, Query, row};
use penstock_sync::claims::Claims;
use penstock_sync::hub::{
    Bookkeeping, GroupStore, Hub, Input, Limits, Now, Options, Output, StoredGroup,
};
use penstock_sync::protocol::ConnectionId;
use penstock_sync::protocol::connect::ConnectRequest;
use penstock_sync::protocol::cookie::Tag;
use penstock_sync::protocol::upstream::{Mutation, Upstream};
use serde_json::{Value, json};

use crate::client::Client;
use crate::pool;
use crate::random::Random;

/// A fault that a server might have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Canary {
    /// A row is left out of a poke.
    LosesARow,
    /// A delete is left out of a poke.
    ForgetsADelete,
    /// A row that clients hold is not remembered over a restart.
    ForgetsAKeptRow,
    /// A row is put as it was before.
    OldRow,
}

/// What schedules have done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) pokes: u64,
    pub(crate) rests: u64,
    pub(crate) restarts: u64,
    pub(crate) crashes: u64,
    pub(crate) lost_states: u64,
    pub(crate) cuts: u64,
    pub(crate) clears: u64,
    pub(crate) resumed: u64,
    pub(crate) behind: u64,
    pub(crate) mutations: u64,
    pub(crate) deletes: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Tally) {
        self.pokes += other.pokes;
        self.rests += other.rests;
        self.restarts += other.restarts;
        self.crashes += other.crashes;
        self.lost_states += other.lost_states;
        self.cuts += other.cuts;
        self.clears += other.clears;
        self.resumed += other.resumed;
        self.behind += other.behind;
        self.mutations += other.mutations;
        self.deletes += other.deletes;
    }
}

/// A store that outlives servers.
#[derive(Clone, Default)]
struct Kept {
    groups: Arc<Mutex<BTreeMap<String, StoredGroup>>>,
    canary: Option<Canary>,
}

impl GroupStore for Kept {
    fn load(&mut self, id: &str) -> Result<Option<StoredGroup>, String> {
        let mut group = self.groups.lock().expect("one thread").get(id).cloned();
        if self.canary == Some(Canary::ForgetsAKeptRow)
            && let Some(group) = &mut group
        {
            group.rows.pop();
        }
        Ok(group)
    }

    fn save(&mut self, groups: &[StoredGroup]) -> Result<(), String> {
        let mut kept = self.groups.lock().expect("one thread");
        kept.extend(groups.iter().map(|group| (group.id.clone(), group.clone())));
        Ok(())
    }
}

pub(crate) struct World {
    random: Random,
    canary: Option<Canary>,
    database: Database,
    kept: Kept,
    hub: Hub,
    runs: u32,
    now: Now,
    clients: Vec<Client>,
    connections: u64,
    queries: Vec<(String, Value)>,
    /// Mutations on their way to the database, per group.
    pushes: BTreeMap<String, VecDeque<Mutation>>,
    last_put: BTreeMap<String, Value>,
    tally: Tally,
}

fn hub(database: &Database, kept: &Kept, run: u32) -> Hub {
    let options = Options {
        limits: Limits { queued_bytes: 4000, behind_ms: 60_000, ..Limits::default() },
        read_rules: Box::new(|ast, _| ast.clone()),
        bookkeeping: Some(Bookkeeping {
            clients_table: pool::CLIENTS.to_owned(),
            mutations_table: pool::RESULTS.to_owned(),
        }),
        has_query_endpoint: false,
        linger_ms: 3000,
        retransform_ms: 300_000,
        tag: Tag(run),
        store: Some(Box::new(kept.clone())),
    };
    Hub::new(database.clone(), options, Arc::new(|| {}))
}

impl World {
    pub(crate) fn new(seed: u64, canary: Option<Canary>) -> World {
        let mut random = Random::new(seed);
        let database = pool::database();
        for _ in 0..6 {
            database.transaction(|tx| pool::write(tx, &mut random)).expect("a transaction");
        }
        let kept = Kept { canary, ..Kept::default() };
        let hub = hub(&database, &kept, 1);
        let clients =
            (0..5).map(|at| Client::new(format!("c{at}"), format!("g{}", at % 3))).collect();
        World {
            random,
            canary,
            database,
            kept,
            hub,
            runs: 1,
            now: Now { mono_ms: 1000, unix_ms: 1_700_000_000_000 },
            clients,
            connections: 0,
            queries: pool::queries(),
            pushes: BTreeMap::new(),
            last_put: BTreeMap::new(),
            tally: Tally::default(),
        }
    }

    pub(crate) fn tally(&self) -> Tally {
        let behind = self.tally.behind + self.hub.counters().fell_behind;
        Tally { behind, ..self.tally.clone() }
    }

    pub(crate) fn step(&mut self) -> Result<(), String> {
        let at = self.random.below(self.clients.len());
        match self.random.below(100) {
            0..=17 => self.write(),
            18..=29 => {
                if self.clients[at].is_connected() {
                    self.want(at)?;
                } else {
                    self.connect(at)?;
                }
            }
            30..=49 => {
                for _ in 0..=self.random.below(6) {
                    self.read(at)?;
                }
            }
            50..=59 => self.input(Input::Data)?,
            60..=69 => self.pass_time()?,
            70..=75 => self.mutate(at)?,
            76..=81 => self.carry_out(),
            82..=87 => self.cut(at)?,
            88..=91 => self.say_first(at)?,
            92..=94 => self.rest()?,
            95..=96 => self.restart()?,
            97 => self.crash(),
            98 => {
                self.kept.groups.lock().expect("one thread").clear();
                self.tally.lost_states += 1;
                self.crash();
            }
            _ => self.pass_time()?,
        }
        Ok(())
    }

    fn input(&mut self, input: Input) -> Result<(), String> {
        let mut outputs = Vec::new();
        let text = format!("{input:?}");
        self.hub.handle(self.now, input, &mut outputs).map_err(|error| error.to_string())?;
        if !self.hub.is_dirty() {
            self.hub
                .verify()
                .map_err(|e| format!("after {}: {e}", &text[..text.len().min(700)]))?;
        }
        self.hand_out(outputs)
    }

    fn hand_out(&mut self, outputs: Vec<Output>) -> Result<(), String> {
        for output in outputs {
            match output {
                Output::Send { connection, frame } => {
                    let frame = self.spoiled(frame);
                    self.note(&frame);
                    if let Some(socket) = self.socket(connection) {
                        socket.incoming.push_back(Some(frame));
                    }
                }
                Output::Close { connection, .. } => {
                    if let Some(socket) = self.socket(connection) {
                        socket.incoming.push_back(None);
                    }
                }
                Output::Push { push, .. } => {
                    self.pushes.entry(push.group_id.clone()).or_default().extend(push.mutations);
                }
                other => return Err(format!("nobody asked for {other:?}")),
            }
        }
        Ok(())
    }

    fn note(&mut self, frame: &str) {
        self.tally.pokes += u64::from(frame.starts_with(r#"["pokeEnd""#));
        self.tally.clears += frame.matches(r#"{"op":"clear"}"#).count() as u64;
        self.tally.deletes += frame.matches(r#"{"op":"del","tableName""#).count() as u64;
    }

    /// The frame as a server with the fault would send it.
    fn spoiled(&mut self, frame: Arc<str>) -> Arc<str> {
        let Some(canary) = self.canary else { return frame };
        let Ok(mut json) = serde_json::from_str::<Value>(&frame) else { return frame };
        let Some(ops) = json[1].get_mut("rowsPatch").and_then(Value::as_array_mut) else {
            return frame;
        };
        let is = |op: &Value, kind: &str| op["op"] == kind;
        match canary {
            Canary::LosesARow if self.random.one_in(20) => {
                ops.retain({
                    let mut first = true;
                    move |op| !(is(op, "put") && std::mem::take(&mut first))
                });
            }
            Canary::ForgetsADelete if self.random.one_in(5) => ops.retain(|op| !is(op, "del")),
            Canary::OldRow => {
                for op in ops.iter_mut().filter(|op| op["op"] == "put") {
                    let key = format!("{} {}", op["tableName"], op["value"]["id"]);
                    let new = op["value"].clone();
                    if let Some(old) = self.last_put.insert(key, new)
                        && self.random.one_in(10)
                    {
                        op["value"] = old;
                    }
                }
            }
            _ => return frame,
        }
        let same = json[1]["rowsPatch"].as_array().is_some_and(Vec::is_empty);
        if same {
            json[1].as_object_mut().expect("a body").remove("rowsPatch");
        }
        Arc::from(json.to_string())
    }

    fn socket(&mut self, connection: ConnectionId) -> Option<&mut crate::client::Socket> {
        let mut sockets = self.clients.iter_mut().filter_map(|client| client.socket.as_mut());
        sockets.find(|socket| socket.connection == connection)
    }

    fn write(&mut self) {
        let random = &mut self.random;
        self.database.transaction(|tx| pool::write(tx, random)).expect("a transaction");
    }

    fn connect(&mut self, at: usize) -> Result<(), String> {
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        let group = self.clients[at].group.clone();
        let active = self.clients.iter().filter(|client| client.group == group);
        let active = active.map(|client| client.name.clone()).collect();
        let in_header = !self.random.one_in(3);
        let client = &mut self.clients[at];
        let base_cookie = client.cookie();
        self.tally.resumed += u64::from(base_cookie.is_some());
        let (wsid, init, queued) = client.open(connection, active, in_header);
        let init = match Upstream::from_json(&init)? {
            Upstream::InitConnection(init) if in_header => Some(init),
            _ => None,
        };
        let request = ConnectRequest {
            version: 51,
            client_id: client.name.clone(),
            group_id: client.group.clone(),
            base_cookie,
            wsid,
            init,
            ..ConnectRequest::default()
        };
        let request = Box::new(request);
        self.input(Input::Connect { connection, request, claims: Claims::default(), queued })
    }

    /// A client whose first message does not fit into the header says it.
    fn say_first(&mut self, at: usize) -> Result<(), String> {
        let Some(socket) = &mut self.clients[at].socket else { return Ok(()) };
        let Some(first) = socket.first_frame.take() else { return Ok(()) };
        self.say(at, &first)
    }

    fn say(&mut self, at: usize, message: &Value) -> Result<(), String> {
        let Some(socket) = &mut self.clients[at].socket else { return Ok(()) };
        let text = message.to_string();
        socket.session.sent(&text);
        let connection = socket.connection;
        self.input(Input::Message { connection, message: Upstream::parse(&text)? })
    }

    /// A client wants something else.
    fn want(&mut self, at: usize) -> Result<(), String> {
        let (hash, ast) = self.queries[self.random.below(self.queries.len())].clone();
        let ttl = [0, 500, 2000][self.random.below(3)];
        let client = &mut self.clients[at];
        let op = if client.wanted.remove(&hash).is_some() {
            json!({"op": "del", "hash": hash})
        } else {
            client.wanted.insert(hash.clone(), ast.clone());
            Client::put(&hash, &ast, ttl)
        };
        if client.socket.as_ref().is_some_and(|socket| socket.first_frame.is_some()) {
            // What it has not said yet says it all.
            let puts = client.wanted.iter().map(|(hash, ast)| Client::put(hash, ast, 2000));
            let puts = Value::Array(puts.collect());
            if let Some(first) =
                client.socket.as_mut().and_then(|socket| socket.first_frame.as_mut())
            {
                first[1]["desiredQueriesPatch"] = puts;
            }
            return Ok(());
        }
        self.say(at, &json!(["changeDesiredQueries", {"desiredQueriesPatch": [op]}]))
    }

    fn mutate(&mut self, at: usize) -> Result<(), String> {
        let client = &mut self.clients[at];
        if !client.is_connected() {
            return Ok(());
        }
        client.mutations += 1;
        // After a loss everything that has not come back is sent again.
        let from = client.last_mutation_id() + 1;
        for id in from..=self.clients[at].mutations {
            let client = &self.clients[at];
            let mutation = json!({"type": "crud", "id": id, "clientID": client.name, "name": "_zero_crud",
                                  "args": [{"ops": []}], "timestamp": 1});
            let push = json!(["push", {"clientGroupID": client.group, "mutations": [mutation],
                              "pushVersion": 1, "timestamp": 1, "requestID": "r"}]);
            self.say(at, &push)?;
        }
        Ok(())
    }

    /// The next mutations are carried out, each with its number in the same transaction.
    fn carry_out(&mut self) {
        let groups: Vec<String> = self.pushes.keys().cloned().collect();
        for group in groups {
            let Some(mutation) = self.pushes.get_mut(&group).and_then(VecDeque::pop_front) else {
                continue;
            };
            let (client, id) = (mutation.client_id, mutation.id as i64);
            let random = &mut self.random;
            let key = || row! { clientGroupID: group.as_str(), clientID: client.as_str() };
            let done = self.database.transaction(|tx| {
                let last = tx.get(pool::CLIENTS, key())?;
                let last = last.and_then(|row| row.get("lastMutationID")?.as_i64()).unwrap_or(0);
                if id != last + 1 {
                    return Ok(false);
                }
                tx.upsert(
                    pool::CLIENTS,
                    row! { clientGroupID: group.as_str(), clientID: client.as_str(), lastMutationID: id },
                )?;
                if random.one_in(4) {
                    let result = json!({"error": "app", "message": "no"}).to_string();
                    let result = penstock::Value::Json(result.into());
                    tx.insert(
                        pool::RESULTS,
                        row! { clientGroupID: group.as_str(), clientID: client.as_str(), mutationID: id, result: result },
                    )?;
                    return Ok(true);
                }
                pool::write(tx, random)?;
                Ok(true)
            });
            self.tally.mutations += u64::from(done.expect("a transaction"));
        }
    }

    fn read(&mut self, at: usize) -> Result<(), String> {
        let connection = self.clients[at].socket.as_ref().map(|socket| socket.connection);
        if !self.clients[at].read()?
            && let Some(connection) = connection
        {
            self.input(Input::Closed { connection })?;
        }
        Ok(())
    }

    /// A socket is cut; the server notices now or not at all, and the client's frames are lost.
    fn cut(&mut self, at: usize) -> Result<(), String> {
        let Some(socket) = &self.clients[at].socket else { return Ok(()) };
        let connection = socket.connection;
        self.tally.cuts += 1;
        self.clients[at].close();
        if self.random.one_in(4) { Ok(()) } else { self.input(Input::Closed { connection }) }
    }

    fn pass_time(&mut self) -> Result<(), String> {
        let passed = [20, 300, 4000, 20_000][self.random.below(4)];
        self.now.mono_ms += passed;
        // The time of day jumps as it likes.
        self.now.unix_ms = 1_700_000_000_000 + self.random.next() % 1_000_000_000;
        self.input(Input::Tick)
    }

    fn restart(&mut self) -> Result<(), String> {
        self.tally.restarts += 1;
        self.input(Input::Shutdown)?;
        for at in 0..self.clients.len() {
            // What a server sends at its end arrives, or does not.
            while self.random.below(3) > 0 && self.clients[at].is_connected() {
                self.clients[at].read()?;
                if self.clients[at].socket.as_ref().is_some_and(|socket| socket.incoming.is_empty())
                {
                    break;
                }
            }
        }
        self.begin_anew();
        Ok(())
    }

    fn crash(&mut self) {
        self.tally.crashes += 1;
        self.begin_anew();
    }

    fn begin_anew(&mut self) {
        for client in &mut self.clients {
            client.close();
        }
        self.pushes.clear();
        self.tally.behind += self.hub.counters().fell_behind;
        self.runs += 1;
        self.hub = hub(&self.database, &self.kept, self.runs);
    }

    /// Everybody connects and reads everything; then what clients hold is compared with the database.
    pub(crate) fn rest(&mut self) -> Result<(), String> {
        self.tally.rests += 1;
        for round in 0.. {
            if round == 50 {
                return Err("there is no rest".to_owned());
            }
            let mut is_quiet = true;
            for at in 0..self.clients.len() {
                if !self.clients[at].is_connected() {
                    self.connect(at)?;
                    is_quiet = false;
                }
                self.say_first(at)?;
                while self.clients[at]
                    .socket
                    .as_ref()
                    .is_some_and(|socket| !socket.incoming.is_empty())
                {
                    self.read(at)?;
                    is_quiet = false;
                }
            }
            self.carry_out();
            self.now.mono_ms += 10;
            self.input(Input::Tick)?;
            let unread = |client: &Client| {
                client.socket.as_ref().is_some_and(|socket| !socket.incoming.is_empty())
            };
            is_quiet &= !self.clients.iter().any(unread);
            if is_quiet && !self.hub.is_dirty() && self.pushes.values().all(VecDeque::is_empty) {
                break;
            }
        }
        self.compare()
    }

    fn compare(&mut self) -> Result<(), String> {
        self.hub.verify()?;
        let report = self.hub.report(false);
        for client in &self.clients {
            let group = report.groups.iter().find(|group| group.id == client.group);
            let group = group.ok_or_else(|| format!("the group {} is gone", client.group))?;
            let live: BTreeSet<String> =
                group.queries.iter().map(|query| query.hash.clone()).collect();
            let mut expected = BTreeSet::new();
            for (hash, ast) in self.queries.iter().filter(|(hash, _)| live.contains(hash)) {
                let query = Query::from_ast(ast).map_err(|error| format!("{hash}: {error}"))?;
                let rows = self.database.query_row_set(&query, &Params::default());
                let rows = rows.map_err(|error| format!("{hash}: {error}"))?;
                expected.extend(
                    rows.iter().map(|row| format!("{} {}", row.table().name(), row.to_json())),
                );
            }
            let found = client.rows();
            if found != expected {
                let missing: Vec<_> = expected.difference(&found).take(3).collect();
                let extra: Vec<_> = found.difference(&expected).take(3).collect();
                return Err(format!(
                    "{} lacks {missing:?} and has {extra:?} too many",
                    client.name
                ));
            }
            if client.got() != live {
                return Err(format!("{} has got {:?} of {live:?}", client.name, client.got()));
            }
            if let Some((hash, _)) = client.wanted.iter().find(|(hash, _)| !live.contains(*hash)) {
                return Err(format!("{} wants {hash}, which is not live", client.name));
            }
            let key = row! { clientGroupID: client.group.as_str(), clientID: client.name.as_str() };
            let last = self.database.get(pool::CLIENTS, key).map_err(|error| error.to_string())?;
            let last = last.and_then(|row| row.get("lastMutationID")?.as_i64()).unwrap_or(0);
            if client.last_mutation_id() as i64 != last {
                let told = client.last_mutation_id();
                return Err(format!(
                    "{} was told of mutation {told}, {last} are done",
                    client.name
                ));
            }
        }
        Ok(())
    }
}

//! A server without sockets, its clients, and what befalls them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use penstock::{Database, row};
use penstock_sync::claims::Claims;
use penstock_sync::hub::{Bookkeeping, Hub, Input, Limits, Now, Options, Output, Steps};
use penstock_sync::protocol::ConnectionId;
use penstock_sync::protocol::connect::ConnectRequest;
use penstock_sync::protocol::cookie::Tag;
use penstock_sync::protocol::upstream::{Mutation, Upstream};
use penstock_sync::rules::{Rules, SharedRules};
use serde_json::{Value, json};

use crate::client::Client;
use crate::faults::{Canary, Kept};
use crate::pool;
use crate::random::Random;
use crate::tally::Tally;

pub(crate) struct World {
    pub(crate) random: Random,
    pub(crate) canary: Option<Canary>,
    pub(crate) database: Database,
    pub(crate) kept: Kept,
    pub(crate) hub: Hub,
    pub(crate) runs: u32,
    pub(crate) now: Now,
    pub(crate) clients: Vec<Client>,
    pub(crate) connections: u64,
    pub(crate) queries: Vec<(String, Value)>,
    /// Mutations on their way to the database, per group.
    pub(crate) pushes: BTreeMap<String, VecDeque<Mutation>>,
    pub(crate) last_put: BTreeMap<String, Value>,
    pub(crate) tally: Tally,
}

fn hub(database: &Database, kept: &Kept, run: u32) -> Hub {
    let options = Options {
        limits: Limits { queued_bytes: 4000, behind_ms: 60_000, ..Limits::default() },
        read_rules: Box::new(SharedRules::new(Rules::allow_all())),
        is_internal: Box::new(|_| false),
        bookkeeping: Some(Bookkeeping {
            clients_table: pool::CLIENTS.to_owned(),
            mutations_table: pool::RESULTS.to_owned(),
        }),
        has_query_endpoint: false,
        linger_ms: 3000,
        retransform_ms: 300_000,
        steps: Steps { read: 3, take: 4 },
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
                self.kept.lose();
                self.kept.groups.lock().expect("one thread").clear();
                self.tally.lost_states += 1;
                self.crash();
            }
            _ => self.pass_time()?,
        }
        Ok(())
    }

    pub(crate) fn input(&mut self, input: Input) -> Result<(), String> {
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

    pub(crate) fn hand_out(&mut self, outputs: Vec<Output>) -> Result<(), String> {
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
                Output::Told { .. } => {}
                Output::Push { push, .. } => {
                    self.pushes.entry(push.group_id.clone()).or_default().extend(push.mutations);
                }
                other => return Err(format!("nobody asked for {other:?}")),
            }
        }
        Ok(())
    }

    pub(crate) fn note(&mut self, frame: &str) {
        self.tally.pokes += u64::from(frame.starts_with(r#"["pokeEnd""#));
        self.tally.clears += frame.matches(r#"{"op":"clear"}"#).count() as u64;
        self.tally.expired += u64::from(frame.contains(r#""kind":"AuthInvalidated""#));
        self.tally.deletes += frame.matches(r#"{"op":"del","tableName""#).count() as u64;
    }

    pub(crate) fn socket(
        &mut self,
        connection: ConnectionId,
    ) -> Option<&mut crate::client::Socket> {
        let mut sockets = self.clients.iter_mut().filter_map(|client| client.socket.as_mut());
        sockets.find(|socket| socket.connection == connection)
    }

    pub(crate) fn write(&mut self) {
        let random = &mut self.random;
        self.database.transaction(|tx| pool::write(tx, random)).expect("a transaction");
    }

    pub(crate) fn connect(&mut self, at: usize) -> Result<(), String> {
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
            last_mutation_id: client.last_mutation_id(),
            wsid,
            init,
            ..ConnectRequest::default()
        };
        let (request, claims) = (Box::new(request), self.claims());
        self.input(Input::Connect { connection, request, claims, queued })
    }

    /// A client whose first message does not fit into the header says it.
    pub(crate) fn say_first(&mut self, at: usize) -> Result<(), String> {
        let Some(socket) = &mut self.clients[at].socket else { return Ok(()) };
        let Some(first) = socket.first_frame.take() else { return Ok(()) };
        self.say(at, &first)
    }

    pub(crate) fn say(&mut self, at: usize, message: &Value) -> Result<(), String> {
        let Some(socket) = &mut self.clients[at].socket else { return Ok(()) };
        let text = message.to_string();
        socket.session.sent(&text);
        let connection = socket.connection;
        self.input(Input::Message { connection, message: Upstream::parse(&text)? })
    }

    /// A client wants something else.
    pub(crate) fn want(&mut self, at: usize) -> Result<(), String> {
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

    pub(crate) fn mutate(&mut self, at: usize) -> Result<(), String> {
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
    pub(crate) fn carry_out(&mut self) {
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

    pub(crate) fn read(&mut self, at: usize) -> Result<(), String> {
        let connection = self.clients[at].socket.as_ref().map(|socket| socket.connection);
        if !self.clients[at].read()?
            && let Some(connection) = connection
        {
            self.input(Input::Closed { connection })?;
        }
        Ok(())
    }

    /// A socket is cut; the server notices now or not at all, and the client's frames are lost.
    pub(crate) fn cut(&mut self, at: usize) -> Result<(), String> {
        let Some(socket) = &self.clients[at].socket else { return Ok(()) };
        let connection = socket.connection;
        self.tally.cuts += 1;
        self.clients[at].close();
        if self.random.one_in(4) { Ok(()) } else { self.input(Input::Closed { connection }) }
    }

    pub(crate) fn pass_time(&mut self) -> Result<(), String> {
        let passed = [20, 300, 4000, 20_000][self.random.below(4)];
        // Now and then the machine has slept for a week.
        let slept = if self.random.one_in(40) { 7 * 24 * 3_600_000 } else { 0 };
        self.now.mono_ms += passed + slept;
        self.set_time_of_day();
        let calls = self.random.below(3);
        self.kept.keep(calls);
        self.input(Input::Tick)
    }

    /// The time of day jumps as it likes, now and then to before all and to after all.
    fn set_time_of_day(&mut self) {
        self.now.unix_ms = match self.random.below(30) {
            0 => 0,
            1 => 4_102_444_800_000,
            _ => 1_700_000_000_000 + self.random.next() % 1_000_000_000,
        };
    }

    /// What the token of a client says: now and then, until when it is good.
    fn claims(&mut self) -> Claims {
        let mut claims = Claims::default();
        if self.random.one_in(4) {
            let until = self.now.unix_ms + 1000 + self.random.next() % 500_000_000;
            claims.members.insert("exp".to_owned(), json!(until / 1000));
        }
        claims
    }

    pub(crate) fn restart(&mut self) -> Result<(), String> {
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

    /// What the store was told is kept up to somewhere; the last pokes may not have been told to it.
    pub(crate) fn crash(&mut self) {
        self.tally.crashes += 1;
        let calls = self.random.below(4);
        self.kept.keep(calls);
        self.tally.unkept += self.kept.lose() as u64;
        self.begin_anew();
    }

    pub(crate) fn begin_anew(&mut self) {
        for client in &mut self.clients {
            client.close();
        }
        self.pushes.clear();
        self.tally.behind += self.hub.counters().fell_behind;
        self.runs += 1;
        // A process counts its time from its start, and the time of day may be any after another boot.
        self.now.mono_ms = self.random.next() % 2000;
        self.set_time_of_day();
        self.hub = hub(&self.database, &self.kept, self.runs);
    }
}

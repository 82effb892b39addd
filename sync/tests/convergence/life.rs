//! The life of a client that speaks the protocol itself: it wants this and that, writes, loses its
//! connection and comes back. Every frame that it receives is checked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use penstock_sync::validate::{Session, Store};
use serde_json::{Value as Json, json};
use tokio::sync::{mpsc::UnboundedSender, watch};
use tokio::time::{Instant, sleep, timeout};

use super::data;
use crate::random::Random;
use crate::support::raw::{Raw, Received, Who};

/// What clients are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Whatever they like.
    Busy,
    /// Nothing new; to say so once all that they have written is acknowledged.
    Drain,
    /// To say what they hold, once they see this number in the table `fence`.
    Look(u64),
    /// The same, once the group has no query that none of its clients wants.
    Settle(u64),
    End,
}

/// What a client holds at rest.
pub(crate) struct Held {
    pub(crate) client: String,
    /// Its rows, each with its table; none of a published client, which only shows results.
    pub(crate) rows: BTreeMap<String, Vec<Json>>,
    /// The queries whose rows these are.
    pub(crate) got: BTreeSet<String>,
    /// The results that it shows, by query.
    pub(crate) shown: Vec<(String, Json)>,
}

pub(crate) enum Said {
    Drained,
    Holds(Box<Held>),
    Failed(String),
}

/// What is known of a client's mutations.
#[derive(Clone, Default)]
pub(crate) struct Account {
    /// Whether each that was made is one that the database takes.
    pub(crate) made: Vec<bool>,
    /// How many were acknowledged to it; what is beyond, a client that is gone may have lost.
    pub(crate) acknowledged: u64,
    pub(crate) is_gone: bool,
}

/// What everybody knows.
#[derive(Default)]
pub(crate) struct Board {
    pub(crate) accounts: Mutex<BTreeMap<String, Account>>,
    /// What the clients of each group want.
    pub(crate) wanted: Mutex<BTreeMap<String, BTreeMap<String, BTreeSet<String>>>>,
}

pub(crate) struct Life {
    pub(crate) who: Who,
    pub(crate) random: Random,
    /// Where the server may be reached.
    pub(crate) ports: Vec<u16>,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) says: UnboundedSender<Said>,
    pub(crate) board: Arc<Board>,
    /// How long it may take until there is rest.
    pub(crate) patience: Duration,
    raw: Option<Raw>,
    store: Store,
    wanted: BTreeMap<String, u64>,
    /// What is not acknowledged, as it is sent.
    pending: BTreeMap<u64, Json>,
    made: u64,
    births: u32,
    heard: Instant,
    has_asked: bool,
    last_pair: f64,
}

/// Errors after which a client connects again by itself.
const PASSING: [&str; 3] = ["Rehome", "Rebalance", "ServerOverloaded"];

impl Life {
    pub(crate) fn new(
        who: Who,
        random: Random,
        ports: Vec<u16>,
        phase: watch::Receiver<Phase>,
        says: UnboundedSender<Said>,
        board: Arc<Board>,
    ) -> Self {
        let wanted = data::ALWAYS.iter().map(|name| ((*name).to_owned(), 0)).collect();
        Self {
            who,
            random,
            ports,
            phase,
            says,
            board,
            patience: crate::support::server::LONG / 2,
            raw: None,
            store: Store::default(),
            wanted,
            pending: BTreeMap::new(),
            made: 0,
            births: 0,
            heard: Instant::now(),
            has_asked: false,
            last_pair: 0.0,
        }
    }

    pub(crate) async fn run(mut self) {
        if let Err(problem) = self.live().await {
            let _ = self.says.send(Said::Failed(format!("{}: {problem}", self.who.client)));
        }
    }

    async fn live(&mut self) -> Result<(), String> {
        self.note_wanted();
        let (mut last, mut since, mut said) = (Phase::Busy, Instant::now(), false);
        loop {
            let phase = *self.phase.borrow();
            if phase != last {
                (last, since, said) = (phase, Instant::now(), false);
            }
            if phase == Phase::End {
                return Ok(());
            }
            if self.raw.is_none() && !self.connect(phase).await {
                sleep(Duration::from_millis(50 + self.random.next() % 150)).await;
            } else if phase == Phase::Busy {
                self.act().await?;
            } else {
                self.listen(Duration::from_millis(50), phase).await?;
                let lacks = if said { None } else { self.lacks(phase) };
                match lacks {
                    None if !said => {
                        said = true;
                        self.say(phase);
                    }
                    Some(lacks) if since.elapsed() > self.patience => {
                        return Err(format!("there is no rest at {phase:?}: {lacks}"));
                    }
                    _ => {}
                }
            }
        }
    }

    fn held(&self) -> &Store {
        self.raw.as_ref().map_or(&self.store, Raw::store)
    }

    /// What is still to come before it can say what a phase asks for.
    fn lacks(&self, phase: Phase) -> Option<String> {
        let store = self.held();
        let got = store.got();
        let acknowledged = store.last_mutation_id(&self.who.client);
        if self.raw.is_none() {
            return Some("it is not connected".to_owned());
        }
        if acknowledged != self.made {
            return Some(format!("{acknowledged} mutations of {} are acknowledged", self.made));
        }
        let (Phase::Look(fence) | Phase::Settle(fence)) = phase else { return None };
        let seen = store.rows("fence").next().and_then(|row| row["n"].as_u64());
        if seen != Some(fence) {
            return Some(format!("it sees {seen:?} in place of {fence}"));
        }
        if let Some(missing) = self.wanted.keys().find(|name| !got.contains(*name)) {
            return Some(format!("{missing} is not got"));
        }
        let wanted = self.board.wanted.lock().expect("no holder panics");
        let wanted: BTreeSet<&String> = wanted[&self.who.group].values().flatten().collect();
        let over = got.iter().find(|name| !wanted.contains(name));
        match (phase, over) {
            (Phase::Settle(_), Some(over)) => Some(format!("nobody wants {over} any more")),
            _ => None,
        }
    }

    fn say(&self, phase: Phase) {
        let store = self.held();
        let said = if phase == Phase::Drain {
            Said::Drained
        } else {
            let tables = store.counts().into_keys();
            let rows = tables.map(|table| (table.to_owned(), store.rows(table).cloned().collect()));
            let (client, rows) = (self.who.client.clone(), rows.collect());
            let (got, shown) = (store.got().clone(), Vec::new());
            Said::Holds(Box::new(Held { client, rows, got, shown }))
        };
        // Who does not listen any more has failed.
        let _ = self.says.send(said);
    }

    fn note_wanted(&self) {
        let mut wanted = self.board.wanted.lock().expect("no holder panics");
        let names = self.wanted.keys().cloned().collect();
        wanted.entry(self.who.group.clone()).or_default().insert(self.who.client.clone(), names);
    }

    /// How long it waits for a sign of life.
    fn patience(phase: Phase) -> Duration {
        Duration::from_secs(if phase == Phase::Busy { 3 } else { 10 })
    }

    fn put(name: &str, ttl: u64) -> Json {
        json!({"op": "put", "hash": name, "ttl": ttl, "ast": data::query(name)})
    }

    async fn connect(&mut self, phase: Phase) -> bool {
        let puts = self.wanted.iter().map(|(name, ttl)| Self::put(name, *ttl)).collect();
        let port = self.ports[self.random.below(self.ports.len())];
        self.who.late = self.random.one_in(3);
        {
            let wanted = self.board.wanted.lock().expect("no holder panics");
            let others = wanted[&self.who.group].keys().filter(|name| **name != self.who.client);
            self.who.others = others.cloned().collect();
        }
        let connecting = Raw::connect(port, &self.who, self.store.clone(), Json::Array(puts));
        let Ok(Ok(mut raw)) = timeout(Self::patience(phase), connecting).await else {
            return false;
        };
        for push in self.pending.values() {
            raw.send(push).await;
        }
        self.raw = Some(raw);
        (self.heard, self.has_asked) = (Instant::now(), false);
        true
    }

    /// The connection is gone, without a word to the server.
    fn cut(&mut self) {
        if let Some(raw) = self.raw.take() {
            self.store = raw.into_store();
            self.settle_pending();
        }
    }

    fn settle_pending(&mut self) {
        let acknowledged = self.held().last_mutation_id(&self.who.client);
        self.pending.retain(|id, _| *id > acknowledged);
        let mut accounts = self.board.accounts.lock().expect("no holder panics");
        accounts.entry(self.who.client.clone()).or_default().acknowledged = acknowledged;
    }

    /// Receives for a while.
    async fn listen(&mut self, time: Duration, phase: Phase) -> Result<(), String> {
        let until = Instant::now() + time;
        while let Some(raw) = &mut self.raw {
            let left = until.saturating_duration_since(Instant::now());
            let received = raw.next_within(left).await;
            check(raw.session())?;
            match received {
                Some(Received::Message(message)) => {
                    (self.heard, self.has_asked) = (Instant::now(), false);
                    self.follow(&message)?;
                }
                Some(Received::Closed) => {
                    if let Some(kind) = raw.session().ended_by()
                        && !PASSING.contains(&kind)
                    {
                        return Err(format!("the server sent it away: {kind}"));
                    }
                    self.cut();
                }
                None if self.heard.elapsed() > Self::patience(phase) => self.cut(),
                None => {
                    if self.heard.elapsed() > Duration::from_secs(1) && !self.has_asked {
                        self.has_asked = true;
                        raw.send(&json!(["ping", {}])).await;
                    }
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// What must hold after every frame.
    fn follow(&mut self, message: &Json) -> Result<(), String> {
        match message[0].as_str() {
            Some("error") => {
                let kind = message[1]["kind"].as_str().unwrap_or_default();
                if !PASSING.contains(&kind) {
                    return Err(format!("an error: {message}"));
                }
            }
            Some("transformError") => return Err(format!("a query fails: {message}")),
            Some("pokeEnd") => {
                self.settle_pending();
                let store = self.held();
                let of = |table: &str| {
                    let row = store.rows(table).next();
                    store.got().contains(table).then(|| row.and_then(|row| row["n"].as_f64()))
                };
                // What one transaction writes is seen together, and never goes back.
                if let (Some(one), Some(other)) = (of("pair_a"), of("pair_b")) {
                    let n = one.unwrap_or(-1.0);
                    if one != other || n < self.last_pair {
                        let last = self.last_pair;
                        return Err(format!("a pair is {one:?} and {other:?}, after {last}"));
                    }
                    self.last_pair = n;
                }
            }
            _ => {}
        }
        Ok(())
    }

    async fn act(&mut self) -> Result<(), String> {
        match self.random.below(100) {
            0..=17 => self.want().await,
            18..=37 => self.write().await,
            38..=40 => {
                // It does not read for a while.
                sleep(Duration::from_millis(self.random.next() % 600)).await;
                self.heard = Instant::now();
            }
            41..=43 => self.cut(),
            44 => self.be_born_again().await,
            _ => {}
        }
        let time = Duration::from_millis(self.random.next() % 200);
        self.listen(time, Phase::Busy).await
    }

    async fn want(&mut self) {
        let name = data::any_query(&mut self.random, false);
        let ttl = [0, 300, 1500][self.random.below(3)];
        let op = if self.wanted.remove(&name).is_some() {
            json!({"op": "del", "hash": name})
        } else {
            let op = Self::put(&name, ttl);
            self.wanted.insert(name, ttl);
            op
        };
        self.note_wanted();
        if let Some(raw) = &mut self.raw {
            raw.want(json!([op])).await;
        }
    }

    async fn write(&mut self) {
        self.made += 1;
        let is_good = !self.random.one_in(8);
        let client = self.who.client.as_str();
        let ops = data::operations(&mut self.random, client, self.made, is_good);
        let ops: Vec<Json> = ops
            .into_iter()
            .map(|(op, table, key, value)| json!({"op": op, "tableName": table, "primaryKey": key, "value": value}))
            .collect();
        let mutation = json!({"type": "crud", "id": self.made, "clientID": client,
            "name": "_zero_crud", "args": [{"ops": ops}], "timestamp": 1});
        let push = json!(["push", {"clientGroupID": self.who.group, "mutations": [mutation],
            "pushVersion": 1, "timestamp": 1, "requestID": format!("r{}", self.made)}]);
        {
            let mut accounts = self.board.accounts.lock().expect("no holder panics");
            accounts.entry(client.to_owned()).or_default().made.push(is_good);
        }
        if let Some(raw) = &mut self.raw {
            raw.send(&push).await;
        }
        self.pending.insert(self.made, push);
    }

    /// The tab is closed, and another one of the group opened: it holds nothing.
    async fn be_born_again(&mut self) {
        self.cut();
        let old = self.who.client.clone();
        {
            let mut accounts = self.board.accounts.lock().expect("no holder panics");
            accounts.entry(old.clone()).or_default().is_gone = true;
            let mut wanted = self.board.wanted.lock().expect("no holder panics");
            wanted.entry(self.who.group.clone()).or_default().remove(&old);
        }
        self.births += 1;
        let name = old.split('.').next().unwrap_or_default();
        self.who.client = format!("{name}.{}", self.births);
        self.store = Store::default();
        self.pending.clear();
        self.made = 0;
        self.last_pair = 0.0;
        self.note_wanted();
        if self.connect(Phase::Busy).await
            && let Some(raw) = &mut self.raw
        {
            raw.send(&json!(["deleteClients", {"clientIDs": [old]}])).await;
        }
    }
}

/// Fails if the server has broken a rule.
fn check(session: &Session) -> Result<(), String> {
    match session.violations() {
        [] => Ok(()),
        broken => Err(broken.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
    }
}

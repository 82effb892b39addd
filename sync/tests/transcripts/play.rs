//! Plays the client's side of a recording to this server.

use std::collections::BTreeMap;

use penstock_sync::validate::Store;
use serde_json::{Value as Json, json};

use super::recording::{Known, Poke, parameters, recorded};
use super::world::World;
use crate::support::raw::{Raw, Received, Who};

/// Something that others write while a recording is played.
pub(crate) enum Write {
    /// Where the recording has a poke that tells of it.
    Told(&'static str),
    /// While the client is away.
    Away(&'static str),
}

/// One client, by its id.
struct Player {
    raw: Option<Raw>,
    store: Store,
    /// What it wants, as it last said.
    wanted: BTreeMap<String, Json>,
    schema: Json,
    known: Known,
    poke: Poke,
    /// Kinds of frames, recorded and received, of this connection.
    recorded: Vec<String>,
    received: Vec<String>,
}

/// What a recording came to.
#[derive(Debug)]
pub(crate) struct Played {
    /// The kinds of frames of each connection, recorded and received; of pokes only the first.
    pub(crate) kinds: Vec<(Vec<String>, Vec<String>)>,
    /// The rows of each client at the end.
    pub(crate) rows: BTreeMap<String, usize>,
}

fn kind(message: &Json) -> Option<String> {
    match message[0].as_str() {
        Some("pokeEnd") => Some("poke".to_owned()),
        Some("pokeStart" | "pokePart") | None => None,
        Some("error") => Some(format!("error {}", message[1]["kind"].as_str().unwrap_or_default())),
        Some(other) => Some(other.to_owned()),
    }
}

/// Notes a kind; of pokes only the first, as it is free to the server how many it makes of what there
/// is to tell.
fn note(kinds: &mut Vec<String>, kind: &str) {
    if kind != "poke" || !kinds.iter().any(|noted| noted == kind) {
        kinds.push(kind.to_owned());
    }
}

impl Player {
    fn new() -> Self {
        Self {
            raw: None,
            store: Store::default(),
            wanted: BTreeMap::new(),
            schema: json!({}),
            known: Known::default(),
            poke: Poke::default(),
            recorded: Vec::new(),
            received: Vec::new(),
        }
    }

    fn wants(&mut self, message: &Json) {
        for op in message[1]["desiredQueriesPatch"].as_array().into_iter().flatten() {
            let hash = op["hash"].as_str().expect("a hash").to_owned();
            match op["op"] == "put" {
                true => self.wanted.insert(hash, op.clone()),
                false => self.wanted.remove(&hash),
            };
        }
    }

    async fn connect(&mut self, world: &World, line: &Json, alone: bool) {
        let header = &line["sec-websocket-protocol decoded"];
        let parameters = parameters(line);
        let of = |name: &str| parameters.get(name).cloned().unwrap_or_default();
        let init = &header["initConnectionMessage"];
        self.wants(init);
        if let Some(schema) = init.pointer("/1/clientSchema") {
            self.schema = schema.clone();
        }
        let who = Who {
            group: of("clientGroupID"),
            client: of("clientID"),
            user: Some(of("userID")).filter(|user| !user.is_empty()),
            auth: header["authToken"].as_str().map(str::to_owned),
            schema: self.schema.clone(),
            late: init.is_null(),
            alone,
            others: Vec::new(),
            version: if line["url"].to_string().contains("/v99/") { 99 } else { 51 },
            headers: Vec::new(),
        };
        // This server does not tell clients which queries it knows to be wanted, so they say all of them.
        let wanted = self.wanted.values().cloned().collect();
        let store = std::mem::take(&mut self.store);
        let raw = match who.late {
            true => Raw::upgrade(world.server.port(), &who, store, None).await,
            false => Raw::connect(world.server.port(), &who, store, Json::Array(wanted)).await,
        };
        self.raw = Some(raw.expect("the server accepts"));
    }

    /// Receives until it holds what the recording says.
    async fn keep_up(&mut self, client: &str, name: &str) {
        loop {
            let Some(raw) = &mut self.raw else { return };
            let has_all = self.recorded.len() <= self.received.len();
            if has_all && self.known.differs(client, raw.store()).is_none() {
                return;
            }
            match raw.next().await {
                Received::Message(message) => {
                    if let Some(kind) = kind(&message) {
                        note(&mut self.received, &kind);
                    }
                }
                Received::Closed => {
                    let differs = self.known.differs(client, raw.store());
                    let (recorded, received) = (&self.recorded, &self.received);
                    assert!(
                        has_all && differs.is_none(),
                        "{name}: closed, {differs:?}; recorded {recorded:?}, received {received:?}"
                    );
                    return;
                }
            }
            raw.check();
        }
    }

    /// Takes a frame of the recording; returns the poke that it ends.
    fn recall(&mut self, message: &Json) -> Option<Poke> {
        match message[0].as_str() {
            Some("pokeStart") => self.poke = Poke::default(),
            Some("pokePart") => self.poke.add(&message[1]),
            _ => {}
        }
        let is_poke = message[0] == "pokeEnd";
        // The first poke of a connection is needed, whatever is in it.
        let is_first = !self.recorded.iter().any(|kind| kind == "poke");
        if let Some(kind) = kind(message)
            && (!is_poke || is_first || !self.poke.is_only_desires())
        {
            note(&mut self.recorded, &kind);
        }
        is_poke.then(|| std::mem::take(&mut self.poke))
    }
}

/// Plays a recording; fails where this server's frames break a rule, or the client does not come to hold
/// what it held then.
pub(crate) async fn play(world: &World, name: &str, writes: Vec<Write>) -> Played {
    let lines = recorded(name);
    let mut writes = writes.into_iter().peekable();
    let mut players: BTreeMap<String, Player> = BTreeMap::new();
    let mut connections: BTreeMap<u64, String> = BTreeMap::new();
    let mut played = Played { kinds: Vec::new(), rows: BTreeMap::new() };
    let clients = lines.iter().filter(|line| line["type"] == "upgrade");
    let clients: std::collections::BTreeSet<String> =
        clients.map(|line| parameters(line).remove("clientID").unwrap_or_default()).collect();
    for line in &lines {
        let number = line["conn"].as_u64().expect("a connection");
        if line["type"] == "upgrade" {
            let client = parameters(line).remove("clientID").expect("a client");
            let player = players.entry(client.clone()).or_insert_with(Player::new);
            player.connect(world, line, clients.len() == 1).await;
            connections.insert(number, client);
            continue;
        }
        // What comes on a connection that another has replaced.
        let Some(client) = connections.get(&number).cloned() else { continue };
        let player = players.get_mut(&client).expect("a client");
        let message = &line["msg"];
        match (line["type"].as_str(), line["dir"] == "S->C") {
            (Some("close"), _) => {
                player.keep_up(&client, name).await;
                finish(player, &mut played, &client);
                connections.remove(&number);
                while let Some(Write::Away(sql)) =
                    writes.next_if(|next| matches!(next, Write::Away(_)))
                {
                    world.write(sql);
                }
            }
            (Some(_), _) => {}
            (None, true) => {
                let Some(poke) = player.recall(message) else { continue };
                if poke.is_of_others()
                    && let Some(Write::Told(sql)) =
                        writes.next_if(|next| matches!(next, Write::Told(_)))
                {
                    player.keep_up(&client, name).await;
                    world.write(sql);
                }
                player.known.apply(&poke);
                if let Some(rows) = poke.hydrates() {
                    player.keep_up(&client, name).await;
                    let found: usize =
                        player.raw.as_ref().map_or(0, |raw| raw.store().counts().values().sum());
                    assert_eq!(found, rows, "{name}: as many rows as recorded");
                }
            }
            (None, false) => {
                player.keep_up(&client, name).await;
                player.wants(message);
                if message[0] == "ackMutationResponses" {
                    player.known.acknowledged = message[1]["id"].as_u64().expect("a number");
                }
                if let Some(raw) = &mut player.raw {
                    raw.send(message).await;
                }
            }
        }
    }
    for client in connections.into_values() {
        let player = players.get_mut(&client).expect("a client");
        player.keep_up(&client, name).await;
        finish(player, &mut played, &client);
    }
    assert!(writes.next().is_none(), "{name} tells of fewer writes");
    played
}

/// The connection is over.
fn finish(player: &mut Player, played: &mut Played, client: &str) {
    let Some(raw) = player.raw.take() else { return };
    player.store = raw.cut();
    played.rows.insert(client.to_owned(), player.store.counts().values().sum());
    let kinds = (std::mem::take(&mut player.recorded), std::mem::take(&mut player.received));
    played.kinds.push(kinds);
}

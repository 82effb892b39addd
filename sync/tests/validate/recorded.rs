//! Sessions between the published client and the server that it is published with, as recorded.

use std::collections::BTreeMap;
use std::path::Path;

use penstock_sync::validate::{Session, Store, Upgrade};
use serde_json::{Value as Json, json};

/// What a recording came to.
struct Played {
    /// The stores at the end, by client.
    stores: BTreeMap<String, Store>,
    /// The errors that ended connections, in order.
    errors: Vec<String>,
    /// How many pokes each connection was sent.
    pokes: Vec<usize>,
}

/// The parameters of a request's URL.
fn parameters(url: &str) -> BTreeMap<&str, String> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name, value.replace("%3A", ":"))).collect()
}

/// A frame without what the recording left out of it.
fn restored(mut message: Json) -> Json {
    if let Some(rows) = message.pointer_mut("/1/rowsPatch").and_then(Json::as_array_mut) {
        rows.retain(|op| !op.as_str().is_some_and(|text| text.starts_with('…')));
    }
    message
}

fn upgrade(line: &Json, alone: bool) -> (Upgrade, Option<String>) {
    let parameters = parameters(line["url"].as_str().expect("a URL"));
    let of = |name: &str| parameters.get(name).cloned().unwrap_or_default();
    let init = line.pointer("/sec-websocket-protocol decoded/initConnectionMessage");
    let protocol = line["headers"]["sec-websocket-protocol"].as_str().expect("a protocol");
    let base = Some(of("baseCookie")).filter(|cookie| !cookie.is_empty());
    let upgrade = Upgrade {
        client: of("clientID"),
        wsid: of("wsid"),
        protocol: protocol.to_owned(),
        alone,
        init: init.cloned(),
    };
    (upgrade, base)
}

/// Plays a recording; fails where a rule is broken. `made_up` says that the client made up its base
/// cookie, where otherwise it must be that of the last poke.
fn play(name: &str, made_up: bool) -> Played {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded").join(name);
    let text = std::fs::read_to_string(path).expect("a recording");
    let lines: Vec<Json> =
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let is_upgrade = |line: &&Json| line["type"] == "upgrade";
    let mut clients: Vec<String> =
        lines.iter().filter(is_upgrade).map(|line| upgrade(line, true).0.client).collect();
    clients.dedup();
    let mut played = Played { stores: BTreeMap::new(), errors: Vec::new(), pokes: Vec::new() };
    let mut open: BTreeMap<u64, (String, Session)> = BTreeMap::new();
    let end = |played: &mut Played, (client, mut session): (String, Session)| {
        session.quiet();
        let broken: Vec<String> = session.violations().iter().map(ToString::to_string).collect();
        assert_eq!(broken, Vec::<String>::new(), "{name}");
        played.errors.extend(session.ended_by().map(str::to_owned));
        played.pokes.push(session.pokes());
        played.stores.insert(client, session.into_store());
    };
    for line in &lines {
        let connection = line["conn"].as_u64().expect("a connection");
        let down = line["dir"] == "S->C";
        if line["type"] == "upgrade" {
            let (upgrade, base) = upgrade(line, clients.len() == 1);
            let client = upgrade.client.clone();
            let before = open.iter().find(|(_, (of, _))| *of == client).map(|(number, _)| *number);
            if let Some(before) = before.and_then(|number| open.remove(&number)) {
                end(&mut played, before);
            }
            let store = played.stores.remove(&client).unwrap_or_default();
            assert!(made_up || store.cookie() == base.as_deref(), "{name}: {base:?}");
            open.insert(connection, (client, Session::begin(upgrade, store)));
            continue;
        }
        // The answer to the close of a connection that another has replaced.
        let Some((_, session)) = open.get_mut(&connection) else { continue };
        match (line["type"].as_str(), down) {
            (Some("upgrade-response"), _) => {
                session.accepted(line["headers"]["sec-websocket-protocol"].as_str());
            }
            (Some("close"), _) => session.closed(),
            (None, true) => session.received(&restored(line["msg"].clone()).to_string()),
            (None, false) => session.sent(&line["msg"].to_string()),
            (Some(other), _) => panic!("{name} has a line of type {other}"),
        }
    }
    open.into_values().for_each(|session| end(&mut played, session));
    played
}

fn only(played: &Played) -> (&str, &Store) {
    let mut stores = played.stores.iter();
    let (client, store) = stores.next().expect("a client");
    assert!(stores.next().is_none(), "one client");
    (client, store)
}

fn row<'s>(store: &'s Store, table: &str, id: &str) -> Option<&'s Json> {
    store.rows(table).find(|row| row["id"] == id)
}

#[test]
fn queries_of_the_client_and_writes_of_rows() {
    let played = play("legacy.jsonl", false);
    let (client, store) = only(&played);
    assert_eq!((store.got().len(), store.last_mutation_id(client)), (3, 1));
    let written = row(store, "issue", "m1795235120678").expect("the row that was written");
    assert_eq!(written["title"], "crud");
    assert_eq!(store.cookie(), Some("618przqw"));
    assert_eq!(played.pokes, [8, 2]);
    assert!(row(store, "issue", "i00001995").is_none(), "pushed out of the list by it");
    assert_eq!(store.desired(client).map(|hashes| hashes.len()), Some(3));
}

#[test]
fn named_queries_and_custom_mutations() {
    let played = play("custom.jsonl", false);
    let (client, store) = only(&played);
    assert_eq!((store.got().len(), store.last_mutation_id(client)), (3, 2));
    assert!(row(store, "issue", "m1-1795235110075").is_some());
    assert_eq!(store.result(client, 2), None, "acknowledged and dropped again");
    assert_eq!(played.errors, Vec::<String>::new());
}

#[test]
fn two_clients_of_a_group_hold_the_same() {
    let played = play("two-clients-one-group.jsonl", false);
    let stores: Vec<&Store> = played.stores.values().collect();
    let [one, other] = stores[..] else { panic!("{} clients", stores.len()) };
    assert_eq!(one.counts(), other.counts());
    for store in [one, other] {
        let titles: Vec<&Json> = store.rows("issue").map(|row| &row["title"]).collect();
        assert!(titles.contains(&&json!("from client A")));
        assert_eq!(store.got().len(), 2);
    }
}

#[test]
fn a_removed_query_takes_its_rows_along() {
    let played = play("query-remove-ttl-none.jsonl", false);
    let (_, store) = only(&played);
    assert!(!store.is_empty());
    let asked_and_gone = played.stores.values().all(|store| store.got().len() < 2);
    assert!(asked_and_gone, "{:?}", store.got());
}

#[test]
fn errors_end_connections() {
    let expected = [
        ("auth-expired-401.jsonl", "TransformFailed"),
        ("bad-message.jsonl", "InvalidMessage"),
        ("base-cookie-ahead.jsonl", "InvalidConnectionRequestBaseCookie"),
        ("mutation-out-of-order.jsonl", "PushFailed"),
        ("protocol-v99.jsonl", "VersionNotSupported"),
        ("schema-mismatch.jsonl", "SchemaVersionNotSupported"),
        ("unknown-group-with-cookie.jsonl", "ClientNotFound"),
    ];
    for (name, error) in expected {
        let made_up = name.starts_with("base-cookie") || name.starts_with("unknown-group");
        assert_eq!(play(name, made_up).errors, [error], "{name}");
    }
}

#[test]
fn other_sessions_end_without_an_error() {
    let names = [
        ("big-header.jsonl", 2),
        ("client-not-found.jsonl", 3),
        ("mutation-replayed.jsonl", 4),
        ("update-auth.jsonl", 2),
    ];
    for (name, pokes) in names {
        let played = play(name, false);
        assert_eq!(played.errors, Vec::<String>::new(), "{name}");
        assert_eq!(played.pokes.iter().sum::<usize>(), pokes, "{name}");
        assert!(!only(&played).1.counts().is_empty(), "{name}");
    }
}

//! The recorded sessions of the published client, played to this server: the same queries, rows, writes
//! and mutations. Every frame keeps the rules of the protocol, clients come to hold the rows that they
//! held then, and are told the same kinds of things in the same order.
//!
//! Three things are other than recorded, as the protocol allows:
//!
//! - Clients are not told which queries the server knows them to want (`desiredQueriesPatches`). So they
//!   say all of them when they connect again, and nothing hangs on a server remembering them.
//! - A client whose cookie this server cannot know is sent everything anew after a `clear`, where the
//!   recorded server has its application loaded anew.
//! - A client that is refused because of its schema is sent no empty poke before.

#[path = "support/mod.rs"]
mod support;
mod transcripts {
    pub(crate) mod play;
    pub(crate) mod recording;
    pub(crate) mod world;
}

use penstock_sync::validate::Store;
use serde_json::{Value as Json, json};
use support::raw::{Raw, Received, Who};
use transcripts::play::{Played, Write, play};
use transcripts::recording::{parameters, recorded};
use transcripts::world::World;

/// What was written before the recordings were made.
const RENAMED: &str = "UPDATE user SET name = 'Renamed' WHERE id = 'u00002'";

/// Plays a recording in which others write nothing.
async fn play_alone(name: &str) -> Played {
    let world = World::new(name, &[], true);
    let played = play(&world, &format!("{name}.jsonl"), Vec::new()).await;
    same_kinds(&played);
    played
}

fn same_kinds(played: &Played) {
    for (recorded, received) in &played.kinds {
        assert_eq!(received, recorded);
    }
}

#[tokio::test]
async fn queries_and_writes_of_clients_themselves() {
    let before = [
        RENAMED,
        "UPDATE issue SET open = 0 WHERE id = 'i00001991'",
        "UPDATE issue SET title = 'changed at 1795235109872' WHERE id = 'i00001999'",
    ];
    let world = World::new("legacy", &before, false);
    let writes = vec![
        Write::Told("UPDATE issue SET title = 'changed at 1795235120512' WHERE id = 'i00001999'"),
        Write::Told("UPDATE issue SET open = 0 WHERE id = 'i00001990'"),
        Write::Told(
            "INSERT INTO issue VALUES ('n1795235120590', 'new one', 'd', 1, 1, 'u00002', 'u00003',
                1795235120590, 1795235120590)",
        ),
        Write::Told("INSERT INTO issue_label VALUES ('n1795235120590', 'l003')"),
        Write::Away(
            "UPDATE issue SET title = 'while offline 1795235122351' WHERE id = 'i00000001'",
        ),
    ];
    let played = play(&world, "legacy.jsonl", writes).await;
    same_kinds(&played);
    assert_eq!(played.kinds.len(), 2);
}

#[tokio::test]
async fn named_queries_and_mutators_of_the_application() {
    let before =
        [RENAMED, "UPDATE issue SET title = 'changed at 1795235053848' WHERE id = 'i00001999'"];
    let world = World::new("custom", &before, true);
    let writes = vec![
        Write::Told("UPDATE issue SET title = 'changed at 1795235109872' WHERE id = 'i00001999'"),
        Write::Told("UPDATE issue SET open = 0 WHERE id = 'i00001991'"),
        Write::Told(
            "INSERT INTO issue VALUES ('n1795235109963', 'new one', 'd', 1, 1, 'u00002', 'u00003',
                1795235109963, 1795235109963)",
        ),
        Write::Told("INSERT INTO issue_label VALUES ('n1795235109963', 'l003')"),
        Write::Away(
            "UPDATE issue SET title = 'while offline 1795235111898' WHERE id = 'i00000001'",
        ),
    ];
    let played = play(&world, "custom.jsonl", writes).await;
    same_kinds(&played);
    // The application was asked the same: every request once, in the recorded order.
    let plain = |mut body: Json| {
        if let Some(members) = body.as_object_mut() {
            members.remove("timestamp");
        }
        let mutations = body.get_mut("mutations").and_then(Json::as_array_mut);
        for members in mutations.into_iter().flatten().filter_map(Json::as_object_mut) {
            members.remove("timestamp");
        }
        if let Some(queries) = body.get_mut(1).and_then(Json::as_array_mut) {
            queries.sort_by_key(|query| query["id"].to_string());
        }
        body
    };
    let mut expected: Vec<(String, Json)> = Vec::new();
    for line in recorded("custom.http.jsonl") {
        let path = line["url"].as_str().expect("a URL").to_owned();
        let asked = (path, plain(line["body"].clone()));
        // That a user is known may be asked together with the queries.
        if asked.1 != json!(["transform", []]) && !expected.contains(&asked) {
            expected.push(asked);
        }
    }
    let mut found: Vec<(String, Json)> = Vec::new();
    for request in world.app.requests() {
        assert_eq!(request.token(), Some("lab:u00001"));
        assert_eq!(request.header("content-type"), Some("application/json"));
        let asked = (request.path, plain(request.body));
        if asked.1 != json!(["transform", []]) && !found.contains(&asked) {
            found.push(asked);
        }
    }
    assert_eq!(expected.len(), 5);
    for asked in &expected {
        assert!(found.contains(asked), "{asked:?} was not asked; {found:?}");
    }
}

#[tokio::test]
async fn two_clients_of_a_group() {
    let played = play_alone("two-clients-one-group").await;
    let rows: Vec<&usize> = played.rows.values().collect();
    assert_eq!(rows, [&213, &213]);
}

#[tokio::test]
async fn a_query_that_is_removed() {
    let played = play_alone("query-remove-ttl-none").await;
    assert_eq!(played.rows.values().collect::<Vec<_>>(), [&100]);
}

#[tokio::test]
async fn connections_that_end_with_an_error() {
    let expected = [
        ("auth-expired-401", "error TransformFailed"),
        ("bad-message", "error InvalidMessage"),
        ("mutation-out-of-order", "error PushFailed"),
        ("protocol-v99", "error VersionNotSupported"),
    ];
    for (name, error) in expected {
        let played = play_alone(name).await;
        assert_eq!(played.kinds[0].1.last().map(String::as_str), Some(error), "{name}");
    }
}

#[tokio::test]
async fn other_sessions() {
    for name in ["big-header", "client-not-found", "mutation-replayed", "update-auth"] {
        let played = play_alone(name).await;
        assert_eq!(played.rows.values().collect::<Vec<_>>(), [&100], "{name}");
    }
}

/// The client of the last connection of a recording, and what it says first.
fn last_of(name: &str) -> (Who, Json) {
    let lines = recorded(name);
    let line = lines.iter().rfind(|line| line["type"] == "upgrade").expect("an upgrade");
    let (parameters, header) = (parameters(line), &line["sec-websocket-protocol decoded"]);
    let who = Who {
        group: parameters["clientGroupID"].clone(),
        client: parameters["clientID"].clone(),
        user: parameters.get("userID").cloned(),
        auth: header["authToken"].as_str().map(str::to_owned),
        ..Who::new("", json!({}))
    };
    (who, header["initConnectionMessage"].clone())
}

#[tokio::test]
async fn a_schema_that_does_not_fit() {
    let world = World::new("schema", &[], true);
    let (who, init) = last_of("schema-mismatch.jsonl");
    let raw = Raw::upgrade(world.server.port(), &who, Store::default(), Some(&init)).await;
    let mut raw = raw.expect("the server accepts");
    let mut told = Vec::new();
    while let Received::Message(message) = raw.next().await {
        told.push(message);
    }
    raw.check();
    assert_eq!((told.len(), &told[0][0], &told[1][0]), (2, &json!("connected"), &json!("error")));
    // What is wrong is named, as it was then.
    assert_eq!(told[1][1]["kind"], "SchemaVersionNotSupported");
    let message = told[1][1]["message"].as_str().expect("a message");
    for name in ["ghost", "issue", "nope"] {
        assert!(message.contains(name), "{message}");
    }
}

#[tokio::test]
async fn cookies_that_this_server_cannot_know() {
    let world = World::new("cookies", &[], true);
    let first = &recorded("base-cookie-ahead.jsonl")[0];
    let init = &first["sec-websocket-protocol decoded"]["initConnectionMessage"];
    let schema = init[1]["clientSchema"].clone();
    for name in ["base-cookie-ahead.jsonl", "unknown-group-with-cookie.jsonl"] {
        let lines = recorded(name);
        let line = lines.iter().rfind(|line| line["type"] == "upgrade").expect("an upgrade");
        let cookie = parameters(line)["baseCookie"].clone();
        let (who, init) = last_of(name);
        assert_eq!(
            init[1]["desiredQueriesPatch"],
            json!([]),
            "what it wants, the other server knows"
        );
        // It is sent nothing but that its store is to be empty, and to connect again: as it knows of no
        // query any more that a server has heard of, it says all that it wants.
        let store = Store::at(&cookie, &schema);
        let raw = Raw::upgrade(world.server.port(), &who, store, Some(&init)).await;
        let mut raw = raw.expect("the server accepts");
        assert_eq!(raw.until_closed().await, None, "{name}");
        let store = raw.cut();
        assert!(store.cookie() > Some(cookie.as_str()), "{:?} after {cookie}", store.cookie());
        let query = json!({"op": "put", "hash": "h", "ttl": 0, "name": "users", "args": []});
        let raw = Raw::connect(world.server.port(), &who, store, json!([query])).await;
        let mut raw = raw.expect("the server accepts");
        raw.until_got(&["h"]).await;
        assert_eq!(raw.store().counts().values().sum::<usize>(), 100);
        raw.ping().await;
    }
}

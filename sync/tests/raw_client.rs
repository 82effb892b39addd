//! The protocol spoken frame by frame, each frame of the server checked against every rule.

#[path = "support/mod.rs"]
mod support;

use std::path::Path;

use penstock_sync::validate::{Store, plain};
use rusqlite::Connection;
use serde_json::{Value as Json, json};
use support::raw::{Raw, Received, Who};
use support::server::{Folder, LONG, Server};

/// A folder with a database of a list of tasks, and a server over it.
fn served(name: &str) -> (Folder, Server) {
    let folder = Folder::new(name);
    write(
        &folder.file("app.db"),
        "PRAGMA journal_mode = wal;
         CREATE TABLE task(id TEXT PRIMARY KEY NOT NULL, done BOOLEAN NOT NULL, at REAL, note JSON);
         INSERT INTO task VALUES ('a', 0, 1, NULL), ('b', 1, 2, '{\"x\":[1]}'), ('c', 0, 3, '\"é\"');",
    );
    let state = folder.file("state.db");
    let state = state.to_string_lossy();
    let server = Server::sqlite(&folder.file("app.db"), &["--allow-all", "--state", &state]);
    (folder, server)
}

fn write(file: &Path, sql: &str) {
    let connection = Connection::open(file).expect("the file");
    connection.busy_timeout(LONG).expect("a timeout");
    connection.execute_batch(sql).expect("SQL");
}

fn schema() -> Json {
    let columns = json!({"id": {"type": "string"}, "done": {"type": "boolean"},
        "at": {"type": "number"}, "note": {"type": "json"}});
    json!({"tables": {"task": {"columns": columns, "primaryKey": ["id"]}}})
}

fn put(hash: &str, ast: Json) -> Json {
    json!([{"op": "put", "hash": hash, "ttl": 0, "ast": ast}])
}

fn all() -> Json {
    put("all", json!({"table": "task"}))
}

fn open() -> Json {
    let test = json!({"type": "simple", "op": "=", "left": {"type": "column", "name": "done"},
        "right": {"type": "literal", "value": false}});
    put("open", json!({"table": "task", "where": test}))
}

fn rows(store: &Store) -> Vec<Json> {
    store.rows("task").cloned().collect()
}

fn ids(store: &Store) -> Vec<String> {
    store.rows("task").map(|row| row["id"].as_str().expect("an id").to_owned()).collect()
}

async fn connect(server: &Server, who: &Who, store: Store, queries: Json) -> Raw {
    Raw::connect(server.port(), who, store, queries).await.expect("the server accepts")
}

#[tokio::test]
async fn rows_come_whole_and_changes_follow() {
    let (folder, server) = served("whole");
    for late in [false, true] {
        let who = Who { late, ..Who::new(if late { "late" } else { "early" }, schema()) };
        let mut raw = connect(&server, &who, Store::default(), all()).await;
        raw.until_got(&["all"]).await;
        let row = |id: &str, done, at, note: Json| json!({"id": id, "done": done, "at": at, "note": note});
        let expected = [
            row("a", false, 1, Json::Null),
            row("b", true, 2, json!({"x": [1]})),
            row("c", false, 3, json!("é")),
        ];
        assert_eq!(rows(raw.store()), expected.map(|row| plain(&row)));
        raw.ping().await;
        raw.close().await;
    }
    let who = Who::new("follows", schema());
    let mut raw = connect(&server, &who, Store::default(), open()).await;
    raw.until_got(&["open"]).await;
    assert_eq!(ids(raw.store()), ["a", "c"]);
    write(
        &folder.file("app.db"),
        "UPDATE task SET done = NOT done; DELETE FROM task WHERE id = 'c'",
    );
    raw.until("the other one", |session| ids(session.store()) == ["b"]).await;
    raw.want(json!([{"op": "del", "hash": "open"}])).await;
    raw.until("nothing", |session| session.store().got().is_empty()).await;
    assert_eq!(rows(raw.store()), Vec::<Json>::new());
    raw.want(all()).await;
    // The two statements are two transactions, of which the server may have seen the first only.
    raw.until_got(&["all"]).await;
    raw.until("both", |session| ids(session.store()) == ["a", "b"]).await;
    raw.close().await;
}

#[tokio::test]
async fn a_client_that_comes_back_is_told_what_it_missed() {
    let (folder, mut server) = served("resumes");
    let who = Who::new("resumes", schema());
    let mut raw = connect(&server, &who, Store::default(), open()).await;
    raw.until_got(&["open"]).await;
    let store = raw.cut();
    // Nothing happened: an empty poke, or one that changes nothing.
    let mut raw = connect(&server, &who, store, open()).await;
    raw.until("a poke", |session| session.pokes() > 0).await;
    assert_eq!(ids(raw.store()), ["a", "c"]);
    let store = raw.cut();
    write(
        &folder.file("app.db"),
        "DELETE FROM task WHERE id = 'a'; INSERT INTO task VALUES ('d', 0, 4, NULL)",
    );
    let mut raw = connect(&server, &who, store, open()).await;
    raw.until("what changed", |session| ids(session.store()) == ["c", "d"]).await;
    let store = raw.cut();
    // The same over a restart, and over one that loses everything.
    server.kill();
    write(&folder.file("app.db"), "DELETE FROM task WHERE id = 'd'");
    server.start();
    let mut raw = connect(&server, &who, store, open()).await;
    raw.until("without it", |session| ids(session.store()) == ["c"]).await;
    let store = raw.cut();
    server.kill();
    for file in ["state.db", "state.db-wal", "state.db-shm"] {
        let _ = std::fs::remove_file(folder.file(file));
    }
    write(&folder.file("app.db"), "INSERT INTO task VALUES ('e', 0, 5, NULL)");
    server.start();
    let mut raw = connect(&server, &who, store, open()).await;
    raw.until("all of it", |session| {
        ids(session.store()) == ["c", "e"] && session.store().got().contains("open")
    })
    .await;
    raw.ping().await;
    raw.close().await;
}

#[tokio::test]
async fn a_second_socket_of_a_client_ends_the_first() {
    let (_folder, server) = served("second");
    let who = Who::new("second", schema());
    let mut first = connect(&server, &who, Store::default(), all()).await;
    first.until_got(&["all"]).await;
    let mut second = connect(&server, &who, first.store().clone(), all()).await;
    second.until("a poke", |session| session.pokes() > 0).await;
    first.until_closed().await;
    second.ping().await;
    second.close().await;
}

#[tokio::test]
async fn what_is_no_message_ends_the_connection_with_an_error() {
    let (_folder, server) = served("garbage");
    let texts = [
        "nonsense",
        "[]",
        "{}",
        "[\"nonsense\",{}]",
        "[\"push\",{}]",
        "[\"initConnection\",1]",
        "[\"changeDesiredQueries\",{\"desiredQueriesPatch\":[{\"op\":\"put\"}]}]",
    ];
    for (number, text) in texts.into_iter().enumerate() {
        let who = Who::new(&format!("garbage{number}"), schema());
        let mut raw = connect(&server, &who, Store::default(), all()).await;
        raw.until_got(&["all"]).await;
        raw.send_text(text).await;
        assert_eq!(raw.until_closed().await.as_deref(), Some("InvalidMessage"), "{text}");
    }
    let who = Who { version: 99, ..Who::new("future", schema()) };
    let mut raw = connect(&server, &who, Store::default(), all()).await;
    assert_eq!(raw.until_closed().await.as_deref(), Some("VersionNotSupported"));
    let who = Who::new("misfit", json!({"tables": {"ghost": {"columns": {}, "primaryKey": []}}}));
    let mut raw = connect(&server, &who, Store::default(), all()).await;
    assert_eq!(raw.until_closed().await.as_deref(), Some("SchemaVersionNotSupported"));
}

#[tokio::test]
async fn a_mutation_is_applied_once_and_in_order() {
    let (folder, server) = served("writes");
    let who = Who::new("writes", schema());
    let mut raw = connect(&server, &who, Store::default(), all()).await;
    raw.until_got(&["all"]).await;
    let op = |op: &str, value: Json| json!([{"op": op, "tableName": "task", "primaryKey": ["id"], "value": value}]);
    let insert = op("insert", json!({"id": "n", "done": false, "at": 1.5, "note": [null]}));
    let id = raw.crud(insert).await;
    let client = who.client.clone();
    raw.until("acknowledged", |session| session.store().last_mutation_id(&client) == id).await;
    // In the same poke as its row.
    let written = json!({"id": "n", "done": false, "at": 1.5, "note": [null]});
    assert!(rows(raw.store()).contains(&written));
    // Again, after a reconnect: it changes nothing.
    let again = json!({"type": "crud", "id": id, "clientID": client, "name": "_zero_crud",
        "args": [{"ops": op("update", json!({"id": "n", "done": true}))}], "timestamp": 1});
    let push = |mutation: &Json| {
        json!(["push", {"clientGroupID": who.group, "mutations": [mutation], "pushVersion": 1,
            "timestamp": 1, "requestID": "r"}])
    };
    let mut raw = connect(&server, &who, raw.cut(), all()).await;
    raw.until("a poke", |session| session.pokes() > 0).await;
    raw.send(&push(&again)).await;
    let id = raw.crud(op("delete", json!({"id": "a"}))).await;
    raw.until("acknowledged", |session| session.store().last_mutation_id(&client) == id).await;
    assert!(rows(raw.store()).contains(&written) && !ids(raw.store()).contains(&"a".to_owned()));
    // One that skips an id is refused.
    let mut ahead = again.clone();
    ahead["id"] = json!(id + 5);
    raw.send(&push(&ahead)).await;
    let error = raw.until_closed().await;
    assert!(matches!(error.as_deref(), Some("InvalidPush" | "PushFailed")), "{error:?}");
    let count = Connection::open(folder.file("app.db")).expect("the file").query_row(
        "SELECT count(*) FROM task WHERE done",
        (),
        |row| row.get::<_, i64>(0),
    );
    assert_eq!(count.expect("a count"), 1);
}

#[tokio::test]
async fn clients_of_a_group_get_the_same_and_ask_for_their_own() {
    let (folder, server) = served("group");
    let one = Who { group: "g".to_owned(), alone: false, ..Who::new("one", schema()) };
    let other = Who { group: "g".to_owned(), alone: false, ..Who::new("other", schema()) };
    let mut one = connect(&server, &one, Store::default(), open()).await;
    one.until_got(&["open"]).await;
    let mut other = connect(&server, &other, Store::default(), all()).await;
    other.until_got(&["open", "all"]).await;
    one.until_got(&["open", "all"]).await;
    assert_eq!(rows(one.store()), rows(other.store()));
    write(&folder.file("app.db"), "UPDATE task SET at = 7 WHERE id = 'b'");
    for raw in [&mut one, &mut other] {
        raw.until("the change", |session| session.store().rows("task").any(|row| row["at"] == 7))
            .await;
    }
    one.close().await;
    other.ping().await;
    assert_eq!(ids(other.store()), ["a", "b", "c"]);
    other.send(&json!(["closeConnection", []])).await;
    other.ping().await;
    assert_ne!(other.next_or_idle().await, Some(Received::Closed));
}

//! What a client is told of what goes wrong, and what the log is.

use serde_json::{Value as Json, json};

use crate::hostile::Hostile;
use crate::world::{MARK, World, equals, literal, op};

/// The number under which the log has more.
fn id(text: &str) -> &str {
    let (_, id) = text.rsplit_once("under ").unwrap_or_else(|| panic!("no number in {text}"));
    id.trim_end_matches(['"', '}', ']'])
}

#[tokio::test]
async fn a_fault_is_told_by_a_number_and_logged_in_full() {
    let world = World::new("faults", &[]);
    world.sql(
        "CREATE TABLE item(id TEXT PRIMARY KEY NOT NULL, hidden_code TEXT UNIQUE CHECK (hidden_code <> 'bad'));
         DROP TABLE part;
         CREATE TABLE part(id TEXT PRIMARY KEY NOT NULL, note TEXT NOT NULL, body TEXT,
            hidden_word TEXT NOT NULL DEFAULT 'XYZZY' UNIQUE, CHECK (body <> 'bad'));
         INSERT INTO part(id, note, body, hidden_word) VALUES ('pb', 'b1', 'XYZZY', 'XYZZY word');",
    );
    let mut hostile = Hostile::ada(&world, "faults").await;
    assert!(hostile.settle().await);
    let said = |id: &str| {
        world.until("the log", || world.server.said().contains(id));
        world.server.said().lines().find(|line| line.contains(id)).expect("a line").to_owned()
    };
    // Queries: what is wrong with them names columns, which are told by number only.
    for (hash, ast) in [
        ("column", json!({"table": "note", "where": equals("ghost", literal("x"))})),
        ("table", json!({"table": "ghosts"})),
        (
            "type",
            json!({"table": "big", "where": {"type": "simple", "op": ">",
            "left": {"type": "column", "name": "v"}, "right": literal("x")}}),
        ),
    ] {
        let told = hostile.ask(hash, &ast).await.expect_err(hash);
        assert!(told.starts_with("the query cannot be answered"), "{told}");
        for name in ["owner", "body", "secret", "note", "integer"] {
            assert!(!told.contains(name), "{name} in {told}");
        }
        let line = said(id(&told));
        assert!(line.contains("ghost") || line.contains('v'), "{line}");
    }
    // Mutations: constraints are told by kind.
    let part = |value: Json| op("insert", "part", value);
    let cases = [
        (
            part(json!({"id": "p1", "note": "a1", "body": "x", "hidden_word": "XYZZY word"})),
            "another row",
            "hidden_word",
        ),
        (part(json!({"id": "p1", "note": "a1", "body": "bad"})), "a value is not one", "CHECK"),
        (part(json!({"id": "p1", "body": "x"})), "a column that must have a value", "note"),
        (part(json!({"id": "p1", "note": 7})), "the row does not fit", "note"),
        (
            part(json!({"id": "p1", "note": "a1", "ghost": 1})),
            "the row does not fit",
            "hidden_word",
        ),
    ];
    for (at, (op, kind, in_log)) in cases.iter().enumerate() {
        let mutation = json!({"type": "crud", "id": at + 1, "clientID": "c-faults", "name": "_zero_crud",
            "args": [{"ops": [op]}], "timestamp": 1});
        let push = json!(["push", {"clientGroupID": "g-faults", "mutations": [mutation], "pushVersion": 1,
            "timestamp": 1, "requestID": "r"}]);
        hostile.say(&push.to_string()).await;
        let told = loop {
            let frame = hostile.next().await.unwrap_or_else(|| panic!("{op}: closed"));
            let message = &frame[1]["mutationsPatch"][0]["mutation"]["result"]["message"];
            if let Some(message) = message.as_str() {
                break message.to_owned();
            }
        };
        assert!(told.starts_with(kind), "{op}: {told}");
        assert!(
            !told.contains("hidden") && !told.contains("constraint") && !told.contains(MARK),
            "{told}"
        );
        let line = said(id(&told));
        assert!(line.contains(in_log), "{in_log} is not in {line}");
    }
    hostile.has_learnt_nothing();
    drop(hostile);
    world.sql("DROP TABLE item; DELETE FROM part");
    world.is_well().await;
}

#[tokio::test]
async fn a_database_that_fails_is_not_described_to_clients() {
    let world = World::new("locked", &[]);
    let mut hostile = Hostile::ada(&world, "locked").await;
    assert!(hostile.settle().await);
    // Somebody else keeps the file to himself for longer than the server waits.
    let other = rusqlite::Connection::open(world.file()).expect("the file");
    other.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let mutation = json!({"type": "crud", "id": 1, "clientID": "c-locked", "name": "_zero_crud",
        "args": [{"ops": [op("insert", "note", json!({"id": "x", "owner": "ada", "body": "x"}))]}], "timestamp": 1});
    let push = json!(["push", {"clientGroupID": "g-locked", "mutations": [mutation], "pushVersion": 1,
        "timestamp": 1, "requestID": "r"}]);
    hostile.say(&push.to_string()).await;
    let error = hostile.end().await.expect("an error");
    // The client comes again.
    assert_eq!(error["kind"], "Rebalance", "{error}");
    let message = error["message"].as_str().expect("a text");
    assert!(message.starts_with("mutations cannot be written at present; "), "{message}");
    let id = id(message).to_owned();
    world.until("the log", || world.server.said().contains(&id));
    let line = world.server.said().lines().find(|line| line.contains(&id)).map(str::to_owned);
    assert!(line.is_some_and(|line| line.contains("locked") || line.contains("busy")));
    other.execute_batch("ROLLBACK").expect("no lock");
    hostile.has_learnt_nothing();
    drop(hostile);
    world.is_well().await;
}

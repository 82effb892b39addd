//! A query with very many rows has its turn with all others: a step of it, then the rest.

use std::path::Path;
use std::sync::Arc;

use penstock::{ColumnType::Integer, Database, Schema, SqliteOptions, Table, row};
use penstock_sync::claims::Claims;
use penstock_sync::hub::{Hub, Input, Limits, Now, Options, Output, Steps};
use penstock_sync::protocol::ConnectionId;
use penstock_sync::protocol::connect::ConnectRequest;
use penstock_sync::protocol::cookie::Tag;
use penstock_sync::protocol::upstream::Upstream;
use penstock_sync::rules::{Rules, SharedRules};
use serde_json::{Value, json};

const NOW: Now = Now { mono_ms: 1000, unix_ms: 1_700_000_000_000 };
/// Rows of the table that the heavy query reads whole.
const ROWS: usize = 2000;

fn database() -> Database {
    let table = |name: &str| {
        Table::new(name).column("id", Integer).column("n", Integer).primary_key(["id"])
    };
    let schema = Schema::new([table("much"), table("few")]).expect("a schema");
    let database = Database::in_memory(schema).expect("a database");
    database.load("much", (0..ROWS as i64).map(|id| row! { id: id, n: 0 })).expect("rows");
    database.load("few", [row! { id: 1, n: 0 }]).expect("a row");
    database
}

fn hub(database: &Database, limits: Limits) -> Hub {
    hub_under(database, limits, SharedRules::new(Rules::allow_all()))
}

fn hub_under(database: &Database, limits: Limits, rules: SharedRules) -> Hub {
    let options = Options {
        limits,
        read_rules: Box::new(rules),
        is_internal: Box::new(|_| false),
        bookkeeping: None,
        has_query_endpoint: false,
        steps: Steps { read: 100, take: 100 },
        linger_ms: 3000,
        retransform_ms: 300_000,
        tag: Tag(1),
        store: None,
    };
    Hub::new(database.clone(), options, Arc::new(|| {}))
}

/// Takes an input and returns the frames that it has sent to whom.
fn input(hub: &mut Hub, input: Input) -> Vec<(u64, Value)> {
    let frames = handle(hub, input);
    hub.verify().expect("what it holds is what the database gives");
    frames
}

/// The same where what is held is of an earlier schema for a while.
fn handle(hub: &mut Hub, input: Input) -> Vec<(u64, Value)> {
    let mut outputs = Vec::new();
    hub.handle(NOW, input, &mut outputs).expect("the database is sound");
    let frames = outputs.into_iter().filter_map(|output| match output {
        Output::Send { connection: ConnectionId(to), frame } => {
            Some((to, serde_json::from_str(&frame).expect("JSON")))
        }
        _ => None,
    });
    frames.collect()
}

/// Connects a client of its own group that wants a table's rows.
fn connect(hub: &mut Hub, number: u64, table: &str) -> Vec<(u64, Value)> {
    let order = json!([["id", "asc"]]);
    let ast = json!({"table": table, "orderBy": order});
    let wanted = json!([{"op": "put", "hash": format!("all of {table}"), "ast": ast, "ttl": 0}]);
    let init = json!(["initConnection", {"desiredQueriesPatch": wanted}]);
    let Ok(Upstream::InitConnection(init)) = Upstream::parse(&init.to_string()) else {
        panic!("{init}")
    };
    let request = ConnectRequest {
        version: 51,
        client_id: format!("client {number}"),
        group_id: format!("group {number}"),
        wsid: "socket".to_owned(),
        init: Some(init),
        ..ConnectRequest::default()
    };
    let connect = Input::Connect {
        connection: ConnectionId(number),
        request: Box::new(request),
        claims: Claims::default(),
        queued: Arc::default(),
    };
    input(hub, connect)
}

/// How many rows frames put, and whether they say that a query is there.
fn told(frames: &[(u64, Value)], to: u64) -> (usize, bool) {
    let parts = frames.iter().filter(|(of, frame)| *of == to && frame[0] == "pokePart");
    let (mut rows, mut got) = (0, false);
    for (_, part) in parts {
        rows += part[1]["rowsPatch"].as_array().map_or(0, Vec::len);
        got |= part[1]["gotQueriesPatch"].as_array().is_some_and(|got| !got.is_empty());
    }
    (rows, got)
}

#[test]
fn a_heavy_query_keeps_nobody_waiting() {
    let database = database();
    let mut hub = hub(&database, Limits::default());
    assert_eq!(told(&connect(&mut hub, 1, "few"), 1), (1, true));
    assert_eq!(told(&connect(&mut hub, 2, "much"), 2), (0, false), "it is only begun");
    let (mut turns, mut told_of_other, mut rows) = (0, 0, 0);
    let mut has_got = false;
    while hub.is_dirty() {
        turns += 1;
        database
            .transaction(|tx| {
                tx.update("few", row! { id: 1, n: turns })?;
                tx.update("much", row! { id: turns * 7, n: turns })
            })
            .expect("a transaction");
        let frames = input(&mut hub, Input::Data);
        // Whoever wants little is told at once, every time.
        assert_eq!(told(&frames, 1), (1, false), "turn {turns}");
        told_of_other += 1;
        let (put, got) = told(&frames, 2);
        // A step, and the row that has changed.
        assert!(put <= 101, "{put} rows in turn {turns}");
        rows += put;
        has_got |= got;
        assert!(turns < 1000, "it comes to an end");
    }
    assert!(has_got && rows >= ROWS, "{rows} rows");
    assert_eq!(told_of_other, turns);
    // Twenty to fill it, the first of them on connecting, and twenty to take it in.
    assert!((38..=42).contains(&turns), "{turns} turns");
}

#[test]
fn a_query_that_is_not_wanted_any_more_is_not_filled_on() {
    let database = database();
    let mut hub = hub(&database, Limits::default());
    connect(&mut hub, 1, "much");
    input(&mut hub, Input::Data);
    assert_eq!((hub.is_dirty(), hub.sizes().2), (true, 1));
    let ops = json!(["changeDesiredQueries", {"desiredQueriesPatch": [{"op": "clear"}]}]);
    let message = Upstream::parse(&ops.to_string()).expect("a message");
    input(&mut hub, Input::Message { connection: ConnectionId(1), message });
    assert_eq!((hub.is_dirty(), hub.sizes().2), (false, 0));
    assert_eq!(database.memory_usage().expect("counted").partitions, 0);
}

#[test]
fn a_query_with_too_many_rows_is_refused_while_it_is_filled() {
    let database = database();
    let mut hub = hub(&database, Limits { rows: 300, ..Limits::default() });
    connect(&mut hub, 1, "much");
    let mut frames = Vec::new();
    let mut turns = 0;
    while hub.is_dirty() {
        frames.extend(input(&mut hub, Input::Data));
        turns += 1;
    }
    assert!(turns <= 4, "{turns} turns");
    let error = frames.iter().find(|(_, frame)| frame[0] == "transformError").expect("an error");
    assert!(error.1.to_string().contains("300 rows"), "{}", error.1);
    assert_eq!((told(&frames, 1), hub.sizes().2), ((0, false), 0));
    assert_eq!(database.memory_usage().expect("counted").partitions, 0);
}

/// Rules and schema change by one transaction, or so soon after each other that both are there when it is
/// looked: what holds then are the new rules, whatever had to be begun anew for the schema.
#[test]
fn rules_that_come_with_another_schema_hold() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("turns-rules.db");
    // What an earlier run has left.
    let _ = std::fs::remove_file(&file);
    let options = SqliteOptions::new(&file).create_if_missing(true);
    let database = Database::open_with(options).expect("a database");
    let sql = "CREATE TABLE many(id INTEGER PRIMARY KEY NOT NULL, n INTEGER NOT NULL, old INTEGER)";
    database.transaction(|tx| tx.change_schema(sql)).expect("a table");
    database.load("many", (0..300).map(|id| row! { id: id, n: id % 2 })).expect("rows");
    let only = |n: i64| {
        let rule = json!({"type": "simple", "op": "=", "left": {"type": "column", "name": "n"},
            "right": {"type": "literal", "value": n}});
        let select = json!([["allow", rule]]);
        let rules = json!({"tables": {"many": {"row": {"select": select}}}});
        Rules::parse(&rules).expect("rules")
    };
    let alter = |sql: &str| database.transaction(|tx| tx.change_schema(sql)).expect("altered");
    let rules = SharedRules::new(Rules::allow_all());
    let mut hub = hub_under(&database, Limits::default(), rules.clone());
    connect(&mut hub, 1, "many");
    let settle = |hub: &mut Hub| {
        // What ended says nothing; it is looked for in time.
        let mut frames = handle(hub, Input::Tick);
        while hub.is_dirty() {
            frames.extend(handle(hub, Input::Data));
        }
        hub.verify().expect("what it holds is what the database gives");
        frames
    };
    settle(&mut hub);
    // Both at once; then the schema while the query of the new rules is being filled.
    for (at, column) in ["old", "n2"].into_iter().enumerate() {
        let n = at as i64;
        rules.set(only(n));
        if at == 1 {
            handle(&mut hub, Input::Data);
            assert!(hub.is_dirty(), "it is being filled");
        }
        alter(&format!(
            "ALTER TABLE many DROP COLUMN {column}; ALTER TABLE many ADD COLUMN n{} INTEGER",
            at + 2
        ));
        settle(&mut hub);
        let new = 1000 + n * 2;
        database
            .transaction(|tx| {
                tx.insert("many", row! { id: new, n: 0 })?;
                tx.insert("many", row! { id: new + 1, n: 1 })
            })
            .expect("rows");
        let frames = settle(&mut hub);
        let told: Vec<&Value> = frames
            .iter()
            .filter(|(_, frame)| frame[0] == "pokePart")
            .flat_map(|(_, frame)| frame[1]["rowsPatch"].as_array().into_iter().flatten())
            .filter(|op| op["op"] == "put")
            .map(|op| &op["value"]["id"])
            .collect();
        assert_eq!(told, [&json!(new + n)], "only the one that the new rules allow");
    }
}

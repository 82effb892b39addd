//! Tables that are not for clients, even where everything is allowed.

use serde_json::{Value as Json, json};

use crate::hostile::{Hostile, init};
use crate::world::{World, exists, token};

const INTERNAL: [&str; 8] = [
    "_zero_clients",
    "_zero_mutations",
    "_ZERO_CLIENTS",
    "penstock_log",
    "penstock_change_log",
    "sqlite_schema",
    "sqlite_master",
    "main._zero_clients",
];

#[tokio::test]
async fn the_servers_own_tables_are_neither_read_nor_written() {
    let world = World::new("internal", &["--allow-all"]);
    // Everything else is allowed.
    let mut hostile = Hostile::ada(&world, "all").await;
    assert_eq!(hostile.ask("all", &json!({"table": "secret"})).await.map(|rows| rows.len()), Ok(2));
    // There is something in them.
    let id = json!({"type": "crud", "id": 1, "clientID": "c-all", "name": "_zero_crud",
        "args": [{"ops": []}], "timestamp": 1});
    let push = |mutation: &Json| {
        json!(["push", {"clientGroupID": "g-all", "mutations": [mutation], "pushVersion": 1,
            "timestamp": 1, "requestID": "r"}])
    };
    hostile.say(&push(&id).to_string()).await;
    let clients = "SELECT \"clientID\", CAST(\"lastMutationID\" AS TEXT) FROM _zero_clients";
    world.until("the first mutation", || world.rows(clients) == ["c-all|1"]);
    let mut number = 1;
    for (at, table) in INTERNAL.into_iter().enumerate() {
        let related = json!({"correlation": {"parentField": ["id"], "childField": ["clientID"]},
            "subquery": {"table": table, "alias": "x"}});
        let hidden = json!({"correlation": {"parentField": ["id"], "childField": ["clientID"]}, "hidden": true,
            "subquery": {"table": table, "alias": "x", "related": [related]}});
        let asts = [
            json!({"table": table}),
            json!({"table": "note", "related": [related]}),
            json!({"table": "note", "related": [hidden]}),
            json!({"table": "note", "where": exists(table, "id", "clientID", None)}),
            json!({"table": "note", "where": {"type": "or", "conditions": [exists(table, "id", "clientID", None)]}}),
        ];
        for (which, ast) in asts.iter().enumerate() {
            let told = hostile.ask(&format!("{at}-{which}"), ast).await;
            let told = told.expect_err(&ast.to_string());
            assert!(
                told.contains("no table") || told.contains("cannot be answered"),
                "{ast}: {told}"
            );
        }
        for (kind, value) in [
            ("insert", json!({"clientGroupID": "g", "clientID": "x", "lastMutationID": 7})),
            (
                "upsert",
                json!({"clientGroupID": "g-all", "clientID": "c-all", "lastMutationID": 77}),
            ),
            (
                "update",
                json!({"clientGroupID": "g-all", "clientID": "c-all", "lastMutationID": 77}),
            ),
            ("delete", json!({"clientGroupID": "g-all", "clientID": "c-all"})),
        ] {
            number += 1;
            let op = json!({"op": kind, "tableName": table, "primaryKey": ["clientGroupID", "clientID"], "value": value});
            let mutation = json!({"type": "crud", "id": number, "clientID": "c-all", "name": "_zero_crud",
                "args": [{"ops": [op]}], "timestamp": 1});
            hostile.say(&push(&mutation).to_string()).await;
        }
    }
    world.until("all of them", || world.rows(clients) == [format!("c-all|{number}")]);
    let failed = world.rows("SELECT CAST(count(*) AS TEXT) FROM _zero_mutations");
    assert_eq!(failed, [(number - 1).to_string()]);
    // A client cannot declare them as its own either, and is not told of others.
    let mut tables = init(&json!([]));
    tables[1]["clientSchema"] = json!({"tables": {"_zero_clients": {"columns": {}, "primaryKey": ["clientID"]},
        "ghost": {"columns": {}, "primaryKey": ["id"]}, "note": {"columns": {"ghost": {"type": "string"}}, "primaryKey": ["x"]}}});
    let mut other = Hostile::connect(&world, "schema", "ada", Some(&token("ada"))).await;
    other.say(&tables.to_string()).await;
    let error = other.end().await.expect("an error");
    assert_eq!(error["kind"], "SchemaVersionNotSupported");
    let message = error["message"].as_str().expect("a text");
    assert!(message.contains("\"_zero_clients\" is not in the database"), "{message}");
    for hidden in ["secret", "owner", "lastMutationID", "big"] {
        assert!(!message.contains(hidden), "{hidden} in {message}");
    }
    drop((hostile, other));
    world.is_well().await;
}

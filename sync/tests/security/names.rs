//! SQL in every name and value.

use penstock_sync::validate::Store;
use serde_json::{Value as Json, json};

use crate::hostile::{Hostile, escape, init, protocol};
use crate::support::raw::Raw;
use crate::world::{EVIL, World, equals, exists, literal, op, put, signed, token, who};

const TEXTS: [&str; 6] = [
    EVIL,
    "' OR '1' = '1",
    "\"; DELETE FROM secret; --",
    "?1 :x @y $z %s {0}",
    "\u{0}\u{1b}[2J\u{202e}",
    "note\"; ATTACH DATABASE 'x.db' AS x; --",
];

/// Queries with a text in the place of each name and value.
fn queries(text: &str) -> Vec<Json> {
    let related = |table: &str, field: &str, alias: &str| {
        json!({"correlation": {"parentField": [field], "childField": ["id"]},
            "subquery": {"table": table, "alias": alias}})
    };
    vec![
        json!({"table": text}),
        json!({"table": "note", "alias": text}),
        json!({"table": "note", "schema": text}),
        json!({"table": "note", "where": equals(text, literal("x"))}),
        json!({"table": "note", "where": equals("body", literal(text))}),
        json!({"table": "note", "where": {"type": "simple", "op": text,
            "left": {"type": "column", "name": "body"}, "right": literal("x")}}),
        json!({"table": "note", "where": {"type": "simple", "op": "LIKE",
            "left": {"type": "column", "name": "body"}, "right": literal(text)}}),
        json!({"table": "note", "where": {"type": "simple", "op": "IN",
            "left": {"type": "column", "name": "body"}, "right": literal(json!([text, text]))}}),
        json!({"table": "note", "where": {"type": text, "conditions": []}}),
        json!({"table": "note", "where": exists(text, "id", "id", None)}),
        json!({"table": "note", "where": exists("part", text, "id", None)}),
        json!({"table": "note", "where": exists("part", "id", text, None)}),
        json!({"table": "note", "orderBy": [[text, "asc"]]}),
        json!({"table": "note", "orderBy": [["id", text]]}),
        json!({"table": "note", "orderBy": [["id", "asc"]], "start": {"row": {"id": text}, "exclusive": true}}),
        json!({"table": "note", "orderBy": [["id", "asc"]], "start": {"row": {text: "x"}, "exclusive": false}}),
        json!({"table": "note", "limit": text}),
        json!({"table": "note", "related": [related(text, "id", "x")]}),
        json!({"table": "note", "related": [related("part", text, "x")]}),
        json!({"table": "note", "related": [related("part", "id", text)]}),
        json!({text: text, "table": "note"}),
    ]
}

#[tokio::test]
async fn names_and_values_are_never_sql() {
    let world = World::new("names", &[]);
    let tables =
        "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'penstock%' ORDER BY name";
    let data =
        "SELECT id, owner, body FROM note UNION ALL SELECT id, note, word FROM secret ORDER BY 1";
    let before = (world.rows(tables), world.rows(data));
    for (number, text) in TEXTS.into_iter().enumerate() {
        let mut hostile = Hostile::ada(&world, text).await;
        for (at, ast) in queries(text).iter().enumerate() {
            // Refused or served, and the next one is as well.
            if let Err(told) = hostile.ask(&format!("{text}{at}"), ast).await {
                assert!(
                    !told.contains("near \"") && !told.contains("syntax error"),
                    "{ast}: {told}"
                );
            }
        }
        // The same in mutations.
        let mut id = 0;
        let group = format!("g-{text}");
        let client = format!("c-{text}");
        let value = json!({"id": format!("a1{text}"), "owner": "ada", "body": text});
        let ops = [
            op("insert", text, value.clone()),
            op("insert", "note", value.clone()),
            op("upsert", "note", value),
            op("update", "note", json!({"id": "a1", text: text})),
            json!({"op": "delete", "tableName": "note", "primaryKey": [text], "value": {text: "x"}}),
            json!({"op": text, "tableName": "note", "primaryKey": ["id"], "value": {"id": "a1"}}),
            op("delete", "note", json!({"id": format!("a1{text}")})),
        ];
        for op in ops {
            id += 1;
            let mutation = json!({"type": "crud", "id": id, "clientID": client, "name": text,
                "args": [{"ops": [op]}], "timestamp": 1});
            let push = json!(["push", {"clientGroupID": group, "mutations": [mutation], "pushVersion": 1,
                "timestamp": 1, "requestID": text}]);
            hostile.say(&push.to_string()).await;
            assert!(hostile.settle().await, "{op}");
        }
        // In what is said of the connection itself.
        let e = escape(text);
        for path in [
            format!(
                "/sync/v51/connect?clientID={e}&clientGroupID={e}&userID={e}&baseCookie={e}&ts={e}&lmid={e}&wsid={e}"
            ),
            format!(
                "/{e}/sync/v51/connect?clientID=c{number}&clientGroupID=g&userID=ada&baseCookie=&wsid={e}&{e}={e}"
            ),
        ] {
            let auth = if path.starts_with("/sync") {
                signed(&json!({"sub": text}), crate::world::SECRET)
            } else {
                token("ada")
            };
            let header = protocol(
                &json!({"authToken": auth, "initConnectionMessage": init(&put(text, &json!({"table": "note"})))}),
            );
            if let Ok(mut other) = Hostile::open(&world, &path, &header).await {
                other.settle().await;
                other.has_learnt_nothing();
            }
        }
        world.until("all mutations", || {
            let sql = "SELECT CAST(sum(\"lastMutationID\") AS TEXT) FROM _zero_clients WHERE \"userID\" = 'ada'";
            world.rows(sql) == [((number + 1) * 7).to_string()]
        });
        hostile.has_learnt_nothing();
    }
    assert_eq!((world.rows(tables), world.rows(data)), before);
    // A table and a column of such a name are served like others.
    let mut who = who("evil", "ada");
    let text = || json!({"type": "string"});
    who.schema["tables"][EVIL] =
        json!({"columns": {"id": text(), EVIL: text()}, "primaryKey": ["id"]});
    let query = put("evil", &json!({"table": EVIL}));
    let raw = Raw::connect(world.server.port(), &who, Store::default(), query).await;
    let mut raw = raw.expect("the server accepts");
    raw.until_got(&["evil"]).await;
    let id = raw.crud(json!([op("insert", EVIL, json!({"id": EVIL, EVIL: EVIL}))])).await;
    raw.until("its row", |session| {
        session.store().last_mutation_id("client-evil") == id
            && session.store().rows(EVIL).any(|row| row["id"] == EVIL && row[EVIL] == EVIL)
    })
    .await;
    raw.close().await;
    assert_eq!((world.rows(tables), world.rows(data)), before);
    // Nothing of it looks like lines of the log that the server has not written.
    assert!(world.server.said().lines().all(|line| !line.contains('\u{1b}')));
    world.is_well().await;
}

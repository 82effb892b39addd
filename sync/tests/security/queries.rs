//! Queries that are deep, many, or cost more than there is.

use serde_json::{Value as Json, json};

use crate::hostile::Hostile;
use crate::world::{World, exists};

/// A query nested so deep, by related lists, by EXISTS, or by conditions.
fn nested(kind: &str, depth: usize) -> Json {
    let correlation = || json!({"parentField": ["id"], "childField": ["id"]});
    match kind {
        "related" => (1..depth).fold(json!({"table": "note", "alias": "x"}), |within, _| {
            let related = json!({"correlation": correlation(), "subquery": within});
            json!({"table": "note", "alias": "x", "related": [related]})
        }),
        "exists" => (1..depth).fold(json!({"table": "note", "alias": "x"}), |within, _| {
            let related = json!({"correlation": correlation(), "subquery": within});
            json!({"table": "note", "alias": "x",
                "where": {"type": "correlatedSubquery", "op": "EXISTS", "related": related}})
        }),
        _ => {
            let deep = (1..depth).fold(json!({"type": "and", "conditions": []}), |within, at| {
                json!({"type": if at % 2 == 0 { "and" } else { "or" }, "conditions": [within]})
            });
            json!({"table": "note", "where": deep})
        }
    }
}

#[tokio::test]
async fn queries_nested_a_hundred_deep_are_refused() {
    let world = World::new("nested", &[]);
    let mut hostile = Hostile::ada(&world, "nested").await;
    for kind in ["related", "exists", "condition"] {
        let told = hostile.ask(&format!("{kind}100"), &nested(kind, 25)).await;
        assert!(told.is_ok(), "{kind}: {told:?}");
        // By the limit of queries, or as JSON that is too deep to be read.
        let told = hostile.ask(&format!("{kind}40"), &nested(kind, 40)).await;
        let told = told.expect_err("too deep");
        let is_limit = told.contains("nested 32 deep");
        assert!(is_limit || told.contains("InvalidMessage"), "{kind}: {told}");
        if !is_limit {
            hostile = Hostile::ada(&world, &format!("nested-{kind}")).await;
        }
        let told =
            hostile.ask(&format!("{kind}100b"), &nested(kind, 100)).await.expect_err("too deep");
        assert!(
            told.contains("nested 32 deep") || told.contains("InvalidMessage"),
            "{kind}: {told}"
        );
        hostile = Hostile::ada(&world, &format!("again-{kind}")).await;
    }
    assert!(world.hits("query_depth") >= 1.0);
    // Wide is refused like deep.
    let related = json!({"correlation": {"parentField": ["id"], "childField": ["note"]},
        "subquery": {"table": "part", "alias": "x"}});
    let all: Vec<Json> = (0..100)
        .map(|at| {
            let mut one = related.clone();
            one["subquery"]["alias"] = format!("x{at}").into();
            one
        })
        .collect();
    let told = hostile.ask("wide", &json!({"table": "note", "related": all})).await;
    assert!(told.expect_err("too wide").contains("64 related lists"));
    hostile.has_learnt_nothing();
    drop(hostile);
    world.is_well().await;
}

#[tokio::test]
async fn ten_thousand_queries_in_one_group_are_a_thousand() {
    let world = World::new("many", &[]);
    let mut hostile = Hostile::ada(&world, "many").await;
    let before = world.bytes();
    let mut got = 0;
    let mut refused = 0;
    for frame in 0..20 {
        let puts: Vec<Json> = (0..500)
            .map(|at| {
                let number = frame * 500 + at;
                json!({"op": "put", "hash": format!("q{number}"), "ttl": 600_000,
                    "ast": {"table": "note", "limit": number + 1}})
            })
            .collect();
        let message = json!(["changeDesiredQueries", {"desiredQueriesPatch": puts}]);
        hostile.say(&message.to_string()).await;
        assert!(hostile.settle().await);
    }
    while got + refused < 10_000 {
        hostile.say("[\"inspect\",{\"id\":1}]").await;
        let frame = hostile.next().await.expect("the connection goes on");
        drop(frame);
        got = 0;
        refused = 0;
        for text in &hostile.seen {
            let frame: Json = serde_json::from_str(text).expect("JSON");
            got += frame[1]["gotQueriesPatch"].as_array().map_or(0, Vec::len);
            refused += if frame[0] == "transformError" {
                frame[1].as_array().map_or(0, Vec::len)
            } else {
                0
            };
        }
    }
    assert_eq!((got, refused), (1000, 9000));
    assert_eq!(world.metric("penstock_queries"), 1000.0);
    assert_eq!(world.hits("queries"), 9000.0);
    assert!(world.bytes() < before + (128 << 20), "{} bytes", world.bytes());
    world.serves_well().await;
    hostile.has_learnt_nothing();
    drop(hostile);
    world.is_well().await;
}

#[tokio::test]
async fn the_texts_of_all_queries_of_a_group_are_limited() {
    let limits = ["--max-query-bytes", "20000", "--max-group-query-bytes", "100000"];
    let world = World::new("texts", &limits);
    let mut hostile = Hostile::ada(&world, "texts").await;
    let long = |bytes: usize, at: usize| {
        json!({"table": "note", "where": {"type": "simple", "op": "=",
            "left": {"type": "column", "name": "body"},
            "right": {"type": "literal", "value": format!("{at}{}", "x".repeat(bytes))}}})
    };
    let told = hostile.ask("long", &long(20_000, 0)).await.expect_err("too long");
    assert!(told.contains("20000 bytes"), "{told}");
    let mut told = Vec::new();
    for at in 0..10 {
        told.push(hostile.ask(&format!("t{at}"), &long(15_000, at)).await);
    }
    let served = told.iter().filter(|told| told.is_ok()).count();
    assert_eq!(served, 6, "{told:?}");
    assert!(told[9].as_ref().is_err_and(|told| told.contains("100000 bytes")), "{told:?}");
    assert_eq!((world.hits("query_bytes"), world.hits("group_query_bytes")), (1.0, 4.0));
    drop(hostile);
    world.is_well().await;
}

/// Every row of the large table with every other, so many times over.
fn product(levels: usize) -> Json {
    let correlation = || json!({"parentField": ["k"], "childField": ["k"]});
    (0..levels).fold(json!({"table": "big", "alias": "x"}), |within, _| {
        let related = json!({"correlation": correlation(), "subquery": within});
        json!({"table": "big", "alias": "x", "related": [related]})
    })
}

#[tokio::test]
async fn queries_that_cost_too_much_are_given_up_while_they_are_filled() {
    let limits =
        ["--max-hydration-reads", "200000", "--max-hydration-ms", "4000", "--max-rows", "1500"];
    let world = World::new("costly", &limits);
    let mut hostile = Hostile::ada(&world, "costly").await;
    let before = world.bytes();
    // 2000 rows, each with 2000, each with 2000: 8 thousand million places.
    for (hash, ast) in [("two", product(2)), ("one", product(1))] {
        let told = hostile.ask(hash, &ast).await.expect_err("too costly");
        assert!(told.contains("more than"), "{told}");
    }
    // An EXISTS without an index that nothing satisfies: each row looks at all.
    let never = json!({"type": "simple", "op": "LIKE", "left": {"type": "column", "name": "t"},
        "right": {"type": "literal", "value": "%nothing%"}});
    let mut within = exists("big", "v", "v", Some(never));
    within["related"]["correlation"] =
        json!({"parentField": ["id", "k"], "childField": ["v", "k"]});
    let cross = exists("big", "k", "k", Some(within));
    let told = hostile.ask("cross", &json!({"table": "big", "where": cross})).await;
    if let Err(told) = &told {
        assert!(told.contains("more than"), "{told}");
    } else {
        // Where each look is cheap, it is within the limits and has no rows.
        assert_eq!(told, Ok(Vec::new()));
    }
    // More rows than a group may have.
    let told = hostile.ask("all", &json!({"table": "big"})).await.expect_err("too many rows");
    assert!(told.contains("1500"), "{told}");
    // The same again is known.
    let told = hostile.ask("again", &product(2)).await.expect_err("too costly");
    assert!(told.contains("more than"), "{told}");
    assert!(world.bytes() < before + (200 << 20), "{} bytes", world.bytes());
    assert!(world.hits("hydration_reads") + world.hits("hydration_ms") >= 1.0);
    // What is within the limits is served on the same connection.
    let served = hostile.ask("few", &json!({"table": "big", "limit": 10})).await;
    assert_eq!(served.map(|rows| rows.len()), Ok(10));
    hostile.has_learnt_nothing();
    // A group that grows over the limit loses the query, not the server its memory.
    let told = hostile.ask("notes", &json!({"table": "note"})).await;
    assert!(told.is_ok(), "{told:?}");
    let rows = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 3000)
        INSERT INTO note SELECT 'g' || n, 'ada', 'x' FROM n";
    world.sql(rows);
    while let Some(frame) = hostile.next().await {
        if frame[0] == "transformError" && frame[1][0]["id"] == "notes" {
            break;
        }
    }
    world.until("fewer rows", || world.metric("penstock_group_rows") <= 1500.0);
    world.sql("DELETE FROM note WHERE body = 'x'");
    drop(hostile);
    world.is_well().await;
}

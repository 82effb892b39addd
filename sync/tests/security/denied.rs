//! Reading and writing what the rules deny: directly, through EXISTS, through order and cursors, through
//! mutations.

use serde_json::{Value as Json, json};

use crate::hostile::Hostile;
use crate::world::{MARK, World, equals, exists, literal, op};

fn like(column: &str, pattern: &str) -> Json {
    json!({"type": "simple", "op": "LIKE", "left": {"type": "column", "name": column},
        "right": literal(pattern)})
}

/// The ids of rows that were put.
fn ids(rows: &[Json]) -> Vec<String> {
    let mut ids: Vec<String> =
        rows.iter().filter_map(|row| row["value"]["id"].as_str().map(str::to_owned)).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn rows_that_the_rules_deny_are_not_read() {
    let world = World::new("reads", &[]);
    let mut hostile = Hostile::ada(&world, "reads").await;
    let or = |conditions: &[Json]| json!({"type": "or", "conditions": conditions});
    let always =
        || or(&[json!({"type": "and", "conditions": []}), equals("owner", literal("bob"))]);
    let related = |table: &str, parent: &str, child: &str, hidden: bool, within: Option<Json>| {
        let mut related = json!({"correlation": {"parentField": [parent], "childField": [child]},
            "hidden": hidden, "subquery": {"table": table, "alias": "x"}});
        if let Some(within) = within {
            related["subquery"]["related"] = json!([within]);
        }
        related
    };
    // By each way to a row, the rows that are ada's and no others.
    let own = ["a1", "a2"];
    let cases: Vec<(&str, Json, Vec<&str>)> = vec![
        ("directly", json!({"table": "note"}), own.into()),
        ("by a key", json!({"table": "note", "where": equals("id", literal("b1"))}), vec![]),
        ("by a condition that holds", json!({"table": "note", "where": always()}), own.into()),
        ("as another", json!({"table": "note", "where": equals("owner", literal("bob"))}), vec![]),
        ("without rules", json!({"table": "secret"}), vec![]),
        (
            "without rules, by a column",
            json!({"table": "secret", "where": like("word", "%")}),
            vec![],
        ),
        (
            "in lists",
            json!({"table": "note", "related": [related("secret", "id", "note", false, None)]}),
            own.into(),
        ),
        (
            "in others' lists",
            json!({"table": "big", "limit": 1, "related": [related("note", "t", "owner", false, None)]}),
            vec![],
        ),
        (
            "over a hidden hop",
            json!({"table": "note", "related": [related("part", "id", "note", true, Some(related("note", "note", "id", false, None)))]}),
            vec!["a1", "a2", "pa"],
        ),
        (
            "where an EXISTS finds a secret",
            json!({"table": "note", "where": exists("secret", "id", "note", None)}),
            vec![],
        ),
        (
            "where an EXISTS finds a word",
            json!({"table": "note", "where": exists("secret", "id", "note", Some(like("word", "XYZZY%")))}),
            vec![],
        ),
        (
            "where a NOT EXISTS finds none",
            json!({"table": "note", "where": {"type": "correlatedSubquery", "op": "NOT EXISTS",
                "related": exists("secret", "id", "note", Some(like("word", "XYZZY%")))["related"]}}),
            own.into(),
        ),
        (
            "where an EXISTS within OR finds another's",
            json!({"table": "note", "where": or(&[exists("part", "id", "note", Some(like("body", "XYZZY%")))])}),
            vec![],
        ),
        (
            "in the order of a column, from a row on",
            json!({"table": "note", "orderBy": [["owner", "asc"], ["body", "desc"]],
                "start": {"row": {"id": "a2", "owner": "ada", "body": "two"}, "exclusive": true}}),
            vec!["a1"],
        ),
        (
            "from another's row on",
            json!({"table": "note", "orderBy": [["body", "desc"]],
                "start": {"row": {"id": "b1", "body": "XYZZY of bob"}, "exclusive": false}}),
            vec![],
        ),
        (
            "the last of all",
            json!({"table": "note", "orderBy": [["id", "desc"]], "limit": 1}),
            vec!["a2"],
        ),
    ];
    for (number, (what, ast, expected)) in cases.iter().enumerate() {
        // Each by itself: a row that another query has is not put again.
        let mut alone = Hostile::ada(&world, &format!("reads{number}")).await;
        let rows = alone.ask("q", ast).await.unwrap_or_else(|told| panic!("{what}: {told}"));
        let known: Vec<Json> = rows.into_iter().filter(|row| row["tableName"] != "big").collect();
        assert_eq!(ids(&known), *expected, "{what}");
        // Not live either: what others write is not told.
        alone.has_learnt_nothing();
        assert!(hostile.ask(&format!("q{number}"), ast).await.is_ok(), "{what}");
    }
    world.sql(
        "INSERT INTO note VALUES ('b3', 'bob', 'XYZZY three'); UPDATE secret SET word = word || ' XYZZY';
         UPDATE note SET body = body || '!' WHERE owner = 'bob'; UPDATE note SET owner = 'bob', body = 'XYZZY' WHERE id = 'a2';",
    );
    // A row that is another's now goes, without what it has become.
    let is_gone = |frame: &Json| {
        frame[1]["rowsPatch"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|row| row["op"] == "del" && row["id"]["id"] == "a2")
    };
    loop {
        let frame = hostile.next().await.expect("the connection goes on");
        if is_gone(&frame) {
            break;
        }
    }
    assert!(hostile.settle().await);
    hostile.has_learnt_nothing();
    drop(hostile);
    world.is_well().await;
}

#[tokio::test]
async fn what_is_denied_answers_no_question() {
    // Guesses that are right are answered like those that are wrong.
    let world = World::new("guesses", &[]);
    let mut answers = Vec::new();
    for (number, guess) in ["XYZZY%", "nothing%"].into_iter().enumerate() {
        let mut hostile = Hostile::ada(&world, &format!("guess{number}")).await;
        let negated = |condition: &Json| {
            let mut negated = condition.clone();
            negated["op"] = "NOT EXISTS".into();
            negated
        };
        let secret = exists("secret", "id", "note", Some(like("word", guess)));
        let others = exists("note", "id", "id", Some(like("body", guess)));
        let mut told = Vec::new();
        for (at, condition) in
            [secret.clone(), negated(&secret), others.clone(), negated(&others)].iter().enumerate()
        {
            let ast = json!({"table": "note", "where": condition});
            told.push(hostile.ask(&format!("g{at}"), &ast).await.map(|rows| ids(&rows)));
        }
        answers.push(told);
        hostile.has_learnt_nothing();
    }
    assert_eq!(answers[0], answers[1]);
    // Columns of a table that nobody may read are not told from others.
    let mut hostile = Hostile::ada(&world, "columns").await;
    for column in ["word", "ghost"] {
        let ast = json!({"table": "secret", "where": equals(column, literal("x")), "orderBy": [[column, "asc"]]});
        assert_eq!(hostile.ask(column, &ast).await, Ok(vec![]), "{column}");
    }
    hostile.has_learnt_nothing();
    drop(hostile);
    world.is_well().await;
}

#[tokio::test]
async fn rows_that_the_rules_deny_are_not_written() {
    let world = World::new("writes", &[]);
    let data = "SELECT id, owner, body FROM note UNION ALL SELECT id, note, word FROM secret
        UNION ALL SELECT id, note, body FROM part ORDER BY 1";
    let before = world.rows(data);
    let own = || op("update", "note", json!({"id": "a1", "body": "changed"}));
    let denied = [
        op("insert", "note", json!({"id": "x", "owner": "bob", "body": "x"})),
        op("insert", "note", json!({"id": "x", "owner": null, "body": "x"})),
        op("update", "note", json!({"id": "b1", "body": "mine"})),
        op("update", "note", json!({"id": "b1", "owner": "ada"})),
        op("update", "note", json!({"id": "a1", "owner": "bob"})),
        op("upsert", "note", json!({"id": "b1", "owner": "ada", "body": "mine"})),
        op("delete", "note", json!({"id": "b1"})),
        op("delete", "note", json!({"id": "no such note"})),
        op("insert", "secret", json!({"id": "x", "word": "x"})),
        op("upsert", "secret", json!({"id": "s1", "word": "x"})),
        op("update", "secret", json!({"id": "s1", "word": "x"})),
        op("delete", "secret", json!({"id": "s1"})),
        // By another key, that of a word.
        json!({"op": "delete", "tableName": "secret", "primaryKey": ["word"], "value": {"word": "XYZZY one"}}),
        json!({"op": "update", "tableName": "secret", "primaryKey": ["word"], "value": {"word": "XYZZY one", "id": "x"}}),
        op("insert", "part", json!({"id": "x", "note": "b1", "body": "x"})),
        op("update", "part", json!({"id": "pa", "body": "x"})),
        op("insert", "big", json!({"id": 1_000_000, "k": 1, "v": 1, "t": "x"})),
        op("delete", "big", json!({"id": 1})),
    ];
    let mut hostile = Hostile::ada(&world, "writes").await;
    let mut id = 0;
    for op in &denied {
        id += 1;
        // With something allowed before it: all or nothing.
        let mutation = json!({"type": "crud", "id": id, "clientID": "c-writes", "name": "_zero_crud",
            "args": [{"ops": [own(), op]}], "timestamp": 1});
        let push = json!(["push", {"clientGroupID": "g-writes", "mutations": [mutation], "pushVersion": 1,
            "timestamp": 1, "requestID": "r"}]);
        hostile.say(&push.to_string()).await;
        // What became of it comes as its result.
        let result = loop {
            let frame = hostile.next().await.unwrap_or_else(|| panic!("{op}: closed"));
            let patch =
                frame[1]["mutationsPatch"].as_array().and_then(|patch| patch.first()).cloned();
            if let Some(patch) = patch {
                break patch;
            }
        };
        assert_eq!(result["mutation"]["id"]["id"], id, "{op}");
        assert_eq!(result["mutation"]["result"]["error"], "app", "{op}");
        assert_eq!(world.rows(data), before, "{op}");
    }
    // Whether a row is there is not told: the texts are the same but for the key.
    let texts: Vec<String> = hostile
        .seen
        .iter()
        .filter(|text| text.contains("mutationsPatch"))
        .map(|text| text.replace("no such note", "b1"))
        .collect();
    let message = |text: &str| {
        let frame: Json = serde_json::from_str(text).expect("JSON");
        frame[1]["mutationsPatch"][0]["mutation"]["result"]["message"]
            .as_str()
            .expect("a text")
            .to_owned()
    };
    assert_eq!(message(&texts[6]), message(&texts[7]));
    // The attacker's own texts come back, and no others.
    hostile.seen.iter_mut().for_each(|text| *text = text.replace("\\\"XYZZY one\\\"", ""));
    hostile.has_learnt_nothing();
    assert!(before.iter().any(|row| row.contains(MARK)));
    drop(hostile);
    world.is_well().await;
}

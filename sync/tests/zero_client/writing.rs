//! What clients write.

use serde_json::{Value as Json, json};

use super::client::Query;
use super::tracker::{Tracker, client, column, is, top};

/// What a statement gives as one number.
fn number(tracker: &Tracker, sql: &str) -> i64 {
    tracker.connect().query_row(sql, (), |row| row.get(0)).expect("a number")
}

#[test]
fn rows_that_a_client_writes_are_shown_at_once_and_reach_the_file() {
    let tracker = Tracker::new();
    let server = tracker.serve();
    let client = client(&server.url());
    let view = client.view(&top(2));
    view.complete();
    let row = json!({"id": "new", "title": "Mine", "open": true, "rank": 50, "owner_id": "u1",
        "meta": {"deep": [true, null]}});
    client.crud("insert", json!([{"op": "insert", "table": "issue", "value": row}]));
    view.until("the row", |shown| column(&shown.data, "id") == ["new", "i10"]);
    let stored = "SELECT count(*) FROM issue WHERE id = 'new' AND open = 1 AND rank = 50
        AND json_extract(meta, '$.deep[0]') = 1";
    penstock_postgres_harness::until("the insert is stored", || number(&tracker, stored) == 1);
    client.crud(
        "update",
        json!([{"op": "update", "table": "issue",
        "value": {"id": "new", "title": "Changed", "meta": null}}]),
    );
    let upsert = |id: &str| {
        json!({"op": "upsert", "table": "issue", "value": {"id": id,
        "title": "Upserted", "open": false, "rank": 60}})
    };
    client.crud(
        "batch",
        json!([upsert("new"), upsert("newer"),
        {"op": "delete", "table": "issue", "value": {"id": "i10"}}]),
    );
    view.until("all of it", |shown| column(&shown.data, "id") == ["new", "newer"]);
    let stored = "SELECT (SELECT count(*) FROM issue WHERE title = 'Upserted' AND rank = 60) * 10
        + (SELECT count(*) FROM issue WHERE id = 'i10')";
    penstock_postgres_harness::until("the batch is stored", || number(&tracker, stored) == 20);
    // An upsert leaves the columns alone that it does not name.
    assert_eq!(
        number(&tracker, "SELECT count(*) FROM issue WHERE id = 'new' AND owner_id = 'u1'"),
        1
    );
}

#[test]
fn another_client_sees_what_was_written_and_nobody_sees_it_flicker() {
    let tracker = Tracker::new();
    let server = tracker.serve();
    let (writer, reader) = (client(&server.url()), client(&server.url()));
    let (here, there) = (writer.view(&top(1)), reader.view(&top(1)));
    here.complete();
    there.complete();
    for n in 0..20 {
        let value = json!({"id": "i1", "rank": 100 + n, "title": format!("Take {n}")});
        writer.crud(&format!("m{n}"), json!([{"op": "update", "table": "issue", "value": value}]));
    }
    there.until("the last", |shown| shown.data[0]["title"] == "Take 19");
    penstock_postgres_harness::until("acknowledged", || {
        number(&tracker, "SELECT count(*) FROM issue WHERE id = 'i1' AND rank = 119") == 1
    });
    // Ranks only grow, in every state that either of them has shown.
    for view in [&here, &there] {
        let ranks: Vec<f64> =
            view.all().iter().filter_map(|shown| shown.data[0]["rank"].as_f64()).collect();
        assert!(ranks.is_sorted(), "{ranks:?}");
    }
}

#[test]
fn a_write_that_the_file_refuses_is_rolled_back() {
    let tracker = Tracker::new();
    tracker.write("CREATE UNIQUE INDEX one_title ON issue(title)");
    let server = tracker.serve();
    let client = client(&server.url());
    let view =
        client.view(&Query::new(json!({"table": "issue", "where": is("id", "=", json!("i1"))})));
    view.complete();
    client.crud(
        "taken",
        json!([{"op": "update", "table": "issue",
        "value": {"id": "i1", "title": "Issue 2"}}]),
    );
    assert_eq!(client.outcome("taken", "client")["type"], "success");
    view.until("optimistic", |shown| shown.data[0]["title"] == "Issue 2");
    view.until("rolled back", |shown| shown.data[0]["title"] == "Issue 1");
    // The next one goes through.
    client.crud(
        "free",
        json!([{"op": "update", "table": "issue",
        "value": {"id": "i1", "title": "Free"}}]),
    );
    let stored = "SELECT count(*) FROM issue WHERE id = 'i1' AND title = 'Free'";
    penstock_postgres_harness::until("the second is stored", || number(&tracker, stored) == 1);
    view.until("it", |shown| shown.data[0]["title"] == "Free");
    let titles: Vec<Json> = view.all().iter().map(|shown| shown.data[0]["title"].clone()).collect();
    let refused = titles.iter().filter(|title| **title == "Issue 2").count();
    assert_eq!(refused, 1, "shown once and never again: {titles:?}");
}

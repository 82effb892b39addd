//! What clients show, and how it follows what others write to the file.

use serde_json::{Value as Json, json};

use super::client::{Client, Query, same};
use super::tracker::{Tracker, client, column, exists, is, options, related, top, users};

#[test]
fn a_list_is_complete_and_follows_inserts_updates_and_deletes() {
    let tracker = Tracker::new();
    let server = tracker.serve();
    let client = client(&server.url());
    let view = client.view(&top(3));
    assert_eq!(column(&view.complete(), "id"), ["i10", "i9", "i8"]);
    let first = &view.now().data[0];
    let expected = json!({"id": "i10", "title": "Issue 10", "open": false, "rank": 10,
        "owner_id": "u1", "meta": {"n": 10}});
    assert!(same(first, &expected), "{first}");

    let ids = |expected: &[&str]| {
        let expected: Vec<Json> = expected.iter().map(|id| json!(id)).collect();
        view.until("the ids", |shown| column(&shown.data, "id") == expected)
    };
    tracker.write("UPDATE issue SET title = 'Renamed', meta = NULL WHERE id = 'i9'");
    let shown = view.until("the title", |shown| shown.data[1]["title"] == "Renamed");
    assert_eq!(shown.data[1]["meta"], Json::Null);
    tracker.write("INSERT INTO issue VALUES ('n', 'New', 1, 9.5, NULL, '[1, 2.5, null]')");
    let shown = ids(&["i10", "n", "i9"]);
    assert_eq!(shown.data[1]["meta"], json!([1, 2.5, null]));
    tracker.write("DELETE FROM issue WHERE id = 'i10'");
    ids(&["n", "i9", "i8"]);
    tracker.write("UPDATE issue SET rank = 0 WHERE id = 'n'");
    ids(&["i9", "i8", "i7"]);
    tracker.write("UPDATE issue SET id = 'i9b' WHERE id = 'i9'");
    ids(&["i9b", "i8", "i7"]);
}

#[test]
fn a_detail_with_related_rows_a_junction_and_limits() {
    let tracker = Tracker::new();
    let server = tracker.serve();
    let client = client(&server.url());
    let comments = json!({"table": "comment", "orderBy": [["at", "desc"]], "limit": 2});
    let mut labels = related("labels", ("id", "issue_id"), json!({"table": "issue_label"}));
    labels["hidden"] = json!(true);
    labels["subquery"]["related"] =
        json!([related("labels", ("label_id", "id"), json!({"table": "label"}))]);
    let mut query = Query::new(json!({
        "table": "issue", "where": is("id", "=", json!("i1")), "limit": 1,
        "related": [
            related("comments", ("id", "issue_id"), comments),
            related("owner", ("owner_id", "id"), json!({"table": "user"})),
            labels,
        ],
    }));
    query.format["singular"] = json!(true);
    query.format["relationships"]["owner"]["singular"] = json!(true);
    let view = client.view(&query);
    let issue = view.complete();
    assert_eq!(column(&issue["comments"], "id"), ["c1-3", "c1-2"]);
    assert_eq!(column(&issue["labels"], "name"), ["Bug", "Interface"]);
    assert_eq!(issue["owner"]["name"], "Grace");

    tracker.write(
        "DELETE FROM comment WHERE id = 'c1-3'; DELETE FROM issue_label WHERE label_id = 'bug';
        UPDATE issue SET owner_id = NULL WHERE id = 'i1'",
    );
    let now = view.until("the change", |shown| shown.data["owner"].is_null()).data;
    assert_eq!(column(&now["comments"], "id"), ["c1-2", "c1-1"]);
    assert_eq!(column(&now["labels"], "name"), ["Interface"]);
    // One transaction, one change: nothing in between was ever shown.
    assert_eq!(view.all().iter().filter(|shown| shown.of == "complete").count(), 2);
    tracker.write("DELETE FROM issue WHERE id = 'i1'");
    view.until("no issue", |shown| shown.data.is_null());
}

#[test]
fn conditions_with_exists_or_and_a_cursor() {
    let tracker = Tracker::new();
    let server = tracker.serve();
    let client = client(&server.url());
    let labelled = exists(
        "l",
        ("id", "issue_id"),
        json!({"table": "issue_label", "where":
        exists("n", ("label_id", "id"), json!({"table": "label", "where": is("name", "=", json!("Bug"))}))}),
    );
    let either = json!({"type": "or", "conditions": [labelled, is("rank", ">=", json!(9))]});
    let view = client.view(&Query::new(json!({"table": "issue", "where": either})));
    assert_eq!(column(&view.complete(), "id"), ["i1", "i10", "i3", "i9"]);
    let page = json!({"table": "issue", "orderBy": [["rank", "asc"]], "limit": 2,
        "start": {"row": {"id": "i4", "rank": 4}, "exclusive": true}});
    let page = client.view(&Query::new(page));
    assert_eq!(column(&page.complete(), "id"), ["i5", "i6"]);

    tracker.write(
        "UPDATE label SET name = 'Defect' WHERE id = 'bug'; DELETE FROM issue WHERE id = 'i5'",
    );
    view.until("what is left", |shown| column(&shown.data, "id") == ["i10", "i9"]);
    page.until("the next page", |shown| column(&shown.data, "id") == ["i6", "i7"]);
    tracker.write("INSERT INTO issue_label VALUES ('i2', 'bug'); UPDATE label SET name = 'Bug' WHERE id = 'bug'");
    view.until("three more", |shown| column(&shown.data, "id") == ["i1", "i10", "i2", "i3", "i9"]);
}

#[test]
fn the_first_frame_carries_what_the_header_cannot() {
    let tracker = Tracker::new();
    let server = tracker.serve();
    let client = Client::open(&server.url(), options("u1", json!({"maxHeaderLength": 200})));
    let view = client.view(&users());
    assert_eq!(column(&view.complete(), "name"), ["Ada", "Grace"]);
    // Without a user at all, and with many queries at once, which fill a long header.
    let anonymous = Client::open(&server.url(), options("", json!({"maxHeaderLength": 60_000})));
    let queries = (0..60).map(|n| Query::new(json!({"table": "issue", "limit": n + 1})));
    let views: Vec<_> = queries.map(|query| anonymous.view(&query)).collect();
    for (n, view) in views.iter().enumerate() {
        let rows = view.complete();
        assert_eq!(rows.as_array().map(Vec::len), Some((n + 1).min(10)));
    }
}

#[test]
fn a_query_that_nobody_wants_goes_with_its_rows() {
    let tracker = Tracker::new();
    let server = tracker.serve();
    let client = client(&server.url());
    let keeps = client.view(&users());
    keeps.complete();
    let view = client.view(&top(3).ttl(0));
    view.complete();
    view.destroy();
    // The rows go with the query: one who looks only at what is there finds none.
    let local = client.view(&Query::new(json!({"table": "issue"})).named("nothing", json!([])));
    local.until("no rows", |shown| shown.data == json!([]));
    // With a time to live, the rows stay for as long.
    let view = client.view(&top(2).ttl(600_000));
    view.complete();
    view.destroy();
    tracker.write("UPDATE user SET name = 'Ada L.' WHERE id = 'u1'");
    keeps.until("the name", |shown| shown.data[0]["name"] == "Ada L.");
    assert_eq!(column(&local.now().data, "id"), ["i10", "i9"]);
    let again = client.view(&top(2).ttl(600_000));
    assert_eq!(column(&again.complete(), "id"), ["i10", "i9"]);
}

#[test]
fn two_tabs_of_a_group_follow_the_same_rows() {
    let tracker = Tracker::new();
    let server = tracker.serve();
    let shared = options("u1", json!({}));
    let one = Client::open(&server.url(), shared.clone());
    let other = Client::open(&server.url(), shared);
    assert_eq!(one.group, other.group);
    assert_ne!(one.id, other.id);
    let (here, there) = (one.view(&top(2)), other.view(&users()));
    let both = other.view(&top(2));
    assert_eq!(column(&here.complete(), "id"), ["i10", "i9"]);
    assert_eq!(column(&there.complete(), "id"), ["u1", "u2"]);
    both.complete();
    one.crud("m", json!([{"op": "update", "table": "issue", "value": {"id": "i9", "rank": 99}}]));
    assert_eq!(one.outcome("m", "client")["type"], "success");
    for view in [&here, &both] {
        view.until("the new order", |shown| column(&shown.data, "id") == ["i9", "i10"]);
    }
    drop(here);
    drop(one);
    tracker.write("DELETE FROM issue WHERE id = 'i9'");
    both.until("without it", |shown| column(&shown.data, "id") == ["i10", "i8"]);
}

#[test]
fn a_schema_that_does_not_fit_is_told() {
    let tracker = Tracker::new();
    let server = tracker.serve();
    let mut options = options("u1", json!({}));
    options["schema"]["tables"]["issue"]["columns"]["nope"] = json!({"type": "string"});
    options["schema"]["tables"]["user"]["columns"]["name"]["type"] = json!("number");
    let client = Client::open(&server.url(), options);
    let view = client.view(&users());
    let told = client.until_told();
    assert_eq!(told["updateNeeded"][0]["type"], "SchemaVersionNotSupported", "{told}");
    client.until_state("error");
    let states = client.all_states();
    let told = states.iter().filter_map(|state| state["reason"].as_str());
    let told = told.filter(|reason| reason.contains("nope") && reason.contains("name")).count();
    assert_eq!(told, 1, "{states:?}");
    assert_ne!(view.now().of, "complete");
}

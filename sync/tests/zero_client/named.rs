//! Named queries and custom mutations, through the application's endpoints.

use serde_json::{Value as Json, json};

use super::app::App;
use super::client::{Client, Query};
use super::tracker::{Tracker, column, options, top, users};
use crate::support::server::Server;

/// A tracker with an application server, and a sync server that knows it.
fn with_app() -> (Tracker, App, Server) {
    let tracker = Tracker::new();
    let app = App::start(&tracker.file());
    let state = tracker.state();
    let state = state.to_string_lossy();
    let server = Server::sqlite_with(&tracker.file(), &["--state", &state], &app.environment());
    (tracker, app, server)
}

fn client(server: &Server, user: &str, auth: &str) -> Client {
    Client::open(&server.url(), options(user, json!({"auth": auth, "custom": true})))
}

fn named_top(limit: u64) -> Query {
    top(limit).named("top", json!([limit]))
}

#[test]
fn the_application_says_what_a_name_means() {
    let (tracker, app, server) = with_app();
    names_mean(&app, &server, |sql| tracker.write(sql));
}

/// Named queries are what the application says, and stay so.
pub(crate) fn names_mean(app: &App, server: &Server, write: impl Fn(&str)) {
    let client = client(server, "u1", "u1");
    let (view, people) =
        (client.view(&named_top(2)), client.view(&users().named("users", json!([]))));
    assert_eq!(column(&view.complete(), "id"), ["i10", "i9"]);
    assert_eq!(column(&people.complete(), "id"), ["u1", "u2"]);
    write("DELETE FROM issue WHERE id = 'i10'");
    view.until("without it", |shown| column(&shown.data, "id") == ["i9", "i8"]);
    let boom = client.view(&users().named("boom", json!([]))).fails();
    assert_eq!(boom["message"], "boom, said the application");
    let asked = app.names_asked();
    assert!(asked.iter().any(|name| name == "top") && asked.iter().any(|name| name == "users"));
    assert_eq!(app.tokens(), [Some("u1".to_owned())]);
}

#[test]
fn a_query_that_fails_leaves_the_others_alone() {
    let (tracker, _app, server) = with_app();
    let client = client(&server, "u1", "u1");
    let view = client.view(&named_top(2));
    view.complete();
    let boom = client.view(&users().named("boom", json!([])));
    let error = boom.fails();
    assert_eq!(
        (&error["error"], &error["message"]),
        (&json!("app"), &json!("boom, said the application")),
        "{error}"
    );
    let broken = client.view(&users().named("broken", json!([])));
    broken.fails();
    tracker.write("DELETE FROM issue WHERE id = 'i10'");
    view.until("without it", |shown| column(&shown.data, "id") == ["i9", "i8"]);
    let later = client.view(&users().named("users", json!([])));
    assert_eq!(column(&later.complete(), "id"), ["u1", "u2"]);
    client.until_state("connected");
}

#[test]
fn custom_mutations_land_and_rejected_ones_roll_back() {
    let (tracker, _app, server) = with_app();
    mutations_land(&server, || {
        let count = "SELECT count(*) FROM _zero_mutations";
        tracker.connect().query_row(count, (), |row| row.get::<_, i64>(0)).expect("a count") == 0
    });
}

/// Custom mutations are carried out by the application, or rejected; `has_no_results` says whether the
/// results of those that failed are gone.
pub(crate) fn mutations_land(server: &Server, has_no_results: impl Fn() -> bool) {
    let client = client(server, "u1", "u1");
    let view = client.view(&named_top(1));
    view.complete();
    let rename = |title: &str| json!({"ops": [{"op": "update", "table": "issue", "value": {"id": "i10", "title": title}}]});
    client.custom("good", rename("Mine"));
    assert_eq!(client.outcome("good", "client")["type"], "success");
    assert_eq!(client.outcome("good", "server")["type"], "success");
    view.until("what the server made of it", |shown| shown.data[0]["title"] == "Mine!");
    // The guess and then the truth; the old title never again: acknowledged with its row.
    let titles = |complete: bool| -> Vec<Json> {
        let shown = view.all().into_iter().filter(|shown| !complete || shown.of == "complete");
        shown.map(|shown| shown.data[0]["title"].clone()).collect()
    };
    let since: Vec<Json> = titles(true).into_iter().skip_while(|title| title != "Mine").collect();
    assert_eq!(since, ["Mine", "Mine!"]);

    let mut bad = rename("Refused");
    bad["reject"] = json!("not this title");
    client.custom("bad", bad);
    let outcome = client.outcome("bad", "server");
    assert_eq!(
        (&outcome["type"], &outcome["error"]["type"]),
        (&json!("error"), &json!("app")),
        "{outcome}"
    );
    assert_eq!(outcome["error"]["message"], "not this title");
    assert_eq!(outcome["error"]["details"], json!({"code": 7}));
    view.until("rolled back", |shown| shown.data[0]["title"] == "Mine!");
    // The result is acknowledged, and then forgotten.
    penstock_postgres_harness::until("no results", has_no_results);
    client.custom("after", rename("After"));
    assert_eq!(client.outcome("after", "server")["type"], "success");
    view.until("the last", |shown| shown.data[0]["title"] == "After!");
    // One that throws in the client is never sent.
    client.custom("thrown", json!({"ops": [], "throwHere": "no"}));
    assert_eq!(client.outcome("thrown", "client")["type"], "error");
}

#[test]
fn an_application_that_refuses_a_token_is_asked_again_with_another() {
    let (_tracker, app, server) = with_app();
    let client = client(&server, "u1", "expired");
    let view = client.view(&named_top(2));
    let state = client.until_state("needs-auth");
    assert_eq!(
        (&state["reason"]["type"], &state["reason"]["status"]),
        (&json!("query"), &json!(401)),
        "{state}"
    );
    client.connect(Some("u1"));
    assert_eq!(column(&view.complete(), "id"), ["i10", "i9"]);
    assert_eq!(app.tokens(), [Some("u1".to_owned())]);
    // Refreshed while it is connected: the connection stays.
    let before = client.states();
    client.connect(Some("u1-again"));
    client.view(&users().named("users", json!([]))).complete();
    assert_eq!(client.states(), before);
    // The application is shown the new one from then on, also with mutations.
    client.custom("later", json!({"ops": []}));
    assert_eq!(client.outcome("later", "server")["type"], "success");
    let last = |path: &str| app.asked(path).last().and_then(|of| of.token().map(str::to_owned));
    assert_eq!(last("/query").as_deref(), Some("u1-again"));
    assert_eq!(last("/mutate").as_deref(), Some("u1-again"));
}

#[test]
fn the_application_knows_the_user_better() {
    let (_tracker, _app, server) = with_app();
    let client = client(&server, "u1", "u2");
    let view = client.view(&named_top(2));
    client.until_state("needs-auth");
    assert_eq!(view.now().data, json!([]));
    client.connect(Some("u1"));
    assert_eq!(column(&view.complete(), "id"), ["i10", "i9"]);
}

#[test]
fn an_application_that_is_down_is_an_error_until_somebody_tries_again() {
    let (_tracker, app, server) = with_app();
    app.set_status(Some(400));
    let client = client(&server, "u1", "u1");
    let view = client.view(&named_top(2));
    let state = client.until_state("error");
    assert!(state["reason"].as_str().is_some_and(|reason| reason.contains("400")), "{state}");
    app.set_status(None);
    client.connect(None);
    assert_eq!(column(&view.complete(), "id"), ["i10", "i9"]);
}

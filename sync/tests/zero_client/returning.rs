//! Clients that lose their connection, and servers that come back.

use std::sync::{Arc, Mutex};

use penstock_postgres_harness::Proxy;
use serde_json::{Value as Json, json};

use super::client::same;
use super::tracker::{Tracker, client, column, top, users};
use crate::support::relay::{Passes, Relay, Way};
use crate::support::server::Server;

fn proxied(server: &Server) -> (Proxy, String) {
    let proxy = Proxy::to(server.port()).expect("a proxy");
    let url = format!("http://127.0.0.1:{}", proxy.port());
    (proxy, url)
}

#[test]
fn what_happened_while_it_was_away_is_caught_up() {
    let tracker = Tracker::new();
    let server = tracker.serve();
    let (proxy, url) = proxied(&server);
    let client = client(&url);
    let (view, people) = (client.view(&top(3)), client.view(&users()));
    view.complete();
    people.complete();
    proxy.refuse(true);
    proxy.cut();
    client.until_state("connecting");
    tracker.write(
        "DELETE FROM issue WHERE id = 'i10'; UPDATE issue SET title = 'Later' WHERE id = 'i9';
        INSERT INTO issue VALUES ('n', 'New', 1, 8.5, NULL, NULL)",
    );
    // Written while it is away: it is sent when it is back.
    client.crud(
        "away",
        json!([{"op": "insert", "table": "user", "value": {"id": "u3", "name": "Edsger"}}]),
    );
    people.until("optimistic", |shown| column(&shown.data, "id") == ["u1", "u2", "u3"]);
    assert_eq!(column(&view.now().data, "id"), ["i10", "i9", "i8"]);
    let before = proxy.bytes_passed();
    proxy.refuse(false);
    let shown = view.until("caught up", |shown| column(&shown.data, "id") == ["i9", "n", "i8"]);
    assert_eq!(shown.data[0]["title"], "Later");
    assert!(proxy.bytes_passed() > before);
    penstock_postgres_harness::until("the user is stored", || {
        let count = "SELECT count(*) FROM user WHERE id = 'u3'";
        tracker.connect().query_row(count, (), |row| row.get::<_, i64>(0)).expect("a count") == 1
    });
    // A view made now is complete without anything new to be sent.
    client.until_state("connected");
    assert_eq!(column(&client.view(&top(3)).complete(), "id"), ["i9", "n", "i8"]);
}

/// Stops a server in one way and starts another over the same file, then looks at a client.
fn comes_back(lose_state: bool, stop: fn(&mut Server)) {
    let tracker = Tracker::new();
    let mut server = tracker.serve();
    let (proxy, url) = proxied(&server);
    let client = client(&url);
    let view = client.view(&top(3));
    view.complete();
    client.crud(
        "first",
        json!([{"op": "update", "table": "issue", "value": {"id": "i8", "rank": 11}}]),
    );
    view.until("written", |shown| column(&shown.data, "id") == ["i8", "i10", "i9"]);
    penstock_postgres_harness::until("stored", || {
        let rank = "SELECT rank FROM issue WHERE id = 'i8'";
        tracker.connect().query_row(rank, (), |row| row.get::<_, f64>(0)).expect("a rank") == 11.0
    });
    stop(&mut server);
    client.until_state("connecting");
    tracker.write("DELETE FROM issue WHERE id = 'i10'; UPDATE issue SET rank = 20 WHERE id = 'i1'");
    if lose_state {
        for file in ["state.db", "state.db-wal", "state.db-shm"] {
            let _ = std::fs::remove_file(tracker.state().with_file_name(file));
        }
    }
    client.crud(
        "away",
        json!([{"op": "update", "table": "issue", "value": {"id": "i9", "title": "Away"}}]),
    );
    server.start();
    proxy.point_to(server.port());
    let shown = view.until("the new list", |shown| column(&shown.data, "id") == ["i1", "i8", "i9"]);
    assert_eq!(shown.data[2]["title"], "Away");
    penstock_postgres_harness::until("stored after all", || {
        let title = "SELECT title FROM issue WHERE id = 'i9'";
        tracker.connect().query_row(title, (), |row| row.get::<_, String>(0)).expect("a title")
            == "Away"
    });
    client.until_state("connected");
    let told = client.told();
    assert_eq!((&told["stateNotFound"], &told["updateNeeded"]), (&json!(0), &json!([])), "{told}");
    // New queries and new writes work as before.
    let people = client.view(&users());
    assert_eq!(people.complete().as_array().map(Vec::len), Some(2));
    client.crud("last", json!([{"op": "delete", "table": "issue", "value": {"id": "i1"}}]));
    tracker.write("UPDATE user SET name = 'Bob' WHERE id = 'u1'");
    people.until("the name", |shown| shown.data[0]["name"] == "Bob");
    view.until("without it", |shown| column(&shown.data, "id") == ["i8", "i9", "i7"]);
    // No state that it showed was empty in between: it never started over before its user's eyes.
    let complete = view.all().into_iter().skip_while(|shown| shown.of != "complete");
    assert!(complete.into_iter().all(|shown| !same(&shown.data, &json!([]))));
}

#[test]
fn a_server_that_was_stopped_comes_back() {
    comes_back(false, Server::stop);
}

#[test]
fn a_server_that_crashed_comes_back() {
    comes_back(false, Server::kill);
}

#[test]
fn a_server_that_lost_its_state_comes_back() {
    comes_back(true, Server::kill);
}

#[test]
fn a_connection_that_goes_silent_is_replaced() {
    let tracker = Tracker::new();
    let server = tracker.serve();
    let (proxy, url) = proxied(&server);
    let options = super::tracker::options("u1", json!({"pingTimeoutMs": 500}));
    let client = super::client::Client::open(&url, options);
    let view = client.view(&top(2));
    view.complete();
    proxy.strand();
    tracker.write("DELETE FROM issue WHERE id = 'i10'");
    view.until("without it", |shown| column(&shown.data, "id") == ["i9", "i8"]);
    assert!(proxy.connections_made() > 1);
}

/// Makes of this server's frames those of another: with cookies that this one cannot know, and telling
/// the client which of its queries are known to be wanted.
fn as_another(frame: &str, url: &str, pokes: &mut u64) -> String {
    let mut message: Json = serde_json::from_str(frame).expect("JSON");
    let cookie = |pokes: u64| if pokes == 0 { Json::Null } else { json!(format!("6{pokes:08}")) };
    match message[0].as_str() {
        Some("pokeStart") => message[1]["baseCookie"] = cookie(*pokes),
        Some("pokePart") => {
            let parameters = url.split(['?', '&']).filter_map(|pair| pair.split_once('='));
            let client =
                parameters.filter(|(name, _)| *name == "clientID").map(|(_, id)| id).next();
            if let Some(got) = message[1].get("gotQueriesPatch").cloned() {
                message[1]["desiredQueriesPatches"] = json!({client.expect("a client"): got});
            }
        }
        Some("pokeEnd") => {
            *pokes += 1;
            message[1]["cookie"] = cookie(*pokes);
        }
        _ => {}
    }
    message.to_string()
}

#[test]
fn a_client_of_another_server_is_taken_over() {
    let tracker = Tracker::new();
    let mut server = tracker.serve();
    let (pokes, upgrades) = (Mutex::new(0), Arc::new(Mutex::new(Vec::<String>::new())));
    let noted = Arc::clone(&upgrades);
    let relay = Relay::to(server.port(), move |way, url, frame| {
        if frame.starts_with("[\"connected\"") {
            noted.lock().expect("no holder panics").push(url.to_owned());
        }
        match way == Way::ToClient && url.contains("baseCookie=&") {
            true => {
                let mut pokes = pokes.lock().expect("no holder panics");
                Passes::Instead(vec![as_another(frame, url, &mut pokes)])
            }
            false => Passes::AsItIs,
        }
    });
    let client = client(&relay.url());
    let (view, people) = (client.view(&top(2)), client.view(&users()));
    assert_eq!(column(&view.complete(), "id"), ["i10", "i9"]);
    people.complete();
    server.kill();
    for file in ["state.db", "state.db-wal", "state.db-shm"] {
        let _ = std::fs::remove_file(tracker.state().with_file_name(file));
    }
    tracker.write("DELETE FROM issue WHERE id = 'i10'");
    client.crud(
        "away",
        json!([{"op": "update", "table": "issue", "value": {"id": "i9", "title": "Away"}}]),
    );
    server.start();
    relay.point_to(server.port());
    view.until("without it", |shown| {
        shown.of == "complete" && column(&shown.data, "id") == ["i9", "i8"]
    });
    people.until("the people", |shown| shown.of == "complete" && shown.data[1]["name"] == "Grace");
    penstock_postgres_harness::until("stored", || {
        let title = "SELECT title FROM issue WHERE id = 'i9'";
        tracker.connect().query_row(title, (), |row| row.get::<_, String>(0)).expect("a title")
            == "Away"
    });
    tracker.write("UPDATE issue SET title = 'Live' WHERE id = 'i8'");
    view.until("live", |shown| shown.data[1]["title"] == "Live");
    let told = client.told();
    assert_eq!((&told["stateNotFound"], &told["updateNeeded"]), (&json!(0), &json!([])), "{told}");
    let upgrades = upgrades.lock().expect("no holder panics");
    let from = |start: &str| upgrades.iter().filter(|url| url.contains(start)).count();
    assert_eq!((from("baseCookie=&"), from("baseCookie=6")), (1, 1), "{upgrades:?}");
    assert_eq!(from("baseCookie=z"), 1, "{upgrades:?}");
}

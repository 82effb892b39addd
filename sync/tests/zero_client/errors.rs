//! What the published client makes of each kind of error. Most are put between it and the server, in the
//! form in which this server writes them; the others it brings about.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use penstock_postgres_harness::until;
use penstock_sync::protocol::error::{ErrorBody, ErrorKind};
use serde_json::{Value as Json, json};

use super::client::{Client, View};
use super::tracker::{Tracker, options, top};
use crate::support::relay::{Passes, Relay, Way};
use crate::support::server::Server;

/// What goes through the relay, and what is to be put into it.
#[derive(Default)]
struct Passed {
    /// An error in the place of the next frame but `connected`, and whether it is the last.
    error: Option<(String, bool)>,
    /// The URLs of the upgrades, each with when its `connected` came.
    upgrades: Vec<(String, Instant)>,
}

/// A client at a relay, of which the view shows the issue with the highest rank.
struct Scene<'s> {
    tracker: &'s Tracker,
    client: &'s Client,
    view: &'s View<'s>,
    passed: &'s Mutex<Passed>,
}

#[expect(clippy::disallowed_methods, reason = "how long a client waits is part of what is tested")]
fn now() -> Instant {
    Instant::now()
}

fn hook(passed: &Mutex<Passed>, way: Way, url: &str, frame: &str) -> Passes {
    let mut passed = passed.lock().expect("no holder panics");
    if way == Way::ToServer {
        return Passes::AsItIs;
    }
    if frame.starts_with("[\"connected\"") {
        passed.upgrades.push((url.to_owned(), now()));
        return Passes::AsItIs;
    }
    match passed.error.take() {
        None => Passes::AsItIs,
        Some((error, true)) => Passes::Last(vec![error]),
        Some((error, false)) => Passes::Instead(vec![error, frame.to_owned()]),
    }
}

fn play(then: impl FnOnce(&Scene<'_>)) {
    let tracker = Tracker::new();
    let server = tracker.serve();
    let passed: Arc<Mutex<Passed>> = Arc::default();
    let shared = Arc::clone(&passed);
    let relay = Relay::to(server.port(), move |way, url, frame| hook(&shared, way, url, frame));
    let client = Client::open(&relay.url(), options("u1", json!({"auth": "first"})));
    let view = client.view(&top(1));
    view.complete();
    client.until_state("connected");
    then(&Scene { tracker: &tracker, client: &client, view: &view, passed: &passed });
}

impl Scene<'_> {
    /// Has the server say something, and the error come in its place.
    fn fails(&self, error: &str, is_last: bool, title: &str) {
        self.passed.lock().expect("no holder panics").error = Some((error.to_owned(), is_last));
        self.tracker.write(&format!("UPDATE issue SET title = '{title}' WHERE id = 'i10'"));
    }

    /// Waits until the view shows a title.
    fn shows(&self, title: &str) {
        self.view.until(title, |shown| shown.data[0]["title"] == title);
    }

    fn upgrades(&self) -> Vec<(String, Instant)> {
        self.passed.lock().expect("no holder panics").upgrades.clone()
    }

    /// Fails if the client was ever in one of these states.
    fn never(&self, names: &[&str]) {
        let states = self.client.states();
        assert!(!states.iter().any(|state| names.contains(&state.as_str())), "{states:?}");
    }

    /// Fails if the application was ever told to be loaded anew.
    fn stays(&self) {
        let told = self.client.told();
        let expected = (&json!(0), &json!([]));
        assert_eq!((&told["stateNotFound"], &told["updateNeeded"]), expected, "{told}");
    }
}

fn error(kind: ErrorKind) -> ErrorBody {
    ErrorBody::new(kind, "as the test says")
}

/// One that this server never sends.
fn other(kind: &str) -> String {
    json!(["error", {"kind": kind, "message": "as the test says", "origin": "zeroCache"}])
        .to_string()
}

#[test]
fn a_server_that_cannot_go_on_is_tried_again_with_what_it_said() {
    for kind in [ErrorKind::Rehome, ErrorKind::Rebalance, ErrorKind::ServerOverloaded] {
        play(|scene| {
            let soon = error(kind).with("minBackoffMs", 1).with("maxBackoffMs", 50);
            let hint = json!({"hint": kind.name()});
            scene.fails(&soon.clone().with("reconnectParams", hint).frame(), true, "One");
            scene.shows("One");
            scene.fails(&soon.frame(), true, "Two");
            scene.shows("Two");
            let hinted: Vec<bool> = scene
                .upgrades()
                .iter()
                .map(|(url, _)| url.contains(&format!("hint={}", kind.name())))
                .collect();
            assert_eq!(hinted, [false, true, false], "what it said is sent once");
            scene.never(&["error", "needs-auth", "disconnected"]);
            scene.stays();
            let states = scene.client.states();
            assert!(
                states.iter().filter(|state| *state == "connecting").count() >= 2,
                "{states:?}"
            );
        });
    }
}

#[test]
fn a_client_waits_for_as_long_as_it_is_asked_to() {
    play(|scene| {
        let pause = Duration::from_millis(6500);
        let later = error(ErrorKind::ServerOverloaded).with("minBackoffMs", 6500);
        let before = now();
        scene.fails(&later.frame(), true, "Later");
        scene.shows("Later");
        let upgrades = scene.upgrades();
        assert_eq!(upgrades.len(), 2);
        assert!(upgrades[1].1.duration_since(before) >= pause);
        scene.never(&["error", "needs-auth"]);
    });
}

#[test]
fn who_is_not_let_in_waits_for_another_token() {
    let http = |kind: ErrorKind, status: u64, ids: &str| {
        error(kind).with("reason", "http").with("status", status).with(ids, Vec::<Json>::new())
    };
    let errors = [
        error(ErrorKind::Unauthorized),
        error(ErrorKind::AuthInvalidated),
        http(ErrorKind::PushFailed, 401, "mutationIDs"),
        http(ErrorKind::PushFailed, 403, "mutationIDs"),
        http(ErrorKind::TransformFailed, 401, "queryIDs"),
        http(ErrorKind::TransformFailed, 403, "queryIDs"),
    ];
    for error in errors {
        play(|scene| {
            scene.fails(&error.frame(), true, "Locked");
            scene.client.until_state("needs-auth");
            assert_eq!(scene.upgrades().len(), 1, "it does not try again by itself");
            scene.client.connect(Some("second"));
            scene.shows("Locked");
            scene.never(&["error"]);
            scene.stays();
        });
    }
}

#[test]
fn a_client_whose_state_is_gone_says_so() {
    let errors = [
        error(ErrorKind::ClientNotFound).frame(),
        other("InvalidConnectionRequestBaseCookie"),
        other("InvalidConnectionRequestLastMutationID"),
    ];
    for error in errors {
        play(|scene| {
            scene.fails(&error, true, "Gone");
            let told = scene.client.until_told();
            assert_eq!(told["stateNotFound"], json!(1), "{error}: {told}");
            scene.client.until_state("error");
            assert_eq!(told["updateNeeded"], json!([]));
        });
    }
}

#[test]
fn a_client_that_is_too_old_or_too_new_says_so() {
    for kind in [ErrorKind::SchemaVersionNotSupported, ErrorKind::VersionNotSupported] {
        play(|scene| {
            scene.fails(&error(kind).frame(), true, "Other");
            let told = scene.client.until_told();
            assert_eq!(told["updateNeeded"][0]["type"], kind.name(), "{told}");
            assert_eq!(told["stateNotFound"], json!(0));
            scene.client.until_state("error");
        });
    }
}

#[test]
fn what_is_wrong_for_good_stops_a_client_until_it_is_told_to_go_on() {
    let errors = [
        error(ErrorKind::Internal).frame(),
        error(ErrorKind::InvalidMessage).frame(),
        error(ErrorKind::InvalidConnectionRequest).frame(),
        other("InvalidConnectionRequestClientDeleted"),
        error(ErrorKind::InvalidPush).frame(),
        error(ErrorKind::PushFailed)
            .with("reason", "internal")
            .with("mutationIDs", Vec::<Json>::new())
            .frame(),
        error(ErrorKind::TransformFailed)
            .with("reason", "internal")
            .with("queryIDs", Vec::<Json>::new())
            .frame(),
    ];
    for error in errors {
        play(|scene| {
            scene.fails(&error, true, "Stopped");
            let state = scene.client.until_state("error");
            assert_eq!(scene.upgrades().len(), 1, "{error}: it does not try again by itself");
            let reason = state["reason"].as_str().unwrap_or_default();
            assert!(reason.contains("as the test says"), "{state}");
            scene.client.connect(None);
            scene.shows("Stopped");
            scene.stays();
        });
    }
}

#[test]
fn a_mutation_too_many_is_only_logged() {
    play(|scene| {
        scene.fails(&error(ErrorKind::MutationRateLimited).frame(), false, "Kept");
        scene.shows("Kept");
        assert_eq!(scene.upgrades().len(), 1, "the connection is kept");
        scene.never(&["error", "needs-auth"]);
        let told = scene.client.told();
        let logged = told["logs"].as_array().expect("logs").iter();
        let logged =
            logged.filter_map(Json::as_str).filter(|line| line.contains("as the test says"));
        assert_eq!(logged.count(), 1, "{told}");
    });
}

#[test]
fn a_client_whose_mutation_failed_comes_back() {
    play(|scene| {
        scene.fails(&error(ErrorKind::MutationFailed).frame(), false, "Failed");
        scene.shows("Failed");
        until("it comes back", || scene.upgrades().len() == 2);
        scene.client.until_state("connected");
        scene.tracker.write("UPDATE issue SET title = 'After' WHERE id = 'i10'");
        scene.shows("After");
        scene.never(&["error", "needs-auth"]);
        scene.stays();
    });
}

#[test]
fn mutations_that_are_too_many_come_late_and_not_never() {
    let tracker = Tracker::new();
    let environment = [
        ("ZERO_PER_USER_MUTATION_LIMIT_MAX", "2".to_owned()),
        ("ZERO_PER_USER_MUTATION_LIMIT_WINDOW_MS", "1500".to_owned()),
    ];
    let server = Server::sqlite_with(&tracker.file(), &["--allow-all"], &environment);
    let client = Client::open(&server.url(), options("u1", json!({})));
    let view = client.view(&top(1));
    view.complete();
    let write = |n: u64| {
        let value = json!({"id": "i10", "title": format!("Take {n}")});
        let ops = json!([{"op": "update", "table": "issue", "value": value}]);
        client.crud(&format!("m{n}"), ops);
    };
    (1..=3).for_each(write);
    until("the limit is reached", || {
        let told = client.told();
        told["logs"]
            .as_array()
            .expect("logs")
            .iter()
            .any(|line| line.to_string().contains("too many"))
    });
    // The next one brings it along, after the window.
    std::thread::sleep(Duration::from_millis(1600));
    write(4);
    let last = "SELECT lastMutationID FROM _zero_clients";
    until("all are carried out", || {
        let done: i64 = tracker.connect().query_row(last, (), |row| row.get(0)).expect("a number");
        done == 4
    });
    view.until("the last", |shown| shown.data[0]["title"] == "Take 4");
    let states = client.states();
    assert!(!states.iter().any(|state| state == "error"), "{states:?}");
}

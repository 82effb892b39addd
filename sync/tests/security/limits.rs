//! Limits that no other attack here hits: each bites, is told in the way that the client reacts to as it
//! should, and is seen in the metrics and at `/inspect.json`.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::hostile::{Hostile, a_moment, init};
use crate::world::{SECRET, World, now, put, signed, token};

#[tokio::test]
async fn all_limits_are_shown_with_how_often_they_were_hit() {
    let world = World::new("shown", &["--max-queries", "7", "--max-silent-ms", "54321"]);
    let (code, text) = world.get("/inspect.json");
    assert_eq!(code, 200, "{text}");
    let report: Json = serde_json::from_str(&text).expect("JSON");
    let shown = report["limits"].as_object().expect("limits");
    let hub = penstock_sync::hub::Limits::default().named();
    let sockets = penstock_sync::server::Limits::default().named();
    // That of mutations is without a value where it is not set.
    assert_eq!(shown["mutation_rate"], json!({"limit": null, "hits": 0}));
    assert_eq!(shown.len(), hub.len() + sockets.len() + 1);
    for (limit, default) in hub.into_iter().chain(sockets) {
        let name = limit.name();
        let expected = match name {
            "queries" => 7,
            "silent_ms" => 54_321,
            "connections" => shown[name]["limit"].as_u64().expect("a number").min(default),
            _ => default,
        };
        assert_eq!(shown[name], json!({"limit": expected, "hits": 0}), "{name}");
        let metric = world.metric(&format!("penstock_limit{{limit=\"{name}\"}}"));
        assert_eq!(metric, expected as f64, "{name}");
        assert_eq!(world.hits(name), 0.0, "{name}");
    }
    world.is_well().await;
}

/// Connects and says what it wants; the error that it is told.
async fn refused(world: &World, name: &str, first: &Json) -> Json {
    let mut hostile = Hostile::connect(world, name, "ada", Some(&token("ada"))).await;
    hostile.say(&first.to_string()).await;
    let error = hostile.end().await.expect("an error");
    hostile.has_learnt_nothing();
    error
}

#[tokio::test]
async fn long_names_and_first_messages_are_no_messages() {
    let world =
        World::new("long-names", &["--max-name-bytes", "100", "--max-initial-bytes", "1000"]);
    let long = "x".repeat(101);
    let error = refused(&world, &long, &init(&json!([]))).await;
    assert_eq!(error["kind"], "InvalidConnectionRequest");
    let with = |change: &dyn Fn(&mut Json)| {
        let mut first = init(&json!([]));
        change(&mut first[1]);
        first
    };
    let firsts = [
        init(&put(&long, &json!({"table": "note"}))),
        json!(["changeDesiredQueries", {"desiredQueriesPatch": [{"op": "del", "hash": long}]}]),
        json!(["deleteClients", {"clientIDs": [long]}]),
        json!(["ackMutationResponses", {"clientID": long, "id": 1}]),
        json!(["push", {"clientGroupID": "g-n", "mutations": [{"type": "crud", "id": 1, "clientID": long,
            "name": "_zero_crud", "args": []}], "pushVersion": 1, "timestamp": 1, "requestID": "r"}]),
        with(&|body| body["clientSchema"] = json!({"tables": {"note": {"x": "y".repeat(1000)}}})),
        with(&|body| body["userQueryHeaders"] = json!({"x": "y".repeat(1000)})),
        with(&|body| body["userPushHeaders"] = json!({"x": "y".repeat(1000)})),
        with(&|body| body["userQueryURL"] = "y".repeat(1001).into()),
    ];
    for (at, first) in firsts.iter().enumerate() {
        let error = refused(&world, &format!("n{at}"), first).await;
        assert_eq!(error["kind"], "InvalidMessage", "{at}");
    }
    assert_eq!(world.hits("name_bytes") + world.hits("initial_bytes"), 10.0);
    world.is_well().await;
}

#[tokio::test]
async fn groups_and_clients_beyond_the_limits_come_again() {
    let world = World::new("crowd", &["--max-groups", "5", "--max-clients", "3"]);
    let mut open = Vec::new();
    for at in 0..5 {
        open.push(Hostile::ada(&world, &format!("crowd{at}")).await);
    }
    for one in &mut open {
        assert!(one.settle().await);
    }
    let error = refused(&world, "one-more", &init(&json!([]))).await;
    // The kind at which a client stays as it is and comes again, later.
    assert_eq!(
        (&error["kind"], &error["origin"]),
        (&json!("ServerOverloaded"), &json!("zeroCache"))
    );
    assert!(error["minBackoffMs"].as_u64().is_some_and(|ms| ms >= 1000), "{error}");
    // Of one group: as many clients as may be, and one more.
    let client = |at: usize| {
        format!(
            "/sync/v51/connect?clientID=m{at}&clientGroupID=g-crowd0&userID=ada&baseCookie=&wsid=w"
        )
    };
    let header = crate::hostile::protocol(&json!({"authToken": token("ada")}));
    for at in 0..2 {
        let mut one = Hostile::open(&world, &client(at), &header).await.expect("the upgrade");
        one.say(&init(&json!([])).to_string()).await;
        assert!(one.settle().await);
        open.push(one);
    }
    let mut more = Hostile::open(&world, &client(2), &header).await.expect("the upgrade");
    assert_eq!(more.end_kind().await.as_deref(), Some("ServerOverloaded"));
    assert_eq!((world.hits("groups"), world.hits("clients")), (1.0, 1.0));
    // With one gone there is room.
    drop(open.pop());
    world.until("it is gone", || world.metric("penstock_connections") < 7.0);
    let mut more = Hostile::open(&world, &client(2), &header).await.expect("the upgrade");
    more.say(&init(&json!([])).to_string()).await;
    assert!(more.settle().await);
}

#[tokio::test]
async fn frames_wait_for_those_before_them() {
    // Mutations take a while; nobody can have the server keep any number of them.
    let world = World::new("flood", &["--max-unhandled-bytes", "20000"]);
    let mut hostile = Hostile::ada(&world, "flood").await;
    let other = rusqlite::Connection::open(world.file()).expect("the file");
    other.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let frame = |id: usize| {
        let mutation = json!({"type": "crud", "id": id, "clientID": "c-flood", "name": "_zero_crud",
            "args": [{"ops": []}], "timestamp": 1});
        json!(["push", {"clientGroupID": "g-flood", "mutations": [mutation], "pushVersion": 1,
            "timestamp": 1, "requestID": "r".repeat(5000)}])
    };
    for id in 1..=50 {
        let text = frame(id).to_string();
        // The server reads no more of them at some time; then they wait in the system, and here.
        let said = tokio::time::timeout(Duration::from_millis(300), hostile.say(&text)).await;
        if said.is_err() {
            break;
        }
    }
    world.until("it reads no more", || world.hits("unhandled_bytes") >= 1.0);
    assert!(world.metric("penstock_received_frames_total") < 20.0);
    other.execute_batch("ROLLBACK").expect("no lock");
    drop(hostile);
    world.is_well().await;
}

#[tokio::test]
async fn a_client_is_sent_signs_of_life_and_closed_without_its_own() {
    let world = World::new("signs", &["--quiet-ms", "200", "--max-silent-ms", "1500"]);
    let mut hostile = Hostile::ada(&world, "signs").await;
    let mut signs = 0;
    while let Some(frame) = hostile.next().await {
        signs += usize::from(frame[0] == "pong");
    }
    assert!(signs >= 2, "{signs}");
    assert_eq!(world.hits("silent_ms"), 1.0);
    world.is_well().await;
}

#[tokio::test]
async fn a_token_that_expires_ends_its_connection() {
    let world = World::new("expiry", &[]);
    let auth = signed(&json!({"sub": "ada", "exp": now() + 2}), SECRET);
    let mut hostile = Hostile::connect(&world, "expiry", "ada", Some(&auth)).await;
    hostile.say(&init(&json!([])).to_string()).await;
    assert!(hostile.settle().await);
    a_moment().await;
    assert_eq!(hostile.end_kind().await.as_deref(), Some("AuthInvalidated"));
    world.is_well().await;
}

/// An application that never answers.
fn deaf() -> (std::net::TcpListener, String) {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let url = format!("http://{}/query", listener.local_addr().expect("an address"));
    (listener, url)
}

#[tokio::test]
async fn questions_to_the_application_are_limited() {
    let (application, url) = deaf();
    let world = World::new("questions", &["--query-url", &url, "--max-questions", "4"]);
    let mut hostile = Hostile::ada(&world, "questions").await;
    for at in 0..8 {
        let put =
            json!([{"op": "put", "hash": format!("n{at}"), "ttl": 0, "name": "q", "args": [at]}]);
        hostile
            .say(&json!(["changeDesiredQueries", {"desiredQueriesPatch": put}]).to_string())
            .await;
    }
    assert_eq!(hostile.end_kind().await.as_deref(), Some("Rebalance"));
    assert_eq!(world.hits("questions"), 1.0);
    drop(application);
}

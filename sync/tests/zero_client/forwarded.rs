//! What of a client's connection reaches the application's endpoints.

use serde_json::{Value as Json, json};

use super::app::App;
use super::tracker::{Tracker, schema};
use crate::support::application::Request;
use crate::support::raw::{Raw, Who};
use crate::support::server::Server;

/// A client with cookies and an origin, as a browser sends them, asks for a named query and mutates;
/// its last requests for both are returned.
async fn asked(more: &[(&'static str, &str)], init: Json) -> (Request, Request) {
    let tracker = Tracker::new();
    let app = App::start(&tracker.file());
    let mut environment = app.environment().to_vec();
    environment.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let server = Server::sqlite_with(&tracker.file(), &[], &environment);
    let who = Who {
        auth: Some("u1".to_owned()),
        headers: vec![("Cookie", "session=1; theme=dark"), ("Origin", "https://page.example")],
        late: true,
        ..Who::new("forwarded", json!({"tables": {"user": schema()["tables"]["user"]}}))
    };
    let query = json!({"op": "put", "hash": "h", "ttl": 0, "name": "users", "args": []});
    let raw =
        Raw::connect_with(server.port(), &who, Default::default(), json!([query]), init).await;
    let mut raw = raw.expect("the server accepts");
    raw.until_got(&["h"]).await;
    let mutation = json!({"type": "custom", "id": 1, "clientID": who.client, "name": "apply",
        "args": [{"reject": "no"}], "timestamp": 1});
    raw.send(
        &json!(["push", {"clientGroupID": who.group, "mutations": [mutation], "pushVersion": 1,
        "timestamp": 1, "requestID": "r"}]),
    )
    .await;
    raw.until("a result", |session| session.store().result(&who.client, 1).is_some()).await;
    raw.send(&json!(["ackMutationResponses", {"clientID": who.client, "id": 1}])).await;
    raw.until("no result", |session| session.store().result(&who.client, 1).is_none()).await;
    let last = |path: &str| app.asked(path).pop().expect("a request");
    let mutations = app.asked("/mutate");
    assert_eq!(
        mutations.last().map(|of| &of.body["mutations"][0]["name"]),
        Some(&json!("_zero_cleanupResults"))
    );
    // Both kinds of requests for mutations say the same of the client.
    let shown = |of: &Request| {
        ["cookie", "origin", "authorization", "x-trace"]
            .map(|name| of.header(name).map(str::to_owned))
    };
    assert_eq!(shown(&mutations[0]), shown(&mutations[mutations.len() - 1]));
    (last("/query"), last("/mutate"))
}

#[tokio::test]
async fn the_origin_is_passed_on_and_cookies_are_not() {
    let (query, mutation) = asked(&[], json!({})).await;
    for request in [query, mutation] {
        assert_eq!(request.header("origin"), Some("https://page.example"));
        assert_eq!(request.header("cookie"), None);
        assert_eq!(request.token(), Some("u1"));
    }
}

#[tokio::test]
async fn cookies_are_passed_on_where_it_is_asked_for() {
    let cookies = Some("session=1; theme=dark");
    let (query, mutation) = asked(&[("ZERO_QUERY_FORWARD_COOKIES", "true")], json!({})).await;
    assert_eq!((query.header("cookie"), mutation.header("cookie")), (cookies, None));
    let (query, mutation) = asked(&[("ZERO_MUTATE_FORWARD_COOKIES", "true")], json!({})).await;
    assert_eq!((query.header("cookie"), mutation.header("cookie")), (None, cookies));
}

#[tokio::test]
async fn headers_that_the_client_names_are_passed_on_where_they_are_allowed() {
    let headers = json!({"X-Trace": "t1", "X-Other": "o", "Cookie": "forged=1"});
    let init = json!({"userQueryHeaders": headers, "userPushHeaders": headers});
    let allowed = [
        ("ZERO_QUERY_ALLOWED_CLIENT_HEADERS", "x-trace,cookie"),
        ("ZERO_MUTATE_ALLOWED_CLIENT_HEADERS", "x-trace,cookie"),
    ];
    let (query, mutation) = asked(&allowed, init).await;
    for request in [query, mutation] {
        assert_eq!(request.header("x-trace"), Some("t1"));
        assert_eq!((request.header("x-other"), request.header("cookie")), (None, None));
    }
}

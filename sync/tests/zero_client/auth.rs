//! Tokens: missing, expired, refreshed, of somebody else.

use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value as Json, json};

use super::client::Client;
use super::tracker::{Tracker, column, options, top};
use crate::support::server::Server;

const SECRET: &str = "a secret that is long enough for what it is for";

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "tokens expire by the clock")]
fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("after 1970").as_secs()
}

/// A token of a user, good for some seconds.
fn token(user: &str, seconds: i64, secret: &str) -> String {
    let claims = json!({"sub": user, "exp": now().saturating_add_signed(seconds)});
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::default(), &claims, &key).expect("a token")
}

fn serve(tracker: &Tracker) -> Server {
    let state = tracker.state();
    let state = state.to_string_lossy();
    let environment = [("ZERO_AUTH_SECRET", SECRET.to_owned())];
    Server::sqlite_with(&tracker.file(), &["--allow-all", "--state", &state], &environment)
}

fn client(server: &Server, auth: Option<&str>) -> Client {
    let auth = auth.map_or(json!({}), |auth| json!({"auth": auth}));
    Client::open(&server.url(), options("u1", auth))
}

#[test]
fn without_a_good_token_nothing_is_shown_until_there_is_one() {
    let tracker = Tracker::new();
    let server = serve(&tracker);
    let header = |text: &str| {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
    };
    let unsigned = format!(
        "{}.{}.",
        header(r#"{"alg":"none","typ":"JWT"}"#),
        header(&json!({"sub": "u1", "exp": now() + 1000}).to_string())
    );
    let bad = [
        None,
        Some(token("u1", -1000, SECRET)),
        Some(token("u1", 1000, "another secret, just as long as the real one")),
        Some(token("u2", 1000, SECRET)),
        Some(unsigned),
        Some("nonsense".to_owned()),
    ];
    for auth in bad {
        let client = client(&server, auth.as_deref());
        let view = client.view(&top(1));
        let state = client.until_state("needs-auth");
        assert_eq!(view.now().data, json!([]), "{auth:?}: {state}");
        client.connect(Some(&token("u1", 1000, SECRET)));
        assert_eq!(column(&view.complete(), "id"), ["i10"]);
    }
}

#[test]
fn a_token_is_refreshed_without_a_new_connection() {
    let tracker = Tracker::new();
    let server = serve(&tracker);
    let client = client(&server, Some(&token("u1", 1000, SECRET)));
    let view = client.view(&top(1));
    view.complete();
    client.connect(Some(&token("u1", 2000, SECRET)));
    tracker.write("DELETE FROM issue WHERE id = 'i10'");
    view.until("without it", |shown| column(&shown.data, "id") == ["i9"]);
    let connected = client.states().iter().filter(|state| *state == "connected").count();
    assert_eq!(connected, 1, "{:?}", client.states());
}

#[test]
fn a_token_that_expires_ends_what_it_allowed() {
    let tracker = Tracker::new();
    let server = serve(&tracker);
    let client = client(&server, Some(&token("u1", 3, SECRET)));
    let view = client.view(&top(1));
    client.until_state("needs-auth");
    let held: Json = view.now().data;
    tracker.write("UPDATE issue SET title = 'Secret' WHERE id = 'i10'");
    client.connect(Some(&token("u1", 1000, SECRET)));
    let shown = view.until("the new title", |shown| shown.data[0]["title"] == "Secret");
    assert_ne!(shown.data, held);
}

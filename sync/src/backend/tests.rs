use std::sync::atomic::{AtomicU64, Ordering};

use jsonwebtoken::{EncodingKey, Header, encode};
use penstock::Database;

use super::*;
use crate::app::App;
use crate::auth;
use crate::endpoint;
use crate::protocol::upstream::Upstream;
use crate::rules::{Rules, SharedRules};
use crate::test_http::TestServer;
use crate::writes::sqlite::SqliteWriter;

const SECRET: &str = "a secret of this test, long enough";

fn verifier(secret: Option<&str>) -> Verifier {
    let secret = secret.map(str::to_owned);
    let settings = auth::Settings { secret, ..auth::Settings::default() };
    Verifier::new(&settings, Arc::new(|| 1000.0)).expect("good settings")
}

fn token(claims: &Json) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(SECRET.as_bytes()))
        .expect("a token")
}

/// A database with one table, and what writes into it.
fn written() -> (Database, Arc<dyn Writer>) {
    let options = penstock::SqliteOptions::new(":memory:");
    let db = Database::open_with(options).expect("a database");
    db.transaction(|tx| tx.change_schema("CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL)"))
        .expect("a table");
    let writer =
        SqliteWriter::new(db.clone(), SharedRules::new(Rules::allow_all())).expect("a writer");
    (db, Arc::new(writer))
}

fn crud(id: u64) -> Json {
    let op = json!({"op": "insert", "tableName": "t", "primaryKey": ["id"], "value": {"id": id}});
    json!({"type": "crud", "id": id, "clientID": "c", "name": "_zero_crud", "args": [{"ops": [op]}]})
}

fn custom(id: u64) -> Json {
    json!({"type": "custom", "id": id, "clientID": "c", "name": "make", "args": [{"n": id}]})
}

fn caller(user: Option<&str>) -> Caller {
    let (user, auth) = (user.map(str::to_owned), Some("token".to_owned()));
    Caller { user, auth, ..Caller::default() }
}

fn job(user: Option<&str>, mutations: &[Json]) -> PushJob {
    let body = json!({"clientGroupID": "g", "mutations": mutations, "pushVersion": 1, "timestamp": 1, "requestID": "r"});
    let push = match Upstream::from_json(&json!(["push", body])) {
        Ok(Upstream::Push(push)) => push,
        other => panic!("a push, found {other:?}"),
    };
    let claims = json!({ "sub": user });
    PushJob {
        caller: caller(user),
        claims: Claims { members: claims.as_object().cloned().unwrap_or_default() },
        push,
    }
}

fn rows(db: &Database) -> usize {
    db.query_sql("SELECT id FROM t", ()).expect("rows").len()
}

fn kind(done: Result<impl std::fmt::Debug, ErrorBody>) -> ErrorKind {
    done.expect_err("an error").kind
}

#[tokio::test]
async fn a_connection_is_whose_its_token_is() {
    let backend = Backend::new(verifier(Some(SECRET)), Arc::new(|| 0.0));
    let verify = |token: Option<String>, user: Option<&'static str>| {
        let backend = &backend;
        async move { backend.verify(token.as_deref(), user).await }
    };
    let ada = || Some(token(&json!({"sub": "ada"})));
    assert_eq!(
        verify(ada(), Some("ada")).await.map(|claims| claims.user().map(str::to_owned)),
        Ok(Some("ada".to_owned()))
    );
    assert_eq!(kind(verify(ada(), Some("bob")).await), ErrorKind::Unauthorized);
    assert_eq!(kind(verify(ada(), None).await), ErrorKind::Unauthorized);
    assert_eq!(kind(verify(None, Some("ada")).await), ErrorKind::Unauthorized);
    assert_eq!(verify(None, None).await, Ok(Claims::default()));
    assert_eq!(verify(None, Some("anon")).await, Ok(Claims::default()));
    let old = token(&json!({"sub": "ada", "exp": 900}));
    assert_eq!(kind(verify(Some(old), Some("ada")).await), ErrorKind::AuthInvalidated);
    assert_eq!(kind(verify(Some("x".to_owned()), Some("ada")).await), ErrorKind::Unauthorized);
    let opaque = Backend::new(verifier(None), Arc::new(|| 0.0));
    assert_eq!(opaque.verify(Some("anything"), Some("ada")).await, Ok(Claims::default()));
    assert_eq!(opaque.verify(None, Some("ada")).await, Ok(Claims::default()));
}

#[tokio::test]
async fn mutations_go_where_they_belong_in_order() {
    let (db, writer) = written();
    let application = TestServer::start(|asked| {
        let _ = asked;
        (200, json!({"mutations": []}).to_string())
    })
    .await;
    let settings =
        endpoint::Settings { urls: vec![application.url.clone()], ..endpoint::Settings::default() };
    let endpoint = Endpoint::new(settings, App::default()).expect("good settings");
    let backend = Backend {
        writer: Some(writer),
        mutators: Some(endpoint),
        ..Backend::new(verifier(None), Arc::new(|| 5.0))
    };
    let mixed = [crud(1), crud(2), custom(3), custom(4), crud(3), custom(5)];
    assert_eq!(backend.push(&job(Some("ada"), &mixed)).await, Ok(()));
    assert_eq!(rows(&db), 3);
    let asked = application.asked();
    let sent: Vec<&Json> = asked.iter().map(|asked| &asked.body["mutations"]).collect();
    assert_eq!(sent, [&json!([custom(3), custom(4)]), &json!([custom(5)])]);
    assert_eq!(asked[0].header("authorization"), Some("Bearer token"));
    // Again, as after a connection that broke.
    assert_eq!(backend.push(&job(Some("ada"), &mixed[..2])).await, Ok(()));
    assert_eq!(kind(backend.push(&job(Some("ada"), &[crud(9)])).await), ErrorKind::InvalidPush);
    assert_eq!(kind(backend.push(&job(Some("ada"), &[crud(0)])).await), ErrorKind::InvalidPush);
    assert_eq!(backend.clean_up("g", "c", 7, &caller(None)).await, Ok(()));
    let cleaned = &application.asked()[2].body["mutations"][0];
    assert_eq!(
        (&cleaned["name"], &cleaned["timestamp"]),
        (&json!("_zero_cleanupResults"), &json!(5000))
    );

    let nothing = Backend::new(verifier(None), Arc::new(|| 0.0));
    assert_eq!(kind(nothing.push(&job(None, &[crud(1)])).await), ErrorKind::InvalidPush);
    assert_eq!(kind(nothing.push(&job(None, &[custom(1)])).await), ErrorKind::PushFailed);
    assert_eq!(nothing.clean_up("g", "c", 7, &Caller::default()).await, Ok(()));
}

#[tokio::test]
async fn who_sends_too_much_is_told_and_can_go_on() {
    let (db, writer) = written();
    let time = Arc::new(AtomicU64::new(100));
    let clock: Clock = {
        let time = Arc::clone(&time);
        Arc::new(move || time.load(Ordering::Relaxed) as f64)
    };
    let backend = Backend {
        writer: Some(writer),
        rate_limit: Some(Mutex::new(RateLimit::new(2, Duration::from_secs(10)))),
        ..Backend::new(verifier(None), clock)
    };
    let ada = Some("ada");
    assert_eq!(backend.push(&job(ada, &[crud(1), crud(2)])).await, Ok(()));
    assert_eq!(kind(backend.push(&job(ada, &[crud(3)])).await), ErrorKind::MutationRateLimited);
    time.store(106, Ordering::Relaxed);
    // The client goes on without the one that was not taken, and is made to come again.
    assert_eq!(kind(backend.push(&job(ada, &[crud(4)])).await), ErrorKind::MutationFailed);
    time.store(120, Ordering::Relaxed);
    assert_eq!(backend.push(&job(ada, &[crud(3), crud(4)])).await, Ok(()));
    assert_eq!(rows(&db), 4);
    // From then on, what is out of order is its own fault.
    time.store(140, Ordering::Relaxed);
    assert_eq!(kind(backend.push(&job(ada, &[crud(9)])).await), ErrorKind::InvalidPush);
}

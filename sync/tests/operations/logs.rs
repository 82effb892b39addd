//! Logs: every line can be read, events carry ids, and what users write stays out.

use penstock_postgres_harness as harness;
use penstock_sync::validate::Store;
use serde_json::{Value as Json, json};

use crate::support::http::until;
use crate::support::raw::Who;
use crate::support::server::{Folder, Server};
use crate::tasks::{all, connect, folder, insert, member, noted, path, put, schema, serve};

const TOKEN: &str = "token-that-nobody-may-see";
const WRITTEN: &str = "what somebody has written";

/// The lines of a log of JSON.
fn lines(server: &Server) -> Vec<Json> {
    let said = server.said();
    let read =
        |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
    said.lines().map(read).collect()
}

/// Waits for an event with a message and fields, which may be those of its span.
fn event(server: &Server, message: &str, fields: &[(&str, Json)]) -> Json {
    let is = |line: &Json| {
        let has =
            |(name, value): &(&str, Json)| line[name] == *value || line["span"][name] == *value;
        line["message"] == message && fields.iter().all(has)
    };
    until(&format!("{message} with {fields:?} in\n{}", server.said()), || {
        lines(server).into_iter().find(is)
    })
}

/// Connects with a token, reads, writes, and does what is refused.
async fn traffic(server: &Server) {
    let who = Who { auth: Some(TOKEN.to_owned()), ..member("g", "one") };
    let mut one = connect(server, &who, Store::default(), all()).await;
    one.until_got(&["all"]).await;
    one.want(noted("some", WRITTEN)).await;
    one.until_got(&["some"]).await;
    one.want(put("wrong", json!({"table": "nowhere"}))).await;
    one.ping().await;
    let id = one.crud(insert("n", WRITTEN)).await;
    one.until("the row", |session| session.store().last_mutation_id("client-one") == id).await;
    let wrong = json!([{"op": "insert", "tableName": "task", "primaryKey": ["id"],
        "value": {"id": "x", "note": WRITTEN, "done": {"no": WRITTEN}}}]);
    let id = one.crud(wrong).await;
    one.until("refused", |session| session.store().last_mutation_id("client-one") == id).await;
    one.send_text(&format!("[\"nonsense\", \"{WRITTEN}\"]")).await;
    assert_eq!(one.until_closed().await.as_deref(), Some("InvalidMessage"));
}

#[tokio::test]
async fn events_carry_the_ids_of_what_they_are_about() {
    let folder = folder("logs");
    let mut server = serve(&folder, &["--log-format=json", "--log-level=debug"]);
    traffic(&server).await;
    server.stop();
    let of_client =
        [("connection", json!(1)), ("group", json!("g")), ("client", json!("client-one"))];
    event(&server, "a client connects", &of_client);
    event(&server, "a client is brought up to date", &of_client);
    event(&server, "a client is told of an error", &of_client);
    let of_query = |query: &str| [("group", json!("g")), ("query", json!(query))];
    event(&server, "a query is filled", &of_query("all"));
    event(&server, "a query is filled", &of_query("some"));
    event(&server, "a query is refused", &of_query("wrong"));
    for (id, outcome) in [(1, "applied"), (2, "refused")] {
        let of_mutation = [
            ("connection", json!(1)),
            ("group", json!("g")),
            ("client", json!("client-one")),
            ("mutation", json!(id)),
            ("outcome", json!(outcome)),
        ];
        event(&server, "a mutation", &of_mutation);
        let of_client =
            [("client", json!("client-one")), ("mutation", json!(id)), ("group", json!("g"))];
        let told = event(&server, "mutations are acknowledged", &of_client);
        assert!(told["span"]["transaction"].as_u64() > Some(0), "{told}");
        assert!(told["span"]["version"].as_u64() > Some(1), "{told}");
    }
    for message in ["listening", "ending", "ended"] {
        event(&server, message, &[("level", json!("INFO"))]);
    }
    assert!(!server.said().contains(TOKEN), "a token is in the log");
}

#[tokio::test]
async fn what_users_write_is_not_logged_unless_asked_for() {
    for format in ["json", "text"] {
        let folder = folder(&format!("logs-{format}"));
        let mut server = serve(&folder, &["--log-format", format]);
        traffic(&server).await;
        server.stop();
        let said = server.said();
        assert!(said.contains("listening") && said.contains("InvalidMessage"), "{said}");
        for secret in [TOKEN, WRITTEN] {
            assert!(!said.contains(secret), "{secret} is in\n{said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pokes_name_the_position_in_the_log_of_the_server() {
    let postgres = harness::Server::fast().expect("a Postgres");
    postgres
        .sql("create table task(id text primary key, done boolean not null, note text)")
        .expect("tables");
    let folder = Folder::new("logs-postgres");
    let replica = path(&folder, "replica.db");
    let more = ["--replica", &replica, "--allow-all", "--log-format=json", "--log-level=debug"];
    let mut server = Server::postgres(&postgres.url(), &more);
    let who = Who::new("p", schema());
    let mut client = connect(&server, &who, Store::default(), all()).await;
    client.until_got(&["all"]).await;
    let before = postgres.value("select pg_current_wal_insert_lsn()").expect("a position");
    postgres.sql("insert into task values ('a', false, 'one')").expect("a row");
    let after = postgres.value("select pg_current_wal_insert_lsn()").expect("a position");
    client.until("the row", |session| session.store().rows("task").count() == 1).await;
    server.stop();
    let told = event(
        &server,
        "a group is told of changes",
        &[("group", json!("group-p")), ("rows", json!(1))],
    );
    let number = |position: &str| -> u64 {
        let (high, low) = position.split_once('/').expect("a position");
        let hex = |text| u64::from_str_radix(text, 16).expect("a number");
        hex(high) << 32 | hex(low)
    };
    let position = number(told["span"]["position"].as_str().expect("a position"));
    assert!(number(&before) <= position && position < number(&after), "{told}");
    let phases: Vec<Json> =
        lines(&server).into_iter().filter(|line| line["message"] == "following").collect();
    assert!(phases.iter().any(|line| line["phase"] == "streaming"), "{phases:?}");
    event(&server, "clients are served", &[]);
}

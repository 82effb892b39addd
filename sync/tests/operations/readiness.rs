//! Readiness follows the replica, and clients that come too early are told to come again.

use std::time::Duration;

use penstock_postgres_harness as harness;
use penstock_sync::validate::Store;
use rusqlite::Connection;
use serde_json::Value as Json;
use tokio_tungstenite::tungstenite;

use crate::support::http::{get, scrape, until};
use crate::support::raw::{Raw, Who};
use crate::support::server::{Folder, Server};
use crate::tasks::{all, connect, path, schema};

/// The status of `/readyz` and why it is so.
fn ready(server: &Server) -> (u16, String) {
    let (code, _, body) = get(server.port(), "/readyz").expect("an answer");
    let body: Json = serde_json::from_str(&body).expect("JSON");
    assert_eq!(body["ready"], code == 200, "{body}");
    (code, body["reason"].as_str().unwrap_or_default().to_owned())
}

/// Waits until it is ready, or not for a reason with these words; it is alive all the time.
fn until_ready(server: &Server, words: Option<&str>) {
    until(&format!("ready, or not because of {words:?}"), || {
        assert_eq!(get(server.port(), "/healthz").expect("an answer").0, 200);
        match (ready(server), words) {
            ((200, reason), None) => {
                assert_eq!(reason, "");
                Some(())
            }
            ((503, reason), Some(words)) => reason.contains(words).then_some(()),
            _ => None,
        }
    });
}

fn served(name: &str, rows: u32) -> (harness::Server, Folder) {
    let postgres = harness::Server::fast().expect("a Postgres");
    postgres
        .sql(&format!(
            "create table task(id text primary key, done boolean not null, note text);
             insert into task select 'n' || n, false, repeat('x', 1000) from generate_series(1, {rows}) n"
        ))
        .expect("tables");
    (postgres, Folder::new(name))
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_served_before_the_copy_is_complete() {
    let (postgres, folder) = served("ready-copy", 4000);
    let proxy = harness::Proxy::to(postgres.port()).expect("a proxy");
    let replica = path(&folder, "replica.db");
    let more = ["--replica", &replica, "--allow-all"];
    // Some 4 MB, at 16 kB per delay.
    proxy.delay(Duration::from_millis(100));
    let server = Server::postgres_unready(&postgres.url_through(proxy.port()), &more);
    until_ready(&server, Some("copying"));
    until("rows are copied", || {
        let (code, reason) = ready(&server);
        assert_eq!(code, 503, "{reason}");
        let rows = scrape(server.port()).sum("penstock_replication_copy_rows");
        (rows > 0.0 && rows < 4000.0).then_some(())
    });
    assert!(ready(&server).1.contains(" rows"), "{:?}", ready(&server));
    assert_eq!(scrape(server.port()).value("penstock_ready"), 0.0);
    let who = Who::new("early", schema());
    let refused = Raw::connect(server.port(), &who, Store::default(), all()).await;
    match refused.err() {
        Some(tungstenite::Error::Http(answer)) => {
            assert_eq!(answer.status(), 503);
            assert!(answer.headers().contains_key("retry-after"), "{answer:?}");
        }
        other => panic!("{other:?}"),
    }
    proxy.delay(Duration::ZERO);
    until_ready(&server, None);
    let mut client = connect(&server, &who, Store::default(), all()).await;
    client.until_got(&["all"]).await;
    assert_eq!(client.store().rows("task").count(), 4000);
    client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_or_late_replica_is_not_ready_and_serves_all_the_same() {
    let (mut postgres, folder) = served("ready-broken", 3);
    let replica = path(&folder, "replica.db");
    let more = ["--replica", &replica, "--allow-all", "--max-lag=1"];
    let server = Server::postgres(&postgres.url(), &more);
    until_ready(&server, None);
    let mut client = connect(&server, &Who::new("one", schema()), Store::default(), all()).await;
    client.until_got(&["all"]).await;

    postgres.stop(harness::server::Stop::Fast).expect("an end");
    until_ready(&server, Some("postgres on 127.0.0.1"));
    client.ping().await;
    // Others are served what there is.
    let mut other = connect(&server, &Who::new("two", schema()), Store::default(), all()).await;
    other.until_got(&["all"]).await;
    assert_eq!(other.store().rows("task").count(), 3);
    postgres.start_again().expect("a start");
    until_ready(&server, None);
    postgres.sql("insert into task values ('b', false, 'new')").expect("a row");
    for client in [&mut client, &mut other] {
        client.until("the row", |session| session.store().rows("task").count() == 4).await;
    }

    // Somebody holds the replica's file, so that nothing can be written to it.
    let holder = Connection::open(folder.file("replica.db")).expect("the replica");
    holder.busy_timeout(Duration::from_secs(60)).expect("a timeout");
    holder.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    postgres.sql("insert into task values ('c', false, 'late')").expect("a row");
    until_ready(&server, Some("behind, more than 1 s"));
    client.ping().await;
    holder.execute_batch("ROLLBACK").expect("the lock is given back");
    until_ready(&server, None);
    client.until("the row", |session| session.store().rows("task").count() == 5).await;
    client.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_waits_for_a_database_that_is_down() {
    let (mut postgres, folder) = served("ready-down", 2);
    let replica = path(&folder, "replica.db");
    postgres.stop(harness::server::Stop::Fast).expect("an end");
    let server = Server::postgres_unready(&postgres.url(), &["--replica", &replica, "--allow-all"]);
    until_ready(&server, Some("connecting to"));
    postgres.start_again().expect("a start");
    until_ready(&server, None);
    let mut client = connect(&server, &Who::new("one", schema()), Store::default(), all()).await;
    client.until_got(&["all"]).await;
    assert_eq!(client.store().rows("task").count(), 2);
    client.close().await;
}

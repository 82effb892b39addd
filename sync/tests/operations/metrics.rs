//! Metrics: the format, and what they count.

use std::io::{Read, Write};
use std::net::TcpStream;

use penstock_postgres_harness as harness;
use penstock_sync::validate::Store;
use serde_json::json;

use crate::support::exposition::Scraped;
use crate::support::http::{scrape, until};
use crate::support::raw::Raw;
use crate::support::server::{Folder, Server};
use crate::tasks::{all, connect, folder, insert, member, noted, open, path, put, serve, write};

/// What is expected of series, told all at once.
fn expect(scraped: &Scraped, expected: &[(&str, f64)]) {
    let wrong: Vec<String> = expected
        .iter()
        .filter(|(series, value)| scraped.get(series) != Some(*value))
        .map(|(series, value)| format!("{series} is {:?}, not {value}", scraped.get(series)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Waits until the server has counted all bytes that clients have received, and at least so many lags: a
/// frame is measured when it is sent, by when the client may have it.
fn settled(server: &Server, clients: &[&Raw], lags: f64) -> Scraped {
    let bytes: usize = clients.iter().map(|client| client.bytes()).sum();
    until("all bytes are counted", || {
        let scraped = scrape(server.port());
        let is_measured = scraped.value("penstock_serving_lag_seconds_count") >= lags;
        (is_measured && scraped.value("penstock_sent_bytes_total") == bytes as f64)
            .then_some(scraped)
    })
}

#[tokio::test]
async fn known_traffic_is_counted_exactly() {
    let folder = folder("metrics");
    let server = serve(&folder, &["--max-queries", "2"]);
    let nothing = scrape(server.port());
    for (name, family) in &nothing.0 {
        let counted = family.kind != "gauge" && name.starts_with("penstock_");
        let own = ["penstock_database_transactions_total"].contains(&name.as_str());
        assert!(!counted || own || nothing.sum(name) == 0.0, "{name} counts before anything is");
    }
    let mut one = connect(&server, &member("g", "one"), Store::default(), all()).await;
    one.until_got(&["all"]).await;
    let mut two = connect(&server, &member("g", "two"), Store::default(), all()).await;
    two.until_got(&["all"]).await;
    let mut other = connect(&server, &member("h", "other"), Store::default(), open()).await;
    other.until_got(&["open"]).await;
    expect(
        &settled(&server, &[&one, &two, &other], 0.0),
        &[
            ("penstock_ready", 1.0),
            ("penstock_connections", 3.0),
            ("penstock_connections_total", 3.0),
            ("penstock_client_groups", 2.0),
            ("penstock_clients", 3.0),
            ("penstock_queries", 2.0),
            // Two, and for each group its clients and its failed mutations.
            ("penstock_live_queries", 6.0),
            ("penstock_group_rows", 5.0),
            ("penstock_pokes_total", 3.0),
            ("penstock_catch_ups_total", 3.0),
            ("penstock_poked_rows_total", 8.0),
            ("penstock_hydration_seconds_count", 2.0),
            ("penstock_serving_lag_seconds_count", 0.0),
        ],
    );

    // A row of both queries changes: it leaves one of them.
    write(&folder.file("app.db"), "UPDATE task SET done = 1 WHERE id = 'a'");
    for client in [&mut one, &mut two] {
        let done = |row: &serde_json::Value| row["id"] == "a" && row["done"] == true;
        client.until("the change", |session| session.store().rows("task").any(done)).await;
    }
    other.until("without it", |session| session.store().rows("task").count() == 1).await;
    expect(
        &settled(&server, &[&one, &two, &other], 3.0),
        &[
            ("penstock_pokes_total", 6.0),
            ("penstock_poked_rows_total", 11.0),
            ("penstock_row_changes_total", 2.0),
            ("penstock_group_rows", 4.0),
            ("penstock_group_tombstones", 1.0),
            ("penstock_serving_lag_seconds_count", 3.0),
            ("penstock_commit_lag_seconds_count", 0.0),
        ],
    );

    // A mutation that is applied, one that is refused, one that comes again, one that is out of order.
    let done = one.crud(insert("n", "four")).await;
    one.until("the first", |session| session.store().last_mutation_id("client-one") == done).await;
    let wrong =
        json!([{"op": "insert", "tableName": "nowhere", "primaryKey": ["id"], "value": {"id": 1}}]);
    let refused = one.crud(wrong).await;
    one.until("the second", |session| session.store().last_mutation_id("client-one") == refused)
        .await;
    let push = |id: u64| {
        let mutation = json!({"type": "crud", "id": id, "clientID": "client-one", "name": "_zero_crud",
            "args": [{"ops": []}], "timestamp": 1});
        json!(["push", {"clientGroupID": "g", "mutations": [mutation], "pushVersion": 1,
            "timestamp": 1, "requestID": "r"}])
    };
    one.send(&push(1)).await;
    one.send(&push(9)).await;
    assert_eq!(one.until_closed().await.as_deref(), Some("InvalidPush"));
    two.until("all of it", |session| session.store().last_mutation_id("client-one") == refused)
        .await;
    other.until("the new one", |session| session.store().rows("task").count() == 2).await;
    let mutations =
        |outcome: &str| format!("penstock_mutations_total{{kind=\"crud\",outcome=\"{outcome}\"}}");
    let scraped = settled(&server, &[&one, &two, &other], 8.0);
    for outcome in ["applied", "refused", "already_processed", "out_of_order"] {
        assert_eq!(scraped.value(&mutations(outcome)), 1.0, "{outcome}");
    }
    expect(
        &scraped,
        &[
            ("penstock_mutations_received_total", 4.0),
            ("penstock_mutation_seconds_count", 4.0),
            ("penstock_mutation_conflicts_total", 0.0),
            // The row to three clients; its failure to two.
            ("penstock_pokes_total", 11.0),
            ("penstock_poked_rows_total", 14.0),
            ("penstock_serving_lag_seconds_count", 8.0),
            ("penstock_errors_total{kind=\"InvalidPush\"}", 1.0),
            ("penstock_connections", 2.0),
        ],
    );

    // The third query is one too many.
    two.want(noted("x", "one")).await;
    two.until_got(&["x"]).await;
    two.want(noted("y", "two")).await;
    two.ping().await;
    two.want(put("z", json!({"table": "nowhere"}))).await;
    two.ping().await;
    let scraped = settled(&server, &[&one, &two, &other], 8.0);
    expect(
        &scraped,
        &[
            ("penstock_limit_hits_total{limit=\"queries\"}", 2.0),
            ("penstock_refused_queries_total", 2.0),
            ("penstock_queries", 3.0),
            ("penstock_hydration_seconds_count", 3.0),
        ],
    );
    for owner in ["source", "queries", "subscriptions", "feeds", "client_groups", "queued_frames"] {
        let bytes = scraped.value(&format!("penstock_memory_bytes{{owner=\"{owner}\"}}"));
        assert!(bytes > 0.0 || ["source", "queued_frames", "feeds"].contains(&owner), "{owner}");
    }
    if cfg!(target_os = "linux") {
        assert!(scraped.value("process_resident_memory_bytes") > 1e6);
        assert!(scraped.value("process_open_fds") > 3.0);
    }
}

#[test]
fn connections_beyond_the_limit_are_counted() {
    let folder = folder("metrics-limit");
    let server = serve(&folder, &["--max-connections", "2"]);
    let connected = || TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
    let (mut held, mut refused) = (Vec::new(), 0);
    until("two connections are answered, and stay", || {
        let mut one = connected();
        // A socket of before may still be counted, so this one may be refused.
        let asked = one.write_all(b"GET /keepalive HTTP/1.1\r\nHost: test\r\n\r\n");
        match asked.is_ok() && one.read(&mut [0; 1]).is_ok_and(|read| read == 1) {
            true => held.push(one),
            false => refused += 1,
        }
        (held.len() == 2).then_some(())
    });
    for _ in 0..5 {
        let mut further = connected();
        assert_ne!(further.read(&mut [0; 1]).ok(), Some(1), "it is closed");
        refused += 1;
    }
    drop(held);
    let scraped = until("room for a scrape", || {
        let answer = crate::support::http::get(server.port(), "/metrics");
        refused += i32::from(answer.is_none());
        answer
    });
    let scraped = Scraped::read(&scraped.2);
    assert_eq!(
        scraped.value("penstock_limit_hits_total{limit=\"connections\"}"),
        f64::from(refused)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn replication_is_measured_with_its_server_and_its_lag() {
    let postgres = harness::Server::fast().expect("a Postgres");
    postgres
        .sql(
            "create table task(id text primary key, done boolean not null, note text);
             insert into task values ('a', false, 'one'), ('b', true, 'two')",
        )
        .expect("tables");
    let folder = Folder::new("metrics-postgres");
    let (replica, state) = (path(&folder, "replica.db"), path(&folder, "state.db"));
    let more = ["--replica", &replica, "--state", &state, "--allow-all"];
    let server = Server::postgres(&postgres.url(), &more);
    let mut client = connect(&server, &member("g", "one"), Store::default(), all()).await;
    client.until_got(&["all"]).await;
    for number in 0..5 {
        let sql = format!("insert into task values ('n{number}', false, 'more')");
        postgres.sql(&sql).expect("a row");
        client.until("the row", |session| session.store().rows("task").count() == 3 + number).await;
    }
    let scraped = settled(&server, &[&client], 5.0);
    let phases = scraped.0.get("penstock_replication_phase").expect("phases");
    let is_of_server = |series: &&String| series.contains("server=\"postgres on 127.0.0.1:");
    assert_eq!(phases.samples.keys().filter(is_of_server).count(), 5, "{phases:?}");
    assert_eq!(scraped.sum("penstock_replication_phase"), 1.0);
    // The tables of the bookkeeping too.
    assert_eq!(scraped.sum("penstock_replication_tables_copied_total"), 4.0);
    assert_eq!(scraped.sum("penstock_replication_transactions_total"), 5.0);
    assert_eq!(scraped.sum("penstock_replication_changes_total"), 5.0);
    for series in ["penstock_serving_lag_seconds_count", "penstock_commit_lag_seconds_count"] {
        assert_eq!(scraped.value(series), 5.0, "{series}");
    }
    let (known, committed) = (
        scraped.value("penstock_serving_lag_seconds_sum"),
        scraped.value("penstock_commit_lag_seconds_sum"),
    );
    assert!(committed > known, "a commit is known after it was made: {known} and {committed}");
    until("nothing is behind", || {
        let scraped = scrape(server.port());
        let is_there = scraped.0.contains_key("penstock_replication_lag_bytes");
        let lag = scraped.sum("penstock_replication_lag_seconds");
        (is_there && lag == 0.0).then_some(())
    });
}

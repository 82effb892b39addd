//! The end under load: clients are told to come again, and nothing that they were told of is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use penstock_postgres_harness as harness;
use penstock_sync::validate::Store;
use rusqlite::Connection;
use serde_json::{Value as Json, json};

use crate::support::http::{get, scrape, until};
use crate::support::raw::{Raw, Received, Who};
use crate::support::server::{Folder, Server};
use crate::tasks::{all, connect, folder, insert, noted, path, schema, serve, value};

/// Mutations of one client that are on their way.
const PIPELINED: u64 = 8;

/// One that leaves a trace of its number: the client's row of before goes, and one of this number comes.
/// Were one applied after a later one, there would be two.
fn numbered(client: &str, number: u64) -> Json {
    let row =
        |number: u64| json!({"id": format!("{client}-{number}"), "done": false, "note": client});
    let op = |op: &str, value: Json| json!({"op": op, "tableName": "task", "primaryKey": ["id"], "value": value});
    json!([
        op("insert", row(number)),
        op("delete", json!({"id": format!("{client}-{}", number - 1)}))
    ])
}

/// A client that writes until the server sends it away.
struct Busy {
    who: Who,
    store: Store,
    sent: u64,
    ended_by: Option<String>,
}

impl Busy {
    async fn run(server_port: u16, number: usize, acknowledged: Arc<AtomicU64>) -> Busy {
        let who = Who::new(&format!("busy{number}"), schema());
        let name = who.client.clone();
        let queries = noted("own", &name);
        let mut raw =
            Raw::connect(server_port, &who, Store::default(), queries).await.expect("accepted");
        raw.until_got(&["own"]).await;
        let (mut sent, mut known) = (0, 0);
        loop {
            while sent < known + PIPELINED {
                sent = raw.crud(numbered(&name, sent + 1)).await;
            }
            if raw.next().await == Received::Closed {
                break;
            }
            let now = raw.store().last_mutation_id(&name);
            acknowledged.fetch_add(now - known, Ordering::Relaxed);
            known = now;
        }
        raw.check();
        let ended_by = raw.session().ended_by().map(str::to_owned);
        Busy { who, store: raw.cut(), sent, ended_by }
    }

    fn acknowledged(&self) -> u64 {
        self.store.last_mutation_id(&self.who.client)
    }

    /// Comes back and sends what it does not know to be done, as the published client does.
    async fn come_back(&mut self, server: &Server) {
        let queries = noted("own", &self.who.client);
        let store = std::mem::take(&mut self.store);
        let mut raw = connect(server, &self.who, store, queries).await;
        let (known, name) = (raw.store().last_mutation_id(&self.who.client), &self.who.client);
        for number in known + 1..=self.sent {
            raw.crud(numbered(name, number)).await;
        }
        let sent = self.sent;
        raw.until("all is done", |session| session.store().last_mutation_id(name) == sent).await;
        raw.until("the last row", |session| {
            let ids: Vec<&Json> = session.store().rows("task").map(|row| &row["id"]).collect();
            ids == [&json!(format!("{name}-{sent}"))]
        })
        .await;
        self.store = raw.close().await;
    }
}

/// Writes with many clients, ends the server meanwhile, and looks at what became of everything. `last`
/// gives the number of a client's last mutation in the database, `rows` all rows of clients, sorted.
async fn ends_in_order(
    mut server: Server,
    clients: usize,
    last: impl Fn(&str) -> u64,
    rows: impl Fn() -> String,
) {
    let acknowledged = Arc::new(AtomicU64::new(0));
    let port = server.port();
    let running: Vec<_> = (0..clients)
        .map(|number| tokio::spawn(Busy::run(port, number, Arc::clone(&acknowledged))))
        .collect();
    while acknowledged.load(Ordering::Relaxed) < 10 * clients as u64 {
        assert!(!running.iter().any(tokio::task::JoinHandle::is_finished), "{}", server.said());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let begun = now();
    server.signal();
    let mut busy = Vec::new();
    for client in running {
        busy.push(client.await.expect("no panic"));
    }
    assert_eq!(server.wait(), Some(0), "{}", server.said());
    assert!(begun.elapsed() < Duration::from_secs(60), "within its patience");
    let kept: Vec<u64> = busy.iter().map(|client| last(&client.who.client)).collect();
    for (client, kept) in busy.iter().zip(&kept) {
        assert_eq!(client.ended_by.as_deref(), Some("Rehome"), "{}", client.who.client);
        assert!(client.acknowledged() <= *kept && *kept <= client.sent, "{}", client.who.client);
        assert!(client.acknowledged() > 0, "{}", client.who.client);
    }

    server.start();
    for client in &mut busy {
        client.come_back(&server).await;
    }
    let scraped = scrape(server.port());
    let outcome = |name: &str| {
        scraped.value(&format!("penstock_mutations_total{{kind=\"crud\",outcome=\"{name}\"}}"))
    };
    let left: u64 = busy.iter().zip(&kept).map(|(client, kept)| client.sent - kept).sum();
    assert_eq!(outcome("applied"), left as f64, "what was done before is not done again");
    assert_eq!(outcome("refused") + outcome("out_of_order") + outcome("unavailable"), 0.0);
    let mut expected: Vec<String> =
        busy.iter().map(|client| format!("{}-{}", client.who.client, client.sent)).collect();
    expected.sort();
    until("the rows", || (rows() == expected.join(" ")).then_some(()));
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_told_is_lost_and_nothing_is_done_twice_in_sqlite() {
    let folder = folder("ends-sqlite");
    let server = serve(&folder, &["--stop-patience=60"]);
    let file = folder.file("app.db");
    let last = |client: &str| {
        let sql =
            format!("SELECT \"lastMutationID\" FROM _zero_clients WHERE \"clientID\" = '{client}'");
        value(&file, &sql).parse().expect("a number")
    };
    let rows = || {
        let sql = "SELECT coalesce(group_concat(id, ' '), '') FROM \
                   (SELECT id FROM task WHERE note LIKE 'client-%' ORDER BY id)";
        value(&file, sql)
    };
    ends_in_order(server, 24, last, rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_told_is_lost_and_nothing_is_done_twice_in_postgres() {
    let postgres = harness::Server::fast().expect("a Postgres");
    postgres
        .sql("create table task(id text primary key, done boolean not null, note text)")
        .expect("tables");
    let folder = Folder::new("ends-postgres");
    let (replica, state) = (path(&folder, "replica.db"), path(&folder, "state.db"));
    let more = ["--replica", &replica, "--state", &state, "--allow-all", "--stop-patience=60"];
    let server = Server::postgres(&postgres.url(), &more);
    let last = |client: &str| {
        let sql = format!(
            "select \"lastMutationID\" from zero_0.clients where \"clientID\" = '{client}'"
        );
        postgres.value(&sql).expect("a number").parse().expect("a number")
    };
    let rows = || {
        let sql = "select coalesce(string_agg(id, ' ' order by id collate \"C\"), '') from task";
        postgres.value(sql).expect("rows")
    };
    ends_in_order(server, 8, last, rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_of_groups_is_saved_at_the_end() {
    let folder = folder("ends-saved");
    let mut server = serve(&folder, &[]);
    let who = Who::new("saved", schema());
    let mut raw = connect(&server, &who, Store::default(), all()).await;
    raw.until_got(&["all"]).await;
    let id = raw.crud(insert("n", "new")).await;
    raw.until("told", |session| session.store().last_mutation_id(&who.client) == id).await;
    server.signal();
    assert_eq!(raw.until_closed().await.as_deref(), Some("Rehome"));
    assert_eq!(server.wait(), Some(0));
    server.start();
    let mut raw = connect(&server, &who, raw.cut(), all()).await;
    raw.until("a poke", |session| session.pokes() > 0).await;
    let scraped = scrape(server.port());
    assert_eq!(scraped.value("penstock_poked_rows_total"), 0.0, "it has everything");
    raw.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_at_once() {
    let folder = folder("ends-twice");
    let mut server = serve(&folder, &["--stop-patience=600"]);
    let who = Who::new("twice", schema());
    let mut raw = connect(&server, &who, Store::default(), all()).await;
    raw.until_got(&["all"]).await;
    // A mutation that cannot be written keeps the end waiting.
    let holder = Connection::open(folder.file("app.db")).expect("the file");
    holder.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    raw.crud(insert("n", "never")).await;
    until("the mutation is under way", || {
        let scraped = scrape(server.port());
        (scraped.value("penstock_mutations_received_total") == 1.0).then_some(())
    });
    let id = server.port();
    server.signal();
    until("it is about to end", || {
        get(id, "/readyz").is_none_or(|(code, ..)| code == 503).then_some(())
    });
    server.signal();
    assert_eq!(server.wait(), Some(130), "{}", server.said());
    drop(holder);
}

#[expect(clippy::disallowed_methods, reason = "how long an end takes")]
fn now() -> Instant {
    Instant::now()
}

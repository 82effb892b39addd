//! Copies of files in use: whole, and good to go on with.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use penstock_postgres_harness as harness;
use penstock_sync::validate::Store;
use serde_json::Value as Json;

use crate::support::http::{scrape, until};
use crate::support::raw::Who;
use crate::support::server::{Folder, Server};
use crate::tasks::{all, connect, folder, insert, path, schema, serve, value, write};

/// Rows at the start.
const ROWS: usize = 3000;

fn tool(binary: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary);
    command.args(arguments).env_remove("DATABASE_URL").env_remove("PENSTOCK_STATE");
    command.output().expect("it ends")
}

/// Runs `write` again and again until it is dropped; gives how often.
struct Writing(Arc<AtomicBool>, Option<JoinHandle<u64>>);

impl Writing {
    fn start(mut write: impl FnMut(u64) + Send + 'static) -> Writing {
        let stop = Arc::<AtomicBool>::default();
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut number = 0;
            while !stopped.load(Ordering::Acquire) {
                number += 1;
                write(number);
            }
            number
        });
        Writing(stop, Some(thread))
    }

    fn stop(mut self) -> u64 {
        self.0.store(true, Ordering::Release);
        self.1.take().expect("it runs").join().expect("no panic")
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

fn notes(store: &Store) -> Vec<&Json> {
    store.rows("task").map(|row| &row["note"]).collect()
}

/// Waits until the store of groups has what a client was told.
fn until_saved(state: &Path, cookie: &str) {
    until("the group is saved", || {
        let histories = value(state, "SELECT coalesce(max(version), 0) FROM client_group");
        let version: u64 = histories.parse().expect("a number");
        let told = penstock_sync::protocol::cookie::Cookie::parse(cookie).expect("a cookie");
        (version >= told.version).then_some(())
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_file_in_use_is_whole_and_clients_go_on_with_it() {
    let folder = folder("backup-sqlite");
    let file = folder.file("app.db");
    write(
        &file,
        &format!(
            "CREATE TABLE count(id INTEGER PRIMARY KEY, n INTEGER NOT NULL);
             INSERT INTO count VALUES (1, 0);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
             INSERT INTO task SELECT 'r' || i, 0, hex(randomblob(200)) FROM n"
        ),
    );
    let mut server = serve(&folder, &[]);
    let (early, late) = (Who::new("early", schema()), Who::new("late", schema()));
    let mut one = connect(&server, &early, Store::default(), all()).await;
    one.until_got(&["all"]).await;
    until_saved(&folder.file("state.db"), one.store().cookie().expect("a cookie"));
    let known = one.close().await;
    let mut two = connect(&server, &late, Store::default(), all()).await;
    two.until_got(&["all"]).await;
    let written = file.clone();
    let writing = Writing::start(move |number| {
        write(
            &written,
            &format!(
                "BEGIN IMMEDIATE; UPDATE count SET n = n + 1;
                 INSERT INTO task VALUES ('w{number}', 0, 'written'); COMMIT"
            ),
        );
    });
    two.until("some writes", |session| session.store().rows("task").count() > ROWS + 8).await;
    let (copies, state) = (path(&folder, "copies"), path(&folder, "state.db"));
    let app = path(&folder, "app.db");
    let arguments = ["backup", &app, &copies, "--state", &state];
    let output = tool(env!("CARGO_BIN_EXE_penstock-sqlite-sync"), &arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("app.db") && text.contains("state.db"), "{text}");
    let (copy, copied_state) = (folder.file("copies/app.db"), folder.file("copies/state.db"));
    let count = |sql: &str| -> u64 { value(&copy, sql).parse().expect("a number") };
    let copied = count("SELECT n FROM count");
    assert!(copied >= 8, "what was written before is there");
    // A transaction is there whole or not at all.
    assert_eq!(count("SELECT count(*) FROM task WHERE note = 'written'"), copied);
    for file in [&copy, &copied_state] {
        assert_eq!(value(file, "SELECT integrity_check FROM pragma_integrity_check"), "ok");
    }
    let later = |session: &penstock_sync::validate::Session| {
        session.store().rows("task").count() as u64 > ROWS as u64 + 3 + copied
    };
    two.until("what is not in the copy", later).await;
    assert!(writing.stop() > copied);
    // It has written itself, which the copy knows nothing of.
    let id = two.crud(insert("mine", "mine")).await;
    two.until("written", |session| session.store().last_mutation_id(&late.client) == id).await;
    let ahead = two.cut();
    server.kill();

    let (copied_state, more) = (path(&folder, "copies/state.db"), "--allow-all");
    let server = Server::sqlite(&copy, &[more, "--state", &copied_state]);
    let mut one = connect(&server, &early, known, all()).await;
    one.until("what was written", |session| {
        notes(session.store()).iter().filter(|note| ***note == "written").count() as u64 == copied
    })
    .await;
    assert_eq!(scrape(server.port()).value("penstock_poked_rows_total"), copied as f64, "no more");
    // Who has seen what is lost starts over.
    let mut two = connect(&server, &late, ahead, all()).await;
    assert_eq!(two.until_closed().await.as_deref(), Some("ClientNotFound"));
    one.crud(insert("goes on", "on")).await;
    one.until("it goes on", |session| {
        session.store().rows("task").count() as u64 == ROWS as u64 + 4 + copied
    })
    .await;
    one.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_replica_goes_on_where_it_is() {
    let postgres = harness::Server::fast().expect("a Postgres");
    postgres
        .sql(&format!(
            "create table task(id text primary key, done boolean not null, note text);
             insert into task select 'r' || n, false, md5(n::text) from generate_series(1, {ROWS}) n"
        ))
        .expect("tables");
    let folder = Folder::new("backup-postgres");
    let (replica, state) = (path(&folder, "replica.db"), path(&folder, "state.db"));
    let mut server = Server::postgres(
        &postgres.url(),
        &["--replica", &replica, "--state", &state, "--allow-all"],
    );
    let (early, late) = (Who::new("early", schema()), Who::new("late", schema()));
    let mut one = connect(&server, &early, Store::default(), all()).await;
    one.until_got(&["all"]).await;
    until_saved(&folder.file("state.db"), one.store().cookie().expect("a cookie"));
    let known = one.close().await;
    let mut two = connect(&server, &late, Store::default(), all()).await;
    two.until_got(&["all"]).await;
    let session = postgres.connect().expect("a session");
    let writing = Writing::start(move |number| {
        let sql = format!("insert into task values ('w{number}', false, 'written')");
        session.sql(&sql).expect("a row");
    });
    two.until("some writes", |session| session.store().rows("task").count() > ROWS + 8).await;
    let copies = path(&folder, "copies");
    let url = postgres.url();
    let arguments = ["backup", &copies, "--replica", &replica, "--state", &state];
    let of_slot = ["--copy-slot", "restored", "--url", &url];
    let binary = env!("CARGO_BIN_EXE_penstock-postgres-sync");
    let output = tool(binary, &[&arguments[..], &of_slot].concat());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("with --slot restored"), "{text}");
    let again = tool(binary, &arguments);
    assert_eq!(again.status.code(), Some(1), "nothing is written over");
    // The server goes on, and its slot with it, beyond what the copy has.
    let (told, slot) = (two.store().rows("task").count(), || {
        let sql =
            "select confirmed_flush_lsn from pg_replication_slots where slot_name = 'penstock'";
        postgres.value(sql).expect("a position")
    });
    let before = slot();
    two.until("more", |session| session.store().rows("task").count() > told + 8).await;
    until("the slot moves on", || (slot() != before).then_some(()));
    let written = writing.stop() as usize;
    two.until("all of it", |session| session.store().rows("task").count() == ROWS + written).await;
    let ahead = two.cut();
    server.kill();

    let (replica, state) = (path(&folder, "copies/replica.db"), path(&folder, "copies/state.db"));
    let more = ["--replica", &replica, "--state", &state, "--slot", "restored", "--allow-all"];
    let server = Server::postgres(&postgres.url(), &more);
    let mut one = connect(&server, &early, known, all()).await;
    one.until("all of it", |session| session.store().rows("task").count() == ROWS + written).await;
    let scraped = scrape(server.port());
    assert_eq!(scraped.value("penstock_poked_rows_total"), written as f64, "only the difference");
    for series in ["tables_copied", "restarts", "divergences"] {
        let family = format!("penstock_replication_{series}_total");
        assert!(scraped.0.contains_key(&family), "{family}");
        assert_eq!(scraped.sum(&family), 0.0, "{family}");
    }
    let mut two = connect(&server, &late, ahead, all()).await;
    // It starts over, with everything in one poke.
    two.until("a poke", |session| session.pokes() > 0).await;
    assert_eq!(two.store().rows("task").count(), ROWS + written);
    postgres.sql("insert into task values ('on', false, 'on')").expect("a row");
    for client in [&mut one, &mut two] {
        client
            .until("it goes on", |session| {
                session.store().rows("task").count() == ROWS + written + 1
            })
            .await;
    }
    one.close().await;
    two.close().await;
}

//! What is kept of clients while the server runs: soon, and only what has changed.

use penstock_sync::protocol::cookie::Cookie;
use penstock_sync::validate::Store;

use crate::support::http::{scrape, until};
use crate::support::raw::Who;
use crate::tasks::{all, connect, folder, schema, serve, value, write};

/// Rows at the start.
const ROWS: u64 = 5000;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_has_kept_what_it_told_a_moment_before() {
    let folder = folder("kept");
    let (file, state) = (folder.file("app.db"), folder.file("state.db"));
    write(
        &file,
        &format!(
            "DELETE FROM task; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
             INSERT INTO task SELECT 'r' || i, 0, 'note ' || i FROM n"
        ),
    );
    let mut server = serve(&folder, &[]);
    let who = Who::new("kept", schema());
    let mut raw = connect(&server, &who, Store::default(), all()).await;
    raw.until_got(&["all"]).await;
    let saved = |cookie: Option<&str>| {
        let told = cookie.and_then(Cookie::parse).expect("a cookie").version;
        until("it is kept", || {
            let version = "SELECT coalesce(max(version), 0) FROM client_group";
            (value(&state, version) == told.to_string()).then_some(())
        });
    };
    saved(raw.store().cookie());
    let rows = |server: &crate::support::server::Server| {
        scrape(server.port()).value("penstock_saved_rows_total")
    };
    assert_eq!(rows(&server), ROWS as f64);
    let mut expected = ROWS;
    for round in 0..5 {
        write(&file, &format!("UPDATE task SET note = 'round {round}' WHERE id IN ('r1', 'r2')"));
        write(&file, &format!("DELETE FROM task WHERE id = 'r{}'", 10 + round));
        expected -= 1;
        raw.until("told", |session| session.store().rows("task").count() as u64 == expected).await;
        saved(raw.store().cookie());
    }
    // Two that changed and one that left, each round.
    assert_eq!(rows(&server), (ROWS + 15) as f64);
    for round in 0..3 {
        server.kill();
        write(&file, &format!("UPDATE task SET note = 'killed {round}' WHERE id = 'r3'"));
        server.start();
        raw = connect(&server, &who, raw.cut(), all()).await;
        let note = format!("killed {round}");
        raw.until("what it missed", |session| {
            session.store().rows("task").any(|row| row["note"] == note)
        })
        .await;
        assert_eq!(raw.store().rows("task").count() as u64, expected);
        let poked = scrape(server.port()).value("penstock_poked_rows_total");
        assert_eq!(poked, 1.0, "it has all the rest");
        saved(raw.store().cookie());
    }
    raw.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_at_any_moment_leaves_nothing_wrong() {
    let folder = folder("kept-never-mind");
    let file = folder.file("app.db");
    let mut server = serve(&folder, &[]);
    let who = Who::new("kept", schema());
    let mut store = Store::default();
    for round in 0..12 {
        let mut raw = connect(&server, &who, store, all()).await;
        raw.until("a poke", |session| session.pokes() > 0).await;
        for write_number in 0..round % 4 {
            write(&file, &format!("INSERT INTO task VALUES ('{round}-{write_number}', 0, 'x')"));
            write(&file, "UPDATE task SET done = NOT done");
        }
        if round % 3 == 0 {
            write(&file, "DELETE FROM task WHERE id = 'a' OR note = 'x'");
            write(&file, "INSERT INTO task VALUES ('a', 0, 'again')");
        }
        // After this or that many frames, whatever they were.
        for _ in 0..round {
            if raw.next_or_idle().await.is_none() {
                break;
            }
        }
        store = raw.cut();
        server.kill();
        server.start();
    }
    let mut raw = connect(&server, &who, store, all()).await;
    raw.until("a poke", |session| session.pokes() > 0).await;
    let sql = "SELECT group_concat(id || done || note, ' ') FROM (SELECT * FROM task ORDER BY id)";
    let expected = value(&file, sql);
    raw.until("what is in the database", |session| {
        let row = |row: &serde_json::Value| {
            let done = u8::from(row["done"] == true);
            format!(
                "{}{done}{}",
                row["id"].as_str().unwrap_or(""),
                row["note"].as_str().unwrap_or("")
            )
        };
        let mut rows: Vec<String> = session.store().rows("task").map(row).collect();
        rows.sort();
        rows.join(" ") == expected
    })
    .await;
    raw.close().await;
}

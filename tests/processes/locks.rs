//! Locks of another process, and a file that may not grow.

use std::time::Duration;

use penstock::source::{SqliteOptions, SqliteSource};
use penstock::{Database, row};
use rusqlite::Connection;

use crate::bank::{Place, check_file, compare, queries, raw, subscribe, transact};
use crate::child::Child;

fn impatient(file: &std::path::Path) -> Database {
    let options = SqliteOptions::new(file).busy_timeout(Duration::from_millis(50));
    Database::open_with(options).expect("the file opens")
}

#[test]
fn a_write_lock_of_another_process_is_an_error_that_passes() {
    let place = Place::new();
    let file = place.bank("delete");
    let db = impatient(&file);
    let live = subscribe(&db);
    let mut child = Child::start("lock", &file);
    child.tell("BEGIN IMMEDIATE; UPDATE account SET balance = balance");
    child.expect("done");

    let error = transact(&db, 1).expect_err("another process writes").to_string();
    assert!(error.contains("bank.db") && error.contains("busy timeout"), "{error}");
    // Reading goes on, and so do live results.
    compare(&db, &live, &file);
    assert!(!db.sync().expect("following"));

    child.tell("COMMIT");
    child.expect("done");
    transact(&db, 1).expect("the lock is gone");
    compare(&db, &live, &file);
    child.end();
    check_file(&file);
}

#[test]
fn a_lock_against_readers_is_an_error_that_passes() {
    let place = Place::new();
    let file = place.bank("delete");
    let db = impatient(&file);
    let live = subscribe(&db);
    let before = live[0].rows();
    let mut child = Child::start("lock", &file);
    child.tell("BEGIN EXCLUSIVE; UPDATE account SET balance = 7 WHERE id = 1");
    child.expect("done");

    let error = db.query(&queries()[0]).expect_err("another process keeps readers out");
    assert!(error.to_string().contains("busy timeout"), "{error}");
    let error = db.subscribe(queries().remove(1)).expect_err("the same").to_string();
    assert!(error.contains("busy timeout"), "{error}");
    assert!(db.sync().is_err());
    assert_eq!(live[0].rows(), before, "the last result can still be read");

    child.tell("UPDATE account SET balance = 1000 WHERE id = 1; COMMIT");
    child.expect("done");
    db.sync().expect("the lock is gone");
    compare(&db, &live, &file);
    child.end();
}

#[test]
fn a_process_that_dies_with_a_lock_frees_it() {
    let place = Place::new();
    let file = place.bank("delete");
    let db = impatient(&file);
    let live = subscribe(&db);
    let mut child = Child::start("lock", &file);
    child.tell("BEGIN IMMEDIATE; DELETE FROM account");
    child.expect("done");
    transact(&db, 1).expect_err("another process writes");
    child.kill();
    transact(&db, 1).expect("the lock has gone with its holder");
    compare(&db, &live, &file);
    check_file(&file);
}

#[test]
fn a_full_disk_is_an_error_that_passes() {
    let place = Place::new();
    let file = place.bank("wal");
    let connection = Connection::open(&file).expect("the file");
    let pages: i64 =
        connection.query_row("PRAGMA page_count", [], |row| row.get(0)).expect("a count");
    // SQLite says the same of a file that may not grow as of a disk that is full.
    let set: i64 = connection
        .query_row(&format!("PRAGMA max_page_count = {}", pages + 1), [], |row| row.get(0))
        .expect("a limit");
    assert_eq!(set, pages + 1);
    let source = SqliteSource::from_connection(connection).expect("a source");
    let db = Database::builder().with_source(source).expect("a database");
    let live = subscribe(&db);
    transact(&db, 1).expect("there is room for this");
    let before: Vec<_> = live.iter().map(|live| live.rows()).collect();

    let error = db
        .transaction(|tx| {
            let owner = "x".repeat(10_000);
            (100..120).try_for_each(|id| {
                tx.insert("account", row! { id: id, owner: owner.as_str(), balance: 0 })
            })
        })
        .expect_err("there is no room for this")
        .to_string();
    assert!(error.contains("full") && error.contains("make room"), "{error}");
    for (live, before) in live.iter().zip(&before) {
        assert_eq!(live.rows(), *before, "nothing has changed");
    }
    compare(&db, &live, &file);
    // What needs no room still works.
    db.transaction(|tx| tx.update("account", row! { id: 1, owner: "Eve" })).expect("an update");
    raw(&file).execute_batch("DELETE FROM transfer").expect("another connection makes room");
    transact(&db, 2).expect("there is room again");
    compare(&db, &live, &file);
    check_file(&file);
}

//! Another process writes, and live results follow.

use crate::bank::{Place, check_file, compare, marks, open, subscribe, transact};
use crate::child::Child;

/// One step of the other process at a time; after each, results are exactly right.
fn step_by_step(journal_mode: &str, change_log: bool) {
    let place = Place::new();
    let file = place.bank(journal_mode);
    let db = open(&file, change_log);
    let mut live = subscribe(&db);
    let mut copies: Vec<_> = live.iter().map(|live| live.rows()).collect();
    let mut child = Child::start("write raw", &file);
    let mut number = 1;
    for step in 0..40_i64 {
        let many = if step % 8 == 7 { 25 } else { 1 };
        child.tell(&format!("{number} {}", number + many));
        child.expect("done");
        number += many;
        assert!(db.sync().expect("following"), "step {step} is seen");
        assert!(!db.sync().expect("following"), "once");
        compare(&db, &live, &file);
        for (live, copy) in live.iter_mut().zip(&mut copies) {
            live.changes().for_each(|patch| copy.apply(&patch));
            assert_eq!(*copy, live.rows(), "patches lead to the result");
        }
    }
    child.end();
    check_file(&file);
}

#[test]
fn a_second_process_is_followed_by_rereading() {
    step_by_step("wal", false);
}

#[test]
fn a_second_process_is_followed_by_rereading_without_a_write_ahead_log() {
    step_by_step("delete", false);
}

#[test]
fn a_second_process_is_followed_by_the_change_log() {
    step_by_step("wal", true);
}

/// The other process writes all the time, while this one follows and writes too.
fn at_full_speed(change_log: bool) {
    let place = Place::new();
    let file = place.bank("wal");
    let db = open(&file, change_log);
    let live = subscribe(&db);
    let mut child = Child::start("write raw", &file);
    child.tell("1 400");
    // Numbers that the child does not use.
    for number in 1_000..1_100 {
        db.sync().expect("following");
        db.verify().expect("maintained results equal fresh ones");
        if number % 3 == 0 {
            transact(&db, number).expect("a transaction");
        }
    }
    child.expect("done");
    child.end();
    db.sync().expect("following");
    compare(&db, &live, &file);
    check_file(&file);
    let expected: Vec<i64> =
        (1..400).chain((1_000..1_100).filter(|number| number % 3 == 0)).collect();
    assert_eq!(marks(&file), expected);
}

#[test]
fn results_stay_right_while_another_process_writes() {
    at_full_speed(false);
}

#[test]
fn results_stay_right_while_another_process_writes_with_a_change_log() {
    at_full_speed(true);
}

/// Both processes write through Penstock and follow each other.
fn two_peers(change_log: bool) {
    let place = Place::new();
    let file = place.bank("wal");
    let db = open(&file, change_log);
    let live = subscribe(&db);
    let role = if change_log { "peer with log" } else { "peer" };
    let mut child = Child::start(role, &file);
    child.expect("ready");
    for round in 0..4_i64 {
        let from = round * 1_000;
        child.tell(&format!("{} {}", from + 1, from + 40));
        for number in from + 500..from + 540 {
            transact(&db, number).expect("a transaction");
        }
        child.expect("done");
        db.sync().expect("following");
        compare(&db, &live, &file);
        child.tell("results");
        for live in &live {
            let held = live.rows().to_json().expect("JSON").to_string();
            assert_eq!(child.hear(), Some(held));
        }
    }
    child.end();
    check_file(&file);
}

#[test]
fn two_processes_end_equal() {
    two_peers(false);
}

#[test]
fn two_processes_with_a_change_log_end_equal() {
    two_peers(true);
}

/// With the shell that people have, where it is on this machine.
#[test]
fn the_sqlite3_shell_is_followed() {
    let place = Place::new();
    let file = place.bank("wal");
    let db = open(&file, true);
    let live = subscribe(&db);
    for sql in [
        "UPDATE account SET balance = balance + 5 WHERE id = 3",
        "BEGIN; INSERT INTO mark VALUES (7); DELETE FROM account WHERE id = 9; ROLLBACK",
        "INSERT OR REPLACE INTO account VALUES (4, 'Dot', 990), (30, 'Dot', 5)",
    ] {
        let Ok(status) = std::process::Command::new("sqlite3").arg(&file).arg(sql).status() else {
            eprintln!("there is no sqlite3 on this machine, so it was not tried");
            return;
        };
        assert!(status.success(), "{sql}");
        assert_eq!(db.sync().expect("following"), !sql.contains("ROLLBACK"), "{sql}");
        compare(&db, &live, &file);
    }
    assert_eq!(live[0].rows().first().and_then(|row| row.get("id")?.as_i64()), Some(3));
}

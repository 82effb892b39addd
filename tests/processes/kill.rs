//! Processes that are killed while they write.

use crate::bank::{Place, check_file, compare, marks, open, plan, subscribe, transact};
use crate::child::Child;

/// How often a child is killed over one file.
const KILLS: i64 = 8;

/// Kills a writer again and again; after each time, everything that it said was committed is in
/// the file, the file is whole, and live results over it are right.
fn storm(role: &str, journal_mode: &str, change_log: bool) {
    let place = Place::new();
    let file = place.bank(journal_mode);
    let mut last = 0;
    for kill in 0..KILLS {
        let mut child = Child::start(role, &file);
        // The number of transactions until the kill differs; the place within one is chance.
        for _ in 0..3 + plan(kill).amount {
            let said = child.hear().expect("the child writes");
            last = said.parse().expect("a number");
        }
        let more = child.kill();
        last = more.last().map_or(last, |said| said.parse().expect("a number"));

        let held = marks(&file);
        assert!(held.last() >= Some(&last), "{last} was committed, but {:?} is last", held.last());
        assert!(held.iter().copied().eq(1..=held.len() as i64), "none is missing");
        check_file(&file);
        let db = open(&file, change_log);
        let live = subscribe(&db);
        compare(&db, &live, &file);
        last = held.len() as i64 + 1;
        transact(&db, last).expect("the file can be written");
        compare(&db, &live, &file);
    }
    assert!(last >= 4 * KILLS, "{last} transactions");
}

#[test]
fn a_killed_writer_loses_nothing_with_a_write_ahead_log() {
    storm("storm penstock", "wal", false);
}

#[test]
fn a_killed_writer_loses_nothing_with_a_rollback_journal() {
    storm("storm penstock", "delete", false);
}

#[test]
fn a_killed_writer_with_a_change_log_loses_nothing() {
    storm("storm penstock with log", "wal", true);
}

#[test]
fn a_killed_writer_that_knows_nothing_of_us_loses_nothing() {
    storm("storm raw", "wal", false);
}

#[test]
fn a_killed_writer_that_knows_nothing_of_us_leaves_the_change_log_right() {
    let place = Place::new();
    let file = place.bank("delete");
    let db = open(&file, true);
    let live = subscribe(&db);
    for _ in 0..KILLS {
        let mut child = Child::start("storm raw", &file);
        for _ in 0..5 {
            child.hear().expect("the child writes");
        }
        child.kill();
        db.sync().expect("following");
        compare(&db, &live, &file);
    }
    check_file(&file);
}

//! What children do.

use std::io::{self, BufRead, Write};
use std::path::Path;

use rusqlite::Connection;

use crate::bank::{self, open, raw, subscribe, transact, transact_raw};
use crate::child::{FILE, MARK, ROLE};

/// Does nothing but say so, unless this process is a child.
#[test]
fn a_child_does_what_its_role_says() {
    let Ok(role) = std::env::var(ROLE) else {
        assert!(std::env::var_os(FILE).is_none(), "a file without a role");
        return;
    };
    let file = std::env::var_os(FILE).expect("a child has a file");
    let file = Path::new(&file);
    match role.as_str() {
        "write raw" => write_raw(file),
        "storm raw" => storm(file, |db: &mut Connection, number| {
            transact_raw(db, number).expect("a transaction");
        }),
        "storm penstock" => storm_penstock(file, false),
        "storm penstock with log" => storm_penstock(file, true),
        "peer" => peer(file, false),
        "peer with log" => peer(file, true),
        "lock" => lock(file),
        "read only" => read_only(file),
        role => panic!("no such role: {role}"),
    }
}

/// Says a line to the parent.
fn say(line: &str) {
    let mut out = io::stdout().lock();
    // One write, so that a kill leaves a whole line or none.
    let line = format!("{MARK}{line}\n");
    out.write_all(line.as_bytes()).and_then(|()| out.flush()).expect("the parent listens");
}

/// What the parent says, line by line.
fn told() -> impl Iterator<Item = String> {
    io::stdin().lock().lines().map(|line| line.expect("text"))
}

/// Makes the transactions of the numbers that it is told, `from to`.
fn write_raw(file: &Path) {
    let mut db = raw(file);
    for line in told() {
        for number in range(&line) {
            transact_raw(&mut db, number).expect("a transaction");
        }
        say("done");
    }
}

fn range(line: &str) -> std::ops::Range<i64> {
    let (from, to) = line.split_once(' ').expect("two numbers");
    from.parse().expect("a number")..to.parse().expect("a number")
}

/// Makes transactions until it is killed, and says each that is committed.
fn storm(file: &Path, mut transact: impl FnMut(&mut Connection, i64)) {
    let mut db = raw(file);
    for number in bank::marks(file).last().map_or(1, |last| last + 1).. {
        transact(&mut db, number);
        say(&number.to_string());
    }
}

fn storm_penstock(file: &Path, change_log: bool) {
    let db = open(file, change_log);
    let live = subscribe(&db);
    for number in bank::marks(file).last().map_or(1, |last| last + 1).. {
        transact(&db, number).expect("a transaction");
        say(&number.to_string());
    }
    drop(live);
}

/// Writes through Penstock as it is told, and at the end says what its live queries hold.
fn peer(file: &Path, change_log: bool) {
    let db = open(file, change_log);
    let live = subscribe(&db);
    say("ready");
    for line in told() {
        if line == "results" {
            db.sync().expect("following");
            bank::compare(&db, &live, file);
            for live in &live {
                say(&live.rows().to_json().expect("JSON").to_string());
            }
        } else {
            for number in range(&line) {
                transact(&db, number).expect("a transaction");
            }
            say("done");
        }
    }
}

/// Takes locks as it is told.
fn lock(file: &Path) {
    let db = raw(file);
    for line in told() {
        db.execute_batch(&line).expect("a statement");
        say("done");
    }
}

/// Reads and tries to write.
fn read_only(file: &Path) {
    let db = match penstock::Database::open(file) {
        Ok(db) => db,
        Err(error) => return say(&format!("open: {error}")),
    };
    let live = match db.subscribe(bank::queries().remove(0)) {
        Ok(live) => live,
        Err(error) => return say(&format!("subscribe: {error}")),
    };
    say(&format!("{} rows", live.rows().len()));
    let error = transact(&db, 1).expect_err("it cannot be written");
    say(&format!("write: {error}"));
    db.verify().expect("it can still be read");
    say(&format!("{} rows", live.rows().len()));
}

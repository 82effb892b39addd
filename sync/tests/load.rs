//! The workloads in small: what clients receive is counted and compared, not timed.

use std::path::Path;
use std::time::Duration;

use penstock_sync_workloads::database::{Change, Database, Source};
use penstock_sync_workloads::load::Wants;
use penstock_sync_workloads::subject::{Programs, Subject};

/// Longer than anything takes; only a failing test waits so long.
const LONG: Duration = Duration::from_secs(120);

fn subject(source: Source, wants: Wants, groups: usize) -> Subject {
    let programs = Programs {
        postgres: Path::new(env!("CARGO_BIN_EXE_penstock-postgres-sync")).to_owned(),
        sqlite: Path::new(env!("CARGO_BIN_EXE_penstock-sqlite-sync")).to_owned(),
        // The program is of another package; its clients run in a thread here.
        load: None,
    };
    let database = Database::filled(source, 5000, false).expect("a database");
    Subject::start(&programs, database, wants, groups).expect("a server")
}

/// Clients hold what their queries give: at first, while and after all of them are told of writes, and
/// when they have come again.
fn clients_of_persons(source: Source) {
    let groups = 8;
    let mut subject = subject(source, Wants::Person { first: 0 }, groups);
    assert_eq!(subject.generator.open(groups).expect("clients").len(), groups);
    let rows = subject.prove().expect("right clients");
    assert!(rows > 1000, "{rows} rows");

    subject.generator.received().expect("counts");
    let writes = 300;
    let (first, sent) = subject.write(Change::Modified, 150, writes).expect("writes");
    assert_eq!(subject.generator.until(first + writes - 1, LONG), Ok(0));
    let lags = subject.generator.lags(first, &sent).expect("lags");
    assert!(lags.missing == 0 && lags.p50 > 0.0 && lags.p50 <= lags.p99, "{lags:?}");
    let received = subject.generator.received().expect("counts");
    // Several writes may come as one poke, which is at least three frames.
    let most = writes * groups as u64;
    assert!((groups as u64..=most).contains(&received.pokes), "{received:?}");
    assert!(received.frames >= 3 * received.pokes && received.bytes > 100 * received.pokes);
    subject.prove().expect("right clients");

    assert_eq!(subject.generator.reconnect().expect("clients").len(), groups);
    subject.write(Change::Title, 1000, 50).expect("writes");
    subject.prove().expect("right clients");
    // One more than there may be.
    assert!(subject.generator.open(1).is_err());
}

#[test]
fn clients_of_a_postgres_hold_what_their_queries_give() {
    clients_of_persons(Source::Postgres);
}

#[test]
fn clients_of_a_file_hold_what_their_queries_give() {
    clients_of_persons(Source::Sqlite);
}

#[test]
fn a_client_with_many_queries_holds_what_they_give() {
    let mut subject = subject(Source::Postgres, Wants::Owners { count: 60 }, 1);
    subject.generator.open(1).expect("a client");
    subject.write(Change::Modified, 500, 100).expect("writes");
    assert_eq!(subject.prove(), Ok(10 * 50));
}

#[test]
fn a_difference_is_found() {
    let mut subject = subject(Source::Sqlite, Wants::Person { first: 3 }, 1);
    subject.generator.open(1).expect("a client");
    subject.prove().expect("a right client");
    let held = subject.generator.held().expect("rows");
    let other = penstock_sync_workloads::oracle::expected(
        &mut subject.database,
        Wants::Person { first: 4 },
        0,
    );
    assert_ne!(other, Ok(held[0]));
    let same = penstock_sync_workloads::oracle::expected(
        &mut subject.database,
        Wants::Person { first: 3 },
        0,
    );
    assert_eq!(same, Ok(held[0]));
}

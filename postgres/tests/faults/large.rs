//! Transactions of a million rows, with bounded memory.

use crate::child::Child;
use crate::equal;
use crate::how::How;
use crate::turns::turns;

const MEBIBYTE: u64 = 1 << 20;

/// What a process needs for one transaction that inserts so many rows, in bytes; with a further one that
/// changes them all and one that deletes them, in the long form.
fn peak(how: How, rows: u64) -> u64 {
    let server = how.server();
    server
        .sql(
            "create table mark(id int primary key, nr int not null); insert into mark values (1, 0);
             create table big(id int primary key, name text, nr bigint)",
        )
        .expect("tables");
    let file = how.file(&format!("large-{rows}"));
    let mut child = Child::plain(how, &server.url(), &file);
    child.hear("phase Streaming");
    let mut statements = vec![format!(
        "insert into big select i, 'row ' || md5(i::text), i from generate_series(1, {rows}) i"
    )];
    if turns(0, 1) == 1 {
        statements.push("update big set nr = nr + 1".to_owned());
        statements.push("update big set id = -id where id % 2 = 0".to_owned());
        statements.push("delete from big where id % 3 <> 0".to_owned());
    }
    for statement in statements {
        server.sql(&statement).expect("written");
        equal::reached(&server, &file);
    }
    let peak = child.memory_peak();
    equal::check(&server, &file);
    let status = child.status();
    assert!(status.contains("copies=2 restarts=0 divergences=0"), "{status}");
    println!("{rows} rows: {} KiB at most", peak / 1024);
    peak
}

#[test]
fn a_transaction_of_a_million_rows_needs_no_more_memory_than_a_small_one() {
    let how = How::pgoutput();
    let (small, large) = (peak(how, 100_000), peak(how, 1_000_000));
    // Ten times the rows, of some 60 MiB.
    assert!(large < small + 24 * MEBIBYTE, "{small} bytes for 100 000 rows, {large} for 1 000 000");
}

#[test]
fn a_large_transaction_through_wal2json_needs_no_more_memory_than_a_small_one() {
    let (how, rows) = (How::wal2json(), turns(400_000, 1_000_000));
    let (small, large) = (peak(how, 50_000), peak(how, rows));
    // 24 MiB or 60 MiB more of rows alone.
    assert!(large < small + 16 * MEBIBYTE, "{small} bytes for 50 000 rows, {large} for {rows}");
}

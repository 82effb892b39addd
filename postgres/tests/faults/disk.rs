//! A disk that is full on our side: the system refuses every write beyond a file's size.

use std::path::Path;

use penstock_postgres_harness::{Server, until};

use crate::child::Child;
use crate::equal::{self, file, found};
use crate::how::How;
use crate::load::{self, Load};
use crate::turns::{Random, turns};

/// The size of the larger one of the database and its write-ahead log.
fn size(file: &Path) -> u64 {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
    size(file).max(size(Path::new(&log)))
}

fn slot_at(server: &Server) -> String {
    let sql = "select confirmed_flush_lsn - '0/0' from pg_replication_slots";
    server.value(sql).expect("a position")
}

#[test]
fn a_full_disk_stops_nothing_for_good_while_changes_are_applied() {
    let mut random = Random::of("disk");
    let server = Server::fast().expect("a server");
    load::tables(&server);
    let file = file("disk");
    let mut child = Child::limited(How::pgoutput(), &server.url(), &file);
    child.hear("phase Streaming");
    let load = Load::start(&server, &mut random);
    for _ in 0..turns(2, 20) {
        load.wait(10 + random.below(50));
        child.forget();
        child.limit_files(Some(size(&file) + random.below(100_000)));
        child.hear("phase Connecting");
        let status = child.status();
        assert!(status.contains("disk I/O error"), "{status}");
        // The server keeps what we do not have.
        let held = found(&file, "SELECT end_lsn FROM penstock_replica").expect("it can be read");
        let held: u64 = held[0][0].as_ref().and_then(|lsn| lsn.parse().ok()).expect("a position");
        assert!(slot_at(&server).parse::<u64>().expect("a position") <= held);
        load.wait(20);
        child.limit_files(None);
    }
    load.wait(20);
    load.stop();
    equal::check(&server, &file);
    equal::check_log(&server, &file);
    child.check_sums(5);
    let status = child.status();
    assert!(status.contains("copies=5 restarts=0 divergences=0"), "{status}");
}

#[test]
fn a_full_disk_stops_nothing_for_good_while_tables_are_copied() {
    let server = Server::fast().expect("a server");
    load::tables(&server);
    load::fill(&server, turns(5_000, 50_000));
    let file = file("disk-copy");
    let mut child = Child::limited(How::pgoutput(), &server.url(), &file);
    child.limit_files(Some(300_000));
    child.hear("error ");
    let said = child.said().join("\n");
    assert!(said.contains("disk I/O error; reading or writing the file failed"), "{said}");
    child.limit_files(None);
    child.hear("phase Streaming");
    server.sql("update account set balance = 3 where id = 3").expect("a change");
    equal::check(&server, &file);
    child.check_sums(5);
    let status = child.status();
    assert!(status.contains("restarts=0 divergences=0"), "{status}");
}

#[test]
fn a_process_that_is_killed_with_a_full_disk_goes_on_when_there_is_room() {
    let mut random = Random::of("disk and kill");
    let server = Server::fast().expect("a server");
    load::tables(&server);
    let file = file("disk-kill");
    let mut child = Child::limited(How::pgoutput(), &server.url(), &file);
    child.hear("phase Streaming");
    let load = Load::start(&server, &mut random);
    load.wait(20);
    child.limit_files(Some(size(&file) + 20_000));
    child.hear("error ");
    child.kill();
    load.wait(20);
    load.stop();
    let mut child = Child::start(How::pgoutput(), &server.url(), &file);
    child.hear("phase Streaming");
    equal::check(&server, &file);
    equal::check_log(&server, &file);
    let slots = || server.value("select count(*) from pg_replication_slots where active");
    until("the slot is read", || slots().is_ok_and(|count| count == "1"));
    let status = child.status();
    assert!(status.contains("copies=0 restarts=0 divergences=0"), "{status}");
}

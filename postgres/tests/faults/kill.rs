//! Processes that are killed: ours, the server's, both.

use penstock_postgres_harness::Server;

use crate::child::Child;
use crate::equal::{self, file};
use crate::followed::Followed;
use crate::load::{self, Load};
use crate::turns::{Random, turns};

#[test]
fn our_process_is_killed_at_random_points_under_load() {
    let mut random = Random::of("our process");
    let server = Server::fast().expect("a server");
    load::tables(&server);
    let file = file("kill-ours");
    let mut child = Child::start(&server.url(), &file);
    child.hear("phase Streaming");
    let load = Load::start(&server, &mut random);
    for _ in 0..turns(8, 300) {
        random.pause(1, 700);
        child.kill();
        child = Child::start(&server.url(), &file);
    }
    child.hear("phase Streaming");
    load.wait(50);
    load.stop();
    equal::check(&server, &file);
    // Every transaction once: each row of the journal was inserted by one.
    equal::check_log(&server, &file);
    child.check_sums(5);
    let status = child.status();
    assert!(status.contains("copies=0 restarts=0 divergences=0"), "{status}");
}

#[test]
fn our_process_is_killed_while_it_copies() {
    let mut random = Random::of("copies");
    let server = Server::fast().expect("a server");
    load::tables(&server);
    load::fill(&server, turns(15_000, 60_000));
    let file = file("kill-copies");
    let load = Load::start(&server, &mut random);
    for _ in 0..turns(8, 100) {
        let child = Child::start(&server.url(), &file);
        random.pause(1, 500);
        child.kill();
    }
    let mut child = Child::start(&server.url(), &file);
    child.hear("phase Streaming");
    load.wait(50);
    load.stop();
    equal::check(&server, &file);
    child.check_sums(5);
    let status = child.status();
    assert!(status.contains("restarts=0 divergences=0"), "{status}");
    let slots = "select string_agg(slot_name, ' ') from pg_replication_slots";
    assert_eq!(server.value(slots).expect("an answer"), "penstock");
}

#[test]
fn the_server_is_killed_at_random_points_under_load() {
    let mut random = Random::of("the server");
    let mut server = Server::fast().expect("a server");
    load::tables(&server);
    let followed = Followed::copied(&server.url(), &file("kill-server"));
    let live =
        followed.follower.database().subscribe_sql("SELECT sum(balance) AS total FROM account", ());
    let live = live.expect("a live result");
    let load = Load::start(&server, &mut random);
    for _ in 0..turns(4, 60) {
        load.wait(20);
        random.pause(1, 500);
        server.crash().expect("it starts again");
    }
    load.wait(20);
    load.stop();
    followed.check(&server);
    equal::check_log(&server, &followed.file);
    followed.check_one_copy(5);
    assert!(live.status().is_ok());
    // Transfers change no total, in any state that is committed.
    let total = serde_json::json!([{"total": 50_000}]);
    assert_eq!(live.rows().to_json().expect("JSON"), total);
    assert!(followed.status().stream.is_some_and(|stream| stream.connections > 1));
}

#[test]
fn both_are_killed_at_random_points_under_load() {
    let mut random = Random::of("both");
    let mut server = Server::fast().expect("a server");
    load::tables(&server);
    let file = file("kill-both");
    let mut child = Child::start(&server.url(), &file);
    child.hear("phase Streaming");
    let load = Load::start(&server, &mut random);
    for _ in 0..turns(6, 150) {
        random.pause(1, 400);
        if random.below(2) == 0 {
            server.crash().expect("it starts again");
        } else {
            child.kill();
            child = Child::start(&server.url(), &file);
        }
    }
    load.wait(50);
    load.stop();
    child.hear("phase Streaming");
    equal::check(&server, &file);
    equal::check_log(&server, &file);
    child.check_sums(5);
    let status = child.status();
    assert!(status.contains("copies=0 restarts=0 divergences=0"), "{status}");
}

#[test]
fn a_server_that_is_away_is_waited_for_and_said_to_be_away() {
    use penstock_postgres_harness::server::Stop;

    let mut server = Server::fast().expect("a server");
    load::tables(&server);
    let file = file("away");
    drop(Followed::copied(&server.url(), &file));
    server.stop(Stop::Fast).expect("it stops");
    let followed = Followed::start(&server.url(), &file);
    followed.hear("refused");
    // What there is can be read meanwhile.
    let rows = followed.follower.database().query_sql("SELECT * FROM account", ());
    assert_eq!(rows.expect("rows").len(), 50);
    server.start_again().expect("it starts again");
    server.sql("update account set balance = 7 where id = 1").expect("a change");
    followed.check(&server);
    followed.check_one_copy(0);
}

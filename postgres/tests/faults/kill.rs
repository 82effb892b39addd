//! Processes that are killed: ours, the server's, both.

use std::path::Path;

use penstock_postgres_harness::Server;

use crate::child::Child;
use crate::equal;
use crate::followed::Followed;
use crate::how::{How, each};
use crate::load::{self, Load};
use crate::turns::{Random, turns};

/// Checks that a process that was started again has everything once: each transaction inserts one row of
/// the journal, and nothing was copied anew.
fn check_once(child: &mut Child, server: &Server, file: &Path) {
    equal::check(server, file);
    equal::check_log(server, file);
    child.check_sums(5);
    let status = child.status();
    assert!(status.contains("copies=0 restarts=0 divergences=0"), "{status}");
}

each!(our_process_is_killed_at_random_points_under_load: pgoutput, wal2json, reported);

fn our_process_is_killed_at_random_points_under_load(how: How) {
    let mut random = Random::of("our process");
    let server = how.server();
    load::tables(&server);
    let file = how.file("kill-ours");
    let mut child = Child::start(how, &server.url(), &file);
    child.hear("phase Streaming");
    let load = Load::start(&server, &mut random);
    for _ in 0..turns(8, 300) {
        random.pause(1, 700);
        child.kill();
        child = Child::start(how, &server.url(), &file);
    }
    child.hear("phase Streaming");
    load.wait(50);
    load.stop();
    check_once(&mut child, &server, &file);
}

each!(our_process_is_killed_while_it_copies: pgoutput, wal2json);

fn our_process_is_killed_while_it_copies(how: How) {
    let mut random = Random::of("copies");
    let server = how.server();
    load::tables(&server);
    load::fill(&server, turns(15_000, 60_000));
    let file = how.file("kill-copies");
    let load = Load::start(&server, &mut random);
    for _ in 0..turns(8, 100) {
        let child = Child::start(how, &server.url(), &file);
        random.pause(1, 500);
        child.kill();
    }
    let mut child = Child::start(how, &server.url(), &file);
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

each!(the_server_is_killed_at_random_points_under_load: pgoutput, wal2json);

fn the_server_is_killed_at_random_points_under_load(how: How) {
    let mut random = Random::of("the server");
    let mut server = how.server();
    load::tables(&server);
    let followed = Followed::copied(how, &server.url(), &how.file("kill-server"));
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

each!(both_are_killed_at_random_points_under_load: pgoutput, wal2json, wal2json_reported);

fn both_are_killed_at_random_points_under_load(how: How) {
    let mut random = Random::of("both");
    let mut server = how.server();
    load::tables(&server);
    let file = how.file("kill-both");
    let mut child = Child::start(how, &server.url(), &file);
    child.hear("phase Streaming");
    let load = Load::start(&server, &mut random);
    for _ in 0..turns(6, 150) {
        random.pause(1, 400);
        if random.below(2) == 0 {
            server.crash().expect("it starts again");
        } else {
            child.kill();
            child = Child::start(how, &server.url(), &file);
        }
    }
    load.wait(50);
    load.stop();
    child.hear("phase Streaming");
    check_once(&mut child, &server, &file);
}

each!(a_server_that_is_away_is_waited_for_and_said_to_be_away: pgoutput, wal2json);

fn a_server_that_is_away_is_waited_for_and_said_to_be_away(how: How) {
    use penstock_postgres_harness::server::Stop;

    let mut server = how.server();
    load::tables(&server);
    let file = how.file("away");
    drop(Followed::copied(how, &server.url(), &file));
    server.stop(Stop::Fast).expect("it stops");
    let followed = Followed::start(how, &server.url(), &file);
    followed.hear("refused");
    // What there is can be read meanwhile.
    let rows = followed.follower.database().query_sql("SELECT * FROM account", ());
    assert_eq!(rows.expect("rows").len(), 50);
    server.start_again().expect("it starts again");
    server.sql("update account set balance = 7 where id = 1").expect("a change");
    followed.check(&server);
    followed.check_one_copy(0);
}

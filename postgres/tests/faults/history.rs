//! Servers with another history than the one that was followed.

use penstock_postgres_harness::{Proxy, Server};

use crate::followed::Followed;
use crate::how::{How, each};
use crate::load::{self, Load};
use crate::turns::{Random, turns};

/// Changes after a backup: rows, and a table that the backup does not have.
fn after_the_backup(server: &Server) {
    server
        .sql(
            "create table later(id int primary key); insert into later values (1);
             update account set balance = 1 where id < 20; delete from account where id = 30;
             insert into item select i, 'lost', repeat(md5(i::text), 50), i from generate_series(5000, 9000) i",
        )
        .expect("changes");
}

each!(a_server_that_was_put_back_to_an_older_state_is_copied_anew: pgoutput, wal2json);

fn a_server_that_was_put_back_to_an_older_state_is_copied_anew(how: How) {
    let mut server = how.server();
    load::tables(&server);
    let file = how.file("older");
    drop(Followed::copied(how, &server.url(), &file));
    let backup = server.back_up().expect("a backup");
    let followed = Followed::copied(how, &server.url(), &file);
    after_the_backup(&server);
    followed.check(&server);
    server.go_back(&backup).expect("it goes back");
    followed.hear("put back to an older state");
    followed.wait("a new copy", |status| status.restarts >= 1 && status.copies >= 5);
    server.sql("update account set balance = 3 where id = 3").expect("a change");
    followed.check(&server);
}

each!(a_server_that_was_put_back_and_written_to_since_is_copied_anew: pgoutput, wal2json);

fn a_server_that_was_put_back_and_written_to_since_is_copied_anew(how: How) {
    let mut server = how.server();
    load::tables(&server);
    let file = how.file("diverged");
    drop(Followed::copied(how, &server.url(), &file));
    let backup = server.back_up().expect("a backup");
    let first = Followed::copied(how, &server.url(), &file);
    after_the_backup(&server);
    first.check(&server);
    drop(first);
    server.go_back(&backup).expect("it goes back");
    // Past the position that we have, with other transactions.
    server
        .sql(
            "insert into item select i, 'another', repeat(md5(i::text), 50), i from generate_series(1, 20000) i;
             update account set balance = 2 where id < 25",
        )
        .expect("changes");
    let followed = Followed::start(how, &server.url(), &file);
    followed.hear("history is another one");
    followed.wait("a new copy", |status| status.restarts == 1 && status.copies == 5);
    followed.check(&server);
}

each!(a_server_restored_onto_a_new_timeline_is_copied_anew: pgoutput, wal2json);

fn a_server_restored_onto_a_new_timeline_is_copied_anew(how: How) {
    for keeps_slots in [true, false] {
        let mut server = how.server();
        load::tables(&server);
        let file = how.file(if keeps_slots { "restored-slots" } else { "restored" });
        drop(Followed::copied(how, &server.url(), &file));
        let backup = server.back_up().expect("a backup");
        let followed = Followed::copied(how, &server.url(), &file);
        after_the_backup(&server);
        followed.check(&server);
        server.restore(&backup, keeps_slots).expect("it is restored");
        followed.hear("everything is copied again");
        followed.wait("a new copy", |status| status.restarts >= 1 && status.copies >= 5);
        server.sql("update account set balance = 3 where id = 3").expect("a change");
        followed.check(&server);
    }
}

each!(a_fail_over_that_lost_nothing_is_followed_without_a_copy: pgoutput, wal2json);

fn a_fail_over_that_lost_nothing_is_followed_without_a_copy(how: How) {
    let mut random = Random::of("fail-over");
    let mut server = how.server();
    load::tables(&server);
    let followed = Followed::copied(how, &server.url(), &how.file("fail-over"));
    let load = Load::start(&server, &mut random);
    for timeline in 2..2 + turns(2, 20) {
        load.wait(20);
        server.fail_over().expect("it fails over");
        assert_eq!(
            server.value("select timeline_id from pg_control_checkpoint()").expect("it"),
            timeline.to_string()
        );
    }
    load.wait(20);
    load.stop();
    followed.check(&server);
    crate::equal::check_log(&server, &followed.file);
    followed.check_one_copy(5);
}

each!(another_server_behind_the_same_address_is_recognised: pgoutput);

fn another_server_behind_the_same_address_is_recognised(how: How) {
    let (server, other) = (how.server(), how.server());
    load::tables(&server);
    load::tables(&other);
    other
        .sql("delete from account where id > 10; create table only_here(id int primary key)")
        .expect("changes");
    // Its log is longer, so that only its identifier tells.
    load::fill(&other, 1000);
    let proxy = Proxy::to(server.port()).expect("a proxy");
    let followed = Followed::copied(how, &server.url_through(proxy.port()), &how.file("another"));
    followed.check(&server);
    proxy.point_to(other.port());
    proxy.cut();
    followed.hear("this is another server: its system identifier is");
    followed.wait("a new copy", |status| status.restarts == 1 && status.copies == 11);
    followed.check(&other);
    // The slot on the first one is its owner's to drop.
    let count = "select count(*) from pg_replication_slots";
    assert_eq!(server.value(count).expect("a count"), "1");
}

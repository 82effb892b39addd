//! Slots that are dropped, made anew, or invalidated.

use penstock_postgres_harness::{Options, Proxy, until};

use crate::equal;
use crate::followed::Followed;
use crate::how::{How, each};
use crate::load::{self, Load};
use crate::turns::{Random, turns};

each!(a_slot_that_is_dropped_under_load_leads_to_a_new_copy: pgoutput, wal2json, reported);

fn a_slot_that_is_dropped_under_load_leads_to_a_new_copy(how: How) {
    let mut random = Random::of("dropped");
    let server = how.server();
    load::tables(&server);
    let followed = Followed::copied(how, &server.url(), &how.file("dropped"));
    let live =
        followed.follower.database().subscribe_sql("SELECT sum(balance) AS total FROM account", ());
    let live = live.expect("a live result");
    let load = Load::start(&server, &mut random);
    for turn in 1..=turns(2, 30) {
        load.wait(20);
        until("the slot is dropped", || {
            let drop = "select pg_terminate_backend(active_pid) from pg_replication_slots;
                        select pg_drop_replication_slot('penstock')";
            server.sql(drop).is_ok()
        });
        followed.wait("a new copy", |status| status.restarts == turn);
        followed.hear("the replication slot penstock is gone; everything is copied again");
        followed.follower.wait_until_copied(crate::followed::LONG).expect("a copy");
    }
    load.wait(20);
    load.stop();
    followed.check(&server);
    // Whoever reads the change log is told of the gap, and what is logged since is whole.
    let floor = equal::found(&followed.file, "SELECT log_floor > 0 FROM penstock_replica");
    assert_eq!(floor.expect("the position"), [[Some("1".to_owned())]]);
    // Transfers change no total, in any state that is committed.
    let total = serde_json::json!([{"total": 50_000}]);
    assert!(live.status().is_ok());
    assert_eq!(live.rows().to_json().expect("JSON"), total);
}

each!(a_slot_that_was_made_anew_behind_our_back_is_recognised: pgoutput, wal2json);

fn a_slot_that_was_made_anew_behind_our_back_is_recognised(how: How) {
    let server = how.server();
    load::tables(&server);
    let file = how.file("anew");
    drop(Followed::copied(how, &server.url(), &file));
    until("the slot is dropped", || {
        server.sql("select pg_drop_replication_slot('penstock')").is_ok()
    });
    server
        .sql("update account set balance = 5 where id < 10")
        .expect("a change that nobody is told");
    server
        .sql(&format!("select pg_create_logical_replication_slot('penstock', '{}')", how.plugin()))
        .expect("a slot");
    let followed = Followed::start(how, &server.url(), &file);
    followed.hear("ahead of");
    followed.wait("a new copy", |status| status.restarts == 1 && status.copies == 5);
    followed.check(&server);
}

each!(a_slot_that_is_invalidated_leads_to_a_new_copy: pgoutput, wal2json);

fn a_slot_that_is_invalidated_leads_to_a_new_copy(how: How) {
    let mut random = Random::of("invalidated");
    let options = Options {
        max_slot_wal_keep_size_mb: Some(1),
        settings: vec!["max_wal_size = 32MB".into()],
        ..Options::fast()
    };
    let server = how.server_with(options);
    load::tables(&server);
    let proxy = Proxy::to(server.port()).expect("a proxy");
    let followed =
        Followed::copied(how, &server.url_through(proxy.port()), &how.file("invalidated"));
    let load = Load::start(&server, &mut random);
    load.wait(20);
    // We are away for so long that the server does not keep what we need.
    proxy.refuse(true);
    proxy.cut();
    server.sql("create table filler(id serial primary key, body text)").expect("a table");
    until("the slot is lost", || {
        let filler =
            "insert into filler(body) select repeat('x', 1000) from generate_series(1, 1000);
                      select pg_switch_wal(); checkpoint";
        server.sql(filler).expect("written");
        server.value("select wal_status from pg_replication_slots").expect("an answer") == "lost"
    });
    proxy.refuse(false);
    followed.hear("the replication slot penstock was invalidated");
    followed.hear("max_slot_wal_keep_size limits how far a slot may lag");
    followed.wait("a new copy", |status| status.restarts >= 1 && status.copies >= 11);
    load.stop();
    followed.check(&server);
}

each!(a_publication_that_is_dropped_leads_to_a_new_copy: pgoutput);

fn a_publication_that_is_dropped_leads_to_a_new_copy(how: How) {
    let mut random = Random::of("publication");
    let server = how.server();
    load::tables(&server);
    let followed = Followed::copied(how, &server.url(), &how.file("publication"));
    let load = Load::start(&server, &mut random);
    load.wait(20);
    server.sql("drop publication penstock").expect("it is dropped");
    followed.hear("the publication is gone");
    followed.wait("a new copy", |status| status.restarts >= 1 && status.copies >= 10);
    load.wait(20);
    load.stop();
    followed.check(&server);
}

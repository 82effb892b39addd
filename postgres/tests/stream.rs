//! Following a server, through both transports and through what happens to servers and networks.

mod follow;

use std::time::Duration;

use follow::{Follower, Slots, inserted, options, setup};
use penstock_postgres::setup::{Plugin, Setup, Tables};
use penstock_postgres::stream::{Delivery, Lost, State, StreamError};
use penstock_postgres::{Change, Lsn, Step, TableName};
use penstock_postgres_harness::server::Stop;
use penstock_postgres_harness::{Installation, Options, Proxy, Server, until};

/// Both transports over the same cases.
fn each_plugin(test: impl Fn(Server, Plugin)) {
    for plugin in [Plugin::Pgoutput, Plugin::Wal2json] {
        let installation = Installation::with_wal2json().expect("a Postgres with wal2json");
        let server = Server::start(&installation, Options::default()).expect("it starts");
        server.sql("create table t (id int primary key, a text); create table other (id int primary key)").expect("made");
        test(server, plugin);
    }
}

fn insert(server: &Server, ids: std::ops::Range<i64>) {
    for id in ids {
        server.sql(&format!("insert into t values ({id}, 'row {id}')")).expect("written");
    }
}

fn lost(follower: &mut Follower) -> Lost {
    match follower.until_ended() {
        StreamError::Lost(lost) => lost,
        other => panic!("{other}"),
    }
}

#[test]
fn transactions_come_in_order_and_the_slot_follows_what_was_acknowledged() {
    each_plugin(|server, plugin| {
        let mut follower = Follower::new(&server, plugin);
        server
            .sql("begin; insert into t values (1, 'a'); insert into other values (1); commit")
            .expect("written");
        server.sql("begin; insert into t values (2, 'b'); rollback").expect("not written");
        server.sql("update t set a = 'c' where id = 1").expect("written");
        let transactions = follower.transactions(2);
        assert_eq!(inserted(&transactions), [1, 1]);
        assert!(transactions[0].commit < transactions[1].commit);
        assert!(matches!(transactions[1].changes.as_slice(), [Change::Update { old: None, .. }]));
        let end = follower.resume.position;
        until("the slot has advanced", || server.slot_at("penstock") >= end);
        until("the status has the slot", || {
            follower.stream.status().slot.is_some_and(|slot| slot.confirmed >= end)
        });
        let status = follower.stream.status();
        let changes: usize = transactions.iter().map(|transaction| transaction.changes.len()).sum();
        let changes = changes as u64;
        assert_eq!((status.transactions, status.changes, status.connections), (2, changes, 1));
        assert_eq!((status.state, status.acknowledged, status.lag_ms), (State::Streaming, end, 0));
    });
}

#[test]
fn positions_advance_when_only_other_tables_are_written() {
    each_plugin(|server, plugin| {
        server.sql("create table unseen (id int primary key)").expect("made");
        let mut follower = Follower::of_tables(&server, plugin, &["t"]);
        let before = follower.resume.position;
        server.sql("insert into unseen select generate_series(1, 1000)").expect("written");
        let end: Lsn = server
            .value("select pg_current_wal_lsn()")
            .expect("an answer")
            .parse()
            .expect("a position");
        while follower.resume.position < end {
            follower.take_one();
        }
        assert!(end > before);
        until("the slot has advanced", || server.slot_at("penstock") >= end);
    });
}

#[test]
fn nothing_is_lost_or_doubled_when_the_server_crashes() {
    each_plugin(|mut server, plugin| {
        let mut follower = Follower::new(&server, plugin);
        for round in 0..3 {
            insert(&server, round * 10..round * 10 + 10);
            if round == 1 {
                follower.transactions(5);
            }
            server.stop(Stop::Kill).expect("killed");
            server.start_again().expect("started");
        }
        insert(&server, 30..40);
        let rest = follower.transactions(35);
        assert_eq!(inserted(&rest), (5..40).collect::<Vec<i64>>());
        assert!(follower.stream.status().connections > 1);
    });
}

#[test]
fn nothing_is_lost_or_doubled_when_the_consumer_starts_again() {
    each_plugin(|server, plugin| {
        let mut follower = Follower::new(&server, plugin);
        insert(&server, 0..10);
        follower.transactions(4);
        // Durable at the consumer, and the server was not told: it comes again, and is recognised.
        let silent = follower.without_acknowledging(3);
        assert_eq!(inserted(&silent), [4, 5, 6]);
        let resume = follower.resume.clone();
        drop(follower);
        let mut follower = Follower::resumed(&server, plugin, resume);
        assert_eq!(inserted(&follower.transactions(3)), [7, 8, 9]);
    });
}

#[test]
fn connections_that_are_cut_or_dead_are_made_anew() {
    each_plugin(|server, plugin| {
        let proxy = Proxy::to(server.port()).expect("a proxy");
        let mut follower = Follower::through(&server, plugin, &proxy);
        insert(&server, 0..5);
        assert_eq!(inserted(&follower.transactions(5)), [0, 1, 2, 3, 4]);
        for round in 1..4 {
            proxy.cut_after(if round == 1 { 0 } else { 200 });
            insert(&server, round * 5..round * 5 + 5);
            let expected: Vec<i64> = (round * 5..round * 5 + 5).collect();
            assert_eq!(inserted(&follower.transactions(5)), expected);
        }
        proxy.cut_after(u64::MAX);
        if plugin == Plugin::Pgoutput {
            let before = follower.stream.status().connections;
            proxy.freeze();
            insert(&server, 20..25);
            until("the dead connection is given up", || {
                follower.stream.status().state == State::Connecting
            });
            let error = follower.stream.status().last_error.unwrap_or_default();
            assert!(error.contains("was silent for"), "{error}");
            proxy.cut();
            proxy.thaw();
            assert_eq!(inserted(&follower.transactions(5)), [20, 21, 22, 23, 24]);
            assert!(follower.stream.status().connections > before);
        }
    });
}

#[test]
fn a_connection_that_is_only_idle_is_kept() {
    let server = Server::fast().expect("it starts");
    server.sql("create table t (id int primary key, a text)").expect("made");
    let mut follower = Follower::new(&server, Plugin::Pgoutput);
    // Longer than any silence that is allowed.
    std::thread::sleep(options().silence_max * 3);
    insert(&server, 0..1);
    follower.transactions(1);
    assert_eq!(follower.stream.status().connections, 1);
}

#[test]
fn a_slot_that_is_dropped_or_made_anew_is_recognised() {
    each_plugin(|server, plugin| {
        let mut follower = Follower::new(&server, plugin);
        insert(&server, 0..2);
        follower.transactions(2);
        let resume = follower.resume.clone();
        drop(follower);
        until("the slot is free", || {
            server.sql("select pg_drop_replication_slot('penstock')").is_ok()
        });
        let mut follower = Follower::resumed(&server, plugin, resume.clone());
        assert_eq!(lost(&mut follower), Lost::SlotGone { slot: "penstock".into() });
        insert(&server, 2..3);
        server.make_slot("penstock", plugin);
        let mut follower = Follower::resumed(&server, plugin, resume);
        assert!(matches!(lost(&mut follower), Lost::SlotAhead { .. }));
    });
}

#[test]
fn a_slot_that_the_server_has_given_up_is_recognised() {
    for plugin in [Plugin::Pgoutput, Plugin::Wal2json] {
        let installation = Installation::with_wal2json().expect("a Postgres with wal2json");
        let limited = Options {
            max_slot_wal_keep_size_mb: Some(1),
            settings: vec!["max_wal_size = 32MB".into()],
            ..Options::fast()
        };
        let server = Server::start(&installation, limited).expect("it starts");
        server.sql("create table t (id int primary key, a text)").expect("made");
        let resume = Follower::new(&server, plugin).resume.clone();
        until("the slot is lost", || {
            server.sql("select pg_switch_wal()").expect("done");
            server.sql("insert into t select max(id) + 1 from t on conflict do nothing").ok();
            server.sql("create table if not exists filler (a text); insert into filler select repeat('x', 1000) from generate_series(1, 1000)").expect("written");
            server.sql("checkpoint").expect("done");
            let status = "select wal_status from pg_replication_slots";
            server.value(status).expect("an answer") == "lost"
        });
        let mut follower = Follower::resumed(&server, plugin, resume);
        assert!(matches!(lost(&mut follower), Lost::SlotInvalidated { .. }));
    }
}

#[test]
fn a_server_that_went_back_in_time_is_recognised() {
    each_plugin(|mut server, plugin| {
        let mut follower = Follower::new(&server, plugin);
        insert(&server, 0..2);
        follower.transactions(2);
        let resume = follower.resume.clone();
        drop(follower);
        let backup = server.back_up().expect("a copy");
        let mut follower = Follower::resumed(&server, plugin, resume.clone());
        server
            .sql("insert into t select i, repeat('x', 100) from generate_series(10, 20000) i")
            .expect("written");
        follower.transactions(1);
        let ahead = follower.resume.clone();
        drop(follower);

        // The log ends before what was received.
        server.go_back(&backup).expect("it goes back");
        let mut behind = Follower::resumed(&server, plugin, ahead.clone());
        assert!(matches!(lost(&mut behind), Lost::ServerBehind { .. }));
        // It has grown past it, by other transactions.
        for id in 100..103 {
            let sql = format!(
                "insert into t select i, repeat('y', 1000) from generate_series({id}0000, {id}9999) i"
            );
            server.sql(&sql).expect("written");
        }
        let mut diverged = Follower::resumed(&server, plugin, ahead.clone());
        assert!(matches!(lost(&mut diverged), Lost::Diverged { .. }));
        // Nor is it forgotten when it is asked again.
        let mut again = Follower::resumed(&server, plugin, ahead.clone());
        assert!(matches!(lost(&mut again), Lost::Diverged { .. }));
        // Whoever had only what the backup has, goes on.
        let mut unharmed = Follower::resumed(&server, plugin, resume);
        assert_eq!(unharmed.transactions(3).len(), 3);
    });
}

#[test]
fn a_fail_over_is_followed_if_nothing_was_lost_and_recognised_if_something_was() {
    each_plugin(|mut server, plugin| {
        let mut follower = Follower::new(&server, plugin);
        insert(&server, 0..3);
        follower.transactions(3);
        server.fail_over().expect("it fails over");
        insert(&server, 3..5);
        assert_eq!(inserted(&follower.transactions(2)), [3, 4]);
        assert_eq!(follower.resume.timeline, 2);
        let resume = follower.resume.clone();
        drop(follower);

        let backup = server.back_up().expect("a copy");
        let mut follower = Follower::resumed(&server, plugin, resume);
        insert(&server, 5..8);
        follower.transactions(3);
        server.restore(&backup, true).expect("it is restored");
        assert!(matches!(
            lost(&mut follower),
            Lost::OtherTimeline { timeline: 2, found: 3, .. } | Lost::ServerBehind { .. }
        ));
    });
}

#[test]
fn a_large_transaction_comes_in_bounded_pieces() {
    each_plugin(|server, plugin| {
        let mut follower = Follower::new(&server, plugin);
        server
            .sql("insert into t select i, 'row' from generate_series(1, 50000) i")
            .expect("written");
        let (mut rows, mut largest) = (0, 0);
        loop {
            match follower.delivery() {
                Delivery::Step(Step::Changes(changes)) => {
                    rows += changes
                        .iter()
                        .filter(|change| matches!(change, Change::Insert { .. }))
                        .count();
                    largest = largest.max(changes.len());
                }
                Delivery::Step(Step::Commit { .. }) => break,
                Delivery::Ended(error) => panic!("{error}"),
                _ => {}
            }
        }
        assert_eq!(rows, 50_000);
        assert!(largest <= options().pieces.changes_max, "{largest}");
    });
}

#[test]
fn names_of_any_kind_and_generated_columns_are_followed() {
    each_plugin(|server, plugin| {
        server
            .sql(
                "create schema \"a b\"; create table \"a b\".\"it's, a.\"\"table*\" \
                 (id int primary key, twice int generated always as (id * 2) stored, \"N\" int)",
            )
            .expect("made");
        let name = TableName::new("a b", "it's, a.\"table*");
        let setup = Setup {
            publication: "My \"own\" publication".into(),
            tables: Tables::Listed(vec![name.clone()]),
            ..setup(plugin)
        };
        let mut follower = Follower::following(&server, setup);
        server
            .sql("insert into \"a b\".\"it's, a.\"\"table*\" (id, \"N\") values (1, 5)")
            .expect("written");
        server.sql("update \"a b\".\"it's, a.\"\"table*\" set id = 2").expect("written");
        let transactions = follower.transactions(2);
        assert_eq!(inserted(&transactions), [1, 2]);
        let changes = transactions.iter().flat_map(|transaction| &transaction.changes);
        let columns = changes.filter_map(|change| match change {
            Change::Insert { relation, new } | Change::Update { relation, new, .. } => {
                let names: Vec<&str> = relation.columns.iter().map(|it| it.name.as_str()).collect();
                Some((relation.name.clone(), names, new.len()))
            }
            _ => None,
        });
        let expected = (name, vec!["id", "N"], 2);
        assert_eq!(columns.collect::<Vec<_>>(), [expected.clone(), expected]);
    });
}

#[test]
fn types_made_after_the_start_are_read() {
    each_plugin(|server, plugin| {
        let mut follower = Follower::new(&server, plugin);
        server.sql("create type mood as enum ('calm', 'glad')").expect("made");
        server.sql("create table moods (id int primary key, mood mood)").expect("made");
        server.sql("insert into moods values (7, 'glad')").expect("written");
        assert_eq!(inserted(&follower.transactions(1)), [7]);
    });
}

#[test]
fn what_will_not_pass_ends_the_stream_with_what_to_change() {
    let server = Server::fast().expect("it starts");
    server.sql("create table t (id int primary key, a text)").expect("made");
    let mut follower = Follower::new(&server, Plugin::Pgoutput);
    insert(&server, 0..1);
    follower.transactions(1);
    let resume = follower.resume.clone();
    drop(follower);
    server.sql("create role ann login").expect("made");
    let url = server.url().replacen("postgres@", "ann@", 1);
    let mut follower = Follower::start(&url, setup(Plugin::Pgoutput), resume);
    let error = follower.until_ended();
    assert!(matches!(error, StreamError::Server(_)), "{error:?}");
    assert!(
        error.to_string().contains("42501") || error.to_string().contains("permission denied"),
        "{error}"
    );
    assert_eq!(
        follower.stream.wait_for(Duration::from_secs(60)),
        Some(None),
        "nothing comes after the end"
    );
}

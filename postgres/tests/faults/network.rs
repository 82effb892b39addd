//! Connections that are cut, half open, refused, slow.

use std::time::Duration;

use penstock_postgres_harness::{Options, Proxy, until};

use crate::child::Child;
use crate::equal;
use crate::followed::Followed;
use crate::how::{How, each};
use crate::load::{self, Load};
use crate::turns::{Random, turns};

each!(connections_are_cut_at_random_points_under_load: pgoutput, wal2json, reported);

fn connections_are_cut_at_random_points_under_load(how: How) {
    let mut random = Random::of("cuts");
    let server = how.server();
    load::tables(&server);
    let proxy = Proxy::to(server.port()).expect("a proxy");
    let url = server.url_through(proxy.port());
    let followed = Followed::copied(how, &url, &how.file("cut"));
    let load = Load::start(&server, &mut random);
    for turn in 0..turns(12, 400) {
        match turn % 4 {
            0 => proxy.cut(),
            // In the middle of a message, of a transaction, of setting up.
            _ => proxy.cut_after(random.below(30_000)),
        }
        random.pause(1, 250);
    }
    proxy.refuse(true);
    proxy.cut();
    load.wait(20);
    until("it is noticed", || {
        followed.status().stream.is_none_or(|stream| stream.last_error.is_some())
    });
    proxy.refuse(false);
    proxy.cut_after(u64::MAX);
    load.stop();
    followed.check(&server);
    equal::check_log(&server, &followed.file);
    followed.check_one_copy(5);
    assert!(followed.status().stream.is_some_and(|stream| stream.last_error.is_some()));
}

each!(connections_are_cut_while_tables_are_copied: pgoutput, wal2json);

fn connections_are_cut_while_tables_are_copied(how: How) {
    let mut random = Random::of("cut copies");
    let server = how.server();
    load::tables(&server);
    load::fill(&server, turns(10_000, 50_000));
    let proxy = Proxy::to(server.port()).expect("a proxy");
    let load = Load::start(&server, &mut random);
    // Less than the copy needs, several times.
    proxy.cut_after(100_000);
    let followed = Followed::start(how, &server.url_through(proxy.port()), &how.file("cut-copies"));
    for turn in 1..turns(6, 60) {
        random.pause(10, 400);
        proxy.cut_after(turn * random.below(200_000));
    }
    proxy.cut_after(u64::MAX);
    followed.wait("the tables are copied", |status| {
        matches!(status.phase, penstock_postgres::follow::Phase::Streaming)
    });
    load.stop();
    followed.check(&server);
    assert_eq!(followed.status().restarts, 0, "{}", followed.status());
}

each!(half_open_connections_are_given_up_and_made_anew: pgoutput);

fn half_open_connections_are_given_up_and_made_anew(how: How) {
    let mut random = Random::of("half open");
    let server = how.server();
    load::tables(&server);
    let proxy = Proxy::to(server.port()).expect("a proxy");
    let followed = Followed::copied(how, &server.url_through(proxy.port()), &how.file("half-open"));
    let load = Load::start(&server, &mut random);
    for turn in 0..turns(2, 30) {
        load.wait(10);
        let before = followed.status().stream.map_or(0, |stream| stream.connections);
        if turn % 2 == 0 {
            // The server believes for a while that we still read, and the slot is in use.
            proxy.strand();
        } else {
            proxy.freeze();
            followed.wait("it is noticed", |status| {
                let stream = status.stream.as_ref();
                stream.is_some_and(|stream| {
                    stream.state != penstock_postgres::stream::State::Streaming
                })
            });
            proxy.cut();
            proxy.thaw();
        }
        followed.hear("was silent for 3 seconds");
        followed.wait("it is connected again", |status| {
            status.stream.as_ref().is_some_and(|stream| stream.connections > before)
        });
    }
    load.stop();
    followed.check(&server);
    equal::check_log(&server, &followed.file);
    followed.check_one_copy(5);
}

each!(a_slow_network_is_only_slow: pgoutput, wal2json);

fn a_slow_network_is_only_slow(how: How) {
    let mut random = Random::of("slow");
    let server = how.server();
    load::tables(&server);
    let proxy = Proxy::to(server.port()).expect("a proxy");
    proxy.delay(Duration::from_millis(20));
    let followed = Followed::copied(how, &server.url_through(proxy.port()), &how.file("slow"));
    let load = Load::start(&server, &mut random);
    load.wait(turns(100, 2000));
    load.stop();
    followed.check(&server);
    equal::check_log(&server, &followed.file);
    followed.check_one_copy(5);
    assert!(followed.status().stream.is_some_and(|stream| stream.connections == 1));
}

each!(a_receiver_that_was_given_up_by_wal_sender_timeout_comes_back: pgoutput);

fn a_receiver_that_was_given_up_by_wal_sender_timeout_comes_back(how: How) {
    let mut random = Random::of("wal_sender_timeout");
    let options = Options { wal_sender_timeout_ms: 1000, ..Options::fast() };
    let server = how.server_with(options);
    load::tables(&server);
    let file = how.file("sender-timeout");
    let mut child = Child::start(how, &server.url(), &file);
    child.hear("phase Streaming");
    let load = Load::start(&server, &mut random);
    for turn in 1..=turns(1, 20) {
        load.wait(10);
        let before = child.connections();
        child.halt(true);
        until("the server gives it up", || {
            let log = server.log();
            log.matches("terminating walsender process due to replication timeout").count() as u64
                >= turn
        });
        load.wait(10);
        child.halt(false);
        until("it is connected again", || child.connections() > before);
    }
    // In the words of the server, or of the connection that it closed.
    child.hear("error ");
    load.stop();
    equal::check(&server, &file);
    equal::check_log(&server, &file);
    child.check_sums(5);
    let status = child.status();
    assert!(status.contains("copies=5 restarts=0 divergences=0"), "{status}");
}

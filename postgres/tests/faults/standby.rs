//! Standbys that take over from a server that is gone.

use penstock_postgres_harness::server::Stop;
use penstock_postgres_harness::{Proxy, until};

use crate::equal;
use crate::followed::{Followed, LONG, options};
use crate::how::How;
use crate::load::{self, Load};
use crate::turns::Random;

/// From Postgres 17 on the slot is there on the standby, and following goes on; before, it is not, and
/// that is recognised.
#[test]
fn a_standby_takes_over() {
    let how = How::pgoutput();
    let mut random = Random::of("standby");
    let mut server = how.server();
    load::tables(&server);
    let keeps_slots = server.installation().major >= 17;
    let standby = server.standby().expect("a standby");
    let proxy = Proxy::to(server.port()).expect("a proxy");
    let file = how.file("standby");
    let mut options = options(how, &server.url_through(proxy.port()), &file);
    options.setup.failover = true;
    let followed = Followed::with(options, &file);
    followed.follower.wait_until_copied(LONG).expect("a copy");
    let live = followed.follower.database().subscribe_sql("SELECT * FROM account", ());
    let live = live.expect("a live result");
    if keeps_slots {
        until("the standby has the slot", || {
            let slot = "select count(*) from pg_replication_slots where slot_name = 'penstock' \
                        and failover and synced and not temporary";
            standby.value(slot).is_ok_and(|count| count == "1")
        });
    }
    let load = Load::start(&server, &mut random);
    load.wait(100);
    load.stop();
    // Not what was sent just now: that the standby has.
    followed.check(&server);
    let end = server.value("select pg_current_wal_lsn()").expect("a position");
    until("the standby has everything", || {
        let sql = format!("select pg_last_wal_replay_lsn() >= '{end}'");
        standby.value(&sql).is_ok_and(|answer| answer == "t")
    });
    server.stop(Stop::Kill).expect("it is killed");
    standby.promote().expect("it takes over");
    proxy.point_to(standby.port());
    proxy.cut();
    until("it takes writes", || standby.sql("update account set balance = 3 where id = 3").is_ok());
    if keeps_slots {
        followed.check(&standby);
        equal::check_log(&standby, &followed.file);
        followed.check_one_copy(5);
        assert!(live.status().is_ok());
    } else {
        followed.hear("the replication slot penstock is gone; everything is copied again");
        followed.wait("a new copy", |status| status.restarts == 1 && status.copies == 10);
        followed.check(&standby);
    }
    let timeline = "select timeline_id from pg_control_checkpoint()";
    until("it is on a timeline of its own", || {
        standby.sql("checkpoint").is_ok() && standby.value(timeline).is_ok_and(|it| it == "2")
    });
}

/// What a standby did not get is lost when it takes over, and that is recognised.
#[test]
fn a_standby_that_lacks_what_was_received_is_copied_anew() {
    let how = How::pgoutput();
    let mut server = how.server();
    load::tables(&server);
    let standby = server.standby().expect("a standby");
    let proxy = Proxy::to(server.port()).expect("a proxy");
    let file = how.file("standby-behind");
    // Not one that may fail over: for those the server would wait for its standby.
    let followed = Followed::copied(how, &server.url_through(proxy.port()), &file);
    followed.check(&server);
    standby
        .sql("alter system set primary_conninfo = ''")
        .and_then(|_| standby.sql("select pg_reload_conf()"))
        .expect("a setting");
    until("it receives no more", || {
        standby.value("select count(*) from pg_stat_wal_receiver").is_ok_and(|count| count == "0")
    });
    server
        .sql("update account set balance = 1 where id < 20; delete from account where id = 30")
        .expect("changes");
    followed.check(&server);
    server.stop(Stop::Kill).expect("it is killed");
    standby.promote().expect("it takes over");
    proxy.point_to(standby.port());
    proxy.cut();
    followed.hear("which does not hold what was received on timeline 1");
    followed.wait("a new copy", |status| status.restarts == 1 && status.copies == 10);
    until("it takes writes", || standby.sql("update account set balance = 3 where id = 3").is_ok());
    followed.check(&standby);
}

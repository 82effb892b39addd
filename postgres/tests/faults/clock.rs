//! Clocks that jump: nothing but the lag that is reported depends on them.

use std::sync::atomic::{AtomicI64, Ordering};

use penstock_postgres::stream::WallClock;
use penstock_postgres_harness::Server;

use crate::equal::{self, file};
use crate::followed::{Followed, options};
use crate::how::How;
use crate::load::{self, Load};
use crate::turns::{Random, turns};

const YEAR_MS: i64 = 365 * 24 * 60 * 60 * 1000;

/// How wrong our clock is.
static OFF_MS: AtomicI64 = AtomicI64::new(0);

fn wrong() -> i64 {
    WallClock::default().unix_ms().saturating_add(OFF_MS.load(Ordering::SeqCst))
}

#[test]
fn clocks_that_jump_change_the_lag_that_is_said_and_nothing_else() {
    let mut random = Random::of("clocks");
    let mut server = Server::fast().expect("a server");
    load::tables(&server);
    let file = file("clock");
    let mut options = options(How::pgoutput(), &server.url(), &file);
    options.stream.wall_clock = WallClock::new(wrong);
    let followed = Followed::with(options, &file);
    followed.follower.wait_until_copied(crate::followed::LONG).expect("a copy");
    let load = Load::start(&server, &mut random);
    let offsets = [-60 * YEAR_MS, i64::MIN / 2, 5 * YEAR_MS, 50, -50, YEAR_MS / 365, i64::MAX / 2];
    for _ in 0..turns(1, 10) {
        for offset in offsets {
            OFF_MS.store(offset, Ordering::SeqCst);
            load.wait(10);
            let status = followed.status();
            let lag_ms = status.stream.map_or(0, |stream| stream.lag_ms);
            let most = u64::try_from(offset.max(0)).expect("it is not negative");
            // A clock that is behind shows no lag; one that is ahead shows how far.
            assert!(
                lag_ms <= most.saturating_add(WallClock::default().unix_ms().unsigned_abs()),
                "{lag_ms}"
            );
            if offset < -YEAR_MS {
                // What is said may still be from before the jump.
                followed.wait("no lag is said", |status| {
                    status.stream.as_ref().is_some_and(|stream| stream.lag_ms == 0)
                });
            }
        }
        server.crash().expect("it starts again");
    }
    load.stop();
    followed.check(&server);
    equal::check_log(&server, &file);
    followed.check_one_copy(5);
}

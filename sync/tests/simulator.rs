//! Many clients, random queries coming and going, writes, sockets cut, servers that end, die and lose
//! their state, clocks that jump and tokens that expire by them: in one process, from a seed. At every rest each client holds exactly
//! the rows of its group's queries, and every frame keeps the rules of the protocol.
//!
//! `PENSTOCK_SIMULATOR_SEEDS=1000..3000` runs other schedules than the default ones.

#[path = "simulator/client.rs"]
mod client;
#[path = "simulator/faults.rs"]
mod faults;
#[path = "simulator/pool.rs"]
mod pool;
#[path = "simulator/random.rs"]
mod random;
#[path = "simulator/rest.rs"]
mod rest;
#[path = "simulator/tally.rs"]
mod tally;
#[path = "simulator/world.rs"]
mod world;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use faults::Canary;
use tally::Tally;
use world::World;

/// Steps of a schedule.
const STEPS: usize = 220;

fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("PENSTOCK_SIMULATOR_SEEDS") else { return 0..400 };
    let (from, to) = text.split_once("..").expect("PENSTOCK_SIMULATOR_SEEDS=from..to");
    from.parse().expect("a number")..to.parse().expect("a number")
}

fn run(seed: u64, canary: Option<Canary>) -> Result<Tally, String> {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(seed, canary);
        for _ in 0..STEPS {
            world.step()?;
        }
        world.rest()?;
        Ok(world.tally())
    }));
    outcome.unwrap_or_else(|_| Err("a panic".to_owned()))
}

#[test]
fn every_client_converges_under_every_schedule() {
    let mut total = Tally::default();
    let seeds = seeds();
    for seed in seeds.clone() {
        match run(seed, None) {
            Ok(tally) => total.add(&tally),
            Err(problem) => {
                panic!("PENSTOCK_SIMULATOR_SEEDS={seed}..{} finds it: {problem}", seed + 1)
            }
        }
    }
    println!("{} schedules: {total:?}", seeds.end - seeds.start);
    // The schedules do what they are for.
    let rare = [
        total.pokes,
        total.rests,
        total.restarts,
        total.crashes,
        total.lost_states,
        total.unkept,
        total.cuts,
        total.clears,
        total.resumed,
        total.behind,
        total.mutations,
        total.deletes,
        total.expired,
    ];
    assert!(rare.iter().all(|count| *count > 20), "{total:?}");
}

#[test]
fn faults_of_a_server_are_found() {
    for canary in [
        Canary::LosesARow,
        Canary::ForgetsADelete,
        Canary::ForgetsAKeptRow,
        Canary::ForgetsWhatChanged,
        Canary::OldRow,
    ] {
        let found = (0..300).find(|seed| run(*seed, Some(canary)).is_err());
        assert!(found.is_some(), "no schedule finds {canary:?}");
    }
}

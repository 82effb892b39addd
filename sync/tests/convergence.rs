//! Many clients, raw and published, over real sockets, against real processes: queries come and go, all
//! sides write, sockets are cut, frozen, stranded and split, the server and the database are stopped and
//! killed and come back, with and without what they had kept. At every rest each client holds exactly
//! what its queries give on the rows of the database, and every mutation was carried out once.
//!
//! The seed decides who does what; in which order it comes about is up to the machine. So a seed need not
//! find a fault again at the first attempt.
//!
//! | variable | meaning |
//! |---|---|
//! | `PENSTOCK_CONVERGENCE_SEEDS` | which seeds, `from..to`; two unless it is set |
//! | `PENSTOCK_CONVERGENCE_ROUNDS` | how many rests each has; one unless it is set |
//! | `PENSTOCK_CONVERGENCE_TROUBLES` | how much befalls between rests; 12 unless it is set |
//! | `PENSTOCK_CONVERGENCE_CLIENTS` | how many raw clients; 30 unless it is set |

#[path = "support/mod.rs"]
mod support;
mod convergence {
    pub(crate) mod base;
    pub(crate) mod canary;
    pub(crate) mod data;
    pub(crate) mod life;
    pub(crate) mod published;
    pub(crate) mod rest;
    pub(crate) mod run;
    pub(crate) mod trouble;
}
#[allow(dead_code, reason = "the tests of the published client use all of it")]
#[path = "zero_client/client.rs"]
mod client;
#[path = "zero_client/driver.rs"]
mod driver;
#[path = "simulator/random.rs"]
mod random;

use std::ops::Range;

use convergence::canary::Canary;
use convergence::data::Dialect;
use convergence::run::{Plan, run};
use convergence::trouble::{ALL, Trouble};

fn number(name: &str, otherwise: usize) -> usize {
    let set = std::env::var(name).ok();
    set.map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("PENSTOCK_CONVERGENCE_SEEDS") else { return 0..2 };
    let (from, to) = text.split_once("..").expect("PENSTOCK_CONVERGENCE_SEEDS=from..to");
    from.parse().expect("a number")..to.parse().expect("a number")
}

fn converge(dialect: Dialect, impossible: &[Trouble]) {
    let plan = |seed| Plan {
        seed,
        dialect,
        clients: number("PENSTOCK_CONVERGENCE_CLIENTS", 30),
        published: 3,
        rounds: number("PENSTOCK_CONVERGENCE_ROUNDS", 1),
        troubles: number("PENSTOCK_CONVERGENCE_TROUBLES", ALL.len()),
        canary: None,
    };
    let mut befell = std::collections::BTreeMap::<Trouble, u32>::new();
    for seed in seeds() {
        let tally = run(&plan(seed)).unwrap_or_else(|problem| {
            let next = seed + 1;
            panic!("{dialect:?}, PENSTOCK_CONVERGENCE_SEEDS={seed}..{next}: {problem}")
        });
        println!("{dialect:?}, seed {seed}: {tally:?}");
        // It does what it is for.
        assert!(tally.mutations > 20 && tally.connections > 60 && tally.rows > 100, "{tally:?}");
        for (trouble, times) in tally.befell {
            *befell.entry(trouble).or_default() += times;
        }
    }
    let missing: Vec<&Trouble> =
        ALL.iter().filter(|of| befell.get(of).is_none_or(|n| *n == 0)).collect();
    let expected: Vec<&Trouble> = impossible.iter().collect();
    if plan(0).troubles >= ALL.len() {
        assert_eq!(missing, expected);
    }
}

#[test]
fn clients_of_an_sqlite_file_converge() {
    converge(Dialect::Sqlite, &[Trouble::LoseReplica, Trouble::Database]);
}

#[test]
fn clients_of_a_postgres_converge() {
    converge(Dialect::Postgres, &[]);
}

#[test]
fn faults_of_a_server_are_found() {
    let with = |canary| Plan {
        seed: 7,
        dialect: Dialect::Sqlite,
        clients: 6,
        published: 0,
        // However little happens in a round on a busy machine, the fault is seen in one of them.
        rounds: if canary == Canary::None { 1 } else { 30 },
        troubles: 0,
        canary: Some(canary),
    };
    run(&with(Canary::None)).expect("no fault, and none is found");
    for canary in Canary::ALL {
        let found = run(&with(canary)).expect_err("a fault is found");
        println!("{canary:?}: {found}");
        assert!(found.contains(canary.seen_as()), "{canary:?} is seen as {found}");
    }
}

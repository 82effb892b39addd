//! Everybody writes to one file: transactions of the database, attached connections and strangers,
//! with and without the change log, in both journal modes, while live queries of every kind come
//! and go, and strangers change the schema.
//!
//! At every look a live result is what a fresh evaluation gives and what a connection of SQLite's
//! own reads, patches lead to it, and at the end nothing of the live queries is left. Each seed is
//! a run of its own.

#![cfg(feature = "sqlite")]

#[path = "writers/world.rs"]
mod world;

#[path = "writers/queries.rs"]
mod queries;

#[path = "writers/writes.rs"]
mod writes;

#[path = "sql_oracle/random.rs"]
#[allow(dead_code)]
mod random;

use world::{Following, World};

/// Steps of one run.
const STEPS: usize = 60;

fn run(following: Following, seeds: std::ops::Range<u64>) {
    let mut looks = 0;
    for seed in seeds {
        for wal in [false, true] {
            let mut world = World::new(following, wal, seed);
            for _ in 0..STEPS {
                world.step();
            }
            looks += world.end();
        }
    }
    assert!(looks > 0, "no result was looked at");
}

#[test]
fn strangers_are_followed_by_reading_again() {
    run(Following::Anyone, 0..seeds());
}

#[test]
fn strangers_are_followed_by_the_change_log() {
    run(Following::Log, 1000..1000 + seeds());
}

#[test]
fn attached_connections_are_followed_by_what_they_touch() {
    run(Following::Attached, 2000..2000 + seeds());
}

/// How many runs of each kind: those of `WRITERS_SEEDS`, or a few.
fn seeds() -> u64 {
    std::env::var("WRITERS_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(12)
}

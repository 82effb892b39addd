//! Random relations over random data through random transactions: after each the derived tables,
//! and the levels that read them, are what a naive evaluation gives. Reads fail on purpose, which
//! changes nothing, and in the end nothing is left.

#[path = "support/faults.rs"]
mod faults;
#[path = "relations/generate.rs"]
mod generate;
#[path = "relations/harness.rs"]
mod harness;
#[path = "relations/naive.rs"]
mod naive;
#[path = "relations/sums.rs"]
mod sums;

use harness::Harness;

/// Runs a case: subscribes, writes, and checks after every step.
fn run(seed: u64, steps: usize) {
    let mut harness = Harness::new(seed);
    for _ in 0..steps {
        harness.step();
    }
    harness.end();
}

#[test]
fn derived_tables_are_what_their_relations_say() {
    for seed in 0..400 {
        run(seed, 25);
    }
}

#[test]
fn long_runs_leave_nothing_behind() {
    for seed in 0..12 {
        run(10_000 + seed, 250);
    }
}

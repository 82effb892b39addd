//! The workloads by name, with their targets.

use penstock_postgres_workloads::target::{Target, at_least, at_most};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A follower starts with an empty replica, and then a first client comes.
    Start,
    /// Transactions have piled up and are applied as fast as can be.
    Backlog {
        /// How many clients look, with five queries each.
        groups: usize,
        /// How many transactions there are.
        transactions: usize,
        /// How many rows each changes.
        rows: usize,
    },
    /// Transactions are applied while the server makes them.
    Sustained {
        /// How many clients look.
        groups: usize,
        /// How many transactions there are.
        transactions: usize,
    },
    /// Transactions come evenly, and a client waits for each.
    Latency {
        /// How many come each second.
        per_second: u32,
        /// How many there are.
        transactions: usize,
    },
    /// One transaction of a million rows.
    Large,
}

/// A workload.
#[derive(Debug)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) kind: Kind,
    /// How many rows the server's tables have.
    pub(crate) rows: u32,
    pub(crate) targets: &'static [Target],
}

const SMALL: u32 = 100_000;
const MB: f64 = 1e6;

/// All of them, in the order in which they are run.
pub(crate) const WORKLOADS: [Workload; 11] = [
    Workload {
        name: "P1",
        about: "start to ready: the copy of 100 000 rows; then a client with five queries",
        kind: Kind::Start,
        rows: SMALL,
        targets: &[
            at_most("start_to_ready", 1.5e6),
            at_most("first_client", 20e3),
            at_most("pss_one_client", 40.0 * MB),
        ],
    },
    Workload {
        name: "P1m",
        about: "the same with 1 000 000 rows",
        kind: Kind::Start,
        rows: 1_000_000,
        targets: &[at_most("start_to_ready", 5e6)],
    },
    Workload {
        name: "P2",
        about: "20 000 updates of an issue, each a transaction, have piled up; nobody looks",
        kind: Kind::Backlog { groups: 0, transactions: 20_000, rows: 1 },
        rows: SMALL,
        targets: &[],
    },
    Workload {
        name: "P2t100",
        about: "2 000 transactions of 100 updates have piled up; nobody looks",
        kind: Kind::Backlog { groups: 0, transactions: 2000, rows: 100 },
        rows: SMALL,
        targets: &[],
    },
    Workload {
        name: "P2g1",
        about: "5 000 hot transactions have piled up; one client with five queries",
        kind: Kind::Backlog { groups: 1, transactions: 5000, rows: 1 },
        rows: SMALL,
        targets: &[],
    },
    Workload {
        name: "P2g10",
        about: "the same, 10 clients",
        kind: Kind::Backlog { groups: 10, transactions: 5000, rows: 1 },
        rows: SMALL,
        targets: &[at_least("apply_rate", 5000.0)],
    },
    Workload {
        name: "P2g100",
        about: "the same, 100 clients",
        kind: Kind::Backlog { groups: 100, transactions: 5000, rows: 1 },
        rows: SMALL,
        targets: &[at_least("apply_rate", 1000.0), at_most("pss", 150.0 * MB)],
    },
    Workload {
        name: "P3g10",
        about: "20 000 hot transactions are applied while the server makes them; 10 clients",
        kind: Kind::Sustained { groups: 10, transactions: 20_000 },
        rows: SMALL,
        targets: &[at_least("sustained_rate", 5000.0)],
    },
    Workload {
        name: "P4w10",
        about: "10 hot updates a second for 20 seconds; a client waits for each",
        kind: Kind::Latency { per_second: 10, transactions: 200 },
        rows: SMALL,
        targets: &[at_most("sent_to_patch_p50", 4000.0), at_most("sent_to_patch_p99", 10_000.0)],
    },
    Workload {
        name: "P4w100",
        about: "100 hot updates a second for 20 seconds",
        kind: Kind::Latency { per_second: 100, transactions: 2000 },
        rows: SMALL,
        targets: &[at_most("sent_to_patch_p50", 4000.0), at_most("sent_to_patch_p99", 10_000.0)],
    },
    Workload {
        name: "P5",
        about: "one transaction that inserts 1 000 000 rows",
        kind: Kind::Large,
        rows: SMALL,
        targets: &[],
    },
];

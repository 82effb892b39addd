//! The workloads by name, with their targets.

use penstock_postgres_workloads::target::{Target, at_least, at_most};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A server starts with nothing, then a first client comes, a second, and both come again.
    Start,
    /// Writes come evenly, and a client waits for each.
    Latency {
        /// How many come each second.
        per_second: u64,
        /// Whether the client is the published one.
        is_real: bool,
    },
    /// The highest rate of writes, each of which changes a row of every client, at which lags stay bounded.
    Sustained {
        /// How many clients there are.
        groups: usize,
        /// The rate that is tried first, and doubled from there.
        from: u64,
    },
    /// Writes each of which changes a row of one of the clients.
    Few {
        /// How many clients there are.
        groups: usize,
    },
    /// One client with many queries.
    Owners {
        /// How many queries it has.
        queries: u32,
    },
}

/// A workload.
#[derive(Debug)]
pub struct Workload {
    /// By which it is asked for.
    pub name: &'static str,
    /// What it is, for people.
    pub about: &'static str,
    /// What is measured.
    pub kind: Kind,
    /// How many rows the tables have.
    pub rows: u32,
    /// What the figures should be.
    pub targets: &'static [Target],
}

const SMALL: u32 = 100_000;
const LARGE: u32 = 1_000_000;
const MS: f64 = 1000.0;
const MB: f64 = 1e6;

/// All of them, in the order in which they are run.
pub const WORKLOADS: [Workload; 11] = [
    Workload {
        name: "S1",
        about: "start to ready with 100 000 rows; a first client, a next one, and both come again",
        kind: Kind::Start,
        rows: SMALL,
        targets: &[
            at_most("start_to_ready", 1500.0 * MS),
            at_most("first_client", 20.0 * MS),
            at_most("reconnect", 5.0 * MS),
            at_most("pss_one_client", 40.0 * MB),
        ],
    },
    Workload {
        name: "S1m",
        about: "the same with 1 000 000 rows",
        kind: Kind::Start,
        rows: LARGE,
        targets: &[at_most("start_to_ready", 5000.0 * MS)],
    },
    Workload {
        name: "S2w10",
        about: "10 writes a second for 20 seconds; a raw client waits for each",
        kind: Kind::Latency { per_second: 10, is_real: false },
        rows: SMALL,
        targets: LATENCY,
    },
    Workload {
        name: "S2w100",
        about: "100 writes a second for 20 seconds",
        kind: Kind::Latency { per_second: 100, is_real: false },
        rows: SMALL,
        targets: LATENCY,
    },
    Workload {
        name: "S2n10",
        about: "S2w10 with the published client, to the callback of its view",
        kind: Kind::Latency { per_second: 10, is_real: true },
        rows: SMALL,
        targets: LATENCY,
    },
    Workload {
        name: "S2n100",
        about: "S2w100 with the published client",
        kind: Kind::Latency { per_second: 100, is_real: true },
        rows: SMALL,
        targets: LATENCY,
    },
    Workload {
        name: "S3g10",
        about: "the most hot writes a second with bounded lag, 10 clients",
        kind: Kind::Sustained { groups: 10, from: 1000 },
        rows: SMALL,
        targets: &[at_least("sustained_rate", 5000.0)],
    },
    Workload {
        name: "S3g100",
        about: "the same, 100 clients",
        kind: Kind::Sustained { groups: 100, from: 250 },
        rows: SMALL,
        targets: &[at_least("sustained_rate", 1000.0), at_most("pss", 150.0 * MB)],
    },
    Workload {
        name: "S3g1000",
        about: "the same, 1000 clients, 1 000 000 rows",
        kind: Kind::Sustained { groups: 1000, from: 50 },
        rows: LARGE,
        targets: &[at_least("sustained_rate", 100.0)],
    },
    Workload {
        name: "S4",
        about: "100 clients, 100 writes a second for 20 seconds, each of a row that one client has",
        kind: Kind::Few { groups: 100 },
        rows: SMALL,
        targets: &[at_most("server_cpu", 200.0), at_most("pss", 150.0 * MB)],
    },
    Workload {
        name: "S5",
        about: "one client with 1000 lists of one owner's issues each, 100 writes a second of any issue",
        kind: Kind::Owners { queries: 1000 },
        rows: LARGE,
        targets: &[at_most("server_cpu", 200.0)],
    },
];

const LATENCY: &[Target] = &[at_most("lag_p50", 4.0 * MS), at_most("lag_p99", 10.0 * MS)];

//! The table of all workloads.

use super::live::{ADDS, EDITS, TOGGLES};
use super::{Figure, Workload, fan_out, hydrate, live, memory};
use crate::baseline;
use crate::check::Check;
use crate::scratch::State;

const fn figure(metric: &'static str, zql: f64, target: f64) -> Figure {
    Figure { metric, zql: Some(zql), target: Some(target) }
}

const fn zql(metric: &'static str, zql: f64) -> Figure {
    Figure { metric, zql: Some(zql), target: None }
}

pub(super) const fn target(metric: &'static str, target: f64) -> Figure {
    Figure { metric, zql: None, target: Some(target) }
}

pub(super) const PUSH: &str = "push_cpu";
const WARM: &str = "hydrate_warm_cpu";
const PER_QUERY: &str = "hydrate_per_query_cpu";
const RAW: &str = "push_vs_raw";
const RAW_SQL: &str = "push_sql_vs_raw";
const SELECTED: &str = "push_select_cpu";
const SELECT: &str = "hydrate_vs_select";

/// A workload without memory pass and hand-written baseline; the tables add them.
pub(super) const PLAIN: Workload = Workload {
    name: "",
    about: "",
    check: None,
    scratch: None,
    memory_only: false,
    counted: false,
    memory: &[],
    sqlite: &[],
    run: live::edits_only,
    bytes: None,
    hand: None,
};

/// The workloads of the reference and the aggregates, in the order of the tables.
pub const WORKLOADS: &[Workload] = &[
    Workload {
        name: "load",
        about: "Bulk load of the five tables (601 050 rows), per row; load_named_cpu is the same \
                through rows by column name, as an application writes them, and the only one \
                over SQLite.",
        memory: &[figure("load_cpu", 2.9, 0.6)],
        run: memory::load_time,
        ..PLAIN
    },
    Workload {
        name: "W0",
        about: "No query: 10 000 issue edits into the source, each a transaction.",
        check: Some("0:811c9dc5"),
        scratch: Some(|_| Check::default()),
        memory: &[figure(PUSH, 8.5, 0.6)],
        sqlite: &[zql(PUSH, 19.5)],
        run: live::edits_only,
        hand: Some(baseline::lists::w0),
        ..PLAIN
    },
    Workload {
        name: "W1",
        about: "Open issues by modified desc, id; limit 100. Hydrated: cold builds the index, warm \
                has it.",
        check: Some("100:7645f731"),
        scratch: Some(|data| State::new(data).list(100)),
        memory: &[figure(WARM, 130.0, 12.0)],
        sqlite: &[zql(WARM, 580.0), target(SELECT, 1.5)],
        run: hydrate::w1,
        hand: Some(baseline::lists::w1),
        ..PLAIN
    },
    Workload {
        name: "W1b",
        about: "W1 without the limit: 59 945 rows. Hydrated.",
        check: Some("59945:f457ca3e"),
        scratch: Some(|data| State::new(data).list(usize::MAX)),
        memory: &[figure(WARM, 142_000.0, 14_000.0)],
        sqlite: &[zql(WARM, 471_000.0), target(SELECT, 1.5)],
        run: hydrate::w1b,
        ..PLAIN
    },
    Workload {
        name: "W2",
        about: "W1 with each issue's owner, its labels (through issueLabel) and its last 10 \
                comments: 703 rows. Hydrated.",
        check: Some("703:5d75a93b"),
        scratch: Some(|data| State::new(data).tree()),
        memory: &[figure(WARM, 4_100.0, 400.0)],
        sqlite: &[zql(WARM, 15_800.0), target(SELECT, 1.5)],
        run: hydrate::w2,
        hand: Some(baseline::tree::w2),
        ..PLAIN
    },
    Workload {
        name: "W3",
        about: "Issues with a label named label-07 (EXISTS), by modified desc, id; limit 100. \
                Hydrated.",
        check: Some("100:dddb886e"),
        scratch: Some(|data| State::new(data).with_label()),
        memory: &[figure(WARM, 38_000.0, 2_000.0)],
        sqlite: &[zql(WARM, 28_000.0), target(SELECT, 1.5)],
        run: hydrate::w3,
        ..PLAIN
    },
    Workload {
        name: "W4",
        about: "W1 live under 10 000 issue edits, each a transaction. push_named_cpu is the same \
                for the next 10 000 through Database::transaction and rows by column name.",
        check: Some("100:4d4e835b"),
        scratch: Some(|data| State::edited(data, EDITS).list(100)),
        memory: &[figure(PUSH, 24.2, 1.7)],
        sqlite: &[zql(PUSH, 117.0), target(RAW, 1.5), target(RAW_SQL, 1.5)],
        run: live::w4,
        hand: Some(baseline::lists::w4),
        ..PLAIN
    },
    Workload {
        name: "W4b",
        about: "W2 live under 10 000 issue edits.",
        check: Some("683:bf5f16a6"),
        scratch: Some(|data| State::edited(data, EDITS).tree()),
        memory: &[figure(PUSH, 57.0, 5.5)],
        sqlite: &[zql(PUSH, 240.0)],
        run: live::w4b,
        hand: Some(baseline::tree::w4b),
        ..PLAIN
    },
    Workload {
        name: "W4c",
        about: "W2 live under 10 000 added comments, half of them to issues in view.",
        check: Some("1409:665d6436"),
        scratch: Some(|data| State::commented(data, ADDS).tree()),
        memory: &[figure(PUSH, 33.0, 2.5)],
        sqlite: &[zql(PUSH, 113.0)],
        run: live::w4c,
        hand: Some(baseline::tree::w4c),
        ..PLAIN
    },
    Workload {
        name: "W4d",
        about: "W1b live (60 000 rows) under 10 000 issue edits.",
        check: Some("59394:46d36e64"),
        scratch: Some(|data| State::edited(data, EDITS).list(usize::MAX)),
        memory: &[figure(PUSH, 680.0, 3.0)],
        sqlite: &[zql(PUSH, 763.0)],
        run: live::w4d,
        ..PLAIN
    },
    Workload {
        name: "W4d100",
        about: "W4d with 100 edits per transaction; figures per edit.",
        check: Some("59394:46d36e64"),
        scratch: Some(|data| State::edited(data, EDITS).list(usize::MAX)),
        memory: &[figure(PUSH, 41.5, 1.5)],
        sqlite: &[zql(PUSH, 48.6)],
        run: live::w4d100,
        ..PLAIN
    },
    Workload {
        name: "W5q10",
        about: "10 live queries, the issues of one owner by modified desc, id; limit 50; under \
                1000 issue edits.",
        check: Some("500:4950cb13"),
        scratch: Some(|data| State::edited(data, 1_000).of_owners(10)),
        memory: &[figure(PUSH, 41.0, 3.0)],
        sqlite: &[zql(PUSH, 66.0), target(RAW, 1.5), target(RAW_SQL, 1.5)],
        run: fan_out::owners::<10>,
        hand: Some(baseline::owners::w5::<10>),
        ..PLAIN
    },
    Workload {
        name: "W5q100",
        about: "W5q10 with 100 queries, each of another owner.",
        check: Some("5000:1635d29c"),
        scratch: Some(|data| State::edited(data, 1_000).of_owners(100)),
        memory: &[figure(PUSH, 117.0, 3.0)],
        sqlite: &[zql(PUSH, 122.0), target(RAW, 1.5), target(RAW_SQL, 1.5)],
        run: fan_out::owners::<100>,
        hand: Some(baseline::owners::w5::<100>),
        ..PLAIN
    },
    Workload {
        name: "W5q1000",
        about: "W5q10 with 1000 queries, each of another owner.",
        check: Some("50000:2fb646b9"),
        scratch: Some(|data| State::edited(data, 1_000).of_owners(1_000)),
        memory: &[figure(PUSH, 934.0, 3.0)],
        sqlite: &[zql(PUSH, 546.0), target(RAW, 1.5), target(RAW_SQL, 1.5)],
        run: fan_out::owners::<1_000>,
        bytes: Some(fan_out::owners_bytes::<1_000>),
        hand: Some(baseline::owners::w5::<1_000>),
        ..PLAIN
    },
    Workload {
        name: "W5q10000",
        about: "W5q10 with 10 000 queries, ten of each owner.",
        check: Some("500000:32c6a8b5"),
        scratch: Some(|data| State::edited(data, 1_000).of_owners(10_000)),
        memory: &[figure(PUSH, 17_090.0, 3.0), figure(PER_QUERY, 18_000.0, 60.0)],
        sqlite: &[
            zql(PUSH, 10_880.0),
            target(RAW, 1.5),
            target(RAW_SQL, 1.5),
            zql(PER_QUERY, 310.0),
            target(SELECT, 1.5),
        ],
        run: fan_out::owners::<10_000>,
        bytes: Some(fan_out::owners_bytes::<10_000>),
        hand: Some(baseline::owners::w5::<10_000>),
        ..PLAIN
    },
    Workload {
        name: "W6",
        about: "1000 live copies of W1, each read by its own subscriber after every transaction; \
                1000 issue edits.",
        check: Some("100000:635a2c45"),
        scratch: Some(|data| State::edited(data, 1_000).copies(1_000)),
        memory: &[figure(PUSH, 7_345.0, 50.0)],
        sqlite: &[zql(PUSH, 57_810.0)],
        run: fan_out::w6,
        ..PLAIN
    },
    Workload {
        name: "W7",
        about: "Open issues by modified desc with all their comments by created desc, no limits: \
                239 409 rows. Bytes per source row (primary indexes only) and per view entry, as \
                the engine counts them and, *_measured, as the allocator does.",
        check: Some("239409:193a3f4f"),
        scratch: Some(|data| State::new(data).with_comments()),
        memory: &[
            figure("bytes_per_source_row", 131.0, 100.0),
            figure("bytes_per_view_entry", 176.0, 50.0),
        ],
        sqlite: &[target(SELECT, 1.5)],
        run: hydrate::w7,
        bytes: Some(memory::w7_bytes),
        ..PLAIN
    },
    Workload {
        name: "W8",
        about: "priority = 0 OR ownerId = u0007 OR EXISTS(label-07), by modified desc, id; limit \
                100; under 10 000 issue edits.",
        check: Some("100:b83c1d61"),
        scratch: Some(|data| State::edited(data, EDITS).any_of_three()),
        memory: &[figure(PUSH, 67.0, 5.0)],
        sqlite: &[zql(PUSH, 139.0)],
        run: live::w8,
        ..PLAIN
    },
    Workload {
        name: "W8b",
        about: "The query of W8 under 5000 label toggles.",
        check: Some("100:7161d47d"),
        scratch: Some(|data| State::toggled(data, TOGGLES).any_of_three()),
        memory: &[figure(PUSH, 53.0, 3.0)],
        sqlite: &[zql(PUSH, 39.0)],
        run: live::w8b,
        ..PLAIN
    },
    Workload {
        name: "W9",
        about: "The open issues of each owner, counted, and their priorities summed (1000 groups); \
                under 10 000 issue edits. push_select_cpu is the same with the query stated in SQL, \
                here and below. The check is over owner|count|sum by owner.",
        check: Some("1000:49c1b064"),
        scratch: Some(|data| State::edited(data, EDITS).by_owner()),
        memory: &[target(PUSH, 1.5), target(SELECTED, 1.5)],
        run: live::w9,
        hand: Some(baseline::aggregates::w9),
        ..PLAIN
    },
    Workload {
        name: "W10",
        about: "The number of rows of issue joined with comment and user where the issue is open \
                (one row); under 10 000 issue edits. The check is over the number.",
        check: Some("1:1fa9f2a7"),
        scratch: Some(|data| State::edited(data, EDITS).open_discussion()),
        memory: &[target(PUSH, 2.0), target(SELECTED, 2.0)],
        run: live::w10,
        hand: Some(baseline::aggregates::w10),
        ..PLAIN
    },
    Workload {
        name: "W10c",
        about: "W10 under 10 000 added comments, half of them to issues in view of W2.",
        check: Some("1:4c4f870f"),
        scratch: Some(|data| State::commented(data, ADDS).open_discussion()),
        memory: &[target(PUSH, 2.0), target(SELECTED, 2.0)],
        run: live::w10c,
        hand: Some(baseline::aggregates::w10c),
        ..PLAIN
    },
    Workload {
        name: "W11",
        about: "Issues with the number of their comments, by it desc, id; limit 100; under 10 000 \
                added comments as in W10c. The check is over id|number.",
        check: Some("100:5637d601"),
        scratch: Some(|data| State::commented(data, ADDS).most_discussed()),
        memory: &[target(PUSH, 3.0), target(SELECTED, 3.0)],
        run: live::w11,
        hand: Some(baseline::aggregates::w11),
        ..PLAIN
    },
];

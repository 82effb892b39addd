//! Every workload over small tables: the library over each of its sources, the hand-written
//! baseline, an evaluation from scratch, and SQLite where it holds the rows come to the same result.

use penstock_benches::data::{Data, Sizes};
use penstock_benches::setting::{Setting, SourceKind};
use penstock_benches::workloads::{WORKLOADS, Workload, all, named};

/// Enough of everything that no result is empty.
fn small() -> Data {
    Data::generate(Sizes { users: 20, issues: 400, comments: 1_200, labels: 50, issue_labels: 800 })
}

fn checks_agree(workload: &Workload) {
    let data = small();
    let sources = if workload.memory_only { &SourceKind::ALL[..1] } else { &SourceKind::ALL };
    let checks: Vec<_> = sources
        .iter()
        .map(|&source| {
            let setting = Setting { data: data.clone(), source };
            let outcome = (workload.run)(&setting);
            let name = format!("{} over {}", workload.name, source.name());
            let outcome = outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(!outcome.metrics.is_empty(), "{name} measures nothing");
            outcome.check
        })
        .collect();
    assert!(checks.iter().all(|check| *check == checks[0]), "{}: sources differ", workload.name);
    if let Some(hand) = workload.hand {
        let outcome = hand(&data).expect(workload.name);
        assert_eq!(outcome.check, checks[0], "{}: the baseline differs", workload.name);
    }
    if let Some(scratch) = workload.scratch {
        assert_eq!(Some(scratch(&data)), checks[0], "{}: from scratch differs", workload.name);
    }
}

/// The largest of W5 and W6 differ from others in numbers only.
const LARGE: [&str; 3] = ["W5q1000", "W5q10000", "W6"];

#[test]
fn all_sources_and_the_baseline_agree() {
    for workload in WORKLOADS.iter().filter(|workload| !LARGE.contains(&workload.name)) {
        checks_agree(workload);
    }
}

/// Of each family of the workloads of scale some that take seconds; the others differ in numbers
/// only.
const OF_SCALE: [&str; 16] = [
    "W5cq100", "Tc100", "Tt100", "Tr10", "Tr100", "To10", "To100", "Ti10", "Ti100", "Te100", "D0",
    "Ds3", "X100", "Xt100000", "P3", "L1000",
];

#[test]
fn the_workloads_of_scale_agree() {
    for name in OF_SCALE {
        let [workload] = named(name)[..] else { panic!("{name} is one workload") };
        checks_agree(workload);
    }
}

#[test]
fn names_are_distinct() {
    let mut names: Vec<&str> = all().map(|workload| workload.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

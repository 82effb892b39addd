//! Every workload over small tables: the library over each of its sources, the hand-written
//! baseline, and SQLite where it holds the rows come to the same result.

use penstock_benches::data::{Data, Sizes};
use penstock_benches::setting::{Setting, SourceKind};
use penstock_benches::workloads::{WORKLOADS, Workload};

/// Enough of everything that no result is empty.
fn small() -> Data {
    Data::generate(Sizes { users: 20, issues: 400, comments: 1_200, labels: 50, issue_labels: 800 })
}

fn checks_agree(workload: &Workload) {
    let data = small();
    let by_hand = workload.hand.map(|hand| hand(&data).expect(workload.name));
    let over = SourceKind::ALL.map(|source| {
        let setting = Setting { data: data.clone(), source };
        let outcome = (workload.run)(&setting);
        let name = format!("{} over {}", workload.name, source.name());
        let outcome = outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!outcome.metrics.is_empty(), "{name} measures nothing");
        outcome.check
    });
    assert_eq!(over, [over[0]; 3], "{}: the sources differ", workload.name);
    if let Some(by_hand) = by_hand {
        assert_eq!(by_hand.check, over[0], "{}: the baseline differs", workload.name);
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

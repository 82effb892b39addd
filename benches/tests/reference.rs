//! The reference checksums, met by an evaluation of every workload from scratch: that the data and
//! the change streams are those of the reference, whatever an engine makes of them.

use penstock_benches::data::{Data, Sizes};
use penstock_benches::scratch::State;
use penstock_benches::workloads::WORKLOADS;

/// The reference's own figures, so that the table of the workloads cannot drift from them. It has
/// no aggregates: the checks of W9 to W11 are ours.
const REFERENCE: [(&str, &str); 20] = [
    ("W0", "0:811c9dc5"),
    ("W1", "100:7645f731"),
    ("W1b", "59945:f457ca3e"),
    ("W2", "703:5d75a93b"),
    ("W3", "100:dddb886e"),
    ("W4", "100:4d4e835b"),
    ("W4b", "683:bf5f16a6"),
    ("W4c", "1409:665d6436"),
    ("W4d", "59394:46d36e64"),
    ("W4d100", "59394:46d36e64"),
    ("W5q10", "500:4950cb13"),
    ("W5q100", "5000:1635d29c"),
    ("W5q1000", "50000:2fb646b9"),
    ("W5q10000", "500000:32c6a8b5"),
    ("W6", "100000:635a2c45"),
    ("W7", "239409:193a3f4f"),
    ("W8", "100:b83c1d61"),
    ("W8b", "100:7161d47d"),
    ("W9", "1000:49c1b064"),
    ("W11", "100:5637d601"),
];

#[test]
fn an_evaluation_from_scratch_meets_the_reference() {
    let data = Data::generate(Sizes::scaled(1));
    for workload in WORKLOADS.iter().filter(|workload| workload.check.is_some()) {
        let scratch = workload.scratch.unwrap_or_else(|| panic!("{}", workload.name));
        let found = scratch(&data).to_string();
        assert_eq!(Some(found.as_str()), workload.check, "{}", workload.name);
    }
}

#[test]
fn the_table_has_the_checksums_of_the_reference() {
    for (name, check) in REFERENCE {
        let workload = WORKLOADS.iter().find(|workload| workload.name == name);
        assert_eq!(workload.and_then(|workload| workload.check), Some(check), "{name}");
    }
}

#[test]
fn other_numbers_of_changes_come_to_other_results() {
    let data = Data::generate(Sizes::scaled(1));
    assert_ne!(State::edited(&data, 9_999).list(100), State::edited(&data, 10_000).list(100));
}

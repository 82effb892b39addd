//! Over small tables every engine comes to the result that Penstock comes to.

use std::time::Duration;

use penstock_benches::data::{Data, Sizes};
use penstock_benches::setting::{Setting, SourceKind};
use penstock_benches::workloads::named;
use penstock_competitors::engine::{Engine, Ready};
use penstock_competitors::process::{Ended, run};
use penstock_competitors::run::reason;

/// A hundredth of the rows, with all labels. The changes are as many as ever.
const SMALL: Sizes =
    Sizes { users: 10, issues: 1_000, comments: 3_000, labels: 50, issue_labels: 2_000 };

/// A process may take so long: no timing is tested, only that the test ends.
const LIMIT: Duration = Duration::from_secs(600);

/// The workloads with a result, without those whose queries are thousands.
const WORKLOADS: [&str; 19] = [
    "W0", "W1", "W1b", "W2", "W3", "W4", "W4b", "W4c", "W4d", "W4d100", "W5q10", "W5q100", "W6",
    "W8", "W8b", "W9", "W10", "W10c", "W11",
];

/// The check of Penstock.
fn ours(workload: &str) -> String {
    let setting = Setting { data: Data::generate(SMALL), source: SourceKind::Memory };
    let outcome = (named(workload)[0].run)(&setting).expect("Penstock runs it");
    outcome.check.expect("a check").to_string()
}

/// The check of another engine, or nothing if it has no such workload.
fn theirs(engine: &Ready, workload: &str) -> Option<String> {
    let printed = match run(&mut engine.command(workload, &SMALL), LIMIT) {
        Ended::Printed(text) => text,
        other => panic!("{workload}: {other:?}"),
    };
    if reason(&printed).is_some() {
        return None;
    }
    let check = printed.lines().find_map(|line| line.strip_prefix("check\t"));
    Some(check.expect("a check").split('\t').next().expect("a value").to_owned())
}

/// Compares all workloads but those in `without`, and expects that the engine cannot do `cannot`.
fn compare(engine: &Ready, without: &[&str], cannot: &[&str]) {
    for workload in WORKLOADS.iter().filter(|workload| !without.contains(workload)) {
        let expected = (!cannot.contains(workload)).then(|| ours(workload));
        assert_eq!(theirs(engine, workload), expected, "{workload}");
    }
}

#[test]
fn differential_dataflow_has_the_same_results() {
    compare(&Engine::Differential.prepare().expect("it builds"), &[], &[]);
}

#[test]
fn dbsp_has_the_same_results() {
    compare(&Engine::Dbsp.prepare().expect("it builds"), &[], &[]);
}

#[test]
fn zql_has_the_same_results() {
    let engine = Engine::Zql.installed().unwrap_or_else(|problem| panic!("{problem}"));
    compare(&engine, &[], &["W9", "W10", "W10c", "W11"]);
}

/// W6 takes it minutes.
#[test]
fn tanstack_db_has_the_same_results() {
    let engine = Engine::Tanstack.installed().unwrap_or_else(|problem| panic!("{problem}"));
    compare(&engine, &["W6"], &[]);
}

/// What the checks rest on: different changes give different checks.
#[test]
fn the_workloads_tell_results_apart() {
    let mut checks: Vec<String> = WORKLOADS.iter().map(|workload| ours(workload)).collect();
    checks.sort_unstable();
    checks.dedup();
    // W4d100 makes the same changes as W4d.
    assert_eq!(checks.len(), WORKLOADS.len() - 1, "{checks:?}");
}

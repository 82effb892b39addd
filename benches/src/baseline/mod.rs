//! The limit: the same work written by hand for one query each, over hash maps and ordered sets,
//! without an engine. Rows are shared handles, changes are handed over as patches, and the results
//! meet the same checksums.

pub mod aggregates;
pub mod lists;
pub mod owners;
pub mod top;
pub mod tree;

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

use crate::cpu::{CpuTimer, Laps};
use crate::data::{Data, Issue, IssueEdit};
use crate::report::{MICROS, Outcome};

/// A map with a fixed hasher.
type Map<K, V> = HashMap<K, V, ahash::RandomState>;

fn map<K, V>() -> Map<K, V> {
    Map::with_hasher(ahash::RandomState::with_seeds(1, 2, 3, 4))
}

/// The issues as shared rows.
fn issue_rows(data: &Data) -> Map<u32, Arc<Issue>> {
    let mut rows = map();
    rows.extend((0..).zip(data.issues.iter().cloned().map(Arc::new)));
    rows
}

/// The new rows of the edits, prepared as the engine's are.
fn edited_rows(data: &Data, edits: &[IssueEdit]) -> Vec<(u32, Arc<Issue>)> {
    let row = |edit: &IssueEdit| {
        let before = data.issues[edit.issue as usize].clone();
        let issue = Issue { modified: edit.modified, open: edit.open, ..before };
        (edit.issue, Arc::new(issue))
    };
    edits.iter().map(row).collect()
}

/// Makes the changes one by one and hands each patch to a consumer, who drops it.
fn push<C, P>(changes: Vec<C>, outcome: &mut Outcome, mut change: impl FnMut(C) -> P) {
    let count = changes.len();
    let mut laps = Laps::start(count);
    let timer = CpuTimer::start();
    for next in changes {
        drop(black_box(change(next)));
        laps.lap();
    }
    let micros = timer.micros();
    let [p50, p99] = laps.percentiles([0.5, 0.99]);
    outcome.push("push_cpu", micros / count as f64, MICROS);
    outcome.push("push_p50", p50, MICROS);
    outcome.push("push_p99", p99, MICROS);
}

/// The mean of `count` hydrations.
fn hydrate<T>(count: usize, outcome: &mut Outcome, hydrated: impl Fn() -> T) {
    let mut micros = 0.0;
    for _ in 0..count {
        let timer = CpuTimer::start();
        let result = black_box(hydrated());
        micros += timer.micros();
        drop(result);
    }
    outcome.push("hydrate_warm_cpu", micros / count as f64, MICROS);
}

//! What `Database::memory_usage` counts, against what the allocator has given out.
//!
//! One test, because the allocator counts for the whole process.

use penstock_benches::alloc::{Counting, start_counting};
use penstock_benches::data::{Data, Sizes};
use penstock_benches::setting::{Setting, SourceKind};
use penstock_benches::workloads::{WORKLOADS, named};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Workloads whose memory is measured, and their metrics that have a counted and a measured form.
const FIGURES: [(&str, &[&str]); 3] = [
    ("W7", &["bytes_per_source_row", "bytes_per_source_row_indexed", "bytes_per_view_entry"]),
    ("W5q10000", &["bytes_per_live_query"]),
    ("W5cq1000", &["bytes_per_live_query"]),
];

/// How far a count may be from the allocator's, in parts of the latter.
const NEAR: f64 = 0.1;

#[test]
fn what_is_counted_is_what_the_allocator_gave() {
    start_counting();
    assert!(WORKLOADS.iter().any(|workload| workload.bytes.is_some()));
    let setting = Setting { data: Data::generate(Sizes::scaled(1)), source: SourceKind::Memory };
    for (name, metrics) in FIGURES {
        let [workload] = named(name)[..] else { panic!("{name}") };
        let run = workload.bytes.unwrap_or_else(|| panic!("{name}"));
        let outcome = run(&setting).unwrap_or_else(|error| panic!("{name}: {error}"));
        for metric in metrics {
            let value = |metric: &str| {
                outcome.value(metric).unwrap_or_else(|| panic!("{name}: no {metric}"))
            };
            let (counted, measured) = (value(metric), value(&format!("{metric}_measured")));
            println!("{name} {metric}: counted {counted:.1}, allocated {measured:.1}");
            assert!(
                (counted / measured - 1.0).abs() < NEAR,
                "{name} {metric}: {counted} {measured}"
            );
        }
    }
}

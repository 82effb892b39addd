//! The measurements, each in a process of its own.

mod apply;
mod latency;
mod start;

use penstock_benches::report::Outcome;

use crate::options::Child;
use crate::workloads::Kind;

/// Measures a workload, and proves its results.
pub(crate) fn child(child: &Child) -> Result<Outcome, String> {
    match child.workload.kind {
        Kind::Start => start::start(child),
        Kind::Backlog { groups, transactions, rows } => {
            apply::backlog(child, groups, transactions, rows)
        }
        Kind::Sustained { groups, transactions } => apply::sustained(child, groups, transactions),
        Kind::Large => apply::large(child),
        Kind::Latency { per_second, transactions } => {
            latency::latency(child, per_second, transactions)
        }
    }
}

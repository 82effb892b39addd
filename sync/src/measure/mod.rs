//! What is measured while the server runs, and how it is told to Prometheus.
//!
//! | module | what it holds |
//! |---|---|
//! | [`exposition`] | the text format, each family once and described |
//! | [`histogram`] | how long things took |
//! | [`limit`] | limits by name, and how often each was hit |
//! | [`outcome`] | what became of mutations |

pub mod exposition;
pub mod histogram;
pub mod limit;
pub mod outcome;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::protocol::error::ErrorKind;
pub use exposition::Exposition;
pub use histogram::Histogram;
pub use limit::{Hits, Limit};
pub use outcome::{Kind, Mutations, Outcome};

/// What all parts of a server count together. Counting costs an atomic addition or two.
#[derive(Debug, Default)]
pub struct Measures {
    /// Which limits were hit.
    pub hits: Hits,
    /// What became of mutations.
    pub mutations: Mutations,
    /// How often a transaction of a mutation was begun again because others got in its way.
    pub conflicts: AtomicU64,
    /// How long queries took to be filled the first time.
    pub hydration: Histogram,
    /// From when a commit was known here until the poke that tells of it was handed to a socket.
    pub serving_lag: Histogram,
    /// From when the database that is followed committed until then, by both machines' clocks.
    pub commit_lag: Histogram,
    /// How long it took to keep what had changed of client groups.
    pub save: Histogram,
    /// Rows of client groups that were kept so.
    pub saved_rows: AtomicU64,
    /// Errors told to clients, by kind.
    errors: Mutex<BTreeMap<&'static str, u64>>,
}

impl Measures {
    /// A client was told of an error.
    pub fn error(&self, kind: ErrorKind) {
        *self.errors.lock().entry(kind.name()).or_default() += 1;
    }

    /// Errors told to clients, by kind.
    #[must_use]
    pub fn errors(&self) -> BTreeMap<&'static str, u64> {
        self.errors.lock().clone()
    }

    /// Writes what is measured here.
    pub fn write(&self, into: &mut Exposition) {
        let errors =
            into.family("counter", "penstock_errors_total", "Errors told to clients, by kind.");
        for (kind, count) in self.errors() {
            errors.sample(&[("kind", kind)], count as f64);
        }
        self.mutations.write(into);
        into.counter(
            "penstock_mutation_conflicts_total",
            "Transactions of mutations that were begun again because others got in their way.",
            self.conflicts.load(Ordering::Relaxed) as f64,
        );
        into.histogram(
            "penstock_hydration_seconds",
            "How long queries took to be filled the first time.",
            &self.hydration,
        );
        into.histogram(
            "penstock_serving_lag_seconds",
            "From when a commit was known here until a poke with it was handed to a socket.",
            &self.serving_lag,
        );
        into.histogram(
            "penstock_commit_lag_seconds",
            "From when the followed server committed until a poke with it was handed to a socket, by the \
             clocks of both machines.",
            &self.commit_lag,
        );
        into.histogram(
            "penstock_save_seconds",
            "How long it took to keep what had changed of client groups.",
            &self.save,
        );
        into.counter(
            "penstock_saved_rows_total",
            "Rows of client groups that were kept: those that had changed.",
            self.saved_rows.load(Ordering::Relaxed) as f64,
        );
    }
}

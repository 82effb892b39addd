//! The workloads: what each does, what it should cost, and what its result must be.

mod beside;
pub(crate) mod fan_out;
mod hydrate;
mod list;
pub(crate) mod live;
pub(crate) mod memory;
pub mod queries;
pub mod subjects;

use penstock::Error;

pub use list::WORKLOADS;

use crate::data::Data;
use crate::report::Outcome;
use crate::setting::{Setting, SourceKind};

/// Runs a workload over a source.
pub type Run = fn(&Setting) -> Result<Outcome, Error>;

/// Does the work by hand over generated data.
pub type ByHand = fn(&Data) -> Result<Outcome, Error>;

/// A workload.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Its name on the command line and in the output.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// The checksum that its results must have at scale 1.
    pub check: Option<&'static str>,
    /// What is known of its metrics over the memory source.
    pub memory: &'static [Figure],
    /// What is known of its metrics over SQLite.
    pub sqlite: &'static [Figure],
    /// Measures time.
    pub run: Run,
    /// Measures memory, in a process whose allocator counts.
    pub bytes: Option<Run>,
    /// The same work by hand.
    pub hand: Option<ByHand>,
}

/// What is known of a metric: the reference engine's figure and the target, where there are any.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// The metric's name.
    pub metric: &'static str,
    /// ZQL 1.9.0 over the same kind of source.
    pub zql: Option<f64>,
    /// What this engine should stay below.
    pub target: Option<f64>,
}

impl Workload {
    /// What is known of a metric over a source.
    pub fn figure(&self, source: SourceKind, metric: &str) -> Option<&'static Figure> {
        let known = if source.is_sqlite() { self.sqlite } else { self.memory };
        known.iter().find(|figure| figure.metric == metric)
    }
}

/// The workloads that a name on the command line stands for: the one of that name, or for `W5`
/// all of its sizes. Case does not matter.
pub fn named(name: &str) -> Vec<&'static Workload> {
    let name = name.to_ascii_lowercase();
    let is_meant = |workload: &&Workload| {
        let candidate = workload.name.to_ascii_lowercase();
        candidate == name || candidate.strip_prefix(&name).is_some_and(|rest| rest.starts_with('q'))
    };
    WORKLOADS.iter().filter(is_meant).collect()
}

//! The workloads: what each does, what it should cost, and what its result must be.

mod beside;
mod deep;
pub(crate) mod fan_out;
mod hydrate;
mod list;
pub(crate) mod live;
mod long;
pub(crate) mod memory;
pub mod queries;
mod scale;
mod shapes;
pub mod subjects;
mod templates;
mod threads;
mod together;
pub(crate) mod watched;
mod wide;

use penstock::Error;

pub use list::WORKLOADS;
pub use scale::SCALE;

use crate::data::Data;
use crate::report::Outcome;
use crate::scratch::Scratch;
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
    /// What its results must be at other scales, evaluated from scratch.
    pub scratch: Option<Scratch>,
    /// Whether it runs over the memory source only.
    pub memory_only: bool,
    /// Whether the allocator counts while time is measured.
    pub counted: bool,
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

/// All workloads: those of the reference, which run unless others are named, and those of scale,
/// which run when they are named.
pub fn all() -> impl Iterator<Item = &'static Workload> {
    WORKLOADS.iter().chain(SCALE)
}

/// The workloads that a name on the command line stands for: the one of that name; else all that
/// are called so with a number after it (`W5`: `W5q10` to `W5q1000000`; `X`: `X1` to `X100000`).
/// Case does not matter.
pub fn named(name: &str) -> Vec<&'static Workload> {
    let name = name.to_ascii_lowercase();
    let rest = |workload: &&Workload| {
        workload.name.to_ascii_lowercase().strip_prefix(&name).map(str::to_owned)
    };
    if let Some(one) = all().find(|workload| rest(workload).is_some_and(|rest| rest.is_empty())) {
        return vec![one];
    }
    let is_number = |rest: String| rest.trim_start_matches('q').bytes().all(|b| b.is_ascii_digit());
    all().filter(|workload| rest(workload).is_some_and(is_number)).collect()
}

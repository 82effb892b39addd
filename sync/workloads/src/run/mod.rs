//! The measurements.

mod cost;
mod latency;
mod start;
mod sustained;

use penstock_benches::report::Outcome;

use crate::database::{Database, Source};
use crate::load::Wants;
use crate::subject::{Programs, Subject};
use crate::workloads::{Kind, Workload};

/// The unit of times.
const MICROS: &str = "µs";
/// The unit of costs.
const MICROS_EACH: &str = "µs/write";

/// Measures a workload with a database and a server of its own, and proves that all clients are right.
///
/// # Errors
/// What went wrong; then there are no figures.
pub fn measure(
    programs: &Programs,
    source: Source,
    workload: &Workload,
) -> Result<Outcome, String> {
    let database = Database::filled(source, workload.rows, true)?;
    let (wants, groups) = match workload.kind {
        Kind::Start => (Wants::Person { first: 0 }, 2),
        Kind::Latency { .. } => (Wants::Person { first: 0 }, 1),
        Kind::Sustained { groups, .. } | Kind::Few { groups } => {
            (Wants::Person { first: 0 }, groups)
        }
        Kind::Owners { queries } => (Wants::Owners { count: queries }, 1),
    };
    let mut subject = Subject::start(programs, database, wants, groups)?;
    let mut outcome = Outcome::default();
    match workload.kind {
        Kind::Start => start::start(&mut subject, &mut outcome)?,
        Kind::Latency { per_second, is_real: false } => {
            latency::raw(&mut subject, &mut outcome, per_second)?;
        }
        Kind::Latency { per_second, is_real: true } => {
            return latency::real(&mut subject, per_second);
        }
        Kind::Sustained { groups, from } => {
            sustained::sustained(&mut subject, &mut outcome, groups, from)?;
        }
        Kind::Few { groups } => cost::few(&mut subject, &mut outcome, groups)?,
        Kind::Owners { .. } => cost::owners(&mut subject, &mut outcome)?,
    }
    let rows = subject.prove()?;
    outcome.push("rows_proved", rows as f64, "rows");
    Ok(outcome)
}

/// The value that half of some values do not exceed.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

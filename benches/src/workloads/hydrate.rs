//! Hydrations: from a query to its tree in the consumer's hands.

use penstock::{Error, Query, Tree};

use super::queries;
use crate::check::Check;
use crate::cpu::CpuTimer;
use crate::data::Data;
use crate::report::{MICROS, Outcome};
use crate::tables::database_with_lasting_indexes;

/// The first hydration builds the indexes; then the mean over `count` more, each after the last
/// subscriber has left, so that nothing but the indexes is there.
fn hydrate(data: &Data, query: &Query, count: usize) -> Result<Outcome, Error> {
    let db = database_with_lasting_indexes(data)?;
    let hydrated = || -> Result<(Tree, f64), Error> {
        let query = query.clone();
        let timer = CpuTimer::start();
        let subscription = db.subscribe(query)?;
        let tree = subscription.rows();
        let micros = timer.micros();
        Ok((tree, micros))
    };
    let (_, cold) = hydrated()?;
    let mut warm = 0.0;
    for _ in 0..count {
        warm += hydrated()?.1;
    }
    let mut check = Check::default();
    check.tree(&hydrated()?.0);
    let mut outcome = Outcome { check: Some(check), ..Outcome::default() };
    outcome.push("hydrate_cold_cpu", cold, MICROS);
    outcome.push("hydrate_warm_cpu", warm / count as f64, MICROS);
    Ok(outcome)
}

/// W1.
pub(super) fn w1(data: &Data) -> Result<Outcome, Error> {
    hydrate(data, &queries::list(), 200)
}

/// W1b.
pub(super) fn w1b(data: &Data) -> Result<Outcome, Error> {
    hydrate(data, &queries::open(), 5)
}

/// W2.
pub(super) fn w2(data: &Data) -> Result<Outcome, Error> {
    hydrate(data, &queries::tree(), 50)
}

/// W3.
pub(super) fn w3(data: &Data) -> Result<Outcome, Error> {
    hydrate(data, &queries::with_label(), 10)
}

/// W7.
pub(super) fn w7(data: &Data) -> Result<Outcome, Error> {
    hydrate(data, &queries::with_comments(), 2)
}

//! Hydrations: from a query to its tree in the consumer's hands.

use std::hint::black_box;

use penstock::{Error, Tree};

use super::live::expect_of_sqlite;
use super::subjects::{self, Subject};
use crate::cpu::CpuTimer;
use crate::report::{MICROS, Outcome, RATIO};
use crate::setting::Setting;

/// The first hydration builds the indexes (those of the memory source); then the mean over `count`
/// more, each after the last subscriber has left, so that nothing but the indexes is there. Over
/// SQLite in turns with one SELECT for the same rows.
fn hydrate(setting: &Setting, subject: &Subject, count: usize) -> Result<Outcome, Error> {
    let opened = setting.open_with_lasting_indexes(subject.indexes)?;
    let hydrated = || -> Result<(Tree, f64), Error> {
        let query = subject.query.clone();
        let timer = CpuTimer::start();
        let subscription = opened.db.subscribe(query)?;
        let tree = subscription.rows();
        let micros = timer.micros();
        Ok((tree, micros))
    };
    let selected = || -> Result<f64, Error> {
        let Some(plain) = &opened.plain else { return Ok(0.0) };
        let timer = CpuTimer::start();
        let rows = black_box(plain.select(subject.select, &[])?);
        let micros = timer.micros();
        drop(rows);
        Ok(micros)
    };
    let (_, cold) = hydrated()?;
    selected()?;
    let (mut warm, mut select) = (0.0, 0.0);
    for _ in 0..count {
        warm += hydrated()?.1;
        select += selected()?;
    }
    let check = subject.check(&hydrated()?.0);
    expect_of_sqlite(&opened, subject, check)?;
    let mut outcome = Outcome { check: Some(check), ..Outcome::default() };
    outcome.push("hydrate_cold_cpu", cold, MICROS);
    outcome.push("hydrate_warm_cpu", warm / count as f64, MICROS);
    if opened.plain.is_some() {
        outcome.push("select_cpu", select / count as f64, MICROS);
        outcome.push("hydrate_vs_select", warm / select, RATIO);
    }
    Ok(outcome)
}

/// W1.
pub(super) fn w1(setting: &Setting) -> Result<Outcome, Error> {
    hydrate(setting, &subjects::list(), 200)
}

/// W1b.
pub(super) fn w1b(setting: &Setting) -> Result<Outcome, Error> {
    hydrate(setting, &subjects::open(), 5)
}

/// W2.
pub(super) fn w2(setting: &Setting) -> Result<Outcome, Error> {
    hydrate(setting, &subjects::tree(), 50)
}

/// W3.
pub(super) fn w3(setting: &Setting) -> Result<Outcome, Error> {
    hydrate(setting, &subjects::with_label(), 10)
}

/// W7.
pub(super) fn w7(setting: &Setting) -> Result<Outcome, Error> {
    hydrate(setting, &subjects::with_comments(), 2)
}

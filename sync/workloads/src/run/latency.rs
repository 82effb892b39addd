//! Writes come evenly, and a client waits for each.

use penstock_benches::report::Outcome;

use super::MICROS;
use crate::database::Change;
use crate::load::Lags;
use crate::real::Real;
use crate::subject::Subject;

/// For how long, in seconds.
const SECONDS: u64 = 20;

pub(super) fn raw(
    subject: &mut Subject,
    outcome: &mut Outcome,
    per_second: u64,
) -> Result<(), String> {
    subject.generator.open(1)?;
    // What is done once is done.
    subject.settle()?;
    subject.generator.received()?;
    let cpu = subject.server.cpu_us();
    let writes = per_second * SECONDS;
    let (first, sent) = subject.write(Change::Modified, per_second, writes)?;
    subject.generator.until(first + writes - 1, std::time::Duration::from_secs(60))?;
    outcome.push("server_cpu", (subject.server.cpu_us() - cpu) / writes as f64, super::MICROS_EACH);
    let pokes = subject.generator.received()?.pokes;
    outcome.push("pokes", pokes as f64 / writes as f64, "pokes/write");
    lags(outcome, &subject.generator.lags(first, &sent)?)
}

pub(super) fn lags(outcome: &mut Outcome, lags: &Lags) -> Result<(), String> {
    outcome.push("lag_p50", lags.p50, MICROS);
    outcome.push("lag_p99", lags.p99, MICROS);
    outcome.push("lag_max", lags.max, MICROS);
    match lags.missing {
        0 => Ok(()),
        missing => Err(format!("{missing} writes have not arrived")),
    }
}

/// The same with the published client, whose view must show in the end what the database has.
pub(super) fn real(subject: &mut Subject, per_second: u64) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    let mut client = Real::open(&subject.address)?;
    outcome.push("first_client", client.complete_us, MICROS);
    let writes = per_second * SECONDS;
    let (first, sent) = subject.write(Change::Modified, per_second, writes)?;
    let arrivals = client.until(first + writes - 1)?;
    lags(&mut outcome, &Lags::of(first, &sent, std::iter::once(arrivals.as_slice())))?;
    let expected =
        subject.database.column(&penstock_postgres_workloads::queries::of_person(0)[0].ids)?;
    let shown = client.shown()?;
    if shown != expected {
        return Err(format!("the client shows {shown:?}, and the database has {expected:?}"));
    }
    outcome.push("rows_proved", shown.len() as f64, "rows");
    Ok(outcome)
}

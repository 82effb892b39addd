//! The highest rate of writes at which lags stay bounded.

use std::time::Duration;

use penstock_benches::report::{BYTES, Outcome};

use super::{MICROS, MICROS_EACH, latency, median};
use crate::database::Change;
use crate::load::Lags;
use crate::subject::Subject;

/// For how long a rate is tried, in seconds.
const SECONDS: u64 = 6;
/// What lags may be: of 99 in 100 arrivals, and of the last one of all, in microseconds.
const LAG_P99_MAX: f64 = 500e3;
const LAG_MAX: f64 = 2e6;
/// How much of a rate the writer must come to.
const PACE_MIN: f64 = 0.95;
/// How often the stretch between a rate that holds and one that does not is halved.
const HALVINGS: usize = 3;
/// The highest rate that is tried, in writes per second.
const RATE_MAX: u64 = 64_000;
/// How long clients may take to catch up after a rate that was too high.
const CATCH_UP: Duration = Duration::from_secs(120);

/// A rate that was tried.
struct Trial {
    rate: u64,
    pace: f64,
    lags: Lags,
    server_cpu: f64,
    load_cpu: f64,
    pokes: f64,
}

impl Trial {
    fn holds(&self) -> bool {
        self.lags.missing == 0
            && self.lags.p99 <= LAG_P99_MAX
            && self.lags.max <= LAG_MAX
            && self.pace >= PACE_MIN
    }
}

pub(super) fn sustained(
    subject: &mut Subject,
    outcome: &mut Outcome,
    groups: usize,
    from: u64,
) -> Result<(), String> {
    let times = subject.generator.open(groups)?;
    outcome.push("next_client", median(times), MICROS);
    outcome.push("pss_before", subject.server.pss(), BYTES);
    subject.database.hurry()?;
    subject.settle()?;
    let (mut best, mut fails): (Option<Trial>, Option<u64>) = (None, None);
    let mut rate = from;
    let mut halvings = 0;
    while rate > 0 && rate <= RATE_MAX && halvings <= HALVINGS {
        let trial = attempt(subject, rate, groups)?;
        eprintln!(
            "{rate}/s: {:.2} of it written, {:.0} µs of the server and {:.0} µs of the clients each, \
             lag {:.0} ms, 99 of 100 within {:.0} ms, at most {:.0} ms: {}",
            trial.pace,
            trial.server_cpu,
            trial.load_cpu,
            trial.lags.p50 / 1e3,
            trial.lags.p99 / 1e3,
            trial.lags.max / 1e3,
            if trial.holds() { "holds" } else { "does not hold" }
        );
        if trial.holds() {
            best = Some(trial);
        } else {
            fails = Some(rate);
        }
        rate = match (&best, fails) {
            (_, None) => rate * 2,
            (None, Some(_)) => rate / 2,
            (Some(best), Some(fails)) => {
                halvings += 1;
                let middle = best.rate.midpoint(fails);
                if middle == best.rate { 0 } else { middle }
            }
        };
    }
    let best = best.ok_or("no rate holds")?;
    outcome.push("sustained_rate", best.rate as f64, "writes/s");
    latency::lags(outcome, &best.lags)?;
    outcome.push("server_cpu", best.server_cpu, MICROS_EACH);
    outcome.push("load_cpu", best.load_cpu, MICROS_EACH);
    outcome.push("pokes", best.pokes, "pokes/write");
    outcome.push("pss", subject.server.pss(), BYTES);
    Ok(())
}

fn attempt(subject: &mut Subject, rate: u64, groups: usize) -> Result<Trial, String> {
    subject.generator.received()?;
    let (server, load) = (subject.server.cpu_us(), subject.generator.cpu_us());
    let began = std::time::Instant::now();
    let writes = rate * SECONDS;
    let (first, sent) = subject.write(Change::Modified, rate, writes)?;
    let pace = SECONDS as f64 / began.elapsed().as_secs_f64();
    let missing = subject.generator.until(first + writes - 1, CATCH_UP)?;
    if missing > 0 {
        return Err(format!("{missing} clients have not caught up after {rate} writes a second"));
    }
    let each = |cpu: f64| cpu / writes as f64;
    let received = subject.generator.received()?;
    Ok(Trial {
        rate,
        pace,
        lags: subject.generator.lags(first, &sent)?,
        server_cpu: each(subject.server.cpu_us() - server),
        load_cpu: each(subject.generator.cpu_us() - load),
        pokes: received.pokes as f64 / writes as f64 / groups as f64,
    })
}

//! A server starts with nothing, and then clients come.

use penstock_benches::report::{BYTES, Outcome};

use super::{MICROS, median};
use crate::subject::Subject;

/// How often clients come again.
const AGAIN: usize = 5;

pub(super) fn start(subject: &mut Subject, outcome: &mut Outcome) -> Result<(), String> {
    outcome.push("start_to_ready", subject.start_to_ready.as_secs_f64() * 1e6, MICROS);
    outcome.push("start_cpu", subject.server.cpu_us(), MICROS);
    outcome.push("first_client", median(subject.generator.open(1)?), MICROS);
    outcome.push("pss_one_client", subject.server.pss(), BYTES);
    outcome.push("next_client", median(subject.generator.open(1)?), MICROS);
    let mut times = Vec::new();
    for _ in 0..AGAIN {
        times.extend(subject.generator.reconnect()?);
    }
    outcome.push("reconnect", median(times), MICROS);
    Ok(())
}

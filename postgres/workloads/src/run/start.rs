//! A follower starts with an empty replica, and then clients come.

use std::time::Instant;

use penstock_benches::cpu::CpuTimer;
use penstock_benches::report::{BYTES, Outcome};

use crate::options::Child;
use crate::subject::{Subject, pss};

pub(super) fn start(child: &Child) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    let rows = f64::from(child.workload.rows);
    let (begin, cpu) = (Instant::now(), CpuTimer::start());
    let mut subject = Subject::start(child)?;
    subject.wait_until_copied()?;
    outcome.push("start_to_ready", micros(begin), "µs");
    outcome.push("copy_cpu", cpu.micros() / rows, "µs/row");
    let copy = subject.follower.status().copy;
    if copy.rows != u64::from(child.workload.rows) {
        return Err(format!("{} rows were copied", copy.rows));
    }
    outcome.push("copy_rate", copy.rows_per_second() as f64, "rows/s");
    for (name, person) in [("first_client", 0), ("next_client", 1)] {
        let begin = Instant::now();
        subject.client_comes(person)?;
        outcome.push(name, micros(begin), "µs");
        if person == 0 {
            outcome.push("pss_one_client", pss(), BYTES);
        }
    }
    subject.finish(&mut outcome)?;
    Ok(outcome)
}

fn micros(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1e6
}

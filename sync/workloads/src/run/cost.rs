//! What writes cost the server that concern one client, or one of many queries.

use std::collections::BTreeMap;

use penstock_benches::report::{BYTES, Outcome};
use penstock_postgres_workloads::queries::of_person;

use super::{MICROS, MICROS_EACH, median};
use crate::database::Change;
use crate::subject::Subject;

/// How fast, and for how many seconds, writes come.
const PER_SECOND: u64 = 100;
const SECONDS: u64 = 20;
/// For how long the idle server is watched.
const IDLE: std::time::Duration = std::time::Duration::from_secs(5);

/// Writes of rows that are in the lists of exactly one client each.
pub(super) fn few(
    subject: &mut Subject,
    outcome: &mut Outcome,
    groups: usize,
) -> Result<(), String> {
    let hot = std::mem::take(&mut subject.ids);
    let mut lists: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for person in 0..groups {
        for query in of_person(person) {
            for id in subject.database.column(&query.ids)? {
                let of = lists.entry(id).or_default();
                if of.last() != Some(&person) {
                    of.push(person);
                }
            }
        }
    }
    let in_one = lists.into_iter().filter(|(_, of)| of.len() == 1);
    subject.ids = in_one.map(|(id, _)| id).collect();
    if subject.ids.is_empty() {
        return Err("no row is in the lists of one client only".to_owned());
    }
    outcome.push("next_client", median(subject.generator.open(groups)?), MICROS);
    outcome.push("pss", subject.server.pss(), BYTES);
    let pokes = cost(subject, outcome, Change::Title)?;
    let writes = (PER_SECOND * SECONDS) as f64;
    // Each write is one client's, and none is told twice.
    if pokes > writes || pokes == 0.0 {
        return Err(format!("{writes} writes were told in {pokes} pokes"));
    }
    subject.ids = hot;
    Ok(())
}

/// Writes of any issues, of which one client's lists have many.
pub(super) fn owners(subject: &mut Subject, outcome: &mut Outcome) -> Result<(), String> {
    outcome.push("first_client", median(subject.generator.open(1)?), MICROS);
    outcome.push("pss", subject.server.pss(), BYTES);
    let any = "SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM issue) \
               placed WHERE place % 37 = 0";
    subject.ids = subject.database.column(any)?;
    cost(subject, outcome, Change::Modified)?;
    Ok(())
}

/// Writes evenly; returns in how many pokes they were told.
fn cost(subject: &mut Subject, outcome: &mut Outcome, change: Change) -> Result<f64, String> {
    subject.settle()?;
    let cpu = subject.server.cpu_us();
    std::thread::sleep(IDLE);
    let idle = (subject.server.cpu_us() - cpu) / IDLE.as_secs_f64();
    outcome.push("idle_cpu", idle, "µs/s");
    subject.generator.received()?;
    let cpu = subject.server.cpu_us();
    let writes = PER_SECOND * SECONDS;
    subject.write(change, PER_SECOND, writes)?;
    std::thread::sleep(std::time::Duration::from_secs(1));
    outcome.push("server_cpu", (subject.server.cpu_us() - cpu) / writes as f64, MICROS_EACH);
    let pokes = subject.generator.received()?.pokes as f64;
    outcome.push("pokes", pokes / writes as f64, "pokes/write");
    outcome.push("pss_after", subject.server.pss(), BYTES);
    Ok(pokes)
}

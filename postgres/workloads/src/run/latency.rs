//! Transactions come evenly, and a client waits for each.

use std::time::{Duration, Instant};

use penstock::{Change, Subscription, ValueRef};
use penstock_benches::data::EDITS_FROM;
use penstock_benches::report::Outcome;
use penstock_postgres_harness::Client;

use crate::options::Child;
use crate::subject::Subject;
use penstock_postgres_workloads::queries::hot_sql;

/// How long a client waits before it looks whether all is over.
const WAIT: Duration = Duration::from_secs(1);
/// How long the last patch may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn latency(child: &Child, per_second: u32, count: usize) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    let mut subject = Subject::copied(child, 1)?;
    let ids = subject.sql(&hot_sql(1, 50))?;
    let writer = Client::connect(&child.url).map_err(|error| error.to_string())?;
    let pause = Duration::from_secs(1) / per_second;
    let (written, seen) = std::thread::scope(|scope| {
        let writing = scope.spawn(|| write(&writer, &ids, pause, count));
        let seen = watch(&mut subject.live[0].1, count);
        (writing.join(), seen)
    });
    let written = written.map_err(|_| "the writing thread panicked".to_owned())??;
    let seen = seen?;
    let laps = |of: &dyn Fn(&(Instant, Instant)) -> Instant| {
        let waits = written
            .iter()
            .zip(&seen)
            .map(|(sent, seen)| seen.saturating_duration_since(of(sent)).as_secs_f64() * 1e6);
        let mut waits: Vec<f64> = waits.collect();
        waits.sort_by(f64::total_cmp);
        waits
    };
    for (name, waits) in
        [("sent_to_patch", laps(&|(sent, _)| *sent)), ("commit_to_patch", laps(&|(_, done)| *done))]
    {
        for (end, share) in [("p50", 0.5), ("p99", 0.99)] {
            let at = ((waits.len() - 1) as f64 * share).round() as usize;
            outcome.push(&format!("{name}_{end}"), waits[at], "µs");
        }
    }
    subject.finish(&mut outcome)?;
    Ok(outcome)
}

/// Updates hot issues evenly; when each was sent and answered.
fn write(
    writer: &Client,
    ids: &[String],
    pause: Duration,
    count: usize,
) -> Result<Vec<(Instant, Instant)>, String> {
    let start = Instant::now();
    let mut times = Vec::with_capacity(count);
    for k in 0..count {
        let due = start + pause * u32::try_from(k).unwrap_or(u32::MAX);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let (id, modified) = (&ids[k * 7 % ids.len()], EDITS_FROM + k as i64);
        let sql = format!("UPDATE issue SET modified = {modified} WHERE id = '{id}'");
        let sent = Instant::now();
        writer.sql(&sql).map_err(|error| error.to_string())?;
        times.push((sent, Instant::now()));
    }
    Ok(times)
}

/// When the patch of each update was there.
fn watch(live: &mut Subscription, count: usize) -> Result<Vec<Instant>, String> {
    let mut seen: Vec<Option<Instant>> = vec![None; count];
    let mut last = Instant::now();
    while seen.iter().any(Option::is_none) {
        if live.wait(WAIT) {
            last = Instant::now();
        } else if last.elapsed() > PATIENCE {
            return Err("a patch did not come".to_owned());
        }
        for patch in live.changes() {
            for change in patch.changes() {
                let (Change::Move { row, .. } | Change::Update { row, .. }) = change else {
                    continue;
                };
                let modified = row.get("modified").and_then(ValueRef::as_i64).unwrap_or(0);
                let of = usize::try_from(modified - EDITS_FROM).ok();
                if let Some(seen) = of.and_then(|k| seen.get_mut(k)) {
                    seen.get_or_insert_with(Instant::now);
                }
            }
        }
    }
    Ok(seen.into_iter().flatten().collect())
}

//! Transactions are applied as fast as can be.

use std::time::Instant;

use penstock_benches::cpu::CpuTimer;
use penstock_benches::data::EDITS_FROM;
use penstock_benches::report::Outcome;
use penstock_postgres_harness::Client;

use crate::options::Child;
use crate::subject::Subject;
use penstock_postgres_workloads::fixture::sizes;
use penstock_postgres_workloads::queries::hot_sql;

/// How many issues are updated by turns where all are hot.
const HOT: usize = 50;
/// Rows of the large transaction.
const LARGE: u64 = 1_000_000;

/// Updates of issues, committed after each `rows`.
fn updates(ids: &[String], transactions: usize, rows: usize) -> String {
    let (ids, count) = (ids.join("','"), ids.len());
    format!(
        "DO $$ DECLARE ids text[] := ARRAY['{ids}']; BEGIN \
         FOR i IN 0..{} LOOP \
           UPDATE issue SET modified = {EDITS_FROM} + i WHERE id = ids[i * 7 % {count} + 1]; \
           IF i % {rows} = {rows} - 1 THEN COMMIT; END IF; \
         END LOOP; END $$",
        transactions * rows - 1
    )
}

/// The issues that are updated: hot ones where somebody looks, else all.
fn ids(subject: &Subject, child: &Child, groups: usize) -> Result<Vec<String>, String> {
    match groups {
        0 => subject.sql(&format!(
            "SELECT id FROM issue ORDER BY md5(id) LIMIT {}",
            sizes(child.workload.rows).issues
        )),
        _ => subject.sql(&hot_sql(groups, HOT)),
    }
}

pub(super) fn backlog(
    child: &Child,
    groups: usize,
    transactions: usize,
    rows: usize,
) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    let mut subject = Subject::copied(child, groups)?;
    let sql = updates(&ids(&subject, child, groups)?, transactions, rows);
    subject.sql("SET synchronous_commit = off")?;
    let before = subject.follower.status().transactions;
    // While we hold the replica, nothing is applied.
    let held = subject.db.transaction(|_| subject.sql(&sql).map_err(penstock::Error::abort));
    held.map_err(|error| error.to_string())?;
    let (begin, cpu) = (Instant::now(), CpuTimer::start());
    let patches = subject.wait_for(before + transactions as u64)?;
    let (seconds, cpu) = (begin.elapsed().as_secs_f64(), cpu.micros());
    let count = transactions as f64;
    outcome.push("apply_rate", count / seconds, "transactions/s");
    if rows > 1 {
        outcome.push("row_rate", count * rows as f64 / seconds, "rows/s");
    }
    outcome.push("apply_cpu", cpu / count, "µs/transaction");
    told(patches, groups * transactions)?;
    subject.finish(&mut outcome)?;
    Ok(outcome)
}

/// Every hot transaction changes a result of every client.
fn told(patches: usize, at_least: usize) -> Result<(), String> {
    match patches >= at_least {
        true => Ok(()),
        false => Err(format!("clients were sent {patches} patches, not {at_least}")),
    }
}

pub(super) fn sustained(
    child: &Child,
    groups: usize,
    transactions: usize,
) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    let mut subject = Subject::copied(child, groups)?;
    let sql = updates(&ids(&subject, child, groups)?, transactions, 1);
    let writer = Client::connect(&child.url).map_err(|error| error.to_string())?;
    writer.sql("SET synchronous_commit = off").map_err(|error| error.to_string())?;
    let before = subject.follower.status().transactions;
    let (begin, cpu) = (Instant::now(), CpuTimer::start());
    let written = writer.begin(&sql);
    let patches = subject.wait_for(before + transactions as u64)?;
    let (seconds, cpu) = (begin.elapsed().as_secs_f64(), cpu.micros());
    let written = written.recv().map_err(|error| error.to_string())?;
    written.map_err(|error| error.to_string())?;
    outcome.push("sustained_rate", transactions as f64 / seconds, "transactions/s");
    outcome.push("apply_cpu", cpu / transactions as f64, "µs/transaction");
    told(patches, groups * transactions)?;
    subject.finish(&mut outcome)?;
    Ok(outcome)
}

pub(super) fn large(child: &Child) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    // Repeated runs are to write the same rows.
    let client = Client::connect(&child.url).map_err(|error| error.to_string())?;
    let emptied = client.sql("DELETE FROM comment WHERE id >= 'x'");
    emptied.map_err(|error| error.to_string())?;
    let mut subject = Subject::copied(child, 1)?;
    subject.sql("SET synchronous_commit = off")?;
    let before = subject.follower.status().transactions;
    let sql = format!(
        "INSERT INTO comment SELECT 'x' || i, 'i000000', 'u0001', i, 'comment number ' || i \
         FROM generate_series(1, {LARGE}) i"
    );
    let held = subject.db.transaction(|_| subject.sql(&sql).map_err(penstock::Error::abort));
    held.map_err(|error| error.to_string())?;
    let (begin, cpu) = (Instant::now(), CpuTimer::start());
    subject.wait_for(before + 1)?;
    let (seconds, cpu) = (begin.elapsed().as_secs_f64(), cpu.micros());
    outcome.push("row_rate", LARGE as f64 / seconds, "rows/s");
    outcome.push("row_cpu", cpu / LARGE as f64, "µs/row");
    subject.finish(&mut outcome)?;
    Ok(outcome)
}

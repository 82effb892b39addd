//! The process that runs one workload by one engine.

use std::process::ExitCode;

use penstock_benches::check::Check;
use penstock_benches::cpu::{CpuTimer, Laps};
use penstock_benches::data::{Data, Sizes};
use penstock_benches::report::{MICROS, Outcome};

use crate::changes::Change;
use crate::workload::{Kind, Query, named};

/// An engine with filled tables.
pub trait Engine: Sized {
    /// Fills the tables, so that the query over them can be made live. What is measured may decide
    /// how; everything that only depends on the rows is done when this returns.
    ///
    /// # Errors
    /// What the engine reports.
    fn fill(data: &Data, query: Query, kind: Kind) -> Result<Self, String>;

    /// Makes the query live and waits for its result to be complete, in the consumer's hands.
    ///
    /// # Errors
    /// What the engine reports.
    fn hydrate(&mut self) -> Result<(), String>;

    /// Ends the query, as far as the engine can: the next [`hydrate`](Engine::hydrate) starts anew.
    ///
    /// # Errors
    /// What the engine reports.
    fn drop_query(&mut self) -> Result<(), String>;

    /// Applies a transaction and waits until the consumer's result is that after it.
    ///
    /// # Errors
    /// What the engine reports.
    fn commit(&mut self, changes: &[Change]) -> Result<(), String>;

    /// The checksum of the consumer's result.
    fn check(&self) -> Check;
}

/// Runs the workload that the arguments name: `--workload NAME --sizes U,I,C,L,IL`.
pub fn main<E: Engine>() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, workload_option, workload, sizes_option, sizes] = arguments.as_slice() else {
        return usage();
    };
    let Some(sizes) = parse_sizes(sizes) else { return usage() };
    if workload_option != "--workload" || sizes_option != "--sizes" {
        return usage();
    }
    let (query, kind) = match named(workload) {
        Ok(found) => found,
        Err(reason) => {
            println!("cannot\t{reason}\t");
            return ExitCode::SUCCESS;
        }
    };
    match measure::<E>(&Data::generate(sizes), query, kind) {
        Ok(outcome) => {
            print!("{}", outcome.to_lines());
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{workload}: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("This is started by penstock-competitors: --workload NAME --sizes U,I,C,L,IL");
    ExitCode::from(2)
}

fn parse_sizes(text: &str) -> Option<Sizes> {
    let numbers: Vec<u32> = text.split(',').map_while(|number| number.parse().ok()).collect();
    let &[users, issues, comments, labels, issue_labels] = numbers.as_slice() else { return None };
    Some(Sizes { users, issues, comments, labels, issue_labels })
}

fn measure<E: Engine>(data: &Data, query: Query, kind: Kind) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    let timer = CpuTimer::start();
    let mut engine = E::fill(data, query, kind)?;
    let load = timer.micros() / f64::from(data.sizes.rows());
    match kind {
        Kind::Load => outcome.push("load_cpu", load, "µs/row"),
        Kind::Hydrate(count) => {
            let timer = CpuTimer::start();
            engine.hydrate()?;
            outcome.push("hydrate_cold_cpu", timer.micros(), MICROS);
            let mut warm = 0.0;
            for _ in 0..count {
                engine.drop_query()?;
                let timer = CpuTimer::start();
                engine.hydrate()?;
                warm += timer.micros();
            }
            outcome.push("hydrate_warm_cpu", warm / count as f64, MICROS);
            outcome.check = Some(engine.check());
        }
        Kind::Push(stream, batch) => {
            let changes = stream.changes(data);
            let timer = CpuTimer::start();
            engine.hydrate()?;
            if let Query::Owners(queries) = query {
                outcome.push("hydrate_per_query_cpu", timer.micros() / f64::from(queries), MICROS);
            }
            push(&mut engine, &changes, batch, &mut outcome)?;
            outcome.check = Some(engine.check());
        }
    }
    Ok(outcome)
}

/// Commits the changes; the figures are per change.
fn push<E: Engine>(
    engine: &mut E,
    changes: &[Change],
    batch: usize,
    outcome: &mut Outcome,
) -> Result<(), String> {
    let mut laps = Laps::start(changes.len() / batch);
    let timer = CpuTimer::start();
    for transaction in changes.chunks(batch) {
        engine.commit(transaction)?;
        laps.lap();
    }
    outcome.push("push_cpu", timer.micros() / changes.len() as f64, MICROS);
    let [p50, p99] = laps.percentiles([0.5, 0.99]);
    outcome.push("push_p50", p50 / batch as f64, MICROS);
    outcome.push("push_p99", p99 / batch as f64, MICROS);
    Ok(())
}

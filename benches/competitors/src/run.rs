//! A run: every engine and workload, process by process.

use std::process::ExitCode;
use std::time::Duration;

use penstock_benches::data::Sizes;
use penstock_benches::report::{Origin, Samples, say};
use penstock_benches::workloads::WORKLOADS;

use crate::engine::{Engine, Ready};
use crate::options::Options;
use crate::process::{self, Ended};
use crate::table;

/// What became of one workload on one engine.
#[derive(Debug)]
pub enum Cell {
    /// It ran, in so many processes.
    Measured(Samples),
    /// The engine has no such thing, and why.
    Cannot(String),
    /// A process was ended after so many seconds.
    NotFinished(u64),
    /// A process failed.
    Failed(String),
}

/// A workload on all engines, in the order of the options.
#[derive(Debug)]
pub struct Line {
    /// The workload's name.
    pub workload: &'static str,
    /// What became of it.
    pub cells: Vec<(Engine, Cell)>,
}

/// Runs what the options ask for and prints it.
pub fn run(options: &Options) -> ExitCode {
    let mut ready = Vec::new();
    for &engine in &options.engines {
        match engine.prepare() {
            Ok(engine) => ready.push(engine),
            Err(problem) => {
                eprintln!("penstock-competitors: {}: {problem}", engine.name());
                return ExitCode::FAILURE;
            }
        }
    }
    let mut wrong = false;
    let mut lines = Vec::new();
    if !options.json {
        say(&table::head(&options.engines));
    }
    for &workload in &options.workloads {
        let mut line = Line { workload, cells: Vec::new() };
        for (&engine, ready) in options.engines.iter().zip(&ready) {
            let cell = cell(options, engine, ready, workload);
            wrong |= is_wrong(workload, &cell);
            if options.json {
                print_json(engine, workload, &cell);
            }
            line.cells.push((engine, cell));
        }
        if !options.json {
            say(&table::rows(&line));
        }
        lines.push(line);
    }
    if !options.json {
        say(&table::notes(&lines));
    }
    if wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Runs one workload on one engine, in fresh processes.
fn cell(options: &Options, engine: Engine, ready: &Ready, workload: &str) -> Cell {
    let sizes = Sizes::scaled(1);
    let mut samples = Samples::default();
    for repeat in 1..=options.repeats {
        eprintln!("{workload} on {}, {repeat} of {}", engine.name(), options.repeats);
        let limit = Duration::from_secs(options.time_limit);
        let added = match process::run(&mut ready.command(workload, &sizes), limit) {
            Ended::Printed(text) => match reason(&text) {
                Some(reason) => return Cell::Cannot(reason.to_owned()),
                None => samples.add(&text),
            },
            Ended::TimedOut => return Cell::NotFinished(options.time_limit),
            Ended::Failed(problem) => Err(problem),
        };
        if let Err(problem) = added {
            eprintln!("{workload} on {}: {problem}", engine.name());
            return Cell::Failed(problem);
        }
    }
    Cell::Measured(samples)
}

/// Why there is nothing to measure, if that is what a process printed.
pub fn reason(printed: &str) -> Option<&str> {
    printed.strip_prefix("cannot\t").map(str::trim)
}

/// The check that the workload must have, if it has one.
pub fn expected(workload: &str) -> Option<&'static str> {
    WORKLOADS.iter().find(|known| known.name == workload).and_then(|known| known.check)
}

fn is_wrong(workload: &str, cell: &Cell) -> bool {
    match cell {
        Cell::Measured(samples) => {
            let expected = expected(workload);
            samples.checks.iter().any(|check| Some(check.as_str()) != expected)
        }
        Cell::Failed(_) => true,
        Cell::Cannot(_) | Cell::NotFinished(_) => false,
    }
}

fn print_json(engine: Engine, workload: &str, cell: &Cell) {
    let origin = Origin { engine: engine.name(), source: "memory", workload };
    let absent = |reason: &str| {
        let line = serde_json::json!({
            "engine": origin.engine,
            "source": origin.source,
            "workload": origin.workload,
            "metric": "absent",
            "reason": reason,
        });
        say(&format!("{line}\n"));
    };
    match cell {
        Cell::Measured(samples) => {
            samples
                .summaries()
                .iter()
                .for_each(|summary| say(&format!("{}\n", origin.json(summary))));
            if let Some(check) = samples.checks.first() {
                say(&format!("{}\n", origin.json_check(check, samples.checks.len())));
            }
        }
        Cell::Cannot(reason) => absent(reason),
        Cell::NotFinished(seconds) => absent(&format!("did not finish in {seconds} s")),
        Cell::Failed(problem) => absent(problem),
    }
}

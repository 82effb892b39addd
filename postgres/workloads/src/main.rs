//! What it costs to follow a Postgres database: the copy, the stream, live queries over it, memory.
//! See `--help`, and `BENCHMARKS.md` for what the figures mean.
//!
//! | module | what it holds |
//! |---|---|
//! | `options` | the command line |
//! | `workloads` | the workloads by name, with their targets |
//! | `subject` | a follower with its clients, and the proof that they are right |
//! | `run` | the measurements |

mod options;
mod run;
mod subject;
mod workloads;

use std::process::{Command, ExitCode, Stdio};

use penstock_benches::report::{Origin, Samples, say};
use penstock_postgres_harness::{Installation, Options as ServerOptions, Server};
use penstock_postgres_workloads::{fixture, target};

use options::{Child, Options, Parsed};
use workloads::Workload;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match options::parse(&arguments) {
        Ok(Parsed::Help) => {
            say(&format!("{}\n", options::help()));
            Ok(())
        }
        Ok(Parsed::Child(child)) => run::child(&child).map(|outcome| say(&outcome.to_lines())),
        Ok(Parsed::Run(options)) => all(&options),
        Err(problem) => {
            eprintln!("postgres-workloads: {problem}\nSee postgres-workloads --help.");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("postgres-workloads: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the workloads one by one, each against a server of its own, and prints their figures.
fn all(options: &Options) -> Result<(), String> {
    let mut failed = Vec::new();
    for workload in &options.workloads {
        match one(options, workload) {
            Ok(samples) => print(options, workload, &samples),
            Err(problem) => {
                eprintln!("postgres-workloads: {}: {problem}", workload.name);
                failed.push(workload.name);
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", "))) }
}

/// The figures of one workload, over fresh processes and one server.
fn one(options: &Options, workload: &'static Workload) -> Result<Samples, String> {
    let said = |error: penstock_postgres_harness::Error| error.to_string();
    let installation = match options.plugin {
        penstock_postgres::setup::Plugin::Pgoutput => Installation::newest(),
        penstock_postgres::setup::Plugin::Wal2json => Installation::with_wal2json(),
    };
    let server_options =
        ServerOptions { settings: fixture::settings(), ..ServerOptions::default() };
    let server = Server::start(&installation.map_err(said)?, server_options).map_err(said)?;
    fixture::fill(&server, workload.rows).map_err(said)?;
    let mut samples = Samples::default();
    for _ in 0..options.repeats {
        let child = Child { workload, url: server.url(), plugin: options.plugin };
        samples.add(&spawn(&child)?)?;
    }
    match samples.checks.iter().find(|check| **check != samples.checks[0]) {
        None => Ok(samples),
        Some(other) => Err(format!("its results are {} and {other}", samples.checks[0])),
    }
}

fn spawn(child: &Child) -> Result<String, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new(program)
        .args(child.arguments())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot start a process: {error}"))?;
    if !output.status.success() {
        return Err(format!("the process failed: {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|error| error.to_string())
}

fn print(options: &Options, workload: &Workload, samples: &Samples) {
    let source = options::name_of(options.plugin);
    let origin = Origin { engine: "penstock", source, workload: workload.name };
    for summary in samples.summaries() {
        match options.json {
            true => say(&format!("{}\n", origin.json(&summary))),
            false => say(&format!("{}\n", target::line(workload.name, workload.targets, &summary))),
        }
    }
    let Some(check) = samples.checks.first() else { return };
    match options.json {
        true => say(&format!("{}\n", origin.json_check(check, samples.checks.len()))),
        false => say(&format!("{:<10} {:<24} {check}\n", workload.name, "check")),
    }
}

//! The command line of the binary `workloads`.
//!
//! The process that the user starts measures nothing: it runs itself once per workload, engine and
//! repeat, so that every figure comes from a fresh process, and summarises what those print.

mod options;
mod table;

use std::process::{Command, ExitCode, Stdio};

use penstock::Error;

use crate::alloc::start_counting;
use crate::data::{Data, Sizes};
use crate::report::{Origin, Outcome, Samples};
use crate::setting::{Setting, SourceKind};
use crate::workloads::{WORKLOADS, Workload, named};
use options::{Child, Engine, Options, Parsed};

/// Runs the command and says how it went: failure for a bad command line, a process that failed,
/// or a checksum that differs from the reference.
pub fn main(arguments: &[String]) -> ExitCode {
    match options::parse(arguments) {
        Ok(Parsed::Help) => {
            println!("{}", options::help());
            ExitCode::SUCCESS
        }
        Ok(Parsed::Child(child)) => run_child(&child),
        Ok(Parsed::Run(options)) => run(&options),
        Err(problem) => {
            eprintln!("workloads: {problem}\nSee workloads --help.");
            ExitCode::from(2)
        }
    }
}

fn run_child(child: &Child) -> ExitCode {
    if child.bytes {
        start_counting();
    }
    match measure(child) {
        Ok(outcome) => {
            print!("{}", outcome.to_lines());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("workloads: {}: {error}", child.workload);
            ExitCode::FAILURE
        }
    }
}

fn measure(child: &Child) -> Result<Outcome, Error> {
    let workloads = named(&child.workload);
    let [workload] = workloads.as_slice() else {
        return Err(Error::abort("a child process runs one workload"));
    };
    let nothing = || Error::abort("this workload does not exist for this engine");
    let data = Data::generate(Sizes::scaled(child.scale));
    if child.engine == Engine::Hand {
        return workload.hand.ok_or_else(nothing)?(&data);
    }
    let run = if child.bytes { workload.bytes } else { Some(workload.run) };
    run.ok_or_else(nothing)?(&Setting { data, source: child.source })
}

fn run(options: &Options) -> ExitCode {
    let mut failed = false;
    if !options.json {
        println!("{}", table::head());
    }
    let is_meant =
        |workload: &&Workload| options.only.is_empty() || options.only.contains(&workload.name);
    for workload in WORKLOADS.iter().filter(is_meant) {
        for &source in &options.sources {
            for &engine in &options.engines {
                let origin = Origin {
                    engine: engine.name(),
                    source: source.name(),
                    workload: workload.name,
                };
                match samples(options, workload, engine, source) {
                    Ok(Some(samples)) => {
                        failed |= !print(options, workload, engine, source, &samples);
                    }
                    Ok(None) => {}
                    Err(problem) => {
                        eprintln!("workloads: {origin}: {problem}");
                        failed = true;
                    }
                }
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Runs one workload by one engine, in fresh processes; `None` where there is no such thing.
fn samples(
    options: &Options,
    workload: &Workload,
    engine: Engine,
    source: SourceKind,
) -> Result<Option<Samples>, String> {
    let passes: &[bool] = match engine {
        Engine::Hand if workload.hand.is_none() || source.is_sqlite() => return Ok(None),
        Engine::Penstock if workload.bytes.is_some() => &[false, true],
        _ => &[false],
    };
    let mut samples = Samples::default();
    for _ in 0..options.repeats {
        for &bytes in passes {
            let (workload, scale) = (workload.name.to_owned(), options.scale);
            let child = Child { workload, engine, source, scale, bytes };
            samples.add(&spawn(&child)?)?;
        }
    }
    Ok(Some(samples))
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

/// Prints the figures of one workload; returns whether its checksums are right.
fn print(
    options: &Options,
    workload: &Workload,
    engine: Engine,
    source: SourceKind,
    samples: &Samples,
) -> bool {
    let origin = Origin { engine: engine.name(), source: source.name(), workload: workload.name };
    for summary in samples.summaries() {
        let known = workload.figure(source, &summary.metric);
        let known = known.filter(|_| engine == Engine::Penstock);
        match options.json {
            true => println!("{}", origin.json(&summary)),
            false => println!("{}", table::line(&origin, known, &summary)),
        }
    }
    let Some(first) = samples.checks.first() else { return true };
    let reference = workload.check.filter(|_| options.scale == 1);
    match options.json {
        true => println!("{}", origin.json_check(first, samples.checks.len())),
        false => println!("{}", table::check(&origin, first, reference)),
    }
    let expected = reference.unwrap_or(first);
    let wrong = samples.checks.iter().find(|check| *check != expected);
    if let Some(wrong) = wrong {
        eprintln!("workloads: {origin}: check is {wrong}, should be {expected}");
    }
    wrong.is_none()
}

#[cfg(test)]
mod tests {
    use super::{Engine, Options, print, table};
    use crate::report::{Origin, Samples};
    use crate::setting::SourceKind;
    use crate::workloads::named;

    fn options(scale: u32) -> Options {
        let engines = vec![Engine::Penstock];
        let sources = vec![SourceKind::Memory];
        Options { sources, engines, only: Vec::new(), repeats: 2, scale, json: true }
    }

    fn is_right(checks: &[&str], scale: u32) -> bool {
        let mut samples = Samples::default();
        for check in checks {
            samples.add(&format!("check\t{check}\trows:fnv1a32\n")).expect("a well-formed line");
        }
        print(&options(scale), named("W4")[0], Engine::Penstock, SourceKind::Memory, &samples)
    }

    #[test]
    fn a_checksum_must_be_the_reference() {
        assert!(is_right(&["100:4d4e835b", "100:4d4e835b"], 1));
        assert!(!is_right(&["100:4d4e835b", "100:4d4e835c"], 1));
        assert!(!is_right(&["99:4d4e835b"], 1));
    }

    #[test]
    fn at_other_scales_the_processes_must_agree() {
        assert!(is_right(&["100:00000001", "100:00000001"], 10));
        assert!(!is_right(&["100:00000001", "100:00000002"], 10));
    }

    #[test]
    fn a_difference_is_shown() {
        let origin = Origin { engine: "penstock", source: "memory", workload: "W4" };
        let line = table::check(&origin, "99:00000000", Some("100:4d4e835b"));
        assert!(line.ends_with("99:00000000 DIFFERS from the reference"), "{line}");
    }
}

//! The command line of the binary `workloads`.
//!
//! The process that the user starts measures nothing: it runs itself once per workload, engine and
//! repeat, so that every figure comes from a fresh process, and summarises what those print.

mod options;
mod plots;
mod table;
pub mod values;

use std::process::{Command, ExitCode, Stdio};

use penstock::Error;

use crate::alloc::start_counting;
use crate::data::Data;
use crate::plot::figures::Figures;
use crate::report::{BYTES, Origin, Outcome, Samples, say};
use crate::resident::Resident;
use crate::setting::{Scale, Setting, SourceKind};
use crate::workloads::{WORKLOADS, Workload, all, named};
use options::{Child, Engine, Options, Parsed};

/// Runs the command and says how it went: failure for a bad command line, a process that failed,
/// or a checksum that differs from the reference.
pub fn main(arguments: &[String]) -> ExitCode {
    match options::parse(arguments) {
        Ok(Parsed::Help) => {
            say(&format!("{}\n", options::help()));
            ExitCode::SUCCESS
        }
        Ok(Parsed::Child(child)) => run_child(&child),
        Ok(Parsed::Run(options)) => finish(run(&options)),
        Ok(Parsed::Plots(options, folder, lines)) => {
            finish(plots::draw(&options, &folder, lines.as_deref()))
        }
        Err(problem) => {
            eprintln!("workloads: {problem}\nSee workloads --help.");
            ExitCode::from(2)
        }
    }
}

fn run_child(child: &Child) -> ExitCode {
    if child.bytes || named(&child.workload).iter().any(|workload| workload.counted) {
        start_counting();
    }
    match measure(child) {
        Ok(outcome) => {
            say(&outcome.to_lines());
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
    let data = Data::generate(child.scale.sizes());
    let setting = Setting { data, source: child.source };
    let outcome = match (child.engine, child.bytes) {
        (Engine::Hand, _) => workload.hand.ok_or_else(nothing)?(&setting.data)?,
        (Engine::Penstock, true) => workload.bytes.ok_or_else(nothing)?(&setting)?,
        (Engine::Penstock, false) => {
            let mut outcome = (workload.run)(&setting)?;
            outcome.push("resident_peak", Resident::now().peak, BYTES);
            outcome
        }
    };
    compare(workload, child.scale, &setting.data, &outcome)?;
    Ok(outcome)
}

/// Where there is no reference, the result must be what an evaluation from scratch returns.
fn compare(workload: &Workload, scale: Scale, data: &Data, outcome: &Outcome) -> Result<(), Error> {
    let (Some(check), Some(scratch)) = (outcome.check, workload.scratch) else { return Ok(()) };
    if reference(workload, scale).is_some() {
        return Ok(());
    }
    let expected = scratch(data);
    match check == expected {
        true => Ok(()),
        false => Err(Error::abort(format!("the check is {check}, from scratch it is {expected}"))),
    }
}

/// The checksum of the reference, which is known at scale 1 only.
fn reference(workload: &Workload, scale: Scale) -> Option<&'static str> {
    workload.check.filter(|_| scale == Scale::ONE)
}

fn finish(is_right: bool) -> ExitCode {
    if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(options: &Options) -> bool {
    let meant: Vec<&Workload> = match options.only.as_slice() {
        [] => WORKLOADS.iter().collect(),
        only => all().filter(|workload| only.contains(&workload.name)).collect(),
    };
    print_head(options);
    let mut is_right = true;
    for workload in meant {
        for &source in &options.sources {
            for &engine in &options.engines {
                is_right &= run_one(options, workload, engine, source, &mut Figures::default());
            }
        }
    }
    is_right
}

fn print_head(options: &Options) {
    if !options.json {
        say(&format!("{}\n", table::head()));
    }
}

/// Runs one workload by one engine, prints its figures and adds them to others; returns whether all
/// went well.
fn run_one(
    options: &Options,
    workload: &Workload,
    engine: Engine,
    source: SourceKind,
    figures: &mut Figures,
) -> bool {
    match samples(options, workload, engine, source) {
        Ok(Some(samples)) => {
            let name = options.scale.name_of(workload.name);
            for summary in samples.summaries() {
                figures.add(&name, &summary.metric, summary.value);
            }
            print(options, workload, engine, source, &samples)
        }
        Ok(None) => true,
        Err(problem) => {
            let (engine, source) = (engine.name(), source.name());
            eprintln!("workloads: {} by {engine} over {source}: {problem}", workload.name);
            false
        }
    }
}

/// Runs one workload by one engine, in fresh processes; `None` where there is no such thing.
fn samples(
    options: &Options,
    workload: &Workload,
    engine: Engine,
    source: SourceKind,
) -> Result<Option<Samples>, String> {
    let passes: &[bool] = match engine {
        _ if workload.memory_only && source.is_sqlite() => return Ok(None),
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
    let workload_name = options.scale.name_of(workload.name);
    let origin = Origin { engine: engine.name(), source: source.name(), workload: &workload_name };
    for summary in samples.summaries() {
        let known = workload.figure(source, &summary.metric);
        let known = known.filter(|_| engine == Engine::Penstock);
        match options.json {
            true => say(&format!("{}\n", origin.json(&summary))),
            false => say(&format!("{}\n", table::line(&origin, known, &summary))),
        }
    }
    let Some(first) = samples.checks.first() else { return true };
    let reference = reference(workload, options.scale);
    match options.json {
        true => say(&format!("{}\n", origin.json_check(first, samples.checks.len()))),
        false => say(&format!("{}\n", table::check(&origin, first, reference))),
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
    use crate::setting::{Scale, SourceKind};
    use crate::workloads::named;

    fn options(scale: Scale) -> Options {
        let engines = vec![Engine::Penstock];
        let sources = vec![SourceKind::Memory];
        Options { sources, engines, only: Vec::new(), repeats: 2, scale, json: true }
    }

    fn is_right(checks: &[&str], scale: Scale) -> bool {
        let mut samples = Samples::default();
        for check in checks {
            samples.add(&format!("check\t{check}\trows:fnv1a32\n")).expect("a well-formed line");
        }
        print(&options(scale), named("W4")[0], Engine::Penstock, SourceKind::Memory, &samples)
    }

    #[test]
    fn a_checksum_must_be_the_reference() {
        assert!(is_right(&["100:4d4e835b", "100:4d4e835b"], Scale::ONE));
        assert!(!is_right(&["100:4d4e835b", "100:4d4e835c"], Scale::ONE));
        assert!(!is_right(&["99:4d4e835b"], Scale::ONE));
    }

    #[test]
    fn at_other_scales_the_processes_must_agree() {
        let ten = Scale::parse("10").expect("a scale");
        assert!(is_right(&["100:00000001", "100:00000001"], ten));
        assert!(!is_right(&["100:00000001", "100:00000002"], ten));
    }

    #[test]
    fn a_difference_is_shown() {
        let origin = Origin { engine: "penstock", source: "memory", workload: "W4" };
        let line = table::check(&origin, "99:00000000", Some("100:4d4e835b"));
        assert!(line.ends_with("99:00000000 DIFFERS from the reference"), "{line}");
    }
}

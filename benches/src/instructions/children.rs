//! The processes: one per scenario, under Valgrind where instructions are counted.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::baseline::Count;
use super::profile;
use super::scenarios::{self, Measure, SCENARIOS, Scenario};
use crate::alloc::start_counting;
use crate::report::{Samples, Summary};
use crate::sqlite::Scratch;

/// The argument before the scenario's name by which the binary starts itself.
pub(super) const ARGUMENT: &str = "--child";

/// Runs a scenario in this process and prints what its parent reads.
pub(super) fn run_child(name: &str) -> Result<bool, String> {
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name);
    let scenario = scenario.ok_or_else(|| format!("there is no scenario \"{name}\""))?;
    match scenario.measure {
        Measure::Instructions(run) => println!("{}", run().map_err(|error| error.to_string())?),
        Measure::Bytes(run) => {
            start_counting();
            print!("{}", run().map_err(|error| error.to_string())?.to_lines());
        }
    }
    Ok(true)
}

/// Counts all scenarios asked for, as many at a time as there are processors.
pub(super) fn count_all(
    is_meant: impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, Count>, String> {
    let meant: Vec<&Scenario> = SCENARIOS.iter().filter(|s| is_meant(s.name)).collect();
    if meant.is_empty() {
        let names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        return Err(format!("no such scenario; there are {}", names.join(", ")));
    }
    let scratch = Scratch::new().map_err(|error| error.to_string())?;
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let work = || {
        while let Some(scenario) = meant.get(next.fetch_add(1, Ordering::Relaxed)) {
            let file = scratch.file(&scenario.name.replace('/', "-"));
            let counts =
                count(scenario, file).map_err(|problem| format!("{}: {problem}", scenario.name));
            if let Ok(mut done) = done.lock() {
                done.push(counts);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let done = done.into_inner().map_err(|_| "a thread ended early")?;
    Ok(done.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// The counts of one scenario with their names.
fn count(scenario: &Scenario, file: PathBuf) -> Result<Vec<(String, Count)>, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    if let Measure::Bytes(_) = scenario.measure {
        let mut samples = Samples::default();
        samples.add(&output(Command::new(program), scenario)?)?;
        let named = |held: &Summary| {
            (format!("{}/{}", scenario.name, held.metric), Count::bytes(held.value))
        };
        return Ok(samples.summaries().iter().map(named).collect());
    }
    // The environment lies on the stack, and where that begins moves counts by a thousandth.
    let mut valgrind = Command::new("valgrind");
    valgrind
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| name == "PATH"))
        .args(["--tool=callgrind", "--quiet", "--compress-strings=no", "--compress-pos=no"])
        .arg(format!("--toggle-collect={}", scenarios::COUNTED))
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(program);
    let printed = output(valgrind, scenario)?;
    let operations = printed.trim().parse();
    let operations = operations.map_err(|_| format!("the process printed {printed:?}"))?;
    let profile = std::fs::read_to_string(&file)
        .map_err(|error| format!("Valgrind wrote no profile: {error}"))?;
    let functions = profile::functions(&profile)?;
    Ok(vec![(scenario.name.to_owned(), Count::instructions(&functions, operations)?)])
}

/// What a process prints that runs the scenario.
fn output(mut command: Command, scenario: &Scenario) -> Result<String, String> {
    let output = command
        .args([ARGUMENT, scenario.name])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot start {}: {error}", command.get_program().display()))?;
    if !output.status.success() {
        return Err(format!("the process failed: {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|error| error.to_string())
}

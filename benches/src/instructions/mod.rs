//! The gate on instruction counts: the command line of the binary `instructions`.
//!
//! What the hot paths cost is compared with the counts stored in `benches/instructions.txt`, per
//! operation and per function. Each scenario runs in a process of its own under
//! Valgrind's `callgrind`, which counts only within `scenarios::counted`, so that what a scenario
//! prepares and checks is outside. What the engine holds is compared as well, in bytes as the
//! allocator counts them, without Valgrind.
//!
//! Counts do not depend on what else the machine does: no map of the engine is seeded at random,
//! and Valgrind lays out memory the same way in every run. They do depend on the compiler, which is
//! why the baseline names it, and a little on the C library, whose allocator and copying count too.

mod baseline;
mod children;
mod compare;
mod profile;
mod scenarios;

use std::path::Path;
use std::process::{Command, ExitCode};

use crate::report::say;
use baseline::Baseline;
use compare::compare;

/// The stored counts.
const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.txt");

const HELP: &str = "\
Counts the instructions of the hot paths under Valgrind and the bytes held in memory, and compares
both with benches/instructions.txt. Fails where a count grew by more than 5 %.

usage: instructions [--only SCENARIO,…] [--update]

  --only      only these scenarios; `key` stands for all that begin with `key/`
  --update    writes the counts into the file instead of comparing";

/// Runs the command and says how it went: failure for a bad command line, a scenario that failed
/// or a count that grew.
pub fn main(arguments: &[String]) -> ExitCode {
    let done = match arguments {
        [child, scenario] if child == children::ARGUMENT => children::run_child(scenario),
        [help] if help == "--help" => {
            say(&format!("{HELP}\n"));
            Ok(true)
        }
        arguments => parse(arguments).and_then(|options| run(&options)),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("instructions: {problem}");
            ExitCode::from(2)
        }
    }
}

/// What the command line asks for.
#[derive(Debug, Default, PartialEq)]
struct Options {
    /// The scenarios asked for; empty for all.
    only: Vec<String>,
    /// Writes the baseline instead of comparing with it.
    update: bool,
}

impl Options {
    /// Whether a scenario or a count is asked for: its name, or the part of it before `/`.
    fn is_meant(&self, name: &str) -> bool {
        let group = name.split('/').next();
        let is_named = |only: &String| only == name || Some(only.as_str()) == group;
        self.only.is_empty() || self.only.iter().any(is_named)
    }
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options::default();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--update" => options.update = true,
            "--only" => {
                let names = arguments.next().ok_or("--only takes names")?;
                options.only = names.split(',').map(str::to_owned).collect();
            }
            other => return Err(format!("unknown argument {other}; see --help")),
        }
    }
    Ok(options)
}

/// Counts, and compares or writes the baseline; returns whether nothing grew.
fn run(options: &Options) -> Result<bool, String> {
    let toolchain = toolchain()?;
    let counts = children::count_all(|scenario| options.is_meant(scenario))?;
    let counted = Baseline { toolchain, counts };
    let path = Path::new(BASELINE);
    let stored = match std::fs::read_to_string(path) {
        Ok(text) => Baseline::parse(&text)?,
        Err(_) if options.update => Baseline::default(),
        Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
    };
    if options.update {
        let updated = if options.only.is_empty() { counted } else { stored.with(counted)? };
        std::fs::write(path, updated.to_string()).map_err(|error| error.to_string())?;
        say(&format!("wrote {}\n", path.display()));
        return Ok(true);
    }
    let comparison = compare(&stored, &counted, |name| options.is_meant(name));
    say(&comparison.to_string());
    Ok(comparison.passed())
}

/// The compiler on the path, which has built this binary too where `cargo run` starts it.
fn toolchain() -> Result<String, String> {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let output = Command::new(rustc).arg("-V").output();
    let output = output.map_err(|error| format!("cannot ask rustc for its version: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Options, parse};

    fn options(arguments: &[&str]) -> Result<Options, String> {
        parse(&arguments.iter().map(|&argument| argument.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_command_line_names_scenarios_and_groups() {
        let some = options(&["--only", "W4,key", "--update"]).expect("a good command line");
        assert!(some.update);
        assert!(some.is_meant("W4") && some.is_meant("key/encode"));
        assert!(!some.is_meant("W4b") && !some.is_meant("predicate"));
        assert!(options(&[]).expect("a good command line").is_meant("W4b"));
        assert!(options(&["--only"]).is_err());
        assert!(options(&["--upgrade"]).is_err());
    }
}

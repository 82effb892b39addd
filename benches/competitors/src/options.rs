//! Arguments.

use penstock_benches::command::values::{only, positive};
use penstock_benches::workloads::WORKLOADS;

use crate::engine::Engine;

const USAGE: &str = "\
Runs the workloads of BENCHMARKS.md on other engines and on Penstock, and prints what they cost.

USAGE: cargo run --release --manifest-path benches/competitors/Cargo.toml -- [OPTIONS]

  --engine NAMES      which engines, separated by commas: penstock, dd (differential-dataflow),
                      dbsp, zql (of @rocicorp/zero), tanstack (@tanstack/db); default: all
  --only NAMES        only these workloads, separated by commas; W5 stands for all of its sizes
  --repeats N         how many fresh processes each median is over (default 3)
  --time-limit S      seconds after which a process is ended and its workload reported as not
                      finished (default 300)
  --json              one line of JSON per metric, as `workloads --json` prints them
  --help              this text

Installs the npm packages into benches/competitors/node and builds the engines written in Rust, as
far as they are asked for. Processes run one after another. Times are CPU time of the process in
microseconds, per operation; in Node that includes compilation and garbage collection. The exit
code is 1 if a result's checksum is not the expected one or a process failed.

WORKLOADS
";

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub enum Parsed {
    /// The help.
    Help,
    /// A run.
    Run(Options),
}

/// What to run.
#[derive(Debug, PartialEq)]
pub struct Options {
    /// The engines, in the order of the columns.
    pub engines: Vec<Engine>,
    /// Names of workloads, in the order of the rows.
    pub workloads: Vec<&'static str>,
    /// How many processes a figure is over.
    pub repeats: usize,
    /// Seconds that a process may take.
    pub time_limit: u64,
    /// Whether lines of JSON are printed instead of a table.
    pub json: bool,
}

/// Reads the arguments.
///
/// # Errors
/// What is wrong with them.
pub fn parse(arguments: &[String]) -> Result<Parsed, String> {
    let mut options = Options {
        engines: Engine::ALL.into(),
        workloads: compared(),
        repeats: 3,
        time_limit: 300,
        json: false,
    };
    let mut arguments = arguments.iter().map(String::as_str);
    while let Some(argument) = arguments.next() {
        let mut value =
            || arguments.next().ok_or_else(|| format!("{argument} needs a value after it"));
        match argument {
            "--help" | "-h" => return Ok(Parsed::Help),
            "--json" => options.json = true,
            "--engine" => options.engines = engines(value()?)?,
            "--only" => options.workloads = only(value()?, &compared())?,
            "--repeats" => options.repeats = positive(argument, value()?)? as usize,
            "--time-limit" => options.time_limit = positive(argument, value()?)?.into(),
            unknown => return Err(format!("there is no option {unknown}")),
        }
    }
    Ok(Parsed::Run(options))
}

fn engines(names: &str) -> Result<Vec<Engine>, String> {
    let asked: Vec<&str> = names.split(',').map(str::trim).collect();
    for name in &asked {
        if !Engine::ALL.iter().any(|engine| engine.short_name() == *name) {
            let known: Vec<&str> = Engine::ALL.iter().map(|engine| engine.short_name()).collect();
            return Err(format!("there is no engine {name}; there are: {}", known.join(", ")));
        }
    }
    Ok(Engine::ALL.into_iter().filter(|engine| asked.contains(&engine.short_name())).collect())
}

/// The names of the workloads that are compared.
fn compared() -> Vec<&'static str> {
    WORKLOADS.iter().map(|workload| workload.name).collect()
}

/// The text of `--help`.
pub fn help() -> String {
    let names = compared();
    format!(
        "{USAGE}  {}\n  `workloads --help` of penstock-benches explains them.",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::{Options, Parsed, help, parse};
    use crate::engine::Engine;

    fn parsed(line: &str) -> Result<Parsed, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read() {
        let options = Options {
            engines: vec![Engine::Differential, Engine::Zql],
            workloads: vec!["W4", "W5q10", "W5q100", "W5q1000", "W5q10000"],
            repeats: 2,
            time_limit: 60,
            json: true,
        };
        let line = "--engine zql,dd --only w4,W5 --repeats 2 --time-limit 60 --json";
        assert_eq!(parsed(line), Ok(Parsed::Run(options)));
        assert_eq!(parsed("--only W4 --help"), Ok(Parsed::Help));
        assert!(help().contains("W4d100"));
    }

    #[test]
    fn mistakes_are_named() {
        let cases = [
            (
                "--engine sqlite",
                "there is no engine sqlite; there are: penstock, dd, dbsp, zql, tanstack",
            ),
            ("--repeats 0", "--repeats needs a number from 1 on, found 0"),
            ("--only", "--only needs a value after it"),
            ("--fast", "there is no option --fast"),
        ];
        for (line, problem) in cases {
            assert_eq!(parsed(line), Err(problem.to_owned()));
        }
        // The workloads of scale are Penstock's alone.
        let unknown = parsed("--only W4,X1000").expect_err("a workload that is not compared");
        assert!(
            unknown.starts_with("there is no workload X1000; there are: load, W0, "),
            "{unknown}"
        );
    }
}

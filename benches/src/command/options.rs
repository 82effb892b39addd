//! Arguments.

use std::fmt::Write as _;

use crate::setting::SourceKind;
use crate::workloads::{WORKLOADS, named};

const USAGE: &str = "\
Runs the workloads of BENCHMARKS.md and prints what they cost.

USAGE: workloads [OPTIONS]

  --source SOURCE     where the rows live: memory (default), sqlite (a file with a write-ahead log
                      in the folder for temporary files), sqlite-memory, or all
  --engine ENGINE     penstock (default), hand (the same work written by hand, without an engine;
                      for some workloads), or all
  --only NAMES        only these workloads, separated by commas; W5 stands for all of its sizes
  --repeats N         how many fresh processes each median is over (default 3)
  --scale K           K times the rows (default 1); checksums are compared at scale 1 only
  --json              one line of JSON per metric
  --help              this text

Over SQLite every run does the same work with SQLite alone beside ours, in turns:
  raw_cpu, raw_begin_cpu      the same writes, autocommitted and between BEGIN and COMMIT
  push_cpu, push_sql_cpu      ours: as whole rows, and as the same statements of SQL
  push_vs_raw, push_sql_vs_raw  ours over raw_cpu
  requery_cpu                 a write and the SELECT again, for up to 100 writes or one second
  select_cpu                  one SELECT for the same rows, related rows as JSON
  hydrate_vs_select           hydrate_warm_cpu over select_cpu
The result must be what that SELECT returns.

Times are CPU time of the process in microseconds, per operation, except push_p50 and push_p99,
which are wall time. The exit code is 1 if a result's checksum differs from the reference.

WORKLOADS
";

/// Who does the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    /// This library.
    Penstock,
    /// The hand-written baseline.
    Hand,
}

impl Engine {
    pub(super) fn name(self) -> &'static str {
        match self {
            Engine::Penstock => "penstock",
            Engine::Hand => "hand",
        }
    }
}

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Parsed {
    Help,
    Run(Options),
    Child(Child),
}

/// What to run.
#[derive(Debug, PartialEq)]
pub(super) struct Options {
    pub(super) sources: Vec<SourceKind>,
    pub(super) engines: Vec<Engine>,
    /// Names of workloads; all, if empty.
    pub(super) only: Vec<&'static str>,
    pub(super) repeats: usize,
    pub(super) scale: u32,
    pub(super) json: bool,
}

/// One run in a process of its own.
#[derive(Debug, PartialEq)]
pub(super) struct Child {
    pub(super) workload: String,
    pub(super) engine: Engine,
    pub(super) source: SourceKind,
    pub(super) scale: u32,
    /// Whether it measures memory instead of time.
    pub(super) bytes: bool,
}

impl Child {
    /// The arguments by which a process is told to be this one.
    pub(super) fn arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> =
            ["--child", &self.workload, "--engine", self.engine.name()].map(str::to_owned).into();
        arguments.extend(["--source", self.source.name(), "--scale"].map(str::to_owned));
        arguments.push(self.scale.to_string());
        if self.bytes {
            arguments.push("--bytes".to_owned());
        }
        arguments
    }
}

pub(super) fn parse(arguments: &[String]) -> Result<Parsed, String> {
    let mut options = Options {
        sources: vec![SourceKind::Memory],
        engines: vec![Engine::Penstock],
        only: Vec::new(),
        repeats: 3,
        scale: 1,
        json: false,
    };
    let (mut child, mut bytes) = (None, false);
    let mut arguments = arguments.iter().map(String::as_str);
    while let Some(argument) = arguments.next() {
        let mut value =
            || arguments.next().ok_or_else(|| format!("{argument} needs a value after it"));
        match argument {
            "--help" | "-h" => return Ok(Parsed::Help),
            "--json" => options.json = true,
            "--source" => options.sources = sources(value()?)?,
            "--engine" => options.engines = engines(value()?)?,
            "--only" => options.only = only(value()?)?,
            "--repeats" => options.repeats = positive(argument, value()?)? as usize,
            "--scale" => options.scale = positive(argument, value()?)?,
            "--child" => child = Some(value()?.to_owned()),
            "--bytes" => bytes = true,
            unknown => return Err(format!("there is no option {unknown}")),
        }
    }
    Ok(match (child, options.engines.as_slice(), options.sources.as_slice()) {
        (Some(workload), &[engine], &[source]) => {
            Parsed::Child(Child { workload, engine, source, scale: options.scale, bytes })
        }
        _ => Parsed::Run(options),
    })
}

fn sources(name: &str) -> Result<Vec<SourceKind>, String> {
    if name == "all" {
        return Ok(SourceKind::ALL.into());
    }
    match SourceKind::ALL.into_iter().find(|kind| kind.name() == name) {
        Some(kind) => Ok(vec![kind]),
        None => {
            Err(format!("there is no source {name}; there are: memory, sqlite, sqlite-memory, all"))
        }
    }
}

fn engines(name: &str) -> Result<Vec<Engine>, String> {
    match name {
        "penstock" => Ok(vec![Engine::Penstock]),
        "hand" => Ok(vec![Engine::Hand]),
        "all" => Ok(vec![Engine::Penstock, Engine::Hand]),
        other => Err(format!("there is no engine {other}; there are: penstock, hand, all")),
    }
}

fn only(names: &str) -> Result<Vec<&'static str>, String> {
    let mut found = Vec::new();
    for name in names.split(',').map(str::trim) {
        let workloads = named(name);
        if workloads.is_empty() {
            let known: Vec<&str> = WORKLOADS.iter().map(|workload| workload.name).collect();
            return Err(format!("there is no workload {name}; there are: {}", known.join(", ")));
        }
        found.extend(workloads.iter().map(|workload| workload.name));
    }
    Ok(found)
}

fn positive(option: &str, text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{option} needs a number from 1 on, found {text}")),
    }
}

/// The text of `--help`.
pub(super) fn help() -> String {
    const WIDTH: usize = 86;
    let mut help = USAGE.to_owned();
    for workload in WORKLOADS {
        let mut line = format!("  {:<10}", workload.name);
        for word in workload.about.split_whitespace() {
            if line.chars().count() + word.chars().count() + 1 > WIDTH + 12 {
                // Writing to a string does not fail.
                let _ = writeln!(help, "{}", line.trim_end());
                line = " ".repeat(12);
            }
            line.push_str(word);
            line.push(' ');
        }
        let _ = writeln!(help, "{}", line.trim_end());
    }
    help.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Child, Engine, Parsed, help, parse};
    use crate::setting::SourceKind;
    use crate::workloads::WORKLOADS;

    fn arguments(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn options_are_read() {
        let parsed = parse(&arguments(
            "--only w4,W5 --engine all --source all --repeats 2 --scale 10 --json",
        ));
        let Ok(Parsed::Run(options)) = parsed else { panic!("{parsed:?}") };
        assert_eq!(options.only, ["W4", "W5q10", "W5q100", "W5q1000", "W5q10000"]);
        assert_eq!(options.sources, SourceKind::ALL);
        assert_eq!(options.engines, [Engine::Penstock, Engine::Hand]);
        assert_eq!((options.repeats, options.scale, options.json), (2, 10, true));
    }

    #[test]
    fn a_child_is_told_all_it_needs() {
        for bytes in [false, true] {
            let (workload, source) = ("W7".to_owned(), SourceKind::SqliteFile);
            let child = Child { workload, engine: Engine::Penstock, source, scale: 3, bytes };
            assert_eq!(parse(&child.arguments()), Ok(Parsed::Child(child)));
        }
    }

    #[test]
    fn mistakes_are_named() {
        let cases = [
            (
                "--source postgres",
                "there is no source postgres; there are: memory, sqlite, sqlite-memory, all",
            ),
            ("--engine zql", "there is no engine zql; there are: penstock, hand, all"),
            ("--repeats 0", "--repeats needs a number from 1 on, found 0"),
            ("--scale", "--scale needs a value after it"),
            ("--fast", "there is no option --fast"),
        ];
        for (line, problem) in cases {
            assert_eq!(parse(&arguments(line)), Err(problem.to_owned()));
        }
        let unknown = parse(&arguments("--only W4,W44"));
        assert!(unknown.is_err_and(|problem| problem.starts_with("there is no workload W44;")));
    }

    #[test]
    fn help_explains_every_workload() {
        let help = help();
        for workload in WORKLOADS {
            let line = format!("\n  {:<10}", workload.name);
            assert!(help.contains(&line), "{} is missing", workload.name);
            assert!(!workload.about.is_empty());
        }
    }
}

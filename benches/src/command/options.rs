//! Arguments.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::values::{self, positive};
use crate::setting::{Scale, SourceKind};
use crate::workloads::{Workload, all};

const USAGE: &str = "\
Runs the workloads of BENCHMARKS.md and prints what they cost.

USAGE: workloads [OPTIONS]

  --source SOURCE     where the rows live: memory (default), sqlite (a file with a write-ahead log
                      in the folder for temporary files), sqlite-memory, or all
  --engine ENGINE     penstock (default), hand (the same work written by hand, without an engine;
                      for some workloads), or all
  --only NAMES        only these workloads, separated by commas; W5 stands for all of its sizes,
                      X for X1 to X100000. The default is W0 to W11 up to W5q10000; the others
                      are those of scale, over the memory source, some of which take minutes
  --repeats N         how many fresh processes each median is over (default 3)
  --scale K           K times the rows: 1 (default), 10, 0.1. The reference's checksums are those of
                      scale 1; otherwise results are compared with an evaluation from scratch,
                      and the name in the output has the scale after it (W4@10)
  --json              one line of JSON per metric
  --plots DIR         draws the curves of BENCHMARKS.md into a folder, a file of SVG for each, after
                      the runs that they need (of all of them, or of those in --only)
  --lines FILE        with --plots: nothing is run, the values are those in lines of JSON
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
which are wall time. requery_cpu over the memory source is all live queries evaluated again, once;
resident_peak is the most memory that the process ever had, with the generated data. The exit
code is 1 if a result's checksum differs from the reference.

WORKLOADS
";

/// The width of the text of `--help`, and where what a workload does begins.
const WIDTH: usize = 98;
const INDENT: usize = 12;

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
    /// Draw the curves into a folder, from the lines in a file or else from runs.
    Plots(Options, PathBuf, Option<PathBuf>),
    Child(Child),
}

/// What to run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Options {
    pub(super) sources: Vec<SourceKind>,
    pub(super) engines: Vec<Engine>,
    /// Names of workloads; all, if empty.
    pub(super) only: Vec<&'static str>,
    pub(super) repeats: usize,
    pub(super) scale: Scale,
    pub(super) json: bool,
}

/// One run in a process of its own.
#[derive(Debug, PartialEq)]
pub(super) struct Child {
    pub(super) workload: String,
    pub(super) engine: Engine,
    pub(super) source: SourceKind,
    pub(super) scale: Scale,
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
        scale: Scale::ONE,
        json: false,
    };
    let (mut child, mut bytes) = (None, false);
    let (mut plots, mut lines) = (None, None);
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
            "--scale" => options.scale = scale(value()?)?,
            "--plots" => plots = Some(PathBuf::from(value()?)),
            "--lines" => lines = Some(PathBuf::from(value()?)),
            "--child" => child = Some(value()?.to_owned()),
            "--bytes" => bytes = true,
            unknown => return Err(format!("there is no option {unknown}")),
        }
    }
    Ok(match (child, options.engines.as_slice(), options.sources.as_slice()) {
        (Some(workload), &[engine], &[source]) => {
            Parsed::Child(Child { workload, engine, source, scale: options.scale, bytes })
        }
        _ => match (plots, lines) {
            (Some(folder), lines) => Parsed::Plots(options, folder, lines),
            (None, Some(_)) => return Err("--lines needs --plots".to_owned()),
            (None, None) => Parsed::Run(options),
        },
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
    values::only(names, &all().map(|workload| workload.name).collect::<Vec<_>>())
}

fn scale(text: &str) -> Result<Scale, String> {
    let problem = || format!("--scale needs a whole number or 0.1 to 0.9, found {text}");
    Scale::parse(text).ok_or_else(problem)
}

/// The text of `--help`: every workload with what it does; a family once, with all its names.
pub(super) fn help() -> String {
    let mut help = USAGE.to_owned();
    let workloads: Vec<&Workload> = all().collect();
    for family in workloads.chunk_by(|one, next| one.about == next.about) {
        let names: Vec<&str> = family.iter().map(|workload| workload.name).collect();
        let mut line = format!("  {:<10}", names.join(", "));
        if family.len() > 1 {
            // Writing to a string does not fail.
            let _ = writeln!(help, "{}", line.trim_end());
            line = " ".repeat(INDENT);
        }
        for word in family[0].about.split_whitespace() {
            if line.chars().count() + word.chars().count() + 1 > WIDTH {
                let _ = writeln!(help, "{}", line.trim_end());
                line = " ".repeat(INDENT);
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
    use crate::setting::{Scale, SourceKind};
    use crate::workloads::all;

    fn arguments(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn options_are_read() {
        let parsed = parse(&arguments(
            "--only w4,Tc --engine all --source all --repeats 2 --scale 10 --json",
        ));
        let Ok(Parsed::Run(options)) = parsed else { panic!("{parsed:?}") };
        assert_eq!(options.only, ["W4", "Tc10", "Tc100", "Tc1000", "Tc10000"]);
        assert_eq!(options.sources, SourceKind::ALL);
        assert_eq!(options.engines, [Engine::Penstock, Engine::Hand]);
        assert_eq!((options.repeats, options.scale.factor(), options.json), (2, 10.0, true));
    }

    #[test]
    fn a_child_is_told_all_it_needs() {
        for bytes in [false, true] {
            let (workload, source) = ("W7".to_owned(), SourceKind::SqliteFile);
            let scale = Scale::parse("0.3").expect("a scale");
            let child = Child { workload, engine: Engine::Penstock, source, scale, bytes };
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
            ("--lines figures.jsonl", "--lines needs --plots"),
            ("--scale 0.05", "--scale needs a whole number or 0.1 to 0.9, found 0.05"),
            ("--scale 0", "--scale needs a whole number or 0.1 to 0.9, found 0"),
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
        for workload in all() {
            let is_named = |line: &str| {
                let names = line.strip_prefix("  ").filter(|line| !line.starts_with(' '));
                names.is_some_and(|names| names.split([',', ' ']).any(|name| name == workload.name))
            };
            assert!(help.lines().any(is_named), "{} is missing", workload.name);
            assert!(!workload.about.is_empty());
        }
    }
}

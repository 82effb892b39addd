//! The command line of the conformance runner.

use std::io::{self, Write};
use std::path::PathBuf;

use serde_json::json;

use super::cases::{self, Case};
use super::datasets::{Datasets, default_directory};
use super::run::{Options, Outcome, SourceKind, run};

/// Everything passed.
pub(crate) const PASSED: u8 = 0;
/// Some case failed.
pub(crate) const FAILED: u8 = 1;
/// The command line cannot be followed.
pub(crate) const BAD_USAGE: u8 = 2;

const HELP: &str = "\
Runs conformance cases and compares the results with what the cases expect.

usage: conformance FILE.jsonl… [options]

  --data DIR       where data sets are: DIR/schema.json or DIR/NAME/schema.json
                   (default: the data beside the repository, or the copy in it)
  --emit OUT       write a line {\"id\", \"initial\", \"after\"} with the results of each case
  --check-fresh    also compare every result with a fresh evaluation
  --source KIND    what holds the rows: memory (the default) or sqlite
  --help           show this

Exits with 0 if all cases pass, 1 if some fail, 2 if the command line cannot be followed.
";

#[derive(Debug, PartialEq)]
struct Arguments {
    files: Vec<PathBuf>,
    data: PathBuf,
    emit: Option<PathBuf>,
    options: Options,
}

/// Follows a command line (without the program's name); returns the exit status.
///
/// # Errors
/// A failing `out` or `err`.
pub(crate) fn main(
    arguments: impl IntoIterator<Item = String>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<u8> {
    let arguments = match parse(arguments) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            write!(out, "{HELP}")?;
            return Ok(PASSED);
        }
        Err(problem) => {
            writeln!(err, "{problem}; --help shows the usage")?;
            return Ok(BAD_USAGE);
        }
    };
    let mut cases = Vec::new();
    for file in &arguments.files {
        match cases::read_file(file) {
            Ok(read) => cases.extend(read),
            Err(problem) => {
                writeln!(err, "{problem}")?;
                return Ok(BAD_USAGE);
            }
        }
    }
    let mut emitted = match &arguments.emit {
        Some(path) => match std::fs::File::create(path) {
            Ok(file) => Some(io::BufWriter::new(file)),
            Err(error) => {
                writeln!(err, "cannot write {}: {error}", path.display())?;
                return Ok(BAD_USAGE);
            }
        },
        None => None,
    };
    let emitted = emitted.as_mut().map(|file| file as &mut dyn Write);
    let outcomes = run_all(&cases, arguments.data, arguments.options, emitted)?;
    report(&outcomes, out)
}

fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Option<Arguments>, String> {
    let mut parsed = Arguments {
        files: Vec::new(),
        data: default_directory(),
        emit: None,
        options: Options { source: SourceKind::Memory, check_fresh: false },
    };
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let mut value = |of: &str| arguments.next().ok_or(format!("{argument} needs {of}"));
        match argument.as_str() {
            "--help" | "-h" => return Ok(None),
            "--check-fresh" => parsed.options.check_fresh = true,
            "--data" => parsed.data = PathBuf::from(value("a directory")?),
            "--emit" => parsed.emit = Some(PathBuf::from(value("a file")?)),
            "--source" => match value("a kind of source")?.as_str() {
                "memory" => parsed.options.source = SourceKind::Memory,
                "sqlite" => parsed.options.source = SourceKind::Sqlite,
                other => {
                    return Err(format!("there is no source \"{other}\", only memory and sqlite"));
                }
            },
            option if option.starts_with('-') => return Err(format!("unknown option {option}")),
            file => parsed.files.push(PathBuf::from(file)),
        }
    }
    if parsed.files.is_empty() {
        return Err("no file with cases was named".to_owned());
    }
    Ok(Some(parsed))
}

fn run_all(
    cases: &[Case],
    data: PathBuf,
    options: Options,
    mut emitted: Option<&mut dyn Write>,
) -> io::Result<Vec<Outcome>> {
    let mut datasets = Datasets::new(data);
    let mut outcomes = Vec::with_capacity(cases.len());
    for case in cases {
        let mut outcome = run(case, &mut datasets, options);
        if let Some(emitted) = &mut emitted {
            let line = match &outcome.views {
                Some(views) => views.to_json(&outcome.id),
                None => json!({"id": outcome.id, "error": outcome.failure}),
            };
            writeln!(emitted, "{line}")?;
        }
        // What has been written down and compared need not be kept.
        outcome.views = None;
        outcomes.push(outcome);
    }
    if let Some(emitted) = emitted {
        emitted.flush()?;
    }
    Ok(outcomes)
}

fn report(outcomes: &[Outcome], out: &mut dyn Write) -> io::Result<u8> {
    let mut failed = 0;
    for outcome in outcomes {
        if let Some(failure) = &outcome.failure {
            failed += 1;
            writeln!(out, "FAIL {}: {failure}", outcome.id)?;
        }
    }
    writeln!(out, "{} passed, {failed} failed", outcomes.len() - failed)?;
    let unchecked = outcomes
        .iter()
        .filter(|outcome| !outcome.had_expectations && outcome.failure.is_none())
        .count();
    if unchecked > 0 {
        writeln!(out, "of those passed, {unchecked} ran without error but expect nothing")?;
    }
    Ok(if failed == 0 { PASSED } else { FAILED })
}

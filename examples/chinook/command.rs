//! The command line of the example.

use std::io::{self, Write};
use std::path::PathBuf;

use super::run::{Options, run};
use super::show::Style;
use super::store::default_directory;

/// Everything went well.
pub(crate) const DONE: u8 = 0;
/// Something failed, or with `--check` was not equal.
pub(crate) const FAILED: u8 = 1;
/// The command line cannot be followed.
pub(crate) const BAD_USAGE: u8 = 2;

const HELP: &str = "\
A music store with live queries: shows some results, then makes purchases and
edits and shows what each of them changes.

usage: chinook [options]

  --steps N    how many transactions to make (default: 12)
  --check      compare every result after every step with a fresh evaluation
  --quiet      print only the summary
  --explain    show at the end what the first query is made of and has done
  --data DIR   where the tables are, as <table>.jsonl
               (default: the data beside the repository, or the copy in it)
  --help       show this

Exits with 0, with 1 if something fails or differs, with 2 if the command line
cannot be followed.
";

/// Follows a command line (without the program's name); returns the exit status.
///
/// # Errors
/// A failing `out` or `err`.
pub(crate) fn main(
    arguments: impl IntoIterator<Item = String>,
    colour: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<u8> {
    let status = match parse(arguments, colour) {
        Ok(Some(options)) => match run(&options, out) {
            Ok(()) => DONE,
            Err(error) => {
                out.flush()?;
                writeln!(err, "{error}")?;
                FAILED
            }
        },
        Ok(None) => {
            write!(out, "{HELP}")?;
            DONE
        }
        Err(problem) => {
            writeln!(err, "{problem}; --help shows the usage")?;
            BAD_USAGE
        }
    };
    out.flush()?;
    Ok(status)
}

fn parse(
    arguments: impl IntoIterator<Item = String>,
    colour: bool,
) -> Result<Option<Options>, String> {
    let mut options = Options {
        data: default_directory(),
        steps: 12,
        check: false,
        quiet: false,
        explain: false,
        style: Style { colour },
    };
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let mut value = |of: &str| arguments.next().ok_or(format!("{argument} needs {of}"));
        match argument.as_str() {
            "--help" | "-h" => return Ok(None),
            "--check" => options.check = true,
            "--quiet" => options.quiet = true,
            "--explain" => options.explain = true,
            "--data" => options.data = PathBuf::from(value("a directory")?),
            "--steps" => {
                let steps = value("a number")?;
                options.steps =
                    steps.parse().map_err(|_| format!("--steps needs a number, not {steps:?}"))?;
            }
            other => return Err(format!("unknown option {other}")),
        }
    }
    Ok(Some(options))
}

//! The command line of the example.

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::store::{self, Scratch};
use super::views::Views;
use super::{script, terminal};

/// Everything went well.
pub(crate) const DONE: u8 = 0;
/// Something failed, or with `--check` was not equal.
pub(crate) const FAILED: u8 = 1;
/// The command line cannot be followed.
pub(crate) const BAD_USAGE: u8 = 2;

const HELP: &str = "\
A task list over an SQLite file, with live queries in two panes. Other processes
may write to the file; the panes follow.

usage: tasks [options] [FILE]

  FILE         the database file; made with some tasks where there is none
               (default: a temporary file, removed at the end)
  --script     make some edits, print what each changes, and end; so it does
               where there is no terminal (also: --plain)
  --check      with --script: compare every result after every edit with a
               fresh one
  --help       show this

Exits with 0, with 1 if something fails or differs, with 2 if the command line
cannot be followed.
";

struct Options {
    file: Option<PathBuf>,
    script: bool,
    check: bool,
}

/// Follows a command line (without the program's name); returns the exit status.
///
/// # Errors
/// A failing `out` or `err`.
pub(crate) fn main(
    arguments: impl IntoIterator<Item = String>,
    is_terminal: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<u8> {
    let status = match parse(arguments) {
        Ok(Some(options)) => match run(&options, is_terminal, out) {
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

fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options { file: None, script: false, check: false };
    for argument in arguments {
        match argument.as_str() {
            "--help" | "-h" => return Ok(None),
            "--script" | "--plain" => options.script = true,
            "--check" => (options.script, options.check) = (true, true),
            option if option.starts_with('-') => return Err(format!("unknown option {option}")),
            file if options.file.is_none() => options.file = Some(PathBuf::from(file)),
            file => return Err(format!("one file is enough, and {file} is another")),
        }
    }
    Ok(Some(options))
}

fn run(options: &Options, is_terminal: bool, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let scratch;
    let file: &Path = match &options.file {
        Some(file) => file,
        None => {
            scratch = Scratch::new();
            scratch.path()
        }
    };
    let db = store::open(file)?;
    let mut views = Views::new(&db)?;
    if is_terminal && !options.script {
        terminal::run(file, &db, &mut views)
    } else {
        script::run(file, &db, &mut views, options.check, out)
    }
}

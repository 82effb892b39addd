//! The command-line tool for Postgres: live queries over a running database, and everything around them.
//!
//! | module | what it does |
//! |---|---|
//! | `command` | the command line, and what `--help` says |
//! | `source` | which database, which tables, by which names on the server |
//! | `backup` | copies of a replica in use |
//! | `copy` | a copy of the tables, its speed and its sums |
//! | `serve`, `replica` | sync clients, served from the copy, and how that stands |
//! | `watch` | a result and its changes, as they come |
//! | `http`, `metrics` | health and metrics, while it watches |
//! | `retained` | a warning when the server keeps much of its log |
//! | `failure` | what goes wrong, as one clear message and an exit code |

mod backup;
mod command;
mod copy;
mod failure;
mod http;
mod metrics;
mod replica;
mod retained;
mod serve;
mod source;
mod watch;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let run = || {
        let arguments = command::arguments(std::env::args_os().collect())?;
        // Prints help, or what is wrong with the command line, and ends the process with 0 or 2.
        command::Arguments::parse_from(arguments).run()
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

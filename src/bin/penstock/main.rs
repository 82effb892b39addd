//! The command-line tool: live queries over an SQLite file from a terminal.
//!
//! | module | what it does |
//! |---|---|
//! | `command` | the command line, and what `--help` says |
//! | `session` | opening files and subscribing |
//! | `watch` | a result and its changes, as they come |
//! | `explain`, `tables` | what a query is made of; what a file holds |
//! | `screen`, `layout` | what a full screen shows, without a terminal |
//! | `terminal` | the full screen on a terminal |
//! | `failure` | what goes wrong, as one clear message and an exit code |

mod command;
mod explain;
mod failure;
mod layout;
mod screen;
mod session;
mod tables;
mod terminal;
mod watch;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // Prints help, or what is wrong with the command line, and ends the process with 0 or 2.
    let command = command::Arguments::parse();
    match command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

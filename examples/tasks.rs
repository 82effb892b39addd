//! A task list over an SQLite file: `cargo run --release --example tasks [FILE]`.
//!
//! Two panes of live queries side by side: open tasks with their notes, and counts by project. Keys
//! change tasks; any other process may write to the file too, and the panes follow. Without a
//! terminal, or with `--script`, it makes some edits and prints what each changes; `--check`
//! compares every result after every edit with a fresh one. `--help` shows the rest.

#[path = "tasks/mod.rs"]
mod tasks;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

fn main() -> io::Result<ExitCode> {
    let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    let arguments = std::env::args().skip(1);
    let mut out = io::BufWriter::new(io::stdout());
    let status = tasks::command::main(arguments, terminal, &mut out, &mut io::stderr())?;
    Ok(ExitCode::from(status))
}

//! A music store with live queries over real data: `cargo run --release --example chinook`.
//!
//! Prints a handful of results, then makes purchases and edits and shows what each changes.
//! `--check` compares every result after every step with a fresh evaluation; `--help` shows the
//! other options.

#[path = "chinook/mod.rs"]
mod chinook;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

fn main() -> io::Result<ExitCode> {
    let wants_colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let colour = wants_colour && io::stdout().is_terminal();
    let arguments = std::env::args().skip(1);
    let mut out = io::BufWriter::new(io::stdout());
    let status = chinook::command::main(arguments, colour, &mut out, &mut io::stderr())?;
    Ok(ExitCode::from(status))
}

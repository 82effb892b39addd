//! Runs conformance cases: `cargo run --release --example conformance -- FILE.jsonl…`.
//!
//! `--help` shows the options.

#[path = "support/conformance/mod.rs"]
mod conformance;

use std::io;
use std::process::ExitCode;

fn main() -> io::Result<ExitCode> {
    let arguments = std::env::args().skip(1);
    let status = conformance::command::main(arguments, &mut io::stdout(), &mut io::stderr())?;
    Ok(ExitCode::from(status))
}

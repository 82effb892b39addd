//! An issue tracker whose pages follow each other live: `cargo run --release --example sync-server`.
//!
//! It needs nothing: it makes a small SQLite database in a temporary folder, serves it, and prints the
//! address of a web page. The page holds two clients that know nothing of each other. What one edits, the
//! other shows; what the database refuses is rolled back; a trickle of writes by another process's means
//! can be turned on. `--help` shows the options.

mod tracker;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = std::env::args().skip(1);
    tracker::command::main(arguments, &mut std::io::stdout(), &mut std::io::stderr())
}

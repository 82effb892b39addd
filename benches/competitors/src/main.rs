//! Runs the workloads on other engines and on Penstock, and prints what they cost.

use std::process::ExitCode;

use penstock_benches::report::say;
use penstock_competitors::options::{self, Parsed};
use penstock_competitors::run;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match options::parse(&arguments) {
        Ok(Parsed::Help) => {
            say(&format!("{}\n", options::help()));
            ExitCode::SUCCESS
        }
        Ok(Parsed::Run(options)) => run::run(&options),
        Err(problem) => {
            eprintln!("penstock-competitors: {problem}\nSee --help.");
            ExitCode::from(2)
        }
    }
}

//! The load generator: see `sync-load --help`.

use std::io::BufReader;
use std::process::ExitCode;

use penstock_benches::report::{say, short};
use penstock_sync_workloads::load::options::{Options, USAGE, parse};
use penstock_sync_workloads::load::remote::serve;
use penstock_sync_workloads::load::run_alone;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match parse(&arguments) {
        Ok(None) => {
            say(&format!("{USAGE}\n"));
            Ok(())
        }
        Ok(Some(options)) if options.control => {
            serve(options, BufReader::new(std::io::stdin()), std::io::stdout())
        }
        Ok(Some(options)) => alone(options),
        Err(problem) => {
            eprintln!("sync-load: {problem}\nSee sync-load --help.");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("sync-load: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn alone(options: Options) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let tasks = tokio::task::LocalSet::new();
    for (metric, value, unit) in tasks.block_on(&runtime, run_alone(options))? {
        let value = short(value);
        say(&format!("{{\"metric\":\"{metric}\",\"value\":{value},\"unit\":\"{unit}\"}}\n"));
    }
    Ok(())
}

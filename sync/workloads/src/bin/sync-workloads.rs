//! The workloads of the sync server: see `sync-workloads --help`.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use penstock_benches::report::{Origin, Samples, say};
use penstock_postgres_workloads::target;
use penstock_sync_workloads::database::Source;
use penstock_sync_workloads::run::measure;
use penstock_sync_workloads::subject::Programs;
use penstock_sync_workloads::workloads::{WORKLOADS, Workload};

const USAGE: &str = "\
Measures what it costs to serve clients. It starts its own databases, the sync server as it is delivered,
and the load generator. All three programs must be built, optimised:

  cargo build --release -p penstock-sync -p penstock-sync-workloads
  target/release/sync-workloads

USAGE: sync-workloads [OPTIONS]

  --only NAMES        only these workloads, separated by commas
  --repeats N         over how many runs, each with a database and a server of its own, a median is
                      (default 1)
  --source SOURCE     postgres (default), or sqlite: a file that the driver writes and the server follows
  --json              one line of JSON per figure
  --help              this text

METRICS
  start_to_ready      µs from starting the server until it is ready, all tables copied; start_cpu µs of
                      its processor time for it
  first_client        µs from connecting until five queries are complete; next_client the same for
                      others after it
  reconnect           µs from connecting with a cookie until all is known to be up to date
  lag_*               µs from sending an UPDATE to the end of the poke in the client's hands, *_p50,
                      *_p99 and *_max over all writes and clients; S2n*: to the callback of a view
  sustained_rate      writes/s, the highest that held for 6 s: 99 of 100 arrivals within 0.5 s, all within
                      2 s; found by doubling and halving
  server_cpu          µs of the server's processor time per write, all threads; load_cpu that of the
                      load generator; idle_cpu µs/s while nobody writes
  pokes               pokes per write that a client received: below 1 where several came as one
  pss*                B of the server's memory, pages shared with others counted in part
  rows_proved         how many rows were compared at the end

Every write is a transaction. Commits wait for the disk but for S3*. At the end, what every client holds
must be what its queries give by the database's own SELECTs; otherwise there are no figures, and the exit
code is 1. Processor times are counted by the system in hundredths of a second.

WORKLOADS
";

/// What to run.
struct Options {
    workloads: Vec<&'static Workload>,
    repeats: usize,
    source: Source,
    json: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match parse(&arguments) {
        Ok(None) => {
            say(&format!("{}\n", help()));
            Ok(())
        }
        Ok(Some(options)) => all(&options),
        Err(problem) => {
            eprintln!("sync-workloads: {problem}\nSee sync-workloads --help.");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("sync-workloads: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// The programs, beside this one.
fn programs() -> Result<Programs, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let beside = |name: &str| {
        let path: PathBuf = own.with_file_name(name);
        let hint =
            "build it with `cargo build --release -p penstock-sync -p penstock-sync-workloads`";
        if path.exists() { Ok(path) } else { Err(format!("{} is missing; {hint}", path.display())) }
    };
    Ok(Programs {
        postgres: beside("penstock-postgres-sync")?,
        sqlite: beside("penstock-sqlite-sync")?,
        load: Some(beside("sync-load")?),
    })
}

fn all(options: &Options) -> Result<(), String> {
    let programs = programs()?;
    let mut failed = Vec::new();
    for workload in &options.workloads {
        let mut samples = Samples::default();
        let measured = (0..options.repeats).try_for_each(|_| {
            samples.add(&measure(&programs, options.source, workload)?.to_lines())
        });
        match measured {
            Ok(()) => print(options, workload, &samples),
            Err(problem) => {
                eprintln!("sync-workloads: {}: {problem}", workload.name);
                failed.push(workload.name);
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", "))) }
}

fn print(options: &Options, workload: &Workload, samples: &Samples) {
    let source = options.source.name();
    let origin = Origin { engine: "penstock-sync", source, workload: workload.name };
    for summary in samples.summaries() {
        let line = match options.json {
            true => origin.json(&summary),
            false => target::line(workload.name, workload.targets, &summary),
        };
        say(&format!("{line}\n"));
    }
}

fn parse(arguments: &[String]) -> Result<Option<Options>, String> {
    let workloads = WORKLOADS.iter().collect();
    let mut options = Options { workloads, repeats: 1, source: Source::Postgres, json: false };
    let mut rest = arguments.iter();
    while let Some(option) = rest.next() {
        let mut value = || rest.next().ok_or_else(|| format!("{option} needs a value"));
        match option.as_str() {
            "--help" | "-h" => return Ok(None),
            "--json" => options.json = true,
            "--only" => {
                options.workloads = value()?.split(',').map(named).collect::<Result<_, _>>()?;
            }
            "--repeats" => {
                let number = value()?;
                let repeats = number.parse().ok().filter(|number| *number > 0);
                options.repeats = repeats
                    .ok_or_else(|| format!("--repeats needs a number from 1 on, found {number}"))?;
            }
            "--source" => options.source = source(value()?)?,
            other => return Err(format!("unknown option {other}")),
        }
    }
    Ok(Some(options))
}

fn source(text: &str) -> Result<Source, String> {
    let all = [Source::Postgres, Source::Sqlite];
    let found = all.into_iter().find(|source| source.name() == text);
    found.ok_or_else(|| format!("--source is postgres or sqlite, found {text}"))
}

fn named(name: &str) -> Result<&'static Workload, String> {
    let found = WORKLOADS.iter().find(|workload| workload.name == name.trim());
    found.ok_or_else(|| {
        let names: Vec<&str> = WORKLOADS.iter().map(|workload| workload.name).collect();
        format!("there is no workload {name}; there are: {}", names.join(", "))
    })
}

fn help() -> String {
    let mut text = USAGE.to_owned();
    for workload in &WORKLOADS {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {:<10} {}", workload.name, workload.about);
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Option<Options>, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn what_is_wrong_is_named() {
        let problem = |line: &str| parsed(line).err().unwrap_or_default();
        assert!(problem("--only S1,S9").starts_with("there is no workload S9; there are: S1, S1m"));
        assert_eq!(problem("--repeats 0"), "--repeats needs a number from 1 on, found 0");
        assert_eq!(problem("--source x"), "--source is postgres or sqlite, found x");
        assert_eq!(problem("--faster"), "unknown option --faster");
    }

    #[test]
    fn the_help_names_every_workload() {
        let help = help();
        assert!(WORKLOADS.iter().all(|workload| help.contains(workload.about)));
    }
}

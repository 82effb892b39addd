//! Serves an SQLite database to sync clients.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{CommandFactory, Parser};
use penstock::{Database, SqliteOptions};
use penstock_sync::config_file::with_config_file;
use penstock_sync::options::AppOptions;
use penstock_sync::rules::SharedRules;
use penstock_sync::server::AlwaysReady;
use penstock_sync::serving::ServeOptions;
use penstock_sync::writes::Writer;
use penstock_sync::writes::sqlite::SqliteWriter;

/// Serve live queries over an SQLite database to sync clients
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The database
    file: PathBuf,
    #[command(flatten)]
    serve: ServeOptions,
    #[command(flatten)]
    app: AppOptions,
}

fn main() -> ExitCode {
    let arguments = with_config_file(std::env::args_os(), &Arguments::command());
    match arguments.and_then(|arguments| run(&Arguments::parse_from(arguments))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("penstock-sqlite-sync: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let database = Database::open_with(SqliteOptions::new(&arguments.file).change_log(true))
        .map_err(|error| text(&error))?;
    let _following = database.follow(Duration::from_millis(20)).map_err(|error| text(&error))?;
    let rules = SharedRules::new(arguments.app.read_rules()?);
    rules.get().check(&database).map_err(|error| text(&error))?;
    let mut backend = arguments.app.backend()?;
    let writer =
        SqliteWriter::new(database.clone(), rules.clone()).map_err(|error| text(&error))?;
    let tables = writer.bookkeeping();
    backend.writer = Some(Arc::new(writer));
    let health = Arc::new(AlwaysReady);
    let server = arguments.serve.start(database, backend, rules, tables, health)?;
    println!("listening on http://{}", server.address());
    let (stop, stopped) = std::sync::mpsc::channel();
    // The receiver is there until the process ends.
    ctrlc::set_handler(move || stop.send(()).unwrap_or_default()).map_err(|error| text(&error))?;
    let _ = stopped.recv();
    server.stop(Duration::from_secs(5));
    Ok(())
}

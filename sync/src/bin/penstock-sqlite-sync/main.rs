//! Serves an SQLite database to sync clients.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand};
use penstock::{Database, SqliteOptions};
use penstock_sync::backup::copy_for_people;
use penstock_sync::config_file::with_config_file;
use penstock_sync::logging;
use penstock_sync::options::AppOptions;
use penstock_sync::rules::SharedRules;
use penstock_sync::server::AlwaysReady;
use penstock_sync::serving::{NOT_IN_TIME, ServeOptions};
use penstock_sync::stop::Stop;
use penstock_sync::writes::Writer;
use penstock_sync::writes::sqlite::SqliteWriter;

/// How often what others have written is looked for.
const FOLLOW_PAUSE: Duration = Duration::from_millis(20);
/// How often it is looked whether all is well.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// Serve live queries over an SQLite database to sync clients
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// The database
    #[arg(required = true)]
    file: Option<PathBuf>,
    #[command(flatten)]
    serve: ServeOptions,
    #[command(flatten)]
    app: AppOptions,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Copy a database, and what is kept of clients, while a server is running
    Backup(Backup),
}

/// What `backup` is told.
#[derive(Debug, Args)]
struct Backup {
    /// The database
    file: PathBuf,
    /// The folder for the copies, which keep their names; made if it is not there
    to: PathBuf,
    /// The file in which client groups are kept
    #[arg(long, env = "PENSTOCK_STATE", value_name = "FILE")]
    state: Option<PathBuf>,
}

fn main() -> ExitCode {
    let given: Vec<OsString> = std::env::args_os().collect();
    let arguments = match given.get(1).is_some_and(|first| first == "backup") {
        true => Ok(given),
        false => with_config_file(given, &Arguments::command()),
    };
    match arguments.and_then(|arguments| run(&Arguments::parse_from(arguments))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            match logging::is_started() {
                true => tracing::error!("{problem}"),
                false => eprintln!("penstock-sqlite-sync: {problem}"),
            }
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    if let Some(Command::Backup(backup)) = &arguments.command {
        return back_up(backup);
    }
    let file =
        arguments.file.as_ref().ok_or("there is no file to serve; --help shows the usage")?;
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let sending = arguments.serve.log.start()?;
    let stop = Stop::on_signals()?;
    let database = Database::open_with(SqliteOptions::new(file).change_log(true))
        .map_err(|error| text(&error))?;
    let following = database.follow(FOLLOW_PAUSE).map_err(|error| text(&error))?;
    let rules = SharedRules::new(arguments.app.read_rules()?);
    rules.get().check(&database).map_err(|error| text(&error))?;
    let mut backend = arguments.app.backend()?;
    let writer =
        SqliteWriter::new(database.clone(), rules.clone()).map_err(|error| text(&error))?;
    let tables = writer.bookkeeping();
    backend.writer = Some(Arc::new(writer));
    let health = Arc::new(AlwaysReady);
    let server = arguments.serve.start(database, backend, rules, tables, health)?;
    sending.metrics_of(&server);
    println!("listening on http://{}", server.address());
    let mut said = None;
    while !stop.is_asked() {
        if server.has_ended() {
            return Err("clients cannot be served any more; start it again".to_owned());
        }
        let error = following.last_error().map(|error| error.to_string());
        if error != said {
            if let Some(error) = &error {
                tracing::warn!(error, "what others write could not be followed");
            }
            said = error;
        }
        std::thread::sleep(LOOK_PAUSE);
    }
    match server.stop(arguments.serve.patience()) {
        true => Ok(()),
        false => Err(NOT_IN_TIME.to_owned()),
    }
}

fn back_up(backup: &Backup) -> Result<(), String> {
    // What is kept of clients first: what they were told later than this, they are told again.
    for file in backup.state.iter().chain([&backup.file]) {
        copy_for_people(file, &backup.to)?;
    }
    Ok(())
}

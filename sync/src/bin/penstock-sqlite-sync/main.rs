//! Serves an SQLite database to sync clients.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use penstock::{Database, SqliteOptions};
use penstock_sync::hub::{self, Limits};
use penstock_sync::options::{AppOptions, InspectOptions};
use penstock_sync::protocol::cookie::Tag;
use penstock_sync::rules::SharedRules;
use penstock_sync::server::{self, AlwaysReady, Server};
use penstock_sync::store::SqliteStore;
use penstock_sync::writes::Writer;
use penstock_sync::writes::sqlite::SqliteWriter;

/// Serve live queries over an SQLite database to sync clients
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The database
    file: PathBuf,
    /// The port to listen on
    #[arg(long, env = "ZERO_PORT", default_value_t = 4848)]
    port: u16,
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    host: std::net::IpAddr,
    /// Where client groups are kept; else in memory
    #[arg(long)]
    state: Option<PathBuf>,
    #[command(flatten)]
    app: AppOptions,
    #[command(flatten)]
    inspect: InspectOptions,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
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
    let store = match &arguments.state {
        Some(path) => SqliteStore::open(path)?,
        None => SqliteStore::in_memory()?,
    };
    let now = server::now();
    let rules = SharedRules::new(arguments.app.read_rules()?);
    rules.get().check(&database).map_err(|error| text(&error))?;
    let mut backend = arguments.app.backend()?;
    let writer =
        SqliteWriter::new(database.clone(), rules.clone()).map_err(|error| text(&error))?;
    let tables = writer.bookkeeping();
    backend.writer = Some(Arc::new(writer));
    let hub = hub::Options {
        limits: Limits::default(),
        read_rules: Box::new(move |ast, claims| rules.get().read(ast, claims)),
        bookkeeping: Some(hub::Bookkeeping {
            clients_table: tables.clients_table,
            mutations_table: tables.mutations_table,
        }),
        has_query_endpoint: backend.queries.is_some(),
        linger_ms: 10_000,
        retransform_ms: 300_000,
        tag: Tag(now.unix_ms as u32),
        store: Some(Box::new(store)),
    };
    let server = Server::start(server::Options {
        listen: SocketAddr::new(arguments.host, arguments.port),
        database,
        hub,
        services: Arc::new(backend),
        limits: server::Limits::default(),
        health: Arc::new(AlwaysReady),
        inspect: arguments.inspect.inspect(),
        pages: Vec::new(),
    })
    .map_err(|error| text(&error))?;
    println!("listening on http://{}", server.address());
    let (stop, stopped) = std::sync::mpsc::channel();
    // The receiver is there until the process ends.
    ctrlc::set_handler(move || stop.send(()).unwrap_or_default()).map_err(|error| text(&error))?;
    let _ = stopped.recv();
    server.stop(Duration::from_secs(5));
    Ok(())
}

//! Options, and the server from its start to its end.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use penstock::{Database, Following, SqliteOptions};
use penstock_sync::hub;
use penstock_sync::protocol::cookie::Tag;
use penstock_sync::server::{self, AlwaysReady, Inspect, Page, Server};
use penstock_sync::store::{Retention, SqliteStore};

use super::backend::{self, Parts};
use super::check;
use super::data::Data;
use super::trickle::Trickle;

/// What browsers are given.
const PAGES: [Page; 5] = [
    Page::text("/", include_str!("../pages/index.html")),
    Page::text("/app.css", include_str!("../pages/app.css")),
    Page::text("/app.js", include_str!("../pages/app.js")),
    Page::text("/pane.js", include_str!("../pages/pane.js")),
    Page::text("/client.js", include_str!("../pages/client.js")),
];

/// An issue tracker whose pages follow each other live
#[derive(Debug, Parser)]
#[command(name = "sync-server")]
struct Arguments {
    /// The port to listen on, at this machine only; 0 for any
    #[arg(long, default_value_t = 4848)]
    port: u16,
    /// Write this many times a second from the start, 0 to 200; the page can change it
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=200))]
    trickle: u32,
    /// See whether an edit of one client arrives at another, and end
    #[arg(long)]
    check: bool,
}

/// Runs the example.
pub(crate) fn main(
    arguments: impl Iterator<Item = String>,
    out: &mut dyn Write,
    errors: &mut dyn Write,
) -> ExitCode {
    let name = std::iter::once("sync-server".to_owned());
    let arguments = match Arguments::try_parse_from(name.chain(arguments)) {
        Ok(arguments) => arguments,
        Err(problem) => {
            let to: &mut dyn Write = if problem.use_stderr() { errors } else { out };
            // Nobody reads it.
            let _ = write!(to, "{problem}");
            return ExitCode::from(u8::try_from(problem.exit_code()).unwrap_or(2));
        }
    };
    match run(&arguments, out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            // Nobody reads it.
            let _ = writeln!(errors, "sync-server: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let port = if arguments.check { 0 } else { arguments.port };
    let tracker = Tracker::start(port, arguments.trickle)?;
    let address = tracker.address();
    if arguments.check {
        let seen = check::run(address)?;
        tracker.stop();
        return writeln!(out, "{seen}").map_err(|error| text(&error));
    }
    writeln!(
        out,
        "Open http://{address}/ in a browser: two panes, two clients, one database.\n\
         What the server does is at http://{address}/inspect. Other programs may write to\n\
         {} as well. End it with Ctrl-C.",
        tracker.path().display()
    )
    .and_then(|()| out.flush())
    .map_err(|error| text(&error))?;
    let (stop, stopped) = std::sync::mpsc::channel();
    // The receiver is there until the process ends.
    ctrlc::set_handler(move || stop.send(()).unwrap_or_default()).map_err(|error| text(&error))?;
    let _ = stopped.recv();
    tracker.stop();
    Ok(())
}

/// The example while it runs. What it holds ends in this order.
pub(crate) struct Tracker {
    server: Server,
    trickle: Trickle,
    following: Following,
    data: Data,
}

impl Tracker {
    /// Makes the database and serves it at a port of this machine.
    ///
    /// # Errors
    /// A port that is taken, or a folder that cannot be written to; for people.
    pub(crate) fn start(port: u16, trickle: u32) -> Result<Tracker, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let data = Data::new()?;
        let database = Database::open_with(SqliteOptions::new(data.path()).change_log(true))
            .map_err(|error| text(&error))?;
        let Parts { backend, bookkeeping, read_rules } = backend::parts(&database)?;
        if trickle > 0 {
            let sql = "UPDATE trickle SET per_second = ?1";
            let set = database.transaction(|tx| tx.execute(sql, [i64::from(trickle)]));
            set.map_err(|error| text(&error))?;
        }
        // What the trickle writes comes from outside of this database.
        let following = database.follow(Duration::from_millis(5)).map_err(|error| text(&error))?;
        let trickle = Trickle::start(&database, data.path())?;
        let options = server::Options {
            listen: SocketAddr::from(([127, 0, 0, 1], port)),
            database,
            hub: hub::Options {
                limits: hub::Limits::default(),
                read_rules,
                is_internal: Box::new(penstock_sync::writes::sqlite::is_internal),
                bookkeeping: Some(bookkeeping),
                has_query_endpoint: false,
                linger_ms: 10_000,
                retransform_ms: 300_000,
                steps: hub::Steps::default(),
                tag: Tag(server::now().unix_ms as u32),
                store: Some(Box::new(SqliteStore::in_memory(Retention::default())?)),
            },
            services: Arc::new(backend),
            limits: server::Limits::default(),
            health: Arc::new(AlwaysReady),
            inspect: Inspect::Local,
            pages: PAGES.to_vec(),
        };
        let server = Server::start(options).map_err(|error| text(&error))?;
        Ok(Tracker { server, trickle, following, data })
    }

    /// Where it listens.
    #[must_use]
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Where its database is.
    #[must_use]
    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.data.path()
    }

    /// Ends it, and removes its database.
    pub(crate) fn stop(self) {
        let Tracker { server, trickle, following, data } = self;
        drop(trickle);
        server.stop(Duration::from_secs(2));
        drop((following, data));
    }
}

//! The command line, and what `--help` says.

use std::ffi::OsString;
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand};
use penstock::tool::param::{Param, duration, param};
use penstock_sync::config_file::with_config_file;
use penstock_sync::options::AppOptions;
use penstock_sync::serving::ServeOptions;

use crate::failure::Failure;
use crate::source::Source;
use crate::{backup, copy, serve, watch};

const EXAMPLES: &str = "\
Examples:
  penstock-postgres-sync postgres://app@localhost/app --replica app.db --rules rules.json
      serves sync clients at port 4848; the same as penstock-postgres-sync serve …
  penstock-postgres-sync doctor postgres://app@localhost/app
      what is missing on the server, and the SQL that mends it
  penstock-postgres-sync watch postgres://app@localhost/app \\
      \"SELECT * FROM task WHERE NOT done ORDER BY due LIMIT 20\" --temporary
      the result, and every change to it until Ctrl-C; leaves nothing behind
  penstock-postgres-sync watch $URL \"SELECT owner, count(*) FROM task GROUP BY owner\" \\
      --replica app.db --table task --json
      keeps its copy in a file and goes on from there the next time
  penstock-postgres-sync copy $URL --replica app.db --verify
      copies the tables, and compares sums of both sides
  penstock-postgres-sync tear-down $URL
      removes the slot and the publication from the server

The server must have wal_level = logical; doctor says what else is needed.

Exit codes: 0 done, or ended by Ctrl-C, or the reader of the output has gone; 1 the server, the
replica or the query is at fault, the watched result ended, or sums differ; 2 the command line
cannot be followed; 3 doctor has found problems.";

const PARAMETERS: &str = "\
Parameters: a query may hold ?, ?1, :name, @name or $name. Give each a value with --param:
  --param 7            the next number, so the first such is ?1
  --param 2=open       ?2
  --param owner=7      :owner, @owner or $owner

SQL is that of SQLite. Tables of the schema public have their own names, others are
\"schema.table\". Dates and times are milliseconds since 1970, arrays and composites are JSON.";

/// Live queries over a running Postgres: its tables are copied, kept by its replication stream, and
/// queried in the copy.
#[derive(Debug, Parser)]
#[command(name = "penstock-postgres-sync", version, after_help = EXAMPLES)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const SERVING: &str = "\
Clients are those of @rocicorp/zero, with server: 'http://HOST:PORT'. Named queries and mutators are
the application's (--query-url, --mutate-url); ad-hoc queries and CRUD need rules (--rules), or
--allow-all while developing. Options may also stand in a TOML file (--config FILE), by their long
names. ZERO_UPSTREAM_DB and ZERO_REPLICA_FILE are taken for URL and --replica where nothing else is said.

/healthz, /readyz and /metrics are answered at the same port.";

const COPIES: &str = "\
A server that is given the copies as --replica and --state goes on from where they are: clients get what
they miss. It needs the log of the database from there on. With --copy-slot the database keeps that for
it, as long as the slot is there (start the server with --slot NAME; if the copy is of no use any more, run
SELECT pg_drop_replication_slot('NAME')). Without, the tables are copied again if the slot has moved on
by then, and clients still get only what they miss.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve sync clients over WebSockets until Ctrl-C
    #[command(after_help = SERVING)]
    Serve(Box<Serve>),
    /// Print the result of a query, and then every change to it until Ctrl-C
    #[command(after_help = PARAMETERS)]
    Watch(Watch),
    /// Look at everything that the server must have, and say what is missing; changes nothing
    Doctor(Doctor),
    /// Copy the tables, and end
    Copy(Copy),
    /// Copy a replica, and what is kept of clients, while a server is running
    #[command(after_help = COPIES)]
    Backup(Backup),
    /// Remove from the server what was made for this: slot, publication, event triggers
    TearDown(TearDown),
}

/// What `serve` is told.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) serve: ServeOptions,
    /// How far the copy may be behind before /readyz says so, in seconds
    #[arg(long, env = "PENSTOCK_MAX_LAG", default_value_t = 60.0, value_name = "S")]
    #[arg(value_parser = seconds)]
    pub(crate) max_lag: f64,
    #[command(flatten)]
    pub(crate) app: AppOptions,
}

/// A number of seconds.
fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds > 0.0);
    seconds.ok_or_else(|| format!("\"{text}\" is no number of seconds above 0"))
}

/// The command line, as it is meant: a URL, or nothing but `ZERO_UPSTREAM_DB`, is to be served; with what
/// a file of options adds.
///
/// # Errors
/// A file of options that cannot be read.
pub(crate) fn arguments(mut given: Vec<OsString>) -> Result<Vec<OsString>, Failure> {
    let first = given.get(1).and_then(|first| first.to_str()).unwrap_or_default();
    let names_a_server = first.starts_with("postgres://") || first.starts_with("postgresql://");
    let upstream = std::env::var_os("ZERO_UPSTREAM_DB");
    if names_a_server || (given.len() <= 1 && upstream.is_some()) {
        given.insert(1, "serve".into());
    }
    if given.get(1).is_none_or(|command| command != "serve") {
        return Ok(given);
    }
    let has_url =
        given.get(2).and_then(|url| url.to_str()).is_some_and(|url| !url.starts_with('-'));
    if let Some(upstream) = upstream
        && !has_url
        && std::env::var_os("DATABASE_URL").is_none()
    {
        given.insert(2, upstream);
    }
    let of_serve =
        |given: &OsString| given.to_str().is_some_and(|given| given.starts_with("--replica"));
    if let Some(file) = std::env::var_os("ZERO_REPLICA_FILE")
        && !given.iter().any(of_serve)
        && std::env::var_os("PENSTOCK_REPLICA").is_none()
    {
        given.extend(["--replica".into(), file]);
    }
    let command = Arguments::command();
    let serve = command.find_subcommand("serve").expect("invariant: the command is declared above");
    with_config_file(given, serve).map_err(Failure::Usage)
}

/// What `watch` is told.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    #[command(flatten)]
    pub(crate) source: Source,
    /// The SELECT statement
    pub(crate) sql: String,
    /// A value for a parameter of the query; may be repeated
    #[arg(long = "param", short = 'p', value_name = "[NAME=]VALUE", value_parser = param)]
    #[arg(allow_hyphen_values = true)]
    pub(crate) params: Vec<Param>,
    /// Print one JSON object per line: {"result":[…]}, then {"changes":[…],"version":n}
    #[arg(long)]
    pub(crate) json: bool,
    /// Say on standard error how it stands: positions, lag, retained log, copies
    #[arg(long)]
    pub(crate) status: bool,
    /// Answer at http://ADDRESS: /healthz, /readyz, and /metrics for Prometheus
    #[arg(long, env = "PENSTOCK_HTTP", value_name = "ADDRESS")]
    pub(crate) http: Option<std::net::SocketAddr>,
    /// Warn when the server keeps more than this many megabytes of log for the slot
    #[arg(long, env = "PENSTOCK_RETAINED_WAL_WARN", value_name = "MB", default_value_t = 1024)]
    pub(crate) retained_wal_warn: u64,
    /// End after the first result
    #[arg(long, conflicts_with_all = ["limit_changes", "for"])]
    pub(crate) once: bool,
    /// End after this many transactions that changed the result
    #[arg(long, value_name = "N")]
    pub(crate) limit_changes: Option<u64>,
    /// End after this time
    #[arg(long = "for", id = "for", value_name = "DURATION", value_parser = duration)]
    pub(crate) lasting: Option<Duration>,
}

/// What `copy` is told.
#[derive(Debug, Args)]
pub(crate) struct Copy {
    #[command(flatten)]
    pub(crate) source: Source,
    /// Read the tables again, on both sides, and compare their sums
    #[arg(long)]
    pub(crate) verify: bool,
}

/// What `backup` is told.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The folder for the copies, which keep their names; made if it is not there
    pub(crate) to: std::path::PathBuf,
    /// The replica
    #[arg(long, env = "PENSTOCK_REPLICA", value_name = "FILE")]
    pub(crate) replica: std::path::PathBuf,
    /// The file in which client groups are kept
    #[arg(long, env = "PENSTOCK_STATE", value_name = "FILE")]
    pub(crate) state: Option<std::path::PathBuf>,
    /// Make a slot of this name on the server, with which the copy goes on
    #[arg(long, value_name = "NAME")]
    pub(crate) copy_slot: Option<String>,
    /// The database that is followed, for --copy-slot
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) url: Option<String>,
}

/// What `doctor` is told.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    source: Source,
}

/// What `tear-down` is told.
#[derive(Debug, Args)]
pub(crate) struct TearDown {
    #[command(flatten)]
    source: Source,
}

impl Arguments {
    /// Does what the command line says.
    ///
    /// # Errors
    /// What went wrong, with its exit code.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        match &self.command {
            Command::Serve(serve) => serve::run(serve),
            Command::Watch(watch) => watch::run(watch),
            Command::Copy(copy) => copy::run(copy),
            Command::Backup(backup) => backup::run(backup),
            Command::Doctor(doctor) => {
                let (config, setup) = doctor.source.setup()?;
                let report = penstock_postgres::follow::doctor(&config, &setup);
                let report = report.map_err(|error| Failure::Source(error.to_string()))?;
                println!("{report}");
                if report.is_ready() { Ok(()) } else { Err(Failure::Problems) }
            }
            Command::TearDown(tear_down) => {
                let (config, setup) = tear_down.source.setup()?;
                let removed = penstock_postgres::follow::tear_down(&config, &setup);
                let removed = removed.map_err(|error| Failure::Source(error.to_string()))?;
                removed.iter().for_each(|what| println!("removed {what}"));
                if removed.is_empty() {
                    println!("there was nothing to remove");
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn help_answers() {
        let mut command = Arguments::command();
        let help = command.render_help().to_string();
        for part in ["--verify", "tear-down", "Exit codes: 0", "wal_level = logical"] {
            assert!(help.contains(part), "{part} is missing in\n{help}");
        }
        let watch = command.find_subcommand_mut("watch").expect("watch");
        let help = watch.render_help().to_string();
        for part in [
            "--temporary",
            "--replica <FILE>",
            "--slot <NAME>",
            "[env: DATABASE_URL",
            ":owner",
            "/healthz",
        ] {
            assert!(help.contains(part), "{part} is missing in\n{help}");
        }
    }
}

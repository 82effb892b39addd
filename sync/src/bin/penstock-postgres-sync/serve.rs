//! Serves sync clients from a running Postgres.

use std::sync::Arc;
use std::time::Duration;

use penstock::Query;
use penstock_postgres::follow::{Follower, Phase, StatusReader};
use penstock_sync::rules::{Rules, SharedRules};
use penstock_sync::server::Health;
use penstock_sync::writes::Writer;
use penstock_sync::writes::postgres::{PostgresWriter, SESSIONS, bookkeeping_tables, set_up};
use serde_json::Value as Json;

use crate::command::Serve;
use crate::failure::Failure;
use crate::http::described;
use crate::stop::Stop;
use crate::{copy, metrics};

/// How often it is looked whether all is well.
const LOOK_PAUSE: Duration = Duration::from_millis(100);
/// How long clients may take to be sent away.
const END_PATIENCE: Duration = Duration::from_secs(10);

/// How following stands, as the server tells it.
struct Replica(StatusReader);

impl Health for Replica {
    fn is_well(&self) -> bool {
        !matches!(self.0.get().phase, Phase::Failed(_) | Phase::Stopped)
    }

    fn is_ready(&self) -> bool {
        self.0.get().phase == Phase::Streaming
    }

    fn describe(&self) -> Json {
        described(&self.0.get())
    }

    fn metrics(&self) -> String {
        metrics::render(&self.0.get())
    }
}

/// Serves until told to end.
///
/// # Errors
/// A server, replica or option that is at fault.
pub(crate) fn run(options: &Serve) -> Result<(), Failure> {
    let usage = |problem: String| Failure::Usage(problem);
    let source = |problem: &dyn std::fmt::Display| Failure::Source(problem.to_string());
    let stop = Stop::on_ctrl_c()?;
    let app = options.app.app().map_err(usage)?;
    let mut backend = options.app.backend().map_err(usage)?;
    let given = options.app.read_rules().map_err(usage)?;
    let (config, _) = options.source.setup()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| source(&error))?;
    runtime.block_on(async {
        let session = config.connect().await.map_err(|error| source(&error))?;
        set_up(&session, &app).await.map_err(|error| {
            source(&format!("cannot make the tables in which mutations are accounted for: {error}"))
        })
    })?;
    let following = options.source.follow_also(&bookkeeping_tables(&app))?;
    let follower = following.follower();
    copy::wait(follower, &stop)?;
    let database = follower.database();
    let rules = SharedRules::new(given);
    rules.get().check(&database).map_err(|error| usage(error.to_string()))?;
    let has_own_rules = options.app.rules.is_some() || options.app.allow_all;
    let deployed = if has_own_rules { None } else { deployed_rules(follower, app.id(), &rules) };
    let setup = following.setup().clone();
    let writer = PostgresWriter::new(app, config, setup, database.clone(), rules.clone(), SESSIONS);
    let tables = writer.bookkeeping();
    backend.writer = Some(Arc::new(writer));
    let health = Arc::new(Replica(follower.status_reader()));
    let server = options.serve.start(database, backend, rules, tables, health).map_err(usage)?;
    println!("listening on http://{}", server.address());
    let mut said = None;
    let outcome = loop {
        if stop.is_asked() {
            break Ok(());
        }
        let status = follower.status();
        if let Phase::Failed(reason) = status.phase {
            break Err(Failure::Source(reason));
        }
        if status.last_error != said {
            if let Some(error) = &status.last_error {
                eprintln!("penstock-postgres-sync: {error}");
            }
            said = status.last_error;
        }
        std::thread::sleep(LOOK_PAUSE);
    };
    drop(deployed);
    server.stop(END_PATIENCE);
    outcome
}

/// Follows the rules that are deployed into the database, as the application's own tool deploys them.
fn deployed_rules(
    follower: &Follower,
    app: &str,
    rules: &SharedRules,
) -> Option<penstock::Subscription> {
    let query = Query::table(format!("{app}.permissions"));
    let mut live = match follower.database().subscribe(query) {
        Ok(live) => live,
        Err(error) => {
            eprintln!("penstock-postgres-sync: no rules are followed: {error}");
            return None;
        }
    };
    let read = |rules: &SharedRules, json: Option<Json>| match json.as_ref().map(Rules::parse) {
        Some(Ok(read)) => drop(rules.set(read)),
        Some(Err(error)) => {
            eprintln!("penstock-postgres-sync: the deployed rules are not taken: {error}");
        }
        None => drop(rules.set(Rules::deny_all())),
    };
    let tree = live.rows();
    let permissions = |row: Option<&Json>| {
        let json = row?.get("permissions")?;
        (!json.is_null()).then(|| json.clone())
    };
    let now = tree.to_json().ok();
    let now = permissions(now.as_ref().and_then(|rows| rows.get(0)));
    if now.is_none() {
        eprintln!(
            "penstock-postgres-sync: no rules are deployed or given with --rules: ad-hoc queries see nothing"
        );
    }
    read(rules, now);
    let rules = rules.clone();
    live.on_change(move |patch| {
        let mut latest = None;
        for change in patch.changes() {
            let row = match change {
                penstock::Change::Insert { entry, .. } => Some(entry.row().to_json()),
                penstock::Change::Update { row, .. } | penstock::Change::Move { row, .. } => {
                    Some(row.to_json())
                }
                penstock::Change::Remove { .. } => None,
            };
            latest = permissions(row.as_ref());
        }
        read(&rules, latest);
    });
    Some(live)
}

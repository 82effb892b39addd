//! Serves sync clients from a running Postgres.

use std::sync::Arc;
use std::time::{Duration, Instant};

use penstock::{Query, Subscription};
use penstock_postgres::Lsn;
use penstock_postgres::connect::{Config, ServerError};
use penstock_postgres::follow::{Follower, Phase, Prepare, Status};
use penstock_sync::app::App;
use penstock_sync::rules::{Rules, SharedRules};
use penstock_sync::stop::Stop;
use penstock_sync::writes::Writer;
use penstock_sync::writes::postgres::{PostgresWriter, SESSIONS, bookkeeping_tables, set_up};
use serde_json::Value as Json;

use crate::command::Serve;
use crate::failure::Failure;
use crate::replica::Replica;

/// How often it is looked whether all is well.
const LOOK_PAUSE: Duration = Duration::from_millis(50);
/// How many transactions are told as one where they come faster than they can be told.
const TOGETHER: u64 = 256;
/// How often it is said how far a copy is.
const PROGRESS_PAUSE: Duration = Duration::from_secs(5);
/// How long a copy that is followed, and for which nothing has come since, may take to reach where the
/// server was, before it is served as it is.
const CATCH_UP_PATIENCE: Duration = Duration::from_secs(30);

/// Serves until told to end.
///
/// # Errors
/// A server, replica or option that is at fault.
pub(crate) fn run(options: &Serve) -> Result<(), Failure> {
    let usage = |problem: String| Failure::Usage(problem);
    let sending = options.serve.log.start().map_err(usage)?;
    let stop = Stop::on_signals().map_err(Failure::Source)?;
    let app = options.app.app().map_err(usage)?;
    let mut backend = options.app.backend().map_err(usage)?;
    let rules = SharedRules::new(options.app.read_rules().map_err(usage)?);
    let (config, _) = options.source.setup()?;
    let tables = bookkeeping_tables(&app);
    let following = options.source.follow_also(&tables, Some(prepare(app.clone())), TOGETHER)?;
    let follower = following.follower();
    let database = follower.database();
    let setup = following.setup().clone();
    let writer = PostgresWriter::new(
        app.clone(),
        config.clone(),
        setup,
        database.clone(),
        rules.clone(),
        SESSIONS,
    );
    let tables = writer.bookkeeping();
    backend.writer = Some(Arc::new(writer.measured(Arc::clone(&backend.measures))));
    let replica = Replica::new(follower.status_reader(), config.name(), options.max_lag);
    let health = Arc::new(replica.clone());
    let started = options.serve.start(database, backend, rules.clone(), tables, health);
    let server = started.map_err(usage)?;
    sending.metrics_of(&server);
    println!("listening on http://{}", server.address());
    let own_rules = options.app.rules.is_some() || options.app.allow_all;
    let mut watched = Watched { config, follower, said: Said::default() };
    // Clients that come before are told to come again, and /readyz says why.
    let outcome = watched.until_complete(&stop).and_then(|complete| {
        if !complete {
            return Ok(());
        }
        rules.get().check(&follower.database()).map_err(|error| usage(error.to_string()))?;
        let _deployed = if own_rules { None } else { deployed_rules(follower, app.id(), &rules) };
        replica.open();
        tracing::info!(position = %follower.status().applied, "clients are served");
        watched.until_stopped(&stop)
    });
    let in_order = server.stop(options.serve.patience());
    match outcome {
        Ok(()) if !in_order => Err(Failure::Source(penstock_sync::serving::NOT_IN_TIME.to_owned())),
        outcome => outcome,
    }
}

/// Makes the tables in which mutations are accounted for.
fn prepare(app: App) -> Prepare {
    Prepare::new(move |config: Config| {
        let app = app.clone();
        Box::pin(async move {
            let session = config.connect().await?;
            set_up(&session, &app).await.map_err(|error| {
                ServerError::new("making the tables in which mutations are accounted for", &error)
            })
        })
    })
}

/// Following, watched for the log.
struct Watched<'f> {
    config: Config,
    follower: &'f Follower,
    said: Said,
}

/// What the log has said of it last.
#[derive(Default)]
struct Said {
    phase: Option<Phase>,
    error: Option<String>,
    stream_error: Option<String>,
    refused: usize,
    progress_at: Option<Instant>,
}

impl Watched<'_> {
    /// Waits until all that was on the server at a moment since the start is here; `false` if it is to
    /// end before.
    fn until_complete(&mut self, stop: &Stop) -> Result<bool, Failure> {
        let mut target: Option<(Lsn, Instant)> = None;
        loop {
            if stop.is_asked() {
                return Ok(false);
            }
            let status = self.look()?;
            let is_streaming = status.phase == Phase::Streaming;
            match target {
                None if is_streaming => {
                    // Clients may have seen what was committed until now. Should it not be known how far
                    // that is, the connection has broken, and it is asked again.
                    target = server_position(&self.config).map(|position| (position, now()));
                }
                Some((position, since)) if is_streaming => {
                    let is_here = status.stream.as_ref().is_some_and(|stream| {
                        status.applied >= position
                            || stream.received >= position && stream.lag_ms == 0
                    });
                    if is_here {
                        return Ok(true);
                    }
                    let waits = status.stream.as_ref().is_some_and(|stream| stream.lag_ms > 0);
                    if !waits && now().duration_since(since) > CATCH_UP_PATIENCE {
                        tracing::warn!(applied = %status.applied, server = %position, "the copy is behind");
                        return Ok(true);
                    }
                }
                _ => {}
            }
            std::thread::sleep(LOOK_PAUSE);
        }
    }

    fn until_stopped(&mut self, stop: &Stop) -> Result<(), Failure> {
        while !stop.is_asked() {
            self.look()?;
            std::thread::sleep(LOOK_PAUSE);
        }
        Ok(())
    }

    /// Says what has changed.
    fn look(&mut self) -> Result<Status, Failure> {
        let (status, said) = (self.follower.status(), &mut self.said);
        if let Phase::Failed(reason) = status.phase {
            return Err(Failure::Source(reason));
        }
        let position = status.applied.to_string();
        if status.last_error != said.error {
            if let Some(error) = &status.last_error {
                tracing::warn!(position, error, "following was interrupted");
            }
            said.error.clone_from(&status.last_error);
        }
        let stream_error = status.stream.as_ref().and_then(|stream| stream.last_error.clone());
        if stream_error != said.stream_error {
            if let Some(error) = &stream_error {
                tracing::warn!(position, error, "the stream was interrupted");
            }
            said.stream_error = stream_error;
        }
        for (table, reason) in status.refused.iter().skip(said.refused) {
            tracing::warn!(%table, reason, "a table is left out");
        }
        said.refused = status.refused.len();
        if said.phase.as_ref() != Some(&status.phase) {
            let phase = crate::metrics::phase(&status.phase);
            tracing::info!(phase, position, server = self.config.name(), "following");
            said.phase = Some(status.phase.clone());
        }
        let is_due = said.progress_at.is_none_or(|at| now().duration_since(at) > PROGRESS_PAUSE);
        if status.phase == Phase::Copying && is_due {
            tracing::info!("{}", status.copy);
            said.progress_at = Some(now());
        }
        Ok(status)
    }
}

/// Where the server's log ends now.
fn server_position(config: &Config) -> Option<Lsn> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let sql = "SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() \
               ELSE pg_current_wal_flush_lsn() END)::text";
    runtime.block_on(async {
        let session = config.connect().await.ok()?;
        let row = session.query_one(sql, &[]).await.ok()?;
        row.get::<_, Option<String>>(0)?.parse().ok()
    })
}

/// Follows the rules that are deployed into the database, as the application's own tool deploys them.
fn deployed_rules(follower: &Follower, app: &str, rules: &SharedRules) -> Option<Subscription> {
    let query = Query::table(format!("{app}.permissions"));
    let mut live = match follower.database().subscribe(query) {
        Ok(live) => live,
        Err(error) => {
            tracing::error!(%error, "no rules are followed");
            return None;
        }
    };
    let read = |rules: &SharedRules, json: Option<Json>| match json.as_ref().map(Rules::parse) {
        Some(Ok(read)) => {
            tracing::info!("the deployed rules are taken");
            rules.set(read);
        }
        Some(Err(error)) => tracing::error!(%error, "the deployed rules are not taken"),
        None => {
            rules.set(Rules::deny_all());
        }
    };
    let permissions = |row: Option<&Json>| {
        let json = row?.get("permissions")?;
        (!json.is_null()).then(|| json.clone())
    };
    let followed = rules.clone();
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
        read(&followed, latest);
    });
    // What is deployed meanwhile may be told before this has taken what was there.
    let mut now = live.rows().to_json().ok();
    loop {
        let deployed = permissions(now.as_ref().and_then(|rows| rows.get(0)));
        if deployed.is_none() {
            tracing::warn!(
                "no rules are deployed or given with --rules: ad-hoc queries see nothing"
            );
        }
        read(rules, deployed);
        let then = live.rows().to_json().ok();
        if then == now {
            break;
        }
        now = then;
    }
    Some(live)
}

/// The time, for pauses only.
#[expect(clippy::disallowed_methods, reason = "a tool that waits may look at the time")]
fn now() -> Instant {
    Instant::now()
}

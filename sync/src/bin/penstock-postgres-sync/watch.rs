//! A result and its changes, as they come.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use penstock::tool::param::params;
use penstock::tool::{json, plain};
use penstock::{Error, Patch, Subscription, Tree};
use penstock_postgres::follow::{Follower, Phase};
use penstock_sync::stop::Stop;

use crate::command::Watch;
use crate::copy;
use crate::failure::Failure;
use crate::http::Http;
use crate::retained::Retained;

/// How long to wait for a change before looking whether all is well.
const LOOK_PAUSE: Duration = Duration::from_millis(100);
/// How often the status is said.
const STATUS_PAUSE: Duration = Duration::from_secs(1);

/// Prints the result and then every change.
///
/// # Errors
/// A server, replica or query that is at fault, a result that ended, or a failing output.
pub(crate) fn run(options: &Watch) -> Result<(), Failure> {
    let params = params(&options.params).map_err(Failure::Usage)?;
    let stop = Stop::on_signals().map_err(Failure::Source)?;
    let following = options.source.follow()?;
    let follower = following.follower();
    let _http = options
        .http
        .map(|at| {
            let server = options.source.setup()?.0.name();
            Http::serve(at, follower.status_reader(), server)
        })
        .transpose()?;
    copy::wait(follower, &stop)?;
    let mut live = follower.database().subscribe_sql(&options.sql, params)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    // A change between the two calls would otherwise be in the result and follow it again.
    let tree = live.resync()?;
    result(options, &mut out, &tree)?;
    if options.once {
        return Ok(());
    }
    changes(options, &mut out, &mut live, follower, &stop)
}

/// Prints the changes until told to end.
fn changes(
    options: &Watch,
    out: &mut dyn Write,
    live: &mut Subscription,
    follower: &Follower,
    stop: &Stop,
) -> Result<(), Failure> {
    let end = options.lasting.map(|lasting| now() + lasting);
    let mut left = options.limit_changes.unwrap_or(u64::MAX);
    let (mut said, mut status_at) = (follower.status().last_error, now());
    let mut retained = Retained::new(options.retained_wal_warn);
    while left > 0 && !stop.is_asked() {
        let wait = end.map_or(LOOK_PAUSE, |end| end.saturating_duration_since(now()));
        live.wait(wait.min(LOOK_PAUSE));
        for change in live.changes().take(usize::try_from(left).unwrap_or(usize::MAX)) {
            patch(options, out, &change)?;
            left -= 1;
        }
        out.flush()?;
        if let Err(error @ Error::SchemaChanged { .. }) = live.status() {
            return Err(error.into());
        }
        let status = follower.status();
        if options.status && now() >= status_at {
            eprintln!("{status}");
            status_at = now() + STATUS_PAUSE;
        }
        if let Some(warning) = retained.warning(&status) {
            eprintln!("penstock-postgres-sync: {warning}");
        }
        if let Phase::Failed(reason) = status.phase {
            return Err(Failure::Source(reason));
        }
        if status.last_error != said {
            if let Some(error) = &status.last_error {
                eprintln!("penstock-postgres-sync: {error}");
            }
            said = status.last_error;
        }
        if end.is_some_and(|end| now() >= end) {
            break;
        }
    }
    Ok(())
}

fn result(options: &Watch, out: &mut dyn Write, tree: &Tree) -> io::Result<()> {
    if options.json {
        json::result(out, tree)?;
    } else {
        plain::result(out, tree)?;
    }
    out.flush()
}

fn patch(options: &Watch, out: &mut dyn Write, patch: &Patch) -> io::Result<()> {
    if options.json { json::patch(out, patch) } else { plain::patch(out, patch) }
}

/// The time.
#[expect(clippy::disallowed_methods, reason = "a tool that watches may look at the time")]
fn now() -> Instant {
    Instant::now()
}

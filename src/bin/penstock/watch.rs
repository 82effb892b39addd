//! A result and its changes, as they come.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use penstock::{Error, Following, Patch, Subscription, Tree};

use crate::command::Watch;
use crate::failure::Failure;
use crate::{session, terminal};
use penstock::tool::{json, plain};

/// How long to wait for a change before looking whether all is well.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// Prints the result and then every change.
///
/// # Errors
/// A file or query that is at fault, a result that ended, or a failing output.
pub(crate) fn run(options: &Watch) -> Result<(), Failure> {
    if options.table && !(io::stdout().is_terminal() && io::stdin().is_terminal()) {
        let advice = "print the changes with --json or without options instead";
        return Err(Failure::Usage(format!("--table needs a terminal; {advice}")));
    }
    let db = session::open(&options.query.file)?;
    let mut live = session::subscribe(&db, &options.query)?;
    let failed = |reason: String| Failure::File { file: options.query.file.clone(), reason };
    let follow = || db.follow(options.interval).map_err(|error| failed(error.to_string()));
    if options.table {
        return terminal::run(options, &mut live, &follow()?);
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    // A change between the two calls would otherwise be in the result and follow it again.
    let tree = live.resync().map_err(|error| failed(error.to_string()))?;
    result(options, &mut out, &tree)?;
    if options.once {
        return Ok(());
    }
    follow_changes(options, &mut out, &mut live, &follow()?)
}

/// Prints the changes until told to end.
fn follow_changes(
    options: &Watch,
    out: &mut dyn Write,
    live: &mut Subscription,
    following: &Following,
) -> Result<(), Failure> {
    let end = options.lasting.map(|lasting| now() + lasting);
    let mut left = options.limit_changes.unwrap_or(u64::MAX);
    let mut troubles = Troubles::default();
    while left > 0 {
        let wait = end.map_or(LOOK_INTERVAL, |end| end.saturating_duration_since(now()));
        live.wait(wait.min(LOOK_INTERVAL));
        for change in live.changes().take(usize::try_from(left).unwrap_or(usize::MAX)) {
            patch(options, out, &change)?;
            left -= 1;
        }
        out.flush()?;
        for trouble in troubles.look(options, live, following)? {
            eprintln!("penstock: {trouble}");
        }
        if end.is_some_and(|end| now() >= end) {
            break;
        }
    }
    Ok(())
}

fn result(options: &Watch, out: &mut dyn Write, tree: &Tree) -> io::Result<()> {
    if options.json {
        json::result(out, tree)?
    } else {
        plain::result(out, tree)?
    }
    out.flush()
}

fn patch(options: &Watch, out: &mut dyn Write, patch: &Patch) -> io::Result<()> {
    if options.json { json::patch(out, patch) } else { plain::patch(out, patch) }
}

/// The time.
#[expect(clippy::disallowed_methods, reason = "a tool that watches may look at the time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// What is wrong for a while, each said once.
#[derive(Default)]
pub(crate) struct Troubles {
    following: Option<Arc<Error>>,
    status: Option<String>,
}

impl Troubles {
    /// What is wrong that has not been said yet.
    ///
    /// # Errors
    /// A result that has ended.
    pub(crate) fn look(
        &mut self,
        options: &Watch,
        live: &Subscription,
        following: &Following,
    ) -> Result<Vec<String>, Failure> {
        let mut found = Vec::new();
        let status = match live.status() {
            Err(error @ Error::SchemaChanged { .. }) => {
                let sql = options.query.sql.clone();
                return Err(Failure::Query { sql, error: Box::new(error) });
            }
            status => status.err().map(|error| error.to_string()),
        };
        if status != self.status {
            found.extend(status.clone());
            self.status = status;
        }
        if let Some(error) = following.last_error() {
            if !self.following.as_ref().is_some_and(|said| Arc::ptr_eq(said, &error)) {
                let same = self.following.as_ref().map(ToString::to_string);
                if same.is_none_or(|same| same != error.to_string()) {
                    found.push(format!("{error}; trying again"));
                }
            }
            self.following = Some(error);
        }
        Ok(found)
    }
}

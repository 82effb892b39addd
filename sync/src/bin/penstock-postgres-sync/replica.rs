//! How following stands, as the server tells it, and when it may begin to serve.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use penstock_postgres::follow::{Phase, Status, StatusReader};
use penstock_postgres::stream::State;
use penstock_sync::hub::Committed;
use penstock_sync::measure::Exposition;
use penstock_sync::server::Health;
use serde_json::Value as Json;

use crate::http::described;
use crate::metrics;

/// A copy that is followed, and whether it is served.
#[derive(Clone)]
pub(crate) struct Replica {
    status: StatusReader,
    server: String,
    /// How far it may be behind, in milliseconds.
    lag_max_ms: u64,
    is_open: Arc<AtomicBool>,
}

impl Replica {
    /// One that is not served yet.
    pub(crate) fn new(status: StatusReader, server: String, lag_max_s: f64) -> Replica {
        let lag_max_ms = (lag_max_s * 1000.0) as u64;
        Replica { status, server, lag_max_ms, is_open: Arc::default() }
    }

    /// It may be served from now on.
    pub(crate) fn open(&self) {
        self.is_open.store(true, Ordering::Release);
    }

    /// Why the copy is not up to date.
    fn behind(&self, status: &Status) -> Option<String> {
        let server = &self.server;
        let error = status.last_error.as_ref().map_or(String::new(), |error| format!(": {error}"));
        match &status.phase {
            Phase::Connecting => return Some(format!("connecting to {server}{error}")),
            Phase::Copying => return Some(format!("copying {server}: {}", status.copy)),
            Phase::Stopped => return Some(format!("{server} is not followed any more")),
            Phase::Failed(reason) => return Some(format!("following has failed: {reason}")),
            Phase::Streaming => {}
        }
        let Some(stream) = &status.stream else { return None };
        if stream.state != State::Streaming {
            let error =
                stream.last_error.as_ref().map_or(String::new(), |error| format!(": {error}"));
            return Some(format!("the connection to {server} is broken{error}"));
        }
        (stream.lag_ms > self.lag_max_ms).then(|| {
            let (lag, most) = (stream.lag_ms as f64 / 1000.0, self.lag_max_ms as f64 / 1000.0);
            format!("the copy of {server} is {lag:.1} s behind, more than {most} s")
        })
    }
}

impl Health for Replica {
    fn is_well(&self) -> bool {
        !matches!(self.status.get().phase, Phase::Failed(_) | Phase::Stopped)
    }

    fn unready(&self) -> Option<String> {
        self.behind(&self.status.get())
    }

    fn unserved(&self) -> Option<String> {
        if self.is_open.load(Ordering::Acquire) {
            return None;
        }
        let catching_up = || format!("the copy of {} is being brought up to date", self.server);
        Some(self.behind(&self.status.get()).unwrap_or_else(catching_up))
    }

    fn describe(&self) -> Json {
        described(&self.status.get())
    }

    fn metrics(&self, into: &mut Exposition) {
        metrics::write(&self.status.get(), &self.server, into);
    }

    fn committing(&self) -> Option<Committed> {
        let commit = self.status.committing()?;
        Some(Committed { at_us: commit.at_us, position: commit.position })
    }
}

//! Health and metrics over HTTP: `/healthz`, `/readyz`, `/metrics`.
//!
//! `/healthz` is 503 once following has ended or given up; `/readyz` is 200 only while the stream is
//! applied, all tables being copied. Both answer with the status as JSON. It runs on a thread of its own,
//! so that a result which is slow to print does not hold it up.

use std::net::SocketAddr;
use std::thread::JoinHandle;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use penstock_postgres::follow::{Phase, Status, StatusReader};
use tokio::sync::oneshot;

use crate::failure::Failure;
use crate::metrics;

/// A server that answers until this is dropped.
#[derive(Debug)]
pub(crate) struct Http {
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Http {
    /// Answers at an address; says on standard error at which, since port 0 is any free one.
    ///
    /// # Errors
    /// An address that is taken, or not this machine's.
    pub(crate) fn serve(
        at: SocketAddr,
        status: StatusReader,
        server: String,
    ) -> Result<Http, Failure> {
        let failure = |error| Failure::Source(format!("cannot answer at http://{at}: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(failure)?;
        let listener = runtime.block_on(tokio::net::TcpListener::bind(at)).map_err(failure)?;
        let at = listener.local_addr().map_err(failure)?;
        eprintln!("penstock-postgres-sync: answering at http://{at}: /healthz /readyz /metrics");
        let (end, ended) = oneshot::channel();
        let serve = move || {
            let serving = axum::serve(listener, routes(Watched { status, server }))
                .with_graceful_shutdown(async {
                    // A sender that is gone ends it as well.
                    let _ = ended.await;
                });
            if let Err(error) = runtime.block_on(serving.into_future()) {
                eprintln!("penstock-postgres-sync: health and metrics have ended: {error}");
            }
        };
        let thread = std::thread::Builder::new().name("penstock-http".to_owned()).spawn(serve);
        Ok(Http { end: Some(end), thread: Some(thread.map_err(failure)?) })
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // A panic has been reported by the thread.
            let _ = thread.join();
        }
    }
}

/// What is watched, and of which server.
#[derive(Clone)]
struct Watched {
    status: StatusReader,
    server: String,
}

fn routes(watched: Watched) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(prometheus))
        .with_state(watched)
}

async fn healthz(State(watched): State<Watched>) -> Response {
    let status = watched.status.get();
    let is_well = !matches!(status.phase, Phase::Failed(_) | Phase::Stopped);
    answer(is_well, &status)
}

async fn readyz(State(watched): State<Watched>) -> Response {
    let status = watched.status.get();
    answer(status.phase == Phase::Streaming, &status)
}

async fn prometheus(State(watched): State<Watched>) -> Response {
    let version = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (version, metrics::render(&watched.status.get(), &watched.server)).into_response()
}

fn answer(is_well: bool, status: &Status) -> Response {
    let code = if is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let json = [(header::CONTENT_TYPE, "application/json")];
    (code, json, format!("{}\n", described(status))).into_response()
}

/// The status as JSON.
pub(crate) fn described(status: &Status) -> serde_json::Value {
    let stream = status.stream.as_ref();
    serde_json::json!({
        "phase": metrics::phase(&status.phase),
        "failure": match &status.phase {
            Phase::Failed(reason) => Some(reason),
            _ => None,
        },
        "applied": status.applied.to_string(),
        "received": stream.map(|stream| stream.received.to_string()),
        "server": stream.map(|stream| stream.server_end.to_string()),
        "lagBytes": stream.map(|stream| stream.lag_bytes()),
        "lagMs": stream.map(|stream| stream.lag_ms),
        "retainedWalBytes": stream.and_then(|stream| stream.retained_bytes()),
        "copy": (status.phase == Phase::Copying).then(|| status.copy.to_string()),
        "refused": status.refused.iter().map(|(table, why)| (table.to_string(), why)).collect::<Vec<_>>(),
        "lastError": status.last_error,
    })
}

//! Over HTTP: clients' upgrades, health, metrics, and what there is.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value as Json, json};
use tokio::sync::oneshot;

use super::hub_thread::Command;
use super::listen::Counted;
use super::{Shared, inspect, page, socket};
use crate::hub::Report;
use crate::protocol::connect::ConnectRequest;

/// Whether the data is there to be served.
pub trait Health: Send + Sync + 'static {
    /// Whether the process does what it is for; if not, it is to be started anew.
    fn is_well(&self) -> bool {
        true
    }

    /// Whether the data is up to date.
    fn is_ready(&self) -> bool {
        true
    }

    /// What there is to say of where the data comes from.
    fn describe(&self) -> Json {
        json!({})
    }

    /// Further metrics, in the text format of Prometheus.
    fn metrics(&self) -> String {
        String::new()
    }
}

/// Data that is always there.
#[derive(Clone, Copy, Debug, Default)]
pub struct AlwaysReady;

impl Health for AlwaysReady {}

/// Paths that no page can have.
const OWN: [&str; 9] = [
    "/healthz",
    "/keepalive",
    "/readyz",
    "/metrics",
    "/statz",
    "/inspect",
    "/inspect.json",
    "/inspect.js",
    "/inspect.css",
];

pub(super) fn routes(shared: Arc<Shared>) -> Router {
    let others = |page: &&page::Page| !OWN.contains(&page.path);
    let pages: Vec<page::Page> = shared.pages.iter().filter(others).copied().collect();
    let router = Router::new()
        .route("/healthz", get(healthz))
        .route("/keepalive", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/statz", get(statz))
        .fallback(upgrade);
    page::routes(inspect::routes(router), &pages).with_state(shared)
}

/// A client's upgrade, at any path that ends as those of the protocol do.
async fn upgrade(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    request: Request,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(_) => {
            return (StatusCode::NOT_FOUND, format!("{} is not here\n", uri.path()))
                .into_response();
        }
    };
    if shared.is_ending.load(Ordering::Acquire) {
        return (StatusCode::SERVICE_UNAVAILABLE, "the server is about to end\n").into_response();
    }
    let counted = Counted::of(request.extensions());
    let protocol =
        headers.get(header::SEC_WEBSOCKET_PROTOCOL).and_then(|value| value.to_str().ok());
    let parsed = ConnectRequest::parse(uri.path(), uri.query().unwrap_or_default(), protocol);
    let bytes = shared.limits.frame_bytes;
    let upgrade = upgrade.max_message_size(bytes).max_frame_size(bytes);
    // A client that does not find its header in the answer never connects.
    let upgrade = match protocol {
        Some(protocol) => upgrade.protocols([protocol.to_owned()]),
        None => upgrade,
    };
    upgrade.on_upgrade(async move |socket| {
        socket::serve(socket, parsed, shared).await;
        drop(counted);
    })
}

async fn healthz(State(shared): State<Arc<Shared>>) -> Response {
    let is_well = shared.health.is_well() && shared.database.version().is_ok();
    answer(is_well, &json!({"source": shared.health.describe()}))
}

async fn readyz(State(shared): State<Arc<Shared>>) -> Response {
    let is_ready = shared.health.is_ready() && !shared.is_ending.load(Ordering::Acquire);
    answer(is_ready, &json!({"source": shared.health.describe()}))
}

pub(super) fn answer(is_well: bool, body: &Json) -> Response {
    let code = if is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, [(header::CONTENT_TYPE, "application/json")], format!("{body}\n")).into_response()
}

pub(super) async fn report(shared: &Shared, with_operators: bool) -> Option<Report> {
    let (answer, report) = oneshot::channel();
    shared.commands.send(Command::Report { with_operators, answer }).ok()?;
    report.await.ok()
}

async fn statz(State(shared): State<Arc<Shared>>) -> Response {
    let Some(report) = report(&shared, false).await else {
        return answer(false, &json!({"error": "the server is about to end"}));
    };
    let body = json!({
        "counters": report.counters,
        "connections": report.connections.len(),
        "groups": report.groups.len(),
        "liveQueries": report.live_queries,
    });
    answer(true, &body)
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let Some(report) = report(&shared, false).await else {
        return answer(false, &json!({"error": "the server is about to end"}));
    };
    let text = super::metrics::render(&shared, &report);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

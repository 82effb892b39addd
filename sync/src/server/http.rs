//! Over HTTP: clients' upgrades, health, metrics, and what there is.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value as Json, json};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::hub_thread::Command;
use super::listen::Counted;
use super::{Shared, inspect, page, socket};
use crate::hub::{Committed, Report, Totals};
use crate::measure::Exposition;
use crate::protocol::connect::ConnectRequest;

/// Whether the data is there to be served.
pub trait Health: Send + Sync + 'static {
    /// Whether the process does what it is for; if not, it is to be started anew.
    fn is_well(&self) -> bool {
        true
    }

    /// Why the data is not up to date, if it is not: others should be asked meanwhile. Clients are
    /// served all the same.
    fn unready(&self) -> Option<String> {
        None
    }

    /// Why nobody can be served yet, if so: clients are told to come again.
    fn unserved(&self) -> Option<String> {
        None
    }

    /// What there is to say of where the data comes from.
    fn describe(&self) -> Json {
        json!({})
    }

    /// Writes further metrics.
    fn metrics(&self, into: &mut Exposition) {
        let _ = into;
    }

    /// Which commit of a followed database is being taken in, if one is; asked in callbacks.
    fn committing(&self) -> Option<Committed> {
        None
    }
}

/// Data that is always there.
#[derive(Clone, Copy, Debug, Default)]
pub struct AlwaysReady;

impl Health for AlwaysReady {}

/// How long a client is held that comes before the data is there. The published client waits for ten
/// seconds.
const HELD: Duration = Duration::from_secs(4);
/// How often it is looked whether it is there.
const HELD_PAUSE: Duration = Duration::from_millis(50);

/// Why nobody is served any more.
pub(super) const ENDING: &str = "the server is about to end";

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
        return come_again(ENDING);
    }
    if let Some(reason) = unserved(&shared).await {
        return come_again(&reason);
    }
    let counted = Counted::of(request.extensions());
    let protocol =
        headers.get(header::SEC_WEBSOCKET_PROTOCOL).and_then(|value| value.to_str().ok());
    let given = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut parsed = ConnectRequest::parse(uri.path(), uri.query().unwrap_or_default(), protocol);
    if let Ok(request) = &mut parsed {
        (request.cookies, request.origin) = (given(header::COOKIE), given(header::ORIGIN));
    }
    // What is only somewhat too large is read, so that its client can be told.
    let bytes = shared.limits.frame_bytes.saturating_mul(2);
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

/// Why nobody can be served, if it stays so for a while: clients that come back after a restart need not
/// come twice.
async fn unserved(shared: &Shared) -> Option<String> {
    let until = Instant::now() + HELD;
    loop {
        let reason = match shared.is_ending.load(Ordering::Acquire) {
            true => Some(ENDING.to_owned()),
            false => shared.health.unserved(),
        };
        if reason.is_none() || Instant::now() >= until {
            return reason;
        }
        sleep(HELD_PAUSE).await;
    }
}

async fn healthz(State(shared): State<Arc<Shared>>) -> Response {
    let has_ended = shared.has_ended.load(Ordering::Acquire);
    let is_well = !has_ended && shared.health.is_well() && shared.database.version().is_ok();
    answer(is_well, &json!({"source": shared.health.describe()}))
}

async fn readyz(State(shared): State<Arc<Shared>>) -> Response {
    let ending = shared.is_ending.load(Ordering::Acquire).then(|| ENDING.to_owned());
    let reason = ending.or_else(|| shared.health.unserved()).or_else(|| shared.health.unready());
    let mut body = json!({"ready": reason.is_none(), "source": shared.health.describe()});
    if let Some(reason) = &reason {
        body["reason"] = reason.as_str().into();
    }
    answer(reason.is_none(), &body)
}

/// Refuses for now; the published client tries again by itself after a moment.
fn come_again(reason: &str) -> Response {
    let soon = [(header::RETRY_AFTER, "1")];
    (StatusCode::SERVICE_UNAVAILABLE, soon, format!("{reason}; try again\n")).into_response()
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

async fn totals(shared: &Shared) -> Option<Totals> {
    let (answer, totals) = oneshot::channel();
    shared.commands.send(Command::Totals { answer }).ok()?;
    totals.await.ok()
}

async fn statz(State(shared): State<Arc<Shared>>) -> Response {
    let Some(totals) = totals(&shared).await else {
        return answer(false, &json!({"error": "the server is about to end"}));
    };
    let body = json!({
        "counters": totals.counters,
        "connections": totals.connections,
        "groups": totals.groups,
        "liveQueries": totals.live_queries,
    });
    answer(true, &body)
}

/// All metrics; `None` once the server has ended.
pub(super) async fn exposition(shared: &Shared) -> Option<Exposition> {
    let totals = totals(shared).await?;
    let memory = shared.memory.usage(&shared.database).await;
    Some(super::metrics::render(shared, &totals, memory.as_deref()))
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let Some(all) = exposition(&shared).await else {
        return answer(false, &json!({"error": "the server is about to end"}));
    };
    let text = all.to_string();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

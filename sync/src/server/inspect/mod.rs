//! What is going on, for people: the page `/inspect`, what it shows, and its console.
//!
//! It shows everything, and its console reads every row whatever the rules say. So it is off unless
//! asked for, and then for those at this machine or those who know a password.
//!
//! | path | what |
//! |---|---|
//! | `/inspect` | the page |
//! | `/inspect.json` | what there is now |
//! | `/inspect/watch?sql=…` or `?ast=…` | a live query, as server-sent events |

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, http::Uri};
use serde_json::{Value as Json, json};

use super::page::Page;
use super::{Shared, http, limits, now};
use crate::measure::Limit;

mod admit;
mod watch;

pub use admit::Inspect;
pub(crate) use watch::Watches;

const PAGES: [Page; 3] = [
    Page::text("/inspect", include_str!("../pages/inspect.html")),
    Page::text("/inspect.css", include_str!("../pages/inspect.css")),
    Page::text("/inspect.js", include_str!("../pages/inspect.js")),
];

/// From where a request comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

pub(super) fn routes(mut router: Router<Arc<Shared>>) -> Router<Arc<Shared>> {
    for page in PAGES {
        let answer = move |State(shared): State<Arc<Shared>>,
                           Extension(peer): Extension<Peer>,
                           headers: HeaderMap| async move {
            match shared.inspect.admit(peer.0, &headers) {
                Ok(()) => page.answer(),
                Err(refusal) => refusal,
            }
        };
        router = router.route(page.path, get(answer));
    }
    router.route("/inspect.json", get(report)).route("/inspect/watch", get(watch_query))
}

async fn report(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Response {
    if let Err(refusal) = shared.inspect.admit(peer.0, &headers) {
        return refusal;
    }
    let Some(report) = http::report(&shared, true).await else {
        return http::answer(false, &json!({"error": "there is nothing to be served at present"}));
    };
    let limits = limits::all(&shared);
    let mut body = serde_json::to_value(report).unwrap_or(Json::Null);
    let load = |value: &std::sync::atomic::AtomicU64| value.load(Ordering::Relaxed);
    let traffic = &shared.traffic;
    body["nowMs"] = now().mono_ms.into();
    body["startedMs"] = shared.started_ms.into();
    body["databaseVersion"] = shared.database.version().ok().into();
    body["source"] = shared.health.describe();
    body["traffic"] = json!({
        "bytesOut": load(&traffic.bytes_out),
        "framesOut": load(&traffic.frames_out),
        "bytesIn": load(&traffic.bytes_in),
        "framesIn": load(&traffic.frames_in),
        "refused": shared.measures.hits.of(Limit::Connections),
        "open": shared.open.load(Ordering::Relaxed),
    });
    let limit = |(limit, value, hits): (Limit, Option<u64>, u64)| {
        (limit.name().to_owned(), json!({"limit": value, "hits": hits}))
    };
    body["limits"] = Json::Object(limits.into_iter().map(limit).collect());
    body["tables"] = tables(&shared.database.schema());
    http::answer(true, &body)
}

/// Tables that people have made, each with its columns.
fn tables(schema: &penstock::Schema) -> Json {
    let tables = schema.tables().iter().filter(|table| !table.name().starts_with('_'));
    let described = tables.map(|table| {
        let columns: Vec<Json> = table
            .columns()
            .iter()
            .map(|column| json!({"name": column.name, "type": column.column_type.to_string()}))
            .collect();
        json!({"name": table.name(), "columns": columns})
    });
    described.collect()
}

async fn watch_query(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    match shared.inspect.admit(peer.0, &headers) {
        Ok(()) => watch::start(&shared, uri.query().unwrap_or_default()),
        Err(refusal) => refusal,
    }
}

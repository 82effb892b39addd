//! The console: a live query, as server-sent events.
//!
//! | event | data |
//! |---|---|
//! | `result` | the columns, the first rows, how many there are, the operators |
//! | `failed` | why there is none, or no more |

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use penstock::{Database, Error, Query, Subscription, Tree};
use percent_encoding::percent_decode_str;
use serde_json::{Value as Json, json};
use tokio::sync::mpsc::{Sender, channel};

use crate::server::Shared;

/// How many queries can be watched at the same time, each by a thread.
const WATCHES: usize = 16;
/// How many rows of a result are shown.
const ROWS_SHOWN: usize = 200;
/// A result is told at most this often.
const PACE: Duration = Duration::from_millis(100);
/// How often it is looked whether anybody still listens.
const LOOK: Duration = Duration::from_millis(250);
/// After how many looks without a change something is sent, so that a connection that is gone is noticed.
const LOOKS_UNTIL_SIGN: u32 = 40;

/// How many queries are watched now.
#[derive(Debug, Default)]
pub(crate) struct Watches(AtomicUsize);

/// One of them, counted until it is dropped.
struct Watch(Arc<Shared>);

impl Watch {
    fn begin(shared: &Arc<Shared>) -> Option<Watch> {
        let watch = Watch(Arc::clone(shared));
        (shared.watches.0.fetch_add(1, Ordering::AcqRel) < WATCHES).then_some(watch)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.watches.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Answers with the events of the query that is asked for.
pub(super) fn start(shared: &Arc<Shared>, asked: &str) -> Response {
    let query = match parse(asked) {
        Ok(query) => query,
        Err(problem) => return (StatusCode::BAD_REQUEST, format!("{problem}\n")).into_response(),
    };
    let Some(watch) = Watch::begin(shared) else {
        let text = format!("{WATCHES} queries are watched already\n");
        return (StatusCode::TOO_MANY_REQUESTS, text).into_response();
    };
    let (sender, receiver) = channel::<String>(1);
    tokio::task::spawn_blocking(move || {
        if let Err(problem) = run(&watch.0, query, &sender) {
            // A page that is gone need not be told.
            let _ = sender.blocking_send(event("failed", &json!({"message": problem})));
        }
    });
    let events = futures_util::stream::unfold(receiver, |mut receiver| async move {
        let event = receiver.recv().await?;
        Some((Ok::<_, Infallible>(event), receiver))
    });
    let headers =
        [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, Body::from_stream(events)).into_response()
}

/// The query in the address: `sql=…` or `ast=…`.
fn parse(asked: &str) -> Result<Query, String> {
    let decoded = |text: &str| {
        let text = text.replace('+', " ");
        let text = percent_decode_str(&text).decode_utf8().map_err(|error| error.to_string())?;
        Ok::<String, String>(text.into_owned())
    };
    for pair in asked.split('&') {
        match pair.split_once('=') {
            Some(("sql", sql)) => return Ok(Query::sql(decoded(sql)?)),
            Some(("ast", ast)) => {
                let json: Json = serde_json::from_str(&decoded(ast)?)
                    .map_err(|error| format!("the AST is not JSON: {error}"))?;
                return Query::from_ast(&json).map_err(|error| error.to_string());
            }
            _ => {}
        }
    }
    Err("sql or ast is missing".to_owned())
}

/// Tells a result and, whenever it has changed, tells it again, until nobody listens.
fn run(shared: &Shared, query: Query, sender: &Sender<String>) -> Result<(), String> {
    let text = |error: Error| error.to_string();
    let database: &Database = &shared.database;
    let started = crate::hub::monotonic_us();
    let mut subscription = database.subscribe(query).map_err(text)?;
    let hydrated_us = crate::hub::monotonic_us().saturating_sub(started);
    let mut changes = 0_u64;
    loop {
        changes += subscription.changes().count() as u64;
        let tree = subscription.try_rows().map_err(text)?;
        let data = describe(&subscription, &tree, hydrated_us, changes);
        if sender.blocking_send(event("result", &data)).is_err() {
            return Ok(());
        }
        std::thread::sleep(PACE);
        let mut looks = 0;
        while !subscription.wait(LOOK) {
            if sender.is_closed() || shared.is_ending.load(Ordering::Acquire) {
                return Ok(());
            }
            if let Err(error @ Error::SchemaChanged { .. }) = subscription.status() {
                return Err(error.to_string());
            }
            looks += 1;
            if looks % LOOKS_UNTIL_SIGN == 0 && sender.blocking_send(":\n\n".to_owned()).is_err() {
                return Ok(());
            }
        }
    }
}

fn describe(subscription: &Subscription, tree: &Tree, hydrated_us: u64, changes: u64) -> Json {
    let columns: Vec<&str> =
        tree.table().columns().iter().map(|column| column.name.as_str()).collect();
    let first = tree.first();
    let lists: Vec<&str> = first.iter().flat_map(|entry| entry.relationships()).collect();
    let rows: Vec<Json> = tree
        .iter()
        .take(ROWS_SHOWN)
        .map(|entry| match entry.to_json() {
            Ok(json) => json,
            Err(error) => json!({"error": error.to_string()}),
        })
        .collect();
    json!({
        "columns": columns,
        "lists": lists,
        "rows": rows,
        "total": tree.len(),
        "hydratedUs": hydrated_us,
        "changes": changes,
        "operators": subscription.try_explain().ok().map(|explain| explain.to_string()),
    })
}

fn event(name: &str, data: &Json) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_taken_from_the_address() {
        assert!(parse("sql=SELECT+*%20FROM%20issue").is_ok());
        assert!(parse("x=1&ast=%7B%22table%22%3A%22issue%22%7D").is_ok());
        for (asked, problem) in [
            ("", "sql or ast is missing"),
            ("sql=%ff", "utf-8"),
            ("ast=%7B", "the AST is not JSON"),
            ("ast=%7B%7D", ""),
        ] {
            let error = parse(asked).expect_err(asked);
            assert!(error.contains(problem) && !error.is_empty(), "{asked}: {error}");
        }
    }

    #[test]
    fn events_are_of_one_line_each() {
        let text = event("result", &json!({"a": "1\n2"}));
        assert_eq!(text, "event: result\ndata: {\"a\":\"1\\n2\"}\n\n");
    }
}

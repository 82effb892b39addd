//! Metrics, in the text format of Prometheus.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use super::Shared;
use crate::hub::Report;

/// Writes all metrics.
pub(super) fn render(shared: &Shared, report: &Report) -> String {
    let counters = &report.counters;
    let load = |value: &std::sync::atomic::AtomicU64| value.load(Ordering::Relaxed) as f64;
    let traffic = &shared.traffic;
    let rows: usize = report.groups.iter().map(|group| group.rows).sum();
    let queries: usize = report.groups.iter().map(|group| group.queries.len()).sum();
    let behind = report.connections.iter().filter(|connection| connection.is_behind).count();
    let queued: usize = report.connections.iter().map(|connection| connection.queued_bytes).sum();
    let mut text = String::new();
    let mut one = |kind: &str, name: &str, help: &str, value: f64| {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "# HELP penstock_{name} {help}\n# TYPE penstock_{name} {kind}\npenstock_{name} {value}"
        );
    };
    one("gauge", "connections", "Clients that are connected.", report.connections.len() as f64);
    one("gauge", "connections_behind", "Clients that do not keep up.", behind as f64);
    one("gauge", "queued_bytes", "Bytes that wait for sockets.", queued as f64);
    one("gauge", "client_groups", "Client groups that are live.", report.groups.len() as f64);
    one("gauge", "queries", "Queries of all client groups.", queries as f64);
    one("gauge", "live_queries", "Queries that differ.", report.live_queries as f64);
    one("gauge", "group_rows", "Rows of all client groups.", rows as f64);
    one(
        "counter",
        "connections_total",
        "Clients that have connected.",
        counters.connections as f64,
    );
    one(
        "counter",
        "refused_connections_total",
        "Connections beyond the limit.",
        load(&traffic.refused),
    );
    one("counter", "messages_total", "Messages of clients.", counters.messages as f64);
    one("counter", "pokes_total", "Pokes, each to one client.", counters.pokes as f64);
    one(
        "counter",
        "catch_ups_total",
        "Pokes that brought one client up to date by itself.",
        counters.catch_ups as f64,
    );
    one(
        "counter",
        "row_changes_total",
        "Rows that changed in live queries.",
        counters.row_changes as f64,
    );
    one("counter", "mutations_total", "Mutations that came.", counters.mutations as f64);
    one(
        "counter",
        "refused_queries_total",
        "Queries that could not be served.",
        counters.refused_queries as f64,
    );
    one("counter", "errors_total", "Errors that were told to clients.", counters.errors as f64);
    one(
        "counter",
        "store_errors_total",
        "Faults of the store of client groups.",
        counters.store_errors as f64,
    );
    one("counter", "sent_bytes_total", "Bytes of frames to clients.", load(&traffic.bytes_out));
    one("counter", "sent_frames_total", "Frames to clients.", load(&traffic.frames_out));
    one("counter", "received_bytes_total", "Bytes of frames of clients.", load(&traffic.bytes_in));
    one("counter", "received_frames_total", "Frames of clients.", load(&traffic.frames_in));
    text.push_str(&shared.health.metrics());
    text
}

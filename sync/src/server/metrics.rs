//! Metrics, in the text format of Prometheus.

use std::sync::atomic::{AtomicU64, Ordering};

use penstock::MemoryUsage;

use super::{Shared, now, process};
use crate::hub::Totals;
use crate::measure::Exposition;

/// Writes all metrics.
pub(super) fn render(shared: &Shared, totals: &Totals, memory: Option<&MemoryUsage>) -> Exposition {
    let mut all = Exposition::default();
    let version = env!("CARGO_PKG_VERSION");
    all.family("gauge", "penstock_build_info", "The version that runs; always 1.")
        .sample(&[("version", version)], 1.0);
    let age_ms = now().mono_ms.saturating_sub(shared.started_ms);
    process::write(&mut all, now().unix_ms.saturating_sub(age_ms) as f64 / 1000.0);
    let ready = if shared.health.unready().is_none() { 1.0 } else { 0.0 };
    all.gauge("penstock_ready", "Whether /readyz says so: 1 or 0.", ready);
    sizes(&mut all, shared, totals);
    counts(&mut all, totals);
    traffic(&mut all, shared);
    shared.measures.write(&mut all);
    super::limits::write(shared, &mut all);
    memory_of(&mut all, totals, memory);
    shared.health.metrics(&mut all);
    all
}

fn sizes(all: &mut Exposition, shared: &Shared, totals: &Totals) {
    let mut gauge = |name: &str, help: &str, value: usize| all.gauge(name, help, value as f64);
    let sockets = shared.open.load(Ordering::Relaxed);
    gauge("penstock_open_sockets", "Sockets that are open, clients' and others'.", sockets);
    gauge("penstock_connections", "Clients that are connected.", totals.connections);
    gauge("penstock_connections_behind", "Clients that do not keep up.", totals.behind);
    gauge("penstock_queued_bytes", "Bytes that wait for sockets.", totals.queued_bytes);
    gauge("penstock_client_groups", "Client groups that are live.", totals.groups);
    gauge("penstock_clients", "Clients of live groups, connected or not.", totals.clients);
    gauge("penstock_queries", "Queries of all client groups.", totals.queries);
    gauge(
        "penstock_live_queries",
        "Queries that are kept up to date, each once for all groups.",
        totals.live_queries,
    );
    gauge("penstock_group_rows", "Rows that client groups hold.", totals.rows);
    gauge(
        "penstock_group_tombstones",
        "Rows that left client groups and are remembered.",
        totals.tombstones,
    );
    gauge(
        "penstock_pending_transforms",
        "Questions to the application that wait for an answer.",
        totals.questions,
    );
    // A database that cannot be used any more says so at /healthz.
    if let Ok(version) = shared.database.version() {
        all.counter(
            "penstock_database_transactions_total",
            "Transactions that changed something in the database.",
            version as f64,
        );
    }
}

fn counts(all: &mut Exposition, totals: &Totals) {
    let counters = &totals.counters;
    let mut counter = |name: &str, help: &str, value: u64| all.counter(name, help, value as f64);
    counter("penstock_connections_total", "Clients that have connected.", counters.connections);
    counter("penstock_messages_total", "Messages of clients, without pings.", counters.messages);
    counter("penstock_pokes_total", "Pokes, each to one client.", counters.pokes);
    counter(
        "penstock_poked_rows_total",
        "Rows that pokes put or deleted, each for one client.",
        counters.poked_rows,
    );
    counter(
        "penstock_catch_ups_total",
        "Pokes that brought one client up to date by itself.",
        counters.catch_ups,
    );
    counter(
        "penstock_fell_behind_total",
        "How often a client did not keep up any more.",
        counters.fell_behind,
    );
    counter(
        "penstock_row_changes_total",
        "Rows that came, changed or went in live queries.",
        counters.row_changes,
    );
    counter(
        "penstock_mutations_received_total",
        "Mutations that clients have sent.",
        counters.mutations,
    );
    counter(
        "penstock_refused_queries_total",
        "Queries that could not be served.",
        counters.refused_queries,
    );
    counter(
        "penstock_store_errors_total",
        "Faults of the store of client groups.",
        counters.store_errors,
    );
}

fn traffic(all: &mut Exposition, shared: &Shared) {
    let traffic = &shared.traffic;
    let mut counter = |name: &str, help: &str, value: &AtomicU64| {
        all.counter(name, help, value.load(Ordering::Relaxed) as f64);
    };
    counter("penstock_sent_bytes_total", "Bytes of frames to clients.", &traffic.bytes_out);
    counter("penstock_sent_frames_total", "Frames to clients.", &traffic.frames_out);
    counter("penstock_received_bytes_total", "Bytes of frames of clients.", &traffic.bytes_in);
    counter("penstock_received_frames_total", "Frames of clients.", &traffic.frames_in);
}

fn memory_of(all: &mut Exposition, totals: &Totals, memory: Option<&MemoryUsage>) {
    let help = "Memory held, by its owner: tables and indexes, live queries, subscriptions, patches \
                that wait, what client groups hold, frames that wait for sockets.";
    let family = all.family("gauge", "penstock_memory_bytes", help);
    if let Some(memory) = memory {
        let source: usize = memory.source.iter().map(|(_, bytes)| bytes).sum();
        for (owner, bytes) in [
            ("source", source),
            ("queries", memory.queries),
            ("subscriptions", memory.subscriptions),
            ("feeds", memory.feeds),
        ] {
            family.sample(&[("owner", owner)], bytes as f64);
        }
    }
    family.sample(&[("owner", "client_groups")], totals.group_bytes as f64);
    family.sample(&[("owner", "queued_frames")], totals.queued_bytes as f64);
    let Some(memory) = memory else { return };
    let help = "Memory held for each table and index of the database.";
    let family = all.family("gauge", "penstock_source_memory_bytes", help);
    for (part, bytes) in &memory.source {
        family.sample(&[("part", part)], *bytes as f64);
    }
    let mut gauge = |name: &str, help: &str, value: usize| all.gauge(name, help, value as f64);
    gauge("penstock_query_levels", "Levels of queries that differ.", memory.levels);
    gauge("penstock_query_partitions", "Partitions of these levels.", memory.partitions);
    gauge("penstock_query_relations", "Joins, aggregates and the like.", memory.relations);
}

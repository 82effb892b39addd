//! The status as metrics of Prometheus.

use penstock_postgres::follow::{Phase, Status};
use penstock_sync::measure::Exposition;

/// The name of a phase.
pub(crate) fn phase(phase: &Phase) -> &'static str {
    match phase {
        Phase::Connecting => "connecting",
        Phase::Copying => "copying",
        Phase::Streaming => "streaming",
        Phase::Stopped => "stopped",
        Phase::Failed(_) => "failed",
    }
}

/// All phases, so that each has a sample.
const PHASES: [&str; 5] = ["connecting", "copying", "streaming", "stopped", "failed"];

/// All metrics, in the text format of Prometheus.
pub(crate) fn render(status: &Status, server: &str) -> String {
    let mut all = Exposition::default();
    write(status, server, &mut all);
    all.to_string()
}

/// Writes how a followed database stands. `server` tells it from others, without secrets.
pub(crate) fn write(status: &Status, server: &str, into: &mut Exposition) {
    let of = [("server", server)];
    let name = |name: &str| format!("penstock_replication_{name}");
    let now = phase(&status.phase);
    let help = "What is being done: 1 for the phase that it is.";
    let phases = into.family("gauge", &name("phase"), help);
    for phase in PHASES {
        let is = if phase == now { 1.0 } else { 0.0 };
        phases.sample(&[("server", server), ("phase", phase)], is);
    }
    let mut one = |kind: &'static str, short: &str, help: &str, value: f64| {
        into.family(kind, &name(short), help).sample(&of, value);
    };
    one(
        "gauge",
        "applied_lsn",
        "Everything before this position is here.",
        status.applied.0 as f64,
    );
    if status.committed_at > 0 {
        one(
            "gauge",
            "last_commit_timestamp_seconds",
            "When the last transaction that is here was committed on the server.",
            status.committed_at as f64 / 1e6,
        );
    }
    let counts = [
        ("transactions_total", "Transactions applied.", status.transactions),
        ("changes_total", "Changes of rows applied.", status.changes),
        ("tables_copied_total", "Tables copied.", status.copies),
        ("restarts_total", "How often everything had to be copied again.", status.restarts),
        ("divergences_total", "How often a table was found to differ.", status.divergences),
    ];
    for (short, help, value) in counts {
        one("counter", short, help, value as f64);
    }
    let copy = &status.copy;
    let sizes = [
        ("tables_refused", "Tables that cannot be kept.", status.refused.len() as u64),
        ("copy_tables", "Tables of the copy under way, or the last one.", copy.tables),
        ("copy_tables_done", "Of these, how many are done.", copy.tables_done),
        ("copy_rows", "Rows copied.", copy.rows),
        ("copy_rows_estimated", "About how many rows there are.", copy.rows_estimated),
        ("copy_bytes", "Bytes copied.", copy.bytes),
        ("copy_bytes_estimated", "About how many bytes there are.", copy.bytes_estimated),
    ];
    for (short, help, value) in sizes {
        one("gauge", short, help, value as f64);
    }
    if let (Phase::Copying, Some(seconds)) = (&status.phase, copy.seconds_left()) {
        one("gauge", "copy_left_seconds", "About how long the copy still takes.", seconds as f64);
    }
    let Some(stream) = &status.stream else { return };
    let positions = [
        ("received_lsn", "Everything before this position was received.", stream.received),
        ("acknowledged_lsn", "The server knows that this is durable.", stream.acknowledged),
        ("server_lsn", "Where the server's log ended when last heard of.", stream.server_end),
    ];
    for (short, help, value) in positions {
        one("gauge", short, help, value.0 as f64);
    }
    one(
        "gauge",
        "lag_bytes",
        "Log of the server that is not durable here.",
        stream.lag_bytes() as f64,
    );
    one(
        "gauge",
        "lag_seconds",
        "For how long the oldest transaction that was received waits to be durable here.",
        stream.lag_ms as f64 / 1000.0,
    );
    one("counter", "connections_total", "Connections made.", stream.connections as f64);
    one(
        "counter",
        "lost_values_total",
        "Values that became null because no value stands for them.",
        stream.lost_values as f64,
    );
    if let Some(slot) = &stream.slot {
        let help = "Log that the server keeps because of the slot.";
        one("gauge", "retained_wal_bytes", help, slot.retained_bytes as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_written_as_prometheus_reads_them() {
        let status = Status { phase: Phase::Streaming, transactions: 7, ..Status::default() };
        let text = render(&status, "db:5432/app");
        for line in [
            "penstock_replication_phase{server=\"db:5432/app\",phase=\"streaming\"} 1",
            "penstock_replication_phase{server=\"db:5432/app\",phase=\"failed\"} 0",
            "# TYPE penstock_replication_transactions_total counter",
            "penstock_replication_transactions_total{server=\"db:5432/app\"} 7",
            "penstock_replication_tables_refused{server=\"db:5432/app\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
        // What is of the stream is left out where there is none.
        assert!(!text.contains("lag_bytes"), "{text}");
    }
}

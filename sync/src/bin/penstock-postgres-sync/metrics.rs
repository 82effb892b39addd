//! The status as metrics of Prometheus.

use metrics::{counter, gauge};
use metrics_exporter_prometheus::PrometheusBuilder;
use penstock_postgres::follow::{Phase, Status};

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

/// All metrics, in the text format of Prometheus.
pub(crate) fn render(status: &Status) -> String {
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || record(status));
    recorder.handle().render()
}

fn record(status: &Status) {
    gauge!("penstock_phase", "phase" => phase(&status.phase)).set(1.0);
    gauge!("penstock_applied_lsn").set(status.applied.0 as f64);
    counter!("penstock_transactions_total").absolute(status.transactions);
    counter!("penstock_changes_total").absolute(status.changes);
    counter!("penstock_tables_copied_total").absolute(status.copies);
    counter!("penstock_restarts_total").absolute(status.restarts);
    counter!("penstock_divergences_total").absolute(status.divergences);
    gauge!("penstock_tables_refused").set(status.refused.len() as f64);
    gauge!("penstock_copy_tables").set(status.copy.tables as f64);
    gauge!("penstock_copy_tables_done").set(status.copy.tables_done as f64);
    gauge!("penstock_copy_rows").set(status.copy.rows as f64);
    gauge!("penstock_copy_rows_estimated").set(status.copy.rows_estimated as f64);
    gauge!("penstock_copy_bytes").set(status.copy.bytes as f64);
    gauge!("penstock_copy_bytes_estimated").set(status.copy.bytes_estimated as f64);
    if let (Phase::Copying, Some(seconds)) = (&status.phase, status.copy.seconds_left()) {
        gauge!("penstock_copy_seconds_left").set(seconds as f64);
    }
    let Some(stream) = &status.stream else { return };
    gauge!("penstock_received_lsn").set(stream.received.0 as f64);
    gauge!("penstock_acknowledged_lsn").set(stream.acknowledged.0 as f64);
    gauge!("penstock_server_lsn").set(stream.server_end.0 as f64);
    gauge!("penstock_lag_bytes").set(stream.lag_bytes() as f64);
    gauge!("penstock_lag_seconds").set(stream.lag_ms as f64 / 1000.0);
    counter!("penstock_connections_total").absolute(stream.connections);
    counter!("penstock_lost_values_total").absolute(stream.lost_values);
    if let Some(slot) = &stream.slot {
        gauge!("penstock_retained_wal_bytes").set(slot.retained_bytes as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_written_as_prometheus_reads_them() {
        let status = Status { phase: Phase::Streaming, transactions: 7, ..Status::default() };
        let text = render(&status);
        for line in [
            "penstock_phase{phase=\"streaming\"} 1",
            "# TYPE penstock_transactions_total counter",
            "penstock_transactions_total 7",
            "penstock_tables_refused 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
        // What is of the stream is left out where there is none.
        assert!(!text.contains("penstock_lag_bytes"), "{text}");
    }
}

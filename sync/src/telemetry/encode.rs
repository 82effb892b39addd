//! Spans and metrics as OTLP's JSON: numbers of 64 bits are texts, ids are hexadecimal.

use serde_json::{Value as Json, json};

use super::spans::{Happened, Span};
use crate::measure::exposition::{Exposition, Family, Sample};
use crate::measure::histogram::BOUNDS;

/// The meaning of "cumulative" among temporalities.
const CUMULATIVE: u8 = 2;
/// The meaning of "internal" among kinds of spans.
const INTERNAL: u8 = 1;

fn resource(service: &str) -> Json {
    json!({"attributes": [{"key": "service.name", "value": {"stringValue": service}}]})
}

fn scope() -> Json {
    json!({"name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION")})
}

fn attributes(fields: &[(&'static str, Json)]) -> Vec<Json> {
    fields.iter().map(|(key, value)| json!({"key": key, "value": value})).collect()
}

/// The body of a request to `/v1/traces`.
pub(super) fn traces(service: &str, spans: &[Span]) -> Json {
    let spans: Vec<Json> = spans.iter().map(span).collect();
    json!({"resourceSpans": [{
        "resource": resource(service),
        "scopeSpans": [{"scope": scope(), "spans": spans}],
    }]})
}

fn span(span: &Span) -> Json {
    let event = |happened: &Happened| {
        json!({"timeUnixNano": happened.at_ns.to_string(), "name": happened.name,
            "attributes": attributes(&happened.fields)})
    };
    let mut json = json!({
        "traceId": format!("{:032x}", span.trace),
        "spanId": format!("{:016x}", span.id),
        "name": span.name,
        "kind": INTERNAL,
        "startTimeUnixNano": span.begun_ns.to_string(),
        "endTimeUnixNano": span.ended_ns.to_string(),
        "attributes": attributes(&span.fields),
        "events": span.events.iter().map(event).collect::<Vec<Json>>(),
    });
    if let Some(parent) = span.parent {
        json["parentSpanId"] = format!("{parent:016x}").into();
    }
    json
}

/// The body of a request to `/v1/metrics`, as of a moment; counted since another.
pub(super) fn metrics(service: &str, all: &Exposition, since_ns: u64, now_ns: u64) -> Json {
    let metrics: Vec<Json> =
        all.families().iter().map(|family| metric(family, since_ns, now_ns)).collect();
    json!({"resourceMetrics": [{
        "resource": resource(service),
        "scopeMetrics": [{"scope": scope(), "metrics": metrics}],
    }]})
}

fn metric(family: &Family, since_ns: u64, now_ns: u64) -> Json {
    let points: Vec<Json> = family
        .samples
        .iter()
        .map(|(labels, sample)| {
            let label =
                |(key, value): &(String, String)| json!({"key": key, "value": {"stringValue": value}});
            let mut point = match sample {
                Sample::Value(value) => json!({"asDouble": value}),
                Sample::Durations(readings) => json!({
                    "count": readings.counts.iter().sum::<u64>().to_string(),
                    "sum": readings.sum.as_secs_f64(),
                    "bucketCounts": readings.counts.iter().map(u64::to_string).collect::<Vec<_>>(),
                    "explicitBounds": BOUNDS,
                }),
            };
            point["attributes"] = labels.iter().map(label).collect();
            point["startTimeUnixNano"] = since_ns.to_string().into();
            point["timeUnixNano"] = now_ns.to_string().into();
            point
        })
        .collect();
    let unit = match family.name.trim_end_matches("_total") {
        name if name.ends_with("_seconds") => "s",
        name if name.ends_with("_bytes") => "By",
        _ => "1",
    };
    let mut json = json!({"name": family.name, "description": family.help, "unit": unit});
    match family.kind {
        "counter" => {
            json["sum"] = json!({"dataPoints": points, "isMonotonic": true,
                "aggregationTemporality": CUMULATIVE});
        }
        "histogram" => {
            json["histogram"] = json!({"dataPoints": points, "aggregationTemporality": CUMULATIVE});
        }
        _ => json["gauge"] = json!({ "dataPoints": points }),
    }
    json
}

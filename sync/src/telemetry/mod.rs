//! OpenTelemetry: spans and metrics, sent to a collector over HTTP as the protocol OTLP has them in JSON.
//!
//! | module | what it does |
//! |---|---|
//! | `spans` | takes note of spans, with their fields and events |
//! | `encode` | spans and metrics as OTLP's JSON |
//! | `export` | sends them, now and then, on a thread of its own |
//!
//! It goes where `OTEL_EXPORTER_OTLP_ENDPOINT` says, with the headers of `OTEL_EXPORTER_OTLP_HEADERS`,
//! under the name of `OTEL_SERVICE_NAME`; without an endpoint nothing is collected. What a collector does
//! not take is dropped, and the server goes on.

mod encode;
mod export;
mod spans;

pub use export::{Exporter, Metrics, Settings};
pub use spans::Spans;

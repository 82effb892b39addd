//! Sends spans and metrics, now and then, on a thread of its own.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use reqwest::Client;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value as Json;

use super::encode;
use super::spans::{Spans, now_ns};
use crate::http_client;
use crate::measure::Exposition;

/// How often spans are sent.
const SPANS_PAUSE: Duration = Duration::from_secs(1);
/// How many spans one request has at most.
const SPANS_AT_ONCE: usize = 512;
/// After how many pauses metrics are sent as well.
const METRICS_EVERY: u32 = 10;
/// How long a collector may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a collector is.
#[derive(Clone)]
pub struct Settings {
    endpoint: String,
    headers: HeaderMap,
    service: String,
}

impl std::fmt::Debug for Settings {
    /// Without the headers, which may hold keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("endpoint", &self.endpoint)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// What the environment says; `None` where it names no collector.
    ///
    /// # Errors
    /// A variable that cannot be understood, for people.
    pub fn from_environment() -> Result<Option<Settings>, String> {
        let of = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let endpoint = of("OTEL_EXPORTER_OTLP_ENDPOINT");
        let service = of("OTEL_SERVICE_NAME").unwrap_or_else(|| "penstock".to_owned());
        let headers = of("OTEL_EXPORTER_OTLP_HEADERS").unwrap_or_default();
        endpoint.map(|endpoint| Settings::new(&endpoint, &headers, service)).transpose()
    }

    /// A collector at an address, such as `http://localhost:4318`; headers as `name=value,name=value`.
    ///
    /// # Errors
    /// Headers that cannot be understood, for people.
    pub fn new(endpoint: &str, headers: &str, service: String) -> Result<Settings, String> {
        let mut map = HeaderMap::new();
        for pair in headers.split(',').filter(|pair| !pair.trim().is_empty()) {
            let problem = || "OTEL_EXPORTER_OTLP_HEADERS is not name=value,name=value".to_owned();
            let (name, value) = pair.split_once('=').ok_or_else(problem)?;
            let name: HeaderName = name.trim().parse().map_err(|_| problem())?;
            let mut value: HeaderValue = value.trim().parse().map_err(|_| problem())?;
            value.set_sensitive(true);
            map.insert(name, value);
        }
        Ok(Settings { endpoint: endpoint.trim_end_matches('/').to_owned(), headers: map, service })
    }
}

/// Gives the metrics of now; `None` where there are none.
pub type Metrics = Box<dyn Fn() -> Option<Exposition> + Send>;

/// Sends until it is dropped, and then what is left.
#[derive(Debug)]
pub struct Exporter {
    // None only while it is dropped.
    metrics: Option<Sender<Metrics>>,
    thread: Option<JoinHandle<()>>,
}

impl Exporter {
    /// Sends spans from now on.
    ///
    /// # Errors
    /// No thread, or no TLS; for people.
    pub fn start(settings: Settings, spans: Spans) -> Result<Exporter, String> {
        let text = |error: &dyn std::fmt::Display| format!("OpenTelemetry: {error}");
        let client = http_client::build(PATIENCE).map_err(|error| text(&error))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| text(&error))?;
        let (metrics, given) = channel();
        let sending = Sending { settings, client, spans, since_ns: now_ns(), is_refused: false };
        let thread = std::thread::Builder::new().name("penstock-otlp".to_owned());
        let thread = thread.spawn(move || sending.run(&runtime, &given));
        let thread = thread.map_err(|error| text(&error))?;
        Ok(Exporter { metrics: Some(metrics), thread: Some(thread) })
    }

    /// Sends these metrics as well.
    pub fn send_metrics(&self, metrics: Metrics) {
        if let Some(sender) = &self.metrics {
            // A thread that is gone sends nothing.
            let _ = sender.send(metrics);
        }
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        drop(self.metrics.take());
        if let Some(thread) = self.thread.take() {
            // A panic has been reported by the thread.
            let _ = thread.join();
        }
    }
}

struct Sending {
    settings: Settings,
    client: Client,
    spans: Spans,
    since_ns: u64,
    is_refused: bool,
}

impl Sending {
    fn run(mut self, runtime: &tokio::runtime::Runtime, given: &Receiver<Metrics>) {
        let mut metrics: Option<Metrics> = None;
        let mut pauses = 0;
        loop {
            let is_last = match given.recv_timeout(SPANS_PAUSE) {
                Ok(these) => {
                    metrics = Some(these);
                    pauses = METRICS_EVERY;
                    false
                }
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => true,
            };
            pauses += 1;
            for spans in self.spans.take().chunks(SPANS_AT_ONCE) {
                let body = encode::traces(&self.settings.service, spans);
                runtime.block_on(self.post("/v1/traces", &body));
            }
            if pauses >= METRICS_EVERY || is_last {
                pauses = 0;
                if let Some(all) = metrics.as_ref().and_then(|metrics| metrics()) {
                    let body =
                        encode::metrics(&self.settings.service, &all, self.since_ns, now_ns());
                    runtime.block_on(self.post("/v1/metrics", &body));
                }
            }
            if is_last {
                return;
            }
        }
    }

    async fn post(&mut self, path: &str, body: &Json) {
        let request = self
            .client
            .post(format!("{}{path}", self.settings.endpoint))
            .headers(self.settings.headers.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_string());
        let problem = match request.send().await {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("it answered {}", answer.status())),
            Err(error) => Some(http_client::in_words(&error)),
        };
        let was_refused = std::mem::replace(&mut self.is_refused, problem.is_some());
        if let Some(problem) = problem.filter(|_| !was_refused) {
            tracing::warn!(problem, "the collector of OpenTelemetry takes nothing");
        }
    }
}

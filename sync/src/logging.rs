//! Logs: one line per event on standard error, for people or as JSON.
//!
//! Events name what they are about by its ids: `connection`, `group`, `client`, `query`, `mutation`,
//! `transaction` (of the database here) and `position` (in the log of a database that is followed). What
//! users write is in none of them at the level `info` and above, but for what a database says of a write that
//! it refuses; tokens and keys are in none at all.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, ValueEnum};
use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use crate::server::Server;

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    #[default]
    #[value(alias = "human")]
    Text,
    /// One JSON object per line
    Json,
}

/// Options of the log.
#[derive(Args, Clone, Debug)]
pub struct LogOptions {
    /// What is logged: error, warn, info, debug or trace; or by part: info,penstock_sync::hub=debug
    #[arg(long, env = "ZERO_LOG_LEVEL", default_value = "info", value_name = "LEVEL")]
    #[arg(value_parser = |text: &str| targets(text).map(|_| text.to_owned()))]
    pub log_level: String,
    /// How log lines look
    #[arg(long, env = "ZERO_LOG_FORMAT", value_enum, default_value_t, value_name = "FORMAT")]
    pub log_format: LogFormat,
}

static IS_STARTED: AtomicBool = AtomicBool::new(false);

/// Sends to a collector of OpenTelemetry while it is held, if there is one; see the feature
/// `opentelemetry`.
#[derive(Debug, Default)]
#[must_use = "sending ends when this is dropped"]
pub struct Sending {
    #[cfg(feature = "opentelemetry")]
    exporter: Option<crate::telemetry::Exporter>,
}

impl Sending {
    /// Sends the metrics of a server as well.
    pub fn metrics_of(&self, server: &Server) {
        #[cfg(feature = "opentelemetry")]
        if let Some(exporter) = &self.exporter {
            exporter.send_metrics(Box::new(server.metrics()));
        }
        #[cfg(not(feature = "opentelemetry"))]
        let _ = server;
    }
}

impl LogOptions {
    /// Logs to standard error from now on, until the process ends.
    ///
    /// # Errors
    /// A level that is none, a log that was started before, or a collector that is wrongly named.
    pub fn start(&self) -> Result<Sending, String> {
        let targets = targets(&self.log_level)?;
        let colours = std::io::stderr().is_terminal();
        let log = lines(self.log_format, colours, std::io::stderr).with_filter(targets);
        let sending = start(Registry::default().with(log))?;
        IS_STARTED.store(true, Ordering::Release);
        Ok(sending)
    }
}

#[cfg(not(feature = "opentelemetry"))]
fn start(log: impl SubscriberInitExt) -> Result<Sending, String> {
    log.try_init().map_err(|error| error.to_string())?;
    Ok(Sending::default())
}

#[cfg(feature = "opentelemetry")]
fn start<S>(log: S) -> Result<Sending, String>
where
    S: Subscriber + for<'s> LookupSpan<'s> + Send + Sync,
{
    use crate::telemetry::{Exporter, Settings, Spans};

    let settings = Settings::from_environment()?;
    let spans = Spans::default();
    // Spans of this server only, in particular not those of requests to the collector.
    let ours = Targets::new().with_target("penstock_sync", tracing::Level::DEBUG);
    let collected = settings.is_some().then(|| spans.clone().with_filter(ours));
    log.with(collected).try_init().map_err(|error| error.to_string())?;
    let exporter = settings.map(|settings| Exporter::start(settings, spans)).transpose()?;
    Ok(Sending { exporter })
}

/// Whether somebody reads the log, so that what goes wrong is said there.
#[must_use]
pub fn is_started() -> bool {
    IS_STARTED.load(Ordering::Acquire)
}

fn targets(text: &str) -> Result<Targets, String> {
    let is_level = |part: &str| part.contains('=') || part.parse::<LevelFilter>().is_ok();
    let parsed = text.split(',').all(|part| is_level(part.trim())).then(|| text.parse().ok());
    parsed.flatten().ok_or_else(|| {
        format!(
            "\"{text}\" is no level; write error, warn, info, debug or trace, or for parts target=level"
        )
    })
}

/// A layer that writes lines.
fn lines<S, W>(format: LogFormat, colours: bool, to: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(to).with_ansi(colours);
    match format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_span_list(false).boxed(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use clap::Parser;
    use parking_lot::Mutex;
    use serde_json::Value as Json;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, level: &str) -> String {
        let written = Written::default();
        let to = written.clone();
        let log =
            lines(format, false, move || to.clone()).with_filter(targets(level).expect("one"));
        tracing::subscriber::with_default(Registry::default().with(log), || {
            let span = tracing::info_span!("poke", group = "g1");
            let _in = span.enter();
            tracing::info!(query = "h", rows = 3, "told");
            tracing::debug!("not at info");
        });
        String::from_utf8(written.0.lock().clone()).expect("UTF-8")
    }

    #[test]
    fn lines_carry_fields_and_those_of_their_span() {
        let text = logged(LogFormat::Text, "info");
        for part in [" INFO ", "group=\"g1\"", "query=\"h\"", "rows=3", "told"] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert_eq!(text.lines().count(), 1, "{text}");
        assert_eq!(logged(LogFormat::Text, "debug").lines().count(), 2);
        let json: Json = serde_json::from_str(&logged(LogFormat::Json, "info")).expect("JSON");
        assert_eq!((&json["message"], &json["query"]), (&"told".into(), &"h".into()));
        assert_eq!((&json["span"]["group"], &json["level"]), (&"g1".into(), &"INFO".into()));
    }

    #[derive(Parser)]
    struct Tool {
        #[command(flatten)]
        log: LogOptions,
    }

    #[test]
    fn levels_may_be_by_part_and_others_are_refused() {
        let parse = |text: &str| Tool::try_parse_from(["tool", text]).map(|tool| tool.log);
        assert!(parse("--log-level=info,penstock_sync::hub=debug").is_ok());
        assert!(parse("--log-level=loud").is_err());
        let format = |text: &str| parse(text).map(|log| log.log_format).ok();
        assert_eq!(format("--log-format=human"), Some(LogFormat::Text));
        assert_eq!(format("--log-format=json"), Some(LogFormat::Json));
        assert_eq!(format("--log-format=xml"), None);
    }
}

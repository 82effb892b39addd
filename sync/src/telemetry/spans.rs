//! Takes note of spans, with their fields and events, until somebody sends them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// How many finished spans wait at most; further ones are dropped and counted.
const WAITING_MAX: usize = 8192;
/// How many events of one span are kept.
const EVENTS_MAX: usize = 32;

/// A span.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) trace: u128,
    pub(super) id: u64,
    pub(super) parent: Option<u64>,
    pub(super) name: &'static str,
    pub(super) begun_ns: u64,
    pub(super) ended_ns: u64,
    pub(super) fields: Vec<(&'static str, Json)>,
    pub(super) events: Vec<Happened>,
}

/// Something that happened within a span.
#[derive(Clone, Debug)]
pub(super) struct Happened {
    pub(super) at_ns: u64,
    pub(super) name: String,
    pub(super) fields: Vec<(&'static str, Json)>,
}

/// Finished spans. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct Spans(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    finished: Mutex<Vec<Span>>,
    dropped: AtomicU64,
    next: AtomicU64,
}

impl Spans {
    /// Takes what has finished.
    pub(super) fn take(&self) -> Vec<Span> {
        std::mem::take(&mut *self.0.finished.lock())
    }

    /// How many were dropped, as too many waited.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// A number that is not 0 and that no other span, of this process or others, is likely to have.
    fn number(&self) -> u64 {
        let next = self.0.next.fetch_add(1, Ordering::Relaxed);
        let run = now_ns() ^ u64::from(std::process::id()).rotate_left(40);
        // A bijection of the sum that scatters its bits.
        let mut number = run.wrapping_add(next.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (number ^ (number >> 31)).max(1)
    }
}

/// Nanoseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "spans have times, on which nothing depends")]
pub(super) fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Fields, as the protocol has values.
#[derive(Default)]
struct Fields(Vec<(&'static str, Json)>);

impl Fields {
    fn set(&mut self, field: &Field, value: Json) {
        self.0.retain(|(name, _)| *name != field.name());
        self.0.push((field.name(), value));
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, json!({ "doubleValue": value }));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, json!({ "intValue": value.to_string() }));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, json!({ "intValue": value.to_string() }));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, json!({ "boolValue": value }));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, json!({ "stringValue": value }));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.set(field, json!({ "stringValue": format!("{value:?}") }));
    }
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let parent = span.parent().and_then(|parent| {
            let extensions = parent.extensions();
            extensions.get::<Span>().map(|parent| (parent.trace, parent.id))
        });
        let (trace, parent) = match parent {
            Some((trace, parent)) => (trace, Some(parent)),
            None => (u128::from(self.number()) << 64 | u128::from(self.number()), None),
        };
        let made = Span {
            trace,
            id: self.number(),
            parent,
            name: attributes.metadata().name(),
            begun_ns: now_ns(),
            ended_ns: 0,
            fields: fields.0,
            events: Vec::new(),
        };
        span.extensions_mut().insert(made);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(span) = span.extensions_mut().get_mut::<Span>() {
            let mut fields = Fields(std::mem::take(&mut span.fields));
            values.record(&mut fields);
            span.fields = fields.0;
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(span) = context.event_span(event) else { return };
        if let Some(span) = span.extensions_mut().get_mut::<Span>()
            && span.events.len() < EVENTS_MAX
        {
            let mut fields = Fields::default();
            event.record(&mut fields);
            let said = fields.0.iter().position(|(name, _)| *name == "message");
            let said = said.map(|at| fields.0.remove(at).1);
            let name = said.as_ref().and_then(|said| said["stringValue"].as_str());
            let name = name.unwrap_or(event.metadata().name()).to_owned();
            span.events.push(Happened { at_ns: now_ns(), name, fields: fields.0 });
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(mut span) = span.extensions_mut().remove::<Span>() else { return };
        span.ended_ns = now_ns();
        let mut finished = self.0.finished.lock();
        if finished.len() < WAITING_MAX {
            finished.push(span);
        } else {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

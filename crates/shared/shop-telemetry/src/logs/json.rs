//! One log line: a JSON object with the time, level, service, trace and the event's own fields.

use std::error::Error;
use std::fmt;

use opentelemetry::trace::TraceContextExt;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::context;

/// Formats events for one service.
pub(super) struct Json {
    service: String,
}

impl Json {
    pub(super) fn new(service: &str) -> Self {
        Self { service: service.to_owned() }
    }
}

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        let mut line = Map::new();
        line.insert("timestamp".into(), timestamp.into());
        line.insert("level".into(), event.metadata().level().as_str().into());
        line.insert("service".into(), self.service.clone().into());
        line.insert("target".into(), event.metadata().target().into());
        if let Some(context) = context::current() {
            line.insert("request_id".into(), context.request_id.as_ref().into());
        }
        // Entering a span makes it the current one of OpenTelemetry, so that this holds whatever the log filter says.
        let trace = opentelemetry::Context::map_current(|current| current.span().span_context().clone());
        if trace.is_valid() {
            line.insert("trace_id".into(), trace.trace_id().to_string().into());
            line.insert("span_id".into(), trace.span_id().to_string().into());
        }
        event.record(&mut Fields(&mut line));
        writeln!(writer, "{}", Value::Object(line))
    }
}

/// Names that every line owns; an event's field of that name keeps its value under `fields.<name>`.
const RESERVED: [&str; 7] = ["timestamp", "level", "service", "target", "request_id", "trace_id", "span_id"];

/// Writes the fields of an event beside what every line has.
struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: Value) {
        match field.name() {
            // Lines of the `log` crate come in under the target `log` and bring the real one as a field.
            "log.target" => self.0.insert("target".into(), value),
            "log.module_path" | "log.file" | "log.line" => None,
            name if RESERVED.contains(&name) => self.0.insert(format!("fields.{name}"), value),
            name => self.0.insert(name.to_owned(), value),
        };
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    /// Writes the whole chain of causes, since no `Display` of ours contains its source. Errors of others that do contain
    /// theirs are not said twice.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut chain = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !chain.ends_with(&text) {
                chain.push_str(": ");
                chain.push_str(&text);
            }
            cause = error.source();
        }
        self.put(field, chain.into());
    }
}

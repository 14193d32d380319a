//! Spans of events: each in the trace of the request that caused it. What belongs here: making them.

use opentelemetry::trace::TraceContextExt;
use shop_telemetry::context;
use shop_types::Envelope;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The span of one event, from its hand-over until its end, in the trace of its cause.
pub(super) fn event(service: &str, envelope: &Envelope) -> Span {
    let topic = envelope.event.topic().name();
    let span = tracing::info_span!(
        "event",
        otel.name = format!("{service} {topic}"),
        otel.kind = "consumer",
        event.id = %envelope.id,
        event.topic = topic,
    );
    if let Some(traceparent) = &envelope.traceparent {
        context::set_parent(&span, traceparent);
    }
    span
}

/// The span that the handler runs in: that of its one event; for several a new trace that is linked with all of theirs.
pub(super) fn batch(service: &str, events: &[Span]) -> Span {
    if let [event] = events {
        return event.clone();
    }
    let span = tracing::info_span!(
        "events",
        otel.name = format!("{service} events"),
        otel.kind = "consumer",
        events.count = events.len(),
    );
    for event in events {
        let context = event.context();
        span.add_link(context.span().span_context().clone());
    }
    span
}

//! Spans of events: each in the trace of the request that caused it. What belongs here: making them.

use std::sync::Arc;

use opentelemetry::trace::{SpanContext, TraceContextExt};
use shop_telemetry::context;
use shop_types::{Envelope, EventId};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

tokio::task_local! {
    /// The events that the present task handles.
    static EVENTS: Arc<[(EventId, Span)]>;
}

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

/// The span that the handler runs in: that of the first event when all are of one trace, linked with the others'; else one
/// of a new trace that is linked with all of theirs.
pub(super) fn batch(service: &str, events: &[(EventId, Span)]) -> Span {
    let causes: Vec<SpanContext> = events.iter().map(|(_, span)| context_of(span)).collect();
    let one_trace = causes.windows(2).all(|two| two[0].trace_id() == two[1].trace_id());
    let (span, linked) = match events {
        [(_, first), ..] if one_trace => (first.clone(), causes.get(1..).unwrap_or_default()),
        _ => {
            let span = tracing::info_span!(
                "events",
                otel.name = format!("{service} events"),
                otel.kind = "consumer",
                events.count = events.len(),
            );
            (span, causes.as_slice())
        }
    };
    for cause in linked {
        span.add_link(cause.clone());
    }
    span
}

/// Runs a handler that may ask for [`span_of`] its events.
pub(super) async fn scope<F: Future>(events: Vec<(EventId, Span)>, handling: F) -> F::Output {
    EVENTS.scope(events.into(), handling).await
}

/// The span of an event that the present task handles; the present one for any other.
pub(crate) fn span_of(id: EventId) -> Span {
    let found = EVENTS.try_with(|events| events.iter().find(|(event, _)| *event == id).map(|(_, span)| span.clone()));
    found.ok().flatten().unwrap_or_else(Span::current)
}

fn context_of(span: &Span) -> SpanContext {
    span.context().span().span_context().clone()
}

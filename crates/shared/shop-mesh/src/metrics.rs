//! What is counted about calls to peers. The service itself is the `service` label that all metrics carry.

use prometheus::{HistogramVec, IntCounterVec};
use shop_telemetry::metrics::Metrics;
use tokio::time::Instant;
use tonic::Code;
use tracing::Span;

/// Upper bounds in seconds, around the deadlines of 2 and 3 s.
const BUCKETS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0];

/// The metrics of all channels of a service.
#[derive(Clone)]
pub(crate) struct CallMetrics {
    requests: IntCounterVec,
    duration: HistogramVec,
    retries: IntCounterVec,
}

impl CallMetrics {
    pub(crate) fn register(metrics: &Metrics) -> Result<Self, prometheus::Error> {
        Ok(Self {
            requests: metrics.counter(
                "mesh_requests_total",
                "Calls to peers by outcome; a repeated call counts once.",
                &["peer", "method", "code"],
            )?,
            duration: metrics.histogram(
                "mesh_request_duration_seconds",
                "How long calls to peers took, with all their tries.",
                &["peer", "method"],
                BUCKETS,
            )?,
            retries: metrics.counter("mesh_retries_total", "Tries after the first one.", &["peer", "method"])?,
        })
    }

    pub(crate) fn retried(&self, peer: &str, method: &str) {
        self.retries.with_label_values(&[peer, method]).inc();
    }
}

/// One call from its start to its outcome. Dropped without one, it counts as cancelled.
pub(crate) struct Observation {
    pub(crate) metrics: CallMetrics,
    pub(crate) peer: &'static str,
    pub(crate) method: String,
    pub(crate) span: Span,
    started: Instant,
    outcome: Option<Code>,
}

impl Observation {
    pub(crate) fn start(metrics: CallMetrics, peer: &'static str, method: String, span: Span) -> Self {
        Self { metrics, peer, method, span, started: Instant::now(), outcome: None }
    }

    /// Notes how the call ended. The first outcome counts.
    pub(crate) fn ended(&mut self, code: Code) {
        self.outcome.get_or_insert(code);
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        let code = self.outcome.unwrap_or(Code::Cancelled);
        self.metrics.requests.with_label_values(&[self.peer, &self.method, word(code)]).inc();
        let seconds = self.started.elapsed().as_secs_f64();
        self.metrics.duration.with_label_values(&[self.peer, &self.method]).observe(seconds);
        record(&self.span, code);
    }
}

/// Writes the outcome of a call into its span.
pub(crate) fn record(span: &Span, code: Code) {
    span.record("rpc.grpc.status_code", i32::from(code));
    if code != Code::Ok {
        span.record("otel.status_code", "ERROR");
    }
}

/// The label of an outcome.
fn word(code: Code) -> &'static str {
    match code {
        Code::Ok => "ok",
        Code::Cancelled => "cancelled",
        Code::Unknown => "unknown",
        Code::InvalidArgument => "invalid_argument",
        Code::DeadlineExceeded => "deadline_exceeded",
        Code::NotFound => "not_found",
        Code::AlreadyExists => "already_exists",
        Code::PermissionDenied => "permission_denied",
        Code::ResourceExhausted => "resource_exhausted",
        Code::FailedPrecondition => "failed_precondition",
        Code::Aborted => "aborted",
        Code::OutOfRange => "out_of_range",
        Code::Unimplemented => "unimplemented",
        Code::Internal => "internal",
        Code::Unavailable => "unavailable",
        Code::DataLoss => "data_loss",
        Code::Unauthenticated => "unauthenticated",
    }
}

//! One span and two metrics per request. Labels have few values: the route's template, never the path.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use prometheus::{HistogramVec, IntCounterVec};
use shop_telemetry::context;
use tokio::time::Instant;
use tracing::{Span, field};

use super::request::Facts;
use crate::Mount;

/// The label of requests that fit no route.
const UNMATCHED: &str = "unmatched";

/// Upper bounds in seconds: the deadline of 5 s lies between two of them.
const BUCKETS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Where requests are counted: every route with the service that owns it.
pub(super) struct Recorders {
    by_template: HashMap<&'static str, Recorder>,
    /// For requests that fit no route: those of the first service.
    rest: Option<Recorder>,
}

#[derive(Clone)]
struct Recorder {
    requests: IntCounterVec,
    duration: HistogramVec,
}

impl Recorders {
    pub(super) fn new(mounts: &[Mount]) -> Result<Self, prometheus::Error> {
        let mut recorders = Self { by_template: HashMap::new(), rest: None };
        for mount in mounts {
            let recorder = Recorder {
                requests: mount.metrics().counter(
                    "http_requests_total",
                    "HTTP requests by route template, method and status",
                    &["route", "method", "status"],
                )?,
                duration: mount.metrics().histogram(
                    "http_request_duration_seconds",
                    "Time until the head of the answer, by route template and method",
                    &["route", "method"],
                    &BUCKETS,
                )?,
            };
            recorders.by_template.extend(mount.access().iter().map(|route| (route.1, recorder.clone())));
            recorders.rest.get_or_insert(recorder);
        }
        Ok(recorders)
    }
}

/// One request, from its head to the head of its answer.
pub(super) struct Observation {
    span: Span,
    started: Instant,
    method: &'static str,
    template: Option<&'static str>,
}

impl Observation {
    pub(super) fn start(facts: &Facts, template: Option<&'static str>) -> Self {
        let method = facts.method();
        let route = template.unwrap_or(UNMATCHED);
        let span = tracing::info_span!(
            "request",
            otel.name = format!("{method} {route}"),
            otel.kind = "server",
            otel.status_code = field::Empty,
            http.request.method = method,
            http.route = route,
            http.response.status_code = field::Empty,
            request.id = &*facts.request_id(),
        );
        if let Some(traceparent) = facts.traceparent() {
            context::set_parent(&span, traceparent);
        }
        Self { span, started: Instant::now(), method, template }
    }

    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    pub(super) fn end(self, recorders: &Recorders, status: StatusCode) {
        self.span.record("http.response.status_code", status.as_u16());
        if status.is_server_error() {
            self.span.record("otel.status_code", "ERROR");
        }
        let known = self.template.and_then(|template| recorders.by_template.get(template));
        if let Some(recorder) = known.or(recorders.rest.as_ref()) {
            let route = self.template.unwrap_or(UNMATCHED);
            recorder.requests.with_label_values(&[route, self.method, status.as_str()]).inc();
            let elapsed = self.started.elapsed().as_secs_f64();
            recorder.duration.with_label_values(&[route, self.method]).observe(elapsed);
        }
    }
}

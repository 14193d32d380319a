//! What is counted about questions to the provider, and about what it tells by itself.

use std::time::Duration;

use shop_telemetry::metrics::Metrics;

use super::Unknown;

/// Bounds in seconds: from a provider next door to one that times out.
const BUCKETS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The metrics of questions to the provider.
#[derive(Debug)]
pub(crate) struct Calls {
    total: prometheus::IntCounterVec,
    seconds: prometheus::HistogramVec,
    webhooks: prometheus::IntCounterVec,
}

impl Calls {
    /// Registers them.
    pub(crate) fn register(metrics: &Metrics) -> Result<Self, prometheus::Error> {
        Ok(Self {
            total: metrics.counter(
                "payment_provider_requests_total",
                "Questions to the payment provider, by what came of them.",
                &["operation", "outcome"],
            )?,
            seconds: metrics.histogram(
                "payment_provider_request_duration_seconds",
                "How long the payment provider took.",
                &["operation"],
                BUCKETS,
            )?,
            webhooks: metrics.counter(
                "payment_webhooks_total",
                "Webhooks of the payment provider, by what came of them.",
                &["outcome"],
            )?,
        })
    }

    /// Counts a question that has ended.
    pub(crate) fn ended(&self, operation: &str, took: Duration, answer: Result<(), &Unknown>) {
        let outcome = answer.map_or_else(Unknown::word, |()| "answered");
        self.total.with_label_values(&[operation, outcome]).inc();
        self.seconds.with_label_values(&[operation]).observe(took.as_secs_f64());
    }

    /// Counts a webhook: `taken`, `repeated` or `refused`.
    pub(crate) fn heard(&self, outcome: &str) {
        self.webhooks.with_label_values(&[outcome]).inc();
    }
}

//! What the operator measures about itself. Labels are closed sets: no names of Shops, no messages.

use prometheus::{HistogramVec, IntCounterVec};

/// The operator's own metrics.
#[derive(Debug, Clone)]
pub struct Metrics {
    all: shop_telemetry::metrics::Metrics,
    reconciles: IntCounterVec,
    seconds: HistogramVec,
    writes: IntCounterVec,
}

/// How a reconciliation ended, as a label.
pub const SUCCEEDED: &str = "succeeded";

impl Metrics {
    /// Registers all of them.
    ///
    /// # Errors
    /// When a name is taken twice.
    pub fn new() -> Result<Self, prometheus::Error> {
        let all = shop_telemetry::metrics::Metrics::new("operator");
        let buckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
        Ok(Self {
            reconciles: all.counter(
                "operator_reconciles_total",
                "Reconciliations of Shops, by result: succeeded or the reason of the failure",
                &["result"],
            )?,
            seconds: all.histogram("operator_reconcile_duration_seconds", "Time of a reconciliation", &[], &buckets)?,
            writes: all.counter(
                "operator_writes_total",
                "Objects written, by what was done: applied, repaired (changed by others) or deleted",
                &["action"],
            )?,
            all,
        })
    }

    /// Counts a reconciliation.
    pub fn reconciled(&self, result: &str, seconds: f64) {
        self.reconciles.with_label_values(&[result]).inc();
        self.seconds.with_label_values::<&str>(&[]).observe(seconds);
    }

    /// Counts what a reconciliation wrote.
    pub fn wrote(&self, applied: &crate::apply::Applied) {
        let lists = [("applied", &applied.written), ("repaired", &applied.repaired), ("deleted", &applied.deleted)];
        for (action, list) in lists {
            self.writes.with_label_values(&[action]).inc_by(list.len() as u64);
        }
    }

    /// All metrics in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        shop_telemetry::metrics::render(std::slice::from_ref(&self.all))
    }
}

//! What is measured: operations, groups and the driver's connection pool. The one place that names a metric.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mongodb::event::EventHandler;
use mongodb::event::cmap::CmapEvent;
use prometheus::{HistogramVec, IntCounter, IntCounterVec, IntGaugeVec};
use shop_telemetry::metrics::Metrics;

use crate::Error;

/// The metrics of one service's MongoDB use.
#[derive(Debug)]
pub(crate) struct Measures {
    duration: HistogramVec,
    failed: IntCounterVec,
    group_size: HistogramVec,
    group_wait: HistogramVec,
    group_conflicts: IntCounterVec,
    group_refused: IntCounterVec,
    transactions: IntCounterVec,
    sessions_killed: IntCounterVec,
    kills_refused: IntCounterVec,
    pool: IntGaugeVec,
    /// Whether the last answer came from MongoDB: its loss and its return are logged once each.
    reachable: AtomicBool,
}

impl Measures {
    pub(crate) fn register(metrics: &Metrics) -> Result<Self, prometheus::Error> {
        const SECONDS: [f64; 13] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
        const MEMBERS: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];
        Ok(Self {
            duration: metrics.histogram(
                "mongodb_operation_duration_seconds",
                "Time until an operation on MongoDB answered or was given up.",
                &["operation"],
                &SECONDS,
            )?,
            failed: metrics.counter(
                "mongodb_operations_failed_total",
                "Operations on MongoDB that ended in an error.",
                &["operation", "kind"],
            )?,
            group_size: metrics.histogram(
                "group_commit_size",
                "Members of each committed group.",
                &["group"],
                &MEMBERS,
            )?,
            group_wait: metrics.histogram(
                "group_commit_wait_seconds",
                "Time that a command waited until a group took it.",
                &["group"],
                &SECONDS,
            )?,
            group_refused: metrics.counter(
                "group_commit_refused_total",
                "Commands refused at once: stopping, full, backlog, silence (MongoDB does not answer).",
                &["group", "reason"],
            )?,
            group_conflicts: metrics.counter(
                "group_commit_conflicts_total",
                "Tries of a group that met another transaction on the same documents.",
                &["group"],
            )?,
            transactions: metrics.counter(
                "mongodb_transactions_total",
                "Transactions by how they ended: committed, conflict, failed. A group counts once for all its members.",
                &["operation", "ended"],
            )?,
            sessions_killed: metrics.counter(
                "mongodb_sessions_killed_total",
                "Sessions of processes that died, killed to free what their transactions had locked.",
                &[],
            )?,
            kills_refused: metrics.counter(
                "mongodb_session_kills_refused_total",
                "Times that MongoDB did not let this user kill the sessions of a process that died.",
                &[],
            )?,
            pool: metrics.gauge(
                "mongodb_pool_connections",
                "Connections to MongoDB: open, in_use, and callers waiting for one.",
                &["state"],
            )?,
            reachable: AtomicBool::new(true),
        })
    }

    /// Records the end of an operation.
    pub(crate) fn ended<T>(&self, what: &'static str, took: Duration, result: &Result<T, Error>) {
        self.duration.with_label_values(&[what]).observe(took.as_secs_f64());
        let Err(error) = result else {
            self.reached(what);
            return;
        };
        self.failed.with_label_values(&[what, error.word()]).inc();
        match error {
            Error::Unavailable { .. } | Error::Timeout { .. } => {
                if self.reachable.swap(false, Ordering::Relaxed) {
                    tracing::warn!(
                        operation = what,
                        error = error as &dyn std::error::Error,
                        "Lost MongoDB: operations fail until it is back"
                    );
                }
            }
            Error::Duplicate { .. }
            | Error::Conflict { .. }
            | Error::GuardFailed { .. }
            | Error::Corrupt { .. }
            | Error::Failed { .. } => self.reached(what),
        }
    }

    fn reached(&self, what: &'static str) {
        if !self.reachable.load(Ordering::Relaxed) && !self.reachable.swap(true, Ordering::Relaxed) {
            tracing::info!(operation = what, "Reached MongoDB again");
        }
    }

    pub(crate) fn committed(&self, group: &'static str, members: usize) {
        #[expect(clippy::cast_precision_loss, reason = "a group has at most 128 members")]
        self.group_size.with_label_values(&[group]).observe(members as f64);
    }

    pub(crate) fn waited(&self, group: &'static str, waited: Duration) {
        self.group_wait.with_label_values(&[group]).observe(waited.as_secs_f64());
    }

    pub(crate) fn refused(&self, group: &'static str, reason: &'static str) {
        self.group_refused.with_label_values(&[group, reason]).inc();
    }

    pub(crate) fn conflicted(&self, group: &'static str) {
        self.group_conflicts.with_label_values(&[group]).inc();
    }

    /// Records the end of one try of a transaction.
    pub(crate) fn transacted<T>(&self, what: &'static str, ended: &Result<T, Error>) {
        let word = match ended {
            Ok(_) => "committed",
            Err(Error::Conflict { .. }) => "conflict",
            Err(_) => "failed",
        };
        self.transactions.with_label_values(&[what, word]).inc();
    }

    pub(crate) fn sessions_killed(&self) -> IntCounter {
        self.sessions_killed.with_label_values::<&str>(&[])
    }

    pub(crate) fn session_kills_refused(&self) -> IntCounter {
        self.kills_refused.with_label_values::<&str>(&[])
    }

    /// Counts the driver's pool events. Starts from zero: a client makes no connection before it has this handler.
    pub(crate) fn pool_events(&self) -> EventHandler<CmapEvent> {
        let [open, in_use, waiting] = ["open", "in_use", "waiting"].map(|state| self.pool.with_label_values(&[state]));
        #[expect(clippy::wildcard_enum_match_arm, reason = "the driver's enum is non-exhaustive")]
        EventHandler::callback(move |event| match event {
            CmapEvent::ConnectionCreated(_) => open.inc(),
            CmapEvent::ConnectionClosed(_) => open.dec(),
            CmapEvent::ConnectionCheckoutStarted(_) => waiting.inc(),
            CmapEvent::ConnectionCheckoutFailed(_) => waiting.dec(),
            CmapEvent::ConnectionCheckedOut(_) => {
                waiting.dec();
                in_use.inc();
            }
            CmapEvent::ConnectionCheckedIn(_) => in_use.dec(),
            _ => {}
        })
    }
}

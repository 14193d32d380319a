//! What is counted, and its text form.

use prometheus::{Encoder, IntCounterVec, Opts, Registry, TextEncoder};

use crate::book::Entry;

/// The counters of this process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    answers: IntCounterVec,
    entries: IntCounterVec,
    mishaps: IntCounterVec,
    webhooks: IntCounterVec,
}

impl Metrics {
    /// Registers the counters.
    ///
    /// # Errors
    /// Never in practice: the names are fixed and registered once.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let answers = counter("http_requests_total", "Answered requests.", &["route", "method", "status"])?;
        let entries =
            counter("sandbox_psp_answers_total", "Answers that an entry of the ledger stands for.", &["kind"])?;
        let mishaps = counter(
            "sandbox_psp_mishaps_total",
            "Requests that went wrong on purpose, as their callers saw it.",
            &["kind"],
        )?;
        let webhooks = counter("sandbox_psp_webhooks_total", "Webhooks, by what became of a try.", &["outcome"])?;
        Ok(Self { registry, answers, entries, mishaps, webhooks })
    }

    /// Counts an answered request.
    pub fn answer(&self, route: &str, method: &str, status: u16) {
        self.answers.with_label_values(&[route, method, &status.to_string()]).inc();
    }

    /// Counts an answer that an entry stands for.
    pub fn entry(&self, entry: &Entry) {
        self.entries.with_label_values(&[entry.kind.as_str()]).inc();
    }

    /// Counts a request that went wrong on purpose: `timeout`, `error` or `slow`.
    pub fn mishap(&self, kind: &str) {
        self.mishaps.with_label_values(&[kind]).inc();
    }

    /// Counts a webhook: `taken`, `refused`, `lost` or `forged`.
    pub fn webhook(&self, outcome: &str) {
        self.webhooks.with_label_values(&[outcome]).inc();
    }

    /// All counters in the text format.
    ///
    /// # Errors
    /// A counter cannot be written as text.
    pub fn render(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

//! Telling once that something is away, and once that it is back. What belongs here: the log lines of loops that go on
//! trying, which would else repeat themselves many times a second.

use std::time::Duration;

use tokio::time::Instant;

use crate::handler::chain;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Whether a loop fails at the moment.
#[derive(Debug)]
pub(crate) struct Outage {
    what: String,
    since: Option<Instant>,
    pause: Duration,
}

impl Outage {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), since: None, pause: FIRST_PAUSE }
    }

    /// Something failed; answers how long to wait before the next try.
    pub(crate) fn failed(&mut self, error: &dyn std::error::Error) -> Duration {
        if self.since.is_none() {
            self.since = Some(Instant::now());
            tracing::warn!(error = chain(error), "{} stands still; trying again until it works", self.what);
        } else {
            tracing::debug!(error = chain(error), "{} still stands still", self.what);
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        pause
    }

    /// It works.
    pub(crate) fn over(&mut self) {
        self.pause = FIRST_PAUSE;
        if let Some(since) = self.since.take() {
            tracing::info!("{} goes on after {:.1} s", self.what, since.elapsed().as_secs_f64());
        }
    }
}

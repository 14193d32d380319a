//! Keeps requests from waiting, one after another, for a Redis that does not answer. What belongs here: when to ask again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// After a failure nobody asks for so long.
const PAUSE: Duration = Duration::from_secs(1);

/// Closed: ask. Open after a failure: do not, for a while.
#[derive(Debug)]
pub(crate) struct Breaker {
    start: Instant,
    /// Milliseconds after `start` from which on Redis is asked again.
    opens_until: AtomicU64,
}

impl Breaker {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), opens_until: AtomicU64::new(0) }
    }

    pub(crate) fn allows(&self) -> bool {
        self.now() >= self.opens_until.load(Ordering::Relaxed)
    }

    pub(crate) fn failed(&self) {
        let pause = u64::try_from(PAUSE.as_millis()).unwrap_or(u64::MAX);
        self.opens_until.store(self.now().saturating_add(pause), Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_failure_closes_the_way_for_a_second() {
        let breaker = Breaker::new();
        assert!(breaker.allows());

        breaker.failed();

        tokio::time::advance(Duration::from_millis(999)).await;
        assert!(!breaker.allows());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(breaker.allows());
    }
}

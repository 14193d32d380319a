//! When a Shop that could not be reconciled is tried again: later each time, and never all at once.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::Class;

/// A Shop that is as declared is looked at again after so long, in case a change was missed.
pub const RESYNC: Duration = Duration::from_secs(300);

/// How often each Shop failed in a row.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: Mutex<HashMap<String, Failures>>,
}

#[derive(Debug)]
struct Failures {
    count: u32,
    last: Instant,
}

/// Longer than any pause: what did not fail for so long is forgotten, deleted Shops among it.
const MEMORY: Duration = Duration::from_secs(3600);

impl Backoff {
    /// Counts a failure and tells how long to wait. `chance` is 0 to 1.
    pub async fn failed(&self, uid: &str, class: Class, chance: f64) -> Duration {
        let now = Instant::now();
        let mut failures = self.failures.lock().await;
        failures.retain(|_, failure| now.duration_since(failure.last) < MEMORY);
        let failure = failures.entry(uid.to_owned()).or_insert(Failures { count: 0, last: now });
        failure.count = failure.count.saturating_add(1);
        failure.last = now;
        pause(failure.count, class, chance)
    }

    /// Forgets the failures of a Shop.
    pub async fn succeeded(&self, uid: &str) {
        self.failures.lock().await.remove(uid);
    }
}

/// Doubles from a second to a minute for what time heals, and to ten minutes for what it does not: then only a change
/// helps, and changes are seen at once.
fn pause(failures: u32, class: Class, chance: f64) -> Duration {
    let (first, longest) = match class {
        Class::Retry => (1, 60),
        Class::User | Class::Bug => (15, 600),
    };
    let seconds = 2_u64.saturating_pow(failures.saturating_sub(1).min(20)).saturating_mul(first).min(longest);
    spread(Duration::from_secs(seconds), chance)
}

/// A time between three quarters and five quarters of another, so that many Shops do not come at once.
#[must_use]
pub fn spread(time: Duration, chance: f64) -> Duration {
    time.mul_f64(0.75 + chance.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_their_bound_and_begin_anew_after_a_success() {
        let backoff = Backoff::default();
        let mut pauses = Vec::new();
        for _ in 0..9 {
            pauses.push(backoff.failed("a", Class::Retry, 0.5).await.as_secs());
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(backoff.failed("b", Class::Retry, 0.5).await.as_secs(), 1);
        backoff.succeeded("a").await;
        assert_eq!(backoff.failed("a", Class::Retry, 0.5).await.as_secs(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn old_failures_are_forgotten() {
        let backoff = Backoff::default();
        for _ in 0..3 {
            backoff.failed("a", Class::User, 0.5).await;
        }
        tokio::time::advance(MEMORY).await;
        assert_eq!(backoff.failed("a", Class::User, 0.5).await.as_secs(), 15);
    }

    #[test]
    fn chance_moves_a_pause_by_a_quarter_at_most() {
        assert_eq!(spread(Duration::from_secs(100), 0.0).as_secs(), 75);
        assert_eq!(spread(Duration::from_secs(100), 1.0).as_secs(), 125);
        assert_eq!(pause(u32::MAX, Class::Bug, 0.5).as_secs(), 600);
    }
}

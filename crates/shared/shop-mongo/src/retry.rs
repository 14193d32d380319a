//! How long to pause before something is tried again.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Pauses that double from 4 ms to 250 ms, each cut to a random part (full jitter), none before the first repetition:
/// most conflicts are over once they are noticed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pauses(u32);

impl Pauses {
    /// The next pause.
    pub(crate) fn next(&mut self) -> Duration {
        const FIRST: Duration = Duration::from_millis(4);
        const LONGEST: Duration = Duration::from_millis(250);
        let made = self.0;
        self.0 = made.saturating_add(1);
        match made.checked_sub(1) {
            None => Duration::ZERO,
            Some(doublings) => FIRST.saturating_mul(1 << doublings.min(16)).min(LONGEST).mul_f64(share()),
        }
    }
}

/// How long a transaction takes as a rule: the mean of those that were committed last.
#[derive(Debug, Default)]
pub(crate) struct Typical(AtomicU64);

impl Typical {
    /// Takes one more into account.
    pub(crate) fn note(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let mean = self.0.load(Ordering::Relaxed);
        // The first one counts whole. Two notes at once: one of them is lost, and nothing hangs on it.
        let next = if mean == 0 { took } else { mean - mean / 8 + took / 8 };
        self.0.store(next, Ordering::Relaxed);
    }

    /// The mean; zero while nothing is known.
    pub(crate) fn mean(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }

    /// How long to wait after so many conflicts. What is in the way is most often the transaction of another pod, which
    /// takes about as long as ours: who asks again sooner only meets it again.
    pub(crate) fn beside(&self, conflicts: u32) -> Duration {
        const LONGEST: Duration = Duration::from_millis(250);
        self.mean().mul_f64(0.5 + share()).saturating_mul(conflicts).min(LONGEST)
    }
}

/// A random number from 0 to 1. The hasher's keys are random enough for a pause, and cost no dependency.
fn share() -> f64 {
    let random = u32::try_from(RandomState::new().build_hasher().finish() >> 32).unwrap_or(u32::MAX);
    f64::from(random) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_repetition_is_at_once_and_none_waits_longer_than_a_quarter_second() {
        let mut pauses = Pauses::default();
        assert_eq!(pauses.next(), Duration::ZERO);
        let rest: Vec<Duration> = (0..40).map(|_| pauses.next()).collect();
        assert!(rest.iter().all(|pause| *pause <= Duration::from_millis(250)), "{rest:?}");
        assert!(rest[0] <= Duration::from_millis(4), "{rest:?}");
        assert!(rest.iter().skip(10).any(|pause| *pause > Duration::from_millis(25)), "{rest:?}");
    }

    #[test]
    fn the_transaction_in_the_way_is_given_the_time_that_ours_take() {
        let typical = Typical::default();
        assert_eq!(typical.beside(1), Duration::ZERO, "nothing is known yet");
        typical.note(Duration::from_millis(20));
        for _ in 0..100 {
            let (first, second) = (typical.beside(1), typical.beside(2));
            assert!((Duration::from_millis(10)..=Duration::from_millis(30)).contains(&first), "{first:?}");
            assert!((Duration::from_millis(20)..=Duration::from_millis(60)).contains(&second), "{second:?}");
        }
        (0..60).for_each(|_| typical.note(Duration::from_millis(4)));
        assert!(typical.beside(1) <= Duration::from_millis(7), "{typical:?}");
        typical.note(Duration::from_secs(3600));
        assert_eq!(typical.beside(9), Duration::from_millis(250));
    }
}

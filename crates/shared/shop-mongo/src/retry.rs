//! How long to pause before something is tried again.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Pauses that double from 4 ms to 250 ms, each cut to a random part (full jitter), none before the first repetition:
/// most conflicts are over once they are noticed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pauses(u32);

impl Pauses {
    /// How long to pause now.
    pub fn pause(&mut self) -> Duration {
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

    /// How long pods that take turns may be in each other's way: some transactions long. As long as it gets while nothing
    /// is known: a new pod comes when there is much to do.
    pub(crate) fn turns(&self) -> Duration {
        const TURNS: u32 = 12;
        const LONGEST: Duration = Duration::from_secs(2);
        match self.mean() {
            Duration::ZERO => LONGEST,
            mean => mean.saturating_mul(TURNS).min(LONGEST),
        }
    }

    /// How long to wait after a conflict. What is in the way is most often the transaction of another pod, which takes about
    /// as long as ours: who asks again at once only meets it again.
    pub(crate) fn beside(&self) -> Duration {
        const LONGEST: Duration = Duration::from_millis(250);
        self.mean().mul_f64(0.25 + share()).min(LONGEST)
    }

    /// How long to rest after a transaction that others wait for: longer than they pause between two tries.
    pub(crate) fn rest(&self) -> Duration {
        const LONGEST: Duration = Duration::from_millis(500);
        self.mean().mul_f64(1.0 + share()).min(LONGEST)
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
        assert_eq!(pauses.pause(), Duration::ZERO);
        let rest: Vec<Duration> = (0..40).map(|_| pauses.pause()).collect();
        assert!(rest.iter().all(|pause| *pause <= Duration::from_millis(250)), "{rest:?}");
        assert!(rest[0] <= Duration::from_millis(4), "{rest:?}");
        assert!(rest.iter().skip(10).any(|pause| *pause > Duration::from_millis(25)), "{rest:?}");
    }

    #[test]
    fn the_transaction_in_the_way_is_given_the_time_that_ours_take() {
        let typical = Typical::default();
        assert_eq!(typical.beside(), Duration::ZERO, "nothing is known yet");
        typical.note(Duration::from_millis(20));
        for _ in 0..100 {
            let (pause, rest) = (typical.beside(), typical.rest());
            assert!((Duration::from_millis(5)..=Duration::from_millis(25)).contains(&pause), "{pause:?}");
            assert!((Duration::from_millis(20)..=Duration::from_millis(40)).contains(&rest), "{rest:?}");
        }
        (0..60).for_each(|_| typical.note(Duration::from_millis(4)));
        assert!(typical.beside() <= Duration::from_millis(7), "{typical:?}");
        typical.note(Duration::from_secs(3600));
        assert_eq!((typical.beside(), typical.rest()), (Duration::from_millis(250), Duration::from_millis(500)));
    }
}

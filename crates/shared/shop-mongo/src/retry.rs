//! How long to pause before something is tried again.

use std::hash::{BuildHasher, Hasher, RandomState};
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
}

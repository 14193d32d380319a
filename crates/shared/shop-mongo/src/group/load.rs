//! Whether a command that comes now has a chance to be answered in time, so that who has none is told at once.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::MOST_MEMBERS;
use crate::Error;
use crate::retry::Typical;

/// How long the transactions of those who wait may take. More of them would only grow old in the queue.
const LONGEST_BACKLOG: Duration = Duration::from_secs(3);

/// How long MongoDB may say nothing at all: a primary that steps down is replaced sooner.
const LONGEST_SILENCE: Duration = Duration::from_secs(4);

/// After so long without a transaction (longer than one lasts) nobody knows whether MongoDB is still silent.
const FORGOTTEN: Duration = Duration::from_secs(6);

/// So long after a conflict other pods are taken to be at the same documents.
const CONTENDED: Duration = Duration::from_secs(5);

/// How a group fares.
#[derive(Debug)]
pub(super) struct Load {
    origin: Instant,
    /// Microseconds from `origin` to the first of the transactions that MongoDB has left unanswered since; 0 without one.
    silent_since: AtomicU64,
    /// Microseconds from `origin` to the begin of the last transaction.
    asked_at: AtomicU64,
    /// Microseconds from `origin` to the last conflict; 0 without one.
    conflict_at: AtomicU64,
    /// Whether the worker has a batch.
    busy: AtomicBool,
    pub(super) typical: Typical,
}

/// Why a command is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Stopping,
    Full,
    Backlog,
    Silence,
}

impl Load {
    pub(super) fn new() -> Self {
        Self {
            origin: Instant::now(),
            silent_since: AtomicU64::new(0),
            asked_at: AtomicU64::new(0),
            conflict_at: AtomicU64::new(0),
            busy: AtomicBool::new(false),
            typical: Typical::default(),
        }
    }

    /// The worker takes a batch, or is done with it.
    pub(super) fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::Relaxed);
    }

    /// A transaction begins.
    pub(super) fn asked(&self) {
        let now = self.now();
        let silent_since = if self.is_silent(now) { self.silent_since.load(Ordering::Relaxed) } else { now };
        self.silent_since.store(silent_since, Ordering::Relaxed);
        self.asked_at.store(now, Ordering::Relaxed);
    }

    /// A transaction ended: MongoDB has said something unless it was away.
    pub(super) fn answered<T>(&self, ended: &Result<T, Error>) {
        if matches!(ended, Err(Error::Conflict { .. })) {
            self.conflict_at.store(self.now(), Ordering::Relaxed);
        }
        match ended {
            Err(Error::Unavailable { .. } | Error::Timeout { .. }) => {}
            Ok(_)
            | Err(
                Error::Duplicate { .. }
                | Error::Conflict { .. }
                | Error::GuardFailed { .. }
                | Error::Corrupt { .. }
                | Error::Failed { .. },
            ) => self.silent_since.store(0, Ordering::Relaxed),
        }
    }

    /// Whether a command is refused that comes behind so many others and has so much time left. During a silence one at a
    /// time is let through, to find out when it ends.
    pub(super) fn refusal(&self, waiting: usize, left: Duration) -> Option<Refusal> {
        let groups = u32::try_from(waiting / MOST_MEMBERS).unwrap_or(u32::MAX);
        if self.typical.mean().saturating_mul(groups) > LONGEST_BACKLOG.min(left) {
            return Some(Refusal::Backlog);
        }
        let now = self.now();
        let silence = Duration::from_micros(now.saturating_sub(self.silent_since.load(Ordering::Relaxed)));
        let others = waiting > 0 || self.busy.load(Ordering::Relaxed);
        (self.is_silent(now) && silence > LONGEST_SILENCE && others).then_some(Refusal::Silence)
    }

    /// How long the worker rests before the next group: beside another pod at the same documents about as long as a
    /// transaction takes, so that they take turns. Whoever went on at once would meet the other's every try with a
    /// transaction of its own, until the other's callers have given up.
    pub(super) fn rest(&self) -> Duration {
        let conflict_at = self.conflict_at.load(Ordering::Relaxed);
        let ago = Duration::from_micros(self.now().saturating_sub(conflict_at));
        if conflict_at > 0 && ago < CONTENDED { self.typical.rest() } else { Duration::ZERO }
    }

    fn is_silent(&self, now: u64) -> bool {
        let unasked_for = Duration::from_micros(now.saturating_sub(self.asked_at.load(Ordering::Relaxed)));
        self.silent_since.load(Ordering::Relaxed) > 0 && unasked_for < FORGOTTEN
    }

    /// Never 0, which stands for nothing.
    fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX).max(1)
    }
}

impl Refusal {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Stopping => "stopping",
            Self::Full => "full",
            Self::Backlog => "backlog",
            Self::Silence => "silence",
        }
    }

    pub(super) const fn why(self) -> &'static str {
        match self {
            Self::Stopping => "the process stops",
            Self::Full | Self::Backlog => "too many commands wait",
            Self::Silence => "the last transactions had no answer",
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const LEFT: Duration = Duration::from_secs(5);
    const AWAY: Result<(), Error> = Err(Error::Timeout { what: "test" });

    #[tokio::test(start_paused = true)]
    async fn who_would_wait_for_more_than_three_seconds_of_transactions_is_refused() {
        let load = Load::new();
        assert_eq!(load.refusal(100_000, LEFT), None, "nothing is known yet");
        load.typical.note(Duration::from_millis(250));
        assert_eq!(load.refusal(12 * MOST_MEMBERS, LEFT), None);
        assert_eq!(load.refusal(13 * MOST_MEMBERS, LEFT), Some(Refusal::Backlog));
        assert_eq!(load.refusal(2 * MOST_MEMBERS, Duration::from_millis(400)), Some(Refusal::Backlog));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silence_of_mongodb_refuses_all_but_one_until_it_ends() {
        let load = Load::new();
        load.set_busy(true);
        load.asked();
        advance(Duration::from_secs(3)).await;
        assert_eq!(load.refusal(500, LEFT), None, "as long as a step-down takes nobody is refused");
        advance(Duration::from_millis(1100)).await;
        assert_eq!(load.refusal(0, LEFT), Some(Refusal::Silence));

        load.answered(&AWAY);
        load.set_busy(false);
        assert_eq!(load.refusal(0, LEFT), None, "one may ask");
        load.set_busy(true);
        load.asked();
        assert_eq!(load.refusal(0, LEFT), Some(Refusal::Silence), "the silence is as long as it was");

        load.answered(&Err::<(), _>(Error::Conflict { what: "test" }));
        assert_eq!(load.refusal(500, LEFT), None);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_conflict_others_are_given_their_turn_for_a_while() {
        let load = Load::new();
        load.typical.note(Duration::from_millis(20));
        load.answered(&Ok(()));
        assert_eq!(load.rest(), Duration::ZERO);
        advance(Duration::from_millis(1)).await;
        load.answered(&Err::<(), _>(Error::Conflict { what: "test" }));
        load.answered(&Ok(()));
        assert!((Duration::from_millis(20)..=Duration::from_millis(40)).contains(&load.rest()), "{:?}", load.rest());
        advance(CONTENDED).await;
        assert_eq!(load.rest(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silence_that_nobody_heard_for_a_while_counts_no_more() {
        let load = Load::new();
        load.asked();
        advance(Duration::from_secs(5)).await;
        load.answered(&AWAY);
        assert_eq!(load.refusal(1, LEFT), Some(Refusal::Silence));
        advance(Duration::from_secs(2)).await;
        assert_eq!(load.refusal(1, LEFT), None);
        load.asked();
        advance(Duration::from_secs(3)).await;
        assert_eq!(load.refusal(1, LEFT), None, "it begins anew");
    }
}

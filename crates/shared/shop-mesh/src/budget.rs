//! How many calls to one peer may be repeated: a fifth of all calls plus ten a second, so that retries never multiply the
//! load on a peer that is in trouble.

use std::sync::atomic::{AtomicI64, Ordering};

use tokio::time::Instant;

/// Everything is counted in thousandths of a retry.
const RETRY: i64 = 1000;
/// What each call pays in: 20 %.
const PER_CALL: i64 = 200;
/// What each millisecond pays in: ten retries a second.
const PER_MILLISECOND: i64 = 10;
/// How far time alone fills the budget.
const REST: i64 = 10 * RETRY;
/// How far calls fill it.
const MOST: i64 = 100 * RETRY;

/// The budget of one peer, shared by all its callers in this process.
pub(crate) struct Budget {
    balance: AtomicI64,
    /// Milliseconds since `start` up to which time has paid.
    paid: AtomicI64,
    start: Instant,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self { balance: AtomicI64::new(REST), paid: AtomicI64::new(0), start: Instant::now() }
    }

    /// Counts a call.
    pub(crate) fn deposit(&self) {
        self.change(|balance| Some((balance + PER_CALL).min(MOST)));
    }

    /// Takes one retry, if there is one left.
    pub(crate) fn withdraw(&self) -> bool {
        let now = i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX);
        let paid = self.paid.fetch_max(now, Ordering::AcqRel);
        let earned = now.saturating_sub(paid).max(0).saturating_mul(PER_MILLISECOND);
        self.change(|balance| (balance < REST).then(|| balance.saturating_add(earned).min(REST)));
        self.change(|balance| (balance >= RETRY).then_some(balance - RETRY))
    }

    fn change(&self, change: impl FnMut(i64) -> Option<i64>) -> bool {
        self.balance.fetch_update(Ordering::AcqRel, Ordering::Acquire, change).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn retries(budget: &Budget) -> usize {
        std::iter::from_fn(|| budget.withdraw().then_some(())).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_fifth_of_the_calls_and_ten_a_second_may_be_repeated() {
        let budget = Budget::new();
        assert_eq!(retries(&budget), 10);

        (0..50).for_each(|_| budget.deposit());
        assert_eq!(retries(&budget), 10);

        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(retries(&budget), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn neither_time_nor_calls_fill_it_without_bound() {
        let budget = Budget::new();
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(retries(&budget), 10);

        (0..100_000).for_each(|_| budget.deposit());
        assert_eq!(retries(&budget), 100);
    }
}

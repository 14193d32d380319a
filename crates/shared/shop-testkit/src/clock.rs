//! A clock that moves by hand.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use jiff::Timestamp;
use shop_types::Clock;
use uuid::Uuid;

/// Starts at 2030-01-01 and stands still until told; ids count up from 1.
#[derive(Debug)]
pub struct FakeClock {
    milliseconds: AtomicI64,
    ids: AtomicU64,
}

impl Default for FakeClock {
    fn default() -> Self {
        Self { milliseconds: AtomicI64::new(1_893_456_000_000), ids: AtomicU64::new(0) }
    }
}

impl FakeClock {
    /// Moves the time.
    ///
    /// # Panics
    /// Beyond some hundred million years.
    pub fn advance(&self, by: std::time::Duration) {
        let milliseconds = i64::try_from(by.as_millis()).expect("a test does not move time by ages");
        self.milliseconds.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.milliseconds.load(Ordering::SeqCst)).expect("the fake time is a time")
    }

    fn new_id(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.ids.fetch_add(1, Ordering::SeqCst)) + 1)
    }
}

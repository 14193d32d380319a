//! The system's clock: the one place where the operator reads the time.

use jiff::Timestamp;
use shop_types::Clock;
use uuid::Uuid;

/// Real time and fresh ids.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the operator reads the time")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    #[expect(clippy::disallowed_methods, reason = "the one place where the operator makes ids")]
    fn new_id(&self) -> Uuid {
        Uuid::now_v7()
    }
}

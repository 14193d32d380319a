//! The real clock: the one place that reads time and makes ids.

use jiff::Timestamp;
use shop_types::Clock;
use uuid::Uuid;

/// Wall clock and UUIDv7 of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the real clock reads the time here and nowhere else")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    #[expect(clippy::disallowed_methods, reason = "the real clock makes ids here and nowhere else")]
    fn new_id(&self) -> Uuid {
        Uuid::now_v7()
    }
}

//! The real clock: the one place that reads time and makes ids.

use jiff::Timestamp;
use shop_types::Clock;
use uuid::Uuid;

/// Wall clock and UUIDv7 of this machine. Times are whole milliseconds, as MongoDB keeps them: what is answered at once and
/// what is read later must be the same.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the real clock reads the time here and nowhere else")]
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    #[expect(clippy::disallowed_methods, reason = "the real clock makes ids here and nowhere else")]
    fn new_id(&self) -> Uuid {
        Uuid::now_v7()
    }
}

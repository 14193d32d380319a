//! Waiting for something to become true: with a deadline, and with the last thing that was seen.

use std::fmt::Debug;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Longer than anything takes on a busy machine when it works.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// Looks again and again until what is seen is good, and returns that.
///
/// # Panics
/// After [`DEADLINE`], with what was waited for and what was seen last.
pub async fn until<T, F>(what: &str, mut look: impl FnMut() -> F, good: impl Fn(&T) -> bool) -> T
where
    T: Debug,
    F: Future<Output = T>,
{
    let end = Instant::now() + DEADLINE;
    loop {
        let seen = look().await;
        if good(&seen) {
            return seen;
        }
        assert!(Instant::now() < end, "waited {DEADLINE:?} until {what}; last seen: {seen:#?}");
        sleep(Duration::from_millis(100)).await;
    }
}

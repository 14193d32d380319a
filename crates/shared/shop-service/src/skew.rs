//! A pod whose clock is wrong takes no requests: its tokens, events and orders would carry times that nobody can use.
//!
//! The clock of the database is the one that all pods share; leases go by it anyway. Judged is the time of this machine,
//! whatever clock a service was given by its tests.

use std::time::Duration;

use jiff::SignedDuration;
use prometheus::IntGauge;
use shop_mongo::Mongo;
use shop_types::Clock as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::SystemClock;
use crate::startup::Ready;

/// How often the two clocks are compared.
const EVERY: Duration = Duration::from_secs(5);

/// How far apart they may be. Tokens allow 30 s between two pods (RFC 7519, 4.1.4), so that two pods at this bound on
/// either side still understand each other.
pub(crate) const MOST: SignedDuration = SignedDuration::from_secs(10);

/// Compares the clocks until `stop`, and tells `ready`. A database that is away tells nothing, and changes nothing.
pub(crate) async fn watch(mongo: Mongo, gauge: IntGauge, ready: Ready, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let asked = Instant::now();
        if let Ok(theirs) = mongo.time().await {
            let way = SignedDuration::try_from(asked.elapsed() / 2).unwrap_or(SignedDuration::MAX);
            let skew = SystemClock.now().duration_since(theirs).saturating_sub(way);
            gauge.set(i64::try_from(skew.as_millis()).unwrap_or(i64::MAX));
            let is_right = judge(skew, way);
            if ready.set_clock(is_right) != is_right {
                tell(skew, is_right);
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Whether a clock that is ahead by `skew` may be right, when the question was this long on its way to the other one.
fn judge(skew: SignedDuration, way: SignedDuration) -> bool {
    skew.abs() <= MOST.saturating_add(way)
}

fn tell(skew: SignedDuration, is_right: bool) {
    if is_right {
        info!("The clock of this machine is right again, {skew:#} ahead of MongoDB's");
    } else {
        error!(
            "The clock of this machine is {skew:#} ahead of MongoDB's, more than {MOST:#} off: taking no requests until \
             one of them is set right"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_seconds_are_borne_in_both_directions_and_no_more() {
        let way = SignedDuration::ZERO;
        for (milliseconds, is_right) in
            [(0, true), (10_000, true), (-10_000, true), (10_001, false), (-10_001, false), (300_000, false)]
        {
            assert_eq!(judge(SignedDuration::from_millis(milliseconds), way), is_right, "{milliseconds} ms");
        }
    }

    #[test]
    fn a_slow_answer_is_no_proof() {
        let way = SignedDuration::from_secs(2);
        assert!(judge(SignedDuration::from_secs(12), way));
        assert!(!judge(SignedDuration::from_secs(13), way));
    }
}

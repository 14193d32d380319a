//! How many requests a process takes on at once: as many as it answers in good time, found while it works.
//!
//! What waits in a queue that grows is answered too late for anybody, and holds up the rest; so what exceeds the limit is
//! refused at once and can be sent again. The limit rises by one per round of requests while it is used and answers are in
//! time, and falls when one is late (additive increase, multiplicative decrease, as TCP's congestion window, RFC 5681): by
//! as much as it was late, a half at most, and only while more are served than any process can. A time of late answers,
//! such as the election of a primary, counts once per [`PAUSE`]. What a request waits in a queue with a bound of its own, as
//! that for hashing passwords, makes no answer late: otherwise fifty people who register at once would have the catalog
//! refused to all others. One route gets three quarters of the limit at most, so that a flood of logins leaves room for the
//! rest.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use prometheus::{IntCounter, IntGauge};
use tokio::time::Instant;

use crate::Mount;

/// Never fewer than this: fewer requests cannot overload a process, and it has to find out when answers are quick again.
const LEAST: u64 = 32;
const FIRST: u64 = 256;
/// Never more than this, for the memory that each one takes.
const MOST: u64 = 1_024;
/// A later answer is late: a fifth of the deadline, so that what a request calls has its share.
const LATE: Duration = Duration::from_secs(1);
/// Between two decreases, so that the effect of one is seen before the next.
const PAUSE: Duration = Duration::from_millis(500);
/// The limit is kept in millionths, since one answer raises it by a fraction.
const SCALE: u64 = 1_000_000;

/// A route: its method and its template.
pub(super) type RouteKey = (&'static str, &'static str);

/// The route of a request as the table has it: HEAD is answered by the handler of GET.
pub(super) fn key_of(method: &'static str, template: &'static str) -> RouteKey {
    (if method == "HEAD" { "GET" } else { method }, template)
}

/// The limit of one process.
pub(super) struct Load {
    in_flight: AtomicI64,
    /// Of these, how many are of each route.
    of_route: HashMap<RouteKey, AtomicI64>,
    limit: AtomicU64,
    /// When the limit fell last, in milliseconds since `began`.
    fell: AtomicU64,
    began: Instant,
    metrics: Option<Measures>,
}

struct Measures {
    in_flight: IntGauge,
    limit: IntGauge,
    refused: IntCounter,
}

/// One request that was taken on; ends with it, also when its client has gone.
pub(super) struct Permit {
    load: Arc<Load>,
    route: RouteKey,
    started: Instant,
}

impl Load {
    /// Reports to the metrics of the first mount: the limit is one of the process.
    pub(super) fn new(mounts: &[Mount]) -> Result<Self, prometheus::Error> {
        let metrics = mounts.first().map(Measures::new).transpose()?;
        let limit = AtomicU64::new(FIRST * SCALE);
        let routes = mounts.iter().flat_map(Mount::access);
        let of_route = routes.map(|route| ((route.0.as_str(), route.1), AtomicI64::new(0))).collect();
        let load = Self { in_flight: 0.into(), of_route, limit, fell: 0.into(), began: Instant::now(), metrics };
        load.tell(FIRST * SCALE);
        Ok(load)
    }

    /// Takes a request on, unless there are as many as can be answered in time.
    pub(super) fn enter(self: &Arc<Self>, route: RouteKey) -> Option<Permit> {
        let limit = self.limit.load(Ordering::Relaxed) / SCALE;
        let fits = |in_flight: &AtomicI64, limit: u64| {
            u64::try_from(in_flight.fetch_add(1, Ordering::Relaxed)).is_ok_and(|before| before < limit)
        };
        let of_route = self.of_route.get(&route);
        // Both are counted in any case, and counted out again together.
        let (all_fit, route_fits) = (fits(&self.in_flight, limit), of_route.is_none_or(|own| fits(own, limit * 3 / 4)));
        if !(all_fit && route_fits) {
            self.count_out(route);
            self.metrics.iter().for_each(|metrics| metrics.refused.inc());
            return None;
        }
        self.metrics.iter().for_each(|metrics| metrics.in_flight.inc());
        Some(Permit { load: Arc::clone(self), route, started: Instant::now() })
    }

    fn count_out(&self, route: RouteKey) -> i64 {
        if let Some(own) = self.of_route.get(&route) {
            own.fetch_sub(1, Ordering::Relaxed);
        }
        self.in_flight.fetch_sub(1, Ordering::Relaxed)
    }

    fn leave(&self, permit: &Permit, now: Instant) {
        let before = self.count_out(permit.route);
        self.metrics.iter().for_each(|metrics| metrics.in_flight.dec());
        let took = now.duration_since(permit.started);
        let in_flight = u64::try_from(before).unwrap_or_default();
        if took <= LATE {
            self.rise(in_flight);
        } else if in_flight >= LEAST {
            // Fewer are late for another reason than that they are too many.
            self.fall(took, now);
        }
    }

    fn fall(&self, took: Duration, now: Instant) {
        let now = u64::try_from(now.duration_since(self.began).as_millis()).unwrap_or(u64::MAX);
        let pause = u64::try_from(PAUSE.as_millis()).unwrap_or(u64::MAX);
        let due = |fell: u64| (fell == 0 || now.saturating_sub(fell) >= pause).then_some(now.max(1));
        if self.fell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, due).is_ok() {
            // As many as would have been answered in time (Little's law), if those in flight were what made it late.
            let percent = u64::try_from(LATE.as_millis() * 100 / took.as_millis().max(1)).unwrap_or(100).clamp(50, 90);
            self.change(|limit| (limit * percent / 100).max(LEAST * SCALE));
        }
    }

    /// An answer in time, given while `in_flight` were on their way, itself among them.
    fn rise(&self, in_flight: u64) {
        // A limit that is not reached tells nothing: a quiet night must not raise it.
        self.change(|limit| {
            let used = in_flight * SCALE * 2 >= limit;
            if used { (limit + SCALE * SCALE / limit).min(MOST * SCALE) } else { limit }
        });
    }

    fn change(&self, change: impl Fn(u64) -> u64) {
        let mut changed = None;
        let set = |limit| {
            let next = change(limit);
            changed = (next != limit).then_some(next);
            changed
        };
        if self.limit.fetch_update(Ordering::Relaxed, Ordering::Relaxed, set).is_ok()
            && let Some(limit) = changed
        {
            self.tell(limit);
        }
    }

    fn tell(&self, limit: u64) {
        if let Some(metrics) = &self.metrics {
            metrics.limit.set(i64::try_from(limit / SCALE).unwrap_or(i64::MAX));
        }
    }
}

impl Permit {
    /// Leaves time that was spent in a queue with a bound of its own out of the account.
    pub(super) fn excuse(&mut self, waited: Duration) {
        self.started += waited;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.load.leave(self, Instant::now());
    }
}

impl Measures {
    fn new(mount: &Mount) -> Result<Self, prometheus::Error> {
        let metrics = mount.metrics();
        let gauge =
            |name, help| Ok::<_, prometheus::Error>(metrics.gauge(name, help, &[])?.with_label_values::<&str>(&[]));
        let refused = metrics.counter("http_requests_refused_total", "Requests refused because of overload", &[])?;
        Ok(Self {
            in_flight: gauge("http_requests_in_flight", "HTTP requests being served")?,
            limit: gauge("http_requests_limit", "HTTP requests that are served at once at most, for now")?,
            refused: refused.with_label_values::<&str>(&[]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTE: RouteKey = ("GET", "/unknown");

    fn load() -> Arc<Load> {
        Arc::new(Load::new(&[]).unwrap())
    }

    fn limit(load: &Load) -> u64 {
        load.limit.load(Ordering::Relaxed) / SCALE
    }

    /// Takes on as many as it can.
    fn fill(load: &Arc<Load>) -> Vec<Permit> {
        std::iter::from_fn(|| load.enter(ROUTE)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_exceeds_the_limit_is_refused_until_one_has_left() {
        let load = load();
        let mut permits = fill(&load);
        assert_eq!(permits.len() as u64, FIRST);
        assert!(load.enter(ROUTE).is_none());

        permits.truncate(permits.len() - 2);

        assert!(load.enter(ROUTE).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_leave_no_trace() {
        let load = load();
        let permits = fill(&load);
        for _ in 0..10_000 {
            assert!(load.enter(ROUTE).is_none());
        }
        drop(permits);

        assert_eq!(load.in_flight.load(Ordering::Relaxed), 0);
        assert!(load.enter(ROUTE).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn late_answers_bring_the_limit_down_to_its_floor_and_no_further() {
        let load = load();
        for _ in 0..40 {
            let permits = fill(&load);
            tokio::time::advance(LATE * 2).await;
            drop(permits);
        }

        assert_eq!(limit(&load), LEAST);
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_late_answers_in_a_quiet_hour_leave_room_for_many() {
        let load = load();
        for _ in 0..40 {
            let few: Vec<_> = (1..LEAST).map(|_| load.enter(ROUTE).unwrap()).collect();
            tokio::time::advance(LATE * 3).await;
            drop(few);
        }

        assert_eq!(limit(&load), FIRST);
    }

    #[tokio::test(start_paused = true)]
    async fn one_pause_of_a_database_costs_a_half_and_a_little_lateness_a_tenth() {
        for (late, left) in [(LATE * 3, FIRST / 2), (LATE * 11 / 10, FIRST * 9 / 10)] {
            let load = load();
            let permits = fill(&load);
            tokio::time::advance(late).await;

            drop(permits);

            assert_eq!(limit(&load), left);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_a_queue_of_its_own_makes_no_answer_late() {
        let load = load();
        let permits = fill(&load);
        tokio::time::advance(LATE * 3).await;

        for mut permit in permits {
            permit.excuse(LATE * 2);
        }

        assert!(limit(&load) >= FIRST, "{}", limit(&load));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_on_one_route_leaves_a_quarter_to_the_others() {
        const FLOODED: RouteKey = ("POST", "/login");
        let mut load = Load::new(&[]).unwrap();
        load.of_route = [FLOODED, ROUTE].map(|route| (route, AtomicI64::new(0))).into();
        let load = Arc::new(load);
        let flood: Vec<_> = std::iter::from_fn(|| load.enter(FLOODED)).collect();
        assert_eq!(flood.len() as u64, FIRST * 3 / 4);

        assert_eq!(fill(&load).len() as u64, FIRST / 4);
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_rises_while_it_is_used_and_answers_are_in_time() {
        let load = load();
        for _ in 0..4_000 {
            let permits = fill(&load);
            tokio::time::advance(LATE / 20).await;
            drop(permits);
        }

        assert_eq!(limit(&load), MOST);
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_is_not_reached_stays() {
        let load = load();
        for _ in 0..100_000 {
            drop(load.enter(ROUTE));
        }

        assert_eq!(limit(&load), FIRST);
    }
}

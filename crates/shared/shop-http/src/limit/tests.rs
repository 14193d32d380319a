//! Leases: how many are asked for, what is given back, and that processes together never let in more than the rate. The
//! shared count is played by the arithmetic itself; the real one is tried in shop-redis and by the journeys.

use std::sync::atomic::{AtomicBool, Ordering};

use shop_types::Lease;
use shop_types::lease::{Leasing, Unreachable};
use shop_types::rate::Meter;

use super::*;

/// The count that processes share.
#[derive(Debug)]
struct Shared {
    meters: Mutex<HashMap<String, Meter>>,
    /// How many requests each question wanted.
    asked: Mutex<Vec<u32>>,
    is_away: AtomicBool,
    began: Instant,
}

impl Shared {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            meters: Mutex::default(),
            asked: Mutex::default(),
            is_away: AtomicBool::new(false),
            began: Instant::now(),
        })
    }

    fn now(&self) -> Result<u64, Unreachable> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(Unreachable::new("away"));
        }
        Ok(micros(self.began.elapsed()))
    }

    async fn asked(&self) -> Vec<u32> {
        std::mem::take(&mut *self.asked.lock().await)
    }
}

impl LeaseSource for Shared {
    fn lease<'a>(&'a self, allowance: &'a str, rate: Rate, wanted: u32) -> Leasing<'a, Lease> {
        Box::pin(async move {
            let now = self.now()?;
            self.asked.lock().await.push(wanted);
            tokio::task::yield_now().await;
            let mut meters = self.meters.lock().await;
            let meter = meters.entry(allowance.to_owned()).or_default();
            let taken = meter.take(rate, now, wanted);
            Ok(Lease {
                granted: taken.granted,
                whole_in: Duration::from_micros(taken.whole_in),
                retry_in: Duration::from_micros(taken.retry_in),
                mark: Mark(meter.whole_at()),
            })
        })
    }

    fn give_back<'a>(&'a self, allowance: &'a str, rate: Rate, unused: u32, mark: Mark) -> Leasing<'a, ()> {
        Box::pin(async move {
            let now = self.now()?;
            self.meters.lock().await.entry(allowance.to_owned()).or_default().give_back(rate, now, unused, mark.0);
            Ok(())
        })
    }
}

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);
const ADA: Client = Client::Unknown;

fn bob() -> Client {
    Client::Address([203, 0, 113, 5].into())
}

fn rate(requests: u32) -> Rate {
    Rate::new(requests, DAY).unwrap()
}

fn limiter(requests: u32, source: Option<&Arc<Shared>>) -> Limiter {
    let limits = Limits { general: rate(requests), authentication: rate(requests), trusted_proxies: Vec::new() };
    let source = source.map(|source| Arc::clone(source) as Arc<dyn LeaseSource>);
    Limiter::new(limits, source, &Metrics::new("test")).unwrap()
}

/// Sends so many requests one after the other; how many were let in.
async fn sent(limiter: &Limiter, kind: Kind, client: Client, requests: u32) -> u32 {
    let mut let_in = 0;
    for _ in 0..requests {
        let_in += u32::from(limiter.count(kind, client).await.refusal().is_none());
    }
    let_in
}

async fn general(limiter: &Limiter, requests: u32) -> u32 {
    sent(limiter, Kind::General, ADA, requests).await
}

#[tokio::test(start_paused = true)]
async fn leases_double_while_they_are_used_up_and_end_at_a_tenth() {
    let shared = Shared::new();
    let limiter = limiter(100, Some(&shared));
    assert_eq!(general(&limiter, 60).await, 60);
    assert_eq!(shared.asked().await, [1, 2, 4, 8, 10, 10, 10, 10, 10]);
}

#[tokio::test(start_paused = true)]
async fn processes_together_let_in_exactly_the_rate() {
    let shared = Shared::new();
    let limiters = [limiter(100, Some(&shared)), limiter(100, Some(&shared)), limiter(100, Some(&shared))];
    let mut let_in = 0;
    for _ in 0..50 {
        for limiter in &limiters {
            let_in += general(limiter, 2).await;
        }
    }
    assert_eq!(let_in, 100);
}

#[tokio::test(start_paused = true)]
async fn clients_and_limits_do_not_share() {
    let shared = Shared::new();
    let limiter = limiter(10, Some(&shared));
    assert_eq!(general(&limiter, 20).await, 10);
    assert_eq!(sent(&limiter, Kind::General, bob(), 20).await, 10);
    assert_eq!(sent(&limiter, Kind::Authentication, ADA, 20).await, 10);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_used_within_a_second_is_given_back() {
    let shared = Shared::new();
    let (here, there) = (limiter(100, Some(&shared)), limiter(100, Some(&shared)));
    // Leases of 1, 2, 4 and 8, of which 7 are left.
    assert_eq!(general(&here, 8).await, 8);
    tokio::time::advance(SECOND / 2).await;
    here.give_back(SECOND).await;
    assert_eq!(general(&there, 200).await, 85, "the lease is still young");

    tokio::time::advance(SECOND).await;
    here.give_back(SECOND).await;

    assert_eq!(general(&there, 200).await, 7);
    assert_eq!(general(&here, 1).await, 0);
}

#[tokio::test(start_paused = true)]
async fn who_slows_down_is_leased_what_they_used() {
    let shared = Shared::new();
    let limiter = limiter(1_000, Some(&shared));
    general(&limiter, 18).await;
    assert_eq!(shared.asked().await, [1, 2, 4, 8, 16]);
    tokio::time::advance(SECOND / 2).await;
    general(&limiter, 1).await;
    tokio::time::advance(SECOND / 2).await;
    limiter.give_back(SECOND).await;

    general(&limiter, 5).await;

    assert_eq!(shared.asked().await, [4, 8], "of the lease of 16 four were used");
}

#[tokio::test(start_paused = true)]
async fn where_passwords_are_guessed_every_request_is_counted_by_itself() {
    let shared = Shared::new();
    let limiter = limiter(100, Some(&shared));
    assert_eq!(sent(&limiter, Kind::Authentication, ADA, 5).await, 5);
    assert_eq!(shared.asked().await, [1, 1, 1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_costs_no_question_until_there_may_be_something_again() {
    let shared = Shared::new();
    let limiter = limiter(10, Some(&shared));
    assert_eq!(general(&limiter, 10).await, 10);
    shared.asked().await;

    assert_eq!(general(&limiter, 1_000).await, 0);

    assert_eq!(shared.asked().await, [1]);
    tokio::time::advance(DAY / 10).await;
    assert_eq!(general(&limiter, 2).await, 1);
}

#[tokio::test(start_paused = true)]
async fn requests_of_one_client_at_once_share_one_question() {
    let shared = Shared::new();
    let limiter = limiter(1_000, Some(&shared));
    general(&limiter, 31).await;
    shared.asked().await;

    let at_once = (0..32).map(|_| limiter.count(Kind::General, ADA));
    let let_in = futures::future::join_all(at_once).await;

    assert!(let_in.iter().all(|standing| standing.refusal().is_none()));
    assert_eq!(shared.asked().await, [32]);
}

#[tokio::test(start_paused = true)]
async fn without_the_shared_count_a_process_lets_in_a_tenth_and_comes_back_to_it() {
    let shared = Shared::new();
    let limiter = limiter(100, Some(&shared));
    assert_eq!(general(&limiter, 1).await, 1);
    shared.is_away.store(true, Ordering::SeqCst);

    assert_eq!(general(&limiter, 200).await, 10);
    tokio::time::advance(DAY / 10).await;
    assert_eq!(general(&limiter, 200).await, 1, "it grows back in a tenth of the pace too");

    shared.is_away.store(false, Ordering::SeqCst);
    assert_eq!(general(&limiter, 200).await, 100, "the shared one was whole again");
}

#[tokio::test(start_paused = true)]
async fn a_process_that_has_nobody_to_ask_lets_in_the_whole_rate() {
    let limiter = limiter(100, None);
    assert_eq!(general(&limiter, 200).await, 100);
    tokio::time::advance(DAY / 10).await;
    assert_eq!(general(&limiter, 200).await, 10);
}

#[tokio::test(start_paused = true)]
async fn clients_that_are_gone_are_forgotten_unless_only_this_process_knows_what_they_took() {
    let shared = Shared::new();
    let limiter = limiter(100, Some(&shared));
    general(&limiter, 1).await;
    shared.is_away.store(true, Ordering::SeqCst);
    sent(&limiter, Kind::General, bob(), 1).await;
    let known = async || {
        let mut known = 0;
        for shard in &limiter.0.shards {
            known += shard.lock().await.len();
        }
        known
    };
    assert_eq!(known().await, 2);

    tokio::time::advance(SECOND).await;
    limiter.give_back(SECOND).await;
    assert_eq!(known().await, 1);

    tokio::time::advance(DAY / 10).await;
    limiter.give_back(SECOND).await;
    assert_eq!(known().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_ends_gives_everything_back() {
    let shared = Shared::new();
    let limiter = limiter(100, Some(&shared));
    general(&limiter, 8).await;

    limiter.give_back(Duration::ZERO).await;

    assert_eq!(general(&self::limiter(100, Some(&shared)), 200).await, 92);
}

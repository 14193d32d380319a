//! What an address has left. The shared count is played by the arithmetic itself; the real one is tried by the API tests.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join_all;
use shop_types::Lease;
use shop_types::lease::{Leasing, Unreachable};

use super::*;

/// The count that pods share.
#[derive(Debug)]
struct Shared {
    meters: Mutex<HashMap<String, Meter>>,
    is_away: AtomicBool,
    began: Instant,
}

impl Shared {
    fn now(&self) -> Result<u64, Unreachable> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(Unreachable::new("away"));
        }
        Ok(u64::try_from(self.began.elapsed().as_micros()).unwrap())
    }
}

impl LeaseSource for Shared {
    fn lease<'a>(&'a self, allowance: &'a str, rate: Rate, wanted: u32) -> Leasing<'a, Lease> {
        Box::pin(async move {
            let now = self.now()?;
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
            if let Some(meter) = self.meters.lock().await.get_mut(allowance) {
                meter.give_back(rate, now, unused, mark.0);
            }
            Ok(())
        })
    }
}

fn shared() -> Arc<Shared> {
    Arc::new(Shared { meters: Mutex::default(), is_away: AtomicBool::new(false), began: Instant::now() })
}

fn pod(shared: &Arc<Shared>) -> Misses {
    Misses::new(Arc::clone(shared) as _).unwrap()
}

fn email(name: &str) -> Email {
    format!("{name}@example.org").parse().unwrap()
}

/// Gets the password of an address wrong as often as it is let in, in the pods by turns; when it will be let in again.
async fn guess(pods: &[&Misses], name: &str) -> (usize, Duration) {
    for n in 0..100 {
        match pods[n % pods.len()].take(&email(name)).await {
            Ok(_counts) => {}
            Err(Error::TooManyMisses { retry_in }) => return (n, retry_in),
            Err(other) => panic!("{other:?}"),
        }
    }
    panic!("nobody is refused");
}

#[tokio::test(start_paused = true)]
async fn an_address_has_ten_misses_over_all_pods_and_one_grows_back_in_a_minute_and_a_half() {
    let shared = shared();
    let (here, there) = (pod(&shared), pod(&shared));
    let (let_in, retry_in) = guess(&[&here, &there], "ada").await;
    assert_eq!((let_in, retry_in), (10, Duration::from_secs(90)));
    assert_eq!(guess(&[&here], "bob").await.0, 10, "others have their own");
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(guess(&[&there], "ada").await, (0, Duration::from_secs(60)), "asking does not put it off");
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(guess(&[&here], "ada").await, (1, Duration::from_secs(90)));
    tokio::time::advance(WINDOW).await;
    assert_eq!(guess(&[&there], "ada").await.0, 10);
}

#[tokio::test(start_paused = true)]
async fn right_passwords_do_not_count_however_long_they_take() {
    let shared = shared();
    let here = pod(&shared);
    for is_away in [false, true] {
        shared.is_away.store(is_away, Ordering::SeqCst);
        for n in 0..200 {
            let attempt = here.take(&email("ada")).await.unwrap_or_else(|error| panic!("{n}: {error}"));
            tokio::time::advance(Duration::from_millis(150)).await;
            here.forgive(attempt).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn guesses_at_once_are_not_more_than_guesses_in_a_row() {
    let shared = shared();
    let here = pod(&shared);
    let ada = email("ada");
    let guess_once = async || here.take(&ada).await.is_ok();
    let let_in = join_all((0..WAITING).map(|_| guess_once())).await;
    assert_eq!(let_in.into_iter().filter(|is_let_in| *is_let_in).count(), 10);
}

#[tokio::test(start_paused = true)]
async fn right_passwords_at_once_wait_for_each_other_and_use_up_no_misses() {
    let shared = shared();
    let pods: Vec<Misses> = (0..4).map(|_| pod(&shared)).collect();
    let ada = email("ada");
    let log_in = async |pod: &Misses| {
        let attempt = pod.take(&ada).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        pod.forgive(attempt?).await;
        Ok::<_, Error>(())
    };
    let logins = join_all((0..200).map(|n| log_in(&pods[n % pods.len()]))).await;
    assert!(logins.iter().all(Result::is_ok), "{logins:?}");
    // What each gives back is rounded down by a thousandth of a miss at most.
    assert!(guess(&[&pods[0]], "ada").await.0 >= 9, "none of them was wrong");
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_for_a_turn_is_told_to_come_again() {
    let shared = shared();
    let here = pod(&shared);
    let ada = email("ada");
    let looked_at = [here.take(&ada).await, here.take(&ada).await];
    let refused = |answer: &Result<Attempt, Error>| matches!(answer, Err(Error::Hashing(hashing::Error::Busy)));
    assert!(refused(&here.take(&ada).await));
    let started = Instant::now();
    let crowd = (0..WAITING + 10).map(|_| async { (refused(&here.take(&ada).await), started.elapsed()) });
    let crowd = join_all(crowd).await;
    assert!(crowd.iter().all(|(is_refused, _)| *is_refused));
    assert_eq!(crowd.iter().filter(|(_, after)| after.is_zero()).count(), 10, "behind a full queue at once");
    drop(looked_at);
    assert!(here.take(&ada).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn without_redis_each_pod_lets_three_through_and_shuts_for_five_minutes_at_most() {
    let shared = shared();
    let (here, there) = (pod(&shared), pod(&shared));
    shared.is_away.store(true, Ordering::SeqCst);
    for pod in [&here, &there] {
        assert_eq!(guess(&[pod], "ada").await, (3, Duration::from_secs(300)));
    }
    tokio::time::advance(Duration::from_secs(300)).await;
    assert_eq!(guess(&[&here], "ada").await.0, 1);
    shared.is_away.store(false, Ordering::SeqCst);
    assert_eq!(guess(&[&here], "ada").await.0, 10, "the shared count was not touched");
}

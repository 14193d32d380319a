//! The count behind rate limits: shared by all processes, exact, and gone when an allowance is whole.

use std::time::{Duration, Instant};

use shop_redis::Leases;
use shop_telemetry::metrics::Metrics;
use shop_types::lease::Unreachable;
use shop_types::rate::Meter;
use shop_types::{LeaseSource as _, Rate};

use crate::server::Server;
use crate::{asked, connect, connect_measured, eventually};

fn rate(requests: u32, seconds: u64) -> Rate {
    Rate::new(requests, Duration::from_secs(seconds)).unwrap()
}

/// The counts of two processes on one server.
async fn two(server: &Server) -> (Leases, Leases) {
    (connect(server).await.leases(), connect(server).await.leases())
}

/// Runs a test, each time with a new server, until Redis was never late in it. On a busy machine an answer may come too late
/// and be counted all the same, so that a try which a lease ended tells nothing.
async fn in_time(test: impl AsyncFn(&Server, &Leases, &Leases) -> Result<(), Unreachable>) {
    for _ in 0..20 {
        let server = Server::start();
        let (here, there) = two(&server).await;
        if test(&server, &here, &there).await.is_ok() {
            return;
        }
    }
    panic!("Redis was late in every try");
}

/// Takes from an allowance; a Redis that is late on a busy machine is asked again, so that more may be gone than was got.
async fn take(leases: &Leases, allowance: &str, rate: Rate, wanted: u32) -> shop_types::Lease {
    for _ in 0..100 {
        match leases.lease(allowance, rate, wanted).await {
            Ok(lease) => return lease,
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    panic!("Redis does not answer");
}

#[tokio::test]
async fn all_processes_take_from_one_allowance_and_every_client_has_its_own() {
    in_time(async |_, here, there| {
        // A day: nothing grows back while the test runs.
        let rate = rate(10, 86_400);

        assert_eq!(here.lease("general:ada", rate, 4).await?.granted, 4);
        assert_eq!(there.lease("general:ada", rate, 4).await?.granted, 4);
        assert_eq!(here.lease("general:ada", rate, 4).await?.granted, 2);
        assert_eq!(there.lease("general:ada", rate, 4).await?.granted, 0);
        assert_eq!(there.lease("general:bob", rate, 4).await?.granted, 4);
        assert_eq!(there.lease("authentication:ada", rate, 4).await?.granted, 4);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn two_hundred_takers_at_once_get_no_more_than_there_is() {
    let server = Server::start();
    let (here, there) = two(&server).await;
    let rate = rate(100, 86_400);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..200 {
        let leases = if number % 2 == 0 { here.clone() } else { there.clone() };
        tasks.spawn(async move { take(&leases, "general:ada", rate, 1).await.granted });
    }

    let granted: u32 = tasks.join_all().await.into_iter().sum();

    // A late answer may have been counted although nobody heard it.
    assert!((1..=100).contains(&granted), "{granted}");
    assert_eq!(take(&here, "general:ada", rate, 1).await.granted, 0);
}

#[tokio::test]
async fn what_is_given_back_can_be_taken_by_others() {
    in_time(async |_, here, there| {
        let rate = rate(10, 86_400);
        let lease = here.lease("general:ada", rate, 10).await?;
        assert_eq!(there.lease("general:ada", rate, 1).await?.granted, 0);

        here.give_back("general:ada", rate, 3, lease.mark).await?;

        assert_eq!(there.lease("general:ada", rate, 10).await?.granted, 3);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_nobody_has_left_or_what_is_long_over_cannot_be_given_back() {
    in_time(async |server, here, _| {
        let fast = rate(10, 1);
        let lease = here.lease("general:ada", fast, 10).await?;
        eventually("it has grown back", async || server.cli(&["EXISTS", "t:rate:general:ada"]) == "0").await;

        here.give_back("general:ada", fast, 10, lease.mark).await?;

        assert_eq!(server.cli(&["EXISTS", "t:rate:general:ada"]), "0");
        assert_eq!(here.lease("general:ada", fast, 100).await?.granted, 10);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_allowance_grows_back_and_a_refusal_says_when() {
    in_time(async |server, here, _| {
        let rate = rate(4, 8);
        assert_eq!(here.lease("general:ada", rate, 4).await?.granted, 4);

        let refused = here.lease("general:ada", rate, 1).await?;

        assert_eq!(refused.granted, 0);
        assert!(refused.retry_in > Duration::ZERO && refused.retry_in <= Duration::from_secs(2), "{refused:?}");
        assert!(refused.whole_in > Duration::from_secs(6) && refused.whole_in <= Duration::from_secs(8), "{refused:?}");
        let life: u64 = server.cli(&["PTTL", "t:rate:general:ada"]).parse().unwrap();
        assert!((1..=8_000).contains(&life), "{life}");
        tokio::time::sleep(refused.retry_in).await;
        assert_eq!(here.lease("general:ada", rate, 1).await?.granted, 1);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_script_counts_as_the_arithmetic_does() {
    in_time(async |_, here, _| {
        for (requests, seconds) in [(1, 86_400), (7, 86_400), (5_000, 900), (1_000_000, 86_400)] {
            let (rate, mut meter) = (rate(requests, seconds), Meter::default());
            let allowance = format!("general:{requests}");
            let first = here.lease(&allowance, rate, 1).await?;
            // The moment of the server, as its answer tells it.
            let now = first.mark.0 - u64::try_from(first.whole_in.as_micros()).unwrap();
            assert_eq!(meter.take(rate, now, 1).granted, first.granted);
            assert_eq!(meter.whole_at(), first.mark.0);
            for wanted in [1, 3, (requests / 2).max(1), requests] {
                let lease = here.lease(&allowance, rate, wanted).await?;
                let now = lease.mark.0 - u64::try_from(lease.whole_in.as_micros()).unwrap();
                let taken = meter.take(rate, now, wanted);
                assert_eq!(taken.granted, lease.granted, "{wanted} of {rate:?}");
                assert_eq!((meter.whole_at(), taken.retry_in), (lease.mark.0, micros(lease.retry_in)), "{rate:?}");
            }
        }
        Ok(())
    })
    .await;
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap()
}

#[tokio::test]
async fn without_redis_nobody_waits_and_with_it_again_the_count_goes_on() {
    in_time(async |server, _, _| {
        let metrics = Metrics::new("test");
        let here = connect_measured(server, &metrics).await.leases();
        let rate = rate(10, 86_400);
        here.lease("general:ada", rate, 4).await?;
        server.signal("STOP");

        let start = Instant::now();
        assert!(here.lease("general:ada", rate, 1).await.is_err());
        let first = start.elapsed();
        let by_then = asked(&metrics, "lease_take");
        assert!(here.lease("general:ada", rate, 1).await.is_err());
        let after_all = asked(&metrics, "lease_take");
        server.signal("CONT");

        assert!(first < Duration::from_secs(1), "{first:?}");
        assert_eq!((by_then, after_all), (2, 2), "nobody asks again so soon");
        // As long as nobody asks.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        let left = here.lease("general:ada", rate, 10).await?.granted;
        assert!(left == 5 || left == 6, "what was asked while it hung may have been counted: {left}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_redis_that_lost_its_data_counts_anew() {
    in_time(async |server, here, _| {
        let rate = rate(10, 86_400);
        let lease = here.lease("general:ada", rate, 10).await?;
        server.cli(&["FLUSHALL"]);

        here.give_back("general:ada", rate, 5, lease.mark).await?;

        assert_eq!(here.lease("general:ada", rate, 100).await?.granted, 10);
        Ok(())
    })
    .await;
}

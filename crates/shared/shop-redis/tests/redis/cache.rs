//! The cache: who loads, who waits, and that nothing old is seen after an invalidation.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use shop_redis::{Cache, Hit};
use shop_telemetry::metrics::{Metrics, render};
use tokio::sync::oneshot;

use crate::server::Server;
use crate::{asked, connect, connect_measured, eventually};

const TTL: Duration = Duration::from_secs(60);

async fn get(cache: &Cache, key: &str, loaded: &'static str) -> (String, Hit) {
    let load = || async move { Ok::<_, Infallible>(loaded.into()) };
    let (bytes, hit) = cache.get_or_load(key, TTL, load).await.unwrap();
    (String::from_utf8(bytes.to_vec()).unwrap(), hit)
}

/// Two processes' caches of one name, ready to hear of each other.
struct Two {
    server: Server,
    here: Cache,
    there: Cache,
    metrics: [Metrics; 2],
}

async fn two() -> Two {
    let server = Server::start();
    let metrics = [Metrics::new("here"), Metrics::new("there")];
    let here = connect_measured(&server, &metrics[0]).await.cache("catalog", 100).unwrap();
    let there = connect_measured(&server, &metrics[1]).await.cache("catalog", 100).unwrap();
    eventually("both listen", async || server.cli(&["PUBSUB", "NUMSUB", "t:cache:catalog"]).ends_with('2')).await;
    for (ringing, hearing) in [(&here, &there), (&there, &here)] {
        eventually("one hears the other", async || hears_a_bell(ringing, hearing).await).await;
    }
    Two { server, here, there, metrics }
}

impl Two {
    /// Whether Redis did not answer something in time.
    fn late(&self) -> bool {
        let text = render(&self.metrics);
        text.lines().any(|line| line.starts_with("redis_errors_total{") && !line.ends_with(" 0"))
    }
}

/// What is found, by the first try in which Redis was never late. On a busy machine it may be too late for a request, and the
/// cache goes on without it: such a try tells nothing.
async fn in_time<T>(find: impl AsyncFn(&Two) -> T) -> T {
    for _ in 0..20 {
        let two = two().await;
        let found = find(&two).await;
        if !two.late() {
            return found;
        }
    }
    panic!("Redis was late in every try");
}

/// Whether an invalidation arrives and takes nothing else along: a subscription that just begins empties everything.
async fn hears_a_bell(ringing: &Cache, hearing: &Cache) -> bool {
    get(hearing, "bell", "1").await;
    get(hearing, "still", "1").await;
    ringing.invalidate(&["bell"]).await;
    for _ in 0..100 {
        if get(hearing, "bell", "1").await.1 != Hit::Process {
            return get(hearing, "still", "1").await.1 == Hit::Process;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    false
}

#[tokio::test]
async fn a_value_is_loaded_once_then_comes_from_redis_and_then_from_the_process() {
    let (found, life) = in_time(async |Two { server, here, there, .. }| {
        let mut found = Vec::new();
        for (cache, loaded) in [(here, "1"), (here, "2"), (there, "2"), (there, "2")] {
            found.push(get(cache, "mug", loaded).await);
        }
        (found, server.cli(&["TTL", "t:cache:{catalog}:mug"]).parse::<i64>().unwrap())
    })
    .await;

    let expected = [Hit::Miss, Hit::Process, Hit::Redis, Hit::Process].map(|hit| ("1".to_owned(), hit));
    assert_eq!(found, expected);
    assert!((1..=60).contains(&life), "{life}");
}

#[tokio::test]
async fn readers_of_one_process_load_a_key_once() {
    let two = two().await;
    let loads = AtomicUsize::new(0);
    let load = || async {
        loads.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok::<_, Infallible>("1".into())
    };

    let (one, two, three) = tokio::join!(
        two.here.get_or_load("mug", TTL, load),
        two.here.get_or_load("mug", TTL, load),
        two.here.get_or_load("mug", TTL, load)
    );

    assert_eq!(loads.load(Ordering::SeqCst), 1);
    let hits = [one.unwrap().1, two.unwrap().1, three.unwrap().1];
    assert_eq!(hits.iter().filter(|hit| **hit == Hit::Miss).count(), 1);
    assert_eq!(hits.iter().filter(|hit| **hit == Hit::Process).count(), 2);
}

#[tokio::test]
async fn a_failed_load_is_told_and_not_kept() {
    let two = two().await;

    let failed = two.here.get_or_load("mug", TTL, || async { Err("away") }).await;

    assert_eq!(failed, Err("away"));
    assert_eq!(get(&two.here, "mug", "2").await, ("2".into(), Hit::Miss));
}

#[tokio::test]
async fn an_invalidation_counts_here_at_once_and_elsewhere_soon() {
    let (found_here, found_there, settled, kept, life) = in_time(async |two| {
        let Two { server, here, there, .. } = two;
        for cache in [here, there] {
            get(cache, "mug", "1").await;
            get(cache, "pot", "1").await;
        }

        here.invalidate(&["mug", "cup"]).await;

        let found_here = get(here, "mug", "2").await;
        // It hears itself as well, which may drop what it has just loaded: what it has after that is what Redis has.
        eventually("it has heard itself", async || hears_a_bell(there, here).await).await;
        let settled = get(here, "mug", "3").await.0;
        let mut found_there = "1".to_owned();
        let heard = async || {
            found_there = get(there, "mug", "?").await.0;
            found_there != "1" || two.late()
        };
        eventually("the other process has heard", heard).await;
        let kept = get(there, "pot", "2").await;
        (found_here, found_there, settled, kept, server.cli(&["TTL", "t:cache-generation:{catalog}:mug"]))
    })
    .await;

    assert_eq!(found_here, ("2".into(), Hit::Miss));
    assert_eq!(found_there, settled, "it comes from Redis, where this process has put it");
    assert_eq!(kept, ("1".into(), Hit::Process));
    assert!((1..=60).contains(&life.parse::<i64>().unwrap()), "{life}");
}

#[tokio::test]
async fn a_load_that_an_invalidation_overtook_is_stored_nowhere() {
    let found = in_time(async |two| {
        let Two { server, here, there, .. } = two;
        let mut found = Vec::new();
        for invalidating in [here, there] {
            let (go, gone) = oneshot::channel::<()>();
            let (reading, began) = oneshot::channel::<()>();
            let reader = here.clone();
            let slow = tokio::spawn(async move {
                let load = || async move {
                    reading.send(()).unwrap();
                    gone.await.unwrap();
                    Ok::<_, Infallible>("old".into())
                };
                reader.get_or_load("mug", TTL, load).await.unwrap()
            });
            began.await.unwrap();

            invalidating.invalidate(&["mug"]).await;
            go.send(()).unwrap();
            let (bytes, hit) = slow.await.unwrap();

            found.push((bytes, hit, server.cli(&["EXISTS", "t:cache:{catalog}:mug"])));
            let dropped = async || get(here, "mug", "new").await.0 == "new" || two.late();
            eventually("the process has dropped it", dropped).await;
            here.invalidate(&["mug"]).await;
        }
        found
    })
    .await;

    for found in found {
        assert_eq!(found, ("old".into(), Hit::Miss, "0".into()), "it was asked before the write");
    }
}

#[tokio::test]
async fn a_process_that_missed_invalidations_starts_empty() {
    let Two { server, here, there, .. } = two().await;
    get(&here, "mug", "1").await;
    get(&there, "mug", "1").await;

    server.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    server.cli(&["DEL", "t:cache:{catalog}:mug"]);

    eventually("it has asked again", async || get(&there, "mug", "2").await.0 == "2").await;
}

#[tokio::test]
async fn a_cache_without_redis_serves_from_the_process_and_makes_nobody_wait() {
    let Two { server, here, there: _there, metrics } = two().await;
    server.signal("STOP");

    let start = Instant::now();
    assert_eq!(get(&here, "mug", "1").await, ("1".into(), Hit::Miss));
    let first = start.elapsed();
    assert_eq!(get(&here, "mug", "2").await, ("1".into(), Hit::Process));
    let by_then = asked(&metrics[0], "cache_get");
    assert_eq!(get(&here, "pot", "1").await, ("1".into(), Hit::Miss));
    let after_all = asked(&metrics[0], "cache_get");
    here.invalidate(&["mug"]).await;
    assert_eq!(get(&here, "mug", "3").await, ("3".into(), Hit::Miss));
    server.signal("CONT");

    assert!(first < Duration::from_secs(1), "{first:?}");
    assert_eq!(by_then, after_all, "nobody asks again so soon");
    eventually("Redis is asked again", async || {
        get(&here, "cup", "1").await;
        here.invalidate(&["cup"]).await;
        get(&here, "cup", "1").await;
        server.cli(&["EXISTS", "t:cache:{catalog}:cup"]) == "1"
    })
    .await;
}

#[tokio::test]
async fn no_more_entries_are_kept_than_fit() {
    let server = Server::start();
    let cache = connect(&server).await.cache("small", 10).unwrap();
    for key in 0..500 {
        get(&cache, &key.to_string(), "1").await;
    }
    server.cli(&["FLUSHALL"]);
    let mut kept = 0;
    for key in 0..500 {
        kept += usize::from(get(&cache, &key.to_string(), "2").await.0 == "1");
    }

    assert!(kept <= 40, "{kept} of 500 were still there");
}

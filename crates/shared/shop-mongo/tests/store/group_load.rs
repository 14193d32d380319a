//! Group commit with more commands than it can carry out, and when it ends.

use std::time::Duration;

use futures::future::join_all;
use shop_mongo::{Error, Group};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::database::{Store, connect, eventually, with_store, within};
use crate::group::{Answer, Want, buy, is_late, shop, sold, stocked, told};

/// How fast who is refused must hear of it.
const AT_ONCE: Duration = Duration::from_secs(1);

fn refused(store: &Store, reason: &str) -> u64 {
    store.metric(&format!("group_commit_refused_total{{group=\"shop\",reason=\"{reason}\"}}"))
}

#[tokio::test]
async fn who_would_wait_too_long_is_refused_at_once_and_the_others_are_served() {
    with_store(|store| async move {
        stocked(&store, "mug", 100_000).await;
        let group = shop(&store, Duration::from_millis(600), &CancellationToken::new());
        assert!(group.submit(Want::Take("mug", 1)).await.unwrap(), "now it is known how long a transaction takes");

        let answers = join_all((0..2000).map(|_| buy(&group, "mug"))).await;

        let (served, taken) = told(&answers, true);
        let turned_away: Vec<_> = answers.iter().filter(|answer| answer.0.is_err() && !is_late(answer)).collect();
        assert!(served > 0 && (128..1000).contains(&taken), "{served} of {taken}");
        for (answer, after) in &turned_away {
            assert!(matches!(answer, Err(Error::Unavailable { .. })) && *after < AT_ONCE, "{answer:?} after {after:?}");
        }
        assert_eq!(refused(&store, "backlog"), turned_away.len() as u64);
        assert!((served..=taken).contains(&(sold(&store, "mug").await.1 - 1)));
        assert!(group.submit(Want::Take("mug", 1)).await.unwrap(), "and the next one is served again");
    })
    .await;
}

#[tokio::test]
async fn while_mongodb_says_nothing_one_command_waits_and_the_others_are_refused_at_once() {
    let away = connect("mongodb://127.0.0.1:1/?directConnection=true", "t_away").await;
    let group = shop(&away, Duration::ZERO, &CancellationToken::new());
    let first = tokio::spawn({
        let group = group.clone();
        async move { group.submit(Want::Take("mug", 1)).await }
    });
    sleep(Duration::from_secs(2)).await;
    let early = within(Duration::from_millis(300), group.submit(Want::Take("mug", 1))).await;
    assert!(matches!(early, Err(Error::Timeout { .. })), "a step-down may last so long: {early:?}");
    sleep(Duration::from_secs(2)).await;

    let asked = Instant::now();
    let late = group.submit(Want::Take("mug", 1)).await;

    assert!(matches!(late, Err(Error::Unavailable { .. })) && asked.elapsed() < AT_ONCE, "{late:?}");
    assert_eq!(refused(&away, "silence"), 1);
    assert!(first.await.unwrap().is_err());
}

#[tokio::test]
async fn stopping_with_a_full_queue_answers_everybody() {
    with_store(|store| async move {
        stocked(&store, "mug", 100_000).await;
        let stop = CancellationToken::new();
        let group = shop(&store, Duration::from_millis(5), &stop);
        let callers: Vec<_> = (0..5000)
            .map(|_| {
                let group = group.clone();
                tokio::spawn(async move { buy(&group, "mug").await })
            })
            .collect();
        eventually("the first group is committed", || async { sold(&store, "mug").await.1 > 0 }).await;

        stop.cancel();
        timeout(Duration::from_secs(8), store.mongo.close()).await.expect("the worker ends");

        let answers: Vec<_> = join_all(callers).await.into_iter().map(Result::unwrap).collect();
        let (served, taken) = told(&answers, true);
        assert!((served..=taken).contains(&sold(&store, "mug").await.1), "who was told so has it, nobody else");
        let good = |answer: &Answer| matches!(answer.0, Ok(true) | Err(Error::Unavailable { .. })) || is_late(answer);
        assert!(answers.iter().all(good));
        assert!(served > 0 && taken >= 4096, "{served} of {taken}");
    })
    .await;
}

#[tokio::test]
async fn a_panic_is_told_and_the_next_command_is_carried_out() {
    with_store(|store| async move {
        stocked(&store, "mug", 10).await;
        let group = shop(&store, Duration::ZERO, &CancellationToken::new());
        for _ in 0..20 {
            let panicked = group.submit(Want::Panic).await;
            assert!(matches!(panicked, Err(Error::Failed { .. })), "{panicked:?}");
        }
        assert!(group.submit(Want::Take("mug", 1)).await.unwrap());
        assert_eq!(sold(&store, "mug").await, (9, 1));
    })
    .await;
}

#[tokio::test]
async fn two_slow_pods_take_turns_at_one_document() {
    with_store(|store| async move {
        stocked(&store, "mug", 1_000_000).await;
        let groups = [store.clone(), store.another_pod().await]
            .map(|pod| shop(&pod, Duration::from_millis(150), &CancellationToken::new()));
        let end = Instant::now() + Duration::from_secs(15);
        let buyer = |group: Group<Want, bool>| async move {
            let mut answers = Vec::new();
            while Instant::now() < end {
                answers.push(group.submit(Want::Take("mug", 1)).await);
            }
            answers
        };

        let of_each = groups.map(|group| join_all((0..16).map(|_| buyer(group.clone()))));
        let [here, there] = of_each;
        let (here, there) = futures::future::join(here, there).await;

        let [here, there] = [here.concat(), there.concat()];
        let served = |answers: &[Result<bool, Error>]| answers.iter().filter(|answer| answer.is_ok()).count();
        // Turns are taken by chance: on a busy machine somebody may wait for too long. Without turns a fifth of them do.
        let (all, good) = (here.len() + there.len(), served(&here) + served(&there));
        assert!(good * 10 > all * 9, "{good} of {all} were served: {here:?}, {there:?}");
        let (few, many) = (served(&here).min(served(&there)), served(&here).max(served(&there)));
        assert!(few * 8 > many, "{few} of one pod were served, {many} of the other");
    })
    .await;
}

#[tokio::test]
async fn transactions_and_waits_are_measured_by_group() {
    with_store(|store| async move {
        stocked(&store, "mug", 1000).await;
        let group = shop(&store, Duration::ZERO, &CancellationToken::new());
        let answers = join_all((0..300).map(|_| group.submit(Want::Take("mug", 1)))).await;
        assert!(answers.iter().all(Result::is_ok));
        group.submit(Want::Fail).await.unwrap_err();

        let transactions = store.metric("group_commit_size_count{group=\"shop\"}");
        let committed = "mongodb_transactions_total{ended=\"committed\",operation=\"shop\"}";
        assert!(transactions >= 3);
        assert_eq!(store.metric(committed), transactions, "transactions per command: this by the sum of the sizes");
        assert_eq!(store.metric("mongodb_transactions_total{ended=\"failed\",operation=\"shop\"}"), 1);
        assert_eq!(store.metric("group_commit_wait_seconds_count{group=\"shop\"}"), 301);
    })
    .await;
}

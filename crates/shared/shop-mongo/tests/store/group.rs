//! Group commit when all goes well, or when a member of a group does not.

use std::collections::HashMap;
use std::time::Duration;

use futures::TryStreamExt;
use futures::future::{BoxFuture, join_all};
use shop_mongo::{DEADLINE, Document, Error, Group, Txn, UpdateOp, doc};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::database::{Store, eventually, with_store, within};

/// What a member wants.
#[derive(Debug, Clone)]
pub(crate) enum Want {
    /// Take so many pieces of a stock, or none.
    Take(&'static str, i64),
    /// Insert a row, whether it is there or not.
    Insert(String),
    /// An error of the decision.
    Fail,
    /// A defect.
    Panic,
}

/// Whether the pieces were taken; `true` for rows.
pub(crate) fn shop(store: &Store, pause: Duration, stop: &CancellationToken) -> Group<Want, bool> {
    Group::spawn(&store.mongo, "shop", move |txn, wants| Box::pin(decide(txn, wants, pause)), stop.clone())
}

async fn decide(txn: &mut Txn<'_>, wants: &[Want], pause: Duration) -> Result<Vec<bool>, Error> {
    let skus = wants.iter().filter_map(|want| if let Want::Take(sku, _) = want { Some(*sku) } else { None });
    let stocks: Vec<Document> = txn.find_many("stock", skus).await?;
    let mut left: HashMap<String, i64> = stocks
        .iter()
        .map(|stock| (stock.get_str("_id").unwrap().to_owned(), stock.get_i64("available").unwrap()))
        .collect();
    let (mut taken, mut rows, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    for want in wants {
        answers.push(match want {
            Want::Take(sku, pieces) => match left.get_mut(*sku) {
                Some(available) if *available >= *pieces => {
                    *available -= pieces;
                    taken.push((*sku, *pieces));
                    true
                }
                Some(_) | None => false,
            },
            Want::Insert(id) => {
                rows.push(doc! { "_id": id });
                true
            }
            Want::Fail => return Err(Error::GuardFailed { what: "on purpose", expected: 1, matched: 0 }),
            Want::Panic => panic!("on purpose"),
        });
    }
    taken.sort_unstable();
    let ops = taken.iter().map(|(sku, pieces)| {
        let guard = doc! { "_id": sku, "available": { "$gte": pieces } };
        UpdateOp::new(guard, doc! { "$inc": { "available": -pieces, "sold": pieces } })
    });
    txn.update_each("stock", ops.collect()).await?;
    txn.insert_many("rows", rows).await?;
    sleep(pause).await;
    Ok(answers)
}

pub(crate) async fn stocked(store: &Store, sku: &str, available: i64) {
    store.insert("stock", doc! { "_id": sku, "available": available, "sold": 0_i64 }).await;
    store.mongo.ensure(&[shop_mongo::Setup::new("rows", [])]).await.unwrap();
}

pub(crate) async fn sold(store: &Store, sku: &str) -> (i64, i64) {
    let stock = store.get("stock", sku).await.unwrap();
    (stock.get_i64("available").unwrap(), stock.get_i64("sold").unwrap())
}

/// What a caller gets, and when.
pub(crate) type Answer = (Result<bool, Error>, Duration);

/// Takes one piece.
pub(crate) async fn buy(group: &Group<Want, bool>, sku: &'static str) -> Answer {
    let asked = Instant::now();
    let answer = group.submit(Want::Take(sku, 1)).await;
    (answer, asked.elapsed())
}

/// Whether a command was accepted and its caller gave up: on a busy machine five seconds may not be enough for all.
pub(crate) fn is_late((answer, after): &Answer) -> bool {
    // A last conflict is told when there is no time for another try.
    let gave_up = matches!(answer, Err(Error::Timeout { .. } | Error::Conflict { .. }));
    gave_up && *after + Duration::from_millis(500) > DEADLINE
}

/// How many were told so, and how many more it may be because nobody told those who came too late.
pub(crate) fn told(answers: &[Answer], so: bool) -> (i64, i64) {
    let told = answers.iter().filter(|(answer, _)| matches!(answer, Ok(told) if *told == so)).count();
    let late = answers.iter().filter(|answer| is_late(answer)).count();
    (i64::try_from(told).unwrap(), i64::try_from(told + late).unwrap())
}

#[tokio::test]
async fn a_lone_command_is_committed_at_once() {
    with_store(|store| async move {
        stocked(&store, "mug", 5).await;
        let group = shop(&store, Duration::ZERO, &CancellationToken::new());
        assert!(group.submit(Want::Take("mug", 3)).await.unwrap());
        assert!(!group.submit(Want::Take("mug", 3)).await.unwrap());
        assert_eq!(sold(&store, "mug").await, (2, 3));
    })
    .await;
}

#[tokio::test]
async fn every_caller_gets_its_own_answer_and_is_served_in_the_order_of_arrival() {
    with_store(|store| async move {
        store.mongo.ensure(&[shop_mongo::Setup::new("rows", [])]).await.unwrap();
        let echo: Group<i64, i64> = Group::spawn(
            &store.mongo,
            "echo",
            |txn, numbers| {
                Box::pin(async move {
                    // Each transaction notes whom it served; a document for each keeps their order.
                    txn.insert_many("rows", vec![doc! { "numbers": numbers.to_vec() }]).await?;
                    Ok(numbers.iter().map(|number| number * 2).collect())
                })
            },
            CancellationToken::new(),
        );

        let answers = join_all((0..500).map(|number| echo.submit(number))).await;

        assert_eq!(
            answers.into_iter().map(Result::unwrap).collect::<Vec<_>>(),
            (0..1000).step_by(2).collect::<Vec<_>>()
        );
        // Ids that one process makes ascend.
        let rows = store.mongo.collection::<Document>("rows").find(doc! {}).sort(doc! { "_id": 1 }).await.unwrap();
        let groups: Vec<Document> = rows.try_collect().await.unwrap();
        let numbers = groups.iter().flat_map(|group| group.get_array("numbers").unwrap());
        assert_eq!(numbers.map(|number| number.as_i64().unwrap()).collect::<Vec<_>>(), (0..500).collect::<Vec<_>>());
        assert_eq!(groups.len(), 4, "at most 128 in each");
    })
    .await;
}

#[tokio::test]
async fn two_thousand_buyers_at_three_pods_get_exactly_the_five_hundred_pieces() {
    with_store(|store| async move {
        stocked(&store, "mug", 500).await;
        let pods = [store.clone(), store.another_pod().await, store.another_pod().await];
        let groups: Vec<_> = pods.iter().map(|pod| shop(pod, Duration::ZERO, &CancellationToken::new())).collect();

        let bought = join_all((0..2000).map(|n| buy(&groups[n % 3], "mug"))).await;

        assert!(bought.iter().all(|answer| answer.0.is_ok() || is_late(answer)), "{bought:?}");
        let ((some, most), (none, _)) = (told(&bought, true), told(&bought, false));
        let (left, gone) = sold(&store, "mug").await;
        assert!(some > 0 && (some..=most).contains(&gone), "{gone} are gone, {some} to {most} were sold");
        assert!(left >= 0 && left == 500 - gone, "{left} are left");
        assert!(left == 0 || none == 0, "{none} were told that nothing is left of {left}");
    })
    .await;
}

#[tokio::test]
async fn under_load_one_transaction_serves_many() {
    with_store(|store| async move {
        stocked(&store, "mug", 1_000_000).await;
        let group = shop(&store, Duration::ZERO, &CancellationToken::new());
        let buyer = || async {
            for _ in 0..8 {
                assert!(group.submit(Want::Take("mug", 1)).await.unwrap());
            }
        };

        join_all((0..256).map(|_| buyer())).await;

        assert_eq!(sold(&store, "mug").await.1, 2048);
        assert_eq!(store.metric("group_commit_size_sum{group=\"shop\"}"), 2048);
        let transactions = store.metric("group_commit_size_count{group=\"shop\"}");
        assert!(transactions <= 64, "{transactions} transactions for 2048 commands");
    })
    .await;
}

#[tokio::test]
async fn a_bad_member_fails_alone() {
    with_store(|store| async move {
        stocked(&store, "mug", 1000).await;
        store.insert("rows", doc! { "_id": "taken" }).await;
        let group = shop(&store, Duration::ZERO, &CancellationToken::new());
        let want = |n: usize| match n {
            17 => Want::Fail,
            40 => Want::Insert("taken".to_owned()),
            41 => Want::Panic,
            99 => Want::Insert("free".to_owned()),
            _ => Want::Take("mug", 1),
        };

        let answers = join_all((0..100).map(|n| group.submit(want(n)))).await;

        for (n, answer) in answers.into_iter().enumerate() {
            match n {
                17 => assert!(matches!(answer, Err(Error::GuardFailed { .. })), "{answer:?}"),
                40 => assert!(answer.as_ref().is_err_and(|error| error.is_duplicate_of("_id_")), "{answer:?}"),
                41 => assert!(matches!(answer, Err(Error::Failed { .. })), "{answer:?}"),
                _ => assert!(answer.unwrap(), "{n}"),
            }
        }
        assert_eq!(sold(&store, "mug").await.1, 96, "what the others were told is there, once");
        assert!(store.get("rows", "free").await.is_some());
    })
    .await;
}

#[tokio::test]
async fn two_groups_on_one_document_lose_nothing() {
    with_store(|store| async move {
        stocked(&store, "mug", 10_000).await;
        let groups = [(); 2].map(|()| shop(&store, Duration::from_millis(1), &CancellationToken::new()));

        let answers = join_all((0..600).map(|n| groups[n % 2].submit(Want::Take("mug", 1)))).await;

        assert!(answers.iter().all(|answer| matches!(answer, Ok(true))), "{answers:?}");
        assert_eq!(sold(&store, "mug").await.1, 600);
    })
    .await;
}

fn forgetful<'t>(txn: &'t mut Txn<'_>, rows: &'t [i64]) -> BoxFuture<'t, Result<Vec<()>, Error>> {
    Box::pin(async move {
        txn.insert_many("rows", rows.iter().map(|row| doc! { "_id": row }).collect()).await?;
        Ok(vec![])
    })
}

#[tokio::test]
async fn too_few_answers_are_a_defect_and_nothing_is_committed() {
    with_store(|store| async move {
        store.mongo.ensure(&[shop_mongo::Setup::new("rows", [])]).await.unwrap();
        let group = Group::spawn(&store.mongo, "forgetful", forgetful, CancellationToken::new());
        let answers = join_all((0..5).map(|row| group.submit(row))).await;
        assert!(answers.iter().all(|answer| matches!(answer, Err(Error::Failed { .. }))), "{answers:?}");
        assert_eq!(store.count("rows", doc! {}).await, 0);
    })
    .await;
}

#[tokio::test]
async fn stopping_carries_out_and_answers_what_was_accepted() {
    with_store(|store| async move {
        stocked(&store, "mug", 10_000).await;
        let stop = CancellationToken::new();
        let group = shop(&store, Duration::from_millis(30), &stop);
        let callers: Vec<_> = (0..400)
            .map(|_| {
                let group = group.clone();
                tokio::spawn(async move { group.submit(Want::Take("mug", 1)).await })
            })
            .collect();
        eventually("the first group is committed", || async { sold(&store, "mug").await.1 > 0 }).await;

        stop.cancel();
        timeout(DEADLINE, store.mongo.close()).await.expect("the worker ends");

        assert!(matches!(group.submit(Want::Take("mug", 1)).await, Err(Error::Unavailable { .. })));
        let mut done = 0;
        for caller in callers {
            assert!(matches!(caller.await.unwrap(), Ok(true)), "accepted before the stop");
            done += 1;
        }
        assert_eq!(sold(&store, "mug").await.1, done);
    })
    .await;
}

#[tokio::test]
async fn the_worker_ends_with_the_last_handle() {
    with_store(|store| async move {
        let group = shop(&store, Duration::ZERO, &CancellationToken::new());
        drop(group.clone());
        assert!(timeout(Duration::from_millis(100), store.mongo.close()).await.is_err(), "one handle is left");
        drop(group);
        timeout(DEADLINE, store.mongo.close()).await.expect("the worker ends");
    })
    .await;
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_serves_those_it_took() {
    with_store(|store| async move {
        stocked(&store, "mug", 10_000).await;
        let group = shop(&store, Duration::from_millis(20), &CancellationToken::new());

        let answers = join_all((0..5000).map(|_| buy(&group, "mug"))).await;

        let (served, taken) = told(&answers, true);
        assert!(served > 0 && (4096..5000).contains(&taken), "{served} of {taken}");
        let refused = answers.iter().filter(|answer| answer.0.is_err() && !is_late(answer));
        for (answer, after) in refused {
            let at_once = *after < Duration::from_secs(1);
            assert!(matches!(answer, Err(Error::Unavailable { .. })) && at_once, "{answer:?} after {after:?}");
        }
        assert!((served..=taken).contains(&sold(&store, "mug").await.1));
    })
    .await;
}

#[tokio::test]
async fn a_caller_waits_no_longer_than_its_request() {
    with_store(|store| async move {
        stocked(&store, "mug", 10).await;
        let group = shop(&store, Duration::from_millis(1_500), &CancellationToken::new());
        let first = tokio::spawn({
            let group = group.clone();
            async move { group.submit(Want::Take("mug", 1)).await }
        });
        sleep(Duration::from_millis(50)).await;

        // Both wait for the same transaction, but one of them not long enough.
        let neighbour = tokio::spawn({
            let group = group.clone();
            async move { group.submit(Want::Take("mug", 1)).await }
        });

        let started = Instant::now();
        let waited = within(Duration::from_millis(100), group.submit(Want::Take("mug", 1))).await;

        assert!(matches!(waited, Err(Error::Timeout { what: "shop" })), "{waited:?}");
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
        assert!(first.await.unwrap().unwrap());
        assert!(neighbour.await.unwrap().unwrap());
        assert_eq!(sold(&store, "mug").await.1, 2, "what nobody waited for when its turn came is not carried out");
    })
    .await;
}

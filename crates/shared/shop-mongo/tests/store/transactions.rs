//! Transactions by hand: all or nothing, repeated only when nothing happened.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::future::join_all;
use shop_mongo::{Document, Error, Txn, UpdateOp, doc};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::database::{Store, eventually, uri, with_store, within};
use crate::proxy::{Cut, Proxy};

async fn rows(txn: &mut Txn<'_>) -> Result<Vec<Document>, Error> {
    txn.find("rows", doc! {}).await
}

fn add_one(id: &str) -> UpdateOp {
    UpdateOp::new(doc! { "_id": id }, doc! { "$inc": { "n": 1 } })
}

async fn increment(store: &Store) -> Result<(), Error> {
    store.mongo.transact("increment", |txn| Box::pin(txn.update_each("rows", vec![add_one("a")]))).await
}

#[tokio::test]
async fn a_transaction_sees_its_own_writes_and_others_see_all_or_nothing() {
    with_store(|store| async move {
        let write = |fail: bool| {
            store.mongo.transact("write", move |txn| {
                Box::pin(async move {
                    txn.insert_many("rows", vec![doc! { "_id": "a" }, doc! { "_id": "b" }]).await?;
                    assert_eq!(txn.find_many::<Document, _>("rows", ["a", "b", "c"]).await?.len(), 2);
                    if fail { Err(Error::Conflict { what: "made up" }) } else { Ok(rows(txn).await?.len()) }
                })
            })
        };
        store.mongo.database().create_collection("rows").await.unwrap();

        assert!(within(Duration::from_millis(200), write(true)).await.is_err());
        assert_eq!(store.count("rows", doc! {}).await, 0);

        assert_eq!(write(false).await.unwrap(), 2);
        assert_eq!(store.count("rows", doc! {}).await, 2);
    })
    .await;
}

#[tokio::test]
async fn an_error_that_is_no_conflict_ends_the_transaction_at_once() {
    with_store(|store| async move {
        store.insert("rows", doc! { "_id": "a" }).await;
        let runs = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&runs);
        let ended = store.mongo.transact("insert", move |txn| {
            count.fetch_add(1, Ordering::SeqCst);
            Box::pin(txn.insert_many("rows", vec![doc! { "_id": "b" }, doc! { "_id": "a" }]))
        });
        assert!(ended.await.unwrap_err().is_duplicate_of("_id_"));
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        assert_eq!(store.count("rows", doc! {}).await, 1);
    })
    .await;
}

#[tokio::test]
async fn forty_transactions_on_one_document_all_happen_once() {
    with_store(|store| async move {
        store.insert("rows", doc! { "_id": "a", "n": 0 }).await;
        let other = store.another_pod().await;
        let all = join_all((0..40).map(|n| increment(if n % 2 == 0 { &store } else { &other }))).await;
        let happened = all.iter().filter(|ended| ended.is_ok()).count();
        assert_eq!(store.get("rows", "a").await.unwrap().get_i32("n").unwrap(), i32::try_from(happened).unwrap());
        assert_eq!(happened, 40, "{all:?}");
    })
    .await;
}

#[tokio::test]
async fn a_document_held_by_somebody_else_is_a_conflict_at_the_deadline() {
    with_store(|store| async move {
        store.insert("rows", doc! { "_id": "a", "n": -1 }).await;
        increment(&store).await.unwrap();
        let mut holder = store.mongo.database().client().start_session().await.unwrap();
        holder.start_transaction().await.unwrap();
        let held = store.mongo.collection::<Document>("rows");
        held.update_one(doc! { "_id": "a" }, doc! { "$inc": { "n": 10 } }).session(&mut holder).await.unwrap();

        // When the deadline comes in the middle of a try, nobody knows what became of that.
        let mut conflict = false;
        for _ in 0..5 {
            let started = Instant::now();
            let ended = within(Duration::from_millis(900), increment(&store)).await;
            assert!(matches!(ended, Err(Error::Conflict { .. } | Error::Timeout { .. })), "{ended:?}");
            assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
            conflict = matches!(ended, Err(Error::Conflict { .. }));
            if conflict {
                break;
            }
        }

        assert!(conflict, "no try was told why");
        holder.abort_transaction().await.unwrap();
        increment(&store).await.unwrap();
        assert_eq!(store.get("rows", "a").await.unwrap().get_i32("n").unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_transaction_that_nobody_waits_for_any_more_is_not_committed() {
    with_store(|store| async move {
        store.mongo.database().create_collection("rows").await.unwrap();
        let slow = store.mongo.transact("slow", |txn| {
            Box::pin(async move {
                txn.insert_many("rows", vec![doc! { "_id": "a" }]).await?;
                sleep(Duration::from_millis(300)).await;
                Ok(())
            })
        });
        let ended = within(Duration::from_millis(100), slow).await;
        assert!(matches!(ended, Err(Error::Timeout { what: "slow" })), "{ended:?}");
        store.mongo.close().await;
        assert_eq!(store.count("rows", doc! {}).await, 0);
    })
    .await;
}

#[tokio::test]
async fn sessions_are_few_and_used_again_even_after_panics() {
    with_store(|store| async move {
        let ids = Arc::new(Mutex::new(HashSet::new()));
        let run = |panics: bool| {
            let ids = Arc::clone(&ids);
            store.mongo.transact("read", move |txn| {
                let ids = Arc::clone(&ids);
                Box::pin(async move {
                    if !panics {
                        ids.lock().await.insert(txn.session.id().to_string());
                    }
                    rows(txn).await?;
                    assert!(!panics, "on purpose");
                    Ok(())
                })
            })
        };
        for ended in join_all((0..12).map(|_| run(true))).await {
            assert!(matches!(ended, Err(Error::Failed { .. })), "{ended:?}");
        }
        for ended in join_all((0..60).map(|_| run(false))).await {
            ended.unwrap();
        }
        let used = ids.lock().await.len();
        assert!((1..=8).contains(&used), "{used} sessions");
    })
    .await;
}

#[tokio::test]
async fn many_different_writes_go_in_one_command() {
    with_store(|store| async move {
        store
            .insert("rows", doc! { "_id": "a", "n": 1, "lines": [{ "sku": "mug", "q": 1 }, { "sku": "cup", "q": 1 }] })
            .await;
        store.insert("rows", doc! { "_id": "b", "n": 1 }).await;
        let updated = store.mongo.transact("write", |txn| {
            let by_array = UpdateOp::new(doc! { "_id": "a" }, doc! { "$set": { "lines.$[line].q": 7 } });
            let ops = vec![
                by_array.array_filter(doc! { "line.sku": "cup" }),
                UpdateOp::new(
                    doc! { "_id": "b", "n": 1 },
                    vec![doc! { "$set": { "n": { "$add": ["$n", 4] }, "at": "$$NOW" } }],
                ),
                UpdateOp::new(doc! { "_id": "b", "n": 1 }, doc! { "$set": { "n": 99 } }),
                UpdateOp::new(doc! { "_id": "c" }, doc! { "$set": { "n": 1 } }).upsert(),
            ];
            Box::pin(txn.update_many_ops("rows", ops))
        });

        let updated = updated.await.unwrap();

        assert_eq!((updated.matched, updated.modified, updated.upserted), (3, 2, vec![3]));
        let (a, b) = (store.get("rows", "a").await.unwrap(), store.get("rows", "b").await.unwrap());
        assert!(a.to_string().contains(r#"{ "sku": "cup", "q": 7 }"#), "{a}");
        assert_eq!(b.get_i32("n").unwrap(), 5, "the third guard did not match");
        assert!(b.get_datetime("at").is_ok());
        assert_eq!(store.count("rows", doc! {}).await, 3);
    })
    .await;
}

#[tokio::test]
async fn a_guard_that_finds_nothing_takes_all_back() {
    with_store(|store| async move {
        store.insert("rows", doc! { "_id": "a", "n": 0 }).await;
        let ended =
            store.mongo.transact("write", |txn| Box::pin(txn.update_each("rows", vec![add_one("a"), add_one("z")])));
        let error = ended.await.unwrap_err();
        assert!(matches!(error, Error::GuardFailed { expected: 2, matched: 1, .. }), "{error:?}");
        assert_eq!(store.get("rows", "a").await.unwrap().get_i32("n").unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_taken_key_inside_a_command_that_succeeds_is_an_error() {
    with_store(|store| async move {
        let unique = shop_mongo::options::IndexOptions::builder().unique(true).build();
        let by_n = shop_mongo::IndexModel::builder().keys(doc! { "n": 1 }).options(unique).build();
        store.mongo.collection::<Document>("rows").create_index(by_n).await.unwrap();
        for (id, n) in [("a", 1), ("b", 2)] {
            store.insert("rows", doc! { "_id": id, "n": n }).await;
        }
        let ops = || vec![add_one("b"), add_one("a"), add_one("a")];
        let in_txn = store.mongo.transact("write", move |txn| Box::pin(txn.update_many_ops("rows", ops()))).await;
        assert!(in_txn.unwrap_err().is_duplicate_of("n_1"));
        assert_eq!(store.get("rows", "b").await.unwrap().get_i32("n").unwrap(), 2, "taken back");

        let alone = store.mongo.update_many_ops("write", "rows", ops()).await;
        assert!(alone.unwrap_err().is_duplicate_of("n_1"));
        assert_eq!(
            store.get("rows", "b").await.unwrap().get_i32("n").unwrap(),
            3,
            "without a transaction the first ones stay"
        );
    })
    .await;
}

#[tokio::test]
async fn a_commit_whose_reply_is_lost_is_asked_again_and_happens_once() {
    with_store(|store| async move {
        store.insert("rows", doc! { "_id": "a", "n": 0 }).await;
        let proxy = Proxy::start(&uri(), "commitTransaction", Cut::After).await;
        let pod = store.pod_at(&proxy.uri()).await;
        increment(&pod).await.unwrap();
        // The driver asks once more by itself; the third time is ours.
        proxy.arm(3);

        increment(&pod).await.unwrap();

        assert_eq!(proxy.made(), 3);
        assert_eq!(store.get("rows", "a").await.unwrap().get_i32("n").unwrap(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_transaction_whose_write_never_arrived_is_run_again() {
    with_store(|store| async move {
        store.insert("rows", doc! { "_id": "a", "n": 0 }).await;
        let proxy = Proxy::start(&uri(), "update", Cut::Before).await;
        let pod = store.pod_at(&proxy.uri()).await;
        increment(&pod).await.unwrap();
        proxy.arm(2);

        increment(&pod).await.unwrap();

        assert_eq!(proxy.made(), 2);
        assert_eq!(store.get("rows", "a").await.unwrap().get_i32("n").unwrap(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_transaction_left_open_by_a_lost_write_frees_its_documents_for_the_next_on_its_session() {
    with_store(|store| async move {
        store.insert("rows", doc! { "_id": "a", "n": 0 }).await;
        let proxy = Proxy::start(&uri(), "update", Cut::After).await;
        let pod = store.pod_at(&proxy.uri()).await;
        increment(&pod).await.unwrap();
        proxy.arm(1);

        increment(&pod).await.unwrap();

        assert_eq!(proxy.made(), 1);
        assert_eq!(store.get("rows", "a").await.unwrap().get_i32("n").unwrap(), 2);
        eventually("others can write it, too", || async { increment(&store).await.is_ok() }).await;
    })
    .await;
}

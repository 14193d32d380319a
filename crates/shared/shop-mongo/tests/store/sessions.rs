//! The register of sessions and the reaper: what a dead process had locked comes free, and the living lose nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::future::join_all;
use shop_mongo::bson::oid::ObjectId;
use shop_mongo::{ClientSession, Document, Error, UpdateOp, doc};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::database::{Store, eventually, with_store, within};
use crate::group::{Want, shop, sold, stocked};

pub(crate) const REGISTER: &str = "driver_sessions";

pub(crate) const KILLED: &str = "mongodb_sessions_killed_total{service=\"test\"}";

/// What ruling 18 promises, and some time for a busy machine. A lock that nobody breaks lasts 65 s and more.
pub(crate) const FREE_AGAIN: Duration = Duration::from_secs(10);

pub(crate) async fn registered(store: &Store) -> Vec<Document> {
    use futures::TryStreamExt;
    let rows = store.mongo.collection::<Document>(REGISTER).find(doc! {}).await.unwrap();
    rows.try_collect().await.unwrap()
}

/// A transaction of a client of its own, under a session that stands in the register as one of a process that was seen last
/// so many seconds ago.
async fn held_by(store: &Store, seen_before: i64, skus: &[&str]) -> ClientSession {
    let mut holder = store.mongo.database().client().start_session().await.unwrap();
    register(store, seen_before, vec![holder.id().clone()]).await;
    holder.start_transaction().await.unwrap();
    let stock = store.mongo.collection::<Document>("stock");
    for sku in skus {
        let held = stock.update_one(doc! { "_id": sku }, doc! { "$set": { "held": true } }).session(&mut holder).await;
        assert_eq!(held.unwrap().matched_count, 1);
    }
    holder
}

/// A row of a process that was seen last so many seconds ago.
pub(crate) async fn register(store: &Store, seen_before: i64, sessions: Vec<Document>) {
    let row = doc! { "pod": "order-7", "sessions": sessions };
    let seen = doc! { "$dateSubtract": { "startDate": "$$NOW", "unit": "second", "amount": seen_before } };
    let made = vec![doc! { "$replaceWith": { "$mergeObjects": [{ "_id": "$_id" }, row, { "seen": seen }] } }];
    let rows = store.mongo.collection::<Document>(REGISTER);
    rows.update_one(doc! { "_id": ObjectId::new() }, made).upsert(true).await.unwrap();
}

async fn set_name(store: &Store, sku: &'static str) -> Result<bool, Error> {
    let stock = store.mongo.collection::<Document>("stock");
    let change = doc! { "$set": { "name": sku } };
    let written = store.mongo.run("rename", async move { stock.update_one(doc! { "_id": sku }, change).await }).await?;
    Ok(written.matched_count == 1)
}

async fn increment(store: &Store, sku: &'static str) -> Result<(), Error> {
    let add = move || vec![UpdateOp::new(doc! { "_id": sku }, doc! { "$inc": { "sold": 1_i64 } })];
    store.mongo.transact("increment", move |txn| Box::pin(txn.update_each("stock", add()))).await
}

#[tokio::test]
async fn a_session_stands_in_the_register_before_its_first_use() {
    with_store(|store| async move {
        store.mongo.ensure(&[shop_mongo::Setup::new("rows", [])]).await.unwrap();
        assert_eq!(registered(&store).await, [], "nothing is written before there is a session");
        let rows = store.mongo.collection::<Document>(REGISTER);
        let known = store.mongo.transact("look", move |txn| {
            let rows = rows.clone();
            Box::pin(async move {
                let filter = doc! { "sessions": txn.session.id(), "pod": "local" };
                rows.find_one(filter).await.map_err(|error| txn.sort(error))
            })
        });
        let row = known.await.unwrap().expect("registered while nothing was sent on it");

        let seen = row.get_datetime("seen").unwrap();
        eventually("the row is renewed", || async {
            registered(&store).await.first().is_some_and(|row| row.get_datetime("seen").unwrap() > seen)
        })
        .await;
        store.mongo.close().await;
        eventually("a process that stops leaves nothing behind", || async { registered(&store).await.is_empty() })
            .await;
    })
    .await;
}

#[tokio::test]
async fn all_sessions_that_run_at_once_are_registered() {
    with_store(|store| async move {
        store.mongo.ensure(&[shop_mongo::Setup::new("rows", [])]).await.unwrap();
        let used = join_all((0..30).map(|_| {
            store.mongo.transact("look", |txn| {
                Box::pin(async move {
                    sleep(Duration::from_millis(5)).await;
                    Ok(txn.session.id().clone())
                })
            })
        }));
        let used: Vec<Document> = used.await.into_iter().map(Result::unwrap).collect();
        let rows = registered(&store).await;
        let sessions = rows[0].get_array("sessions").unwrap();
        assert_eq!(rows.len(), 1);
        assert!(used.iter().all(|id| sessions.contains(&id.into())), "{used:?} {sessions:?}");
        assert!(sessions.len() <= 8, "{sessions:?}");
    })
    .await;
}

#[tokio::test]
async fn a_group_gets_the_document_that_a_dead_process_had_locked() {
    with_store(|store| async move {
        stocked(&store, "mug", 10).await;
        let group = shop(&store, Duration::ZERO, &CancellationToken::new());
        let mut dead = held_by(&store, 60, &["mug"]).await;

        let started = Instant::now();
        while let Err(error) = group.submit(Want::Take("mug", 1)).await {
            assert!(matches!(error, Error::Conflict { .. } | Error::Timeout { .. }), "{error:?}");
            assert!(started.elapsed() < FREE_AGAIN);
        }

        assert!(started.elapsed() < FREE_AGAIN, "{:?}", started.elapsed());
        assert_eq!(sold(&store, "mug").await, (9, 1));
        assert_eq!(store.metric(KILLED), 1);
        dead.commit_transaction().await.expect_err("its transaction was ended");
        eventually("the row is taken out", || async { registered(&store).await.len() == 1 }).await;
    })
    .await;
}

#[tokio::test]
async fn more_writes_than_connections_get_the_document_that_a_dead_process_had_locked() {
    with_store(|store| async move {
        stocked(&store, "mug", 10).await;
        let _dead = held_by(&store, 60, &["mug"]).await;

        let started = Instant::now();
        let written = join_all((0..15).map(|_| set_name(&store, "mug"))).await;

        assert!(written.iter().all(|ended| matches!(ended, Ok(true))), "{:?}: {written:?}", started.elapsed());
        assert_eq!(store.get("stock", "mug").await.unwrap().get_str("name").unwrap(), "mug");
    })
    .await;
}

#[tokio::test]
async fn a_transaction_gets_the_document_that_a_dead_process_had_locked() {
    with_store(|store| async move {
        stocked(&store, "mug", 10).await;
        let _dead = held_by(&store, 60, &["mug"]).await;
        increment(&store, "mug").await.unwrap();
        assert_eq!(sold(&store, "mug").await, (10, 1));
    })
    .await;
}

#[tokio::test]
async fn two_pods_that_reap_at_once_do_no_harm() {
    with_store(|store| async move {
        stocked(&store, "mug", 10).await;
        stocked(&store, "cup", 10).await;
        let other = store.another_pod().await;
        let _dead = held_by(&store, 60, &["mug", "cup"]).await;

        let (one, two) = tokio::join!(increment(&store, "mug"), increment(&other, "cup"));

        one.unwrap();
        two.unwrap();
        assert_eq!((sold(&store, "mug").await, sold(&store, "cup").await), ((10, 1), (10, 1)));
        let mut own: Vec<_> =
            registered(&store).await.iter().map(|row| row.get_str("pod").unwrap().to_owned()).collect();
        own.dedup();
        assert_eq!(own, ["local"], "only the living are left");
    })
    .await;
}

#[tokio::test]
async fn a_living_process_keeps_what_it_has_locked() {
    with_store(|store| async move {
        stocked(&store, "mug", 10).await;
        // As if its heart had beaten all the time.
        let mut alive = held_by(&store, -30, &["mug"]).await;

        let waited = within(Duration::from_millis(4500), increment(&store, "mug")).await;

        assert!(matches!(waited, Err(Error::Conflict { .. } | Error::Timeout { .. })), "{waited:?}");
        alive.commit_transaction().await.expect("nobody has touched it");
        assert_eq!(store.metric(KILLED), 0);
        assert_eq!(registered(&store).await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_row_without_sessions_is_taken_out_and_nobody_else_is_killed() {
    with_store(|store| async move {
        stocked(&store, "mug", 10).await;
        let mut unregistered = store.mongo.database().client().start_session().await.unwrap();
        unregistered.start_transaction().await.unwrap();
        let stock = store.mongo.collection::<Document>("stock");
        let change = doc! { "$set": { "held": true } };
        stock.update_one(doc! { "_id": "mug" }, change).session(&mut unregistered).await.unwrap();
        register(&store, 60, Vec::new()).await;

        store.mongo.ensure(&[]).await.unwrap();

        eventually("the row is taken out", || async { registered(&store).await.is_empty() }).await;
        unregistered.commit_transaction().await.expect("killing no session is not killing all sessions");
    })
    .await;
}

/// Where in its first run a transaction loses its session.
#[derive(Clone, Copy)]
enum Lost {
    BetweenStatements,
    InAStatement,
    BeforeTheCommit,
}

/// What a reaper does to a process that it takes for dead, e.g. because it was paused.
async fn take_for_dead(store: &Store, session: &Document) {
    let database = store.mongo.database();
    database.run_command(doc! { "killSessions": [session] }).await.unwrap();
    store.mongo.collection::<Document>(REGISTER).delete_many(doc! {}).await.unwrap();
}

async fn lose(lost: Lost) {
    with_store(move |store| async move {
        stocked(&store, "mug", 10).await;
        let runs = Arc::new(AtomicU32::new(0));
        let (count, pod) = (Arc::clone(&runs), store.clone());
        let add = || vec![UpdateOp::new(doc! { "_id": "mug" }, doc! { "$inc": { "sold": 1_i64 } })];
        let ended = store.mongo.transact("paused", move |txn| {
            let (pod, first) = (pod.clone(), count.fetch_add(1, Ordering::SeqCst) == 0);
            Box::pin(async move {
                txn.update_each("stock", add()).await?;
                let session = txn.session.id().clone();
                if first {
                    match lost {
                        Lost::BetweenStatements | Lost::BeforeTheCommit => take_for_dead(&pod, &session).await,
                        Lost::InAStatement => {
                            let kill = async {
                                sleep(Duration::from_millis(300)).await;
                                take_for_dead(&pod, &session).await;
                            };
                            let slow = txn.find::<Document>("stock", doc! { "$where": "sleep(2000) || true" });
                            let (slow, ()) = tokio::join!(slow, kill);
                            slow?;
                        }
                    }
                }
                if let Lost::BeforeTheCommit = lost {
                    return Ok(());
                }
                txn.update_each("stock", add()).await
            })
        });

        ended.await.unwrap();

        assert_eq!(runs.load(Ordering::SeqCst), 2, "run again, as one that did not happen");
        let once = if let Lost::BeforeTheCommit = lost { 1 } else { 2 };
        assert_eq!(sold(&store, "mug").await, (10, once));
        increment(&store, "mug").await.unwrap();
        eventually("the row is there again", || async {
            increment(&store, "mug").await.unwrap();
            registered(&store).await.len() == 1
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_transaction_that_loses_its_session_between_two_statements_is_run_again() {
    lose(Lost::BetweenStatements).await;
}

#[tokio::test]
async fn a_transaction_that_loses_its_session_in_a_statement_is_run_again() {
    lose(Lost::InAStatement).await;
}

#[tokio::test]
async fn a_transaction_that_loses_its_session_before_its_commit_is_run_again() {
    lose(Lost::BeforeTheCommit).await;
}

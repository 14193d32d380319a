//! A primary that goes, and every error by which it says so: nothing fails that can be repeated, and nothing happens twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use shop_mongo::{Document, Error, Setup, UpdateOp, doc};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::database::{Store, connect, eventually};
use crate::group::{Want, shop, sold, stocked};
use crate::members::Members;
use crate::sessions::{REGISTER, register};

/// What a primary says that steps down, stops, has stopped or cannot reach its own kind.
const GONE: [(i32, &str); 8] = [
    (6, "HostUnreachable"),
    (89, "NetworkTimeout"),
    (91, "ShutdownInProgress"),
    (189, "PrimarySteppedDown"),
    (10107, "NotWritablePrimary"),
    (11600, "InterruptedAtShutdown"),
    (11602, "InterruptedDueToReplStateChange"),
    (13435, "NotPrimaryNoSecondaryOk"),
];
const INTERRUPTED: i32 = 11601;

fn code(code: i32) -> Document {
    doc! { "errorCode": code }
}

fn hang_up() -> Document {
    doc! { "closeConnection": true }
}

fn add_one(id: &str) -> UpdateOp {
    UpdateOp::new(doc! { "_id": id }, doc! { "$inc": { "n": 1_i64 } })
}

async fn in_transaction(store: &Store) -> Result<(), Error> {
    store.mongo.transact("increment", |txn| Box::pin(txn.update_each("rows", vec![add_one("a")]))).await
}

async fn alone(store: &Store) -> Result<(), Error> {
    let rows = store.mongo.collection::<Document>("rows");
    let add = async move { rows.update_one(doc! { "_id": "b" }, doc! { "$inc": { "n": 1_i64 } }).await };
    store.mongo.run("increment", add).await.map(drop)
}

async fn read(store: &Store, id: &'static str) -> Result<i64, Error> {
    let rows = store.mongo.collection::<Document>("rows");
    let row = store.mongo.run("read", async move { rows.find_one(doc! { "_id": id }).await }).await?;
    Ok(row.unwrap().get_i64("n").unwrap())
}

async fn filled(members: &Members) -> Store {
    let store = connect(&members.uri(), "t_failover").await;
    store.mongo.ensure(&[Setup::new("rows", [])]).await.unwrap();
    for id in ["a", "b"] {
        store.insert("rows", doc! { "_id": id, "n": 0_i64 }).await;
    }
    stocked(&store, "mug", 1_000_000).await;
    store
}

#[tokio::test]
async fn what_a_primary_says_when_it_goes_is_no_failure_and_nothing_happens_twice() {
    let members = Members::start(1).await;
    let store = filled(&members).await;
    in_transaction(&store).await.unwrap();
    let mut expected = 1;
    // One statement; the driver does not repeat it, since it repeats no statement of a transaction.
    for (data, name) in GONE
        .map(|(number, name)| (code(number), name))
        .into_iter()
        .chain([(code(INTERRUPTED), "Interrupted"), (hang_up(), "hang up")])
    {
        members.fail(1, data, &["update"]).await;
        in_transaction(&store).await.unwrap_or_else(|error| panic!("statement, {name}: {error:?}"));
        expected += 1;
        assert_eq!(read(&store, "a").await.unwrap(), expected, "statement, {name}");
    }
    // The commit, more often than the driver asks by itself.
    for (data, name) in GONE.map(|(number, name)| (code(number), name)).into_iter().chain([
        (code(INTERRUPTED), "Interrupted"),
        (hang_up(), "hang up"),
        (doc! { "writeConcernError": { "code": 64, "errmsg": "waited too long" } }, "WriteConcernFailed"),
    ]) {
        members.fail(2, data, &["commitTransaction"]).await;
        in_transaction(&store).await.unwrap_or_else(|error| panic!("commit, {name}: {error:?}"));
        members.fail(0, Document::new(), &[]).await;
        expected += 1;
        assert_eq!(read(&store, "a").await.unwrap(), expected, "commit, {name}");
    }
    // What runs outside of transactions is the driver's to repeat, once.
    for (number, name) in GONE {
        members.fail(1, code(number), &["update"]).await;
        alone(&store).await.unwrap_or_else(|error| panic!("write, {name}: {error:?}"));
        members.fail(1, code(number), &["find"]).await;
        read(&store, "b").await.unwrap_or_else(|error| panic!("read, {name}: {error:?}"));
    }
    assert_eq!(read(&store, "b").await.unwrap(), i64::try_from(GONE.len()).unwrap());
    // A command that the driver does not know, and we repeat: its writes are safe to repeat.
    members.fail(3, code(11602), &["update"]).await;
    let set = UpdateOp::new(doc! { "_id": "b" }, doc! { "$set": { "seen": true } });
    store.mongo.update_many_ops("mark", "rows", vec![set]).await.unwrap();
}

#[tokio::test]
async fn a_server_that_refuses_to_kill_sessions_is_told_of_once_and_left_alone() {
    let members = Members::start(1).await;
    let store = filled(&members).await;
    let mut holder = store.mongo.database().client().start_session().await.unwrap();
    holder.start_transaction().await.unwrap();
    let stock = store.mongo.collection::<Document>("stock");
    let held = doc! { "$set": { "held": true } };
    stock.update_one(doc! { "_id": "mug" }, held).session(&mut holder).await.unwrap();
    register(&store, 60, vec![holder.id().clone()]).await;
    let refused = || store.metric("mongodb_session_kills_refused_total{service=\"test\"}");
    for (pods, number) in [13, 59, 8000].into_iter().enumerate() {
        members.fail(100, code(number), &["killSessions"]).await;
        // Each pod rests once it was refused.
        let pod = if pods == 0 { store.clone() } else { connect(&members.uri(), "t_failover").await };
        pod.mongo.ensure(&[]).await.unwrap();
        eventually("it was refused", || async {
            pod.metric("mongodb_session_kills_refused_total{service=\"test\"}") == 1
        })
        .await;
    }
    sleep(Duration::from_secs(2)).await;
    assert_eq!(refused(), 1, "it is not asked again and again");
    members.fail(0, Document::new(), &[]).await;
    holder.commit_transaction().await.expect("nobody was killed");
    assert_eq!(store.count(REGISTER, doc! { "pod": "order-7" }).await, 1, "the row waits for its end");
}

/// Runs something again and again until the end, and counts; nothing of it may fail, and so nothing take longer than 5 s.
async fn again<F: Future<Output = Result<(), Error>>>(
    what: &str,
    end: Instant,
    done: Arc<AtomicI64>,
    run: impl Fn() -> F,
) {
    while Instant::now() < end {
        let started = Instant::now();
        if let Err(error) = run().await {
            let causes: Vec<_> = std::iter::successors(std::error::Error::source(&error), |cause| cause.source())
                .map(ToString::to_string)
                .collect();
            panic!("{what} failed after {:?}: {error}: {causes:?}", started.elapsed());
        }
        done.fetch_add(1, Ordering::SeqCst);
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_steps_down_under_load_fails_nobody_and_nothing_happens_twice() {
    let members = Members::start(3).await;
    let store = filled(&members).await;
    let group = shop(&store, Duration::ZERO, &CancellationToken::new());
    let counts: [Arc<AtomicI64>; 4] = Default::default();
    let end = Instant::now() + Duration::from_secs(8);
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let [taken, in_transactions, written, found] = counts.clone();
        let (pod, group) = (store.clone(), group.clone());
        running.spawn(async move {
            again("a group", end, taken, || async { group.submit(Want::Take("mug", 1)).await.map(drop) }).await;
        });
        let other = pod.clone();
        running.spawn(async move { again("a transaction", end, in_transactions, || in_transaction(&other)).await });
        let other = pod.clone();
        running.spawn(async move { again("a write", end, written, || alone(&other)).await });
        running.spawn(async move { again("a read", end, found, || async { read(&pod, "a").await.map(drop) }).await });
    }
    sleep(Duration::from_secs(2)).await;

    let old = members.primary().await;
    let command = doc! { "replSetStepDown": 20, "secondaryCatchUpPeriodSecs": 5 };
    members.command(old, command).await.unwrap();

    running.join_all().await;
    assert_ne!(members.primary().await, old);
    let [taken, in_transactions, written, _] = counts.map(|count| count.load(Ordering::SeqCst));
    assert_eq!(sold(&store, "mug").await.1, taken);
    assert_eq!((read(&store, "a").await.unwrap(), read(&store, "b").await.unwrap()), (in_transactions, written));
}

//! Real processes that die or stand still in the middle of a transaction. Each is this test binary once more.

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use shop_mongo::{Document, UpdateOp, doc};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::database::{Store, connect, eventually, uri, with_store};
use crate::group::{Want, shop, sold, stocked};
use crate::sessions::{FREE_AGAIN, KILLED, registered};

/// Tells the child which databases it works on.
const PREFIX: &str = "SHOPMESH_TEST_CHILD";

/// Another process of the same service; killed with the test.
struct Other(Child);

impl Other {
    fn start(prefix: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "processes::the_other_process", "--ignored"]).env(PREFIX, prefix);
        Self(command.env("SHOPMESH_TEST_MONGODB_URI", uri()).stdout(Stdio::null()).spawn().unwrap())
    }

    /// SIGKILL: it says good-bye to nobody.
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.0.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn take_one(sku: &str) -> UpdateOp {
    UpdateOp::new(doc! { "_id": sku }, doc! { "$inc": { "sold": 1_i64 } })
}

/// Takes a mug and a cup, tells so and stays in the transaction. Whoever lets it go on sees it take three more mugs.
#[tokio::test]
#[ignore = "what the other process does, started by the tests below"]
async fn the_other_process() {
    #[expect(clippy::disallowed_methods, reason = "how a test tells its child what to do")]
    let prefix = std::env::var(PREFIX).expect("started by a test");
    let store = connect(&uri(), &prefix).await;
    let told = AtomicBool::new(false);
    let pod = store.clone();
    let held = store.mongo.transact("hold", move |txn| {
        let (first, pod) = (!told.swap(true, Ordering::SeqCst), pod.clone());
        Box::pin(async move {
            txn.update_each("stock", vec![take_one("cup"), take_one("mug")]).await?;
            if first {
                pod.insert("rows", doc! { "_id": "holds" }).await;
                // Longer than it takes to stop or kill this process, also on a busy machine.
                sleep(Duration::from_secs(3)).await;
            }
            Ok(())
        })
    });
    let held = held.await.is_ok();
    for _ in 0..3 {
        let taken = store.mongo.transact("take", |txn| Box::pin(txn.update_each("stock", vec![take_one("mug")])));
        taken.await.expect("a process that wakes up can go on");
    }
    store.insert("rows", doc! { "_id": "done", "taken": 3_i64 + i64::from(held) }).await;
    sleep(Duration::from_secs(60)).await;
}

/// Starts the other process and waits until it is in its transaction.
async fn holding(store: &Store) -> Other {
    stocked(store, "mug", 100).await;
    stocked(store, "cup", 100).await;
    let other = Other::start(store.prefix());
    eventually("it holds both documents", || async { store.get("rows", "holds").await.is_some() }).await;
    other
}

/// Takes a mug as a group does, for as long as ruling 18 allows.
async fn take_mug(store: &Store) {
    let group = shop(store, Duration::ZERO, &CancellationToken::new());
    let started = Instant::now();
    while let Err(error) = group.submit(Want::Take("mug", 1)).await {
        assert!(started.elapsed() < FREE_AGAIN, "{error:?}");
    }
    assert!(started.elapsed() < FREE_AGAIN, "{:?}", started.elapsed());
}

/// Writes to the cup as one does outside of transactions.
async fn rename_cup(store: &Store) {
    let started = Instant::now();
    loop {
        let stock = store.mongo.collection::<Document>("stock");
        let change = doc! { "$set": { "name": "cup" } };
        let renamed = store.mongo.run("rename", async move { stock.update_one(doc! { "_id": "cup" }, change).await });
        if renamed.await.is_ok() {
            break;
        }
        assert!(started.elapsed() < FREE_AGAIN);
    }
    assert!(started.elapsed() < FREE_AGAIN, "{:?}", started.elapsed());
}

#[tokio::test]
async fn what_a_killed_process_had_locked_is_free_within_seconds() {
    with_store(|store| async move {
        let mut other = holding(&store).await;
        other.kill();

        tokio::join!(take_mug(&store), rename_cup(&store));

        assert_eq!(
            (sold(&store, "mug").await, sold(&store, "cup").await),
            ((99, 1), (100, 0)),
            "its own writes are gone"
        );
        eventually("the kill is counted", || async { store.metric(KILLED) == 1 }).await;
        eventually("the dead process is taken out", || async { registered(&store).await.len() == 1 }).await;
    })
    .await;
}

#[tokio::test]
async fn a_process_that_stood_still_holds_nobody_up_and_goes_on_when_it_wakes() {
    with_store(|store| async move {
        let other = holding(&store).await;
        other.signal("-STOP");

        take_mug(&store).await;
        eventually("the kill is counted", || async { store.metric(KILLED) == 1 }).await;
        other.signal("-CONT");

        eventually("it has taken its mugs", || async { store.get("rows", "done").await.is_some() }).await;
        let taken = store.get("rows", "done").await.unwrap().get_i64("taken").unwrap();
        assert_eq!(sold(&store, "mug").await, (99, 1 + taken), "each mug that it was told of is taken once");
        assert_eq!(sold(&store, "cup").await, (100, taken - 3));
        eventually("it is registered again", || async { registered(&store).await.len() == 2 }).await;
    })
    .await;
}

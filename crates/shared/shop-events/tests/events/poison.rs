//! What one bad event does to all others: nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use shop_events::{HandleError, Handler};
use shop_mongo::{Document, doc};
use shop_types::Envelope;
use tokio::sync::Mutex;

use crate::shop::{Running, Shop, available, each, eventually, with_shop};

const KEY: &str = "t:events:{inventory}";
/// No event waits longer for another one.
const MOST_DELAY: Duration = Duration::from_secs(1);
/// From here on the handler behaves.
const GOOD: i64 = 1_000;

const PANICS: i64 = 1;
const HANGS: i64 = 2;
const FAILS: i64 = 3;
const WAITS: i64 = 4;

/// Remembers good events, and does something else with each bad one.
fn moody(handled: &Arc<Mutex<Vec<i64>>>) -> Handler {
    let handled = Arc::clone(handled);
    each(move |event| {
        let handled = Arc::clone(&handled);
        async move {
            match available(&event) {
                PANICS => panic!("cannot stand the number one"),
                HANGS => std::future::pending().await,
                FAILS => Err(HandleError::Retry("not yet".into())),
                WAITS => Err(HandleError::Away("no provider".into())),
                good => {
                    handled.lock().await.push(good);
                    Ok(())
                }
            }
        }
    })
}

/// A shop whose consumer is moody.
struct Moody {
    shop: Arc<Shop>,
    handled: Arc<Mutex<Vec<i64>>>,
    running: [Running; 2],
    next: i64,
}

impl Moody {
    async fn open(shop: Arc<Shop>) -> Self {
        let handled = Arc::default();
        let running = [shop.relay().await, shop.consumer(moody(&handled)).await];
        let mut moody = Self { shop, handled, running, next: GOOD };
        moody.delay().await;
        moody
    }

    /// How long a good event takes to its handler.
    async fn delay(&mut self) -> Duration {
        let this = self.next;
        self.next += 1;
        let start = Instant::now();
        self.shop.tell_stock(this..this + 1).await;
        let handled = &self.handled;
        eventually("it is handled", Duration::from_secs(30), async || handled.lock().await.contains(&this)).await;
        start.elapsed()
    }

    /// Three times, what is bad and then what is good. A machine may be slow once; what blocks does so every time.
    async fn assert_nobody_waits(&mut self, what: &str, bad: impl AsyncFn(&Shop)) {
        let mut delays = Vec::new();
        for _ in 0..3 {
            bad(&self.shop).await;
            delays.push(self.delay().await);
            delays.push(self.delay().await);
        }
        let slowest_of_the_best = delays.chunks(2).filter_map(|two| two.iter().max()).min().unwrap();
        assert!(*slowest_of_the_best <= MOST_DELAY, "behind {what} others waited {delays:?}");
    }

    async fn end(self) {
        for one in self.running {
            one.stop().await;
        }
    }
}

fn add(shop: &Shop, id: &str, json: &str) {
    shop.server.cli(&["XADD", KEY, "*", "id", id, "topic", "stock.changed", "json", json]);
}

/// An event as it stands in the stream, changed.
fn forged(shop: &Shop, change: impl Fn(&mut serde_json::Value)) -> (String, String) {
    let event = shop.stock(0);
    let mut json = serde_json::to_value(&event).unwrap();
    change(&mut json);
    (event.id.to_string(), json.to_string())
}

async fn letters(shop: &Shop) -> u64 {
    shop.count("catalog", "dead_letters", doc! {}).await
}

#[tokio::test]
async fn what_cannot_be_read_is_given_up_at_once_and_delays_nobody() {
    with_shop("inventory", |shop| async move {
        let mut moody = Moody::open(shop).await;
        moody.assert_nobody_waits("bad JSON", async |shop| add(shop, "1", "{not json")).await;
        moody
            .assert_nobody_waits("what is not text", async |shop| {
                let bytes =
                    "redis.call('XADD', KEYS[1], '*', 'id', '2', 'topic', 'stock.changed', 'json', '\\255\\254')";
                shop.server.cli(&["EVAL", bytes, "1", KEY]);
            })
            .await;
        moody
            .assert_nobody_waits("an unknown type", async |shop| {
                let (id, json) = forged(shop, |json| json["topic"] = "stock.of.tomorrow".into());
                add(shop, &id, &json);
            })
            .await;
        moody
            .assert_nobody_waits("an unknown version", async |shop| {
                let (id, json) = forged(shop, |json| {
                    json.as_object_mut().unwrap().retain(|field, _| field != "aggregate");
                });
                add(shop, &id, &json);
            })
            .await;
        moody
            .assert_nobody_waits("a megabyte", async |shop| {
                let large = "redis.call('XADD', KEYS[1], '*', 'id', '3', 'topic', 'stock.changed', 'json',
                string.rep('x', 3 * 1024 * 1024))";
                shop.server.cli(&["EVAL", large, "1", KEY]);
            })
            .await;

        let shop = Arc::clone(&moody.shop);
        eventually("all are dead letters", Duration::from_secs(5), async || letters(&shop).await == 15).await;
        let rows = shop.mongo("catalog").await.collection::<Document>("dead_letters");
        assert_eq!(rows.count_documents(doc! { "deliveries": 1_i64 }).await.unwrap(), 15, "nothing was tried again");
        let large = rows.find_one(doc! { "body": { "$regex": "^xxx" } }).await.unwrap().unwrap();
        assert_eq!(large.get_str("body").unwrap().len(), 1 << 20, "what is kept of it");
        moody.end().await;
    })
    .await;
}

#[tokio::test]
async fn what_fails_is_given_up_after_five_deliveries_and_delays_nobody() {
    with_shop("inventory", |shop| async move {
        let mut moody = Moody::open(shop).await;
        for (what, bad) in [("a panic", PANICS), ("what fails", FAILS), ("what waits for somebody", WAITS)] {
            moody.assert_nobody_waits(what, async |shop| shop.tell_stock(bad..bad + 1).await).await;
        }

        let shop = Arc::clone(&moody.shop);
        eventually("they are dead letters", Duration::from_secs(40), async || letters(&shop).await == 6).await;
        let rows = shop.mongo("catalog").await.collection::<Document>("dead_letters");
        assert_eq!(rows.count_documents(doc! { "deliveries": 5_i64 }).await.unwrap(), 6);
        assert_eq!(rows.count_documents(doc! { "body": { "$regex": "\"available\":4" } }).await.unwrap(), 0);
        moody.end().await;
    })
    .await;
}

#[tokio::test]
async fn what_hangs_delays_nobody() {
    with_shop("inventory", |shop| async move {
        let mut moody = Moody::open(shop).await;

        moody.assert_nobody_waits("what hangs", async |shop| shop.tell_stock(HANGS..HANGS + 1).await).await;

        for one in moody.running {
            one.kill().await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_away_for_some_holds_up_nobody_else() {
    with_shop("inventory", |shop| async move {
        let mut moody = Moody::open(shop).await;
        moody
            .assert_nobody_waits("a crowd that waits for somebody", async |shop| {
                // Of each pair one waits; each pair is a batch of its own.
                for turn in 0..8 {
                    let pair = [shop.stock(WAITS), shop.stock(GOOD * 2 + turn)];
                    shop.tell(pair.to_vec()).await;
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            })
            .await;
        moody.end().await;
    })
    .await;
}

#[tokio::test]
async fn events_behind_too_many_that_hang_wait_and_are_not_lost() {
    with_shop("inventory", |shop| async move {
        let mended = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (works, remembering) = (Arc::clone(&mended), shop.remembering().await);
        let handler: Handler = Arc::new(move |events: Vec<Envelope>| {
            if works.load(std::sync::atomic::Ordering::SeqCst) {
                remembering(events)
            } else {
                Box::pin(std::future::pending())
            }
        });
        let (relay, consumer) = (shop.relay().await, shop.consumer(handler).await);

        for turn in 0..12 {
            shop.tell_stock(turn..turn + 1).await;
            tokio::time::sleep(Duration::from_millis(400)).await;
        }

        let pending: u64 = shop.server.cli(&["XPENDING", KEY, "catalog"]).lines().next().unwrap().parse().unwrap();
        assert!(pending <= 8, "{pending} were taken out of the stream");
        mended.store(true, std::sync::atomic::Ordering::SeqCst);
        eventually("all effects are there", Duration::from_secs(60), async || shop.remembered().await.len() == 12)
            .await;
        relay.stop().await;
        consumer.stop().await;
    })
    .await;
}

//! A small shop: inventory tells catalog of stock. What belongs here: its databases, its Redis, and what tests ask of them.

use std::future::Future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use shop_config::{MongoConfig, RedisConfig, Secret};
use shop_events::{DeadLetters, HandleError, Handler, spawn_consumer, spawn_relay};
use shop_mongo::{Document, Mongo, doc, inbox, outbox};
use shop_redis::Redis;
use shop_telemetry::metrics::{Metrics, render};
use shop_types::event::StockFact;
use shop_types::{Clock, Envelope, Event, EventId, Topic};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::server::Server;

/// Stands still; its ids count up, and no two clocks begin at the same.
#[derive(Debug)]
struct TestClock(AtomicU64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn new_id(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::Relaxed)))
    }
}

fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Databases and a Redis of one test's own.
pub(crate) struct Shop {
    pub(crate) server: Server,
    pub(crate) metrics: Metrics,
    prefix: String,
    producer: &'static str,
    outbox: Mongo,
    clock: Arc<TestClock>,
}

/// Something that runs in a shop until it is told to stop.
pub(crate) struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(15), self.task).await.unwrap().unwrap();
    }

    /// Ends it as a crash would: in the middle.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// Runs a test in a shop where `producer` has events to tell.
pub(crate) async fn with_shop<F>(producer: &'static str, test: impl FnOnce(Arc<Shop>) -> F)
where
    F: Future<Output = ()>,
{
    let prefix = format!("t_{:016x}", random());
    let outbox = connect_mongo(&prefix, producer, &Metrics::new("test")).await;
    assert!(outbox.ping().await, "no MongoDB at SHOPMESH_TEST_MONGODB_URI or port 27117: run `make deps servers-up`");
    outbox.ensure(&shop_events::relay_setup()).await.unwrap();
    let clock = Arc::new(TestClock(AtomicU64::new(random())));
    let server = Server::start();
    let shop = Shop { server, metrics: Metrics::new("test"), prefix: prefix.clone(), producer, outbox, clock };
    let identity = shop.identity().await;
    let ended = AssertUnwindSafe(test(Arc::new(shop))).catch_unwind().await;
    identity.kill().await;
    for service in ["inventory", "catalog", "identity"] {
        let mongo = connect_mongo(&prefix, service, &Metrics::new("test")).await;
        mongo.database().drop().await.unwrap();
    }
    if let Err(panic) = ended {
        std::panic::resume_unwind(panic);
    }
}

async fn connect_mongo(prefix: &str, service: &str, metrics: &Metrics) -> Mongo {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests find their servers by environment; shop-testkit stands above this crate"
    )]
    let set = std::env::var("SHOPMESH_TEST_MONGODB_URI");
    let uri = set.unwrap_or_else(|_| "mongodb://127.0.0.1:27117/?replicaSet=rs0&directConnection=true".to_owned());
    let config =
        MongoConfig { uri: Secret::new(uri), database_prefix: prefix.to_owned(), owner: None, max_pool_size: 10 };
    Mongo::connect(service, &config, metrics).await.unwrap()
}

impl Shop {
    pub(crate) fn redis(&self) -> Redis {
        let config = RedisConfig { url: Secret::new(self.server.url()), key_prefix: "t:".into() };
        Redis::connect(&config, &Metrics::new("test")).unwrap()
    }

    pub(crate) async fn mongo(&self, service: &str) -> Mongo {
        connect_mongo(&self.prefix, service, &Metrics::new("test")).await
    }

    /// Starts a relay of the producer, as one pod would.
    pub(crate) async fn relay(&self) -> Running {
        let stop = CancellationToken::new();
        let mongo = self.mongo(self.producer).await;
        let task = spawn_relay(self.producer, mongo, self.redis(), &self.metrics, stop.clone());
        Running { stop, task }
    }

    /// Starts a consumer of stock in catalog, as one pod would.
    pub(crate) async fn consumer(&self, handler: Handler) -> Running {
        let stop = CancellationToken::new();
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as _;
        let mongo = self.mongo("catalog").await;
        let topics = [Topic::StockChanged];
        let task = spawn_consumer("catalog", &topics, mongo, self.redis(), handler, clock, &self.metrics, stop.clone());
        Running { stop, task }
    }

    /// Identity listens to everybody, for the writes of staff; here it hears nothing of its own, and is never in the way.
    async fn identity(&self) -> Running {
        let stop = CancellationToken::new();
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as _;
        let (mongo, metrics) = (self.mongo("identity").await, Metrics::new("identity"));
        let topics = [Topic::OrderCreated, Topic::StaffCalled, Topic::StaffAnswered];
        let handler = each(|_| std::future::ready(Ok(())));
        let task = spawn_consumer("identity", &topics, mongo, self.redis(), handler, clock, &metrics, stop.clone());
        Running { stop, task }
    }

    /// What a service does that takes every event once: remembers it, with its inbox row.
    pub(crate) async fn remembering(&self) -> Handler {
        let mongo = self.mongo("catalog").await;
        mongo.ensure(&shop_events::consumer_setup()).await.unwrap();
        Arc::new(move |events: Vec<Envelope>| -> BoxFuture<'static, Vec<Result<(), HandleError>>> {
            let mongo = mongo.clone();
            Box::pin(async move {
                let count = events.len();
                match remember(&mongo, events).await {
                    Ok(()) => (0..count).map(|_| Ok(())).collect(),
                    Err(error) => (0..count).map(|_| Err(HandleError::retry(&error))).collect(),
                }
            })
        })
    }

    pub(crate) fn stock(&self, available: i64) -> Envelope {
        self.event(Event::StockChanged(StockFact { sku: "mug".parse().unwrap(), available, version: available }))
    }

    pub(crate) fn event(&self, event: Event) -> Envelope {
        let id = EventId::from_uuid(self.clock.new_id());
        let version = i64::try_from(id.as_uuid().as_u128() & 0xffff_ffff).unwrap();
        let occurred_at = self.clock.now();
        Envelope { id, aggregate: "mug".into(), version, occurred_at, traceparent: None, event }
    }

    /// The producer's own database.
    pub(crate) fn outbox(&self) -> &Mongo {
        &self.outbox
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock) as _
    }

    /// Writes events to the producer's outbox.
    pub(crate) async fn tell(&self, events: Vec<Envelope>) {
        let events: Arc<[Envelope]> = events.into();
        self.outbox
            .transact("tell", move |txn| {
                let events = Arc::clone(&events);
                async move { outbox::append(txn, &events).await }.boxed()
            })
            .await
            .unwrap();
    }

    /// Facts of stock `from..to`, told in one transaction.
    pub(crate) async fn tell_stock(&self, range: std::ops::Range<i64>) {
        self.tell(range.map(|available| self.stock(available)).collect()).await;
    }

    /// What the handler of [`Self::remembering`] has remembered, in its order.
    pub(crate) async fn remembered(&self) -> Vec<i64> {
        use futures::TryStreamExt;
        let effects = self.mongo("catalog").await.collection::<Document>("effects");
        let found = effects.find(doc! {}).sort(doc! { "_id": 1 }).await.unwrap();
        found.map_ok(|effect| effect.get_i64("available").unwrap()).try_collect().await.unwrap()
    }

    pub(crate) async fn count(&self, service: &str, collection: &str, filter: Document) -> u64 {
        self.mongo(service).await.collection::<Document>(collection).count_documents(filter).await.unwrap()
    }

    /// What an admin can do with the letters of catalog, whose handler is this one.
    pub(crate) async fn letters(&self, handler: Handler) -> DeadLetters {
        DeadLetters::new("catalog", self.mongo("catalog").await, vec![(&[Topic::StockChanged], handler)])
    }

    pub(crate) async fn unconfirmed(&self) -> u64 {
        self.outbox.collection::<Document>("outbox").count_documents(doc! { "confirmed": false }).await.unwrap()
    }

    pub(crate) fn length(&self) -> u64 {
        let key = format!("t:events:{{{}}}", self.producer);
        self.server.cli(&["XLEN", &key]).parse().unwrap()
    }

    /// The value of a metric, by its name and labels without `service`.
    pub(crate) fn metric(&self, line: &str) -> i64 {
        let text = render(std::slice::from_ref(&self.metrics));
        let text = text.replace(",service=\"test\"", "").replace("service=\"test\",", "");
        let value = text.lines().find_map(|printed| printed.strip_prefix(line)).map(str::trim);
        value.map_or(0, |value| value.parse().unwrap())
    }
}

async fn remember(mongo: &Mongo, events: Vec<Envelope>) -> Result<(), shop_mongo::Error> {
    let events: Arc<[Envelope]> = events.into();
    mongo
        .transact("remember", move |txn| {
            let events = Arc::clone(&events);
            async move {
                let ids: Vec<EventId> = events.iter().map(|event| event.id).collect();
                let had = inbox::claim(txn, "catalog", &ids).await?;
                let new = events.iter().filter(|event| !had.contains(&event.id));
                let effects = new.map(|event| doc! { "event": event.id.to_string(), "available": available(event) });
                txn.insert_many("effects", effects.collect()).await
            }
            .boxed()
        })
        .await
}

/// Waits until something holds.
pub(crate) async fn eventually(what: &str, within: Duration, mut holds: impl AsyncFnMut() -> bool) {
    let until = Instant::now() + within;
    while !holds().await {
        assert!(Instant::now() < until, "not within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// Makes a handler of a function of one event.
pub(crate) fn each<F, Fut>(handle: F) -> Handler
where
    F: Fn(Envelope) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), HandleError>> + Send + 'static,
{
    shop_events::each(&Arc::new(()), move |_, event| handle(event))
}

/// The stock that an event tells of.
pub(crate) fn available(event: &Envelope) -> i64 {
    let Event::StockChanged(fact) = &event.event else { panic!("not of stock: {event:?}") };
    fact.available
}

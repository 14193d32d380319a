//! A database for each test, and what several tests ask of it.

use std::future::Future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use shop_config::{MongoConfig, Secret};
use shop_mongo::{Document, Mongo, doc};
use shop_telemetry::context::{self, Context};
use shop_telemetry::metrics::{Metrics, render};
use tokio::time::Instant;

/// A service with its database.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) mongo: Mongo,
    pub(crate) metrics: Metrics,
    prefix: String,
}

impl Store {
    /// Another pod of the same service.
    pub(crate) async fn another_pod(&self) -> Self {
        self.pod_at(&uri()).await
    }

    /// Another pod of the same service, which reaches the server in its own way.
    pub(crate) async fn pod_at(&self, uri: &str) -> Self {
        connect(uri, &self.prefix).await
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(crate) async fn count(&self, collection: &str, filter: Document) -> u64 {
        self.mongo.collection::<Document>(collection).count_documents(filter).await.unwrap()
    }

    pub(crate) async fn insert(&self, collection: &str, document: Document) {
        self.mongo.collection::<Document>(collection).insert_one(document).await.unwrap();
    }

    pub(crate) async fn get(&self, collection: &str, id: &str) -> Option<Document> {
        self.mongo.collection::<Document>(collection).find_one(doc! { "_id": id }).await.unwrap()
    }

    /// The value of a counting metric, by the start of its line without the label `service`.
    pub(crate) fn metric(&self, line: &str) -> u64 {
        let text = render(std::slice::from_ref(&self.metrics))
            .replace(",service=\"test\"", "")
            .replace("service=\"test\",", "");
        let value = text.lines().find_map(|printed| printed.strip_prefix(line)).map(str::trim);
        value.map_or(0, |value| value.parse().unwrap())
    }
}

pub(crate) fn uri() -> String {
    // shop-testkit reads this for the services, but stands above this crate.
    #[expect(clippy::disallowed_methods, reason = "a test of the lowest crate has no configuration to take it from")]
    let set = std::env::var("SHOPMESH_TEST_MONGODB_URI");
    set.unwrap_or_else(|_| "mongodb://127.0.0.1:27117/?replicaSet=rs0&directConnection=true".to_owned())
}

pub(crate) async fn connect(uri: &str, prefix: &str) -> Store {
    let config =
        MongoConfig { uri: Secret::new(uri), database_prefix: prefix.to_owned(), max_pool_size: 10, owner: None };
    let metrics = Metrics::new("test");
    let mongo = Mongo::connect("test", &config, &metrics).await.expect("the URI is well-formed");
    Store { mongo, metrics, prefix: prefix.to_owned() }
}

/// Runs a test on a database of its own.
pub(crate) async fn with_store<F>(test: impl FnOnce(Store) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let random = RandomState::new().build_hasher().finish();
    let store = connect(&uri(), &format!("t_{random:016x}")).await;
    assert!(
        store.mongo.ping().await,
        "no MongoDB at SHOPMESH_TEST_MONGODB_URI or port 27117: run `make deps` and `make servers-up`"
    );
    let ended = tokio::spawn(test(store.clone())).await;
    store.mongo.database().drop().await.expect("the test's database can be dropped");
    if let Err(failed) = ended {
        std::panic::resume_unwind(failed.into_panic());
    }
}

/// Runs a future as a request that waits only so long.
pub(crate) async fn within<F: Future>(left: Duration, future: F) -> F::Output {
    let deadline = Some(Instant::now() + left);
    let context = Context { request_id: "test".into(), deadline, authorization: None, guest_token: None };
    context::scope(context, future).await
}

/// Asks until it is so, for half a minute.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let until = Instant::now() + Duration::from_secs(30);
    while !is_so().await {
        assert!(Instant::now() < until, "not within 30 s: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

//! What the tests of this service start from: the running service beside a catalog, buyers, their carts.

use std::time::Duration;

use futures::TryStreamExt as _;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use shop_config::Config;
use shop_mongo::bson::DateTime;
use shop_mongo::{Document, doc};
use shop_redis::{Copies, Redis};
use shop_telemetry::metrics::Metrics;
use shop_testkit::{Peers, TestShop};

use crate::catalog::FakeCatalog;

/// The running service and the catalog that it asks: a mug at 5.00 and a cup at 3.00 EUR.
pub(crate) async fn cart_service() -> (TestShop, FakeCatalog) {
    let catalog = FakeCatalog::default();
    catalog.sell("mug", 500).await;
    catalog.sell("cup", 300).await;
    let peers = Peers { grpc: Some(catalog.routes()), ..Peers::default() };
    let shop = TestShop::start_beside(peers, |config| async move { cart::service(&config).await }).await;
    (shop, catalog)
}

/// Somebody who buys: a header that says who.
#[derive(Debug, Clone)]
pub(crate) struct Buyer(pub(crate) &'static str, pub(crate) String);

impl Buyer {
    /// A new customer.
    pub(crate) fn customer(shop: &TestShop) -> Self {
        Self("Authorization", shop.callers().customer().bearer())
    }

    /// The holder of a guest token.
    pub(crate) fn guest(token: &str) -> Self {
        Self("X-Guest-Token", token.to_owned())
    }
}

/// A request by a buyer.
pub(crate) fn request(shop: &TestShop, buyer: &Buyer, method: Method, path: &str) -> RequestBuilder {
    shop.client().request(method, shop.url(path)).header(buyer.0, &buyer.1)
}

/// What came back, as far as tests look at it.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) etag: Option<String>,
    pub(crate) body: Value,
}

impl Answer {
    /// The stable code of an error.
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// SKU and quantity of each line.
    pub(crate) fn lines(&self) -> Vec<(&str, u64)> {
        let lines = self.body["lines"].as_array().unwrap_or_else(|| panic!("no cart: {}", self.body));
        lines.iter().map(|line| (line["sku"].as_str().unwrap(), line["quantity"].as_u64().unwrap())).collect()
    }

    /// The total in minor units.
    pub(crate) fn total(&self) -> i64 {
        self.body["total"]["amount"].as_i64().unwrap_or_else(|| panic!("no cart: {}", self.body))
    }
}

/// Sends a request.
pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let reply = request.send().await.unwrap();
    let status = reply.status().as_u16();
    let etag = reply.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
    let bytes = reply.bytes().await.unwrap();
    let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
    Answer { status, etag, body }
}

/// A guest's new cart: its holder and its path.
pub(crate) async fn a_guest_cart(shop: &TestShop) -> (Buyer, String) {
    let opened = answer(shop.client().post(shop.url("/api/v1/carts"))).await;
    assert_eq!(opened.status, 201, "{}", opened.body);
    (Buyer::guest(opened.body["guestToken"].as_str().unwrap()), path_of(&opened))
}

/// A customer's new cart: its owner and its path.
pub(crate) async fn a_customer_cart(shop: &TestShop) -> (Buyer, String) {
    let buyer = Buyer::customer(shop);
    let opened = answer(request(shop, &buyer, Method::POST, "/api/v1/carts")).await;
    assert_eq!(opened.status, 201, "{}", opened.body);
    (buyer, path_of(&opened))
}

/// The path of the cart that was answered.
pub(crate) fn path_of(answer: &Answer) -> String {
    format!("/api/v1/carts/{}", answer.body["id"].as_str().unwrap())
}

/// The id in the path of a cart.
pub(crate) fn id_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

/// The error without what differs from answer to answer.
pub(crate) fn bare(mut answer: Answer) -> Answer {
    let body = answer.body.as_object_mut().unwrap();
    body.remove("requestId");
    body.remove("timestamp");
    answer
}

/// Puts pieces into a cart.
pub(crate) async fn add(shop: &TestShop, buyer: &Buyer, cart: &str, sku: &str, quantity: u32) -> Answer {
    let body = json!({ "sku": sku, "quantity": quantity });
    answer(request(shop, buyer, Method::POST, &format!("{cart}/items")).json(&body)).await
}

/// Reads a cart.
pub(crate) async fn show(shop: &TestShop, buyer: &Buyer, cart: &str) -> Answer {
    answer(request(shop, buyer, Method::GET, cart)).await
}

/// A second pod of the service, on the same databases and beside the same catalog.
pub(crate) async fn another_pod(shop: &TestShop, change: impl FnOnce(&mut Config)) -> TestShop {
    let mut config = shop.config().clone();
    config.pod = "test-1".into();
    change(&mut config);
    TestShop::start_beside(Peers::default(), |_| async move { cart::service(&config).await }).await
}

/// The copies of carts that all pods of a shop share, for looking and for writing around the service.
pub(crate) async fn copies(shop: &TestShop) -> Copies {
    let redis = Redis::connect(shop.config().redis.as_ref().unwrap(), &Metrics::new("test")).unwrap();
    eventually("Redis answers", async || redis.ping().await).await;
    cart::app::copies(&redis).unwrap()
}

/// Lets all prices that were shown grow two minutes old.
pub(crate) async fn age_prices(shop: &TestShop) {
    let carts = shop.mongo("cart").await.collection::<Document>("carts");
    let then = DateTime::from_millis(DateTime::now().timestamp_millis() - 120_000);
    carts.update_many(doc! {}, doc! { "$set": { "lines.$[].priced_at": then } }).await.unwrap();
    let stored: Vec<Document> = carts.find(doc! {}).await.unwrap().try_collect().await.unwrap();
    let owners: Vec<_> = stored.iter().map(|cart| cart.get_str("owner").unwrap().to_owned()).collect();
    copies(shop).await.invalidate(&owners).await;
}

/// Asks again until it holds, for 10 s.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..200 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("after 10 s still not so: {what}");
}

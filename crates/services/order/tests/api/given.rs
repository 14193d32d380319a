//! What the tests of this service start from: the running service beside fakes, buyers, and what was written and told.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use shop_config::Aliases;
use shop_mongo::{Document, Mongo, doc};
use shop_redis::{Entry, Redis};
use shop_service::{Running, SystemClock};
use shop_telemetry::metrics::Metrics;
use shop_testkit::{FakeClock, Peers, TestShop, Who};
use shop_types::event::PaymentFact;
use shop_types::{Clock, Envelope, Event, EventId, Money};

use crate::fakes::Fakes;

/// The running service and what stands beside it: a mug at 5.00 EUR and a cup at 3.00 EUR, 1,000 pieces of each.
pub(crate) struct Given {
    pub(crate) shop: TestShop,
    pub(crate) fakes: Fakes,
    pub(crate) mongo: Mongo,
    redis: Redis,
}

/// Somebody who buys: a header that says who.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Buyer(pub(crate) &'static str, pub(crate) String);

impl Buyer {
    /// Somebody with a token.
    pub(crate) fn of(who: &Who) -> Self {
        Self("Authorization", who.bearer())
    }

    /// The holder of a guest token, told apart by a letter.
    pub(crate) fn guest(letter: &str) -> Self {
        Self("X-Guest-Token", letter.repeat(43))
    }
}

/// What came back, as far as tests look at it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) etag: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) replayed: bool,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: Value,
}

impl Answer {
    /// The stable code of an error.
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// The order that it shows or names.
    pub(crate) fn order(&self) -> String {
        let id = self.body["id"].as_str().or_else(|| self.body["orderId"].as_str());
        id.unwrap_or_else(|| panic!("no order: {}", self.body)).to_owned()
    }

    /// The state of the order that it shows.
    pub(crate) fn state(&self) -> &str {
        self.body["status"].as_str().unwrap_or_else(|| panic!("no order: {}", self.body))
    }

    /// The error without what differs from answer to answer.
    pub(crate) fn bare(mut self) -> Self {
        if let Some(body) = self.body.as_object_mut() {
            body.remove("requestId");
            body.remove("timestamp");
        }
        self
    }
}

impl Given {
    /// The service with the usual deadline.
    pub(crate) async fn new() -> Self {
        Self::with_deadline(Duration::from_secs(900)).await
    }

    /// The service whose orders wait so long for their money.
    pub(crate) async fn with_deadline(deadline: Duration) -> Self {
        Self::start((deadline, Aliases::On), Arc::new(SystemClock)).await
    }

    /// The service whose aliases are like this.
    pub(crate) async fn with_aliases(aliases: Aliases) -> Self {
        Self::start((Duration::from_secs(900), aliases), Arc::new(SystemClock)).await
    }

    /// The service in a pod with a clock of its own.
    pub(crate) async fn at(clock: Arc<FakeClock>) -> Self {
        Self::start((Duration::from_secs(900), Aliases::On), clock).await
    }

    async fn start((deadline, aliases): (Duration, Aliases), clock: Arc<dyn Clock>) -> Self {
        let fakes = Fakes::default();
        fakes.sell("mug", 500, 1000).await;
        fakes.sell("cup", 300, 1000).await;
        let peers = Peers { grpc: Some(fakes.routes()), ..Peers::default() };
        let shop = TestShop::start_beside(peers, |mut config| async move {
            config.order_deadline = deadline;
            config.aliases = aliases;
            order::service_with_clock(&config, clock).await
        })
        .await;
        let redis = Redis::connect(shop.config().redis.as_ref().unwrap(), &Metrics::new("test")).unwrap();
        Self { mongo: shop.mongo("order").await, shop, fakes, redis }
    }

    /// Another pod of the same service, on the same database.
    pub(crate) async fn another_pod(&self) -> Running {
        let mut config = self.shop.config().clone();
        config.pod = "test-1".into();
        let pod = shop_service::launch(vec![order::service(&config).await.unwrap()]).await.unwrap();
        let ready = format!("http://{}/readyz", pod.admin);
        eventually("the other pod is ready", || async {
            self.shop.client().get(&ready).send().await.is_ok_and(|reply| reply.status().is_success())
        })
        .await;
        pod
    }

    /// A new customer.
    pub(crate) fn customer(&self) -> Buyer {
        Buyer::of(&self.shop.callers().customer())
    }

    /// Places an order with a key.
    pub(crate) async fn place(&self, buyer: &Buyer, key: &str, body: &Value) -> Answer {
        self.place_at(&self.shop.url("/api/v1/orders"), buyer, key, body).await
    }

    /// Places an order at a certain pod.
    pub(crate) async fn place_at(&self, url: &str, buyer: &Buyer, key: &str, body: &Value) -> Answer {
        let request = self.shop.client().post(url).header(buyer.0, &buyer.1);
        answer(request.header("Idempotency-Key", key).json(body)).await
    }

    /// Reads or does something without a body.
    pub(crate) async fn send(&self, method: Method, path: &str, buyer: &Buyer) -> Answer {
        answer(self.shop.client().request(method, self.shop.url(path)).header(buyer.0, &buyer.1)).await
    }

    /// Reads an order.
    pub(crate) async fn show(&self, buyer: &Buyer, order: &str) -> Answer {
        self.send(Method::GET, &format!("/api/v1/orders/{order}"), buyer).await
    }

    /// Pays an order by another attempt.
    pub(crate) async fn pay(&self, buyer: &Buyer, order: &str, key: &str, method: &str) -> Answer {
        let url = self.shop.url(&format!("/api/v1/orders/{order}/payments"));
        let request = self.shop.client().post(url).header(buyer.0, &buyer.1).header("Idempotency-Key", key);
        answer(request.json(&json!({ "payment": { "method": method } }))).await
    }

    /// Changes something that was seen at a version.
    pub(crate) async fn patch(&self, who: &Buyer, path: &str, version: i64, body: &Value) -> Answer {
        let request = self.shop.client().patch(self.shop.url(path)).header(who.0, &who.1);
        answer(request.header("If-Match", format!("\"{version}\"")).json(body)).await
    }

    /// Takes an order further by hand.
    pub(crate) async fn advance(&self, who: &Buyer, order: &str, version: i64, status: &str) -> Answer {
        self.patch(who, &format!("/api/v1/orders/{order}/status"), version, &json!({ "status": status })).await
    }

    /// Asks for a return.
    pub(crate) async fn send_back(&self, buyer: &Buyer, order: &str, key: &str, reason: &str) -> Answer {
        let url = self.shop.url(&format!("/api/v1/orders/{order}/returns"));
        let request = self.shop.client().post(url).header(buyer.0, &buyer.1).header("Idempotency-Key", key);
        answer(request.json(&json!({ "reason": reason }))).await
    }

    /// An order that was paid for and shipped by staff, at version 4.
    pub(crate) async fn shipped(&self, buyer: &Buyer, body: &Value) -> String {
        let order = self.place(buyer, "shipped", body).await.order();
        self.tell(Event::PaymentCaptured, &order, 1).await;
        let staff = Buyer::of(&self.shop.callers().staff());
        let shipped = self.advance(&staff, &order, 3, "shipped").await;
        assert_eq!((shipped.status, shipped.state()), (200, "shipped"), "{}", shipped.body);
        order
    }

    /// Cancels an order.
    pub(crate) async fn cancel(&self, buyer: &Buyer, order: &str) -> Answer {
        self.send(Method::POST, &format!("/api/v1/orders/{order}/cancel"), buyer).await
    }

    /// Waits until an order is in a state.
    pub(crate) async fn becomes(&self, buyer: &Buyer, order: &str, state: &str) {
        eventually(&format!("the order is {state}"), || async { self.show(buyer, order).await.state() == state }).await;
    }

    /// Orders that were written down.
    pub(crate) async fn orders(&self) -> u64 {
        self.mongo.collection::<Document>("orders").count_documents(doc! {}).await.unwrap()
    }

    /// What was told of an order, oldest first.
    pub(crate) async fn told(&self, order: &str) -> Vec<String> {
        let outbox = self.mongo.collection::<Document>("outbox");
        let mut rows = outbox.find(doc! { "aggregate": order }).sort(doc! { "version": 1 }).await.unwrap();
        let mut told = Vec::new();
        while rows.advance().await.unwrap() {
            told.push(rows.current().get_str("topic").unwrap().to_owned());
        }
        told
    }

    /// Publishes a fact about the first payment of an order so many times and waits until all of it is acknowledged.
    pub(crate) async fn tell(&self, event: fn(PaymentFact) -> Event, order: &str, times: usize) {
        self.tell_of(1, None, event, order, times).await;
    }

    /// Publishes a fact about an attempt, after which the shop keeps so much of the money.
    pub(crate) async fn tell_of(
        &self,
        attempt: u32,
        remaining: Option<i64>,
        event: fn(PaymentFact) -> Event,
        order: &str,
        times: usize,
    ) {
        let eur = |cents| Money::new(cents, "EUR".parse().unwrap());
        let fact = PaymentFact {
            payment_id: format!("{order}:{attempt}"),
            order_id: order.parse().unwrap(),
            amount: eur(500),
            remaining: remaining.map(eur),
            reason: None,
        };
        let envelope = Envelope {
            id: EventId::from_uuid(SystemClock.new_id()),
            aggregate: fact.payment_id.clone(),
            version: 2,
            occurred_at: SystemClock.now(),
            traceparent: None,
            event: event(fact),
        };
        self.deliver("payment", &envelope, times).await;
    }

    /// Publishes an event of a service so many times and waits until all of it is acknowledged.
    pub(crate) async fn deliver(&self, service: &str, envelope: &Envelope, times: usize) {
        let entry = Entry {
            event_id: envelope.id.to_string(),
            topic: envelope.event.topic().name().into(),
            json: serde_json::to_string(envelope).unwrap(),
            mirror: None,
        };
        let stream = self.redis.stream(service);
        let mark = stream.open("test").await.unwrap();
        for _ in 0..times {
            stream.append(&mark, std::slice::from_ref(&entry)).await.unwrap();
        }
        eventually("everything is acknowledged", || async {
            let floor = stream.floor(&mark, &["order"]).await.unwrap();
            floor.groups.iter().any(|group| group.name == "order" && group.lag == 0)
        })
        .await;
    }
}

/// An order of mugs, named one by one.
pub(crate) fn mugs(quantity: u32, method: &str) -> Value {
    json!({ "items": [{ "sku": "mug", "quantity": quantity }], "payment": { "method": method } })
}

/// An address in a street.
pub(crate) fn address(line1: &str) -> Value {
    json!({ "name": "Ada King", "line1": line1, "city": "London", "postalCode": "SW1Y 4JH", "country": "GB" })
}

/// An order of a cart.
pub(crate) fn all_of(cart: &str) -> Value {
    json!({ "cartId": cart, "payment": { "method": "tok_visa" } })
}

/// Sends a request.
pub(crate) async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let reply = request.send().await.unwrap();
    let header = |name: &str| reply.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (status, etag, location) = (reply.status().as_u16(), header("etag"), header("location"));
    let replayed = header("idempotency-replayed").as_deref() == Some("true");
    let retry_after = header("retry-after");
    let bytes = reply.bytes().await.unwrap();
    let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
    Answer { status, etag, location, replayed, retry_after, body }
}

/// Asks again until it holds, for 25 s.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    for _ in 0..500 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("after 25 s still not so: {what}");
}

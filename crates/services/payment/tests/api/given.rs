//! What the tests of this service start from: the running service beside a provider, and what both have come to.

use std::future::Future;
use std::time::Duration;

use payment::domain::reconciliation::Portions;
use sandbox_psp::settings::Webhook;
use sandbox_psp::{Server, Settings};
use serde_json::{Value, json};
use shop_mongo::{Document, Mongo, doc};
use shop_proto::money::Money as MoneyProto;
use shop_proto::payment::payment_client::PaymentClient;
use shop_proto::payment::{AuthorizeReply, AuthorizeRequest, GetPaymentRequest, PaymentState};
use shop_redis::{Entry, Redis};
use shop_service::SystemClock;
use shop_telemetry::metrics::Metrics;
use shop_testkit::{Peers, TestShop, Who};
use shop_types::event::OrderFact;
use shop_types::{Clock as _, Envelope, Event, EventId, Money, OrderId, UserId};
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};

pub(crate) const API_KEY: &str = "key-of-the-test";
pub(crate) const WEBHOOK_SECRET: &str = "webhook-secret-of-the-test";

/// The running service and its provider.
pub(crate) struct Given {
    pub(crate) shop: TestShop,
    pub(crate) mongo: Mongo,
    pub(crate) psp: Server,
    redis: Redis,
    // Holds the ledger of the provider.
    _folder: TempDir,
}

impl Given {
    /// A provider that tells nothing by itself.
    pub(crate) async fn new() -> Self {
        Self::with_ledger(&[]).await
    }

    /// A provider that has booked something before.
    pub(crate) async fn with_ledger(entries: &[Value]) -> Self {
        Self::in_portions(entries, Portions::default()).await
    }

    /// The same, and the service compares the books in other portions.
    pub(crate) async fn in_portions(entries: &[Value], portions: Portions) -> Self {
        let (folder, settings) = provider_settings(entries);
        // A lost try hangs longer than anybody waits.
        let psp = Server::start(&settings).await.unwrap();
        let peers = peers(format!("http://{}", psp.address()));
        let shop =
            TestShop::start_beside(peers, move |config| async move { payment::service_with(&config, portions).await });
        Self::of(shop.await, psp, folder).await
    }

    /// A provider that tells the service of every booking.
    pub(crate) async fn with_webhooks() -> Self {
        let (folder, settings) = provider_settings(&[]);
        // Each has to know the other's address first.
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let shop = shop_beside(format!("http://{address}")).await;
        let secret_file = folder.path().join("secret");
        std::fs::write(&secret_file, WEBHOOK_SECRET).unwrap();
        let webhook = Some(Webhook { url: shop.url("/api/v1/payments/webhooks/sandbox"), secret_file });
        let psp = Server::start(&Settings { address, webhook, ..settings }).await.unwrap();
        Self::of(shop, psp, folder).await
    }

    async fn of(shop: TestShop, psp: Server, folder: TempDir) -> Self {
        let redis = Redis::connect(shop.config().redis.as_ref().unwrap(), &Metrics::new("test")).unwrap();
        Self { mongo: shop.mongo("payment").await, shop, psp, redis, _folder: folder }
    }

    /// What the service measures.
    pub(crate) async fn metrics(&self) -> String {
        let reply = self.shop.client().get(self.shop.admin_url("/metrics")).send().await.unwrap();
        reply.text().await.unwrap()
    }

    pub(crate) async fn client(&self) -> PaymentClient<Channel> {
        client(&self.shop).await
    }

    /// Authorises 5.00 EUR for the first attempt of an order.
    pub(crate) async fn authorize(&self, order: OrderId, method: &str) -> AuthorizeReply {
        self.client().await.authorize(request(order, method)).await.unwrap().into_inner()
    }

    /// The state of the first attempt of an order.
    pub(crate) async fn state(&self, order: OrderId) -> PaymentState {
        let request = GetPaymentRequest { payment_id: format!("{order}:1") };
        self.client().await.get_payment(request).await.unwrap().into_inner().state()
    }

    /// Waits until the first attempt of an order is in a state.
    pub(crate) async fn becomes(&self, order: OrderId, state: PaymentState) {
        eventually(&format!("the payment is {state:?}"), || async { self.state(order).await == state }).await;
    }

    /// What the provider has done, oldest first: kind and idempotency key of each entry of its ledger about an order.
    pub(crate) async fn ledger(&self, order: OrderId) -> Vec<(String, String)> {
        let url = format!("http://{}/v1/ledger", self.psp.address());
        let reply = self.shop.client().get(url).bearer_auth(API_KEY).send().await.unwrap();
        let ledger: Value = reply.json().await.unwrap();
        let entries = ledger["entries"].as_array().unwrap().iter();
        let about = entries.filter(|entry| entry["reference"].as_str().unwrap().starts_with(&order.to_string()));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        about.map(|entry| (text(&entry["kind"]), text(&entry["key"]))).collect()
    }

    /// The kinds of the provider's ledger about an order.
    pub(crate) async fn ledger_kinds(&self, order: OrderId) -> Vec<String> {
        self.ledger(order).await.into_iter().map(|(kind, _)| kind).collect()
    }

    /// Asks the provider for a hold behind the service's back, as a request that was long under way does.
    pub(crate) async fn late_hold(&self, order: OrderId) {
        let reference = format!("{order}:1");
        let body = json!({ "amount": 500, "currency": "EUR", "reference": reference, "method": "tok_visa" });
        let url = format!("http://{}/v1/authorizations", self.psp.address());
        let sent = self.shop.client().post(url).bearer_auth(API_KEY).header("Idempotency-Key", reference).json(&body);
        assert_eq!(sent.send().await.unwrap().status().as_u16(), 201);
    }

    /// What the service has told others about the first attempt of an order, oldest first.
    pub(crate) async fn told(&self, order: OrderId) -> Vec<String> {
        let rows = documents(&self.mongo, "outbox", doc! { "aggregate": format!("{order}:1") }).await;
        let mut told: Vec<_> = rows
            .iter()
            .map(|row| (row.get_i64("version").unwrap(), row.get_str("topic").unwrap().to_owned()))
            .collect();
        told.sort();
        told.into_iter().map(|(_, topic)| topic).collect()
    }

    /// Publishes an event of an order so many times and waits until the service has acknowledged everything.
    pub(crate) async fn tell(&self, event: Event, times: usize) {
        let envelope = Envelope {
            id: EventId::from_uuid(SystemClock.new_id()),
            aggregate: "some order".into(),
            version: 1,
            occurred_at: SystemClock.now(),
            traceparent: None,
            event,
        };
        let entry = Entry {
            event_id: envelope.id.to_string(),
            topic: envelope.event.topic().name().into(),
            json: serde_json::to_string(&envelope).unwrap(),
            mirror: None,
        };
        let stream = self.redis.stream("order");
        let mark = stream.open("test").await.unwrap();
        for _ in 0..times {
            stream.append(&mark, std::slice::from_ref(&entry)).await.unwrap();
        }
        eventually("everything is acknowledged", || async {
            let floor = stream.floor(&mark, &["payment"]).await.unwrap();
            floor.groups.iter().any(|group| group.name == "payment" && group.lag == 0)
        })
        .await;
    }

    /// Writes a payment as a pod that died would have left it.
    pub(crate) async fn left_behind(&self, order: OrderId, fields: Document) {
        let now = shop_mongo::bson::DateTime::from_millis(SystemClock.now().as_millisecond());
        let mut payment = doc! {
            "_id": format!("{order}:1"), "order_id": order.to_string(), "attempt": 1_i64, "user_id": null,
            "amount": 500_i64, "currency": "EUR", "method": "tok_visa", "state": "CREATED", "hold": null,
            "next_action_url": null, "refund_after_capture": false, "reason": null, "refunds": [], "version": 1_i64, "created_at": now, "since": now,
            "tries": 0_i64, "next_try_at": now,
        };
        payment.extend(fields);
        self.mongo.collection::<Document>("payments").insert_one(payment).await.unwrap();
    }

    /// Sends an HTTP request as somebody, or as nobody.
    pub(crate) async fn http(&self, verb: &str, path: &str, who: Option<&Who>) -> (u16, Value) {
        let mut request = self.shop.client().request(verb.parse().unwrap(), self.shop.url(path));
        if let Some(who) = who {
            request = request.header("Authorization", who.bearer());
        }
        let reply = request.send().await.unwrap();
        (reply.status().as_u16(), reply.json().await.unwrap())
    }
}

fn provider_settings(ledger: &[Value]) -> (TempDir, Settings) {
    let folder = tempfile::tempdir().unwrap();
    let (key_file, ledger_file) = (folder.path().join("key"), folder.path().join("ledger"));
    std::fs::write(&key_file, API_KEY).unwrap();
    let lines: Vec<String> = ledger.iter().map(|entry| format!("{entry}\n")).collect();
    std::fs::write(&ledger_file, lines.concat()).unwrap();
    (folder, Settings { ledger_file: Some(ledger_file), ..Settings::local(key_file) })
}

/// The service with a provider at a URL.
pub(crate) async fn shop_beside(payment_url: String) -> TestShop {
    TestShop::start_beside(peers(payment_url), |config| async move { payment::service(&config).await }).await
}

fn peers(payment_url: String) -> Peers {
    Peers {
        payment_url: Some(payment_url),
        payment_api_key: Some(API_KEY.into()),
        payment_webhook_secret: Some(WEBHOOK_SECRET.into()),
        ..Peers::default()
    }
}

/// A client of the gRPC port.
pub(crate) async fn client(shop: &TestShop) -> PaymentClient<Channel> {
    PaymentClient::new(Endpoint::from_shared(shop.grpc_url()).unwrap().connect().await.unwrap())
}

/// A new order's id.
pub(crate) fn an_order() -> OrderId {
    OrderId::from_uuid(SystemClock.new_id())
}

/// The first attempt to pay 5.00 EUR for an order.
pub(crate) fn request(order: OrderId, method: &str) -> AuthorizeRequest {
    let amount = Some(MoneyProto { amount: 500, currency: "EUR".into() });
    AuthorizeRequest { order_id: order.to_string(), attempt: 1, amount, method: method.into(), user_id: String::new() }
}

/// What an order tells about itself, naming its first payment.
pub(crate) fn fact(order: OrderId, user_id: Option<UserId>) -> OrderFact {
    OrderFact {
        order_id: order,
        number: 1,
        user_id,
        cart: None,
        lines: Vec::new(),
        total: Money::new(500, "EUR".parse().unwrap()),
        payment_id: Some(format!("{order}:1")),
        reason: None,
    }
}

/// All documents of a collection that match.
pub(crate) async fn documents(mongo: &Mongo, collection: &str, filter: Document) -> Vec<Document> {
    let mut cursor = mongo.collection::<Document>(collection).find(filter).await.unwrap();
    let mut found = Vec::new();
    while cursor.advance().await.unwrap() {
        found.push(cursor.deserialize_current().unwrap());
    }
    found
}

/// Asks again until it holds, for 20 s.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    for _ in 0..400 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("after 20 s still not so: {what}");
}

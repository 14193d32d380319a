//! The databases of a real shop: all services in one process, the sandbox provider beside them, people who buy.

use std::time::Duration;

use futures::TryStreamExt as _;
use order_check::{LedgerSource, Settings};
use sandbox_psp::Server;
use serde_json::{Value, json};
use shop_mongo::{Document, doc};
use shop_service::Service;
use shop_testkit::{Peers, TestShop, Who};
use tempfile::TempDir;

use crate::given::{append, now, violated};

const KEY: &str = "key-of-the-provider";
const ORDERS: &str = "/api/v1/orders";

/// A running shop that writes down what people are answered.
struct Shop {
    services: TestShop,
    provider: Server,
    folder: TempDir,
}

async fn services(config: shop_config::Config) -> anyhow::Result<Vec<Service>> {
    Ok(vec![
        identity::service(&config).await?,
        catalog::service(&config).await?,
        inventory::service(&config).await?,
        cart::service(&config).await?,
        payment::service(&config).await?,
        order::service(&config).await?,
    ])
}

impl Shop {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        std::fs::write(&key, KEY).unwrap();
        let provider = Server::start(&sandbox_psp::Settings::local(key)).await.unwrap();
        let peers = Peers {
            payment_url: Some(format!("http://{}", provider.address())),
            payment_api_key: Some(KEY.into()),
            ..Peers::default()
        };
        Self { services: Box::pin(TestShop::start_all(peers, services)).await, provider, folder }
    }

    fn settings(&self) -> Settings {
        let mut settings = Settings::new(self.services.config().mongodb.clone().unwrap());
        let url = format!("http://{}", self.provider.address());
        settings.ledger = Some(LedgerSource::new(&url, Some(KEY.into())).unwrap());
        settings.history = Some(self.folder.path().join("history"));
        settings.wait = Some(Duration::from_secs(60));
        settings
    }

    /// Sends a request and writes down the answer.
    async fn send(
        &self,
        who: &Who,
        method: &str,
        route: &str,
        order: &str,
        key: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let at = now();
        let url = self.services.url(&route.replace("{id}", order));
        let mut request = self.services.client().request(method.parse().unwrap(), url);
        request = request.header("authorization", who.bearer());
        if !key.is_empty() {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        let reply = request.send().await.unwrap();
        let (status, reply) = (reply.status().as_u16(), reply.json::<Value>().await.unwrap_or_default());
        let named = [&reply["id"], &reply["orderId"]].into_iter().find_map(Value::as_str);
        let order = named.or((!order.is_empty()).then_some(order)).filter(|_| route.starts_with(ORDERS));
        append(
            self.folder.path().join("history"),
            &json!({
                "at": at, "ms": now().duration_since(at).as_millis(), "user": who.id.to_string(), "key": key,
                "method": method, "route": route, "status": status, "order_id": order,
                "total": reply["total"]["amount"], "err": reply["code"], "reply": reply,
            }),
        );
        (status, reply)
    }

    async fn on_sale(&self, sku: &str, stock: i64) {
        let product =
            json!({ "name": sku, "sku": sku, "stock": stock, "price": { "amount": 1290, "currency": "EUR" } });
        let staff = self.services.callers().staff();
        let (status, body) = self.send(&staff, "POST", "/api/v1/products", "", sku, Some(product)).await;
        assert_eq!(status, 201, "{body}");
    }

    async fn order(&self, who: &Who, sku: &str, card: &str, key: &str) -> (u16, String) {
        let body = json!({ "items": [{ "sku": sku, "quantity": 2 }], "payment": { "method": card } });
        let (status, reply) = self.send(who, "POST", ORDERS, "", key, Some(body)).await;
        let id = reply["id"].as_str().or(reply["orderId"].as_str());
        (status, id.unwrap_or_else(|| panic!("no order in {reply}")).to_owned())
    }

    async fn eventually(&self, who: &Who, order: &str, status: &str) {
        for _ in 0..600 {
            let (_, reply) = self.send(who, "GET", "/api/v1/orders/{id}", order, "", None).await;
            if reply["status"] == status {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("order {order} is not {status} after 30 s");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_shop_holds_while_people_buy_cancel_and_are_refused() {
    let mut shop = Shop::open().await;
    shop.on_sale("mug", 50).await;
    shop.on_sale("cup", 1).await;
    let (ada, bob) = (shop.services.callers().customer(), shop.services.callers().customer());

    let (status, bought) = shop.order(&ada, "mug", "tok_visa", "a1").await;
    assert_eq!(status, 201);
    let again = shop.order(&ada, "mug", "tok_visa", "a1").await;
    assert_eq!(again, (201, bought.clone()), "the same key again");
    let (status, cancelled) = shop.order(&ada, "mug", "tok_visa", "a2").await;
    assert_eq!(status, 201);
    let (status, _) = shop.order(&bob, "mug", "tok_declined", "b1").await;
    assert_eq!(status, 402);
    let (status, _) = shop.order(&bob, "cup", "tok_visa", "b2").await;
    assert_eq!(status, 409);
    // It goes on; nothing that moves is held against it.
    let mut live = shop.settings();
    live.wait = None;
    let report = order_check::check(&live).await.unwrap();
    assert!(report.holds(), "{report}");
    shop.eventually(&ada, &cancelled, "paid").await;
    let (status, _) = shop.send(&ada, "POST", "/api/v1/orders/{id}/cancel", &cancelled, "", None).await;
    assert_eq!(status, 200);

    let report = order_check::check(&shop.settings()).await.unwrap();

    assert!(report.holds(), "{report}");
    assert!(report.lines.iter().all(|line| line.not_checked.is_none()), "{report}");
    shop.eventually(&ada, &bought, "paid").await;
    shop.eventually(&ada, &cancelled, "cancelled").await;

    shop.services.stop().await;
    every_question_is_answered_by_an_index(&shop).await;
    contradictions_show(&shop, &bought).await;
}

/// The server notes how it found what the judge asked for.
async fn every_question_is_answered_by_an_index(shop: &Shop) {
    let mut profiled = Vec::new();
    for service in ["identity", "catalog", "inventory", "cart", "payment", "order"] {
        let mongo = shop.services.mongo(service).await;
        mongo.database().run_command(doc! { "profile": 2, "filter": "unset" }).await.unwrap();
        profiled.push(mongo);
    }
    let report = order_check::check(&shop.settings()).await.unwrap();
    assert!(report.holds(), "{report}");
    let mut asked = 0;
    for mongo in profiled {
        mongo.database().run_command(doc! { "profile": 0 }).await.unwrap();
        let notes = mongo.database().collection::<Document>("system.profile");
        let ours = doc! { "planSummary": { "$exists": true }, "ns": { "$not": { "$regex": "system\\.profile$" } } };
        let notes: Vec<Document> = notes.find(ours).await.unwrap().try_collect().await.unwrap();
        asked += notes.len();
        for note in notes {
            let plan = note.get_str("planSummary").unwrap();
            assert!(!plan.contains("COLLSCAN"), "{plan} for {}", note.get_document("command").unwrap());
        }
    }
    assert!(asked > 20, "the profiler saw {asked} questions");
}

/// The same books with one thing wrong.
async fn contradictions_show(shop: &Shop, order: &str) {
    let inventory = shop.services.mongo("inventory").await;
    let reservations = inventory.collection::<Document>("reservations");
    reservations.update_one(doc! { "_id": order }, doc! { "$set": { "state": "RELEASED" } }).await.unwrap();
    let mut settings = shop.settings();
    settings.wait = None;
    let report = order_check::check(&settings).await.unwrap();
    assert_eq!(violated(&report), ["I2", "I3", "I7"], "{report}");
}

//! A shop with its payment provider, and people who use it.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use sandbox_psp::{Server, Settings};
use serde_json::{Value, json};
use shop_config::Config;
use shop_service::Service;
use shop_testkit::{Callers, Peers, TestShop};
use tempfile::TempDir;
use tests::calls::asks_again;
use tests::wait::until;

const PSP_KEY: &str = "key-of-the-journeys";
/// Who is the first admin.
pub(crate) const ADMIN_EMAIL: &str = "boss@example.org";
/// And how they log in.
pub(crate) const ADMIN_PASSWORD: &str = "correct horse battery";

/// A running shop.
pub(crate) struct Shop {
    pub(crate) services: TestShop,
    /// What ran before a restart: it owns the databases and the keys.
    before: Option<TestShop>,
    provider: Server,
    // Holds the provider's key.
    _folder: TempDir,
}

/// Someone with a token.
pub(crate) struct Person<'a> {
    shop: &'a Shop,
    pub(crate) token: String,
}

/// What was answered.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
    /// Whether it says that it was given before.
    pub(crate) replayed: bool,
}

/// All services of the table in one process.
pub(crate) async fn services(mut config: Config) -> anyhow::Result<Vec<Service>> {
    let folder = config.auth.key_set_file.with_file_name("");
    for (name, text, file) in [
        ("admin-email", ADMIN_EMAIL, &mut config.identity.admin_email_file),
        ("admin-password", ADMIN_PASSWORD, &mut config.identity.admin_password_file),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, text)?;
        *file = Some(path);
    }
    Ok(vec![
        identity::service(&config).await?,
        catalog::service(&config).await?,
        inventory::service(&config).await?,
        cart::service(&config).await?,
        payment::service(&config).await?,
        order::service(&config).await?,
        edge::service(&config).await?,
    ])
}

impl Shop {
    pub(crate) async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        std::fs::write(&key, PSP_KEY).unwrap();
        let settings = Settings { hang: Duration::from_secs(20), ..Settings::local(key) };
        let provider = Server::start(&settings).await.unwrap();
        let peers = Peers {
            payment_url: Some(format!("http://{}", provider.address())),
            payment_api_key: Some(PSP_KEY.into()),
            ..Peers::default()
        };
        let services = Box::pin(TestShop::start_all(peers, services)).await;
        Self { services, before: None, provider, _folder: folder }
    }

    /// Stops all services and starts them again on the same databases and streams.
    pub(crate) async fn restart(&mut self) {
        self.services.stop().await;
        let config = self.services.config().clone();
        let again = Box::pin(TestShop::start_all(Peers::default(), |_| services(config))).await;
        self.before = Some(std::mem::replace(&mut self.services, again));
    }

    pub(crate) fn staff(&self) -> Person<'_> {
        self.person(self.callers().staff().token)
    }

    pub(crate) fn admin(&self) -> Person<'_> {
        self.person(self.callers().admin().token)
    }

    pub(crate) fn customer(&self) -> Person<'_> {
        self.person(self.callers().customer().token)
    }

    /// Someone who got a token earlier.
    pub(crate) fn person(&self, token: String) -> Person<'_> {
        Person { shop: self, token }
    }

    fn callers(&self) -> &Callers {
        self.before.as_ref().unwrap_or(&self.services).callers()
    }

    /// Puts a product on sale, in EUR cents, and waits until it is in stock.
    pub(crate) async fn on_sale(&self, sku: &str, price: i64, stock: i64) {
        let product = json!({
            "name": format!("Product {sku}"), "sku": sku, "stock": stock,
            "price": { "amount": price, "currency": "EUR" },
        });
        let staff = self.staff();
        let made = staff.send(Method::POST, "/api/v1/products", Some(&format!("make-{sku}")), Some(&product)).await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        self.stock(sku, (stock, 0, 0)).await;
    }

    /// Waits until the stock is so many available, reserved and sold.
    pub(crate) async fn stock(&self, sku: &str, expected: (i64, i64, i64)) {
        let staff = self.staff();
        let path = format!("/api/v1/stock/{sku}");
        let look = || async {
            let body = staff.send(Method::GET, &path, None, None).await.body;
            let pieces = |field: &str| body[field].as_i64();
            (pieces("available"), pieces("reserved"), pieces("sold"))
        };
        let (available, reserved, sold) = expected;
        let expected = (Some(available), Some(reserved), Some(sold));
        until(&format!("the stock of {sku} is {expected:?}"), look, |stock| *stock == expected).await;
    }

    /// What the provider holds and took, as kind and amount, in the order of its ledger.
    pub(crate) async fn ledger(&self) -> Vec<(String, i64)> {
        let url = format!("http://{}/v1/ledger", self.provider.address());
        let reply = self.services.client().get(url).bearer_auth(PSP_KEY).send().await.unwrap();
        let body: Value = reply.json().await.unwrap();
        let entries = body["entries"].as_array().unwrap();
        let text = |entry: &Value| entry["kind"].as_str().unwrap().to_owned();
        entries.iter().map(|entry| (text(entry), entry["amount"].as_i64().unwrap_or_default())).collect()
    }
}

impl Answer {
    /// Whether it is not the last word: the same request is to be sent again.
    pub(crate) fn asks_again(&self) -> bool {
        asks_again(self.status.as_u16(), &self.body)
    }
}

impl Person<'_> {
    pub(crate) async fn send(&self, method: Method, path: &str, key: Option<&str>, body: Option<&Value>) -> Answer {
        send(self.shop, ("authorization", &format!("Bearer {}", self.token)), method, path, key, body).await
    }

    /// A cart with so many of a SKU in it.
    pub(crate) async fn cart(&self, sku: &str, quantity: u32) -> String {
        let opened = self.send(Method::POST, "/api/v1/carts", None, Some(&json!({}))).await;
        let id = opened.body["id"].as_str().unwrap_or_else(|| panic!("{opened:?}")).to_owned();
        let item = json!({ "sku": sku, "quantity": quantity });
        let filled = self.send(Method::POST, &format!("/api/v1/carts/{id}/items"), None, Some(&item)).await;
        assert_eq!(filled.status, StatusCode::OK, "{filled:?}");
        id
    }

    /// Orders what is in a cart, paid by a card of the sandbox. What takes longer than 3 s is answered 202, and asked for
    /// again here, by its key, until there is the last word on it.
    pub(crate) async fn order(&self, cart: &str, card: &str, key: &str) -> Answer {
        let send = || self.order_once(cart, card, key);
        until("the order is answered", send, |answer| !answer.asks_again()).await
    }

    /// The same, sent once.
    pub(crate) async fn order_once(&self, cart: &str, card: &str, key: &str) -> Answer {
        let order = json!({ "cartId": cart, "payment": { "method": card } });
        self.send(Method::POST, "/api/v1/orders", Some(key), Some(&order)).await
    }

    /// The order as it is now.
    pub(crate) async fn look(&self, order: &str) -> Value {
        self.send(Method::GET, &format!("/api/v1/orders/{order}"), None, None).await.body
    }

    /// Waits until an order has a status.
    pub(crate) async fn status(&self, order: &str, status: &str) -> Value {
        until(&format!("the order is {status}"), || self.look(order), |order| order["status"] == status).await
    }
}

/// One request with the header that says who asks.
pub(crate) async fn send(
    shop: &Shop,
    who: (&str, &str),
    method: Method,
    path: &str,
    key: Option<&str>,
    body: Option<&Value>,
) -> Answer {
    let mut request = shop.services.client().request(method, shop.services.url(path)).header(who.0, who.1);
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    let reply = request.send().await.unwrap();
    let replayed = reply.headers().get("idempotency-replayed").is_some();
    let status = reply.status();
    let text = reply.text().await.unwrap();
    Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null), replayed }
}

/// The id in an answer about an order, or about one that was not placed.
pub(crate) fn order_of(answer: &Answer) -> String {
    let id = answer.body["id"].as_str().or_else(|| answer.body["orderId"].as_str());
    id.unwrap_or_else(|| panic!("no order in {answer:?}")).to_owned()
}

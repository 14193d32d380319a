//! Somebody in front of a shop: HTTP through NGINX, as any client would.

use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tests::calls::asks_again;
use tests::wait::until;

use crate::cluster::Site;

/// Somebody in front of a shop.
#[derive(Clone)]
pub(crate) struct Visitor {
    client: Client,
    url: String,
    token: Option<String>,
}

/// What was answered.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
    pub(crate) replayed: bool,
}

impl Visitor {
    /// Of every customer.
    pub(crate) const PASSWORD: &str = "correct horse battery staple";

    /// Somebody whom the shop does not know.
    pub(crate) async fn new(site: &Site) -> Self {
        let client = Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
        Self { client, url: site.url().await, token: None }
    }

    /// The shop's first administrator, logged in.
    pub(crate) async fn admin(site: &Site) -> Self {
        let (email, password) = site.admin().await;
        let mut visitor = Self::new(site).await;
        visitor.log_in(&email, &password).await;
        visitor
    }

    pub(crate) async fn log_in(&mut self, email: &str, password: &str) {
        let login = self.post("/api/v1/auth/login", &json!({ "email": email, "password": password })).await;
        assert_eq!(login.status, StatusCode::OK, "{login:?}");
        self.token = Some(login.body["token"].as_str().unwrap().to_owned());
    }

    /// A new customer, logged in.
    pub(crate) async fn customer(site: &Site, name: &str) -> Self {
        let mut visitor = Self::new(site).await;
        let email = format!("{}@example.com", fresh(name));
        let account = json!({ "email": email, "password": Self::PASSWORD, "name": "Ada" });
        let registered = visitor.post("/api/v1/auth/register", &account).await;
        assert_eq!(registered.status, StatusCode::CREATED, "{registered:?}");
        visitor.token = Some(registered.body["token"].as_str().unwrap().to_owned());
        visitor
    }

    /// The access token of somebody who is logged in.
    pub(crate) fn token(&self) -> &str {
        self.token.as_deref().unwrap()
    }

    /// The same person in front of another shop.
    pub(crate) async fn at(&self, site: &Site) -> Self {
        Self { url: site.url().await, ..self.clone() }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, None).await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, None, Some(body)).await.unwrap()
    }

    /// Sends a request; fails when the connection does.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let reply = request.send().await?;
        let (status, replayed) = (reply.status(), reply.headers().contains_key("idempotency-replayed"));
        let text = reply.text().await?;
        Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null), replayed })
    }

    /// Puts a product on sale, in EUR cents.
    pub(crate) async fn sell(&self, sku: &str, price: i64, stock: i64) -> String {
        let price = json!({ "amount": price, "currency": "EUR" });
        let product = json!({ "name": format!("Product {sku}"), "sku": sku, "stock": stock, "price": price });
        let key = format!("sell-{sku}");
        let made = self.send(Method::POST, "/api/v1/products", Some(&key), Some(&product)).await.unwrap();
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        self.stock(sku, (stock, 0, 0)).await;
        made.body["id"].as_str().unwrap().to_owned()
    }

    /// Waits until the stock is so many available, reserved and sold.
    pub(crate) async fn stock(&self, sku: &str, expected: (i64, i64, i64)) {
        let path = format!("/api/v1/stock/{sku}");
        let look = || async {
            let body = self.get(&path).await.body;
            let pieces = |field: &str| body[field].as_i64();
            (pieces("available"), pieces("reserved"), pieces("sold"))
        };
        let (available, reserved, sold) = expected;
        let expected = (Some(available), Some(reserved), Some(sold));
        until(&format!("the stock of {sku} is {expected:?}"), look, |stock| *stock == expected).await;
    }

    /// A cart with so many of a SKU in it.
    pub(crate) async fn cart(&self, sku: &str, quantity: u32) -> String {
        let opened = self.post("/api/v1/carts", &json!({})).await;
        let id = opened.body["id"].as_str().unwrap_or_else(|| panic!("{opened:?}")).to_owned();
        let filled =
            self.post(&format!("/api/v1/carts/{id}/items"), &json!({ "sku": sku, "quantity": quantity })).await;
        assert_eq!(filled.status, StatusCode::OK, "{filled:?}");
        id
    }

    /// Orders what is in a cart, paid by a card of the sandbox. What takes longer than 3 s is answered 202, and asked for
    /// again here, by its key, until there is the last word on it.
    pub(crate) async fn order(&self, cart: &str, card: &str, key: &str) -> Answer {
        let send = || self.order_once(cart, card, key);
        until("the order is answered", send, |answer| !asks_again(answer.status.as_u16(), &answer.body)).await
    }

    /// The same, sent once.
    pub(crate) async fn order_once(&self, cart: &str, card: &str, key: &str) -> Answer {
        let order = json!({ "cartId": cart, "payment": { "method": card } });
        self.send(Method::POST, "/api/v1/orders", Some(key), Some(&order)).await.unwrap()
    }

    /// Waits until an order has a status.
    pub(crate) async fn status(&self, order: &str, status: &str) -> Value {
        let path = format!("/api/v1/orders/{order}");
        let look = || async { self.get(&path).await.body };
        until(&format!("the order is {status}"), look, |order| order["status"] == status).await
    }
}

/// A name that no earlier run on the same cluster has used.
pub(crate) fn fresh(word: &str) -> String {
    format!("{word}-{}", std::process::id())
}

/// The id in an answer about an order, or about one that was not placed.
pub(crate) fn order_of(answer: &Answer) -> String {
    let id = answer.body["id"].as_str().or_else(|| answer.body["orderId"].as_str());
    id.unwrap_or_else(|| panic!("no order in {answer:?}")).to_owned()
}

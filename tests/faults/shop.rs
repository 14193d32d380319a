//! The shop as people see it: requests through NGINX, each written into the history.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use shop_service::SystemClock;
use shop_types::Clock as _;
use tokio::time::{Instant, sleep};

use crate::history::{Entry, History};
use crate::stack::addresses::{NGINX_PORT, Party};
use crate::stack::keys::Who;

/// The route that places orders.
pub(crate) const ORDERS: &str = "/api/v1/orders";

/// No request of ours waits longer: far more than the shop may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// With placeholders.
    pub(crate) route: &'static str,
    pub(crate) path: String,
    pub(crate) key: Option<String>,
    pub(crate) body: Option<Value>,
    pub(crate) if_match: Option<String>,
}

impl Request {
    /// A GET.
    pub(crate) fn get(route: &'static str, path: impl Into<String>) -> Self {
        Self { method: Method::GET, route, path: path.into(), key: None, body: None, if_match: None }
    }

    /// A POST under a key.
    pub(crate) fn post(route: &'static str, path: impl Into<String>, key: impl Into<String>, body: Value) -> Self {
        let (path, key) = (path.into(), Some(key.into()));
        Self { method: Method::POST, route, path, key, body: Some(body), if_match: None }
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// None when no answer came.
    pub(crate) status: Option<u16>,
    pub(crate) body: Value,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) err: Option<String>,
    pub(crate) took: Duration,
}

impl Reply {
    /// Whether the same request may get another answer soon.
    pub(crate) fn is_unfinished(&self) -> bool {
        match self.status {
            None => true,
            Some(409) => self.body["code"] == "request_in_progress",
            Some(status) => status >= 500 || status == 429,
        }
    }

    /// What a sentence says of it.
    pub(crate) fn brief(&self) -> String {
        let said = self.err.as_deref().or_else(|| self.body["code"].as_str()).unwrap_or_default();
        let status = self.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        format!("{status} {said} after {} ms", self.took.as_millis())
    }

    /// The order that it is about.
    pub(crate) fn order(&self) -> Option<&str> {
        self.body["id"].as_str().or_else(|| self.body["orderId"].as_str())
    }
}

/// A way into the shop. Clones share connections and history.
#[derive(Debug, Clone)]
pub(crate) struct Shop {
    client: reqwest::Client,
    base: String,
    pub(crate) history: History,
}

impl Shop {
    /// Through NGINX.
    ///
    /// # Errors
    /// When no client can be made.
    pub(crate) fn through_nginx(history: History) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().timeout(PATIENCE).build().context("failed to make an HTTP client")?;
        Ok(Self { client, base: format!("http://{}:{NGINX_PORT}", Party::NGINX.address()), history })
    }

    /// Sends it once. Who goes away before the answer has sent it, too: history has a line of it in any case.
    pub(crate) async fn send(&self, who: &Who, request: &Request) -> Reply {
        let at = SystemClock.now();
        let sent = Instant::now();
        let is_order = request.route.starts_with(ORDERS);
        let mut line = self.history.line(Entry {
            at,
            user: who.id.to_string(),
            key: request.key.clone(),
            route: request.route,
            method: if request.method == Method::GET { "GET" } else { "POST" },
            status: None,
            order_id: in_path(&request.path).filter(|_| is_order).map(str::to_owned),
            total: None,
            body: request.body.clone(),
            err: Some("went away".to_owned()),
            ms: 0,
            retry_after: false,
            answered: sent,
        });
        let reply = self.exchange(who, request, sent).await;
        let entry = line.entry();
        entry.status = reply.status;
        if let Some(order) = reply.order().filter(|_| is_order) {
            entry.order_id = Some(order.to_owned());
        }
        entry.total = reply.body["total"]["amount"].as_i64().filter(|_| is_order);
        entry.err = reply.err.clone().or_else(|| reply.body["code"].as_str().map(str::to_owned));
        entry.ms = u64::try_from(reply.took.as_millis()).unwrap_or(u64::MAX);
        entry.retry_after = reply.retry_after.is_some();
        entry.answered = Instant::now();
        reply
    }

    async fn exchange(&self, who: &Who, request: &Request, sent: Instant) -> Reply {
        let mut builder = self.client.request(request.method.clone(), format!("{}{}", self.base, request.path));
        builder = builder.bearer_auth(&who.token);
        if let Some(key) = &request.key {
            builder = builder.header("idempotency-key", key);
        }
        if let Some(version) = &request.if_match {
            builder = builder.header("if-match", version);
        }
        if let Some(body) = &request.body {
            builder = builder.json(body);
        }
        let failed = |error: reqwest::Error, status| Reply {
            status,
            body: Value::Null,
            retry_after: None,
            err: Some(format!("{:#}", anyhow::Error::from(error))),
            took: sent.elapsed(),
        };
        let reply = match builder.send().await {
            Ok(reply) => reply,
            Err(error) => return failed(error, None),
        };
        let status = reply.status().as_u16();
        let seconds = reply.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        match reply.text().await {
            Ok(text) => Reply {
                status: Some(status),
                body: serde_json::from_str(&text).unwrap_or(Value::Null),
                retry_after: seconds.map(Duration::from_secs),
                err: None,
                took: sent.elapsed(),
            },
            // Half an answer is none.
            Err(error) => failed(error, None),
        }
    }

    /// Sends it with the same key until the answer is final, or until `end`; the last answer in any case.
    pub(crate) async fn insist(&self, who: &Who, request: &Request, end: Instant) -> Reply {
        loop {
            let reply = self.send(who, request).await;
            if !reply.is_unfinished() || Instant::now() >= end {
                return reply;
            }
            sleep(reply.retry_after.unwrap_or(Duration::from_millis(200)).min(Duration::from_secs(1))).await;
        }
    }

    /// Puts a product on sale, in cents, and waits until it is in stock.
    ///
    /// # Errors
    /// When the shop does not take it within half a minute.
    pub(crate) async fn on_sale(&self, staff: &Who, sku: &str, price: i64, stock: u32) -> anyhow::Result<String> {
        let end = Instant::now() + Duration::from_secs(30);
        let product = json!({
            "name": format!("Product {sku}"), "sku": sku, "stock": stock,
            "price": { "amount": price, "currency": "EUR" },
        });
        let request = Request::post("/api/v1/products", "/api/v1/products", format!("make-{sku}"), product);
        let made = self.insist(staff, &request, end).await;
        ensure!(made.status == Some(201), "the product {sku} was not taken: {made:?}");
        let id = made.body["id"].as_str().context("a product has an id")?.to_owned();
        loop {
            let seen = self.stock(staff, sku).await;
            if seen.status == Some(200) && seen.body["available"] == stock {
                return Ok(id);
            }
            ensure!(Instant::now() < end, "the product {sku} is not in stock: {seen:?}");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// The stock of a SKU.
    pub(crate) async fn stock(&self, staff: &Who, sku: &str) -> Reply {
        self.send(staff, &Request::get("/api/v1/stock/{sku}", format!("/api/v1/stock/{sku}"))).await
    }
}

/// The order that a path names.
fn in_path(path: &str) -> Option<&str> {
    let rest = path.strip_prefix(ORDERS)?.strip_prefix('/')?;
    rest.split(['/', '?']).next()
}

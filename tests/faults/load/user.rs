//! One virtual user: what it does next and how it takes the answers.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::{Crowd, Goods};
use crate::chance::Chance;
use crate::shop::{ORDERS, Request, Shop};
use crate::stack::keys::Who;

/// Pieces that an administrator adds at once.
const DELIVERY: i64 = 5;
/// A user rests so many times as long as the last thing took, and as if it had taken at most [`LONGEST`].
const PATIENCE: u32 = 3;
const LONGEST: Duration = Duration::from_secs(1);

/// A user with a cart and a memory.
pub(super) struct User {
    who: Who,
    shop: Shop,
    goods: Arc<Goods>,
    crowd: Crowd,
    chance: Chance,
    cart: Option<String>,
    items: u32,
    orders: Vec<String>,
    /// Things done so far: names the next key.
    done: u32,
    /// Orders whose outcome nobody could tell.
    unknown: u32,
}

impl User {
    pub(super) fn new(who: Who, number: u16, shop: Shop, goods: Arc<Goods>, crowd: Crowd) -> Self {
        Self {
            who,
            shop,
            goods,
            crowd,
            chance: Chance::new(u64::from(number)),
            cart: None,
            items: 0,
            orders: Vec::new(),
            done: 0,
            unknown: 0,
        }
    }

    /// Does one thing after another until told to stop; then insists on the outcome of the last order for `insistence`.
    pub(super) async fn live(mut self, running: watch::Receiver<bool>, insistence: Duration) -> u32 {
        // Not all in the same moment.
        self.pause(Duration::ZERO).await;
        while *running.borrow() {
            self.done += 1;
            let began = Instant::now();
            match self.chance.up_to(100) {
                0..40 => self.browse().await,
                40..65 => self.fill_cart(&running).await,
                65..90 => self.order(&running, insistence).await,
                90..95 => self.cancel(&running).await,
                _ => self.receive_stock(&running).await,
            }
            self.pause(began.elapsed().min(LONGEST)).await;
        }
        self.unknown
    }

    /// Users of a slow machine are slow, too: a load that it cannot carry would show nothing but that.
    async fn pause(&mut self, took: Duration) {
        sleep(self.crowd.think * u32::from(self.chance.up_to(1000)) / 500 + took * PATIENCE).await;
    }

    fn key(&self, what: &str) -> String {
        format!("{what}-{}", self.done)
    }

    async fn browse(&mut self) {
        let own = self.orders.last().cloned();
        let product = self.chance.one_of(&self.goods.skus).map(|good| good.product.clone()).unwrap_or_default();
        let request = match (self.chance.up_to(4), own) {
            (0, _) => Request::get("/api/v1/products", "/api/v1/products?size=20"),
            (1, Some(order)) => Request::get("/api/v1/orders/{id}", format!("{ORDERS}/{order}")),
            (2, _) => Request::get("/api/v1/orders", ORDERS),
            (_, _) => Request::get("/api/v1/products/{id}", format!("/api/v1/products/{product}")),
        };
        self.shop.send(&self.who, &request).await;
    }

    async fn fill_cart(&mut self, running: &watch::Receiver<bool>) {
        let end = while_running(running);
        if self.cart.is_none() {
            let request = Request::post("/api/v1/carts", "/api/v1/carts", self.key("cart"), json!({}));
            let opened = self.shop.insist(&self.who, &request, end).await;
            self.cart = opened.body["id"].as_str().map(str::to_owned);
        }
        let Some(cart) = self.cart.clone() else { return };
        let Some(good) = self.chance.one_of(&self.goods.skus) else { return };
        let item = json!({ "sku": good.sku, "quantity": 1 });
        let path = format!("/api/v1/carts/{cart}/items");
        let request = Request::post("/api/v1/carts/{id}/items", path, self.key("item"), item);
        // 409 is an answer, too: there is none left at the moment.
        if self.shop.insist(&self.who, &request, end).await.status == Some(200) {
            self.items += 1;
        }
    }

    async fn order(&mut self, running: &watch::Receiver<bool>, insistence: Duration) {
        let method = match self.chance.up_to(100) {
            0..4 if self.crowd.bad_cards => "tok_declined",
            4..6 => "tok_timeout_after",
            6..8 => "tok_timeout_before",
            8..10 => "tok_capture_timeout_after",
            _ => "tok_visa",
        };
        let body = match &self.cart {
            Some(cart) if self.items > 0 => json!({ "cartId": cart, "payment": { "method": method } }),
            Some(_) | None => {
                let Some(good) = self.chance.one_of(&self.goods.skus) else { return };
                let quantity = 1 + self.chance.up_to(2);
                json!({ "items": [{ "sku": good.sku, "quantity": quantity }], "payment": { "method": method } })
            }
        };
        self.items = 0;
        let request = Request::post(ORDERS, ORDERS, self.key("order"), body);
        let mut reply = self.shop.send(&self.who, &request).await;
        let mut end = None;
        while reply.is_unfinished() {
            if !*running.borrow() && Instant::now() > *end.get_or_insert_with(|| Instant::now() + insistence) {
                self.unknown += 1;
                return;
            }
            sleep(reply.retry_after.unwrap_or(Duration::from_millis(200)).min(Duration::from_secs(1))).await;
            reply = self.shop.send(&self.who, &request).await;
        }
        if let (Some(201 | 202), Some(order)) = (reply.status, reply.order()) {
            let order = order.to_owned();
            let own = Request::get("/api/v1/orders/{id}", format!("{ORDERS}/{order}"));
            self.shop.send(&self.who, &own).await;
            self.orders.push(order);
        }
    }

    async fn cancel(&mut self, running: &watch::Receiver<bool>) {
        let Some(order) = self.orders.pop() else { return self.browse().await };
        let path = format!("{ORDERS}/{order}/cancel");
        let request =
            Request { body: None, ..Request::post("/api/v1/orders/{id}/cancel", path, self.key("cancel"), json!({})) };
        self.shop.insist(&self.who, &request, while_running(running)).await;
    }

    async fn receive_stock(&mut self, running: &watch::Receiver<bool>) {
        let goods = Arc::clone(&self.goods);
        let Some(good) = self.chance.one_of(&goods.skus) else { return };
        let body = json!({ "delta": DELIVERY, "reason": "delivery" });
        let key = format!("{}-{}", self.who.id, self.key("delivery"));
        let path = format!("/api/v1/stock/{}/adjustments", good.sku);
        let request = Request::post("/api/v1/stock/{sku}/adjustments", path, key, body);
        let reply = self.shop.insist(&goods.staff, &request, while_running(running)).await;
        if reply.status == Some(201) || reply.is_unfinished() {
            good.came_in(DELIVERY, reply.status == Some(201));
        }
    }
}

/// Until when to repeat what may as well be given up.
fn while_running(running: &watch::Receiver<bool>) -> Instant {
    Instant::now() + if *running.borrow() { Duration::from_secs(20) } else { Duration::ZERO }
}

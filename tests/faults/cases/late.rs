//! A driver that sleeps while its order is cancelled, and then goes on as if nothing had happened (O9): tombstones stop it.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use shop_types::Role;
use tokio::time::{Instant, sleep};

use crate::cases::{Arena, Case};
use crate::load::pass;
use crate::shop::{ORDERS, Request};

const BUYERS: u32 = 12;
/// Longer than a buyer waits for a verdict (3 s), shorter than a driver works at an order (8 s).
const SLEEP: Duration = Duration::from_secs(6);

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("O9-late", "orders are cancelled while their drivers sleep before the stock", false, |arena| {
        Box::pin(cancelled_meanwhile(arena))
    })]
}

async fn cancelled_meanwhile(arena: &mut Arena<'_>) -> anyhow::Result<()> {
    let points = format!("DRIVE=return(pause:{})", SLEEP.as_millis());
    for replica in 0..2 {
        arena.fault(&format!("the drivers of order-{replica} sleep {SLEEP:?} before their first step"));
        arena.stack.start_pod("order", replica, &[("FAILPOINTS", &points)]).await?;
    }
    let good = arena.goods.skus.first().context("there are goods")?;
    let (sku, shop) = (good.sku.clone(), arena.shop.clone());
    let before = arena.shop.stock(&arena.goods.staff, &sku).await.body;
    let mut buyers = tokio::task::JoinSet::new();
    for _ in 0..BUYERS {
        let (who, shop, sku) = (arena.stack.keys.person(Role::Customer)?, shop.clone(), sku.clone());
        buyers.spawn(async move {
            let end = Instant::now() + Duration::from_secs(30);
            let body = json!({ "items": [{ "sku": sku, "quantity": 1 }], "payment": { "method": "tok_visa" } });
            let placed = shop.insist(&who, &Request::post(ORDERS, ORDERS, "late", body), end).await;
            let order = placed.order().with_context(|| format!("no order: {placed:?}"))?.to_owned();
            let route = "/api/v1/orders/{id}/cancel";
            let cancel = Request::post(route, format!("{ORDERS}/{order}/cancel"), "never-mind", Value::Null);
            let cancelled = shop.insist(&who, &Request { body: None, ..cancel }, end).await;
            ensure!(cancelled.status == Some(200), "{order} was not cancelled: {cancelled:?}");
            anyhow::Ok(())
        });
    }
    while let Some(ended) = buyers.join_next().await {
        ended.context("a buyer broke down")??;
    }
    pass("the drivers wake up and go on", SLEEP).await;
    for replica in 0..2 {
        arena.stack.start_pod("order", replica, &[]).await?;
    }
    let end = Instant::now() + crate::judge::REST;
    let pieces = |body: &Value| (body["available"].as_i64(), body["reserved"].as_i64(), body["sold"].as_i64());
    loop {
        let now = arena.shop.stock(&arena.goods.staff, &sku).await.body;
        if pieces(&now) == pieces(&before) {
            return Ok(());
        }
        if Instant::now() > end {
            arena.check(false, || format!("I2 cancelled orders keep stock: {before} before, {now} after"));
            return Ok(());
        }
        sleep(Duration::from_millis(500)).await;
    }
}

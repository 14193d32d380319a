//! A pod that dies inside a transaction: what it has locked is free again at once, not after a minute (ruling 18).

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::json;
use shop_mongo::doc;
use shop_types::Role;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::cases::{Arena, Case};
use crate::load::Good;
use crate::proxy::Weather;
use crate::report::say;
use crate::shop::{ORDERS, Request};

/// Kills until so many left a transaction open.
const ORPHANS: u32 = 2;
const MOST_KILLS: u32 = 12;
const BUYERS: u32 = 20;
const STOCK: u32 = 5_000;
/// The next order on the same SKU is answered, and confirmed, within these times.
const ANSWERED: Duration = Duration::from_secs(5);
const CONFIRMED: Duration = Duration::from_secs(7);

pub(super) fn cases() -> Vec<Case> {
    let kill = |service: &'static str, smoke| {
        let what = format!("kill -9 of {service} inside a transaction on a hot SKU");
        Case::new(&format!("T1-{service}"), &what, smoke, move |arena| Box::pin(orphan(arena, service)))
    };
    vec![kill("inventory", false), kill("order", false), kill("payment", false)]
}

async fn orphan(arena: &mut Arena<'_>, service: &'static str) -> anyhow::Result<()> {
    let sku = format!("hot-{}", arena.stack.next_number());
    let product = arena.shop.on_sale(&arena.goods.staff, &sku, 990, STOCK).await?;
    let mut slowest = (Duration::ZERO, Duration::ZERO);
    let (mut orphans, mut kills) = (0, 0);
    while orphans < ORPHANS && kills < MOST_KILLS {
        kills += 1;
        let mut buyers = buyers(arena, &sku, kills)?;
        // Every answer of MongoDB takes so long that the pod is inside a transaction nearly all the time.
        let slow = Weather::Slow { delay: Duration::from_millis(250), jitter: Duration::ZERO, lost: 0 };
        let victim = format!("{service}-0");
        arena.stack.network.set(slow, |from, to| from == victim && to.starts_with("mongo-"));
        sleep(Duration::from_millis(1500 + u64::from(kills) * 170)).await;
        arena.fault(&format!("kill -9 {victim}"));
        arena.stack.pods.get(&victim)?.process.kill().await?;
        let left = open_transactions(arena).await?;
        if left > 0 {
            orphans += 1;
            let (answered, confirmed) = buy(arena, &sku, kills).await?;
            say(&format!(
                "  {left} transactions left open; answered after {answered:?}, confirmed after {confirmed:?}"
            ));
            slowest = (slowest.0.max(answered), slowest.1.max(confirmed));
        }
        arena.stack.network.heal();
        arena.stack.start_pod(service, 0, &[]).await?;
        while let Some(ended) = buyers.join_next().await {
            ended.context("a buyer broke down")?;
        }
    }
    ensure!(orphans > 0, "none of {kills} kills left a transaction open");
    arena.note(format!(
        "{orphans} of {kills} kills left one; next order answered in {:.1} s, confirmed in {:.1} s",
        slowest.0.as_secs_f64(),
        slowest.1.as_secs_f64()
    ));
    arena.check(slowest.0 <= ANSWERED, || format!("the next order was answered after {:?}", slowest.0));
    arena.check(slowest.1 <= CONFIRMED, || format!("the next order was confirmed after {:?}", slowest.1));
    let goods = Arc::get_mut(&mut arena.goods).context("nobody else looks at the goods")?;
    goods.skus.push(Good::new(sku, product, STOCK));
    Ok(())
}

/// Buyers of one SKU, each until their answer is final.
fn buyers(arena: &Arena<'_>, sku: &str, round: u32) -> anyhow::Result<JoinSet<()>> {
    let mut buyers = JoinSet::new();
    for number in 0..BUYERS {
        let (who, shop) = (arena.stack.keys.person(Role::Customer)?, arena.shop.clone());
        let body = json!({ "items": [{ "sku": sku, "quantity": 1 }], "payment": { "method": "tok_visa" } });
        let end = Instant::now() + Duration::from_secs(60);
        buyers.spawn(async move {
            sleep(Duration::from_millis(u64::from(number) * 150)).await;
            shop.insist(&who, &Request::post(ORDERS, ORDERS, format!("hot-{round}"), body), end).await;
        });
    }
    Ok(buyers)
}

/// Transactions that nobody works on and nobody has ended.
async fn open_transactions(arena: &Arena<'_>) -> anyhow::Result<usize> {
    let primary = arena.stack.mongodb.primary().await?;
    let command = doc! { "currentOp": 1, "active": false, "transaction.parameters.autocommit": false };
    let found = arena.stack.mongodb.command(primary, command).await?;
    Ok(found.get_array("inprog").context("no list of operations")?.len())
}

/// One more order on the same SKU: when it was answered and when it was confirmed.
async fn buy(arena: &Arena<'_>, sku: &str, round: u32) -> anyhow::Result<(Duration, Duration)> {
    let who = arena.stack.keys.person(Role::Customer)?;
    let body = json!({ "items": [{ "sku": sku, "quantity": 1 }], "payment": { "method": "tok_visa" } });
    let (started, end) = (Instant::now(), Instant::now() + Duration::from_secs(100));
    let request = Request::post(ORDERS, ORDERS, format!("after-{round}"), body);
    let placed = arena.shop.insist(&who, &request, end).await;
    let answered = started.elapsed();
    let order = placed.order().with_context(|| format!("no order: {placed:?}"))?.to_owned();
    let look = Request::get("/api/v1/orders/{id}", format!("{ORDERS}/{order}"));
    loop {
        let seen = arena.shop.send(&who, &look).await;
        if matches!(seen.body["status"].as_str(), Some("confirmed" | "paid")) {
            return Ok((answered, started.elapsed()));
        }
        ensure!(Instant::now() < end, "the order {order} is not confirmed: {seen:?}");
        sleep(Duration::from_millis(50)).await;
    }
}

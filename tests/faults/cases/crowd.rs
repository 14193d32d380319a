//! Many people want the same thing at once: a scarce SKU (O1), one key (O2), cancel against confirm (O9), a second card (O10).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use futures::StreamExt as _;
use serde_json::{Value, json};
use shop_types::Role;
use tokio::time::{Instant, sleep};

use crate::cases::{Arena, Case, percentile};
use crate::load::Good;
use crate::report::say;
use crate::shop::{ORDERS, Reply, Request, Shop};
use crate::stack::keys::Who;

const BUYERS: usize = 2_000;
const UNITS: u32 = 500;
/// Buyers that wait at the same time: what two cores can hold while they run everything else, too.
const AT_ONCE: usize = 64;
const SAME_KEY: usize = 100;
const RACES: usize = 1_000;
const RACES_AT_ONCE: usize = 25;
const SECOND_CARDS: usize = 30;
/// A buyer asks so long for the outcome.
const INSISTENCE: Duration = Duration::from_secs(90);

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("O1", "2,000 buyers, 500 pieces, 3 pods of order and inventory", false, |arena| {
            Box::pin(scarce(arena))
        }),
        Case::new("O2", "one key, sent 100 times at once", true, |arena| Box::pin(same_key(arena))),
        Case::new("O9", "1,000 races of cancel against confirm", false, |arena| Box::pin(races(arena))),
        Case::new("O10", "declined, then paid by a second card", false, |arena| Box::pin(second_card(arena))),
    ]
}

fn order_of(sku: &str, card: &str) -> Value {
    json!({ "items": [{ "sku": sku, "quantity": 1 }], "payment": { "method": card } })
}

/// The state of each of these orders, counted.
async fn states(shop: &Shop, staff: &Who, orders: &BTreeSet<String>) -> BTreeMap<String, usize> {
    let end = Instant::now() + Duration::from_secs(30);
    let looks = orders.iter().map(|id| async move {
        let request = Request::get("/api/v1/orders/{id}", format!("{ORDERS}/{id}"));
        shop.insist(staff, &request, end).await
    });
    let replies: Vec<Reply> = futures::stream::iter(looks).buffer_unordered(8).collect().await;
    let mut counts = BTreeMap::new();
    for reply in replies {
        *counts.entry(reply.body["status"].as_str().unwrap_or("unreadable").to_owned()).or_default() += 1;
    }
    counts
}

/// Waits until none of these orders is on its way any more, and counts their states.
async fn settled(arena: &Arena<'_>, orders: &BTreeSet<String>) -> BTreeMap<String, usize> {
    let end = Instant::now() + crate::judge::REST;
    loop {
        let counts = states(&arena.shop, &arena.goods.staff, orders).await;
        let moving = ["placed", "confirmed", "cancelling"].iter().any(|state| counts.contains_key(*state));
        if !moving || Instant::now() > end {
            return counts;
        }
        sleep(Duration::from_millis(500)).await;
    }
}

async fn scarce(arena: &mut Arena<'_>) -> anyhow::Result<()> {
    for service in ["order", "inventory"] {
        arena.stack.start_pod(service, 2, &[]).await?;
    }
    let sku = format!("scarce-{}", arena.stack.next_number());
    let product = arena.shop.on_sale(&arena.goods.staff, &sku, 4200, UNITS).await?;
    say(&format!("  {BUYERS} buyers want {UNITS} pieces of {sku}"));
    let began = Instant::now();
    let mut buyers = Vec::with_capacity(BUYERS);
    for _ in 0..BUYERS {
        buyers.push(arena.stack.keys.person(Role::Customer)?);
    }
    let request = Request::post(ORDERS, ORDERS, "buy", order_of(&sku, "tok_visa"));
    let tries =
        buyers.iter().map(|buyer| async { arena.shop.insist(buyer, &request, Instant::now() + INSISTENCE).await });
    let replies: Vec<Reply> = futures::stream::iter(tries).buffer_unordered(AT_ONCE).collect().await;
    let took = began.elapsed();

    let accepted = |reply: &&Reply| matches!(reply.status, Some(201 | 202));
    let orders: BTreeSet<String> =
        replies.iter().filter(accepted).filter_map(|reply| reply.order().map(str::to_owned)).collect();
    let unknown = replies.iter().filter(|reply| reply.is_unfinished()).count();
    let refused: Vec<_> = replies.iter().filter(|reply| reply.status == Some(409) && !reply.is_unfinished()).collect();
    let slow = percentile(refused.iter().map(|reply| millis(reply.took)).collect(), 99);
    arena.note(format!("{:.0} buyers/s, refusals p99 {slow} ms", crate::cases::per_second(BUYERS, took)));
    arena.check(unknown == 0, || format!("{unknown} buyers never got an answer"));
    let counts = settled(arena, &orders).await;
    let sold = counts.get("paid").copied().unwrap_or_default();
    arena.check(sold == UNITS as usize, || format!("{UNITS} pieces made {sold} orders: {counts:?}"));
    let stock = arena.shop.stock(&arena.goods.staff, &sku).await;
    let left = (stock.body["available"].as_i64(), stock.body["reserved"].as_i64(), stock.body["sold"].as_i64());
    arena.check(left == (Some(0), Some(0), Some(i64::from(UNITS))), || format!("the stock is {left:?} at the end"));
    let goods = Arc::get_mut(&mut arena.goods).context("nobody else looks at the goods")?;
    goods.skus.push(Good::new(sku, product, UNITS));
    for pod in ["order-2", "inventory-2"] {
        arena.stack.remove_pod(pod).await?;
    }
    Ok(())
}

async fn same_key(arena: &mut Arena<'_>) -> anyhow::Result<()> {
    let sku = arena.goods.skus.first().context("there are goods")?.sku.clone();
    let who = arena.stack.keys.person(Role::Customer)?;
    let request = Request::post(ORDERS, ORDERS, "only-once", order_of(&sku, "tok_visa"));
    let tries = (0..SAME_KEY).map(|_| arena.shop.send(&who, &request));
    let replies: Vec<Reply> = futures::future::join_all(tries).await;
    let last = arena.shop.insist(&who, &request, Instant::now() + INSISTENCE).await;
    let body = |reply: &Reply| (reply.body["id"].clone(), reply.body["total"].clone(), reply.body["items"].clone());
    for reply in &replies {
        let same = matches!(reply.status, Some(201 | 202)) && body(reply) == body(&last);
        let waits = reply.is_unfinished() && matches!(reply.status, Some(409 | 503));
        arena.check(same || waits, || format!("one of {SAME_KEY} got {reply:?}, the last got {last:?}"));
    }
    let answered = replies.iter().filter(|reply| reply.status == Some(201)).count();
    arena.note(format!("{answered} of {SAME_KEY} were answered with the order, the others are to wait"));
    let orders = arena.shop.send(&who, &Request::get(ORDERS, format!("{ORDERS}?size=5"))).await;
    let total = orders.body["page"]["total"].as_u64();
    arena.check(total == Some(1), || format!("one key led to {total:?} orders"));
    Ok(())
}

/// Each buyer cancels as soon as the order can be seen, while it is being confirmed.
async fn races(arena: &mut Arena<'_>) -> anyhow::Result<()> {
    let mut people = Vec::with_capacity(RACES);
    for _ in 0..RACES {
        people.push(arena.stack.keys.person(Role::Customer)?);
    }
    let (shop, goods) = (&arena.shop, &arena.goods);
    // What an order takes from placing to its answer, in milliseconds: cancels come before, during and after it.
    let usual = &AtomicU64::new(200);
    let races = people.iter().enumerate().map(|(number, who)| async move {
        let good = &goods.skus[number % goods.skus.len()];
        race(shop, who, &good.sku, usual, number as u64 % 20).await
    });
    let ids: Vec<Option<String>> = futures::stream::iter(races).buffer_unordered(RACES_AT_ONCE).collect().await;
    let orders: BTreeSet<String> = ids.into_iter().flatten().collect();
    arena.check(orders.len() >= RACES * 9 / 10, || format!("only {} of {RACES} orders came to be", orders.len()));
    let counts = settled(arena, &orders).await;
    arena.note(format!("{counts:?}"));
    for end in ["paid", "cancelled", "rejected"] {
        let some = counts.get(end).copied().unwrap_or_default();
        arena.check(end == "paid" || some > 0, || format!("no race ended with {end}: {counts:?}"));
    }
    let other: usize = counts
        .iter()
        .filter(|(state, _)| !["paid", "cancelled", "rejected"].contains(&state.as_str()))
        .map(|(_, count)| count)
        .sum();
    arena.check(other == 0, || format!("{other} races did not come to an end: {counts:?}"));
    Ok(())
}

/// Places an order and cancels it after so many tenths of what one usually takes; answers its id.
async fn race(shop: &Shop, who: &Who, sku: &str, usual: &AtomicU64, tenths: u64) -> Option<String> {
    let end = Instant::now() + INSISTENCE;
    let place = async {
        let (placed, request) = (Instant::now(), Request::post(ORDERS, ORDERS, "race", order_of(sku, "tok_visa")));
        shop.insist(who, &request, end).await;
        usual.store(u64::try_from(placed.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    };
    let cancel = async {
        sleep(Duration::from_millis(usual.load(Ordering::Relaxed).saturating_mul(tenths) / 10)).await;
        let own = Request::get(ORDERS, format!("{ORDERS}?size=1"));
        let order = loop {
            let list = shop.send(who, &own).await;
            if let Some(id) = list.body["items"][0]["id"].as_str() {
                break id.to_owned();
            }
            if Instant::now() > end {
                return None;
            }
        };
        let path = format!("{ORDERS}/{order}/cancel");
        let request =
            Request { body: None, ..Request::post("/api/v1/orders/{id}/cancel", path, "cancel", Value::Null) };
        shop.insist(who, &request, end).await;
        Some(order)
    };
    tokio::join!(place, cancel).1
}

/// The first card is declined, the second one pays: one capture, and never two holds.
async fn second_card(arena: &mut Arena<'_>) -> anyhow::Result<()> {
    let end = Instant::now() + INSISTENCE;
    let sku = arena.goods.skus.first().context("there are goods")?.sku.clone();
    let mut orders = BTreeSet::new();
    for _ in 0..SECOND_CARDS {
        let who = arena.stack.keys.person(Role::Customer)?;
        let place = Request::post(ORDERS, ORDERS, "first-card", order_of(&sku, "tok_declined"));
        let declined = arena.shop.insist(&who, &place, end).await;
        let order = declined.order().map(str::to_owned);
        arena.check(declined.status == Some(402), || format!("a declined card was answered with {declined:?}"));
        let order = order.context("a declined order has an id")?;
        let route = "/api/v1/orders/{id}/payments";
        let body = json!({ "payment": { "method": "tok_visa" } });
        let request = Request::post(route, format!("{ORDERS}/{order}/payments"), "second-card", body);
        // Twice, as an impatient buyer does.
        let (one, two) = tokio::join!(arena.shop.insist(&who, &request, end), arena.shop.insist(&who, &request, end));
        arena.check(one.status == two.status && matches!(one.status, Some(200..=202)), || {
            format!("a second card was answered with {one:?} and {two:?}")
        });
        orders.insert(order);
    }
    let counts = settled(arena, &orders).await;
    arena.check(counts.get("paid") == Some(&SECOND_CARDS), || format!("of {SECOND_CARDS} orders: {counts:?}"));
    Ok(())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

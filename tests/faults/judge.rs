//! The verdict on a case, once everything has come to rest: what was promised against what is there.
//!
//! What belongs here: questions through the public API, as anybody could ask them. What the databases and the ledger of the
//! payment provider say is asked in `invariants`.

pub(crate) mod invariants;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::ensure;
use futures::StreamExt as _;
use tokio::time::{Instant, sleep};

use crate::history::Entry;
use crate::load::Goods;
use crate::shop::{ORDERS, Request, Shop};
use crate::stack::keys::Who;

/// All orders are at rest within this time after everything is well again (I8).
pub(crate) const REST: Duration = Duration::from_secs(60);
/// Questions asked at once.
const AT_ONCE: usize = 8;
/// The states that an order is in only for a while.
const ON_THE_WAY: [&str; 3] = ["placed", "confirmed", "cancelling"];

/// What was found.
#[derive(Debug, Default, Clone)]
pub(crate) struct Verdict {
    pub(crate) acknowledged: usize,
    pub(crate) lost: usize,
    pub(crate) doubled: usize,
    pub(crate) oversold: i64,
    /// Everything that is wrong, one sentence each.
    pub(crate) wrong: Vec<String>,
}

/// Waits until no order is on its way any more; says how long that took.
///
/// # Errors
/// When some still are after [`REST`].
pub(crate) async fn rest(shop: &Shop, staff: &Who) -> anyhow::Result<Duration> {
    let started = Instant::now();
    loop {
        let mut counts = Vec::new();
        for state in ON_THE_WAY {
            let request = Request::get(ORDERS, format!("{ORDERS}?status={state}&size=1"));
            let reply = shop.insist(staff, &request, started + REST).await;
            counts.push((state, reply.body["page"]["total"].as_u64()));
        }
        if counts.iter().all(|(_, count)| *count == Some(0)) {
            return Ok(started.elapsed());
        }
        ensure!(started.elapsed() < REST, "orders are still on their way {REST:?} after healing: {counts:?}");
        sleep(Duration::from_millis(500)).await;
    }
}

/// Compares what users were told with what the shop says now.
pub(crate) async fn judge(shop: &Shop, entries: &[Entry], goods: &Goods) -> Verdict {
    let mut verdict = Verdict::default();
    let promised: BTreeMap<&str, Option<i64>> = entries
        .iter()
        .filter(|entry| entry.acknowledges())
        .filter_map(|entry| Some((entry.order_id.as_deref()?, entry.total)))
        .collect();
    verdict.acknowledged = promised.len();
    missing(shop, &goods.staff, &promised, &mut verdict).await;
    two_for_one_key(entries, &mut verdict);
    orders_nobody_asked_for(shop, &goods.staff, entries, &mut verdict).await;
    read_your_writes(entries, &mut verdict);
    for good in &goods.skus {
        stock(shop, &goods.staff, &good.sku, good.most(), &mut verdict).await;
    }
    verdict
}

/// I3: every acknowledged order is there, with its total.
async fn missing(shop: &Shop, staff: &Who, promised: &BTreeMap<&str, Option<i64>>, verdict: &mut Verdict) {
    let end = Instant::now() + Duration::from_secs(30);
    let looks = promised.iter().map(|(id, total)| async move {
        let request = Request::get("/api/v1/orders/{id}", format!("{ORDERS}/{id}"));
        (*id, *total, shop.insist(staff, &request, end).await)
    });
    let mut seen = futures::stream::iter(looks).buffer_unordered(AT_ONCE);
    while let Some((id, total, reply)) = seen.next().await {
        let is_there = reply.status == Some(200) && reply.body["total"]["amount"].as_i64() == total;
        if !is_there {
            verdict.lost += 1;
            verdict
                .wrong
                .push(format!("I3 the acknowledged order {id} over {total:?} is not there: {}", reply.brief()));
        }
    }
}

/// I3: one key never leads to two orders.
fn two_for_one_key(entries: &[Entry], verdict: &mut Verdict) {
    let mut orders = BTreeMap::<(&str, &str), BTreeSet<&str>>::new();
    for entry in entries.iter().filter(|entry| entry.places_an_order()) {
        if let (Some(key), Some(order)) = (&entry.key, &entry.order_id) {
            orders.entry((&entry.user, key)).or_default().insert(order);
        }
    }
    for ((user, key), ids) in orders.iter().filter(|(_, ids)| ids.len() > 1) {
        verdict.doubled += ids.len() - 1;
        verdict.wrong.push(format!("I3 the key {key} of {user} led to {ids:?}"));
    }
}

/// A user never has more orders than keys were sent.
async fn orders_nobody_asked_for(shop: &Shop, staff: &Who, entries: &[Entry], verdict: &mut Verdict) {
    let mut keys = BTreeMap::<&str, BTreeSet<&str>>::new();
    for entry in entries.iter().filter(|entry| entry.places_an_order()) {
        keys.entry(&entry.user).or_default().extend(entry.key.as_deref());
    }
    let end = Instant::now() + Duration::from_secs(30);
    let looks = keys.iter().map(|(user, keys)| async move {
        let request = Request::get(ORDERS, format!("{ORDERS}?userId={user}&size=1"));
        (*user, keys.len(), shop.insist(staff, &request, end).await)
    });
    let mut seen = futures::stream::iter(looks).buffer_unordered(AT_ONCE);
    while let Some((user, keys, reply)) = seen.next().await {
        match reply.body["page"]["total"].as_u64().and_then(|total| usize::try_from(total).ok()) {
            None => verdict.wrong.push(format!("the orders of {user} cannot be counted: {}", reply.brief())),
            Some(orders) if orders > keys => {
                verdict.doubled += orders - keys;
                verdict.wrong.push(format!("I3 {user} sent {keys} keys and has {orders} orders"));
            }
            Some(_) => {}
        }
    }
}

/// I10: who was told of an order can read it.
fn read_your_writes(entries: &[Entry], verdict: &mut Verdict) {
    for entry in entries {
        let own_read = entry.route == "/api/v1/orders/{id}" && entry.method == "GET";
        if own_read && entry.status == Some(404) {
            let order = entry.order_id.as_deref().unwrap_or_default();
            verdict.wrong.push(format!("I10 {} could not read their order {order} at {}", entry.user, entry.at));
        }
    }
}

/// I1: nothing below zero, and no more given away than ever came in.
async fn stock(shop: &Shop, staff: &Who, sku: &str, most: i64, verdict: &mut Verdict) {
    let end = Instant::now() + Duration::from_secs(30);
    let request = Request::get("/api/v1/stock/{sku}", format!("/api/v1/stock/{sku}"));
    let reply = shop.insist(staff, &request, end).await;
    let pieces = |field: &str| reply.body[field].as_i64();
    let (Some(available), Some(reserved), Some(sold)) = (pieces("available"), pieces("reserved"), pieces("sold"))
    else {
        verdict.wrong.push(format!("the stock of {sku} cannot be read: {}", reply.brief()));
        return;
    };
    let too_many = (reserved + sold - most).max(-available).max(0);
    if too_many > 0 || reserved < 0 || sold < 0 {
        verdict.oversold += too_many;
        verdict
            .wrong
            .push(format!("I1 {sku}: {available} available, {reserved} reserved, {sold} sold, at most {most} came in"));
    }
}

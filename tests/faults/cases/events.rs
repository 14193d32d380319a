//! Events: a slow consumer (F16), entries that nobody can read and handlers that break down (F17), a mountain of them (F9).

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::json;
use shop_mongo::{Bson, Document, doc};
use shop_types::Role;
use tokio::time::{Instant, sleep};

use crate::cases::{Arena, Case};
use crate::load::pass;
use crate::report::say;
use crate::shop::{ORDERS, Request};

/// Whoever was behind is not any more after this time.
const CATCH_UP: Duration = Duration::from_secs(60);
/// Events that wait when Redis forgets them all.
const PENDING: usize = 10_000;
/// What a good event may wait behind bad ones.
const PROBES: u32 = 5;
const DELAY: Duration = Duration::from_secs(1);

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("F16", "carts hear an event a second, for 60 s", false, |arena| Box::pin(slow_consumer(arena))),
        Case::new("F17", "entries that cannot be read, and a handler that panics", true, |arena| {
            Box::pin(poison(arena))
        }),
        Case::new("F9-many", "10,000 events wait when Redis forgets everything", false, |arena| Box::pin(many(arena))),
    ]
}

/// A figure of a pod, added up over its labels.
async fn metric(arena: &mut Arena<'_>, pod: &str, name: &str) -> anyhow::Result<f64> {
    let party = arena.stack.pods.get(pod)?.party;
    let url = format!("http://{}:{}/metrics", party.address(), shop_config::ADMIN_PORT);
    let text = reqwest::get(url).await.context("no metrics")?.text().await.context("no metrics")?;
    let of = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
    let values = text.lines().filter(of).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    Ok(values.sum())
}

async fn slow_consumer(arena: &mut Arena<'_>) -> anyhow::Result<()> {
    for replica in 0..2 {
        arena.stack.start_pod("cart", replica, &[("FAILPOINTS", "W11=return(pause:1000)")]).await?;
    }
    arena.warm_up().await?;
    let before = crate::cases::failures(&arena.seen().await?);
    arena.fault("each batch of events takes cart a second");
    pass("carts are slow to hear", Duration::from_secs(60)).await;
    let after = crate::cases::failures(&arena.seen().await?);
    arena.check(after == before, || format!("a slow consumer failed requests: {before:?} before, {after:?} after"));
    let lag = metric(arena, "cart-0", "stream_lag_entries").await?;
    arena.note(format!("cart was {lag} events behind"));
    for replica in 0..2 {
        arena.stack.start_pod("cart", replica, &[]).await?;
    }
    arena.send_home().await?;
    let started = Instant::now();
    say("  waiting until cart has caught up");
    while metric(arena, "cart-0", "stream_lag_entries").await? > 0.0 {
        ensure!(started.elapsed() < CATCH_UP, "cart has not caught up after {CATCH_UP:?}");
        sleep(Duration::from_millis(500)).await;
    }
    arena.note(format!("it caught up in {:.1} s", started.elapsed().as_secs_f64()));
    Ok(())
}

/// From the answer to an order until it is paid: two events away.
async fn until_paid(arena: &Arena<'_>, key: &str) -> anyhow::Result<Duration> {
    let who = arena.stack.keys.person(Role::Customer)?;
    let sku = &arena.goods.skus.first().context("there are goods")?.sku;
    let body = json!({ "items": [{ "sku": sku, "quantity": 1 }], "payment": { "method": "tok_visa" } });
    let end = Instant::now() + Duration::from_secs(30);
    let placed = arena.shop.insist(&who, &Request::post(ORDERS, ORDERS, key, body), end).await;
    let order = placed.order().with_context(|| format!("no order: {placed:?}"))?.to_owned();
    let answered = Instant::now();
    let look = Request::get("/api/v1/orders/{id}", format!("{ORDERS}/{order}"));
    while arena.shop.send(&who, &look).await.body["status"] != "paid" {
        ensure!(Instant::now() < end, "the order {order} is not paid after {:?}", answered.elapsed());
        sleep(Duration::from_millis(20)).await;
    }
    Ok(answered.elapsed())
}

async fn poison(arena: &mut Arena<'_>) -> anyhow::Result<()> {
    arena.stack.start_pod("cart", 0, &[("FAILPOINTS", "W11=2*panic(a handler that breaks down)")]).await?;
    arena.warm_up().await?;
    let mut before = Vec::new();
    for round in 0..PROBES {
        before.push(until_paid(arena, &format!("before-poison-{round}")).await?);
    }
    let letters = metric(arena, "payment-1", "dead_letters").await?;
    let stream = format!("{}:events:{{order}}", arena.stack.pods.prefix);
    let (id, huge) = ("00000000-0000-7000-8000-0000000000", "x".repeat(100_000));
    let unknown_version = json!({ "id": format!("{id}03"), "version": 99, "topic": "order.confirmed" }).to_string();
    let entries = [
        ("01", "order.confirmed", "{ this is no JSON"),
        ("02", "order.unheard-of", "{}"),
        ("03", "order.confirmed", unknown_version.as_str()),
        ("04", "order.confirmed", huge.as_str()),
        ("05", "", "{}"),
    ];
    let mut beside = Vec::new();
    for (round, (number, topic, body)) in entries.into_iter().enumerate() {
        arena.fault(&format!("an entry of {} bytes with the topic '{topic}'", body.len()));
        let id = format!("{id}{number}");
        arena.stack.redis.command(&["XADD", &stream, "*", "id", &id, "topic", topic, "json", body]).await?;
        beside.push(until_paid(arena, &format!("beside-poison-{round}")).await?);
    }
    // What waits for poison waits each time; a busy machine is slow now and then.
    let (usual, delayed) = (median(&mut before), median(&mut beside));
    arena.note(format!("paid after {} ms before, {} ms beside poison", usual.as_millis(), delayed.as_millis()));
    arena.check(delayed <= usual + DELAY, || format!("paid after {before:?} before and {beside:?} beside poison"));
    pass("poison is given up", Duration::from_secs(8)).await;
    let now = metric(arena, "payment-1", "dead_letters").await?;
    // Those of the topics that payment consumes, and the one without a topic.
    arena.check(now - letters >= 4.0, || format!("payment has {} new dead letters, not 4", now - letters));
    arena.stack.start_pod("cart", 0, &[]).await?;
    Ok(())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Old events by the thousand under new ids: they change nothing, but each group has to hear each of them.
async fn many(arena: &mut Arena<'_>) -> anyhow::Result<()> {
    until_paid(arena, "copied").await?;
    let uri = crate::stack::mongod::URI;
    let mongo = crate::stack::mongod::connect(uri, "faults").await?;
    let database = mongo.database().client().database(&format!("{}_order", arena.stack.pods.prefix));
    let outbox = database.collection::<Document>("outbox");
    let one = outbox.find_one(doc! { "topic": "order.confirmed" }).await?.context("nothing was confirmed")?;
    let (old, body) = (one.get_str("_id")?.to_owned(), one.get_str("body")?.to_owned());
    let mut copies = Vec::with_capacity(PENDING);
    for number in 0..PENDING {
        let id = format!("{}{number:05}", &old[..old.len() - 5]);
        let mut copy = one.clone();
        copy.insert("body", body.replace(&old, &id));
        copy.insert("_id", id);
        copy.insert("published", Bson::Null);
        copy.insert("confirmed", false);
        copy.remove("confirmed_at");
        copies.push(copy);
    }
    outbox.insert_many(copies).await?;
    arena.fault("FLUSHALL while 10,000 events wait");
    arena.stack.redis.command(&["FLUSHALL"]).await?;
    let started = Instant::now();
    loop {
        let left = outbox.count_documents(doc! { "confirmed": false }).await?;
        if left == 0 {
            break;
        }
        ensure!(started.elapsed() < CATCH_UP * 2, "{left} events still wait after {:?}", started.elapsed());
        sleep(Duration::from_secs(1)).await;
    }
    let took = started.elapsed();
    arena.note(format!("10,000 events handled by every group in {:.1} s", took.as_secs_f64()));
    arena.check(took <= CATCH_UP, || format!("10,000 events took {took:?}"));
    Ok(())
}

//! Edges: cut off from one service (F11), slow and lossy everywhere (F12), answers lost (F13), reset, half open.

use std::time::Duration;

use tokio::time::Instant;

use crate::cases::{Arena, Case, percentile};
use crate::history::Entry;
use crate::load::pass;
use crate::proxy::Weather;
use crate::stack::network::is_grpc;

/// How long an edge is out of order.
const TIME: Duration = Duration::from_secs(20);
/// Orders come again within this time after it was healed.
const AGAIN: Duration = Duration::from_secs(10);
/// What F12 does to an edge.
const SLOW: Weather = Weather::Slow { delay: Duration::from_millis(200), jitter: Duration::from_millis(50), lost: 2 };

pub(super) fn cases() -> Vec<Case> {
    let callees = ["payment", "inventory", "catalog", "cart"];
    let mut cases: Vec<Case> = callees
        .into_iter()
        .map(|callee| {
            let what = format!("nothing gets through to {callee} for {} s", TIME.as_secs());
            Case::new(&format!("F11-{callee}"), &what, false, move |arena| {
                Box::pin(broken(arena, Weather::Blackhole, callee))
            })
        })
        .collect();
    cases.push(Case::new("F12", "every call is 200 ms slower, 2 % are lost", false, |arena| Box::pin(slow(arena))));
    cases.push(Case::new("F13", "answers of payment are lost", false, |arena| {
        Box::pin(broken(arena, Weather::RepliesLost, "payment"))
    }));
    cases.push(Case::new("F13-reset", "connections to inventory are reset", false, |arena| {
        Box::pin(broken(arena, Weather::Reset, "inventory"))
    }));
    cases.push(Case::new("F13-half", "connections to payment are half open", false, |arena| {
        Box::pin(broken(arena, Weather::HalfOpen, "payment"))
    }));
    cases.push(Case::new("F13-psp", "answers of the payment provider are lost", false, |arena| {
        Box::pin(broken(arena, Weather::RepliesLost, "psp"))
    }));
    cases.push(Case::new("F13-narrow", "2 kB a second between order and MongoDB", false, |arena| {
        Box::pin(narrow(arena))
    }));
    cases
}

async fn since(arena: &Arena<'_>, from: Instant) -> anyhow::Result<Vec<Entry>> {
    Ok(arena.seen().await?.into_iter().filter(|entry| entry.answered > from).collect())
}

/// Deadlines hold and nothing is answered with 500, whatever becomes of one callee.
async fn broken(arena: &mut Arena<'_>, weather: Weather, callee: &'static str) -> anyhow::Result<()> {
    arena.warm_up().await?;
    let grpc = |from: &str, to: &str| to == callee && (is_grpc(from, to) || callee == "psp");
    let opened = arena.stack.network.opened(grpc);
    let from = Instant::now();
    arena.fault(&format!("{weather:?} on every edge to {callee}"));
    arena.stack.network.set(weather, grpc);
    pass("an edge is out of order", TIME).await;
    arena.stack.network.heal();
    let seen = since(arena, from).await?;
    arena.check_patience(seen.iter().map(|entry| entry.ms).max().unwrap_or_default());
    let crashes: Vec<_> = seen.iter().filter(|entry| entry.status == Some(500)).collect();
    arena.check(crashes.is_empty(), || format!("{} answers were 500, the first: {:?}", crashes.len(), crashes.first()));
    let opened = arena.stack.network.opened(grpc) - opened;
    let late = from + TIME * 2 / 3;
    let late: Vec<u64> =
        seen.iter().filter(|entry| entry.answered > late && entry.places_an_order()).map(|entry| entry.ms).collect();
    arena.note(format!("{opened} connections tried; orders at last p50 {} ms", percentile(late, 50)));
    let healed = Instant::now();
    pass("the edge is well again", AGAIN).await;
    let again = arena.seen().await?.iter().any(|entry| entry.answered > healed && entry.acknowledges());
    arena.check(again, || format!("no order was acknowledged within {AGAIN:?} after the edge was healed"));
    Ok(())
}

async fn slow(arena: &mut Arena<'_>) -> anyhow::Result<()> {
    let began = Instant::now();
    arena.warm_up().await?;
    let before = since(arena, began).await?;
    let from = Instant::now();
    arena.fault("200 +/- 50 ms and 2 % loss on every call between services");
    arena.stack.network.set(SLOW, |from, to| is_grpc(from, to) || from == "nginx");
    pass("calls are slow", TIME).await;
    let seen = since(arena, from).await?;
    arena.stack.network.heal();
    let failed = seen.iter().filter(|entry| !entry.answered_well()).count();
    arena.check(failed * 1000 <= seen.len(), || format!("{failed} of {} requests failed", seen.len()));
    let p99 = |entries: &[Entry]| percentile(entries.iter().map(|entry| entry.ms).collect(), 99);
    arena.note(format!("p99 {} ms before, {} ms on slow edges", p99(&before), p99(&seen)));
    arena.check_patience(seen.iter().map(|entry| entry.ms).max().unwrap_or_default());
    Ok(())
}

async fn narrow(arena: &mut Arena<'_>) -> anyhow::Result<()> {
    arena.warm_up().await?;
    let from = Instant::now();
    arena.fault("2 kB a second between one pod of order and MongoDB");
    arena.stack.network.set(Weather::Throttled(2_000), |from, to| from == "order-0" && to.starts_with("mongo-"));
    pass("a pod is nearly cut off", TIME).await;
    arena.stack.network.heal();
    let seen = since(arena, from).await?;
    arena.check_patience(seen.iter().map(|entry| entry.ms).max().unwrap_or_default());
    Ok(())
}

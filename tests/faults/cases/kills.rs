//! Pods that die: one of a service (F1), all of a service (F2).

use std::time::Duration;

use tokio::time::Instant;

use crate::cases::{Arena, Case, failures};
use crate::history::Entry;
use crate::load::pass;
use crate::report::say;

/// A pod that was killed is ready again within this time; the machine of the tests is slow and busy.
const READY_AGAIN: Duration = Duration::from_secs(3);

/// How long a service is gone as a whole.
const DEAD: Duration = Duration::from_secs(12);

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![Case::new("F1", "kill -9 of one pod of each service, one after the other", true, |arena| {
        Box::pin(each_in_turn(arena))
    })];
    cases.extend(["payment", "inventory", "cart", "catalog", "order"].map(|service| {
        let what = format!("all pods of {service} are dead for {} s", DEAD.as_secs());
        Case::new(&format!("F2-{service}"), &what, false, move |arena| Box::pin(all_of(arena, service)))
    }));
    cases
}

async fn each_in_turn(arena: &mut Arena<'_>) -> anyhow::Result<()> {
    arena.warm_up().await?;
    let mut slowest = Duration::ZERO;
    for spec in shop_config::SERVICES {
        let victim = format!("{}-0", spec.name);
        let mut took = Duration::MAX;
        // Once more where the machine was at fault: one that always takes so long is slow twice.
        for _ in 0..2 {
            arena.fault(&format!("kill -9 {victim}"));
            arena.stack.pods.get(&victim)?.process.kill().await?;
            pass("one pod short", Duration::from_secs(2)).await;
            took = took.min(arena.stack.start_pod(spec.name, 0, &[]).await?);
            if took <= READY_AGAIN {
                break;
            }
        }
        slowest = slowest.max(took);
        say(&format!("  {victim} was ready again after {:.1} s", took.as_secs_f64()));
    }
    arena.note(format!("ready again within {:.1} s", slowest.as_secs_f64()));
    arena.check(slowest <= READY_AGAIN, || format!("a pod took {slowest:?} to be ready again, not {READY_AGAIN:?}"));
    let (reads, _) = failures(&arena.seen().await?);
    arena.check(reads == 0, || format!("{reads} reads failed, though a second pod was there"));
    Ok(())
}

/// Who does not need the service goes on; everybody else gets an answer soon.
async fn all_of(arena: &mut Arena<'_>, service: &'static str) -> anyhow::Result<()> {
    arena.warm_up().await?;
    let from = Instant::now();
    for pod in arena.stack.pods.of(service) {
        arena.fault(&format!("kill -9 {pod}"));
        arena.stack.pods.get(&pod)?.process.kill().await?;
    }
    pass("a service is gone", DEAD).await;
    let seen: Vec<Entry> = arena.seen().await?.into_iter().filter(|entry| entry.answered > from).collect();
    arena.check_patience(seen.iter().map(|entry| entry.ms).max().unwrap_or_default());
    let browsing = seen.iter().filter(|entry| entry.route.starts_with("/api/v1/products") && !entry.answered_well());
    let browsing = browsing.count();
    arena.check(service == "catalog" || browsing == 0, || {
        format!("{browsing} looks at products failed without {service}")
    });
    let odd: Vec<_> =
        seen.iter().filter(|entry| entry.status.is_some_and(|status| status >= 500 && status != 503)).collect();
    arena.check(odd.is_empty(), || {
        format!("{} answers were neither 503 nor good, the first: {:?}", odd.len(), odd.first())
    });
    let silent = seen.iter().filter(|entry| entry.status == Some(503) && !entry.retry_after).count();
    arena.check(silent == 0, || format!("{silent} answers with 503 did not say when to come again"));
    Ok(())
}

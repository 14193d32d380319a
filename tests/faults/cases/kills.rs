//! Pods that die: one of a service (F1), all of a service (F2).

use std::time::Duration;

use crate::cases::{Arena, Case, failures};
use crate::load::pass;
use crate::report::say;

/// A pod that was killed is ready again within this time (F1, G3); the machine of the tests is slow and busy.
const READY_AGAIN: Duration = Duration::from_secs(3);

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("F1", "kill -9 of one pod of each service, one after the other", true, |arena| {
        Box::pin(each_in_turn(arena))
    })]
}

async fn each_in_turn(arena: &mut Arena<'_>) -> anyhow::Result<()> {
    arena.warm_up().await?;
    let mut slowest = Duration::ZERO;
    for spec in shop_config::SERVICES {
        let victim = format!("{}-0", spec.name);
        arena.fault(&format!("kill -9 {victim}"));
        arena.stack.pods.get(&victim)?.process.kill().await?;
        pass("one pod short", Duration::from_secs(2)).await;
        let took = arena.stack.start_pod(spec.name, 0, &[]).await?;
        slowest = slowest.max(took);
        say(&format!("  {victim} was ready again after {:.1} s", took.as_secs_f64()));
    }
    arena.note(format!("ready again within {:.1} s", slowest.as_secs_f64()));
    arena.check(slowest <= READY_AGAIN, || format!("a pod took {slowest:?} to be ready again, not {READY_AGAIN:?}"));
    let (reads, _) = failures(&arena.seen().await?);
    arena.check(reads == 0, || format!("{reads} reads failed, though a second pod was there"));
    Ok(())
}

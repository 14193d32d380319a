//! MongoDB: elections asked for and forced (F4, F5, F6), no majority (F7), a primary that is cut off before it dies.

use std::time::Duration;

use anyhow::Context as _;
use tokio::time::{Instant, sleep};

use crate::cases::{Arena, Case, failures, longest_pause};
use crate::history::Entry;
use crate::load::pass;
use crate::proxy::Weather;
use crate::stack::mongod::MEMBERS;

/// What is promised, with a second for a busy machine.
const STEP_DOWN: Duration = Duration::from_secs(3 + 1);
/// On a slow one an election may take longer still: one of so many must not.
const STEP_DOWNS: usize = 3;
/// As long as a call between services waits for its answer.
const CALL: Duration = Duration::from_secs(2);
const KILL: Duration = Duration::from_secs(15 + 1);
const PAUSE: Duration = Duration::from_secs(30 + 1);
const RECOVERY: Duration = Duration::from_secs(20);

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("F4", "the primary steps down under load", true, |arena| Box::pin(step_down(arena))),
        Case::new("F5", "kill -9 of the primary", true, |arena| Box::pin(kill(arena))),
        Case::new("F5-cut", "the primary cannot reach the others, takes writes for 4 s, and dies", false, |arena| {
            Box::pin(cut_and_kill(arena))
        }),
        Case::new("F6", "the primary sleeps for 45 s and wakes up", false, |arena| Box::pin(sleep_and_wake(arena))),
        Case::new("F7", "two of three mongods are dead for 30 s", false, |arena| Box::pin(no_majority(arena))),
    ]
}

/// Lets users work on while something is wrong, and says for how long no order was acknowledged.
async fn watch(arena: &mut Arena<'_>, why: &str, time: Duration) -> anyhow::Result<Duration> {
    let since = Instant::now();
    pass(why, time).await;
    Ok(longest_pause(&arena.seen().await?, since, Instant::now(), Entry::acknowledges))
}

async fn step_down(arena: &mut Arena<'_>) -> anyhow::Result<()> {
    arena.warm_up().await?;
    let (mut pause, mut failed) = (Duration::MAX, (0, 0));
    for _ in 0..STEP_DOWNS {
        let before = failures(&arena.seen().await?);
        arena.fault("the primary steps down");
        arena.stack.mongodb.step_down(10).await?;
        pause = watch(arena, "a new primary takes over", Duration::from_secs(10)).await?;
        let after = failures(&arena.seen().await?);
        failed = (after.0 - before.0, after.1 - before.1);
        arena.note(format!("no orders for {:.1} s", pause.as_secs_f64()));
        // One that everybody can wait for fails nobody: it is not forgiven by another try.
        if pause <= CALL || (pause <= STEP_DOWN && failed == (0, 0)) {
            break;
        }
    }
    arena.check(pause <= STEP_DOWN, || format!("a step-down stopped orders for {pause:?}"));
    arena.check(failed == (0, 0), || format!("a step-down failed {} reads and {} writes", failed.0, failed.1));
    Ok(())
}

async fn kill(arena: &mut Arena<'_>) -> anyhow::Result<()> {
    arena.warm_up().await?;
    let primary = arena.stack.mongodb.primary().await?;
    arena.fault("kill -9 of the primary");
    arena.stack.mongodb.members[primary].kill().await?;
    let pause = watch(arena, "the others elect", Duration::from_secs(22)).await?;
    arena.note(format!("no orders for {:.1} s", pause.as_secs_f64()));
    arena.check(pause <= KILL, || format!("a killed primary stopped orders for {pause:?}"));
    Ok(())
}

/// What a majority has not got is not acknowledged: it is gone with this primary.
async fn cut_and_kill(arena: &mut Arena<'_>) -> anyhow::Result<()> {
    arena.warm_up().await?;
    let primary = arena.stack.mongodb.primary().await?;
    arena.fault("nobody replicates from the primary any more");
    let name = MEMBERS.get(primary).copied().context("the primary is a member")?;
    arena.stack.network.set(Weather::Blackhole, |from, to| MEMBERS.contains(&from) && to == name);
    pass("writes reach the primary alone", Duration::from_secs(4)).await;
    arena.fault("kill -9 of that primary");
    arena.stack.mongodb.members[primary].kill().await?;
    arena.stack.network.heal();
    let pause = watch(arena, "the others elect", Duration::from_secs(20)).await?;
    arena.note(format!("no orders for {:.1} s", pause.as_secs_f64()));
    Ok(())
}

async fn sleep_and_wake(arena: &mut Arena<'_>) -> anyhow::Result<()> {
    arena.warm_up().await?;
    let primary = arena.stack.mongodb.primary().await?;
    arena.fault("the primary is stopped");
    arena.stack.mongodb.members[primary].signal("STOP").await?;
    let pause = watch(arena, "the primary sleeps", Duration::from_secs(45)).await?;
    arena.note(format!("no orders for {:.1} s", pause.as_secs_f64()));
    arena.check(pause <= PAUSE, || format!("a primary that sleeps stopped orders for {pause:?}"));
    arena.stack.mongodb.members[primary].signal("CONT").await?;
    let woken = watch(arena, "the old primary is awake", Duration::from_secs(8)).await?;
    arena.check(woken <= STEP_DOWN, || format!("the old primary stopped orders for {woken:?} when it woke"));
    let now = arena.stack.mongodb.primary().await?;
    arena.check(now != primary, || "the primary that slept for 45 s is primary still".into());
    Ok(())
}

async fn no_majority(arena: &mut Arena<'_>) -> anyhow::Result<()> {
    arena.warm_up().await?;
    let (first, second) = (0, 1);
    let since = Instant::now();
    arena.fault("kill -9 of one mongod");
    arena.stack.mongodb.members[first].kill().await?;
    arena.fault("kill -9 of another mongod");
    arena.stack.mongodb.members[second].kill().await?;
    pass("one mongod is left", Duration::from_secs(30)).await;
    let seen = arena.seen().await?;
    let slowest = seen.iter().filter(|entry| entry.answered > since).map(|entry| entry.ms).max().unwrap_or_default();
    arena.check_patience(slowest);
    arena.stack.mongodb.members[first].start()?;
    arena.stack.mongodb.members[second].start()?;
    let started = Instant::now();
    while !arena.seen().await?.iter().any(|entry| entry.answered > started && entry.acknowledges()) {
        if started.elapsed() > RECOVERY * 2 {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    let took = started.elapsed();
    arena.note(format!("orders again after {:.1} s", took.as_secs_f64()));
    arena.check(took <= RECOVERY, || format!("orders came back {took:?} after a majority did"));
    Ok(())
}

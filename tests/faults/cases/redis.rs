//! Redis: dead (F8), emptied, rolled back, cut short (F9), asleep (F10). Orders do not need it; events only come later.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::process::Command;
use tokio::time::Instant;

use crate::cases::{Arena, Case, percentile};
use crate::history::Entry;
use crate::load::pass;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("F8", "Redis is dead for 10 s", true, |arena| Box::pin(dead(arena, Duration::from_secs(10)))),
        Case::new("F8-long", "Redis is dead for 60 s", false, |arena| Box::pin(dead(arena, Duration::from_secs(60)))),
        Case::new("F9", "FLUSHALL under load, twice", true, |arena| Box::pin(flushed(arena))),
        Case::new("F9-behind", "FLUSHALL while carts are busy with old events", false, |arena| {
            Box::pin(flushed_behind(arena))
        }),
        Case::new("F9-stale", "Redis comes back with what it had 8 s ago", false, |arena| Box::pin(rolled_back(arena))),
        Case::new("F9-cut", "Redis dies and its append-only file has lost its end", false, |arena| {
            Box::pin(cut_short(arena))
        }),
        Case::new("F10", "Redis sleeps for 20 s", false, |arena| Box::pin(asleep(arena))),
    ]
}

/// Orders that were not answered well since then.
async fn failed_orders(arena: &Arena<'_>, since: Instant) -> anyhow::Result<usize> {
    let failed = |entry: &&Entry| entry.answered > since && entry.places_an_order() && !entry.answered_well();
    Ok(arena.seen().await?.iter().filter(failed).count())
}

/// How long orders took within a time, by the 99th of a hundred.
async fn slow_orders(arena: &Arena<'_>, from: Instant, to: Instant) -> anyhow::Result<u64> {
    let seen = arena.seen().await?;
    let orders = seen.iter().filter(|entry| entry.places_an_order() && (from..to).contains(&entry.answered));
    Ok(percentile(orders.map(|entry| entry.ms).collect(), 99))
}

async fn dead(arena: &mut Arena<'_>, time: Duration) -> anyhow::Result<()> {
    let began = Instant::now();
    arena.warm_up().await?;
    let since = Instant::now();
    let before = slow_orders(arena, began, since).await?;
    arena.fault("kill -9 of Redis");
    arena.stack.redis.process.kill().await?;
    pass("Redis is dead", time).await;
    let after = slow_orders(arena, since, Instant::now()).await?;
    let failed = failed_orders(arena, since).await?;
    arena.check(failed == 0, || format!("{failed} orders failed while Redis was dead"));
    arena.note(format!("p99 of orders {before} ms before, {after} ms without Redis"));
    arena.stack.redis.start_again().await
}

async fn flushed(arena: &mut Arena<'_>) -> anyhow::Result<()> {
    arena.warm_up().await?;
    let since = Instant::now();
    for _ in 0..2 {
        arena.fault("FLUSHALL");
        arena.stack.redis.command(&["FLUSHALL"]).await?;
        pass("all streams are gone", Duration::from_secs(5)).await;
    }
    let failed = failed_orders(arena, since).await?;
    arena.check(failed == 0, || format!("{failed} orders failed after FLUSHALL"));
    Ok(())
}

/// The relay makes the stream again before its consumers look: their group must begin with what was sent again.
async fn flushed_behind(arena: &mut Arena<'_>) -> anyhow::Result<()> {
    for replica in 0..2 {
        arena.stack.start_pod("cart", replica, &[("FAILPOINTS", "W11=return(pause:6000)")]).await?;
    }
    arena.warm_up().await?;
    let since = Instant::now();
    arena.fault("FLUSHALL, and each batch of events takes cart 6 s");
    arena.stack.redis.command(&["FLUSHALL"]).await?;
    pass("the streams come back, carts do not look", Duration::from_secs(12)).await;
    let failed = failed_orders(arena, since).await?;
    arena.check(failed == 0, || format!("{failed} orders failed after FLUSHALL"));
    for replica in 0..2 {
        arena.stack.start_pod("cart", replica, &[]).await?;
    }
    Ok(())
}

/// A replica that lagged by 8 s is promoted: a stale copy, under another run id.
async fn rolled_back(arena: &mut Arena<'_>) -> anyhow::Result<()> {
    arena.warm_up().await?;
    let (data, copy) = (arena.stack.redis.folder.clone(), arena.stack.binaries.folder.join("redis-stale"));
    copy_folder(&data, &copy).await?;
    pass("events that the copy does not have", Duration::from_secs(8)).await;
    let since = Instant::now();
    arena.fault("Redis dies, a stale copy takes its place");
    arena.stack.redis.process.kill().await?;
    std::fs::remove_dir_all(&data).context("failed to remove the data of Redis")?;
    copy_folder(&copy, &data).await?;
    arena.stack.redis.start_again().await?;
    pass("Redis has forgotten 8 s", Duration::from_secs(5)).await;
    let failed = failed_orders(arena, since).await?;
    arena.check(failed == 0, || format!("{failed} orders failed when Redis was rolled back"));
    Ok(())
}

async fn cut_short(arena: &mut Arena<'_>) -> anyhow::Result<()> {
    arena.warm_up().await?;
    let since = Instant::now();
    arena.fault("Redis dies and loses the last third of its file");
    arena.stack.redis.process.kill().await?;
    let files = arena.stack.redis.folder.join("appendonlydir");
    let mut cut = 0;
    for file in std::fs::read_dir(&files).context("Redis has no append-only folder")? {
        let path = file.context("failed to read the folder of Redis")?.path();
        if path.to_string_lossy().ends_with(".incr.aof") {
            let file =
                std::fs::OpenOptions::new().write(true).open(&path).context("failed to open the file of Redis")?;
            let length = file.metadata().context("failed to measure the file of Redis")?.len();
            file.set_len(length / 3 * 2).context("failed to shorten the file of Redis")?;
            cut += length;
        }
    }
    ensure!(cut > 0, "there was nothing to cut in {}", files.display());
    arena.stack.redis.start_again().await?;
    pass("Redis has lost what came last", Duration::from_secs(5)).await;
    let failed = failed_orders(arena, since).await?;
    arena.check(failed == 0, || format!("{failed} orders failed when Redis lost its end"));
    Ok(())
}

async fn asleep(arena: &mut Arena<'_>) -> anyhow::Result<()> {
    let began = Instant::now();
    arena.warm_up().await?;
    let since = Instant::now();
    let before = slow_orders(arena, began, since).await?;
    arena.fault("Redis is stopped");
    arena.stack.redis.process.signal("STOP").await?;
    pass("Redis sleeps", Duration::from_secs(20)).await;
    let after = slow_orders(arena, since, Instant::now()).await?;
    let failed = failed_orders(arena, since).await?;
    arena.check(failed == 0, || format!("{failed} orders failed while Redis slept"));
    arena.note(format!("p99 of orders {before} ms before, {after} ms beside a sleeping Redis"));
    arena.stack.redis.process.signal("CONT").await
}

async fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    let copied = Command::new("cp").arg("-rT").args([from, to]).status().await.context("failed to run cp")?;
    ensure!(copied.success(), "{} was not copied", from.display());
    Ok(())
}

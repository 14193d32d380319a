//! More users than the machine can serve (F18): excess is refused at once, nobody falls over, and it is over when they go.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::cases::{Arena, Case, percentile};
use crate::history::Entry;
use crate::load::{Crowd, pass};

const USUAL: u16 = 200;
const CROWD: u16 = 2_000;
const TIME: Duration = Duration::from_secs(30);
const THINK: Duration = Duration::from_secs(4);
/// As quick as before within this time after the crowd has gone.
const RECOVERY: Duration = Duration::from_secs(10);

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("F18", "200 users become 2,000 for 30 s", false, |arena| Box::pin(crowd(arena)))]
}

async fn crowd(arena: &mut Arena<'_>) -> anyhow::Result<()> {
    let usual = Crowd { users: USUAL, think: THINK, bad_cards: false };
    let began = Instant::now();
    arena.users(usual)?;
    pass("200 users at work", TIME / 2).await;
    let calm = p99_of_good(&arena.seen().await?, began, Instant::now());
    let from = Instant::now();
    arena.fault("1,800 more users");
    let more = arena.more_users(Crowd { users: CROWD - USUAL, ..usual })?;
    pass("2,000 users at work", TIME).await;
    let to = Instant::now();
    drop(more);
    let seen: Vec<Entry> = arena.seen().await?.into_iter().filter(|entry| entry.answered > from).collect();
    let refused: Vec<&Entry> = seen.iter().filter(|entry| matches!(entry.status, Some(429 | 503))).collect();
    let slow = percentile(refused.iter().map(|entry| entry.ms).collect(), 99);
    let good = p99_of_good(&seen, from, to);
    arena.note(format!("p99 {calm} ms with 200, {good} ms with 2,000; {} refused, p99 {slow} ms", refused.len()));
    let silent = refused.iter().filter(|entry| !entry.retry_after).count();
    arena.check(silent == 0, || format!("{silent} refusals did not say when to come again"));
    arena.check_patience(seen.iter().map(|entry| entry.ms).max().unwrap_or_default());
    sleep(RECOVERY).await;
    let gone = Instant::now();
    pass("200 users are left", RECOVERY / 2).await;
    let after = p99_of_good(&arena.seen().await?, gone, Instant::now());
    arena.note(format!("p99 {after} ms when they had gone"));
    arena.check(after <= calm * 2 + 500, || {
        format!("{RECOVERY:?} after the crowd p99 was {after} ms, before {calm} ms")
    });
    for pod in arena.stack.pods.names() {
        let runs = arena.stack.pods.get(&pod)?.process.runs()?;
        arena.check(runs, || format!("{pod} fell over"));
    }
    Ok(())
}

/// Without the orders that wait for a payment provider that never answers: they take 3 s, however few users there are.
fn p99_of_good(entries: &[Entry], from: Instant, to: Instant) -> u64 {
    let waits = |entry: &Entry| {
        let method = entry.body.as_ref().and_then(|body| body["payment"]["method"].as_str());
        method.is_some_and(|method| method.starts_with("tok_timeout"))
    };
    let good = entries.iter().filter(|entry| entry.answered_well() && !waits(entry));
    let good = good.filter(|entry| (from..to).contains(&entry.answered));
    percentile(good.map(|entry| entry.ms).collect(), 99)
}

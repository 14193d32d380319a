//! A pod whose clock is wrong (F14): leases go by the clock of the database, tokens of the wrong time are refused.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::cases::{Arena, Case};
use crate::load::pass;
use crate::stack::addresses::Party;
use crate::stack::pods::is_ready;

/// Where Debian's package `libfaketime` puts it.
const LIBRARIES: [&str; 2] =
    ["/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1"];
/// A pod whose clock is more than 10 s off notices that within this time.
const NOTICED: Duration = Duration::from_secs(20);

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("F14-ahead", "the clock of one pod is 5 min ahead and jumps back", false, |arena| {
            Box::pin(wrong(arena, "+300"))
        }),
        Case::new("F14-behind", "the clock of one pod is 5 min behind and jumps forth", false, |arena| {
            Box::pin(wrong(arena, "-300"))
        }),
    ]
}

async fn wrong(arena: &mut Arena<'_>, offset: &'static str) -> anyhow::Result<()> {
    let library = LIBRARIES.into_iter().find(|path| Path::new(path).exists());
    let library = library.context("libfaketime is not installed; run 'make deps'")?;
    let file = arena.stack.binaries.folder.join("clock");
    std::fs::write(&file, offset).context("failed to write a clock")?;
    let file_text = file.to_string_lossy().into_owned();
    let fake = [
        ("LD_PRELOAD", library),
        ("FAKETIME_TIMESTAMP_FILE", file_text.as_str()),
        ("FAKETIME_CACHE_DURATION", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("DONT_FAKE_MONOTONIC", "1"),
    ];
    arena.warm_up().await?;
    for service in ["order", "payment", "identity"] {
        let pod = format!("{service}-0");
        arena.fault(&format!("the clock of {pod} is off by {offset} s"));
        arena.stack.pods.remove(&pod).await?;
        arena.stack.launch_pod(service, 0, &fake).await?;
    }
    let noticed = not_ready(arena, "order-0").await?;
    arena.check(noticed, || format!("order-0 is ready {NOTICED:?} after it began with a clock {offset} s off"));
    if offset.starts_with('+') {
        strange_tokens(arena).await?;
    }
    arena.fault("the clocks jump back to the true time");
    std::fs::write(&file, "+0").context("failed to write a clock")?;
    pass("the clocks are right again", Duration::from_secs(8)).await;
    for service in ["order", "payment", "identity"] {
        arena.stack.start_pod(service, 0, &[]).await?;
    }
    Ok(())
}

/// Whether a pod says that it takes no requests.
async fn not_ready(arena: &mut Arena<'_>, pod: &str) -> anyhow::Result<bool> {
    let (client, started) = (reqwest::Client::new(), Instant::now());
    let party: Party = arena.stack.pods.get(pod)?.party;
    // It has to be up before its silence means anything.
    sleep(Duration::from_secs(8)).await;
    arena.stack.pods.get(pod)?.process.ensure_runs()?;
    while started.elapsed() < NOTICED {
        if !is_ready(&client, party).await {
            return Ok(true);
        }
        sleep(Duration::from_millis(500)).await;
    }
    Ok(false)
}

/// Somebody registers where the clock is ahead: the token is one of the future, and refused elsewhere. One of the past is
/// as good as any until it expires.
async fn strange_tokens(arena: &mut Arena<'_>) -> anyhow::Result<()> {
    let (client, party) = (reqwest::Client::new(), arena.stack.pods.get("identity-0")?.party);
    let url = format!("http://{}:{}/api/v1/auth/register", party.address(), shop_config::HTTP_PORT);
    let email = format!("clock-{}@shop.example", arena.stack.next_number());
    let person = json!({ "email": email, "password": "correct horse battery staple", "name": "Clock" });
    let reply = client.post(url).json(&person).send().await.context("identity-0 does not answer")?;
    let status = reply.status();
    let body: serde_json::Value = reply.json().await.context("identity-0 answers without JSON")?;
    let token = body["token"].as_str().with_context(|| format!("identity-0 registers nobody: {status} {body}"))?;
    let party = arena.stack.pods.get("cart-1")?.party;
    let url = format!("http://{}:{}/api/v1/me/cart", party.address(), shop_config::HTTP_PORT);
    let seen = client.get(url).bearer_auth(token).send().await.context("cart-1 does not answer")?.status();
    arena.check(seen.as_u16() == 401, || format!("a token of another time was answered with {seen}"));
    Ok(())
}

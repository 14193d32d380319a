//! A pod fails right after one write of the saga: it dies, it sleeps for 20 s, or the write is told to have failed.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use shop_faults::FAILPOINTS;
use tokio::time::{Instant, sleep};

use crate::cases::{Arena, Case};
use crate::load::{Crowd, pass};
use crate::report::say;

/// A write comes up within this time when fifty users are at work, also on a machine that has other work.
const COMES_UP: Duration = Duration::from_secs(60);
/// So long the other pod of the service may have all the work before it is ended.
const OTHERS_TURN: Duration = Duration::from_secs(5);
/// Longer than any lease, so that another pod takes over what this one holds.
const PAUSE: Duration = Duration::from_secs(20);
/// Failpoints that the smoke set looks at, and how they fail there.
const SMOKE: [(&str, Failure); 6] = [
    ("W1", Failure::Abort),
    ("W2", Failure::Abort),
    ("X4", Failure::Abort),
    ("W6", Failure::Abort),
    ("W8", Failure::Abort),
    ("RELAY", Failure::Abort),
];

/// How a failpoint fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// The process ends as by kill -9.
    Abort,
    /// The process sleeps at this place and goes on.
    Pause,
    /// The place says that it failed, three times.
    Error,
}

impl Failure {
    const ALL: [Self; 3] = [Self::Abort, Self::Pause, Self::Error];

    const fn word(self) -> &'static str {
        match self {
            Self::Abort => "abort",
            Self::Pause => "pause",
            Self::Error => "error",
        }
    }

    fn action(self) -> String {
        match self {
            Self::Abort => "1*return(abort)".into(),
            Self::Pause => format!("1*return(pause:{})", PAUSE.as_millis()),
            Self::Error => "3*return(error)".into(),
        }
    }
}

pub(super) fn cases() -> Vec<Case> {
    let each = FAILPOINTS.iter().flat_map(|point| Failure::ALL.map(|failure| (*point, failure)));
    each.map(|(point, failure)| {
        let name = format!("{point}-{}", failure.word());
        let what = format!("{} right after {point}: {}", service_of(point), failure.word());
        let smoke = SMOKE.contains(&(point, failure));
        Case::new(&name, &what, smoke, move |arena| Box::pin(fail(arena, point, failure)))
    })
    .collect()
}

/// Who does what stands after this failpoint (docs/design/orders.md 1.5).
pub(super) fn service_of(point: &str) -> &'static str {
    match point {
        "W2" | "W9" => "inventory",
        "W3" | "X4" | "W5" | "W7" | "X7" | "W8" => "payment",
        "W11" => "cart",
        _ => "order",
    }
}

async fn fail(arena: &mut Arena<'_>, point: &'static str, failure: Failure) -> anyhow::Result<()> {
    let service = service_of(point);
    // Without declined cards, whose orders would rest until their deadline and the case with them.
    arena.users(Crowd { bad_cards: false, ..Crowd::default() })?;
    for round in 0..arena.rounds {
        let replica = u8::try_from(round % 2)?;
        let pod = format!("{service}-{replica}");
        let log = arena.stack.binaries.logs.join(format!("{pod}.log"));
        let said = format!("failpoint {point}:");
        let before = count(&log, &said)?;
        // Not until it is ready: it may come to the place before that.
        let points = format!("{point}={}", failure.action());
        arena.stack.launch_pod(service, replica, &[("FAILPOINTS", &points)]).await?;
        arena.fault(&format!("{pod} is to {} right after {point}", failure.word()));
        say(&format!("  waiting until {pod} comes to {point}"));
        let (started, mut given) = (Instant::now(), Instant::now());
        // A case whose failpoint is never reached proves nothing.
        while count(&log, &said)? == before {
            ensure!(started.elapsed() < COMES_UP, "{pod} did not come to {point} within {COMES_UP:?}");
            if given.elapsed() > OTHERS_TURN {
                // All its callers are connected to the other pod, or that one has the lease.
                let other = 1 - replica;
                arena.fault(&format!("{service}-{other} ends, so that its work comes to {pod}"));
                arena.stack.launch_pod(service, other, &[]).await?;
                given = Instant::now();
            }
            sleep(Duration::from_millis(50)).await;
        }
        if failure == Failure::Pause {
            pass("a pod sleeps in the middle of it", PAUSE + Duration::from_secs(2)).await;
        }
        arena.stack.start_pod(service, replica, &[]).await?;
    }
    Ok(())
}

/// How often a pod has said this.
fn count(log: &std::path::Path, said: &str) -> anyhow::Result<usize> {
    let text = std::fs::read(log).with_context(|| format!("failed to read {}", log.display()))?;
    Ok(String::from_utf8_lossy(&text).lines().filter(|line| line.starts_with(said)).count())
}

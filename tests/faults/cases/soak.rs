//! A random schedule of faults under load. The same seed makes the same choices.

use std::time::Duration;

use tokio::time::sleep;

use crate::cases::{Arena, Case};
use crate::chance::Chance;
use crate::load::pass;
use crate::proxy::Weather;
use crate::stack::network::is_grpc;

/// Faults of one episode: then everybody goes home and a verdict is made.
const FAULTS: u32 = 6;

/// What can go wrong.
#[derive(Debug, Clone, Copy)]
enum Mishap {
    KillPod,
    KillService,
    StopPod,
    StepDown,
    KillPrimary,
    StopPrimary,
    KillRedis,
    FlushRedis,
    StopRedis,
    CutEdges,
    SlowEdges,
    ResetEdges,
    HalfOpenEdges,
    Failpoint,
}

impl Mishap {
    const ALL: [Self; 14] = [
        Self::KillPod,
        Self::KillService,
        Self::StopPod,
        Self::StepDown,
        Self::KillPrimary,
        Self::StopPrimary,
        Self::KillRedis,
        Self::FlushRedis,
        Self::StopRedis,
        Self::CutEdges,
        Self::SlowEdges,
        Self::ResetEdges,
        Self::HalfOpenEdges,
        Self::Failpoint,
    ];
}

/// The episode of this number in the schedule of this seed.
pub(crate) fn episode(seed: u64, number: u32) -> Case {
    let what = format!("{FAULTS} random faults (seed {seed}, episode {number})");
    Case::new(&format!("soak-{number}"), &what, false, move |arena| {
        Box::pin(play(arena, Chance::new(seed.wrapping_add(u64::from(number).wrapping_mul(1_000_003)))))
    })
}

async fn play(arena: &mut Arena<'_>, mut chance: Chance) -> anyhow::Result<()> {
    arena.warm_up().await?;
    for _ in 0..FAULTS {
        let Some(mishap) = chance.one_of(&Mishap::ALL).copied() else { continue };
        let time = Duration::from_secs(3 + u64::from(chance.up_to(8)));
        happen(arena, mishap, time, &mut chance).await?;
        arena.stack.heal().await?;
        sleep(Duration::from_secs(4 + u64::from(chance.up_to(6)))).await;
    }
    Ok(())
}

async fn happen(arena: &mut Arena<'_>, mishap: Mishap, time: Duration, chance: &mut Chance) -> anyhow::Result<()> {
    let pods = arena.stack.pods.names();
    let pod = chance.one_of(&pods).cloned().unwrap_or_default();
    let service = arena.stack.pods.get(&pod)?.service;
    arena.fault(&format!("{mishap:?} for {} s; the lot fell on {pod}", time.as_secs()));
    match mishap {
        Mishap::KillPod => arena.stack.pods.get(&pod)?.process.kill().await?,
        Mishap::KillService => {
            for pod in arena.stack.pods.of(service) {
                arena.stack.pods.get(&pod)?.process.kill().await?;
            }
        }
        Mishap::StopPod => arena.stack.pods.get(&pod)?.process.signal("STOP").await?,
        Mishap::StepDown => arena.stack.mongodb.step_down(10).await?,
        Mishap::KillPrimary => {
            let primary = arena.stack.mongodb.primary().await?;
            arena.stack.mongodb.members[primary].kill().await?;
        }
        Mishap::StopPrimary => {
            let primary = arena.stack.mongodb.primary().await?;
            arena.stack.mongodb.members[primary].signal("STOP").await?;
        }
        Mishap::KillRedis => arena.stack.redis.process.kill().await?,
        Mishap::FlushRedis => drop(arena.stack.redis.command(&["FLUSHALL"]).await?),
        Mishap::StopRedis => arena.stack.redis.process.signal("STOP").await?,
        Mishap::CutEdges => weather(arena, Weather::Blackhole, &pod, service),
        Mishap::SlowEdges => {
            let slow = Weather::Slow { delay: Duration::from_millis(200), jitter: Duration::from_millis(50), lost: 2 };
            weather(arena, slow, &pod, service);
        }
        Mishap::ResetEdges => weather(arena, Weather::Reset, &pod, service),
        Mishap::HalfOpenEdges => weather(arena, Weather::HalfOpen, &pod, service),
        Mishap::Failpoint => {
            let Some(point) = chance.one_of(&shop_faults::FAILPOINTS).copied() else { return Ok(()) };
            let service = super::failpoints::service_of(point);
            arena.fault(&format!("{service}-0 is to die right after {point}"));
            let points = format!("{point}=1*return(abort)");
            arena.stack.start_pod(service, 0, &[("FAILPOINTS", &points)]).await?;
            pass("a failpoint is armed", time).await;
            arena.stack.start_pod(service, 0, &[]).await?;
            return Ok(());
        }
    }
    pass("something is wrong", time).await;
    Ok(())
}

/// All edges from one pod, and all calls to its service.
fn weather(arena: &Arena<'_>, weather: Weather, pod: &str, service: &str) {
    arena.stack.network.set(weather, |from, to| from == pod || (to == service && is_grpc(from, to)));
}

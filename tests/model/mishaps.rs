//! What happens to a shop from outside: processes die and stand still, servers go and forget, time passes.

use crate::engine::{HOUR, MINUTE, Millis, Process, SECOND, Service};
use crate::world::{REPLICAS, Shop};

/// Between two steps something happens once in so many times, while the schedule allows it.
const ONCE_IN: u32 = 40;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Mishap {
    Kill(Process),
    /// It stands still, keeps what it holds, and goes on as if nothing had been.
    Freeze(Process),
    /// The primary of a database goes.
    FailOver(Service),
    RedisAway,
    RedisFlush,
    RedisSave,
    RedisRollBack,
    ProviderAway,
    TimePasses,
}

/// Everything that may happen.
pub(crate) fn all() -> Vec<Mishap> {
    let pods = |service| (0..REPLICAS).map(move |replica| Process::Pod(service, replica));
    let processes = || Service::ALL.into_iter().flat_map(pods);
    let mut all: Vec<Mishap> = processes().map(Mishap::Kill).chain(processes().map(Mishap::Freeze)).collect();
    all.extend(Service::ALL.map(Mishap::FailOver));
    all.extend([Mishap::RedisAway, Mishap::RedisFlush, Mishap::RedisSave, Mishap::RedisRollBack]);
    all.extend([Mishap::ProviderAway, Mishap::TimePasses]);
    all
}

/// Lets one of these happen, or (mostly) nothing.
pub(crate) fn may_strike(shop: &Shop, all: &[Mishap]) {
    let which = shop.mishap(ONCE_IN, all.len());
    if let Some(mishap) = which.checked_sub(1).and_then(|place| all.get(place)) {
        strike(shop, *mishap);
    }
}

fn strike(shop: &Shop, mishap: Mishap) {
    let sim = &shop.sim;
    let one_of = |times: &[Millis]| times[sim.pick(times.len())];
    sim.tell(|| format!("MISHAP {mishap:?}"));
    match mishap {
        Mishap::Kill(process) => {
            shop.kill(process);
            let (shop, after) = (shop.clone(), one_of(&[SECOND, 0, 40 * SECOND]));
            sim.spawn(Process::Outside, async move {
                shop.sim.sleep(after).await;
                shop.start(process);
            });
        }
        Mishap::Freeze(process) => {
            sim.freeze(process, sim.now() + one_of(&[12 * SECOND, 2 * SECOND, 40 * SECOND, 20 * MINUTE]));
        }
        Mishap::FailOver(service) => {
            let (time, lost) = (one_of(&[2 * SECOND, 6 * SECOND, 15 * SECOND]), 1 + sim.pick(3));
            shop.database(service).fail_over(time, lost);
        }
        Mishap::RedisAway => shop.redis.go_away(one_of(&[5 * SECOND, SECOND, 70 * SECOND])),
        Mishap::RedisFlush => shop.redis.flush(),
        Mishap::RedisSave => shop.redis.save(),
        Mishap::RedisRollBack => shop.redis.roll_back(),
        Mishap::ProviderAway => shop.provider.go_away(one_of(&[5 * SECOND, 2 * MINUTE, HOUR])),
        Mishap::TimePasses => sim.pass(one_of(&[11 * SECOND, SECOND, 31 * SECOND, 16 * MINUTE])),
    }
}

/// Everything comes back, and nothing more happens.
pub(crate) fn heal(shop: &Shop) {
    shop.no_more_mishaps();
    shop.sim.thaw_all();
    shop.redis.heal();
    shop.provider.heal();
    for service in Service::ALL {
        shop.database(service).heal();
        (0..REPLICAS).for_each(|replica| shop.start(Process::Pod(service, replica)));
    }
}

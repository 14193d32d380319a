//! One schedule, from the first buyer until everything has come to rest.

use std::collections::{BTreeMap, BTreeSet};

use inventory::domain::Stock;
use inventory::domain::location::LocationId;
use shop_faults::Bug;
use shop_types::Sku;

use crate::chooser::{Choice, Chooser};
use crate::engine::{Service, Sim};
use crate::world::Shop;
use crate::{buyers, judge, mishaps};

/// How large a schedule is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scale {
    /// Several buyers and several mishaps, as many as are chosen.
    Busy,
    /// One buyer, and mishaps wherever the trail wants them.
    Small,
}

/// What came of a schedule.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What was wrong; empty when all was well.
    pub(crate) wrong: Vec<String>,
    pub(crate) trail: Vec<Choice>,
    /// What happened, line by line, when it was asked for.
    pub(crate) story: Vec<String>,
    pub(crate) steps: u32,
    /// What has happened in it.
    pub(crate) reached: BTreeSet<String>,
}

/// So many steps of trouble; then everything comes back.
const STORM: u32 = 3_000;
/// So many steps more until everything must be at rest.
const CALM: u32 = 20_000;

pub(crate) fn run(chooser: Chooser, scale: Scale, bug: Option<Bug>, logs: bool) -> Outcome {
    let sim = Sim::new(chooser, logs);
    let (most_buyers, mishaps) = match scale {
        Scale::Busy => (1 + sim.pick(3), sim.pick(9)),
        Scale::Small => (1, 100),
    };
    let shop = Shop::open(&sim, bug, u32::try_from(mishaps).expect("few mishaps"));
    let received: BTreeMap<Sku, i64> =
        ["mug", "tea"].map(|sku| (sku.parse().expect("a SKU"), 2 + i64::try_from(sim.pick(3)).expect("few"))).into();
    shop.database(Service::Inventory).seed(|tables| {
        for (sku, pieces) in &received {
            let none = Stock::none(sku.clone(), LocationId::main());
            let stock = Stock { available: *pieces, received: *pieces, version: 1, ..none };
            tables.stock.insert(sku.clone(), stock);
        }
    });
    let (told, skus) = (buyers::Told::default(), received.keys().cloned().collect::<Vec<_>>());
    (0..most_buyers).for_each(|number| buyers::enter(&shop, &told, number, &skus));

    let (mut rests, mishaps) = (false, mishaps::all());
    while !rests && sim.steps() < STORM {
        mishaps::may_strike(&shop, &mishaps);
        rests = !sim.turn();
    }
    mishaps::heal(&shop);
    let last = sim.steps() + CALM;
    rests = false;
    while !rests && sim.steps() < last {
        rests = !sim.turn();
    }

    let mut wrong = shop.complaints();
    if !rests {
        wrong.push("I8: it never comes to rest".into());
    }
    wrong.extend(judge::judge(&shop, &told.borrow(), &received));
    sim.end();
    Outcome { wrong, trail: sim.trail(), story: sim.story(), steps: sim.steps(), reached: shop.reached() }
}

//! A model of saga, relay and consumers: the services' real rules in a shop of memory, under thousands of schedules of
//! crashes, pauses, losses and races.
#![expect(clippy::expect_used, reason = "tests stop at the first surprise")]

mod buyers;
mod chooser;
mod consumer;
mod engine;
mod group;
mod inbox;
mod judge;
mod mishaps;
mod orders;
mod payments;
mod promise;
mod provider;
mod relay;
mod schedule;
mod search;
mod stock;
mod store;
mod stream;
mod witness;
mod world;

use std::time::Instant;

use inventory::domain::State as Reserved;
use order::domain::State;
use payment::domain::Kind;
use shop_faults::Bug;

use crate::chooser::Chooser;
use crate::schedule::{Scale, run};

/// Schedules of a run when `MODEL_SCHEDULES` says nothing: some seconds. 10,000 and more are minutes.
const SCHEDULES: u64 = 1_000;
/// Of all single deviations this many are one run when `MODEL_EVERY` says nothing; with 1 it is each of them.
const EVERY: usize = 37;

#[test]
fn no_schedule_breaks_a_promise_and_every_state_is_reached() {
    if let Some(seed) = setting("MODEL_SEED") {
        panic!("{}", search::story(seed, None));
    }
    let schedules = setting("MODEL_SCHEDULES").unwrap_or(SCHEDULES);
    let began = Instant::now();
    let survey = search::survey(schedules, None);
    print(&format!("{schedules} schedules, {} steps, {:.1} s", survey.steps, began.elapsed().as_secs_f64()));
    if let Some(seed) = survey.failing {
        panic!("{}", search::story(seed, None));
    }
    let never: Vec<String> = expected().into_iter().filter(|word| !survey.reached.contains(word)).collect();
    assert!(never.is_empty(), "these never happen in {schedules} schedules: {never:#?}");
}

#[test]
fn every_planted_bug_breaks_a_promise() {
    for bug in Bug::ALL {
        let began = Instant::now();
        let survey = search::survey(SCHEDULES, Some(bug));
        let Some(seed) = survey.failing else { panic!("{} is not found in {SCHEDULES} schedules", bug.word()) };
        let broken = run(Chooser::of_seed(seed), Scale::Busy, Some(bug), false).wrong;
        let how = broken.first().map(String::as_str).unwrap_or_default();
        print(&format!("{:<23} seed {seed:>3}, {:.1} s: {how}", bug.word(), began.elapsed().as_secs_f64()));
    }
}

#[test]
fn a_single_deviation_breaks_no_promise_with_one_driver_nor_with_two() {
    let every = setting("MODEL_EVERY").map_or(EVERY, |every| usize::try_from(every).expect("a small number"));
    let one = search::deviations(&[], every);
    let base = one.taken_over.clone().expect("in some an order is taken over");
    let two = search::deviations(&base, every);
    print(&format!("{} deviations with one driver, {} with two, every {every}.", one.count, two.count));
    for all in [one, two] {
        assert!(all.failing.is_empty(), "{:#?}", all.failing);
    }
}

#[test]
fn a_seed_repeats_itself() {
    let trails = [3, 3].map(|seed| run(Chooser::of_seed(seed), Scale::Busy, None, false).trail);
    assert_eq!(trails[0], trails[1]);
    assert_ne!(trails[0], run(Chooser::of_seed(4), Scale::Busy, None, false).trail);
}

/// What must happen in some schedule, for a model that proves something.
fn expected() -> Vec<String> {
    let shortages = Vec::new();
    let reserved =
        [Reserved::Held, Reserved::Refused { shortages }, Reserved::Committed, Reserved::Released, Reserved::Restocked];
    let orders = State::ALL.iter().skip(1).map(|state| format!("order is {state}"));
    let payments = Kind::ALL.iter().map(|kind| format!("payment is {}", kind.word()));
    let reservations = reserved.iter().map(|state| format!("reservation is {}", state.word()));
    let others = [
        consumer::CLAIMED,
        inbox::REPEATED,
        orders::driving::TAKEN_OVER,
        orders::writing::SECOND_ATTEMPT,
        relay::REPUBLISHED,
    ];
    orders.chain(payments).chain(reservations).chain(others.map(str::to_owned)).collect()
}

#[expect(clippy::disallowed_methods, reason = "a setting of this test, not of the program")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[expect(clippy::disallowed_macros, reason = "figures of a run, for whoever runs it")]
fn print(line: &str) {
    println!("{line}");
}

//! Looking for schedules that break a promise: many seeds, the simplest form of one that fails, and every single deviation
//! from a schedule.

use std::collections::BTreeSet;
use std::thread;

use shop_faults::Bug;

use crate::chooser::{Choice, Chooser};
use crate::schedule::{Outcome, Scale, run};

/// How many times a failing schedule is tried to be made simpler.
const SIMPLIFICATIONS: u32 = 3_000;

/// What many schedules came to.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// The first seed that breaks a promise.
    pub(crate) failing: Option<u64>,
    /// What has happened in any of them.
    pub(crate) reached: BTreeSet<String>,
    pub(crate) steps: u64,
}

/// Runs the schedules of these seeds, on all cores.
pub(crate) fn survey(schedules: u64, bug: Option<Bug>) -> Survey {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let mut all = Survey::default();
    thread::scope(|scope| {
        let share = |first: u64| (first..=schedules).step_by(workers);
        let parts: Vec<_> = (1..).take(workers).map(|first| scope.spawn(move || part(share(first), bug))).collect();
        for part in parts {
            let Survey { failing, reached, steps } = part.join().expect("a worker ends");
            all.failing = all.failing.into_iter().chain(failing).min();
            all.reached.extend(reached);
            all.steps += steps;
        }
    });
    all
}

fn part(seeds: impl Iterator<Item = u64>, bug: Option<Bug>) -> Survey {
    let mut part = Survey::default();
    for seed in seeds {
        let outcome = run(Chooser::of_seed(seed), Scale::Busy, bug, false);
        part.steps += u64::from(outcome.steps);
        part.reached.extend(outcome.reached);
        if !outcome.wrong.is_empty() {
            part.failing = Some(seed);
            break;
        }
    }
    part
}

/// The story of a seed. Of one that fails, made as dull as it can be and still fail in the same way.
pub(crate) fn story(seed: u64, bug: Option<Bug>) -> String {
    let first = run(Chooser::of_seed(seed), Scale::Busy, bug, true);
    if first.wrong.is_empty() {
        return format!("{}\nseed {seed} breaks no promise", first.story.join("\n"));
    }
    let last = run(Chooser::of_trail(simplest(&first, bug)), Scale::Busy, bug, true);
    let title = format!("seed {seed} fails (MODEL_SEED={seed} repeats it). Its simplest form:");
    [vec![title], last.story, last.wrong].concat().join("\n")
}

/// Writes zeros into a failing trail, long stretches first, for as long as the same promise stays broken.
fn simplest(failing: &Outcome, bug: Option<Bug>) -> Vec<u32> {
    let broken = promises(failing);
    let mut best = taken(failing);
    let mut left = SIMPLIFICATIONS;
    let mut stretch = best.len().div_ceil(2);
    while stretch > 0 && left > 0 {
        let mut start = 0;
        while start < best.len() && left > 0 {
            let end = (start + stretch).min(best.len());
            if best[start..end].iter().any(|taken| *taken > 0) {
                let mut duller = best.clone();
                duller[start..end].fill(0);
                let outcome = run(Chooser::of_trail(duller), Scale::Busy, bug, false);
                left -= 1;
                if promises(&outcome).iter().any(|promise| broken.contains(promise)) {
                    best = taken(&outcome);
                }
            }
            start += stretch;
        }
        stretch /= 2;
    }
    best
}

fn taken(outcome: &Outcome) -> Vec<u32> {
    outcome.trail.iter().map(|choice| choice.taken).collect()
}

/// Which promises are broken: `I4`.
fn promises(outcome: &Outcome) -> BTreeSet<String> {
    outcome.wrong.iter().filter_map(|wrong| wrong.split(':').next().map(str::to_owned)).collect()
}

/// What all deviations from one schedule came to.
#[derive(Debug, Default)]
pub(crate) struct Deviations {
    pub(crate) count: usize,
    /// Those that break a promise, and how.
    pub(crate) failing: Vec<(Vec<u32>, Vec<String>)>,
    /// The first in which two drivers had the same order.
    pub(crate) taken_over: Option<Vec<u32>>,
}

/// Every schedule of one buyer that follows a trail and then deviates exactly once: each mishap, each other order of two
/// tasks, each delay, alone, at each later step. Of these every so manyth.
pub(crate) fn deviations(base: &[u32], every: usize) -> Deviations {
    let dull = run(Chooser::of_trail(base.to_vec()), Scale::Small, None, false);
    let places = dull.trail.iter().enumerate().skip(base.len());
    let others = places.flat_map(|(place, Choice { taken: _, of })| (1..*of).map(move |other| (place, other)));
    let mut all = Deviations::default();
    for (place, other) in others.step_by(every) {
        let mut trail: Vec<u32> = base.to_vec();
        trail.resize(place, 0);
        trail.push(other);
        let outcome = run(Chooser::of_trail(trail.clone()), Scale::Small, None, false);
        all.count += 1;
        if all.taken_over.is_none() && outcome.reached.contains(crate::orders::driving::TAKEN_OVER) {
            all.taken_over = Some(trail.clone());
        }
        if !outcome.wrong.is_empty() {
            all.failing.push((trail, outcome.wrong));
        }
    }
    all
}

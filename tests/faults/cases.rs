//! All cases, and what each of them is given. What a case does stands in the file of its kind.

mod clock;
mod crowd;
mod events;
mod failpoints;
mod kills;
mod late;
mod mongodb;
mod network;
mod overload;
mod redis;
mod soak;
mod transactions;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use shop_types::Role;
use tokio::time::Instant;

use crate::history::{Entry, History};
use crate::judge::invariants::{self, Watch};
use crate::judge::{self, Verdict};
use crate::load::{Crowd, Good, Goods, Load, pass};
use crate::report::{Row, say};
use crate::shop::Shop;
use crate::stack::Stack;

pub(crate) use soak::episode;

/// How long users are at work before a fault.
const WARM_UP: Duration = Duration::from_secs(6);
/// How long they go on after it.
const AFTER: Duration = Duration::from_secs(4);
/// SKUs of a case, and pieces of each.
const SKUS: (u8, u32) = (12, 400);

/// What a case does: it injects its faults, watches, and says what is wrong.
pub(crate) type Script = Box<dyn for<'a> Fn(&'a mut Arena<'_>) -> LocalBoxFuture<'a, anyhow::Result<()>>>;

/// A case.
pub(crate) struct Case {
    /// What it is called, such as `F1` or `W6-abort`.
    pub(crate) name: String,
    /// What happens, in a few words.
    pub(crate) what: String,
    /// Whether it is among those of `make test`.
    pub(crate) smoke: bool,
    pub(crate) script: Script,
}

impl Case {
    fn new(
        name: &str,
        what: &str,
        smoke: bool,
        script: impl for<'a> Fn(&'a mut Arena<'_>) -> LocalBoxFuture<'a, anyhow::Result<()>> + 'static,
    ) -> Self {
        Self { name: name.into(), what: what.into(), smoke, script: Box::new(script) }
    }
}

/// All of them, in the order in which they run.
pub(crate) fn all() -> Vec<Case> {
    let kinds = [
        failpoints::cases(),
        crowd::cases(),
        late::cases(),
        kills::cases(),
        mongodb::cases(),
        redis::cases(),
        events::cases(),
        transactions::cases(),
        network::cases(),
        clock::cases(),
        overload::cases(),
    ];
    kinds.into_iter().flatten().collect()
}

/// What a case works with.
pub(crate) struct Arena<'a> {
    pub(crate) stack: &'a mut Stack,
    pub(crate) shop: Shop,
    pub(crate) goods: Arc<Goods>,
    /// How often a case repeats what it does while the same users are at work.
    pub(crate) rounds: u32,
    load: Option<Load>,
    watch: Option<Watch>,
    /// When the users came and went.
    busy: Option<(Instant, Instant)>,
    faults: usize,
    wrong: Vec<String>,
    notes: Vec<String>,
}

impl<'a> Arena<'a> {
    async fn open(stack: &'a mut Stack, name: &str, rounds: u32) -> anyhow::Result<Self> {
        stack.clear_logs()?;
        let history = History::start(&stack.binaries.logs.join("history.jsonl"))?;
        let shop = Shop::through_nginx(history)?;
        let staff = stack.keys.person(Role::Admin)?;
        let mut skus = Vec::new();
        let unique = stack.next_number();
        for number in 0..SKUS.0 {
            let sku = format!("{}-{unique}-{number}", name.to_lowercase());
            let product = shop.on_sale(&staff, &sku, 1000 + i64::from(number), SKUS.1).await?;
            skus.push(Good::new(sku, product, SKUS.1));
        }
        let goods = Arc::new(Goods { skus, staff });
        Ok(Self {
            stack,
            shop,
            goods,
            rounds,
            load: None,
            watch: None,
            busy: None,
            faults: 0,
            wrong: Vec::new(),
            notes: Vec::new(),
        })
    }

    /// Sends users in and lets them work a while.
    ///
    /// # Errors
    /// When no tokens can be made.
    pub(crate) async fn warm_up(&mut self) -> anyhow::Result<()> {
        self.users(Crowd::default())?;
        pass("users at work", WARM_UP).await;
        Ok(())
    }

    /// Sends users in.
    ///
    /// # Errors
    /// When no tokens can be made.
    pub(crate) fn users(&mut self, crowd: Crowd) -> anyhow::Result<()> {
        self.load = Some(Load::start(&self.stack.keys, &self.shop, &self.goods, crowd)?);
        self.watch = Some(Watch::begin(self.stack));
        Ok(())
    }

    /// Sends more users in beside those that are there; they are gone at once when this is dropped.
    ///
    /// # Errors
    /// When no tokens can be made.
    pub(crate) fn more_users(&self, crowd: Crowd) -> anyhow::Result<Load> {
        Load::start(&self.stack.keys, &self.shop, &self.goods, crowd)
    }

    /// Counts and tells a fault that is being injected.
    pub(crate) fn fault(&mut self, what: &str) {
        self.faults += 1;
        say(&format!("  fault: {what}"));
    }

    /// Something is wrong unless this holds.
    pub(crate) fn check(&mut self, holds: bool, wrong: impl FnOnce() -> String) {
        if !holds {
            let wrong = wrong();
            say(&format!("  WRONG: {wrong}"));
            self.wrong.push(wrong);
        }
    }

    /// Nobody waits longer than 5 s for an answer of any kind, and a second for a busy machine.
    pub(crate) fn check_patience(&mut self, slowest_ms: u64) {
        self.note(format!("slowest answer {slowest_ms} ms"));
        self.check(slowest_ms <= 6_000, || format!("somebody waited {slowest_ms} ms for an answer"));
    }

    /// A figure for the table.
    pub(crate) fn note(&mut self, text: String) {
        say(&format!("  {text}"));
        self.notes.push(text);
    }

    /// Everything that users saw so far.
    ///
    /// # Errors
    /// When the history is gone.
    pub(crate) async fn seen(&self) -> anyhow::Result<Vec<Entry>> {
        self.shop.history.read().await
    }

    /// Sends the users home, and waits until each knows what became of the last order.
    ///
    /// # Errors
    /// When users do not come to an end.
    pub(crate) async fn send_home(&mut self) -> anyhow::Result<()> {
        let Some(load) = self.load.take() else { return Ok(()) };
        let (started, ended) = (load.started, Instant::now());
        say("  the users go home");
        let unknown = load.stop().await?;
        self.busy = Some((started, ended));
        if let Some(watch) = self.watch.take() {
            let (looks, wrong) = watch.end().await?;
            self.note(format!("stock looked at {looks} times"));
            self.wrong.extend(wrong);
        }
        self.check(unknown == 0, || format!("nobody could tell the outcome of {unknown} orders after healing"));
        Ok(())
    }

    /// Heals, waits for rest, and judges.
    async fn close(&mut self) -> anyhow::Result<Verdict> {
        say("  healing what is not well");
        self.stack.heal().await?;
        if self.load.is_some() {
            pass("users at work after healing", AFTER).await;
            self.send_home().await?;
        }
        say("  waiting until all orders are at rest");
        let rested = judge::rest(&self.shop, &self.goods.staff).await;
        let entries = self.seen().await?;
        let mut verdict = judge::judge(&self.shop, &entries, &self.goods).await;
        match rested {
            Ok(took) => self.note(format!("at rest after {:.1} s", took.as_secs_f64())),
            Err(error) => verdict.wrong.push(format!("I8 {error:#}")),
        }
        say("  checking the invariants");
        invariants::check(self.stack, self.shop.history.file.to_path_buf(), &mut verdict).await?;
        Ok(verdict)
    }
}

/// Runs one case from its first SKU to its verdict.
pub(crate) async fn run(stack: &mut Stack, case: &Case, rounds: u32) -> Row {
    let started = Instant::now();
    say(&format!("{}: {}", case.name, case.what));
    let mut row = Row {
        case: case.name.clone(),
        faults: 0,
        verdict: Verdict::default(),
        pauses: (Duration::ZERO, Duration::ZERO),
        failed: (0, 0),
        took: Duration::ZERO,
        notes: Vec::new(),
    };
    if let Err(error) = play(stack, case, rounds, &mut row).await {
        row.verdict.wrong.push(format!("the case did not come to its end: {error:#}"));
    }
    row.took = started.elapsed();
    let verdict = if row.is_good() { "ok" } else { "BAD" };
    say(&format!("  {verdict} after {} s: {} orders acknowledged", row.took.as_secs(), row.verdict.acknowledged));
    for wrong in row.verdict.wrong.iter().take(5) {
        say(&format!("  {wrong}"));
    }
    row
}

async fn play(stack: &mut Stack, case: &Case, rounds: u32, row: &mut Row) -> anyhow::Result<()> {
    let mut arena = Arena::open(stack, &case.name, rounds).await?;
    let played = (case.script)(&mut arena).await;
    let judged = arena.close().await;
    let entries = arena.seen().await?;
    row.faults = arena.faults;
    row.notes = std::mem::take(&mut arena.notes);
    let own = std::mem::take(&mut arena.wrong);
    if let Some((from, to)) = arena.busy {
        row.pauses = (
            longest_pause(&entries, from, to, Entry::answered_well),
            longest_pause(&entries, from, to, Entry::acknowledges),
        );
    }
    row.failed = failures(&entries);
    let judged = judged.map(|verdict| row.verdict = verdict);
    row.verdict.wrong.splice(0..0, own);
    played.and(judged)
}

/// The longest time in which no request was `good`.
pub(crate) fn longest_pause(entries: &[Entry], from: Instant, to: Instant, good: impl Fn(&Entry) -> bool) -> Duration {
    let within = entries.iter().filter(|entry| good(entry) && (from..to).contains(&entry.answered));
    let times: BTreeSet<Instant> = within.map(|entry| entry.answered).chain([from, to]).collect();
    let gaps = times.iter().zip(times.iter().skip(1)).map(|(one, next)| next.duration_since(*one));
    gaps.max().unwrap_or_default()
}

/// Reads and other requests that were not answered well.
pub(crate) fn failures(entries: &[Entry]) -> (usize, usize) {
    let failed = entries.iter().filter(|entry| !entry.answered_well());
    let (reads, others): (Vec<&Entry>, Vec<_>) = failed.partition(|entry| entry.method == "GET");
    (reads.len(), others.len())
}

/// The value below which so many of a hundred lie.
pub(crate) fn percentile(mut values: Vec<u64>, share: usize) -> u64 {
    values.sort_unstable();
    values.get((values.len() * share / 100).min(values.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// How many a second.
pub(crate) fn per_second(count: usize, time: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / time.as_secs_f64().max(0.001)
}

//! Comparing our books with the provider's: every minute, one pod at a time.
//!
//! The provider's bookings since the run before, once an hour those of the last 48 h, and the payments that changed meanwhile
//! are compared by sums. What does not fit is looked at again, with all bookings of that one name, before it is written down as
//! a difference.
//!
//! However many bookings there are, some thousand names at once are held in memory: bookings come in parts, and with each part
//! the payments that changed while it was booked. Invariant: nothing that a look at all bookings of a name would tell stays
//! unseen, and nothing is a difference without that look. A name in one part is compared with its whole sums; one in several
//! parts is looked at whatever its sums; a payment that changed is compared with the part of its time, or with nothing, which
//! leads to a look when it was booked in another part.

use std::collections::{BTreeSet, HashMap};
use std::iter::Peekable;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use shop_telemetry::metrics::Metrics;
use tokio_util::sync::CancellationToken;

use super::{App, BACKGROUND, Error};
use crate::domain::reconciliation::{Kind, Part, Parts, Reach, Sums, compare};
use crate::domain::{Payment, PaymentId};
use crate::peers::{Booked, Bookings, Unknown};
use crate::store::{Listed, Noted, Run};

/// Between two runs.
const EVERY: Duration = Duration::from_secs(60);
/// Between two looks whether a run is due.
const LOOK: Duration = Duration::from_secs(5);
/// How long a pod may keep silent during a run before another one takes over.
const LEASE: Duration = Duration::from_secs(120);
/// Payments read at once.
const PAGE: u32 = 500;

/// The provider's bookings of a window, as they are read.
struct Reading {
    since: Timestamp,
    parts: Parts,
    /// In no part yet.
    page: Peekable<std::vec::IntoIter<Booked>>,
    /// That page is the last one.
    is_last: bool,
    /// Where the page after it begins.
    from: Option<String>,
    /// How many were read.
    bookings: usize,
}

impl Reading {
    fn new(since: Timestamp, names: usize) -> Self {
        let page = Vec::new().into_iter().peekable();
        Self { since, parts: Parts::new(names), page, is_last: false, from: None, bookings: 0 }
    }
}

/// What is looked at again.
#[derive(Default)]
struct Look {
    /// Names whose books may differ.
    suspects: BTreeSet<String>,
    /// Differences that were written down.
    found: usize,
}

/// Why a run did not go through.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error("the provider's books could not be read")]
    Provider(#[from] Unknown),
    #[error("our books could not be read or written")]
    Store(#[from] shop_mongo::Error),
    #[error("another pod has taken the run over")]
    TakenOver,
}

/// What is counted.
#[derive(Debug)]
pub(crate) struct Gauges {
    differences: prometheus::IntGaugeVec,
    runs: prometheus::IntCounterVec,
}

impl Gauges {
    /// Registers them.
    pub(crate) fn register(metrics: &Metrics) -> Result<Self, prometheus::Error> {
        Ok(Self {
            differences: metrics.gauge(
                "payment_reconciliation_differences",
                "Differences between the provider's books and ours that have stood for 60 s.",
                &["kind"],
            )?,
            runs: metrics.counter(
                "payment_reconciliation_runs_total",
                "Comparisons with the provider's books, by how they ended.",
                &["outcome"],
            )?,
        })
    }
}

/// Compares whenever it is due, until `stop` is cancelled.
pub(crate) async fn reconcile(app: Arc<App>, gauges: Gauges, stop: CancellationToken) {
    // Pods that start together do not ask together.
    let jitter = Duration::from_millis(u64::try_from(app.clock.new_id().as_u128() % 5000).unwrap_or(0));
    let work = async {
        tokio::time::sleep(jitter).await;
        loop {
            if let Err(error) = app.reconcile_if_due(&gauges).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "Cannot look whether to compare the books");
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}

impl App {
    /// A page of the differences that count, how many there are, and when the books were compared last.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) async fn differences(
        &self,
        skip: u64,
        limit: u32,
    ) -> Result<(Vec<Listed>, u64, Option<Timestamp>), Error> {
        let (page, total) = self.store.differences(skip, limit).await?;
        Ok((page, total, self.store.last_run().await?))
    }

    async fn reconcile_if_due(&self, gauges: &Gauges) -> Result<(), shop_mongo::Error> {
        if let Some(run) = self.store.claim_run(LEASE).await? {
            let outcome = match self.compare_books(&run).await {
                Ok(noted) => {
                    self.store.end_run(&run, EVERY, Some(noted)).await?;
                    "done"
                }
                Err(stopped) => {
                    log_stopped(&stopped);
                    self.store.end_run(&run, EVERY, None).await?;
                    "stopped"
                }
            };
            gauges.runs.with_label_values(&[outcome]).inc();
        }
        // Every pod shows the same, whoever compared last.
        let counts = self.store.count_differences().await?;
        for kind in Kind::ALL {
            gauges.differences.with_label_values(&[kind.word()]).set(counts.get(&kind).copied().unwrap_or(0));
        }
        Ok(())
    }

    async fn compare_books(&self, run: &Run) -> Result<Noted, Stopped> {
        let began = self.clock.now();
        let Reach { since, is_everything } = run.past.reach(began);
        let mut look = Look::default();
        if !is_everything {
            look.suspects = self.store.differing(self.portions.differences).await?;
        }
        let (mut payments, mut from) = (0, since);
        let mut reading = Reading::new(since, self.portions.names);
        loop {
            let (Part { mut sums, again, newest }, more) = self.read_part(run, &mut reading).await?;
            look.suspects.extend(again);
            let until = more.then(|| newest.unwrap_or(from).max(from));
            payments += self.compare_changed(run, (from, until), &mut sums, &mut look).await?;
            payments += self.compare_unchanged(run, &sums, &mut look).await?;
            let Some(until) = until else { break };
            from = until;
        }
        self.look_closer(run, &mut look).await?;
        self.store.forget_differences(run).await?;
        if look.found >= self.portions.differences {
            tracing::warn!(
                kept = look.found,
                "The books differ in more than is kept; the rest is found when these are settled"
            );
        }
        Ok(Noted { bookings: reading.bookings, payments, began, is_everything })
    }

    /// What the provider has booked next in the window, by name, and whether more comes.
    async fn read_part(&self, run: &Run, reading: &mut Reading) -> Result<(Part, bool), Stopped> {
        loop {
            let Reading { parts, page, .. } = reading;
            while let Some(booked) = page.next_if(|next| !parts.is_full_for(&next.reference)) {
                parts.add(booked.reference, booked.booking, booked.amount, booked.at);
            }
            if page.peek().is_some() {
                return Ok((parts.take(), true));
            }
            if reading.is_last {
                return Ok((parts.take_last(), false));
            }
            self.keep(run).await?;
            let page = self.provider.bookings(Bookings::Since(reading.since), reading.from.take(), BACKGROUND);
            let page = self.counted("bookings", page).await?;
            reading.bookings += page.bookings.len();
            (reading.is_last, reading.from) = (page.next.is_none(), page.next);
            reading.page = page.bookings.into_iter().peekable();
        }
    }

    /// Compares the payments that changed in a time with what was booked then, and takes that out of the sums.
    async fn compare_changed(
        &self,
        run: &Run,
        time: (Timestamp, Option<Timestamp>),
        sums: &mut HashMap<String, Sums>,
        look: &mut Look,
    ) -> Result<usize, Stopped> {
        let (mut read, mut place) = (0, None);
        loop {
            self.keep(run).await?;
            let (page, next) = self.store.changed_between(time, place, PAGE).await?;
            read += page.len();
            for payment in &page {
                let reference = payment.id.to_string();
                let theirs = sums.remove(&reference).unwrap_or_else(|| Sums::zero(payment.amount.currency));
                if !compare(&reference, Some(payment), theirs).is_empty() {
                    look.suspects.insert(reference);
                }
            }
            self.relieve(run, look).await?;
            let Some(next) = next else { return Ok(read) };
            place = Some(next);
        }
    }

    /// The provider moved money of payments that have not changed here at that time, or that nobody here knows.
    async fn compare_unchanged(
        &self,
        run: &Run,
        theirs: &HashMap<String, Sums>,
        look: &mut Look,
    ) -> Result<usize, Stopped> {
        let names: Vec<(&String, &Sums)> = theirs.iter().collect();
        let mut read = 0;
        for part in names.chunks(PAGE as usize) {
            self.keep(run).await?;
            let ids = part.iter().filter_map(|(reference, _)| reference.parse().ok()).collect();
            let known = self.store.find_many(ids).await?;
            read += known.len();
            let known: HashMap<String, Payment> =
                known.into_iter().map(|payment| (payment.id.to_string(), payment)).collect();
            for (reference, sums) in part {
                if !compare(reference, known.get(*reference), **sums).is_empty() {
                    look.suspects.insert((*reference).clone());
                }
            }
            self.relieve(run, look).await?;
        }
        Ok(read)
    }

    /// Looks at the suspects when they are many.
    async fn relieve(&self, run: &Run, look: &mut Look) -> Result<(), Stopped> {
        if look.suspects.len() < self.portions.suspects { Ok(()) } else { self.look_closer(run, look).await }
    }

    /// Compares each suspect again, as it stands now, with all that was ever booked under its name, and writes down in what
    /// they differ.
    async fn look_closer(&self, run: &Run, look: &mut Look) -> Result<(), Stopped> {
        let mut found = Vec::new();
        for reference in std::mem::take(&mut look.suspects) {
            if look.found + found.len() >= self.portions.differences {
                break;
            }
            self.keep(run).await?;
            let payment = match reference.parse::<PaymentId>() {
                Ok(id) => self.store.find(id).await?,
                Err(_) => None,
            };
            let (mut sums, mut from) = (None::<Sums>, None);
            loop {
                let page = self.provider.bookings(Bookings::Of(reference.clone()), from, BACKGROUND);
                let page = self.counted("bookings", page).await?;
                for Booked { booking, amount, .. } in page.bookings {
                    sums.get_or_insert_with(|| Sums::zero(amount.currency)).add(booking, amount.amount);
                }
                let Some(next) = page.next else { break };
                from = Some(next);
            }
            let currency = payment.as_ref().map(|payment| payment.amount.currency);
            if let Some(sums) = sums.or_else(|| currency.map(Sums::zero)) {
                found.extend(compare(&reference, payment.as_ref(), sums));
            }
        }
        self.store.note_differences(run, &found).await?;
        look.found += found.len();
        Ok(())
    }

    async fn keep(&self, run: &Run) -> Result<(), Stopped> {
        if self.store.keep_run(run, LEASE).await? { Ok(()) } else { Err(Stopped::TakenOver) }
    }
}

fn log_stopped(stopped: &Stopped) {
    let error = stopped as &dyn std::error::Error;
    tracing::warn!(error, "The books could not be compared; it is tried again in a minute");
}

//! Comparing our books with the provider's: every minute, one pod at a time.
//!
//! The provider's bookings since the run before, once an hour those of the last 48 h, and the payments that changed meanwhile
//! are compared by sums. What does not fit is looked at again, with all bookings of that one name, before it is written down as
//! a difference.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use shop_telemetry::metrics::Metrics;
use tokio_util::sync::CancellationToken;

use super::{App, BACKGROUND, Error};
use crate::domain::reconciliation::{Difference, Kind, Reach, Sums, compare};
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
        let (mut theirs, bookings) = self.sum_up(run, since).await?;
        let mut suspects = if is_everything { BTreeSet::new() } else { self.store.differing().await? };
        let mut payments = 0;
        let mut place = None;
        loop {
            self.keep(run).await?;
            let (page, next) = self.store.changed_since(since, place, PAGE).await?;
            payments += page.len();
            for payment in &page {
                let reference = payment.id.to_string();
                let sums = theirs.remove(&reference).unwrap_or_else(|| Sums::zero(payment.amount.currency));
                if !compare(&reference, Some(payment), sums).is_empty() {
                    suspects.insert(reference);
                }
            }
            let Some(next) = next else { break };
            place = Some(next);
        }
        payments += self.suspect_unchanged(run, &theirs, &mut suspects).await?;
        let found = self.look_closer(run, suspects).await?;
        self.store.note_differences(run, &found).await?;
        Ok(Noted { bookings, payments, began, is_everything })
    }

    /// What the provider has booked in the window, by name.
    async fn sum_up(&self, run: &Run, since: Timestamp) -> Result<(HashMap<String, Sums>, usize), Stopped> {
        let (mut sums, mut bookings, mut from) = (HashMap::new(), 0, None);
        loop {
            self.keep(run).await?;
            let page = self.provider.bookings(Bookings::Since(since), from, BACKGROUND);
            let page = self.counted("bookings", page).await?;
            bookings += page.bookings.len();
            for Booked { reference, booking, amount } in page.bookings {
                sums.entry(reference).or_insert_with(|| Sums::zero(amount.currency)).add(booking, amount.amount);
            }
            let Some(next) = page.next else { return Ok((sums, bookings)) };
            from = Some(next);
        }
    }

    /// The provider moved money of payments that have not changed here in the window, or that nobody here knows.
    async fn suspect_unchanged(
        &self,
        run: &Run,
        theirs: &HashMap<String, Sums>,
        suspects: &mut BTreeSet<String>,
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
                    suspects.insert((*reference).clone());
                }
            }
        }
        Ok(read)
    }

    /// Compares each suspect again, as it stands now, with all that was ever booked under its name.
    async fn look_closer(&self, run: &Run, suspects: BTreeSet<String>) -> Result<Vec<Difference>, Stopped> {
        let mut found = Vec::new();
        for reference in suspects {
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
        Ok(found)
    }

    async fn keep(&self, run: &Run) -> Result<(), Stopped> {
        if self.store.keep_run(run, LEASE).await? { Ok(()) } else { Err(Stopped::TakenOver) }
    }
}

fn log_stopped(stopped: &Stopped) {
    let error = stopped as &dyn std::error::Error;
    tracing::warn!(error, "The books could not be compared; it is tried again in a minute");
}

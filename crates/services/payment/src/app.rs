//! What can be done with payments: one method per operation. Rules stand in `domain`, writes in `store`.
//!
//! Every question to the provider is asked the same way (`ask`): its intent is durable first, its answer is followed
//! afterwards, and without an answer the payment stays as it is until the [`driver`] asks again, with the same key.

mod ask;
pub(crate) mod driver;
mod error;
pub(crate) mod reconciliation;
mod refunds;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use shop_service::Service;
use shop_telemetry::context;
use shop_types::{Clock, UserId};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::batch::{Command, Opening, Outcome, Reply, Verdict as OrderVerdict};
use crate::domain::reconciliation::Portions;
use crate::domain::{Event, Kind, Payment, PaymentId};
use crate::peers::Provider;
use crate::peers::calls::Calls;
use crate::store::Store;

pub(crate) use error::Error;
pub(crate) use refunds::Refunded;

/// How long a caller waits for the provider.
const FOREGROUND: Duration = Duration::from_secs(3);
/// Callers' questions to the provider at once. When it hangs, what comes after them is asked by the driver, in its time.
const MOST_FOREGROUND: usize = 256;
/// Left of a caller's deadline for writing the answer down.
const MARGIN: Duration = Duration::from_millis(300);
/// How long nobody waits for the provider. Shorter than the lease of a payment.
const BACKGROUND: Duration = Duration::from_secs(10);

/// The operations of this service.
#[derive(Debug)]
pub(crate) struct App {
    store: Store,
    provider: Arc<dyn Provider>,
    clock: Arc<dyn Clock>,
    driver: driver::Queue,
    /// Questions that callers wait for.
    foreground: TaskTracker,
    /// One for each of them that there may be.
    places: Arc<Semaphore>,
    calls: Calls,
    /// How much of the provider's books is held at once.
    portions: Portions,
}

/// Whose payment may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Staff and programs: everybody's.
    All,
    /// Somebody: their own.
    Owner(UserId),
}

impl App {
    /// Makes the app of a service, and what its driver works on.
    pub(crate) fn new(
        service: &Service,
        provider: Arc<dyn Provider>,
        portions: Portions,
    ) -> anyhow::Result<(Self, driver::Work)> {
        // Not the service's own stop: answers that are still on their way then must be written down.
        let close = CancellationToken::new();
        let store = Store::new(service.mongo()?, service.clock(), close.clone());
        let (driver, work) = driver::queue(close);
        let calls = Calls::register(service.metrics()).context("failed to register the metrics of the provider")?;
        let (foreground, places) = (TaskTracker::new(), Arc::new(Semaphore::new(MOST_FOREGROUND)));
        let clock = service.clock();
        Ok((Self { store, provider, clock, driver, foreground, places, calls, portions }, work))
    }

    /// Makes collections and indexes; safe to repeat.
    pub(crate) async fn prepare(&self) -> Result<(), Error> {
        Ok(self.store.ensure().await?)
    }

    /// Places a hold for one attempt of an order: W3, X4 and W5. The same attempt gives the same payment, whatever it has
    /// become; it is still CREATED when the provider gave no answer in time.
    ///
    /// # Errors
    /// [`Error::Mismatch`] when the attempt was opened before with another amount or method. [`Error::Store`]: whether the
    /// attempt was opened is unknown; repeat the call.
    pub(crate) async fn authorize(self: &Arc<Self>, opening: Opening) -> Result<Payment, Error> {
        let id = opening.id;
        let opened = self.follow(id, Command::Open(opening)).await?;
        shop_faults::at("W3").await?;
        if opened.state.kind() == Kind::Created { self.settle_in_foreground(opened).await } else { Ok(opened) }
    }

    /// Reads a payment.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none, or none that the reader may see.
    pub(crate) async fn payment(&self, id: PaymentId, reader: Reader) -> Result<Payment, Error> {
        let found = match reader {
            Reader::All => self.store.find(id).await?,
            Reader::Owner(owner) => self.store.find_of(id, owner).await?,
        };
        found.ok_or(Error::NotFound)
    }

    /// Payments of a person behind the first so many, oldest first: as many as one answer holds, and none at the end.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) async fn payments_of(&self, user: UserId, behind: u32) -> Result<Vec<Payment>, Error> {
        Ok(self.store.payments_of(user, behind).await?)
    }

    /// Takes the held money. Repeating it changes nothing; the payment is still CAPTURING when the provider gave no answer
    /// in time.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Illegal`] when nothing is held.
    pub(crate) async fn capture(self: &Arc<Self>, id: PaymentId) -> Result<Payment, Error> {
        let payment = self.follow(id, Command::Follow { id, event: Event::Capture }).await?;
        shop_faults::at("W7").await?;
        self.settle_hold(payment).await
    }

    /// Gives the hold back. Repeating it changes nothing; the payment is still VOIDING when the provider gave no answer in
    /// time.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Illegal`] when nothing is held any more.
    pub(crate) async fn void(self: &Arc<Self>, id: PaymentId) -> Result<Payment, Error> {
        let payment = self.follow(id, Command::Follow { id, event: Event::Void }).await?;
        self.settle_hold(payment).await
    }

    /// Follows what an order has come to. What has to be asked of the provider is asked afterwards, by the driver.
    ///
    /// # Errors
    /// [`Error::NotFound`] and [`Error::Illegal`] when the order is confirmed on a payment that holds nothing: that will
    /// not change. [`Error::Store`]: repeat it.
    pub(crate) async fn obey(&self, verdict: OrderVerdict) -> Result<(), Error> {
        let confirmed = verdict.outcome == Outcome::Confirmed;
        let payments = self.submit(Command::Obey(verdict)).await?;
        if confirmed {
            shop_faults::at("W7").await?;
        }
        for payment in payments {
            self.driver.push(payment);
        }
        Ok(())
    }

    /// Payments that nobody has asked the provider about in time, for this pod to settle.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) async fn take_over(&self, most: usize) -> Result<Vec<Payment>, Error> {
        Ok(self.store.take_over(most).await?)
    }

    /// Waits until no caller's question is under way any more; for the end, when no new callers come.
    async fn finish_foreground(&self) {
        self.foreground.close();
        self.foreground.wait().await;
    }

    async fn settle_hold(self: &Arc<Self>, payment: Payment) -> Result<Payment, Error> {
        if payment.is_moving_the_hold() { self.settle_in_foreground(payment).await } else { Ok(payment) }
    }

    /// Asks the provider once while a caller waits. On a task of its own: a caller that leaves must not cut off the
    /// answer.
    async fn settle_in_foreground(self: &Arc<Self>, payment: Payment) -> Result<Payment, Error> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            self.driver.push(payment.clone());
            return Ok(payment);
        };
        let limit = context::remaining().map_or(FOREGROUND, |left| left.saturating_sub(MARGIN).min(FOREGROUND));
        let app = Arc::clone(self);
        let asked = context::spawn(self.foreground.track_future(async move {
            let settled = app.ask(payment, limit).await?;
            drop(place);
            app.driver.push(settled.clone());
            Ok(settled)
        }));
        asked.await.map_err(Error::Broken)?
    }

    /// Looks a payment up once while the provider waits for the answer to its webhook; on a task of its own, likewise.
    async fn look_in_foreground(self: &Arc<Self>, payment: Payment) -> Result<(), Error> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Error::Busy)?;
        let app = Arc::clone(self);
        let looked = context::spawn(self.foreground.track_future(async move {
            let payment = app.follow_hint(payment, FOREGROUND).await?;
            drop(place);
            app.driver.push(payment);
            Ok(())
        }));
        looked.await.map_err(Error::Broken)?
    }

    /// Carries out a command about one payment and gives it back as it stands then.
    async fn follow(&self, id: PaymentId, command: Command) -> Result<Payment, Error> {
        self.submit(command).await?.into_iter().find(|payment| payment.id == id).ok_or(Error::NotFound)
    }

    async fn submit(&self, command: Command) -> Result<Vec<Payment>, Error> {
        match self.store.submit(command).await?? {
            Reply::Payments(payments) => Ok(payments),
            Reply::Refund(reply) => Ok(vec![reply.payment]),
        }
    }
}

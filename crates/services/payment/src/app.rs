//! What can be done with payments: one method per operation. Rules stand in `domain`, writes in `store`.
//!
//! Every question to the provider is asked the same way: its intent is durable first, its answer is followed afterwards,
//! and without an answer the payment stays as it is until the [`driver`] asks again, with the same key.

pub(crate) mod driver;
mod error;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use shop_service::Service;
use shop_telemetry::context;
use shop_types::{Clock, UserId};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::batch::{Command, Opening, Verdict as OrderVerdict};
use crate::domain::{Event, Payment, PaymentId, State};
use crate::peers::calls::Calls;
use crate::peers::{Found, Hold, Placed, Provider, Unknown, Verdict};
use crate::store::Store;

pub(crate) use error::Error;

/// How long a caller waits for the provider.
const FOREGROUND: Duration = Duration::from_secs(3);
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
    calls: Calls,
}

/// Whose payment may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Staff: everybody's.
    Staff,
    /// Somebody: their own.
    Owner(UserId),
}

impl App {
    /// Makes the app of a service, and what its driver works on.
    pub(crate) fn new(service: &Service, provider: Arc<dyn Provider>) -> anyhow::Result<(Self, driver::Work)> {
        // Not the service's own stop: answers that are still on their way then must be written down.
        let close = CancellationToken::new();
        let store = Store::new(service.mongo()?, service.clock(), close.clone());
        let (driver, work) = driver::queue(close);
        let calls = Calls::register(service.metrics()).context("failed to register the metrics of the provider")?;
        let foreground = TaskTracker::new();
        Ok((Self { store, provider, clock: service.clock(), driver, foreground, calls }, work))
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
        if opened.state == State::Created { self.settle_in_foreground(opened).await } else { Ok(opened) }
    }

    /// Reads a payment.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none, or none that the reader may see.
    pub(crate) async fn payment(&self, id: PaymentId, reader: Reader) -> Result<Payment, Error> {
        let found = match reader {
            Reader::Staff => self.store.find(id).await?,
            Reader::Owner(owner) => self.store.find_of(id, owner).await?,
        };
        found.ok_or(Error::NotFound)
    }

    /// Takes the held money. Repeating it changes nothing; the payment is still CAPTURING when the provider gave no answer
    /// in time.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Illegal`] when nothing is held.
    pub(crate) async fn capture(self: &Arc<Self>, id: PaymentId) -> Result<Payment, Error> {
        self.request(id, Event::Capture).await
    }

    /// Gives the hold back. Repeating it changes nothing; the payment is still VOIDING when the provider gave no answer in
    /// time.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Illegal`] when nothing is held any more.
    pub(crate) async fn void(self: &Arc<Self>, id: PaymentId) -> Result<Payment, Error> {
        self.request(id, Event::Void).await
    }

    /// Follows what an order has come to. What has to be asked of the provider is asked afterwards, by the driver.
    ///
    /// # Errors
    /// [`Error::NotFound`] and [`Error::Illegal`] when the order is confirmed on a payment that holds nothing: that will
    /// not change. [`Error::Store`]: repeat it.
    pub(crate) async fn obey(&self, verdict: OrderVerdict) -> Result<(), Error> {
        for payment in self.store.submit(Command::Obey(verdict)).await?? {
            self.driver.push(payment);
        }
        Ok(())
    }

    /// Asks the provider until a payment rests, or it gives no answer.
    ///
    /// # Errors
    /// [`Error::Store`]: the answer was not written down; the payment stays due and is asked for again.
    pub(crate) async fn settle(&self, mut payment: Payment) -> Result<Payment, Error> {
        while payment.state.kind().is_settling() {
            let asked = payment.version;
            payment = self.ask(payment, BACKGROUND).await?;
            if payment.version == asked {
                break;
            }
        }
        Ok(payment)
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

    async fn request(self: &Arc<Self>, id: PaymentId, event: Event) -> Result<Payment, Error> {
        let payment = self.follow(id, Command::Follow { id, event }).await?;
        if payment.state.kind().is_settling() { self.settle_in_foreground(payment).await } else { Ok(payment) }
    }

    /// Asks the provider once while a caller waits. On a task of its own: a caller that leaves must not cut off the
    /// answer.
    async fn settle_in_foreground(self: &Arc<Self>, payment: Payment) -> Result<Payment, Error> {
        let limit = context::remaining().map_or(FOREGROUND, |left| left.saturating_sub(MARGIN).min(FOREGROUND));
        let app = Arc::clone(self);
        let asked = context::spawn(self.foreground.track_future(async move {
            let settled = app.ask(payment, limit).await?;
            app.driver.push(settled.clone());
            Ok(settled)
        }));
        asked.await.map_err(Error::Broken)?
    }

    /// Asks the provider what the state of a payment needs, and follows the answer. Without an answer the payment comes
    /// back as it was, to be asked for again after a pause.
    async fn ask(&self, payment: Payment, limit: Duration) -> Result<Payment, Error> {
        let (id, version) = (payment.id, payment.version);
        let started = Instant::now();
        let (operation, answer) = self.ask_provider(&payment, limit).await;
        self.calls.ended(operation, started.elapsed(), answer.as_ref().map(|_| ()));
        match answer {
            Ok(Some(event)) => self.follow(id, Command::Follow { id, event }).await,
            Ok(None) => self.follow(id, Command::Postpone { id, version }).await,
            Err(unknown) => {
                log_unknown(id, operation, &unknown);
                self.follow(id, Command::Postpone { id, version }).await
            }
        }
    }

    async fn ask_provider(&self, payment: &Payment, limit: Duration) -> (&'static str, Result<Option<Event>, Unknown>) {
        let placed = |hold: &String| Placed { payment: payment.id, hold: hold.clone(), amount: payment.amount };
        match &payment.state {
            State::Created => ("authorize", self.ask_for_hold(payment, limit).await.map(Some)),
            State::Cancelling => ("find", self.look_for_hold(payment, limit).await),
            State::Capturing { hold, .. } => {
                let answer = self.provider.capture(placed(hold), limit).await;
                let event = answer.map(|answer| match answer {
                    Verdict::Done(()) => Event::CaptureDone,
                    Verdict::Refused(reason) => Event::CaptureRefused { reason },
                });
                ("capture", event.map(Some))
            }
            State::Voiding { hold } => {
                ("void", self.provider.void(placed(hold), limit).await.map(|()| Some(Event::VoidDone)))
            }
            State::Refunding { hold } => {
                ("refund", self.provider.refund(placed(hold), limit).await.map(|()| Some(Event::RefundDone)))
            }
            State::Authorized { .. }
            | State::Declined { .. }
            | State::Captured { .. }
            | State::Failed { .. }
            | State::Voided { .. }
            | State::Cancelled
            | State::Refunded { .. } => ("none", Ok(None)),
        }
    }

    /// X4. After 23 h the provider may have forgotten the key, so the hold is looked up first.
    async fn ask_for_hold(&self, payment: &Payment, limit: Duration) -> Result<Event, Unknown> {
        let Payment { id, amount, .. } = *payment;
        if payment.key_may_be_forgotten(self.clock.now()) {
            match self.provider.find(id, amount, limit).await? {
                Found::Held(hold) => return Ok(Event::Held { hold }),
                Found::Settled(reason) => return Ok(Event::Refused { reason }),
                Found::Nothing => {}
            }
        }
        let method = payment.method.clone().ok_or(Unknown::Nonsense("there is no method to ask with"))?;
        let answer = self.provider.authorize(Hold { payment: id, amount, method }, limit).await?;
        Ok(match answer {
            Verdict::Done(hold) => Event::Held { hold },
            Verdict::Refused(reason) => Event::Refused { reason },
        })
    }

    /// Looks for a hold that a request still under way may place. `None`: nothing so far.
    async fn look_for_hold(&self, payment: &Payment, limit: Duration) -> Result<Option<Event>, Unknown> {
        Ok(match self.provider.find(payment.id, payment.amount, limit).await? {
            Found::Held(hold) => Some(Event::Held { hold }),
            Found::Settled(_) => Some(Event::NothingHeld),
            Found::Nothing => payment.cannot_appear_any_more(self.clock.now()).then_some(Event::NothingHeld),
        })
    }

    /// Carries out a command about one payment and gives it back as it stands then.
    async fn follow(&self, id: PaymentId, command: Command) -> Result<Payment, Error> {
        let payments = self.store.submit(command).await??;
        payments.into_iter().find(|payment| payment.id == id).ok_or(Error::NotFound)
    }
}

fn log_unknown(id: PaymentId, operation: &str, unknown: &Unknown) {
    let error = unknown as &dyn std::error::Error;
    if unknown.needs_somebody() {
        tracing::error!(payment.id = %id, operation, error, "The provider's answer about payment {id} needs somebody");
    } else {
        tracing::warn!(payment.id = %id, operation, error, "The outcome of payment {id} at the provider is unknown");
    }
}

//! Asking the provider what a payment needs, and following the answer (X4, X7 and their like).
//!
//! Three rules. What the provider may have forgotten the key of is looked up before it is asked again. An error says
//! nothing about what was applied, and may stand under the key for a day, so it is looked up, too. Without an answer the
//! same question is asked again, under the same key.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use shop_faults::Bug;
use tokio::time::Instant;

use super::{App, BACKGROUND, Error};
use crate::domain::batch::Command;
use crate::domain::{Event, Payment, PaymentId, Question, RefundId};
use crate::peers::{Hold, Placed, Placement, Return, Unknown, Verdict};

/// Too little time to ask for anything.
const NO_TIME: Duration = Duration::from_millis(50);

impl App {
    /// Asks the provider until a payment rests, waits for its buyer, or there is no answer.
    ///
    /// # Errors
    /// [`Error::Store`]: the answer was not written down; the payment stays due and is asked for again.
    pub(crate) async fn settle(&self, mut payment: Payment) -> Result<Payment, Error> {
        loop {
            let asked = payment.version;
            payment = self.ask(payment, BACKGROUND).await?;
            if payment.version == asked || !payment.is_urgent() {
                return Ok(payment);
            }
        }
    }

    /// Looks a payment up because somebody said that something has come of it, and writes down what. What that leads to is
    /// for the driver.
    ///
    /// # Errors
    /// [`Error::NoAnswer`]; [`Error::Store`]: the answer was not written down.
    pub(super) async fn follow_hint(&self, payment: Payment, limit: Duration) -> Result<Payment, Error> {
        let id = payment.id;
        match self.look(&payment, Instant::now() + limit).await {
            Ok(Some(event)) => self.follow_answer(id, event).await,
            Ok(None) => Ok(payment),
            Err(unknown) => {
                log_unknown(id, "find", &unknown);
                Err(Error::NoAnswer(unknown))
            }
        }
    }

    /// Asks the provider once what the state of a payment needs, and follows the answer. Without an answer the payment
    /// comes back as it was, to be asked for again after a pause.
    pub(super) async fn ask(&self, payment: Payment, limit: Duration) -> Result<Payment, Error> {
        let Some(question) = payment.question() else { return Ok(payment) };
        let (id, version) = (payment.id, payment.version);
        match self.answer(&payment, question, Instant::now() + limit).await {
            Ok(Some(event)) => self.follow_answer(id, event).await,
            Ok(None) => self.follow(id, Command::Postpone { id, version }).await,
            Err(unknown) => {
                log_unknown(id, word(question), &unknown);
                self.follow(id, Command::Postpone { id, version }).await
            }
        }
    }

    async fn follow_answer(&self, id: PaymentId, event: Event) -> Result<Payment, Error> {
        let written = match &event {
            Event::Held { .. } | Event::ActionNeeded { .. } | Event::Refused { .. } => Some("W5"),
            Event::CaptureDone | Event::CaptureRefused { .. } => Some("W8"),
            Event::Confirm
            | Event::Cancel
            | Event::Capture
            | Event::Void
            | Event::VoidDone
            | Event::RefundDone { .. }
            | Event::RefundRefused { .. }
            | Event::NothingHeld => None,
        };
        let payment = self.follow(id, Command::Follow { id, event }).await?;
        if let Some(name) = written {
            shop_faults::at(name).await?;
        }
        Ok(payment)
    }

    /// What the provider says; `None`: nothing new.
    async fn answer(
        &self,
        payment: &Payment,
        question: Question<'_>,
        until: Instant,
    ) -> Result<Option<Event>, Unknown> {
        if question == Question::Look {
            return self.look(payment, until).await;
        }
        if payment.key_may_be_forgotten(self.clock.now())
            && let Some(event) = self.look(payment, until).await?
        {
            return Ok(Some(event));
        }
        match self.put(payment, question, until).await {
            Err(unknown) if unknown.was_answered() && until.saturating_duration_since(Instant::now()) > NO_TIME => {
                match self.look(payment, until).await {
                    Ok(Some(event)) => Ok(Some(event)),
                    Ok(None) => Err(unknown),
                    Err(also) => {
                        log_unknown(payment.id, "find", &also);
                        Err(unknown)
                    }
                }
            }
            answer => answer,
        }
    }

    /// Looks up where a payment stands, and what that means for it.
    async fn look(&self, payment: &Payment, until: Instant) -> Result<Option<Event>, Unknown> {
        let found = self.provider.find(payment.id, payment.amount, left(until));
        let standing = self.counted("find", found).await?;
        Ok(payment.learn(standing, self.clock.now())?)
    }

    /// Puts a question under its key.
    async fn put(&self, payment: &Payment, question: Question<'_>, until: Instant) -> Result<Option<Event>, Unknown> {
        let id = payment.id;
        let placed = |hold: &str| Placed { payment: id, hold: hold.to_owned(), amount: payment.amount };
        let limit = left(until);
        match question {
            Question::Look => Ok(None),
            Question::Hold => {
                let method = payment.method.clone().ok_or(Unknown::Nonsense("there is no method to ask with"))?;
                let hold = Hold { payment: id, amount: payment.amount, method };
                let placed = self.counted("authorize", self.provider.authorize(hold, self.key(id), limit)).await?;
                shop_faults::at("X4").await?;
                Ok(Some(match placed {
                    Placement::Held(hold) => Event::Held { hold },
                    Placement::ActionNeeded { hold, url } => Event::ActionNeeded { hold, url },
                    Placement::Refused(reason) => Event::Refused { reason },
                }))
            }
            Question::Capture { hold } => {
                let key = self.key(format_args!("{id}:capture"));
                let captured = self.counted("capture", self.provider.capture(placed(hold), key, limit)).await?;
                shop_faults::at("X7").await?;
                Ok(Some(match captured {
                    Verdict::Done => Event::CaptureDone,
                    Verdict::Refused(reason) => Event::CaptureRefused { reason },
                }))
            }
            Question::Void { hold } => {
                let key = self.key(format_args!("{id}:void"));
                self.counted("void", self.provider.void(placed(hold), key, limit)).await?;
                Ok(Some(Event::VoidDone))
            }
            Question::Refund { hold, refund } => {
                let n = refund.n;
                let name = RefundId { payment: id, n };
                let back = Return { refund: name, hold: hold.to_owned(), amount: payment.of(refund.amount) };
                match self.counted("refund", self.provider.refund(back, self.key(name), limit)).await? {
                    Verdict::Done => Ok(Some(Event::RefundDone { n })),
                    Verdict::Refused(reason) => self.believe_refusal(payment, n, &reason, until).await.map(Some),
                }
            }
        }
    }

    /// A refund that has been made, by a request that was forgotten, is no refused one.
    async fn believe_refusal(&self, payment: &Payment, n: u32, reason: &str, until: Instant) -> Result<Event, Unknown> {
        if let Some(event) = self.look(payment, until).await? {
            return Ok(event);
        }
        tracing::error!(payment.id = %payment.id, refund = n, reason, "The provider refuses refund {n} of payment {}", payment.id);
        Ok(Event::RefundRefused { n })
    }

    /// The key of a question: the same at every try.
    fn key(&self, name: impl Display) -> String {
        if shop_faults::planted(Bug::NewKeyPerTry) {
            return format!("{name}:{}", self.clock.new_id().simple());
        }
        name.to_string()
    }

    /// Waits for an answer of the provider, and counts it.
    pub(super) async fn counted<T>(
        &self,
        operation: &'static str,
        asked: impl Future<Output = Result<T, Unknown>>,
    ) -> Result<T, Unknown> {
        let started = Instant::now();
        let answer = asked.await;
        self.calls.ended(operation, started.elapsed(), answer.as_ref().map(|_| ()));
        answer
    }
}

fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

/// The word of a question in metrics and logs.
const fn word(question: Question<'_>) -> &'static str {
    match question {
        Question::Hold => "authorize",
        Question::Look => "find",
        Question::Capture { .. } => "capture",
        Question::Void { .. } => "void",
        Question::Refund { .. } => "refund",
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

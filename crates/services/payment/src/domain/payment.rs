//! One attempt to pay an order: what it is, what has to be asked of the provider next, and what events do to it as a whole.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use shop_types::event::PaymentFact;
use shop_types::{Money, UserId};

use super::{Event, Illegal, Kind, Method, PaymentId, Reason, Refund, RefundState, State, Step, Tell, Unrefundable};

/// Most refunds of one payment that are asked for, also those that the provider refused: each write of a payment writes them all.
/// What an undone order gets back beyond them always has its own.
pub const MOST_REFUNDS: usize = 100;

/// One attempt to pay an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Its name.
    pub id: PaymentId,
    /// Who ordered; absent for guests.
    pub owner: Option<UserId>,
    /// What is held and taken: always all of it.
    pub amount: Money,
    /// The means of payment; absent when it was cancelled before anybody named one.
    pub method: Option<Method>,
    /// How far it has come.
    pub state: State,
    /// What of the captured money was given back, or shall be, in the order of their numbers.
    pub refunds: Vec<Refund>,
    /// Grows by one with every change.
    pub version: i64,
    /// When it was written down.
    pub created: Timestamp,
    /// When its state, or that of one of its refunds, changed last. Who cancels while the money is being taken changes what
    /// follows; the state is the same, and so is the question that the provider was asked then.
    pub since: Timestamp,
    /// How often the provider was asked since then without an answer.
    pub tries: u32,
}

/// What has to be asked of the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question<'a> {
    /// Hold the money (X4).
    Hold,
    /// Has anything come of it?
    Look,
    /// Take the money (X7).
    Capture {
        /// The hold.
        hold: &'a str,
    },
    /// Give the hold back.
    Void {
        /// The hold.
        hold: &'a str,
    },
    /// Give money back.
    Refund {
        /// The hold.
        hold: &'a str,
        /// The refund.
        refund: &'a Refund,
    },
}

/// What an event does to a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// Nothing.
    Stay,
    /// It goes on.
    Go {
        /// As it stands then.
        payment: Box<Payment>,
        /// What others are told, if anything.
        tell: Option<Tell>,
    },
}

impl Payment {
    /// What an event does to it.
    ///
    /// # Errors
    /// [`Illegal`]: see [`State::on`].
    pub fn on(&self, event: Event, now: Timestamp) -> Result<Move, Illegal> {
        if let Event::RefundDone { n } = event {
            return Ok(self.refund_done(n, now));
        }
        if let Event::RefundRefused { n } = event {
            return Ok(self.refund_refused(n, now));
        }
        Ok(match self.state.on(event)? {
            Step::Stay => Move::Stay,
            Step::Go { state, tell } => {
                let since = if state.kind() == self.state.kind() { self.since } else { now };
                let mut payment = Self { state, since, ..self.moved(now) };
                payment.refund_rest(now);
                Move::Go { payment: Box::new(payment), tell }
            }
        })
    }

    /// Writes a refund down: of so much, or of all that is left. Gives its number.
    ///
    /// # Errors
    /// [`Unrefundable`]; nothing has changed then.
    pub fn refund(&self, amount: Option<Money>, reason: Reason, now: Timestamp) -> Result<(Self, u32), Unrefundable> {
        if !matches!(self.state, State::Captured { .. } | State::Refunding { .. } | State::Refunded { .. }) {
            return Err(Unrefundable::Illegal(self.state.illegal(&[Kind::Captured])));
        }
        let left = self.left();
        let amount = match amount {
            Some(amount) if amount.currency != self.amount.currency => return Err(Unrefundable::Currency),
            Some(amount) => amount.amount,
            None => left,
        };
        if left <= 0 || amount > left {
            return Err(Unrefundable::OverRefund { left: self.of(left) });
        }
        if self.refunds.len() >= MOST_REFUNDS {
            return Err(Unrefundable::TooMany);
        }
        let mut payment = self.moved(now);
        let n = payment.add_refund(amount, reason, now);
        if let (0, State::Captured { hold }) = (payment.left(), &payment.state) {
            payment.state = State::Refunding { hold: hold.clone() };
        }
        Ok((payment, n))
    }

    /// A refund by its number.
    #[must_use]
    pub fn refund_of(&self, n: u32) -> Option<&Refund> {
        self.refunds.iter().find(|refund| refund.n == n)
    }

    /// Minor units that are given back or on their way.
    #[must_use]
    pub fn promised(&self) -> i64 {
        self.sum(|state| state != RefundState::Failed)
    }

    /// Minor units that were given back.
    #[must_use]
    pub fn given_back(&self) -> i64 {
        self.sum(|state| state == RefundState::Done)
    }

    /// Minor units that can still be refunded once the money is captured.
    #[must_use]
    pub fn left(&self) -> i64 {
        self.amount.amount - self.promised()
    }

    /// What has to be asked of the provider next; nothing when the payment is at rest.
    #[must_use]
    pub fn question(&self) -> Option<Question<'_>> {
        match &self.state {
            State::Created => Some(Question::Hold),
            State::RequiresAction { .. } | State::Cancelling => Some(Question::Look),
            State::Capturing { hold, .. } => Some(Question::Capture { hold }),
            State::Voiding { hold } => Some(Question::Void { hold }),
            State::Captured { hold } | State::Refunding { hold } => {
                let pending = self.refunds.iter().find(|refund| refund.state == RefundState::Pending);
                pending.map(|refund| Question::Refund { hold, refund })
            }
            State::Authorized { .. }
            | State::Declined { .. }
            | State::Failed { .. }
            | State::Voided { .. }
            | State::Cancelled
            | State::Refunded { .. } => None,
        }
    }

    /// Whether the provider has to be asked before it comes to rest.
    #[must_use]
    pub fn is_settling(&self) -> bool {
        self.question().is_some()
    }

    /// Whether the provider is to be asked at once. One that waits for the buyer is looked up now and then.
    #[must_use]
    pub fn is_urgent(&self) -> bool {
        self.is_settling() && self.state.kind() != Kind::RequiresAction
    }

    /// Whether the held money is being taken or given back right now.
    #[must_use]
    pub fn is_moving_the_hold(&self) -> bool {
        matches!(self.state, State::Capturing { .. } | State::Voiding { .. })
    }

    /// Whether the provider may have forgotten the key of the present question, so that it has to be looked up what has
    /// come of it before it is asked again. Providers keep keys for 24 h.
    #[must_use]
    pub fn key_may_be_forgotten(&self, now: Timestamp) -> bool {
        let first_asked = match self.question() {
            None | Some(Question::Look) => return false,
            Some(Question::Hold) => self.created,
            Some(Question::Capture { .. } | Question::Void { .. }) => self.since,
            Some(Question::Refund { refund, .. }) => refund.at,
        };
        now.duration_since(first_asked) > SignedDuration::from_hours(23)
    }

    /// Whether a cancelled payment that the provider has never heard of cannot appear any more: no request that was
    /// under way when it was cancelled outlives the keys of the provider (24 h, and 1 h to be safe).
    #[must_use]
    pub fn cannot_appear_any_more(&self, now: Timestamp) -> bool {
        now.duration_since(self.since) > SignedDuration::from_hours(25)
    }

    /// How long to wait before the provider is asked again, after one more try without an answer.
    ///
    /// Doubles from 1 s; a cancelled payment that the provider has not heard of is looked up less and less often.
    #[must_use]
    pub fn pause(&self) -> Duration {
        let most_seconds = if self.state.kind() == Kind::Cancelling { 600 } else { 60 };
        let seconds = 1_u64 << self.tries.min(10);
        Duration::from_secs(seconds.min(most_seconds))
    }

    /// What other services are told about it.
    #[must_use]
    pub fn fact(&self, tell: Tell) -> PaymentFact {
        let (amount, remaining) = match tell {
            Tell::Refunded { n } => {
                let kept = self.amount.amount - self.given_back();
                let amount = self.refund_of(n).map_or(self.amount, |refund| self.of(refund.amount));
                (amount, (kept > 0).then(|| self.of(kept)))
            }
            Tell::Authorized | Tell::Declined | Tell::Captured | Tell::Voided | Tell::Failed => (self.amount, None),
        };
        PaymentFact {
            payment_id: self.id.to_string(),
            order_id: self.id.order,
            amount,
            remaining,
            reason: self.state.reason().map(str::to_owned),
        }
    }

    /// The last thing others were told, when the money is settled for good and was not simply kept or declined. An order
    /// that is undone later than its payment has to hear it again (rulings 12 and 15).
    #[must_use]
    pub fn last_word(&self) -> Option<Tell> {
        match self.state {
            State::Failed { .. } => Some(Tell::Failed),
            State::Voided { .. } | State::Cancelled => Some(Tell::Voided),
            State::Refunded { .. } => {
                let last = self.refunds.iter().rev().find(|refund| refund.state == RefundState::Done);
                last.map(|refund| Tell::Refunded { n: refund.n })
            }
            State::Created
            | State::RequiresAction { .. }
            | State::Authorized { .. }
            | State::Declined { .. }
            | State::Capturing { .. }
            | State::Captured { .. }
            | State::Voiding { .. }
            | State::Cancelling
            | State::Refunding { .. } => None,
        }
    }

    /// An amount in the currency of the payment.
    #[must_use]
    pub const fn of(&self, minor_units: i64) -> Money {
        Money::new(minor_units, self.amount.currency)
    }

    fn refund_done(&self, n: u32, now: Timestamp) -> Move {
        let Some(mut payment) = self.with_refund(n, RefundState::Done, now) else { return Move::Stay };
        if let (true, Some(hold)) = (payment.given_back() == payment.amount.amount, payment.state.hold()) {
            payment.state = State::Refunded { hold: hold.to_owned() };
        }
        Move::Go { payment: Box::new(payment), tell: Some(Tell::Refunded { n }) }
    }

    /// What the provider refuses is kept, and can be refunded again once somebody has found out why.
    fn refund_refused(&self, n: u32, now: Timestamp) -> Move {
        let Some(mut payment) = self.with_refund(n, RefundState::Failed, now) else { return Move::Stay };
        if let State::Refunding { hold } = &payment.state {
            payment.state = State::Captured { hold: hold.clone() };
        }
        Move::Go { payment: Box::new(payment), tell: None }
    }

    /// The payment after a pending refund has ended; `None` when it is not pending.
    fn with_refund(&self, n: u32, ended: RefundState, now: Timestamp) -> Option<Self> {
        let mut payment = self.moved(now);
        let refund = payment.refunds.iter_mut().find(|refund| refund.n == n && refund.state == RefundState::Pending)?;
        refund.state = ended;
        Some(payment)
    }

    /// Money that goes back altogether goes back by refunds: what no refund has promised yet gets one.
    fn refund_rest(&mut self, now: Timestamp) {
        let left = self.left();
        if left > 0 && matches!(self.state, State::Refunding { .. }) {
            self.add_refund(left, Reason::order_undone(), now);
        }
    }

    fn add_refund(&mut self, amount: i64, reason: Reason, at: Timestamp) -> u32 {
        let n = self.refunds.iter().map(|refund| refund.n).max().unwrap_or(0).saturating_add(1);
        self.refunds.push(Refund { n, amount, state: RefundState::Pending, reason, at });
        n
    }

    fn sum(&self, counts: impl Fn(RefundState) -> bool) -> i64 {
        self.refunds.iter().filter(|refund| counts(refund.state)).map(|refund| refund.amount).sum()
    }

    fn moved(&self, now: Timestamp) -> Self {
        Self { version: self.version + 1, since: now, tries: 0, ..self.clone() }
    }
}

#[cfg(test)]
mod tests;

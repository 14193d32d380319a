//! What groups are asked, and what they answer.

use std::time::Duration;

use shop_types::event::OrderFact;
use shop_types::{EventId, Fingerprint, Money, OrderId, UserId};

use crate::domain::{Event, Illegal, Method, Payment, PaymentId, Reason, RefundId, RefundState, Tell, Unrefundable};

/// How long the pod that wrote a settling payment has for asking the provider, before another pod may: longer than the
/// provider's deadline in the background.
pub const LEASE: Duration = Duration::from_secs(15);

/// Something to do to payments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Write an attempt down before the provider is asked (W3).
    Open(Opening),
    /// Follow a request of staff or an answer of the provider.
    Follow {
        /// Which payment.
        id: PaymentId,
        /// What it follows.
        event: Event,
    },
    /// Follow an order.
    Obey(Verdict),
    /// Write a refund down before the provider is asked.
    Refund(RefundRequest),
    /// A caller is answered that a refund is in this state; the same key is answered the same for as long as it is kept.
    Answered {
        /// Which payment.
        id: PaymentId,
        /// The key of the request.
        key: Key,
        /// What the caller is told.
        state: RefundState,
    },
    /// The provider gave no answer: ask again after a pause.
    Postpone {
        /// Which payment.
        id: PaymentId,
        /// As of this version; if it has moved on, nothing is postponed.
        version: i64,
    },
}

/// A new attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// Its name.
    pub id: PaymentId,
    /// Who ordered; absent for guests.
    pub owner: Option<UserId>,
    /// How much.
    pub amount: Money,
    /// By what means.
    pub method: Method,
}

/// A wish of staff to give money back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundRequest {
    /// Which payment.
    pub id: PaymentId,
    /// How much; all that is left without it.
    pub amount: Option<Money>,
    /// Why.
    pub reason: Reason,
    /// The key of the request.
    pub key: Key,
}

/// The idempotency key of a request, and what was asked under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The name of its row.
    pub id: String,
    /// What was asked.
    pub fingerprint: Fingerprint,
}

/// A key that was used before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// What was asked.
    pub fingerprint: Fingerprint,
    /// The refund that it made.
    pub refund: RefundId,
    /// What the caller was told, once it was.
    pub said: Option<RefundState>,
}

/// What an order has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The event that says so; it counts once.
    pub event: EventId,
    /// Which order.
    pub order: OrderId,
    /// The payment that the order names.
    pub payment: Option<PaymentId>,
    /// Who ordered.
    pub owner: Option<UserId>,
    /// The order's total.
    pub total: Money,
    /// What it has come to.
    pub outcome: Outcome,
}

/// What an order has come to, as far as its payment cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is confirmed: take the money.
    Confirmed,
    /// It will not happen: hold nothing. Nobody waits for an answer.
    Rejected,
    /// It is undone: hold and keep nothing. The order waits for the payment's last word.
    Undone,
}

impl Outcome {
    /// What an event tells of the outcome of an order; `None` for one that does not concern its money.
    #[must_use]
    pub fn told_by(event: shop_types::Event) -> Option<(Self, OrderFact)> {
        use shop_types::Event;
        match event {
            Event::OrderConfirmed(fact) => Some((Self::Confirmed, fact)),
            Event::OrderRejected(fact) => Some((Self::Rejected, fact)),
            Event::OrderCancelling(fact) | Event::OrderReturning(fact) => Some((Self::Undone, fact)),
            Event::OrderCreated(_)
            | Event::OrderCancelled(_)
            | Event::OrderPaid(_)
            | Event::OrderShipped(_)
            | Event::OrderDelivered(_)
            | Event::OrderReturned(_)
            | Event::PaymentAuthorized(_)
            | Event::PaymentDeclined(_)
            | Event::PaymentCaptured(_)
            | Event::PaymentVoided(_)
            | Event::PaymentRefunded(_)
            | Event::PaymentFailed(_)
            | Event::StockChanged(_)
            | Event::UserCreated(_)
            | Event::UserDeleted(_)
            | Event::PasswordForgotten(_)
            | Event::EmailEntered(_)
            | Event::SessionRevoked(_)
            | Event::StaffCalled(_)
            | Event::StaffAnswered(_) => None,
        }
    }
}

/// What has come of a command; or why nothing has changed.
pub type Answer = Result<Reply, Refusal>;

/// What has come of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The payments that it was about, as they stand now.
    Payments(Vec<Payment>),
    /// The refund that it was about.
    Refund(Box<RefundReply>),
}

/// What has come of a request for a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundReply {
    /// The payment as it stands now.
    pub payment: Payment,
    /// The number of the refund.
    pub n: u32,
    /// What a caller with this key was told, once one was.
    pub said: Option<RefundState>,
}

/// Why a command changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such payment.
    #[error("there is no such payment")]
    Unknown,
    /// The attempt was opened before with another amount or another means.
    #[error("the attempt was opened before with another amount or method")]
    Mismatch,
    /// The state does not allow it.
    #[error(transparent)]
    Illegal(#[from] Illegal),
    /// The refund cannot be asked for.
    #[error(transparent)]
    Unrefundable(#[from] Unrefundable),
    /// The key was used for another request.
    #[error("the key was used for another request")]
    KeyReused,
}

/// A payment to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// As it must stand afterwards.
    pub payment: Payment,
    /// The version that was read; `None` for a new payment.
    pub from: Option<i64>,
    /// When the provider may be asked (again) by any pod; `None` when nothing is left to ask.
    pub next_try: Option<Duration>,
}

/// Something that others are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The member of the group that caused it.
    pub member: usize,
    /// The payment, at the version it tells of.
    pub payment: Payment,
    /// What.
    pub tell: Tell,
}

/// A key that is used now for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The key.
    pub key: Key,
    /// The refund that it makes.
    pub refund: RefundId,
}

/// What the callers of a key are told from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The name of the key's row.
    pub key: String,
    /// What they are told.
    pub state: RefundState,
    /// The version of the payment.
    pub version: i64,
}

/// What a group leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// One answer per command, in order.
    pub answers: Vec<Answer>,
    /// Every payment that has changed, once, in the order of their names.
    pub changes: Vec<Change>,
    /// What others are told, in the order it happened.
    pub told: Vec<Told>,
    /// Keys that are used for the first time.
    pub starts: Vec<Start>,
    /// Keys whose callers are told something for the first time.
    pub ends: Vec<End>,
}

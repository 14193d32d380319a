//! Facts that services tell each other: topics, payloads and the envelope they travel in (ruling 12).
//!
//! A payload says what has happened and carries what its consumers need, so that they ask nobody back.

mod letter;
mod topic;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::letter::{LetterFact, LetterSecret};
pub use self::topic::{Audience, Topic};
use crate::audit::StaffCall;
use crate::{CartId, EventId, Money, OrderId, Quantity, SessionId, Sku, UserId};

/// One line of an order, as far as other services care.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LineFact {
    /// What.
    pub sku: Sku,
    /// How many.
    pub quantity: Quantity,
}

/// What all facts about an order carry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderFact {
    /// Which order.
    pub order_id: OrderId,
    /// The number that people use.
    pub number: i64,
    /// Who ordered; absent for guests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// The cart it was made from and that cart's version, when there was one: the cart clears itself on them (ruling 16).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cart: Option<CartFact>,
    /// What was ordered.
    pub lines: Vec<LineFact>,
    /// The grand total.
    pub total: Money,
    /// The payment (`<order id>:<attempt>`) that the verdict names, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_id: Option<String>,
    /// Why, for rejections and cancellations: a stable word such as `sold_out` or `requested`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The cart behind an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CartFact {
    /// Which cart.
    pub id: CartId,
    /// The version that was ordered.
    pub version: i64,
}

/// What all facts about a payment carry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentFact {
    /// `<order id>:<attempt>`.
    pub payment_id: String,
    /// The order it pays for.
    pub order_id: OrderId,
    /// The amount that this fact is about: held, captured or given back.
    pub amount: Money,
    /// What the shop keeps of captured money after a refund of a part; absent in every other fact, and once all was given
    /// back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<Money>,
    /// The provider's own word for a refusal, when there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What can be sold of a SKU, wherever it lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StockFact {
    /// Which variant.
    pub sku: Sku,
    /// The most pieces that one line of an order can get now: a line is served from one location, so these are the pieces in
    /// the fullest one, not the sum over all.
    pub available: i64,
    /// Grows with every change of this SKU; older facts are ignored.
    pub version: i64,
}

/// Whose account was opened or deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserFact {
    /// Who.
    pub user_id: UserId,
    /// The number that people use.
    pub number: i64,
}

/// Which session ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RevocationFact {
    /// The session whose tokens count no longer.
    pub session_id: SessionId,
    /// When the last of its tokens would have expired anyway: after that the entry may be forgotten.
    pub until: Timestamp,
}

/// What has happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "topic", content = "body")]
pub enum Event {
    /// See [`Topic::OrderCreated`].
    #[serde(rename = "order.created")]
    OrderCreated(OrderFact),
    /// See [`Topic::OrderConfirmed`].
    #[serde(rename = "order.confirmed")]
    OrderConfirmed(OrderFact),
    /// See [`Topic::OrderRejected`].
    #[serde(rename = "order.rejected")]
    OrderRejected(OrderFact),
    /// See [`Topic::OrderCancelling`].
    #[serde(rename = "order.cancelling")]
    OrderCancelling(OrderFact),
    /// See [`Topic::OrderCancelled`].
    #[serde(rename = "order.cancelled")]
    OrderCancelled(OrderFact),
    /// See [`Topic::OrderPaid`].
    #[serde(rename = "order.paid")]
    OrderPaid(OrderFact),
    /// See [`Topic::OrderShipped`].
    #[serde(rename = "order.shipped")]
    OrderShipped(OrderFact),
    /// See [`Topic::OrderDelivered`].
    #[serde(rename = "order.delivered")]
    OrderDelivered(OrderFact),
    /// See [`Topic::OrderReturning`].
    #[serde(rename = "order.returning")]
    OrderReturning(OrderFact),
    /// See [`Topic::OrderReturned`].
    #[serde(rename = "order.returned")]
    OrderReturned(OrderFact),
    /// See [`Topic::PaymentAuthorized`].
    #[serde(rename = "payment.authorized")]
    PaymentAuthorized(PaymentFact),
    /// See [`Topic::PaymentDeclined`].
    #[serde(rename = "payment.declined")]
    PaymentDeclined(PaymentFact),
    /// See [`Topic::PaymentCaptured`].
    #[serde(rename = "payment.captured")]
    PaymentCaptured(PaymentFact),
    /// See [`Topic::PaymentVoided`].
    #[serde(rename = "payment.voided")]
    PaymentVoided(PaymentFact),
    /// See [`Topic::PaymentRefunded`].
    #[serde(rename = "payment.refunded")]
    PaymentRefunded(PaymentFact),
    /// See [`Topic::PaymentFailed`].
    #[serde(rename = "payment.failed")]
    PaymentFailed(PaymentFact),
    /// See [`Topic::StockChanged`].
    #[serde(rename = "stock.changed")]
    StockChanged(StockFact),
    /// See [`Topic::UserCreated`].
    #[serde(rename = "user.created")]
    UserCreated(UserFact),
    /// See [`Topic::UserDeleted`].
    #[serde(rename = "user.deleted")]
    UserDeleted(UserFact),
    /// See [`Topic::PasswordForgotten`].
    #[serde(rename = "password.forgotten")]
    PasswordForgotten(LetterFact),
    /// See [`Topic::EmailEntered`].
    #[serde(rename = "email.entered")]
    EmailEntered(LetterFact),
    /// See [`Topic::SessionRevoked`].
    #[serde(rename = "session.revoked")]
    SessionRevoked(RevocationFact),
    /// See [`Topic::StaffCalled`].
    #[serde(rename = "staff.called")]
    StaffCalled(StaffCall),
    /// See [`Topic::StaffAnswered`].
    #[serde(rename = "staff.answered")]
    StaffAnswered(StaffCall),
}

impl Event {
    /// The kind of this event.
    #[must_use]
    pub const fn topic(&self) -> Topic {
        match self {
            Self::OrderCreated(_) => Topic::OrderCreated,
            Self::OrderConfirmed(_) => Topic::OrderConfirmed,
            Self::OrderRejected(_) => Topic::OrderRejected,
            Self::OrderCancelling(_) => Topic::OrderCancelling,
            Self::OrderCancelled(_) => Topic::OrderCancelled,
            Self::OrderPaid(_) => Topic::OrderPaid,
            Self::OrderShipped(_) => Topic::OrderShipped,
            Self::OrderDelivered(_) => Topic::OrderDelivered,
            Self::OrderReturning(_) => Topic::OrderReturning,
            Self::OrderReturned(_) => Topic::OrderReturned,
            Self::PaymentAuthorized(_) => Topic::PaymentAuthorized,
            Self::PaymentDeclined(_) => Topic::PaymentDeclined,
            Self::PaymentCaptured(_) => Topic::PaymentCaptured,
            Self::PaymentVoided(_) => Topic::PaymentVoided,
            Self::PaymentRefunded(_) => Topic::PaymentRefunded,
            Self::PaymentFailed(_) => Topic::PaymentFailed,
            Self::StockChanged(_) => Topic::StockChanged,
            Self::UserCreated(_) => Topic::UserCreated,
            Self::UserDeleted(_) => Topic::UserDeleted,
            Self::PasswordForgotten(_) => Topic::PasswordForgotten,
            Self::EmailEntered(_) => Topic::EmailEntered,
            Self::SessionRevoked(_) => Topic::SessionRevoked,
            Self::StaffCalled(_) => Topic::StaffCalled,
            Self::StaffAnswered(_) => Topic::StaffAnswered,
        }
    }
}

/// An event on its way: who it is about, which version of that thing it tells of, and the trace that caused it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// The same for every delivery of this event; consumers remember it.
    pub id: EventId,
    /// The thing it is about, e.g. the order's id. Events of one aggregate keep their order.
    pub aggregate: String,
    /// The version of that thing after the change.
    pub version: i64,
    /// When it happened, by the emitting pod's clock.
    pub occurred_at: Timestamp,
    /// W3C trace context of the request that caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// What has happened.
    #[serde(flatten)]
    pub event: Event,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_survives_json() {
        let envelope = Envelope {
            id: EventId::from_uuid(uuid::Uuid::from_u128(1)),
            aggregate: "mug".into(),
            version: 3,
            occurred_at: Timestamp::UNIX_EPOCH,
            traceparent: None,
            event: Event::StockChanged(StockFact { sku: "mug".parse().unwrap(), available: 5, version: 3 }),
        };
        let json = serde_json::to_string(&envelope).unwrap();
        assert!(json.contains(r#""topic":"stock.changed""#), "{json}");
        assert_eq!(serde_json::from_str::<Envelope>(&json).unwrap(), envelope);
    }
}

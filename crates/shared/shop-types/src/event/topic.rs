//! The kinds of events: their words on the wire, who emits them and who they are for (ruling 12).

use serde::{Deserialize, Serialize};

/// The kind of an event; its name is the word on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Topic {
    /// An order was placed (W1).
    #[serde(rename = "order.created")]
    OrderCreated,
    /// An order holds its stock and its money (W6).
    #[serde(rename = "order.confirmed")]
    OrderConfirmed,
    /// An order will not happen (W6).
    #[serde(rename = "order.rejected")]
    OrderRejected,
    /// A confirmed or paid order is being undone (W12).
    #[serde(rename = "order.cancelling")]
    OrderCancelling,
    /// The money of a cancelled order is settled (W13).
    #[serde(rename = "order.cancelled")]
    OrderCancelled,
    /// The money of an order was captured (W10).
    #[serde(rename = "order.paid")]
    OrderPaid,
    /// An order was handed to the carrier.
    #[serde(rename = "order.shipped")]
    OrderShipped,
    /// An order has arrived.
    #[serde(rename = "order.delivered")]
    OrderDelivered,
    /// A return was accepted: what was sold and paid goes back (ruling 15).
    #[serde(rename = "order.returning")]
    OrderReturning,
    /// The money of a returned order was given back.
    #[serde(rename = "order.returned")]
    OrderReturned,
    /// A hold was placed on the buyer's money (W5).
    #[serde(rename = "payment.authorized")]
    PaymentAuthorized,
    /// The provider said no (W5).
    #[serde(rename = "payment.declined")]
    PaymentDeclined,
    /// The money was taken (W8).
    #[serde(rename = "payment.captured")]
    PaymentCaptured,
    /// A hold was given back, or a payment ended before one was placed.
    #[serde(rename = "payment.voided")]
    PaymentVoided,
    /// Captured money was given back.
    #[serde(rename = "payment.refunded")]
    PaymentRefunded,
    /// The provider refused the capture for good (ruling 15).
    #[serde(rename = "payment.failed")]
    PaymentFailed,
    /// What can be sold of a SKU has changed.
    #[serde(rename = "stock.changed")]
    StockChanged,
    /// Somebody registered.
    #[serde(rename = "user.created")]
    UserCreated,
    /// An account was deleted, by its owner or an admin: who keeps something of them forgets it.
    #[serde(rename = "user.deleted")]
    UserDeleted,
    /// Somebody wants to choose another password, and must prove that they read the account's address.
    #[serde(rename = "password.forgotten")]
    PasswordForgotten,
    /// Somebody gave an address that nobody has verified yet.
    #[serde(rename = "email.entered")]
    EmailEntered,
    /// A session ended before its tokens expired (ruling 26).
    #[serde(rename = "session.revoked")]
    SessionRevoked,
    /// Staff, an admin or a program is about to change something.
    #[serde(rename = "staff.called")]
    StaffCalled,
    /// What they were answered.
    #[serde(rename = "staff.answered")]
    StaffAnswered,
}

/// Every service that has a database: where staff and programs can change something.
const KEEPERS: &[&str] = &["identity", "catalog", "inventory", "cart", "payment", "order"];

/// Whether anybody inside listens. What outsiders hear is another question: [`Topic::is_mirrored`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// At least one service consumes it from the stream.
    Inward,
    /// For others (ruling 7); nobody inside consumes it from the stream yet.
    Outward,
}

impl Topic {
    /// Every topic there is.
    pub const ALL: [Self; 24] = [
        Self::OrderCreated,
        Self::OrderConfirmed,
        Self::OrderRejected,
        Self::OrderCancelling,
        Self::OrderCancelled,
        Self::OrderPaid,
        Self::OrderShipped,
        Self::OrderDelivered,
        Self::OrderReturning,
        Self::OrderReturned,
        Self::PaymentAuthorized,
        Self::PaymentDeclined,
        Self::PaymentCaptured,
        Self::PaymentVoided,
        Self::PaymentRefunded,
        Self::PaymentFailed,
        Self::StockChanged,
        Self::UserCreated,
        Self::UserDeleted,
        Self::PasswordForgotten,
        Self::EmailEntered,
        Self::SessionRevoked,
        Self::StaffCalled,
        Self::StaffAnswered,
    ];

    /// The word on the wire, in metrics and in logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OrderCreated => "order.created",
            Self::OrderConfirmed => "order.confirmed",
            Self::OrderRejected => "order.rejected",
            Self::OrderCancelling => "order.cancelling",
            Self::OrderCancelled => "order.cancelled",
            Self::OrderPaid => "order.paid",
            Self::OrderShipped => "order.shipped",
            Self::OrderDelivered => "order.delivered",
            Self::OrderReturning => "order.returning",
            Self::OrderReturned => "order.returned",
            Self::PaymentAuthorized => "payment.authorized",
            Self::PaymentDeclined => "payment.declined",
            Self::PaymentCaptured => "payment.captured",
            Self::PaymentVoided => "payment.voided",
            Self::PaymentRefunded => "payment.refunded",
            Self::PaymentFailed => "payment.failed",
            Self::StockChanged => "stock.changed",
            Self::UserCreated => "user.created",
            Self::UserDeleted => "user.deleted",
            Self::PasswordForgotten => "password.forgotten",
            Self::EmailEntered => "email.entered",
            Self::SessionRevoked => "session.revoked",
            Self::StaffCalled => "staff.called",
            Self::StaffAnswered => "staff.answered",
        }
    }

    /// The topic of a word on the wire; `None` for one that this version does not know.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.name() == name)
    }

    /// The services that emit it: the streams it travels in.
    #[must_use]
    pub const fn producers(self) -> &'static [&'static str] {
        match self {
            Self::OrderCreated
            | Self::OrderConfirmed
            | Self::OrderRejected
            | Self::OrderCancelling
            | Self::OrderCancelled
            | Self::OrderPaid
            | Self::OrderShipped
            | Self::OrderDelivered
            | Self::OrderReturning
            | Self::OrderReturned => &["order"],
            Self::PaymentAuthorized
            | Self::PaymentDeclined
            | Self::PaymentCaptured
            | Self::PaymentVoided
            | Self::PaymentRefunded
            | Self::PaymentFailed => &["payment"],
            Self::StockChanged => &["inventory"],
            Self::UserCreated
            | Self::UserDeleted
            | Self::PasswordForgotten
            | Self::EmailEntered
            | Self::SessionRevoked => &["identity"],
            Self::StaffCalled | Self::StaffAnswered => KEEPERS,
        }
    }

    /// Who it is for.
    #[must_use]
    pub const fn audience(self) -> Audience {
        match self {
            Self::OrderCancelled
            | Self::OrderPaid
            | Self::OrderShipped
            | Self::OrderDelivered
            | Self::OrderReturned
            | Self::UserCreated
            | Self::PasswordForgotten
            | Self::EmailEntered
            | Self::SessionRevoked => Audience::Outward,
            Self::OrderCreated
            | Self::OrderConfirmed
            | Self::OrderRejected
            | Self::OrderCancelling
            | Self::OrderReturning
            | Self::PaymentAuthorized
            | Self::PaymentDeclined
            | Self::PaymentCaptured
            | Self::PaymentVoided
            | Self::PaymentRefunded
            | Self::PaymentFailed
            | Self::StockChanged
            | Self::UserDeleted
            | Self::StaffCalled
            | Self::StaffAnswered => Audience::Inward,
        }
    }

    /// Whether the relay mirrors it on the Pub/Sub channel of its name, for listeners outside. All that is outward is, and what
    /// they and we hear both: that an account was deleted.
    #[must_use]
    pub const fn is_mirrored(self) -> bool {
        match self.audience() {
            Audience::Outward => true,
            Audience::Inward => matches!(self, Self::UserDeleted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_is_found_by_its_name() {
        for topic in Topic::ALL {
            assert_eq!(Topic::from_name(topic.name()), Some(topic));
            assert_eq!(serde_json::to_value(topic).unwrap(), topic.name());
            assert_eq!(topic.name().split('.').count(), 2);
        }
        assert_eq!(Topic::from_name("order.unheard_of"), None);
    }

    #[test]
    fn outsiders_hear_of_accounts_that_come_and_go() {
        assert!(Topic::UserCreated.is_mirrored() && Topic::UserDeleted.is_mirrored());
        assert!(!Topic::StockChanged.is_mirrored());
    }
}

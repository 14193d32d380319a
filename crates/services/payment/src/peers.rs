//! Payment providers out: what is asked of one, and how its answers are understood. One file per provider.
//!
//! A provider either answers for good, or its outcome is unknown; there is no third. Whatever is unclear (a time-out, a lost
//! connection, an answer that does not fit) is unknown, and the same question is asked again with the same key.

pub(crate) mod calls;
pub(crate) mod sandbox;

use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;
use shop_types::Money;

use crate::domain::{Method, PaymentId};

/// A hold to place.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    /// The payment: reference and idempotency key of the hold.
    pub(crate) payment: PaymentId,
    /// How much.
    pub(crate) amount: Money,
    /// By what means.
    pub(crate) method: Method,
}

/// A hold that was placed: what to take, give back or refund.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    /// The payment.
    pub(crate) payment: PaymentId,
    /// The provider's id of the hold.
    pub(crate) hold: String,
    /// How much.
    pub(crate) amount: Money,
}

/// The answer to a question that can be refused for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict<T> {
    /// Done.
    Done(T),
    /// Refused for good, with the provider's word for why; nothing is held.
    Refused(String),
}

/// What a provider knows of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// It has never heard of it. A request that is still under way may change that.
    Nothing,
    /// It holds the money.
    Held(String),
    /// It has heard of it, holds nothing, and never will.
    Settled(String),
}

/// The outcome is unknown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unknown {
    /// There was no answer, or the connection broke.
    #[error("the provider gave no answer")]
    NoAnswer(#[source] reqwest::Error),
    /// The provider is away, overloaded, or refuses us altogether.
    #[error("the provider answered {status} {code}")]
    Unexpected {
        /// The HTTP status.
        status: u16,
        /// Its word for why, if it gave one.
        code: String,
    },
    /// An earlier request with the same key is still being worked on.
    #[error("the provider is still working on an earlier request")]
    Busy,
    /// The answer does not fit the question.
    #[error("the provider's answer does not fit: {0}")]
    Nonsense(&'static str),
}

impl Unknown {
    /// Whether somebody has to do something: waiting will not help.
    pub(crate) const fn needs_somebody(&self) -> bool {
        match self {
            Self::NoAnswer(_) | Self::Busy => false,
            Self::Nonsense(_) => true,
            Self::Unexpected { status, .. } => *status < 500 && *status != 429 && *status != 408,
        }
    }

    /// The word in metrics.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::NoAnswer(_) => "no_answer",
            Self::Unexpected { .. } => "unexpected",
            Self::Busy => "busy",
            Self::Nonsense(_) => "nonsense",
        }
    }
}

/// A payment provider. Every method may be repeated: the keys are derived from the payment, so that doing it twice is the
/// same as once. `limit` is how long to wait for the answer.
pub(crate) trait Provider: Send + Sync + fmt::Debug {
    /// Places a hold (X4), with the payment's name as key and reference. Gives the provider's id of the hold.
    fn authorize(&self, hold: Hold, limit: Duration) -> BoxFuture<'_, Result<Verdict<String>, Unknown>>;

    /// Takes all of the held money (X7), with the key `<payment>:capture`.
    fn capture(&self, placed: Placed, limit: Duration) -> BoxFuture<'_, Result<Verdict<()>, Unknown>>;

    /// Gives the hold back, with the key `<payment>:void`.
    fn void(&self, placed: Placed, limit: Duration) -> BoxFuture<'_, Result<(), Unknown>>;

    /// Gives all of the taken money back, with the key `<payment>:refund:1`.
    fn refund(&self, placed: Placed, limit: Duration) -> BoxFuture<'_, Result<(), Unknown>>;

    /// Looks a payment up by its name.
    fn find(&self, payment: PaymentId, amount: Money, limit: Duration) -> BoxFuture<'_, Result<Found, Unknown>>;
}

//! Payment providers out: what is asked of one, how its answers are understood, and how it tells of itself. One file per
//! provider.
//!
//! A provider either answers for good, or its outcome is unknown; there is no third. Whatever is unclear (a time-out, a lost
//! connection, an error, an answer that does not fit) is unknown: a look-up may tell, and the same question is asked again
//! with the same key.

pub(crate) mod calls;
pub(crate) mod sandbox;
mod signature;

use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use shop_types::Money;

use crate::domain::reconciliation::Booking;
use crate::domain::{Contradiction, Method, PaymentId, RefundId, Standing};

/// A hold to place.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    /// The payment: the reference of the hold.
    pub(crate) payment: PaymentId,
    /// How much.
    pub(crate) amount: Money,
    /// By what means.
    pub(crate) method: Method,
}

/// A hold that was placed: what to take or give back.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    /// The payment.
    pub(crate) payment: PaymentId,
    /// The provider's id of the hold.
    pub(crate) hold: String,
    /// How much.
    pub(crate) amount: Money,
}

/// A refund to make.
#[derive(Debug, Clone)]
pub(crate) struct Return {
    /// The refund: its reference.
    pub(crate) refund: RefundId,
    /// The provider's id of the hold that was taken.
    pub(crate) hold: String,
    /// How much.
    pub(crate) amount: Money,
}

/// What came of placing a hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Placement {
    /// The money is held, under the provider's id.
    Held(String),
    /// The buyer has to confirm first.
    ActionNeeded {
        /// The provider's id of what may become a hold.
        hold: String,
        /// Where.
        url: String,
    },
    /// Refused for good, with the provider's word for why; nothing is held.
    Refused(String),
}

/// The answer to a question that can be refused for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Done.
    Done,
    /// Refused for good, with the provider's word for why.
    Refused(String),
}

/// Which bookings to read.
#[derive(Debug, Clone)]
pub(crate) enum Bookings {
    /// All of this time and later.
    Since(Timestamp),
    /// All under one name that the provider gave, whenever.
    Of(String),
}

/// A booking of the provider that moved money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Booked {
    /// The name that it was booked under: a payment's, if it was us.
    pub(crate) reference: String,
    /// What was booked.
    pub(crate) booking: Booking,
    /// How much.
    pub(crate) amount: Money,
    /// When, by the provider's clock.
    pub(crate) at: Timestamp,
}

/// A part of the provider's bookings, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BookingsPage {
    /// The bookings.
    pub(crate) bookings: Vec<Booked>,
    /// Where the next part begins; none at the end.
    pub(crate) next: Option<String>,
}

/// A webhook as it came.
#[derive(Clone, Copy)]
pub(crate) struct Webhook<'a> {
    /// The value of a header, by its name in lower case; none when it is missing, repeated or not text.
    pub(crate) header: &'a dyn Fn(&str) -> Option<&'a str>,
    /// The body, byte by byte as it was signed.
    pub(crate) body: &'a [u8],
}

/// What a webhook that can be trusted to come from the provider is about. Not what it says: only a look-up counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hint {
    /// The provider's id of the event; the same at every delivery.
    pub(crate) event: String,
    /// The payment that it is about, if it is one of ours.
    pub(crate) payment: Option<PaymentId>,
}

/// A webhook is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Untrusted {
    /// This shop was given no secret to check it with.
    #[error("this shop takes no webhooks")]
    NoSecret,
    /// It has no signature, or not one of the provider's form.
    #[error("the webhook is not signed")]
    Unsigned,
    /// No signature fits its time and body.
    #[error("the signature does not fit")]
    WrongSignature,
    /// It was signed too long ago, or is from the future.
    #[error("the signature is not of this time")]
    OutOfTime,
    /// It is signed, and still not an event of the provider.
    #[error("the body is not an event of the provider")]
    NotAnEvent,
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
    /// A test lost the answer.
    #[error("a test lost the provider's answer")]
    Injected(#[from] shop_faults::Injected),
}

impl From<Contradiction> for Unknown {
    fn from(contradiction: Contradiction) -> Self {
        Self::Nonsense(contradiction.0)
    }
}

impl Unknown {
    /// Whether somebody has to do something: waiting will not help.
    pub(crate) const fn needs_somebody(&self) -> bool {
        match self {
            Self::NoAnswer(_) | Self::Busy | Self::Injected(_) => false,
            Self::Nonsense(_) => true,
            Self::Unexpected { status, .. } => *status < 500 && *status != 429 && *status != 408,
        }
    }

    /// Whether the provider did answer, so that asking the same again may only bring the same answer: its books tell more.
    pub(crate) const fn was_answered(&self) -> bool {
        match self {
            Self::NoAnswer(_) | Self::Busy | Self::Injected(_) => false,
            Self::Unexpected { .. } | Self::Nonsense(_) => true,
        }
    }

    /// The word in metrics.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::NoAnswer(_) => "no_answer",
            Self::Unexpected { .. } => "unexpected",
            Self::Busy => "busy",
            Self::Nonsense(_) => "nonsense",
            Self::Injected(_) => "injected",
        }
    }
}

/// An answer of a provider that is awaited.
pub(crate) type Answer<'a, T> = BoxFuture<'a, Result<T, Unknown>>;

/// A payment provider. Every question may be repeated with its `key`: doing it twice is the same as once, for as long as the
/// provider remembers keys (24 h). `limit` is how long to wait for the answer.
pub(crate) trait Provider: Send + Sync + fmt::Debug {
    /// Its name in the path of its webhooks.
    fn name(&self) -> &'static str;

    /// Places a hold (X4).
    fn authorize(&self, hold: Hold, key: String, limit: Duration) -> Answer<'_, Placement>;

    /// Takes all of the held money (X7). A refusal means that nothing is held any more.
    fn capture(&self, placed: Placed, key: String, limit: Duration) -> Answer<'_, Verdict>;

    /// Gives the hold back, or what may become one.
    fn void(&self, placed: Placed, key: String, limit: Duration) -> Answer<'_, ()>;

    /// Gives taken money back.
    fn refund(&self, refund: Return, key: String, limit: Duration) -> Answer<'_, Verdict>;

    /// Looks up where a payment stands.
    fn find(&self, payment: PaymentId, amount: Money, limit: Duration) -> Answer<'_, Standing>;

    /// Reads bookings, oldest first; `from` is where an earlier part said that the next begins.
    fn bookings(&self, which: Bookings, from: Option<String>, limit: Duration) -> Answer<'_, BookingsPage>;

    /// Checks that a webhook comes from the provider and was signed within 300 s of `now`, and reads what it is about.
    ///
    /// # Errors
    /// [`Untrusted`].
    fn hint(&self, webhook: Webhook<'_>, now: Timestamp) -> Result<Hint, Untrusted>;
}

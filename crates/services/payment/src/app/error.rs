//! How an operation on payments can end badly.

use serde_json::{Map, Value, json};
use shop_types::{Detail, ErrorKind, Money, ServiceError};

use crate::domain::batch::Refusal;
use crate::domain::{Illegal, MOST_REFUNDS, Unrefundable};
use crate::peers::{Unknown, Untrusted};

/// A broken rule, the store, or a defect.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// There is no such payment, or it is not the caller's.
    #[error("there is no such payment")]
    NotFound,
    /// The attempt was opened before with another amount or method.
    #[error("the attempt was opened before with another amount or method")]
    Mismatch,
    /// The payment's state does not allow it.
    #[error(transparent)]
    Illegal(Illegal),
    /// Refunds would add up to more than was captured.
    #[error("{left} can be refunded, not more")]
    OverRefund {
        /// What can still be refunded.
        left: Money,
    },
    /// The payment has had as many refunds as it may have.
    #[error("a payment has at most {MOST_REFUNDS} refunds")]
    TooManyRefunds,
    /// The key was used for another request.
    #[error("this Idempotency-Key was used for another request")]
    KeyReused,
    /// A webhook cannot be trusted.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// A body is too large.
    #[error("the body must not be larger than 64 KiB")]
    TooLarge,
    /// A body did not arrive.
    #[error("the body broke off")]
    BrokenBody,
    /// A value that was sent breaks a rule.
    #[error("{field} {rule}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// What it must be.
        rule: String,
    },
    /// MongoDB did not do it, or nobody knows whether it did.
    #[error("the payments could not be read or written")]
    Store(#[from] shop_mongo::Error),
    /// The task that asked the provider broke off; the payment stays due.
    #[error("the task that asked the provider broke off")]
    Broken(#[source] tokio::task::JoinError),
    /// The provider did not say how a payment stands.
    #[error("the payment provider gave no answer")]
    NoAnswer(#[source] Unknown),
    /// As many callers ask the provider already as may.
    #[error("too many questions to the payment provider are open")]
    Busy,
    /// A test made the outcome unknown.
    #[error("a test made the outcome unknown")]
    Injected(#[from] shop_faults::Injected),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown => Self::NotFound,
            Refusal::Mismatch => Self::Mismatch,
            Refusal::Illegal(illegal) | Refusal::Unrefundable(Unrefundable::Illegal(illegal)) => Self::Illegal(illegal),
            Refusal::Unrefundable(Unrefundable::OverRefund { left }) => Self::OverRefund { left },
            Refusal::Unrefundable(Unrefundable::TooMany) => Self::TooManyRefunds,
            Refusal::Unrefundable(Unrefundable::Currency) => {
                Self::Invalid { field: "amount.currency", rule: "must be the currency of the payment".to_owned() }
            }
            Refusal::KeyReused => Self::KeyReused,
        }
    }
}

impl ServiceError for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound => ErrorKind::NotFound,
            Self::Mismatch | Self::Illegal(_) | Self::OverRefund { .. } | Self::TooManyRefunds => ErrorKind::Conflict,
            Self::KeyReused | Self::Invalid { .. } => ErrorKind::Invalid,
            Self::Untrusted(_) | Self::BrokenBody => ErrorKind::Malformed,
            Self::TooLarge => ErrorKind::TooLarge,
            Self::Store(error) => error.kind(),
            Self::Broken(_) => ErrorKind::Internal,
            Self::NoAnswer(_) | Self::Busy | Self::Injected(_) => ErrorKind::Unavailable,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Mismatch => "attempt_mismatch",
            Self::Illegal(_) => "payment_state",
            Self::OverRefund { .. } => "over_refund",
            Self::TooManyRefunds => "too_many_refunds",
            Self::KeyReused => "idempotency_key_reused",
            Self::Untrusted(Untrusted::NotAnEvent) => "malformed_body",
            Self::Untrusted(
                Untrusted::NoSecret | Untrusted::Unsigned | Untrusted::WrongSignature | Untrusted::OutOfTime,
            ) => "invalid_signature",
            Self::TooLarge => "body_too_large",
            Self::BrokenBody => "bad_request",
            Self::Invalid { .. } => "invalid_field",
            Self::Store(error) if error.kind() == ErrorKind::Unavailable => "unavailable",
            Self::NoAnswer(_) | Self::Busy | Self::Injected(_) => "unavailable",
            Self::Store(_) | Self::Broken(_) => "internal",
        }
    }

    fn details(&self) -> Vec<Detail> {
        match self {
            Self::Invalid { field, rule } => vec![Detail::new(*field, rule.clone())],
            Self::KeyReused => vec![Detail::new("Idempotency-Key", "was used for another request")],
            Self::NotFound
            | Self::Mismatch
            | Self::Illegal(_)
            | Self::OverRefund { .. }
            | Self::TooManyRefunds
            | Self::Untrusted(_)
            | Self::TooLarge
            | Self::BrokenBody
            | Self::Store(_)
            | Self::Broken(_)
            | Self::NoAnswer(_)
            | Self::Busy
            | Self::Injected(_) => Vec::new(),
        }
    }

    fn extra(&self) -> Map<String, Value> {
        if let Self::OverRefund { left } = self {
            return Map::from_iter([("left".to_owned(), json!(left))]);
        }
        let Self::Illegal(Illegal { state, allowed }) = self else { return Map::new() };
        let allowed: Vec<&str> = allowed.iter().map(|kind| kind.word()).collect();
        Map::from_iter([("state".to_owned(), json!(state.word())), ("allowed".to_owned(), json!(allowed))])
    }
}

//! How an operation on payments can end badly.

use serde_json::{Map, Value, json};
use shop_types::{ErrorKind, ServiceError};

use crate::domain::Illegal;
use crate::domain::batch::Refusal;

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
    /// A value that a peer sent breaks a rule.
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
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown => Self::NotFound,
            Refusal::Mismatch => Self::Mismatch,
            Refusal::Illegal(illegal) => Self::Illegal(illegal),
        }
    }
}

impl ServiceError for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound => ErrorKind::NotFound,
            Self::Mismatch | Self::Illegal(_) => ErrorKind::Conflict,
            Self::Invalid { .. } => ErrorKind::Invalid,
            Self::Store(error) => error.kind(),
            Self::Broken(_) => ErrorKind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Mismatch => "attempt_mismatch",
            Self::Illegal(_) => "payment_state",
            Self::Invalid { .. } => "invalid_field",
            Self::Store(error) if error.kind() == ErrorKind::Unavailable => "unavailable",
            Self::Store(_) | Self::Broken(_) => "internal",
        }
    }

    fn details(&self) -> Vec<shop_types::Detail> {
        match self {
            Self::Invalid { field, rule } => vec![shop_types::Detail::new(*field, rule.clone())],
            Self::NotFound | Self::Mismatch | Self::Illegal(_) | Self::Store(_) | Self::Broken(_) => Vec::new(),
        }
    }

    fn extra(&self) -> Map<String, Value> {
        let Self::Illegal(Illegal { state, allowed }) = self else { return Map::new() };
        let allowed: Vec<&str> = allowed.iter().map(|kind| kind.word()).collect();
        Map::from_iter([("state".to_owned(), json!(state.word())), ("allowed".to_owned(), json!(allowed))])
    }
}

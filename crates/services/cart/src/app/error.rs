//! How an operation on carts can end badly, and what that means for the caller.

use serde_json::{Map, Value, json};
use shop_types::{Detail, ErrorKind, ServiceError};

use crate::domain::stock::Shortage;
use crate::{domain, peers};

/// How an operation can end badly.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A rule forbids it; nothing was changed.
    #[error(transparent)]
    Rule(#[from] domain::Error),
    /// A part of the request breaks a rule that its type cannot tell.
    #[error("{field}: {message}")]
    Request {
        /// Which part.
        field: &'static str,
        /// What is wrong with it.
        message: &'static str,
    },
    /// Neither logged in nor holding a guest token.
    #[error("this call needs a token, or the guest token of the cart")]
    Nobody,
    /// The catalog or identity gave no answer that can be used.
    #[error("failed to ask another service")]
    Catalog(#[from] peers::Error),
    /// The store failed; a write may have happened, and the same call finds out.
    #[error("failed to read or write carts")]
    Store(#[from] shop_mongo::Error),
    /// The system gives no random numbers.
    #[error("failed to make a guest token")]
    Random(#[source] getrandom::Error),
    /// The group answered what no command of the kind can be answered: a defect.
    #[error("the answer does not fit the command")]
    Mismatch,
}

impl ServiceError for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Rule(rule) => match rule {
                domain::Error::NoCart | domain::Error::NoLine => ErrorKind::NotFound,
                domain::Error::Stale => ErrorKind::Stale,
                domain::Error::Full
                | domain::Error::TooMany
                | domain::Error::TooMuch
                | domain::Error::NotSold
                | domain::Error::SoldOut { .. } => ErrorKind::Conflict,
                domain::Error::KeyReused => ErrorKind::Invalid,
                domain::Error::OtherCurrency { .. } => ErrorKind::Internal,
            },
            Self::Request { .. } => ErrorKind::Invalid,
            Self::Nobody => ErrorKind::Unauthenticated,
            Self::Catalog(peers::Error::Refused(refused)) if refused.kind == ErrorKind::Unavailable => {
                ErrorKind::Unavailable
            }
            Self::Store(error) => error.kind(),
            Self::Catalog(_) | Self::Random(_) | Self::Mismatch => ErrorKind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Rule(rule) => match rule {
                domain::Error::NoCart | domain::Error::NoLine => "not_found",
                domain::Error::Stale => "version_conflict",
                domain::Error::Full => "cart_full",
                domain::Error::TooMany => "quantity_too_large",
                domain::Error::TooMuch => "total_too_large",
                domain::Error::NotSold => "not_sold",
                domain::Error::SoldOut { .. } => "sold_out",
                domain::Error::KeyReused => "idempotency_key_reused",
                domain::Error::OtherCurrency { .. } => "internal",
            },
            Self::Request { .. } => "invalid_field",
            Self::Nobody => "unauthenticated",
            Self::Store(error) => ServiceError::code(error),
            Self::Catalog(_) if self.kind() == ErrorKind::Unavailable => "unavailable",
            Self::Catalog(_) | Self::Random(_) | Self::Mismatch => "internal",
        }
    }

    fn details(&self) -> Vec<Detail> {
        match self {
            Self::Request { field, message } => vec![Detail::new(*field, *message)],
            Self::Rule(domain::Error::KeyReused) => {
                vec![Detail::new("Idempotency-Key", "was used for another request")]
            }
            Self::Rule(domain::Error::Stale) => {
                vec![Detail::new("If-Match", "must be the ETag of the present version")]
            }
            Self::Rule(domain::Error::SoldOut { shortages }) => {
                let short = |Shortage { sku, available, .. }: &Shortage| {
                    Detail::new("quantity", format!("only {available} of {sku} are left"))
                };
                shortages.iter().map(short).collect()
            }
            Self::Rule(rule @ domain::Error::TooMany) => vec![Detail::new("quantity", rule.to_string())],
            Self::Rule(
                domain::Error::NoCart
                | domain::Error::NoLine
                | domain::Error::Full
                | domain::Error::TooMuch
                | domain::Error::NotSold
                | domain::Error::OtherCurrency { .. },
            )
            | Self::Nobody
            | Self::Catalog(_)
            | Self::Store(_)
            | Self::Random(_)
            | Self::Mismatch => Vec::new(),
        }
    }

    /// The short lines, as orders tell them.
    fn extra(&self) -> Map<String, Value> {
        let Self::Rule(domain::Error::SoldOut { shortages }) = self else { return Map::new() };
        let short = |Shortage { sku, requested, available }: &Shortage| json!({ "sku": sku, "requested": requested, "available": available });
        Map::from_iter([("shortages".to_owned(), shortages.iter().map(short).collect())])
    }

    /// One sentence for every 404, so that nothing tells a stranger's cart from one that never was.
    fn client_message(&self) -> String {
        match self.kind() {
            ErrorKind::NotFound => "There is no such thing.".to_owned(),
            ErrorKind::Malformed
            | ErrorKind::Unauthenticated
            | ErrorKind::PaymentDeclined
            | ErrorKind::Forbidden
            | ErrorKind::Conflict
            | ErrorKind::Gone
            | ErrorKind::Stale
            | ErrorKind::TooLarge
            | ErrorKind::UnsupportedMedia
            | ErrorKind::Invalid
            | ErrorKind::PreconditionRequired
            | ErrorKind::RateLimited
            | ErrorKind::Unavailable
            | ErrorKind::Internal => self.to_string(),
        }
    }
}

//! How the operations of the service fail.

use serde_json::{Map, Value, json};
use shop_types::{Detail, ErrorKind, ServiceError};

/// How the operations of the service fail.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("there is not enough stock")]
    SoldOut,
    #[error("failed to read products from db-7.internal")]
    Store(#[source] std::io::Error),
    #[error("db-7.internal is away")]
    Away,
    #[error("too many requests")]
    Slow,
}

impl ServiceError for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::SoldOut => ErrorKind::Conflict,
            Self::Store(_) => ErrorKind::Internal,
            Self::Away => ErrorKind::Unavailable,
            Self::Slow => ErrorKind::RateLimited,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::SoldOut => "sold_out",
            Self::Store(_) => "internal",
            Self::Away => "unavailable",
            Self::Slow => "rate_limited",
        }
    }

    fn details(&self) -> Vec<Detail> {
        match self {
            Self::SoldOut => vec![Detail::new("lines[0].quantity", "only 3 are left")],
            Self::Store(_) | Self::Away | Self::Slow => Vec::new(),
        }
    }

    fn extra(&self) -> Map<String, Value> {
        match self {
            Self::SoldOut => Map::from_iter([("available".to_owned(), json!(3)), ("code".to_owned(), json!("forged"))]),
            Self::Store(_) | Self::Away | Self::Slow => Map::new(),
        }
    }
}

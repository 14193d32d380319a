//! How an operation on orders can end badly.

use serde_json::{Map, Value, json};
use shop_mesh::PeerError;
use shop_types::{Detail, ErrorKind, OrderId, ServiceError};

use crate::domain::{self, Order};

/// A broken rule, the store, a peer, or an outcome that is not what the buyer wanted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Domain(#[from] domain::Error),
    #[error("there is no such order")]
    NoSuchOrder,
    #[error("there is no such cart")]
    NoSuchCart,
    #[error("this Idempotency-Key was used for another request")]
    KeyReused,
    #[error("the request with this Idempotency-Key is still at work")]
    InProgress { order: OrderId },
    #[error("the order was not placed: there is not enough in stock")]
    SoldOut { order: Box<Order> },
    #[error("the payment was declined")]
    PaymentDeclined { order: Box<Order> },
    #[error("the order was not placed")]
    Rejected { order: Box<Order> },
    #[error("the database of orders did not do it")]
    Store(#[from] shop_mongo::Error),
    #[error("another service did not do it")]
    Peer(#[from] PeerError),
    #[error("the answer does not fit the command")]
    Mismatch,
}

impl ServiceError for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Domain(
                domain::Error::Invalid { .. }
                | domain::Error::Empty
                | domain::Error::Free
                | domain::Error::TooMuch
                | domain::Error::Sort,
            )
            | Self::KeyReused
            | Self::NoSuchCart => ErrorKind::Invalid,
            Self::Domain(
                domain::Error::NotSold { .. } | domain::Error::PriceChanged { .. } | domain::Error::Illegal { .. },
            )
            | Self::InProgress { .. }
            | Self::SoldOut { .. }
            | Self::Rejected { .. } => ErrorKind::Conflict,
            Self::PaymentDeclined { .. } => ErrorKind::PaymentDeclined,
            Self::NoSuchOrder => ErrorKind::NotFound,
            Self::Store(error) => error.kind(),
            // The token ended between our look at it and the peer's.
            Self::Peer(error) if matches!(error.kind, ErrorKind::Unavailable | ErrorKind::Unauthenticated) => {
                error.kind
            }
            Self::Peer(_) | Self::Mismatch => ErrorKind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Domain(domain::Error::Invalid { .. }) | Self::NoSuchCart => "invalid_field",
            Self::Domain(domain::Error::Empty) => "cart_empty",
            Self::Domain(domain::Error::Free) => "nothing_to_pay",
            Self::Domain(domain::Error::TooMuch) => "total_too_large",
            Self::Domain(domain::Error::Sort) => "invalid_parameter",
            Self::Domain(domain::Error::NotSold { .. }) => "not_sold",
            Self::Domain(domain::Error::PriceChanged { .. }) => "price_changed",
            Self::Domain(domain::Error::Illegal { .. }) => "illegal_transition",
            Self::NoSuchOrder => "not_found",
            Self::KeyReused => "idempotency_key_reused",
            Self::InProgress { .. } => "request_in_progress",
            Self::SoldOut { .. } => "sold_out",
            Self::PaymentDeclined { .. } => "payment_declined",
            Self::Rejected { .. } => "order_rejected",
            Self::Store(_) | Self::Peer(_) | Self::Mismatch if self.kind() == ErrorKind::Unavailable => "unavailable",
            Self::Peer(error) if error.kind == ErrorKind::Unauthenticated => "invalid_token",
            Self::Store(_) | Self::Peer(_) | Self::Mismatch => "internal",
        }
    }

    fn details(&self) -> Vec<Detail> {
        if let Self::Domain(domain::Error::Invalid { field, rule }) = self {
            vec![Detail::new(field.clone(), *rule)]
        } else if let Self::Domain(domain::Error::Sort) = self {
            vec![Detail::new("sort", "must be -createdAt")]
        } else if let Self::NoSuchCart = self {
            vec![Detail::new("cartId", "must be a cart of yours")]
        } else {
            Vec::new()
        }
    }

    fn extra(&self) -> Map<String, Value> {
        let mut extra = Map::new();
        match self {
            Self::InProgress { order } => {
                extra.insert("orderId".into(), json!(order));
            }
            Self::SoldOut { order } | Self::PaymentDeclined { order } | Self::Rejected { order } => {
                extra.insert("orderId".into(), json!(order.id));
                extra.insert("reason".into(), json!(order.reason()));
            }
            Self::Domain(domain::Error::PriceChanged { shown, present }) => {
                extra.insert("shownTotal".into(), json!(shown));
                extra.insert("presentTotal".into(), json!(present));
            }
            Self::Domain(domain::Error::Illegal { allowed, .. }) => {
                let allowed: Vec<_> = allowed.iter().map(|state| state.as_str()).collect();
                extra.insert("allowed".into(), json!(allowed));
            }
            Self::Domain(
                domain::Error::Invalid { .. }
                | domain::Error::Empty
                | domain::Error::Free
                | domain::Error::TooMuch
                | domain::Error::Sort
                | domain::Error::NotSold { .. },
            )
            | Self::NoSuchOrder
            | Self::NoSuchCart
            | Self::KeyReused
            | Self::Store(_)
            | Self::Peer(_)
            | Self::Mismatch => {}
        }
        extra
    }
}

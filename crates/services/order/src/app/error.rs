//! How an operation on orders can end badly.

use serde_json::{Map, Value, json};
use shop_mesh::PeerError;
use shop_types::{Detail, ErrorKind, OrderId, ServiceError};

use crate::domain::{self, Order, Shortage};

/// A broken rule, the store, a peer, or an outcome that is not what the buyer wanted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Domain(#[from] domain::Error),
    #[error("there is no such order")]
    NoSuchOrder,
    #[error("there is no such return")]
    NoSuchReturn,
    #[error("there is no such cart")]
    NoSuchCart,
    #[error("this Idempotency-Key was used for another request")]
    KeyReused,
    #[error("it was changed since it was read")]
    Stale,
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

/// What a broken rule means, and its code.
const fn of_rule(rule: &domain::Error) -> (ErrorKind, &'static str) {
    match rule {
        domain::Error::Invalid { .. } => (ErrorKind::Invalid, "invalid_field"),
        domain::Error::Empty => (ErrorKind::Invalid, "cart_empty"),
        domain::Error::Free => (ErrorKind::Invalid, "nothing_to_pay"),
        domain::Error::TooMuch => (ErrorKind::Conflict, "total_too_large"),
        domain::Error::Sort => (ErrorKind::Invalid, "invalid_parameter"),
        domain::Error::NotSold { .. } => (ErrorKind::Conflict, "not_sold"),
        domain::Error::PriceChanged { .. } => (ErrorKind::Conflict, "price_changed"),
        domain::Error::Illegal { .. } | domain::Error::ReturnDecided { .. } => {
            (ErrorKind::Conflict, "illegal_transition")
        }
        domain::Error::TooManyAttempts { .. } => (ErrorKind::Conflict, "too_many_attempts"),
        domain::Error::TooManyAddresses { .. } => (ErrorKind::Conflict, "too_many_address_changes"),
        domain::Error::ReturnOpen => (ErrorKind::Conflict, "return_open"),
    }
}

impl ServiceError for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Domain(rule) => of_rule(rule).0,
            Self::KeyReused | Self::NoSuchCart => ErrorKind::Invalid,
            Self::InProgress { .. } | Self::SoldOut { .. } | Self::Rejected { .. } => ErrorKind::Conflict,
            Self::PaymentDeclined { .. } => ErrorKind::PaymentDeclined,
            Self::NoSuchOrder | Self::NoSuchReturn => ErrorKind::NotFound,
            Self::Stale => ErrorKind::Stale,
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
            Self::Domain(rule) => of_rule(rule).1,
            Self::NoSuchCart => "invalid_field",
            Self::NoSuchOrder | Self::NoSuchReturn => "not_found",
            Self::KeyReused => "idempotency_key_reused",
            Self::Stale => "version_conflict",
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
        } else if let Self::Stale = self {
            vec![Detail::new("If-Match", "must be the ETag of the present version")]
        } else if let Self::SoldOut { order } = self {
            order.shortages.iter().map(|shortage| short_line(order, shortage)).collect()
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
                if !order.shortages.is_empty() {
                    extra.insert("shortages".into(), order.shortages.iter().map(shortage).collect());
                }
            }
            Self::Domain(domain::Error::PriceChanged { shown, present }) => {
                extra.insert("shownTotal".into(), json!(shown));
                extra.insert("presentTotal".into(), json!(present));
            }
            Self::Domain(domain::Error::Illegal { from, allowed, .. }) => {
                let allowed: Vec<_> = allowed.iter().map(|state| state.as_str()).collect();
                extra.insert("state".into(), json!(from.as_str()));
                extra.insert("allowed".into(), json!(allowed));
            }
            Self::Domain(domain::Error::ReturnDecided { .. }) => {
                extra.insert("allowed".into(), json!([]));
            }
            Self::Domain(
                domain::Error::Invalid { .. }
                | domain::Error::Empty
                | domain::Error::Free
                | domain::Error::TooMuch
                | domain::Error::Sort
                | domain::Error::NotSold { .. }
                | domain::Error::TooManyAttempts { .. }
                | domain::Error::TooManyAddresses { .. }
                | domain::Error::ReturnOpen,
            )
            | Self::NoSuchOrder
            | Self::NoSuchReturn
            | Self::NoSuchCart
            | Self::KeyReused
            | Self::Stale
            | Self::Store(_)
            | Self::Peer(_)
            | Self::Mismatch => {}
        }
        extra
    }
}

/// The line of the order that did not fit, for people.
fn short_line(order: &Order, shortage: &Shortage) -> Detail {
    let line = order.lines.iter().position(|line| line.sku == shortage.sku);
    let field = line.map_or_else(|| "items".to_owned(), |n| format!("items[{n}].quantity"));
    Detail::new(field, format!("only {} of {} are left", shortage.available, shortage.sku))
}

/// The same for programs.
fn shortage(shortage: &Shortage) -> Value {
    let Shortage { sku, requested, available } = shortage;
    json!({ "sku": sku, "requested": requested, "available": available })
}

//! The rules of orders: which states there are, what may follow what, and what each change tells others. No I/O, no clock.
//!
//! The order document is the only judge of a saga: every other service follows what is decided here (docs/design/orders.md).

pub(crate) mod draft;
pub(crate) mod order;
pub(crate) mod state;

pub(crate) use draft::{Draft, Line, Priced, Wanted, price};
pub(crate) use order::{Change, Changed, Order, Owner};
pub(crate) use state::{Phase, State};

use shop_types::{Money, Sku};

/// A rule of ordering is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// A value does not fit its field.
    #[error("{field} {rule}")]
    Invalid {
        /// Path of the field in the request.
        field: String,
        /// What it must be.
        rule: &'static str,
    },
    /// The cart has no lines.
    #[error("the cart is empty")]
    Empty,
    /// Something in it is not for sale.
    #[error("{sku} is not for sale")]
    NotSold {
        /// What.
        sku: Sku,
    },
    /// Prices have changed since the buyer saw them.
    #[error("the total was {shown} when it was last shown and is {present} now")]
    PriceChanged {
        /// What the buyer saw.
        shown: Money,
        /// What it costs.
        present: Money,
    },
    /// It costs nothing: there is no payment that could confirm it.
    #[error("there is nothing to pay")]
    Free,
    /// The amounts do not fit into money.
    #[error("the total is too large")]
    TooMuch,
    /// The list is not sorted by this.
    #[error("orders are sorted by -createdAt only")]
    Sort,
    /// The present state does not allow the change.
    #[error("an order that is {from} cannot be {wanted}")]
    Illegal {
        /// The present state.
        from: State,
        /// What was asked for.
        wanted: &'static str,
        /// What may follow the present state.
        allowed: Vec<State>,
    },
}

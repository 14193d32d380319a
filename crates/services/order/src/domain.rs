//! The rules of orders: which states there are, what may follow what, and what each change tells others. No I/O, no clock.
//!
//! The order document is the only judge of a saga: every other service follows what is decided here (docs/design/orders.md).
//! Public, so that a model of the whole saga can run these very rules.

pub mod address;
pub mod change;
pub mod draft;
pub mod order;
pub mod returns;
pub mod state;

pub use address::Address;
pub use change::{Change, Changed, Rejection, Settlement};
pub use draft::{Draft, Line, Priced, Wanted, price};
pub use order::{Entry, Order, Owner, Shortage};
pub use returns::{Decision, Return, ReturnId, ReturnKind, ReturnReason, ReturnState};
pub use state::{Phase, State};

use shop_types::{Money, Sku};

/// A rule of ordering is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
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
        /// What may be asked for instead, or what may follow the present state.
        allowed: Vec<State>,
    },
    /// Every attempt that an order has was declined.
    #[error("an order has at most {most} attempts to pay")]
    TooManyAttempts {
        /// How many it has.
        most: u32,
    },
    /// The address has changed as often as it may.
    #[error("the address of an order changes at most {most} times")]
    TooManyAddresses {
        /// How often.
        most: usize,
    },
    /// There is a return of this order that nobody has decided yet.
    #[error("a return of this order is open already")]
    ReturnOpen,
    /// The return was decided before.
    #[error("a return that is {from} cannot be decided again")]
    ReturnDecided {
        /// How.
        from: ReturnState,
    },
}

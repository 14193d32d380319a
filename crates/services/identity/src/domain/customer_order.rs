//! Which orders are whose: what identity knows of a person's orders. All else about an order is the order service's.

use jiff::Timestamp;
use shop_types::{OrderId, UserId};

/// An order of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CustomerOrder {
    pub(crate) order: OrderId,
    pub(crate) user: UserId,
    /// The number that people use; unknown when a program told of the order before its event came.
    pub(crate) number: Option<i64>,
    /// When it was placed, or when identity first heard of it from a program.
    pub(crate) at: Timestamp,
}

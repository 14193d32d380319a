//! The words of stock: what lies where, who holds it, and which requests are well-formed.
//!
//! No I/O, no clock, no randomness. How a batch of commands turns into answers and writes stands in [`batch`], from which
//! location an order is served in `choice`; how any of it is stored stands in `store`.

pub mod batch;
mod choice;
pub mod history;
pub mod location;
mod reservation;
mod stock;
mod transfer;

use shop_types::{Event, Fingerprint, OrderId, Quantity, Sku, UserId};

use self::location::LocationId;
pub use self::reservation::{Line, Lines, MAX_LINES, Reservation, Shortage, State};
pub use self::stock::{Shelf, Stock, shelves};
pub use self::transfer::{Transfer, TransferId, Transferred};

/// Most pieces of one SKU that may lie on hand: far beyond any shop, far below where sums could overflow.
pub const MAX_ON_HAND: i64 = 1_000_000_000;

/// By how many pieces staff changes the stock: -1,000,000 to 1,000,000, never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delta(i64);

impl Delta {
    /// Takes a difference.
    ///
    /// # Errors
    /// [`Error::Delta`] for 0 and beyond a million pieces.
    pub const fn new(pieces: i64) -> Result<Self, Error> {
        let limit = Quantity::MAX as i64;
        if pieces != 0 && pieces >= -limit && pieces <= limit { Ok(Self(pieces)) } else { Err(Error::Delta) }
    }

    /// The difference in pieces.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

/// Why staff changed the stock: 1 to 200 characters, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    /// Takes a reason, trimmed.
    ///
    /// # Errors
    /// [`Error::Reason`] when nothing is left, or it is too long, or holds control characters.
    pub fn new(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let good = (1..=200).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if good { Ok(Self(text.to_owned())) } else { Err(Error::Reason) }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Under which name a command counts once, and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Subject, route and the caller's key.
    pub id: String,
    /// Of the whole request: the same key with another request is refused.
    pub fingerprint: Fingerprint,
}

/// How much [`Command::Release`] gives back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// A hold; what is sold stays sold. For orders that never came to be.
    Hold,
    /// A hold or a sale. For orders that are cancelled or returned.
    HoldOrSale,
}

/// What somebody wants changed. Each may be repeated and is done once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Holds all lines of an order or none (W2).
    Reserve {
        /// Whose.
        order: OrderId,
        /// What.
        lines: Lines,
    },
    /// Turns a hold into a sale (W9).
    Commit {
        /// Whose.
        order: OrderId,
    },
    /// Gives stock back; without a reservation, leaves a tombstone so that a late [`Command::Reserve`] takes nothing.
    Release {
        /// Whose.
        order: OrderId,
        /// How much.
        scope: Scope,
    },
    /// Sets how many pieces lie on the shelf in `main`, held ones included.
    SetOnHand {
        /// Of what.
        sku: Sku,
        /// How many.
        pieces: u32,
        /// Its name.
        key: Key,
    },
    /// Adds pieces that came in or takes off pieces that are gone.
    Adjust(Adjustment),
    /// Moves pieces from one location to another.
    Transfer(Transfer),
}

impl Command {
    /// What an event asks of stock; `None` for one that does not concern it.
    #[must_use]
    pub fn asked_by(event: &Event) -> Option<Self> {
        Some(match event {
            // Also of a rejected order: staff may have taken its money by hand just before, and that sells.
            Event::OrderRejected(fact) | Event::OrderCancelling(fact) | Event::OrderReturning(fact) => {
                Command::Release { order: fact.order_id, scope: Scope::HoldOrSale }
            }
            Event::PaymentCaptured(fact) => Command::Commit { order: fact.order_id },
            Event::OrderCreated(_)
            | Event::OrderConfirmed(_)
            | Event::OrderCancelled(_)
            | Event::OrderPaid(_)
            | Event::OrderShipped(_)
            | Event::OrderDelivered(_)
            | Event::OrderReturned(_)
            | Event::PaymentAuthorized(_)
            | Event::PaymentDeclined(_)
            | Event::PaymentVoided(_)
            | Event::PaymentRefunded(_)
            | Event::PaymentFailed(_)
            | Event::StockChanged(_)
            | Event::UserCreated(_)
            | Event::UserDeleted(_)
            | Event::PasswordForgotten(_)
            | Event::EmailEntered(_)
            | Event::SessionRevoked(_)
            | Event::StaffCalled(_)
            | Event::StaffAnswered(_) => return None,
        })
    }
}

/// A change of the stock by staff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjustment {
    /// Of what.
    pub sku: Sku,
    /// Where.
    pub location: LocationId,
    /// By how many.
    pub delta: Delta,
    /// Why.
    pub reason: Reason,
    /// Who says so.
    pub by: UserId,
    /// Its name, if the caller gave one: with it, it counts once.
    pub key: Option<Key>,
}

/// What a command came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The reservation as it is now.
    Reservation(Reservation),
    /// What was moved, as it was right after the command took effect.
    Moved(Moved),
}

/// What a command by staff or the catalog has moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// One stock.
    Stock(Stock),
    /// From one location to another.
    Transfer(Transferred),
}

/// A broken rule. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The lines are not those of an order.
    #[error("the lines of an order {0}")]
    Lines(&'static str),
    /// The difference is none, or too large.
    #[error("must be -1000000 to 1000000 and not 0")]
    Delta,
    /// The reason is empty, too long or not plain text.
    #[error("must be 1 to 200 characters without control characters")]
    Reason,
    /// There are fewer free pieces than should be taken off.
    #[error("stock of {sku} would fall below zero: {available} pieces are available")]
    BelowZero {
        /// Of what.
        sku: Sku,
        /// How many there are.
        available: i64,
    },
    /// More than [`MAX_ON_HAND`] pieces.
    #[error("stock of {sku} would rise above {MAX_ON_HAND} pieces")]
    AboveLimit {
        /// Of what.
        sku: Sku,
    },
    /// A request names a location that is not there.
    #[error("must be the id of a location")]
    NoLocation {
        /// Which part of the request names it.
        field: &'static str,
    },
    /// A transfer leads back to where it begins.
    #[error("must be another location than from")]
    SameLocation,
    /// The key was used for something else.
    #[error("this idempotency key was used for another request")]
    KeyReused,
    /// An order asks again with other lines.
    #[error("order {order} has a reservation of other lines")]
    OtherLines {
        /// Which order.
        order: OrderId,
    },
    /// Nothing was ever reserved for the order.
    #[error("order {order} has no reservation")]
    NoReservation {
        /// Which order.
        order: OrderId,
    },
    /// The counts contradict each other or the reservations: a defect, or a hand in the database.
    #[error("the counts of {sku} do not add up")]
    Unbalanced {
        /// Of what.
        sku: Sku,
    },
}

#[cfg(test)]
mod tests;

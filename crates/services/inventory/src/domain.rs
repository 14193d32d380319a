//! The words of stock: what lies where, who holds it, and which requests are well-formed.
//!
//! No I/O, no clock, no randomness. How a batch of commands turns into answers and writes stands in [`batch`];
//! how any of it is stored stands in `store`.

pub mod batch;
pub mod history;
pub mod location;

use shop_types::{Event, Fingerprint, OrderId, Quantity, Sku, UserId};

/// The location that every shop has; stock is named `<sku>@<location>` (ruling 21).
pub const LOCATION: &str = "main";

/// Most lines of one order.
pub const MAX_LINES: usize = 200;

/// Most pieces of one SKU that may lie on hand: far beyond any shop, far below where sums could overflow.
pub const MAX_ON_HAND: i64 = 1_000_000_000;

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What.
    pub sku: Sku,
    /// How many.
    pub quantity: Quantity,
}

/// The lines of one order: 1 to 200, one per SKU, sorted by SKU, so that equal orders are equal values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines(Vec<Line>);

impl Lines {
    /// Takes lines in any order.
    ///
    /// # Errors
    /// [`Error::Lines`] for none, for more than 200, and for a SKU that is named twice.
    pub fn new(mut lines: Vec<Line>) -> Result<Self, Error> {
        if lines.is_empty() || lines.len() > MAX_LINES {
            return Err(Error::Lines("must be 1 to 200 lines"));
        }
        lines.sort_by(|a, b| a.sku.cmp(&b.sku));
        if lines.windows(2).any(|pair| pair[0].sku == pair[1].sku) {
            return Err(Error::Lines("must name each SKU once"));
        }
        Ok(Self(lines))
    }

    /// The lines, sorted by SKU.
    #[must_use]
    pub fn as_slice(&self) -> &[Line] {
        &self.0
    }
}

/// Where the pieces of one SKU are. Every piece ever received is in exactly one of three places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stock {
    /// Which variant.
    pub sku: Sku,
    /// Pieces that can be sold now.
    pub available: i64,
    /// Pieces that orders hold.
    pub reserved: i64,
    /// Pieces that have been sold and paid for.
    pub sold: i64,
    /// Pieces that ever came in, less those written off: always `available + reserved + sold`.
    pub received: i64,
    /// Grows by one with every movement; 0 means that nothing has been stored yet.
    pub version: i64,
}

impl Stock {
    /// A SKU of which nothing ever came in.
    #[must_use]
    pub const fn none(sku: Sku) -> Self {
        Self { sku, available: 0, reserved: 0, sold: 0, received: 0, version: 0 }
    }

    /// Pieces on the shelf: those that can be sold and those that orders hold.
    #[must_use]
    pub const fn on_hand(&self) -> i64 {
        self.available + self.reserved
    }

    /// Whether every piece is in exactly one place and no count is below zero (invariant I1).
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        let sum = self.available.checked_add(self.reserved).and_then(|sum| sum.checked_add(self.sold));
        self.available >= 0 && self.reserved >= 0 && self.sold >= 0 && sum == Some(self.received)
    }
}

/// A line that did not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    /// Which SKU.
    pub sku: Sku,
    /// How many pieces the order wanted.
    pub requested: Quantity,
    /// How many there were.
    pub available: i64,
}

/// How far a reservation has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Stock is held for the order until it is committed or released; a hold never expires by itself (ruling 11).
    Held,
    /// It did not fit; nothing is held, and asking again gets the same answer.
    Refused {
        /// Every line that did not fit.
        shortages: Vec<Shortage>,
    },
    /// Sold (W9).
    Committed,
    /// Given back, or never to be held: a tombstone (orders 1.5 e).
    Released,
    /// Sold and then given back (ruling 15).
    Restocked,
}

impl State {
    /// The word in documents and logs.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Held => "HELD",
            Self::Refused { .. } => "REFUSED",
            Self::Committed => "COMMITTED",
            Self::Released => "RELEASED",
            Self::Restocked => "RESTOCKED",
        }
    }
}

/// What one order has taken, or was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Whose.
    pub order: OrderId,
    /// How far it has come.
    pub state: State,
    /// What it is about; `None` for a tombstone that came before its order asked.
    pub lines: Option<Lines>,
}

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
    /// Sets how many pieces lie on the shelf, held ones included.
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
            | Event::SessionRevoked(_) => return None,
        })
    }
}

/// A change of the stock by staff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjustment {
    /// Of what.
    pub sku: Sku,
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
    /// The stock as it was right after the command took effect.
    Stock(Stock),
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

//! What orders ask for and what they have taken. How a reservation is decided stands in `batch`, from where its pieces come
//! in `choice`.

use std::collections::BTreeMap;

use shop_types::{OrderId, Quantity, Sku};

use super::Error;
use super::location::LocationId;

/// Most lines of one order.
pub const MAX_LINES: usize = 200;

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
    /// The lines that were taken from another location than `main`, by SKU. Chosen once: whatever becomes of the order, its
    /// pieces move there.
    pub elsewhere: BTreeMap<Sku, LocationId>,
}

impl Reservation {
    /// Where the pieces of a line were taken from.
    #[must_use]
    pub fn location_of(&self, sku: &Sku) -> LocationId {
        self.elsewhere.get(sku).cloned().unwrap_or_else(LocationId::main)
    }
}

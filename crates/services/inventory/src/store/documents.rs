//! How stock, reservations and movements look in MongoDB, and the way back to domain values.

use serde::{Deserialize, Serialize};
use shop_mongo::bson::DateTime;
use shop_types::{OrderId, Quantity, Sku, UserId};

use crate::domain::batch::{Cause, Change, Movement};
use crate::domain::history::Recorded;
use crate::domain::{LOCATION, Line, Lines, Reservation, Shortage, State, Stock};

/// A document that this version cannot read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unreadable(pub(super) &'static str);

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StockDocument {
    #[serde(rename = "_id")]
    id: String,
    sku: Sku,
    location: String,
    available: i64,
    reserved: i64,
    sold: i64,
    received: i64,
    version: i64,
}

impl StockDocument {
    /// The same in another location than `main`.
    pub(super) fn at(self, location: &str) -> Self {
        Self { id: format!("{}@{location}", self.sku), location: location.to_owned(), ..self }
    }

    pub(super) fn location(&self) -> &str {
        &self.location
    }
}

impl From<&Stock> for StockDocument {
    fn from(stock: &Stock) -> Self {
        let Stock { sku, available, reserved, sold, received, version } = stock.clone();
        let id = super::stock_id(&sku);
        Self { id, sku, location: LOCATION.to_owned(), available, reserved, sold, received, version }
    }
}

impl From<StockDocument> for Stock {
    fn from(document: StockDocument) -> Self {
        let StockDocument { id: _, sku, location: _, available, reserved, sold, received, version } = document;
        Self { sku, available, reserved, sold, received, version }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct LineDocument {
    sku: Sku,
    quantity: Quantity,
}

#[derive(Debug, Serialize, Deserialize)]
struct ShortageDocument {
    sku: Sku,
    requested: Quantity,
    available: i64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ReservationDocument {
    #[serde(rename = "_id")]
    id: OrderId,
    state: String,
    /// Empty for a tombstone that came before its order asked.
    lines: Vec<LineDocument>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    shortages: Vec<ShortageDocument>,
}

impl From<&Reservation> for ReservationDocument {
    fn from(reservation: &Reservation) -> Self {
        let Reservation { order, state, lines } = reservation;
        let lines = lines.as_ref().map_or(&[][..], Lines::as_slice).iter();
        let shortages = match state {
            State::Refused { shortages } => shortages.as_slice(),
            State::Held | State::Committed | State::Released | State::Restocked => &[],
        };
        let shortage = |Shortage { sku, requested, available }: &Shortage| ShortageDocument {
            sku: sku.clone(),
            requested: *requested,
            available: *available,
        };
        Self {
            id: *order,
            state: state.word().to_owned(),
            lines: lines.map(|Line { sku, quantity }| LineDocument { sku: sku.clone(), quantity: *quantity }).collect(),
            shortages: shortages.iter().map(shortage).collect(),
        }
    }
}

impl TryFrom<ReservationDocument> for Reservation {
    type Error = Unreadable;

    fn try_from(document: ReservationDocument) -> Result<Self, Unreadable> {
        let ReservationDocument { id, state, lines, shortages } = document;
        let shortage = |ShortageDocument { sku, requested, available }| Shortage { sku, requested, available };
        let state = match state.as_str() {
            "HELD" => State::Held,
            "REFUSED" => State::Refused { shortages: shortages.into_iter().map(shortage).collect() },
            "COMMITTED" => State::Committed,
            "RELEASED" => State::Released,
            "RESTOCKED" => State::Restocked,
            _ => return Err(Unreadable("a reservation is in a state that this version does not know")),
        };
        let lines: Vec<Line> = lines.into_iter().map(|LineDocument { sku, quantity }| Line { sku, quantity }).collect();
        let lines = if lines.is_empty() {
            None
        } else {
            Some(Lines::new(lines).map_err(|_| Unreadable("a reservation has lines that no order can have"))?)
        };
        Ok(Self { order: id, state, lines })
    }
}

/// The counts right after a movement.
#[derive(Debug, Serialize, Deserialize)]
struct Counts {
    available: i64,
    reserved: i64,
    sold: i64,
    received: i64,
}

/// Written once, never changed. The id is that of the stock with its version, so no version can have two movements.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MovementDocument {
    #[serde(rename = "_id")]
    id: String,
    sku: Sku,
    location: String,
    version: i64,
    cause: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<OrderId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<UserId>,
    available: i64,
    reserved: i64,
    sold: i64,
    after: Counts,
    at: DateTime,
}

impl MovementDocument {
    pub(super) fn new(movement: &Movement, now: jiff::Timestamp) -> Self {
        let Movement { cause, change: Change { available, reserved, sold }, after } = movement;
        let word = match cause {
            Cause::Reserved(_) => "reserved",
            Cause::Committed(_) => "committed",
            Cause::Released(_) => "released",
            Cause::Restocked(_) => "restocked",
            Cause::Counted => "counted",
            Cause::Adjusted { .. } => "adjusted",
        };
        let (order, reason, by) = match cause {
            Cause::Reserved(order) | Cause::Committed(order) | Cause::Released(order) | Cause::Restocked(order) => {
                (Some(*order), None, None)
            }
            Cause::Counted => (None, None, None),
            Cause::Adjusted { reason, by } => (None, Some(reason.as_str().to_owned()), Some(*by)),
        };
        Self {
            id: format!("{}:{}", super::stock_id(&after.sku), after.version),
            sku: after.sku.clone(),
            location: LOCATION.to_owned(),
            version: after.version,
            cause: word.to_owned(),
            order,
            reason,
            by,
            available: *available,
            reserved: *reserved,
            sold: *sold,
            after: Counts {
                available: after.available,
                reserved: after.reserved,
                sold: after.sold,
                received: after.received,
            },
            at: now.into(),
        }
    }

    /// The same in another location than `main`.
    pub(super) fn at(self, location: &str) -> Self {
        let id = format!("{}@{location}:{}", self.sku, self.version);
        Self { id, location: location.to_owned(), ..self }
    }

    /// As it is shown.
    pub(super) fn recorded(self) -> Recorded {
        let Self { id, sku, location, version, cause, order, reason, by, available, reserved, sold, after, at } = self;
        Recorded {
            id,
            sku,
            location,
            version,
            cause,
            order,
            reason,
            by,
            change: Change { available, reserved, sold },
            available: after.available,
            reserved: after.reserved,
            at: at.to_jiff(),
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn stock_after(&self) -> Stock {
        let Counts { available, reserved, sold, received } = self.after;
        Stock { sku: self.sku.clone(), available, reserved, sold, received, version: self.version }
    }
}

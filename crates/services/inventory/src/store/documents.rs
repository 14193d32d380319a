//! How stock, reservations and movements look in MongoDB, and the way back to domain values.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shop_mongo::bson::DateTime;
use shop_types::{OrderId, Quantity, Sku, UserId};

use crate::domain::batch::{Cause, Change, Movement};
use crate::domain::history::Recorded;
use crate::domain::location::LocationId;
use crate::domain::{Line, Lines, Reservation, Shortage, State, Stock, TransferId};

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

impl From<&Stock> for StockDocument {
    fn from(stock: &Stock) -> Self {
        let Stock { sku, location, available, reserved, sold, received, version } = stock.clone();
        let (id, location) = (super::stock_id(&sku, &location), location.to_string());
        Self { id, sku, location, available, reserved, sold, received, version }
    }
}

impl TryFrom<StockDocument> for Stock {
    type Error = Unreadable;

    fn try_from(document: StockDocument) -> Result<Self, Unreadable> {
        let StockDocument { id: _, sku, location, available, reserved, sold, received, version } = document;
        Ok(Self { sku, location: read_location(&location)?, available, reserved, sold, received, version })
    }
}

fn read_location(text: &str) -> Result<LocationId, Unreadable> {
    text.parse().map_err(|_| Unreadable("a location has an id that is none"))
}

#[derive(Debug, Serialize, Deserialize)]
struct LineDocument {
    sku: Sku,
    quantity: Quantity,
    /// Where it was taken from; absent for `main`, and where nothing was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<String>,
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
        let Reservation { order, state, lines, elsewhere } = reservation;
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
        let line = |Line { sku, quantity }: &Line| LineDocument {
            sku: sku.clone(),
            quantity: *quantity,
            location: elsewhere.get(sku).map(ToString::to_string),
        };
        Self {
            id: *order,
            state: state.word().to_owned(),
            lines: lines.map(line).collect(),
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
        let mut elsewhere = BTreeMap::new();
        let mut read = Vec::with_capacity(lines.len());
        for LineDocument { sku, quantity, location } in lines {
            if let Some(location) = location {
                elsewhere.insert(sku.clone(), read_location(&location)?);
            }
            read.push(Line { sku, quantity });
        }
        let lines = if read.is_empty() {
            None
        } else {
            Some(Lines::new(read).map_err(|_| Unreadable("a reservation has lines that no order can have"))?)
        };
        Ok(Self { order: id, state, lines, elsewhere })
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

/// The transfer that a movement is one end of.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TransferDocument {
    pub(super) id: TransferId,
    /// The id of the movement at its other end.
    pub(super) other: String,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transfer: Option<TransferDocument>,
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
            Cause::Transferred { .. } => "transferred",
        };
        let (order, reason, by) = match cause {
            Cause::Reserved(order) | Cause::Committed(order) | Cause::Released(order) | Cause::Restocked(order) => {
                (Some(*order), None, None)
            }
            Cause::Counted => (None, None, None),
            Cause::Adjusted { reason, by } | Cause::Transferred { reason, by, .. } => {
                (None, Some(reason.as_str().to_owned()), Some(*by))
            }
        };
        let transfer = match cause {
            Cause::Transferred { id, other, other_version, .. } => {
                Some(TransferDocument { id: *id, other: movement_id(&after.sku, other, *other_version) })
            }
            Cause::Reserved(_)
            | Cause::Committed(_)
            | Cause::Released(_)
            | Cause::Restocked(_)
            | Cause::Counted
            | Cause::Adjusted { .. } => None,
        };
        Self {
            id: movement_id(&after.sku, &after.location, after.version),
            sku: after.sku.clone(),
            location: after.location.to_string(),
            version: after.version,
            cause: word.to_owned(),
            order,
            reason,
            by,
            transfer,
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

    /// As it is shown.
    pub(super) fn recorded(self) -> Recorded {
        let Self {
            id,
            sku,
            location,
            version,
            cause,
            order,
            reason,
            by,
            transfer,
            available,
            reserved,
            sold,
            after,
            at,
        } = self;
        Recorded {
            id,
            sku,
            location,
            version,
            cause,
            order,
            reason,
            by,
            transfer: transfer.map(|transfer| transfer.id),
            change: Change { available, reserved, sold },
            available: after.available,
            reserved: after.reserved,
            at: at.to_jiff(),
        }
    }

    pub(super) fn transfer(&self) -> Option<&TransferDocument> {
        self.transfer.as_ref()
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn stock_after(&self) -> Result<Stock, Unreadable> {
        let Counts { available, reserved, sold, received } = self.after;
        let (sku, location) = (self.sku.clone(), read_location(&self.location)?);
        Ok(Stock { sku, location, available, reserved, sold, received, version: self.version })
    }
}

fn movement_id(sku: &Sku, location: &LocationId, version: i64) -> String {
    format!("{}:{version}", super::stock_id(sku, location))
}

//! Stock, reservations and movements.

use serde::{Deserialize, Serialize};
use shop_mongo::Document;

use super::{Fields, Unreadable};

/// The location that every shop has, and from which all lines were taken before there was a choice.
const LOCATION: &str = "main";

/// How many pieces of a SKU are where, in one location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stock {
    /// `<sku>@<location>`.
    pub(crate) id: String,
    pub(crate) available: i64,
    pub(crate) reserved: i64,
    pub(crate) sold: i64,
    pub(crate) received: i64,
    pub(crate) version: i64,
}

impl Stock {
    pub(crate) const FIELDS: &'static [&'static str] = &["available", "reserved", "sold", "received", "version"];

    pub(crate) fn read(document: &Document) -> Result<Self, Unreadable> {
        let fields = Fields(document);
        Ok(Self {
            id: fields.text("_id")?.to_owned(),
            available: fields.whole("available")?,
            reserved: fields.whole("reserved")?,
            sold: fields.whole("sold")?,
            received: fields.whole("received")?,
            version: fields.whole("version")?,
        })
    }
}

/// How far a reservation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReservationState {
    Held,
    Refused,
    Committed,
    Released,
    Restocked,
}

impl ReservationState {
    const ALL: [Self; 5] = [Self::Held, Self::Refused, Self::Committed, Self::Released, Self::Restocked];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Held => "HELD",
            Self::Refused => "REFUSED",
            Self::Committed => "COMMITTED",
            Self::Released => "RELEASED",
            Self::Restocked => "RESTOCKED",
        }
    }

    /// The movements that lead to it, for each line once; a tombstone that came first has no lines.
    pub(crate) const fn causes(self) -> &'static [Cause] {
        match self {
            Self::Held => &[Cause::Reserved],
            Self::Refused => &[],
            Self::Committed => &[Cause::Reserved, Cause::Committed],
            Self::Released => &[Cause::Reserved, Cause::Released],
            Self::Restocked => &[Cause::Reserved, Cause::Committed, Cause::Restocked],
        }
    }
}

/// What an order has taken, or was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reservation {
    pub(crate) state: ReservationState,
    /// Empty for a tombstone that came before the order asked.
    pub(crate) lines: Vec<ReservedLine>,
}

/// A line of a reservation: pieces of one SKU, from one location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReservedLine {
    pub(crate) sku: String,
    /// `main` where none is named.
    pub(crate) location: String,
    pub(crate) pieces: i64,
}

impl ReservedLine {
    /// The stock that it is taken from.
    pub(crate) fn stock(&self) -> String {
        format!("{}@{}", self.sku, self.location)
    }
}

impl Reservation {
    pub(crate) const FIELDS: &'static [&'static str] = &["state", "lines.sku", "lines.location", "lines.quantity"];

    pub(crate) fn read(document: &Document) -> Result<Self, Unreadable> {
        let fields = Fields(document);
        let word = fields.text("state")?;
        let state = ReservationState::ALL.into_iter().find(|state| state.word() == word);
        let line = |line: Fields<'_>| {
            let location = line.optional_text("location")?.unwrap_or(LOCATION);
            Ok(ReservedLine {
                sku: line.text("sku")?.to_owned(),
                location: location.to_owned(),
                pieces: line.whole("quantity")?,
            })
        };
        Ok(Self {
            state: state.ok_or_else(|| Unreadable::word("state", word))?,
            lines: fields.required_documents("lines")?.into_iter().map(line).collect::<Result<_, _>>()?,
        })
    }
}

/// Why pieces moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Cause {
    Reserved,
    Committed,
    Released,
    Restocked,
    /// By people, for no order.
    Shelf,
}

impl Cause {
    fn read(word: &str) -> Result<Self, Unreadable> {
        match word {
            "reserved" => Ok(Self::Reserved),
            "committed" => Ok(Self::Committed),
            "released" => Ok(Self::Released),
            "restocked" => Ok(Self::Restocked),
            "counted" | "adjusted" | "transferred" => Ok(Self::Shelf),
            _ => Err(Unreadable::word("cause", word)),
        }
    }

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Committed => "committed",
            Self::Released => "released",
            Self::Restocked => "restocked",
            Self::Shelf => "counted, adjusted or transferred",
        }
    }

    /// What so many pieces of an order change; nothing for pieces that move for no order.
    pub(crate) const fn change(self, pieces: i64) -> Move {
        let (available, reserved, sold) = match self {
            Self::Reserved => (-pieces, pieces, 0),
            Self::Committed => (0, -pieces, pieces),
            Self::Released => (pieces, -pieces, 0),
            Self::Restocked => (pieces, 0, -pieces),
            Self::Shelf => (0, 0, 0),
        };
        Move { available, reserved, sold }
    }
}

/// By how many pieces each place changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Move {
    pub(crate) available: i64,
    pub(crate) reserved: i64,
    pub(crate) sold: i64,
}

/// One line of the ledger of a stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Movement {
    /// `<sku>@<location>`: the id without the version at its end.
    pub(crate) stock: String,
    pub(crate) version: i64,
    pub(crate) cause: Cause,
    pub(crate) order: Option<String>,
    pub(crate) change: Move,
}

impl Movement {
    pub(crate) const FIELDS: &'static [&'static str] = &["version", "cause", "order", "available", "reserved", "sold"];

    pub(crate) fn read(document: &Document) -> Result<Self, Unreadable> {
        let fields = Fields(document);
        let id = fields.text("_id")?;
        let (stock, _) = id.rsplit_once(':').ok_or_else(|| Unreadable::new("_id", "has no version at its end"))?;
        Ok(Self {
            stock: stock.to_owned(),
            version: fields.whole("version")?,
            cause: Cause::read(fields.text("cause")?)?,
            order: fields.optional_text("order")?.map(str::to_owned),
            change: Move {
                available: fields.whole("available")?,
                reserved: fields.whole("reserved")?,
                sold: fields.whole("sold")?,
            },
        })
    }
}

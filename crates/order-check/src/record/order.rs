//! Orders: what is stored about one, and the states as the design says them.

use jiff::Timestamp;
use shop_mongo::Document;

use super::{Fields, Unreadable};

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Placed,
    Confirmed,
    Paid,
    Shipped,
    Delivered,
    Rejected,
    Cancelling,
    Cancelled,
    Returning,
    Refunded,
}

impl State {
    const ALL: [Self; 10] = [
        Self::Placed,
        Self::Confirmed,
        Self::Paid,
        Self::Shipped,
        Self::Delivered,
        Self::Rejected,
        Self::Cancelling,
        Self::Cancelled,
        Self::Returning,
        Self::Refunded,
    ];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Confirmed => "confirmed",
            Self::Paid => "paid",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Rejected => "rejected",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
            Self::Returning => "returning",
            Self::Refunded => "refunded",
        }
    }

    fn read(field: &str, word: &str) -> Result<Self, Unreadable> {
        Self::ALL.into_iter().find(|state| state.word() == word).ok_or_else(|| Unreadable::word(field, word))
    }

    /// What may follow in a history. A placed order stays placed when an attempt to pay fails and when another one begins;
    /// one that is to be sent stays what it is when its address changes.
    pub(crate) const fn next(self) -> &'static [Self] {
        match self {
            Self::Placed => &[Self::Placed, Self::Confirmed, Self::Rejected],
            Self::Confirmed => &[Self::Confirmed, Self::Paid, Self::Cancelling],
            Self::Paid => &[Self::Paid, Self::Shipped, Self::Cancelling],
            Self::Shipped => &[Self::Delivered, Self::Returning],
            Self::Delivered => &[Self::Returning],
            Self::Cancelling => &[Self::Cancelled],
            Self::Returning => &[Self::Refunded],
            Self::Rejected | Self::Cancelled | Self::Refunded => &[],
        }
    }
}

/// What a placed order waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// A driver is at work.
    Driving,
    /// The buyer has to act, or to pay by another attempt.
    Waiting,
    /// Nothing.
    Settled,
}

impl Phase {
    fn read(word: &str) -> Result<Self, Unreadable> {
        match word {
            "driving" => Ok(Self::Driving),
            "awaits_buyer" | "declined" => Ok(Self::Waiting),
            "settled" => Ok(Self::Settled),
            _ => Err(Unreadable::word("phase", word)),
        }
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) sku: String,
    pub(crate) quantity: i64,
    pub(crate) unit_price: i64,
    pub(crate) total: i64,
}

/// One step of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) state: State,
    pub(crate) at: Timestamp,
    /// Whether it tells of nothing but that the addresses are gone.
    pub(crate) forgets_address: bool,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) id: String,
    /// Absent for guests.
    pub(crate) user: Option<String>,
    pub(crate) lines: Vec<Line>,
    /// In minor units.
    pub(crate) total: i64,
    pub(crate) currency: String,
    pub(crate) state: State,
    pub(crate) phase: Phase,
    /// The payment that the verdict names.
    pub(crate) payment: Option<String>,
    pub(crate) version: i64,
    pub(crate) history: Vec<Step>,
    pub(crate) deadline: Timestamp,
    created: Timestamp,
}

impl Order {
    /// The fields that are read.
    pub(crate) const FIELDS: &'static [&'static str] = &[
        "user",
        "lines.sku",
        "lines.quantity",
        "lines.unit_price",
        "lines.total",
        "total",
        "currency",
        "state",
        "phase",
        "payment",
        "version",
        "history.state",
        "history.at",
        "history.reason",
        "deadline",
        "created_at",
    ];

    pub(crate) fn read(document: &Document) -> Result<Self, Unreadable> {
        let fields = Fields(document);
        let line = |line: Fields<'_>| {
            Ok(Line {
                sku: line.text("sku")?.to_owned(),
                quantity: line.whole("quantity")?,
                unit_price: line.whole("unit_price")?,
                total: line.whole("total")?,
            })
        };
        let step = |step: Fields<'_>| {
            Ok(Step {
                state: State::read("history.state", step.text("state")?)?,
                at: step.time("at")?,
                forgets_address: step.optional_text("reason")? == Some("address_forgotten"),
            })
        };
        Ok(Self {
            id: fields.text("_id")?.to_owned(),
            user: fields.optional_text("user")?.map(str::to_owned),
            lines: fields.required_documents("lines")?.into_iter().map(line).collect::<Result<_, _>>()?,
            total: fields.whole("total")?,
            currency: fields.text("currency")?.to_owned(),
            state: State::read("state", fields.text("state")?)?,
            phase: Phase::read(fields.text("phase")?)?,
            payment: fields.optional_text("payment")?.map(str::to_owned),
            version: fields.whole("version")?,
            history: fields.required_documents("history")?.into_iter().map(step).collect::<Result<_, _>>()?,
            deadline: fields.time("deadline")?,
            created: fields.time("created_at")?,
        })
    }

    /// Since when it stands where it stands.
    pub(crate) fn since(&self) -> Timestamp {
        self.history.last().map_or(self.created, |step| step.at)
    }
}

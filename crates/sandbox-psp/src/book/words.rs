//! What the ledger is written in: entries, authorizations, commands. What follows from them stands in the parent.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cards::Operation;

/// What an entry records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A hold was asked for that the buyer has to confirm; nothing is held yet.
    RequiresAction,
    /// A hold was placed.
    Authorized,
    /// The bank refused a hold.
    Declined,
    /// The held money was taken.
    Captured,
    /// The bank refused to hand the held money over; the hold is gone.
    CaptureRefused,
    /// The hold was given back.
    Voided,
    /// A hold that the buyer had not confirmed yet was taken back; nothing was ever held.
    Cancelled,
    /// Taken money was given back.
    Refunded,
}

impl Kind {
    /// The word in the ledger and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequiresAction => "requires_action",
            Self::Authorized => "authorized",
            Self::Declined => "declined",
            Self::Captured => "captured",
            Self::CaptureRefused => "capture_refused",
            Self::Voided => "voided",
            Self::Cancelled => "cancelled",
            Self::Refunded => "refunded",
        }
    }
}

/// One line of the ledger. Lines are only ever added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Entry {
    /// 1, 2, 3 and so on without gaps.
    pub sequence: u64,
    /// When it was written.
    pub at: Timestamp,
    /// What it records.
    pub kind: Kind,
    /// The authorization it is about.
    pub authorization: String,
    /// The caller's own name for that authorization.
    pub reference: String,
    /// Minor units held, taken or given back by this entry.
    pub amount: i64,
    /// ISO 4217 code.
    pub currency: String,
    /// The card.
    pub method: String,
    /// The idempotency key that it was asked for with.
    pub key: String,
    /// SHA-256 of what was asked for under that key.
    pub fingerprint: String,
    /// The bank's word for a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The refund's own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<String>,
    /// The caller's own name for the refund.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund_reference: Option<String>,
}

/// Where an authorization stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The buyer has to confirm; nothing is held yet.
    RequiresAction,
    /// Money is held.
    Authorized,
    /// The bank refused the hold.
    Declined,
    /// The money was taken.
    Captured,
    /// The bank refused to hand the money over; nothing is held.
    Failed,
    /// The hold was given back.
    Voided,
    /// It was taken back before the buyer confirmed.
    Cancelled,
}

/// Money that was given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refund {
    /// Its id here.
    pub id: String,
    /// Minor units.
    pub amount: i64,
    /// The caller's own name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// A hold and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Authorization {
    /// Its id here.
    pub id: String,
    /// The caller's own name for it.
    pub reference: String,
    /// Minor units asked for.
    pub amount: i64,
    /// ISO 4217 code.
    pub currency: String,
    /// The card.
    pub method: String,
    /// Where it stands.
    pub status: Status,
    /// The bank's word for a refused hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decline_code: Option<String>,
    /// Minor units taken.
    pub captured_amount: i64,
    /// Minor units given back after they were taken.
    pub refunded_amount: i64,
    /// How they were given back, oldest first.
    pub refunds: Vec<Refund>,
}

/// What a caller wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Place a hold.
    Authorize {
        /// Minor units, more than 0.
        amount: i64,
        /// ISO 4217 code.
        currency: String,
        /// The caller's own name for the hold. May name several: only the key keeps a repeated request from a second hold.
        reference: String,
        /// The card.
        method: String,
    },
    /// Take all of the held money.
    Capture {
        /// Which authorization.
        id: String,
    },
    /// Give the hold back.
    Void {
        /// Which authorization.
        id: String,
    },
    /// Give taken money back.
    Refund {
        /// Which authorization.
        id: String,
        /// Minor units, more than 0.
        amount: i64,
        /// The caller's own name for the refund.
        reference: Option<String>,
    },
    /// The buyer confirms a hold.
    Confirm {
        /// Which authorization.
        id: String,
    },
    /// The buyer refuses a hold.
    Refuse {
        /// Which authorization.
        id: String,
    },
}

impl Command {
    /// What it does to the card; the buyer's own part is none of that.
    #[must_use]
    pub const fn operation(&self) -> Option<Operation> {
        match self {
            Self::Authorize { .. } => Some(Operation::Authorize),
            Self::Capture { .. } => Some(Operation::Capture),
            Self::Void { .. } => Some(Operation::Void),
            Self::Refund { .. } => Some(Operation::Refund),
            Self::Confirm { .. } | Self::Refuse { .. } => None,
        }
    }
}

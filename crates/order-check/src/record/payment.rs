//! Payments: one document for each attempt to pay an order.

use jiff::Timestamp;
use shop_mongo::Document;

use super::{Fields, Unreadable};

/// How far a payment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PaymentState {
    Created,
    RequiresAction,
    Authorized,
    Declined,
    Capturing,
    Captured,
    Failed,
    Voiding,
    Voided,
    Cancelling,
    Cancelled,
    Refunding,
    Refunded,
}

impl PaymentState {
    const ALL: [Self; 13] = [
        Self::Created,
        Self::RequiresAction,
        Self::Authorized,
        Self::Declined,
        Self::Capturing,
        Self::Captured,
        Self::Failed,
        Self::Voiding,
        Self::Voided,
        Self::Cancelling,
        Self::Cancelled,
        Self::Refunding,
        Self::Refunded,
    ];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::RequiresAction => "REQUIRES_ACTION",
            Self::Authorized => "AUTHORIZED",
            Self::Declined => "DECLINED",
            Self::Capturing => "CAPTURING",
            Self::Captured => "CAPTURED",
            Self::Failed => "FAILED",
            Self::Voiding => "VOIDING",
            Self::Voided => "VOIDED",
            Self::Cancelling => "CANCELLING",
            Self::Cancelled => "CANCELLED",
            Self::Refunding => "REFUNDING",
            Self::Refunded => "REFUNDED",
        }
    }

    /// Whether the money has been taken, whatever became of it.
    pub(crate) const fn has_been_captured(self) -> bool {
        match self {
            Self::Captured | Self::Refunding | Self::Refunded => true,
            Self::Created
            | Self::RequiresAction
            | Self::Authorized
            | Self::Declined
            | Self::Capturing
            | Self::Failed
            | Self::Voiding
            | Self::Voided
            | Self::Cancelling
            | Self::Cancelled => false,
        }
    }

    /// Whether nothing is held or kept, and nothing is on its way. A payment that was cancelled while nobody knew whether
    /// the provider holds money is looked for during 25 hours: what it may still find shows in the ledger.
    pub(crate) const fn is_over(self) -> bool {
        match self {
            Self::Declined | Self::Failed | Self::Voided | Self::Cancelling | Self::Cancelled | Self::Refunded => true,
            Self::Created
            | Self::RequiresAction
            | Self::Authorized
            | Self::Capturing
            | Self::Captured
            | Self::Voiding
            | Self::Refunding => false,
        }
    }
}

/// Money that is given back in part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refund {
    /// In minor units.
    pub(crate) amount: i64,
    /// Whether the provider has done it, or may have.
    pub(crate) done: Done,
    /// When it came to that.
    pub(crate) at: Timestamp,
}

/// Whether something has been done at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    Yes,
    No,
    /// It is on its way.
    Perhaps,
}

impl Done {
    fn read(word: &str) -> Result<Self, Unreadable> {
        match word {
            "DONE" => Ok(Self::Yes),
            "FAILED" => Ok(Self::No),
            "PENDING" => Ok(Self::Perhaps),
            _ => Err(Unreadable::word("refunds.state", word)),
        }
    }
}

/// A payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Payment {
    /// `<order id>:<attempt>`, the reference at the provider.
    pub(crate) id: String,
    /// In minor units.
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) state: PaymentState,
    pub(crate) refunds: Vec<Refund>,
    /// Since when it is in its state.
    pub(crate) since: Timestamp,
}

impl Payment {
    pub(crate) const FIELDS: &'static [&'static str] =
        &["amount", "currency", "state", "since", "refunds.amount", "refunds.state", "refunds.at"];

    pub(crate) fn read(document: &Document) -> Result<Self, Unreadable> {
        let fields = Fields(document);
        let word = fields.text("state")?;
        let state = PaymentState::ALL.into_iter().find(|state| state.word() == word);
        let refund = |refund: Fields<'_>| {
            let (amount, at) = (refund.whole("amount")?, refund.time("at")?);
            Ok(Refund { amount, done: Done::read(refund.text("state")?)?, at })
        };
        Ok(Self {
            id: fields.text("_id")?.to_owned(),
            amount: fields.whole("amount")?,
            currency: fields.text("currency")?.to_owned(),
            state: state.ok_or_else(|| Unreadable::word("state", word))?,
            refunds: fields.documents("refunds")?.into_iter().map(refund).collect::<Result<_, _>>()?,
            since: fields.time("since")?,
        })
    }

    /// Minor units of refunds that were done, and of those that may have been.
    pub(crate) fn given_back(&self) -> (i64, i64) {
        let sum =
            |done: Done| self.refunds.iter().filter(|refund| refund.done == done).map(|refund| refund.amount).sum();
        (sum(Done::Yes), sum(Done::Perhaps))
    }
}

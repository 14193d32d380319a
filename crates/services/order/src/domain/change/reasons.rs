//! Why an order ends, in words that histories, events and replies share.

use crate::domain::Shortage;

/// Why an order will not happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// There was not enough in stock.
    SoldOut {
        /// The lines that did not fit.
        shortages: Vec<Shortage>,
    },
    /// Nobody knew of its money in time.
    Deadline,
    /// Its stock was given back meanwhile.
    Withdrawn,
    /// The buyer or staff wants it.
    Requested,
}

impl Rejection {
    /// The word in histories, events and replies.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::SoldOut { .. } => "sold_out",
            Self::Deadline => "deadline",
            Self::Withdrawn => "withdrawn",
            Self::Requested => "requested",
        }
    }
}

/// The last word of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// The hold was given back, or all that was taken.
    GivenBack,
    /// The capture was refused for good.
    Failed,
}

impl Settlement {
    /// The word in histories, events and replies.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::GivenBack => "payment_given_back",
            Self::Failed => "payment_failed",
        }
    }
}

//! Refunds of a payment: their names, their states, why one cannot be asked for.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use shop_types::Money;

use super::{Error, Illegal, MOST_REFUNDS, PaymentId};

/// Names a refund: `<payment>:refund:<n>`. It is also its key and its reference at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RefundId {
    /// The payment.
    pub payment: PaymentId,
    /// Which refund of the payment, from 1.
    pub n: u32,
}

impl fmt::Display for RefundId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:refund:{}", self.payment, self.n)
    }
}

impl FromStr for RefundId {
    type Err = Error;

    /// Reads the written form only, so that one refund has one name.
    fn from_str(text: &str) -> Result<Self, Error> {
        let (payment, n) = text.rsplit_once(":refund:").ok_or(Error::RefundId)?;
        let n: u32 = n.parse().map_err(|_| Error::RefundId)?;
        let id = Self { payment: payment.parse().map_err(|_| Error::RefundId)?, n };
        if n > 0 && id.to_string() == text { Ok(id) } else { Err(Error::RefundId) }
    }
}

/// Why money is given back, in words for people: 1 to 200 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    /// The word for what is given back because the order is undone.
    #[must_use]
    pub fn order_undone() -> Self {
        Self("order_undone".to_owned())
    }

    /// The words.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Reason {
    type Err = Error;

    /// Trims.
    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let good = (1..=200).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if good { Ok(Self(text.to_owned())) } else { Err(Error::Reason) }
    }
}

/// How far a refund has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefundState {
    /// Written down; the provider may or may not have given the money back.
    Pending,
    /// The provider has given the money back.
    Done,
    /// The provider refuses it for good; the money counts as kept.
    Failed,
}

impl RefundState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Done, Self::Failed];

    /// The word in documents, answers and logs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Done => "DONE",
            Self::Failed => "FAILED",
        }
    }

    /// The state of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// A part of the captured money on its way back, or all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// Which refund of its payment, from 1, in the order they were asked for.
    pub n: u32,
    /// Minor units of the payment's currency, more than 0.
    pub amount: i64,
    /// How far it has come.
    pub state: RefundState,
    /// Why.
    pub reason: Reason,
    /// When it was asked for.
    pub at: Timestamp,
}

/// Why a refund cannot be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unrefundable {
    /// Nothing was captured.
    #[error(transparent)]
    Illegal(Illegal),
    /// Refunds, also those on their way, would add up to more than was captured.
    #[error("{left} can be refunded, not more")]
    OverRefund {
        /// What can still be refunded.
        left: Money,
    },
    /// It has had as many refunds as a payment may have.
    #[error("a payment has at most {MOST_REFUNDS} refunds")]
    TooMany,
    /// The payment is of another currency.
    #[error("the payment is of another currency")]
    Currency,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_refund_has_one_name() {
        let payment = "00000000-0000-7000-8000-000000000001:2";
        let id: RefundId = format!("{payment}:refund:3").parse().unwrap();
        assert_eq!((id.payment.to_string().as_str(), id.n), (payment, 3));
        for text in ["", payment, "x:refund:1"] {
            assert_eq!(text.parse::<RefundId>(), Err(Error::RefundId), "{text}");
        }
        for n in ["", "0", "01", "+1", "x", "4294967296"] {
            assert_eq!(format!("{payment}:refund:{n}").parse::<RefundId>(), Err(Error::RefundId), "{n}");
        }
    }

    #[test]
    fn reasons_are_short_words_on_one_line() {
        assert_eq!(" late \t".parse::<Reason>().unwrap().as_str(), "late");
        assert!("ü".repeat(200).parse::<Reason>().is_ok());
        for text in ["", "  ", "a\nb", "a\u{7}b", &"ü".repeat(201)] {
            assert_eq!(text.parse::<Reason>(), Err(Error::Reason), "{text:?}");
        }
    }

    #[test]
    fn every_word_names_one_state() {
        for state in RefundState::ALL {
            assert_eq!(RefundState::from_word(state.word()), Some(state));
        }
        assert_eq!(RefundState::from_word("done"), None);
    }
}

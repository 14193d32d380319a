//! The rules of a payment: its names, its states, its refunds, and what each event does to them (orders 1.5).
//!
//! Pure: no I/O, no clock. What a whole group of commands leads to stands in [`batch`], what is stored in `store`.

pub mod batch;
mod payment;
pub mod reconciliation;
mod refund;
mod standing;
mod state;
mod transitions;

use std::fmt;
use std::str::FromStr;

use shop_types::{Money, OrderId};

pub use payment::{MOST_REFUNDS, Move, Payment, Question};
pub use refund::{Reason, Refund, RefundId, RefundState, Unrefundable};
pub use standing::{Contradiction, Standing};
pub use state::{AfterCapture, Kind, State};
pub use transitions::{Event, Illegal, Step, Tell};

/// Names one attempt to pay an order: `<order id>:<attempt>`. It is also the key of the hold at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PaymentId {
    /// The order that is paid for.
    pub order: OrderId,
    attempt: u32,
}

/// A value breaks its rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not `<order id>:<attempt>`.
    #[error("must be an order id, a colon and a number from 1")]
    PaymentId,
    /// Not a token of a provider.
    #[error("must be 1 to 64 visible characters")]
    Method,
    /// Not `<payment>:refund:<n>`.
    #[error("must be a payment, `:refund:` and a number from 1")]
    RefundId,
    /// Not words for people.
    #[error("must be 1 to 200 characters without line breaks")]
    Reason,
    /// Nothing to pay.
    #[error("must be more than 0")]
    Amount,
}

impl PaymentId {
    /// Names an attempt.
    ///
    /// # Errors
    /// [`Error::PaymentId`] for attempt 0: attempts count from 1.
    pub const fn new(order: OrderId, attempt: u32) -> Result<Self, Error> {
        if attempt == 0 { Err(Error::PaymentId) } else { Ok(Self { order, attempt }) }
    }

    /// The first attempt of an order.
    #[must_use]
    pub const fn first(order: OrderId) -> Self {
        Self { order, attempt: 1 }
    }

    /// Which attempt, from 1.
    #[must_use]
    pub const fn attempt(self) -> u32 {
        self.attempt
    }
}

impl fmt::Display for PaymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.order, self.attempt)
    }
}

impl FromStr for PaymentId {
    type Err = Error;

    /// Reads the written form only, so that one payment has one name.
    fn from_str(text: &str) -> Result<Self, Error> {
        let (order, attempt) = text.split_once(':').ok_or(Error::PaymentId)?;
        let id =
            Self::new(order.parse().map_err(|_| Error::PaymentId)?, attempt.parse().map_err(|_| Error::PaymentId)?)?;
        if id.to_string() == text { Ok(id) } else { Err(Error::PaymentId) }
    }
}

/// A provider's token for a means of payment; card numbers never enter the system.
#[derive(Clone, PartialEq, Eq)]
pub struct Method(String);

impl Method {
    /// The token, for the provider and for the store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Method {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let good = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if good { Ok(Self(text.to_owned())) } else { Err(Error::Method) }
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Method(..)")
    }
}

/// An amount that can be paid: more than nothing.
///
/// # Errors
/// [`Error::Amount`] for zero and less.
pub const fn payable(amount: Money) -> Result<Money, Error> {
    if amount.amount > 0 { Ok(amount) } else { Err(Error::Amount) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &str = "00000000-0000-7000-8000-000000000001";

    #[test]
    fn a_payment_is_named_by_its_order_and_attempt() {
        let id: PaymentId = format!("{ORDER}:12").parse().unwrap();

        assert_eq!((id.order.to_string().as_str(), id.attempt()), (ORDER, 12));
        assert_eq!(id.to_string(), format!("{ORDER}:12"));
    }

    #[test]
    fn one_payment_has_one_name() {
        for attempt in ["", "0", "01", "+1", "-1", "1 ", "x", "4294967296", "1:1"] {
            assert_eq!(format!("{ORDER}:{attempt}").parse::<PaymentId>(), Err(Error::PaymentId), "{attempt:?}");
        }
        for text in ["", ORDER, "x:1", "{\"$gt\":\"\"}"] {
            assert_eq!(text.parse::<PaymentId>(), Err(Error::PaymentId), "{text:?}");
        }
        assert_eq!(
            format!("{}:1", ORDER.replace("00000000-", "0000000A-")).parse::<PaymentId>(),
            Err(Error::PaymentId)
        );
    }

    #[test]
    fn methods_are_visible_short_and_never_printed() {
        assert_eq!(format!("{:?}", "tok_visa".parse::<Method>().unwrap()), "Method(..)");
        for text in ["", "a b", "ä", "a\n", &"m".repeat(65)] {
            assert_eq!(text.parse::<Method>(), Err(Error::Method), "{text:?}");
        }
    }

    #[test]
    fn only_more_than_nothing_can_be_paid() {
        let eur = "EUR".parse().unwrap();
        assert!(payable(Money::new(1, eur)).is_ok());
        assert_eq!(payable(Money::new(0, eur)), Err(Error::Amount));
        assert_eq!(payable(Money::new(-1, eur)), Err(Error::Amount));
    }
}

//! The rules of a payment: its names, its states, and what each event does to each of them (orders 1.5).
//!
//! Pure: no I/O, no clock. What a whole group of commands leads to stands in [`batch`], what is stored in `store`.

pub mod batch;
mod state;
mod transitions;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use shop_types::event::PaymentFact;
use shop_types::{Money, OrderId, UserId};

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

/// One attempt to pay an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Its name.
    pub id: PaymentId,
    /// Who ordered; absent for guests.
    pub owner: Option<UserId>,
    /// What is held, taken and given back: always all of it.
    pub amount: Money,
    /// The means of payment; absent when it was cancelled before anybody named one.
    pub method: Option<Method>,
    /// How far it has come.
    pub state: State,
    /// Grows by one with every change.
    pub version: i64,
    /// When it was written down.
    pub created: Timestamp,
    /// When it came into its present state.
    pub since: Timestamp,
    /// How often the provider was asked in this state without an answer.
    pub tries: u32,
}

impl Payment {
    /// What other services are told about it.
    #[must_use]
    pub fn fact(&self) -> PaymentFact {
        PaymentFact {
            payment_id: self.id.to_string(),
            order_id: self.id.order,
            amount: self.amount,
            remaining: None,
            reason: self.state.reason().map(str::to_owned),
        }
    }

    /// How long to wait before the provider is asked again, after one more try without an answer.
    ///
    /// Doubles from 1 s; a cancelled payment that the provider has not heard of is looked up less and less often.
    #[must_use]
    pub const fn pause(&self) -> Duration {
        let most_seconds = match self.state.kind() {
            Kind::Cancelling => 600,
            Kind::Created
            | Kind::Authorized
            | Kind::Declined
            | Kind::Capturing
            | Kind::Captured
            | Kind::Failed
            | Kind::Voiding
            | Kind::Voided
            | Kind::Cancelled
            | Kind::Refunding
            | Kind::Refunded => 60,
        };
        let doublings = if self.tries < 10 { self.tries } else { 10 };
        let seconds = 1_u64 << doublings;
        Duration::from_secs(if seconds < most_seconds { seconds } else { most_seconds })
    }

    /// Whether the provider may have forgotten the key of the hold, so that it must be looked up before it is asked for
    /// again. Providers keep keys for 24 h.
    #[must_use]
    pub fn key_may_be_forgotten(&self, now: Timestamp) -> bool {
        now.duration_since(self.created) > SignedDuration::from_hours(23)
    }

    /// Whether a cancelled payment that the provider has never heard of cannot appear any more: no request that was
    /// under way when it was cancelled outlives the keys of the provider (24 h, and 1 h to be safe).
    #[must_use]
    pub fn cannot_appear_any_more(&self, now: Timestamp) -> bool {
        now.duration_since(self.since) > SignedDuration::from_hours(25)
    }
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

    #[test]
    fn pauses_double_up_to_a_bound() {
        let pauses = |state: State| -> Vec<u64> {
            [0, 1, 2, 5, 6, 9, 10, u32::MAX]
                .map(|tries| Payment { tries, ..payment(state.clone()) }.pause().as_secs())
                .to_vec()
        };
        assert_eq!(pauses(State::Created), [1, 2, 4, 32, 60, 60, 60, 60]);
        assert_eq!(pauses(State::Cancelling), [1, 2, 4, 32, 64, 512, 600, 600]);
    }

    #[test]
    fn a_cancelled_payment_is_looked_for_for_25_hours() {
        let cancelled = payment(State::Cancelling);
        assert!(!cancelled.cannot_appear_any_more(Timestamp::from_second(25 * 3600).unwrap()));
        assert!(cancelled.cannot_appear_any_more(Timestamp::from_second(25 * 3600 + 1).unwrap()));
        assert!(!cancelled.key_may_be_forgotten(Timestamp::from_second(23 * 3600).unwrap()));
        assert!(cancelled.key_may_be_forgotten(Timestamp::from_second(23 * 3600 + 1).unwrap()));
    }

    fn payment(state: State) -> Payment {
        Payment {
            id: PaymentId::first(ORDER.parse().unwrap()),
            owner: None,
            amount: Money::new(500, "EUR".parse().unwrap()),
            method: None,
            state,
            version: 1,
            created: Timestamp::UNIX_EPOCH,
            since: Timestamp::UNIX_EPOCH,
            tries: 0,
        }
    }
}

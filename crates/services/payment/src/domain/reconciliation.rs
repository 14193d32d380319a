//! Comparing our payments with the provider's books: what is held, taken and given back under each name. Pure.

mod parts;

use std::ops::RangeInclusive;

use jiff::{SignedDuration, Timestamp};
use shop_types::{Currency, Money};

use super::{Payment, State};

pub use parts::{Part, Parts, Portions};

/// How far back a comparison of everything reads.
pub const WINDOW: SignedDuration = SignedDuration::from_hours(48);
/// Between two comparisons of everything.
const EVERYTHING_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// What a comparison of the newest reads again: clocks differ, and a provider may book late.
const OVERLAP: SignedDuration = SignedDuration::from_mins(10);

/// What comparisons have read before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Past {
    /// When the last one began.
    pub last: Option<Timestamp>,
    /// When the last one of everything began.
    pub everything: Option<Timestamp>,
}

/// What a comparison reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// From when on.
    pub since: Timestamp,
    /// Whether that is all of the window. Otherwise known differences are looked at besides.
    pub is_everything: bool,
}

impl Past {
    /// What is to be read now: once an hour everything, and what is new otherwise.
    #[must_use]
    pub fn reach(&self, now: Timestamp) -> Reach {
        let before = |time: Timestamp, by| time.saturating_sub(by).unwrap_or(Timestamp::MIN);
        let recently = |time: &Timestamp| (before(now, EVERYTHING_EVERY)..=now).contains(time);
        match (self.last, self.everything.filter(recently)) {
            (Some(last), Some(_)) => Reach { since: before(last.min(now), OVERLAP), is_everything: false },
            _ => Reach { since: before(now, WINDOW), is_everything: true },
        }
    }
}

/// What the provider has booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Booking {
    /// A hold was placed.
    Held,
    /// A hold was taken.
    Captured,
    /// A hold is gone without being taken.
    Released,
    /// Taken money was given back.
    Refunded,
}

/// What the provider's bookings under one name add up to, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sums {
    /// Of which currency.
    pub currency: Currency,
    /// Held now. Less than nothing when the hold was booked before what was added up.
    pub held: i64,
    /// Taken.
    pub captured: i64,
    /// Given back after it was taken.
    pub refunded: i64,
}

impl Sums {
    /// No bookings.
    #[must_use]
    pub const fn zero(currency: Currency) -> Self {
        Self { currency, held: 0, captured: 0, refunded: 0 }
    }

    /// Adds a booking. What is of another currency than the first booking never fits, and need not.
    pub fn add(&mut self, booking: Booking, amount: i64) {
        match booking {
            Booking::Held => self.held = self.held.saturating_add(amount),
            Booking::Captured => {
                self.held = self.held.saturating_sub(amount);
                self.captured = self.captured.saturating_add(amount);
            }
            Booking::Released => self.held = self.held.saturating_sub(amount),
            Booking::Refunded => self.refunded = self.refunded.saturating_add(amount),
        }
    }

    const fn is_nothing(&self) -> bool {
        self.held == 0 && self.captured == 0 && self.refunded == 0
    }
}

/// In what our books and the provider's differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// In what is held.
    Held,
    /// In what was taken.
    Captured,
    /// In what was given back.
    Refunded,
    /// The provider moved money under a name that no payment has.
    Unknown,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Held, Self::Captured, Self::Refunded, Self::Unknown];

    /// The word in documents, answers and metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Captured => "captured",
            Self::Refunded => "refunded",
            Self::Unknown => "unknown",
        }
    }

    /// The kind of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// A difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// In what.
    pub kind: Kind,
    /// The name at the provider: a payment's, unless nobody here knows it.
    pub reference: String,
    /// What our books say.
    pub ours: Money,
    /// What the provider's say.
    pub theirs: Money,
}

/// Compares. What is under way fits before and after it has happened.
#[must_use]
pub fn compare(reference: &str, ours: Option<&Payment>, theirs: Sums) -> Vec<Difference> {
    let of = |kind, ours: Money, theirs_minor| Difference {
        kind,
        reference: reference.to_owned(),
        ours,
        theirs: Money::new(theirs_minor, theirs.currency),
    };
    let Some(payment) = ours else {
        let moved = theirs.held.saturating_add(theirs.captured).saturating_sub(theirs.refunded);
        let nothing = Money::zero(theirs.currency);
        return if theirs.is_nothing() { Vec::new() } else { vec![of(Kind::Unknown, nothing, moved)] };
    };
    let Expected { held, captured, refunded } = Expected::of(payment);
    [
        (Kind::Held, held, theirs.held),
        (Kind::Captured, captured, theirs.captured),
        (Kind::Refunded, refunded, theirs.refunded),
    ]
    .into_iter()
    .filter(|(_, expected, found)| {
        let same_currency = payment.amount.currency == theirs.currency || *found == 0;
        !(expected.contains(found) && same_currency)
    })
    .map(|(kind, expected, found)| of(kind, payment.of(*expected.end()), found))
    .collect()
}

/// What the provider's books must say of a payment.
struct Expected {
    held: RangeInclusive<i64>,
    captured: RangeInclusive<i64>,
    refunded: RangeInclusive<i64>,
}

impl Expected {
    fn of(payment: &Payment) -> Self {
        let amount = payment.amount.amount;
        let (held, captured) = match &payment.state {
            State::Created | State::RequiresAction { .. } | State::Cancelling | State::Voiding { .. } => {
                (0..=amount, 0..=0)
            }
            State::Authorized { .. } => (amount..=amount, 0..=0),
            State::Declined { .. } | State::Failed { .. } | State::Voided { .. } | State::Cancelled => (0..=0, 0..=0),
            State::Capturing { .. } => (0..=amount, 0..=amount),
            State::Captured { .. } | State::Refunding { .. } | State::Refunded { .. } => (0..=0, amount..=amount),
        };
        Self { held, captured, refunded: payment.given_back()..=payment.promised() }
    }
}

#[cfg(test)]
mod tests;

//! An order, and how it reads now and at its earlier versions. What can happen to it stands in `change`.

use jiff::Timestamp;
use shop_types::event::{CartFact, LineFact, OrderFact};
use shop_types::{CartId, Event, Money, OrderId, Quantity, Sku, UserId};

use super::{Address, Draft, Line, Phase, State};

/// The reason of an entry that tells of another address and of nothing else.
pub(super) const ADDRESS_CHANGED: &str = "address_changed";
/// The reason of an entry that tells of nothing but that the addresses are gone.
pub(super) const ADDRESS_FORGOTTEN: &str = "address_forgotten";

/// Whose order it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// Somebody who was logged in.
    User(UserId),
    /// The holder of a guest cart's token.
    Guest {
        /// The cart.
        cart: CartId,
        /// SHA-256 of the token, in hex.
        token_hash: String,
    },
}

impl Owner {
    /// The user; `None` for guests.
    #[must_use]
    pub const fn user(&self) -> Option<UserId> {
        match self {
            Self::User(id) => Some(*id),
            Self::Guest { .. } => None,
        }
    }
}

/// A line that did not fit into the stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    /// What.
    pub sku: Sku,
    /// How many were ordered.
    pub requested: Quantity,
    /// How many there were.
    pub available: i64,
}

/// One step of an order's history; the n-th entry belongs to version n.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where the order stood from then on.
    pub state: State,
    /// Since when, by the pod's clock.
    pub at: Timestamp,
    /// Why, as a stable word: `sold_out`, `deadline`, `withdrawn`, `requested`, `payment_failed`, `payment_given_back`,
    /// `address_changed`, `address_forgotten`, or the provider's word for a decline.
    pub reason: Option<String>,
    /// Where the buyer has to go, when the payment waits for them.
    pub next_action: Option<String>,
    /// Where it is sent from then on; `None` when that stays as it was.
    pub address: Option<Address>,
}

impl Entry {
    /// Whether it sends the order somewhere else, and nothing more.
    #[must_use]
    pub fn is_new_address(&self) -> bool {
        self.reason.as_deref() == Some(ADDRESS_CHANGED)
    }

    /// Whether it tells of the address alone: the order itself has come to nothing new.
    #[must_use]
    pub fn is_about_address(&self) -> bool {
        self.is_new_address() || self.reason.as_deref() == Some(ADDRESS_FORGOTTEN)
    }

    /// What an order waits for whose last entry this is.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        match self.state {
            State::Placed if self.next_action.is_some() => Phase::AwaitsBuyer,
            State::Placed if self.reason.is_some() => Phase::Declined,
            State::Placed => Phase::Driving,
            State::Confirmed
            | State::Paid
            | State::Shipped
            | State::Delivered
            | State::Rejected
            | State::Cancelling
            | State::Cancelled
            | State::Returning
            | State::Refunded => Phase::Settled,
        }
    }
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// The number that people use.
    pub number: i64,
    /// Whose it is.
    pub owner: Owner,
    /// The cart that it was made from, at its version.
    pub cart: Option<CartFact>,
    /// What was ordered; never changes.
    pub lines: Vec<Line>,
    /// What it costs; never changes.
    pub total: Money,
    /// The provider's token for the card of the present attempt.
    pub payment_method: String,
    /// Where it stands.
    pub state: State,
    /// Which payment attempt is the present one, from 1.
    pub attempt: u32,
    /// The payment that the verdict names (W6).
    pub payment: Option<String>,
    /// The lines that did not fit, when it was rejected for that.
    pub shortages: Vec<Shortage>,
    /// Grows by one with every change.
    pub version: i64,
    /// One entry for each version.
    pub history: Vec<Entry>,
    /// When it was placed, by the pod's clock.
    pub created_at: Timestamp,
}

impl Order {
    /// Writes a draft down (W1).
    #[must_use]
    pub fn place(id: OrderId, number: i64, draft: Draft, now: Timestamp) -> (Self, Event) {
        let Draft { owner, cart, lines, total, payment_method, address } = draft;
        let order = Self {
            id,
            number,
            owner,
            cart,
            lines,
            total,
            payment_method,
            state: State::Placed,
            attempt: 1,
            payment: None,
            shortages: Vec::new(),
            version: 1,
            history: vec![Entry { state: State::Placed, at: now, reason: None, next_action: None, address }],
            created_at: now,
        };
        let event = Event::OrderCreated(order.fact());
        (order, event)
    }

    /// The present payment attempt's id.
    #[must_use]
    pub fn payment_id(&self) -> String {
        format!("{}:{}", self.id, self.attempt)
    }

    /// What it waits for.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.history.last().map_or(Phase::Settled, Entry::phase)
    }

    /// Why the order is in its state.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.history.iter().rev().find(|entry| !entry.is_about_address()).and_then(|entry| entry.reason.as_deref())
    }

    /// Where it is sent.
    #[must_use]
    pub fn address(&self) -> Option<&Address> {
        self.history.iter().rev().find_map(|entry| entry.address.as_ref())
    }

    /// Where the buyer has to go before the payment goes on.
    #[must_use]
    pub fn next_action(&self) -> Option<&str> {
        self.history.last().and_then(|entry| entry.next_action.as_deref())
    }

    /// The order as it was at an earlier version: what was ordered never changes, what became of it stands in the history.
    /// Only the means of payment is always that of the present attempt.
    #[must_use]
    pub fn at(mut self, version: i64) -> Self {
        let keep = usize::try_from(version).unwrap_or(0).clamp(1, self.history.len().max(1));
        if keep >= self.history.len() {
            return self;
        }
        self.history.truncate(keep);
        if let Some(entry) = self.history.last() {
            self.state = entry.state;
        }
        self.version = i64::try_from(keep).unwrap_or(self.version);
        self.attempt = u32::try_from(self.history.iter().filter(|entry| entry.phase() == Phase::Driving).count())
            .unwrap_or(self.attempt);
        if self.state != State::Rejected {
            self.shortages.clear();
        }
        if self.history.iter().all(|entry| entry.state != State::Confirmed) {
            self.payment = None;
        }
        self
    }

    /// The version at which an attempt came to its first outcome: what everybody is told who asked for that attempt, also
    /// when the order has gone on since. `None` while nobody knows.
    #[must_use]
    pub fn first_outcome(&self, attempt: u32) -> Option<i64> {
        let mut begun = 0;
        for (version, entry) in (1..).zip(&self.history) {
            match entry.phase() {
                Phase::Driving => begun += 1,
                Phase::AwaitsBuyer | Phase::Declined | Phase::Settled if begun == attempt => return Some(version),
                Phase::AwaitsBuyer | Phase::Declined | Phase::Settled => {}
            }
        }
        None
    }

    /// What all events about the order carry.
    #[must_use]
    pub fn fact(&self) -> OrderFact {
        OrderFact {
            order_id: self.id,
            number: self.number,
            user_id: self.owner.user(),
            cart: self.cart,
            lines: self.lines.iter().map(|line| LineFact { sku: line.sku.clone(), quantity: line.quantity }).collect(),
            total: self.total,
            // Also of an order that was never confirmed: what was held for its present attempt is to be given back.
            payment_id: Some(self.payment.clone().unwrap_or_else(|| self.payment_id())),
            reason: self.reason().map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::change::tests::{address, apply, declined, placed, redirected};
    use crate::domain::{Change, Rejection};

    #[test]
    fn an_earlier_version_shows_the_state_of_that_time() {
        let order = placed();
        let payment = order.payment_id();
        let confirmed = apply(&order, Change::Confirm { payment: payment.clone() });
        let paid = apply(&confirmed, Change::Pay { payment });
        assert_eq!(paid.clone().at(2), confirmed);
        assert_eq!(paid.clone().at(1), order, "nobody had named a payment yet");
        assert_eq!(paid.clone().at(99), paid);
        assert_eq!(paid.clone().at(0), order);
    }

    #[test]
    fn an_earlier_version_shows_the_attempt_and_the_next_action_of_that_time() {
        let declined = declined(&placed());
        let again = apply(&declined, Change::PayAgain { method: "tok_visa".into() });
        let redirected = redirected(&again);
        let confirmed = apply(&redirected, Change::Confirm { payment: again.payment_id() });
        assert_eq!(confirmed.attempt, 2);
        assert_eq!(confirmed.clone().at(2).attempt, 1);
        assert_eq!(confirmed.clone().at(4).next_action(), Some("https://bank.example/3ds"));
        assert_eq!(confirmed.clone().at(4).phase(), Phase::AwaitsBuyer);
        assert_eq!(confirmed.next_action(), None);
    }

    #[test]
    fn another_address_is_told_at_its_version_and_is_no_reason() {
        let payment = placed().payment_id();
        let confirmed = apply(&placed(), Change::Confirm { payment: payment.clone() });
        let moved = apply(&confirmed, Change::Readdress { address: address("2 New Street") });
        let paid = apply(&moved, Change::Pay { payment });
        assert_eq!((moved.state, moved.phase(), moved.reason()), (State::Confirmed, Phase::Settled, None));
        assert_eq!(paid.address(), Some(&address("2 New Street")));
        assert_eq!(paid.at(2).address(), confirmed.address());
        assert_eq!(confirmed.address(), Some(&address("1 Old Street")));
    }

    #[test]
    fn a_rejection_names_the_lines_that_did_not_fit_and_earlier_versions_do_not() {
        let short = Shortage { sku: "mug".parse().unwrap(), requested: Quantity::new(2).unwrap(), available: 1 };
        let reason = Rejection::SoldOut { shortages: vec![short.clone()] };
        let rejected = apply(&placed(), Change::Reject { reason });
        assert_eq!(rejected.shortages, [short]);
        assert!(rejected.at(1).shortages.is_empty());
    }

    #[test]
    fn the_first_outcome_of_each_attempt_is_told_whatever_came_later() {
        let first = declined(&placed());
        assert_eq!((placed().first_outcome(1), first.first_outcome(1)), (None, Some(2)));
        let second = apply(&first, Change::PayAgain { method: "tok_visa".into() });
        assert_eq!((second.first_outcome(1), second.first_outcome(2)), (Some(2), None));
        let confirmed = apply(&redirected(&second), Change::Confirm { payment: second.payment_id() });
        let undone = apply(&confirmed, Change::Cancel);
        assert_eq!(
            (undone.first_outcome(1), undone.first_outcome(2), undone.first_outcome(3)),
            (Some(2), Some(4), None)
        );
    }
}

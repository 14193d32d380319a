//! What can happen to an order after it was placed, and what each change tells others.

mod reasons;

use jiff::Timestamp;
use shop_types::Event;
use shop_types::event::OrderFact;

pub use self::reasons::{Rejection, Settlement};
use super::address::{self, Address};
use super::order::{ADDRESS_CHANGED, ADDRESS_FORGOTTEN, Entry, Order};
use super::{Error, Phase, State};

/// Attempts to pay that one order may have: each shows the buyer's bank another card.
pub const MOST_ATTEMPTS: u32 = 10;

/// What can happen to an order after it was placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Stock and money are held (W6).
    Confirm {
        /// The payment that holds the money.
        payment: String,
    },
    /// It will not happen (W6).
    Reject {
        /// Why.
        reason: Rejection,
    },
    /// The buyer must act at the provider before the present attempt goes on.
    AwaitBuyer {
        /// The payment that waits.
        payment: String,
        /// Where the buyer has to go.
        url: String,
    },
    /// The present attempt holds nothing and never will; the order waits for its deadline or another attempt (ruling 13).
    Decline {
        /// The payment of the attempt.
        payment: String,
        /// The provider's word, or `withdrawn` when staff took it back.
        reason: String,
    },
    /// The buyer tries to pay once more, after the present attempt was declined (ruling 13).
    PayAgain {
        /// The provider's token for a card.
        method: String,
    },
    /// The money was taken (W10).
    Pay {
        /// The payment that took it.
        payment: String,
    },
    /// The buyer or staff wants it undone (W12, or a rejection while it is only placed).
    Cancel,
    /// The payment has said its last word: nothing is held or taken any more. It ends an order that is being undone
    /// (W13) or returned, undoes one that counted on the money (ruling 15), and declines an attempt under way.
    Settle {
        /// The payment.
        payment: String,
        /// What it said.
        reason: Settlement,
    },
    /// A part of the money that was taken went back; the rest still pays for the order.
    KeepRest {
        /// The payment.
        payment: String,
    },
    /// Staff has shipped or delivered it (ruling 20).
    Advance {
        /// The state that it shall come to.
        to: State,
    },
    /// Staff has accepted a return: stock and money go back (ADR 0003).
    Return,
    /// The buyer or staff wants it sent somewhere else.
    Readdress {
        /// Where.
        address: Address,
    },
    /// Whose order it is has left the shop: nobody needs to know any longer where it went.
    Forget,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// The order is at a new version, and this is to be told.
    To(Box<Order>, Option<Event>),
    /// It was so already, or the change speaks of something that the order has left behind: nothing to write.
    Nothing,
}

impl Order {
    /// Applies a change. Facts from events that the order has left behind change nothing; a person's wish that the state
    /// does not allow is refused.
    ///
    /// # Errors
    /// [`Error::Illegal`] for a cancel, an attempt to pay, a shipment, a delivery, a return or another address that the
    /// state does not allow; [`Error::TooManyAttempts`], [`Error::TooManyAddresses`].
    pub fn change(&self, change: Change, now: Timestamp) -> Result<Changed, Error> {
        Ok(match change {
            Change::Confirm { payment } if self.is_undecided(&payment) => {
                self.step(State::Confirmed, None, now, |order| {
                    order.payment = Some(payment);
                    Some(Event::OrderConfirmed(order.fact()))
                })
            }
            Change::Reject { reason } => self.reject(reason, now),
            Change::AwaitBuyer { payment, url } if self.is_undecided(&payment) && self.phase() == Phase::Driving => {
                self.wait(None, Some(url), now)
            }
            Change::Decline { payment, reason } if self.is_undecided(&payment) => self.wait(Some(reason), None, now),
            Change::PayAgain { method } => self.pay_again(method, now)?,
            Change::Pay { payment } if self.state == State::Confirmed && self.is_paid_by(&payment) => {
                self.step(State::Paid, None, now, |order| Some(Event::OrderPaid(order.fact())))
            }
            Change::Cancel => self.cancel(now)?,
            Change::Settle { payment, reason } if self.is_undecided(&payment) => {
                self.wait(Some(reason.word().to_owned()), None, now)
            }
            Change::Settle { payment, reason } if self.is_paid_by(&payment) => self.settle(reason, now),
            Change::Advance { to } => self.advance(to, now)?,
            Change::Return => self.give_back(now)?,
            Change::Readdress { address } => self.readdress(address, now)?,
            Change::Forget => self.forget(now),
            Change::Confirm { .. }
            | Change::AwaitBuyer { .. }
            | Change::Decline { .. }
            | Change::Pay { .. }
            | Change::Settle { .. }
            | Change::KeepRest { .. } => Changed::Nothing,
        })
    }

    /// What must have happened before a change, although nobody has told it yet: money that was taken had been held, and
    /// it is held only after the stock.
    #[must_use]
    pub fn implied_by(&self, change: &Change) -> Option<Change> {
        match change {
            Change::Pay { payment } if self.state == State::Placed => {
                Some(Change::Confirm { payment: payment.clone() })
            }
            Change::Pay { .. }
            | Change::Confirm { .. }
            | Change::Reject { .. }
            | Change::AwaitBuyer { .. }
            | Change::Decline { .. }
            | Change::PayAgain { .. }
            | Change::Cancel
            | Change::Settle { .. }
            | Change::KeepRest { .. }
            | Change::Advance { .. }
            | Change::Return
            | Change::Readdress { .. }
            | Change::Forget => None,
        }
    }

    /// Whether the present attempt is this payment and may still go either way. What was declined stays declined: the
    /// buyer was told so, and may have taken another card.
    fn is_undecided(&self, payment: &str) -> bool {
        let undecided = match self.phase() {
            Phase::Driving | Phase::AwaitsBuyer => true,
            Phase::Declined | Phase::Settled => false,
        };
        undecided && self.payment_id() == payment
    }

    fn is_paid_by(&self, payment: &str) -> bool {
        self.payment.as_deref() == Some(payment)
    }

    fn pay_again(&self, method: String, now: Timestamp) -> Result<Changed, Error> {
        if self.phase() != Phase::Declined {
            return Err(self.illegal("paid by another attempt", self.state.next()));
        }
        if self.attempt >= MOST_ATTEMPTS {
            return Err(Error::TooManyAttempts { most: MOST_ATTEMPTS });
        }
        let Changed::To(mut next, event) = self.wait(None, None, now) else { return Ok(Changed::Nothing) };
        next.attempt += 1;
        next.payment_method = method;
        Ok(Changed::To(next, event))
    }

    fn cancel(&self, now: Timestamp) -> Result<Changed, Error> {
        match self.state {
            State::Placed => Ok(self.reject(Rejection::Requested, now)),
            State::Confirmed | State::Paid => Ok(self.cancelling("requested", now)),
            State::Cancelling | State::Cancelled | State::Rejected => Ok(Changed::Nothing),
            State::Shipped | State::Delivered | State::Returning | State::Refunded => {
                Err(self.illegal("cancelled", self.state.next()))
            }
        }
    }

    /// An order that is undone waits for the last word of its payment, which is then said again.
    fn settle(&self, reason: Settlement, now: Timestamp) -> Changed {
        let why = self.reason().map(str::to_owned);
        match self.state {
            State::Confirmed | State::Paid => self.cancelling(reason.word(), now),
            State::Cancelling => {
                self.step(State::Cancelled, why, now, |order| Some(Event::OrderCancelled(order.fact())))
            }
            State::Returning => self.step(State::Refunded, why, now, |order| Some(Event::OrderReturned(order.fact()))),
            State::Placed
            | State::Shipped
            | State::Delivered
            | State::Rejected
            | State::Cancelled
            | State::Refunded => Changed::Nothing,
        }
    }

    fn reject(&self, reason: Rejection, now: Timestamp) -> Changed {
        let word = reason.word().to_owned();
        self.step(State::Rejected, Some(word), now, |order| {
            if let Rejection::SoldOut { shortages } = reason {
                order.shortages = shortages;
            }
            Some(Event::OrderRejected(order.fact()))
        })
    }

    fn cancelling(&self, reason: &str, now: Timestamp) -> Changed {
        let reason = Some(reason.to_owned());
        self.step(State::Cancelling, reason, now, |order| Some(Event::OrderCancelling(order.fact())))
    }

    fn advance(&self, to: State, now: Timestamp) -> Result<Changed, Error> {
        let tell: Option<fn(OrderFact) -> Event> = match to {
            State::Shipped => Some(Event::OrderShipped),
            State::Delivered => Some(Event::OrderDelivered),
            State::Placed
            | State::Confirmed
            | State::Paid
            | State::Rejected
            | State::Cancelling
            | State::Cancelled
            | State::Returning
            | State::Refunded => None,
        };
        let allowed = self.state.next_by_staff();
        let Some(tell) = tell.filter(|_| allowed.contains(&to)) else {
            return Err(self.illegal("set to that by hand", allowed));
        };
        Ok(self.step(to, None, now, |order| Some(tell(order.fact()))))
    }

    fn give_back(&self, now: Timestamp) -> Result<Changed, Error> {
        if !self.state.may_become(State::Returning) {
            return Err(self.illegal("returned", self.state.next()));
        }
        let tell = |order: &mut Self| Some(Event::OrderReturning(order.fact()));
        Ok(self.step(State::Returning, Some("requested".to_owned()), now, tell))
    }

    /// While the verdict is open, whoever drives it owns the order; once it was shipped, the address is history.
    fn readdress(&self, address: Address, now: Timestamp) -> Result<Changed, Error> {
        match self.state {
            State::Confirmed | State::Paid => {}
            State::Placed
            | State::Shipped
            | State::Delivered
            | State::Rejected
            | State::Cancelling
            | State::Cancelled
            | State::Returning
            | State::Refunded => return Err(self.illegal("sent to another address", self.state.next())),
        }
        if self.address() == Some(&address) {
            return Ok(Changed::Nothing);
        }
        if self.history.iter().filter(|entry| entry.is_new_address()).count() >= address::MOST_CHANGES {
            return Err(Error::TooManyAddresses { most: address::MOST_CHANGES });
        }
        let reason = Some(ADDRESS_CHANGED.to_owned());
        let next = self.with(Entry { state: self.state, at: now, reason, next_action: None, address: Some(address) });
        Ok(Changed::To(Box::new(next), None))
    }

    /// Forgets all addresses, also earlier ones, under a new version: whoever has read one before is told that it is gone.
    fn forget(&self, now: Timestamp) -> Changed {
        if self.state.needs_address() || self.address().is_none() {
            return Changed::Nothing;
        }
        let reason = Some(ADDRESS_FORGOTTEN.to_owned());
        let mut next = self.with(Entry { state: self.state, at: now, reason, next_action: None, address: None });
        for entry in &mut next.history {
            entry.address = None;
        }
        Changed::To(Box::new(next), None)
    }

    /// Stays placed, under a new version: for another reason or by another attempt. Nobody is told.
    fn wait(&self, reason: Option<String>, next_action: Option<String>, now: Timestamp) -> Changed {
        if self.state != State::Placed {
            return Changed::Nothing;
        }
        let next = self.with(Entry { state: State::Placed, at: now, reason, next_action, address: None });
        Changed::To(Box::new(next), None)
    }

    /// Goes to a state that may follow, or nowhere.
    fn step(
        &self,
        state: State,
        reason: Option<String>,
        now: Timestamp,
        finish: impl FnOnce(&mut Self) -> Option<Event>,
    ) -> Changed {
        if !self.state.may_become(state) {
            return Changed::Nothing;
        }
        let mut next = self.with(Entry { state, at: now, reason, next_action: None, address: None });
        let event = finish(&mut next);
        Changed::To(Box::new(next), event)
    }

    fn with(&self, entry: Entry) -> Self {
        let mut next = self.clone();
        next.state = entry.state;
        next.version += 1;
        next.history.push(entry);
        next
    }

    fn illegal(&self, wanted: &'static str, allowed: &[State]) -> Error {
        Error::Illegal { from: self.state, wanted, allowed: allowed.to_vec() }
    }
}

#[cfg(test)]
pub(crate) mod tests;

//! An order and the changes that may happen to it.

use jiff::Timestamp;
use shop_types::event::{CartFact, LineFact, OrderFact};
use shop_types::{CartId, Event, Money, OrderId, UserId};

use super::{Draft, Error, Line, Phase, State};

/// Whose order it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    User(UserId),
    /// The holder of a guest cart's token.
    Guest {
        cart: CartId,
        /// SHA-256 of the token, in hex.
        token_hash: String,
    },
}

impl Owner {
    /// The user; `None` for guests.
    pub(crate) const fn user(&self) -> Option<UserId> {
        match self {
            Self::User(id) => Some(*id),
            Self::Guest { .. } => None,
        }
    }
}

/// One step of an order's history; the n-th entry belongs to version n.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) state: State,
    pub(crate) at: Timestamp,
    /// Why, as a stable word: `sold_out`, `deadline`, `withdrawn`, `requested`, `payment_failed`, `payment_given_back`, or
    /// the provider's word for a decline.
    pub(crate) reason: Option<String>,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) id: OrderId,
    pub(crate) number: i64,
    pub(crate) owner: Owner,
    pub(crate) cart: Option<CartFact>,
    pub(crate) lines: Vec<Line>,
    pub(crate) total: Money,
    pub(crate) payment_method: String,
    pub(crate) state: State,
    pub(crate) phase: Phase,
    /// Which payment attempt is the present one, from 1.
    pub(crate) attempt: u32,
    /// The payment that the verdict names (W6).
    pub(crate) payment: Option<String>,
    pub(crate) version: i64,
    pub(crate) history: Vec<Entry>,
    pub(crate) created_at: Timestamp,
}

/// What can happen to an order after it was placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// Stock and money are held (W6).
    Confirm { payment: String },
    /// It will not happen (W6): `sold_out`, `deadline`, `withdrawn`.
    Reject { reason: &'static str },
    /// The present attempt was declined; the order waits for its deadline (ruling 13).
    Decline { payment: String, reason: String },
    /// The money was taken (W10).
    Pay { payment: String },
    /// The buyer or staff wants it undone (W12, or a rejection while it is only placed).
    Cancel,
    /// The payment has said its last word: nothing is held or taken any more. It ends an order that is being undone
    /// (W13), and undoes one that counted on the money (ruling 15).
    Settle { payment: String, reason: &'static str },
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Changed {
    /// The order is at a new version, and this is to be told.
    To(Box<Order>, Option<Event>),
    /// It was so already, or the change speaks of something that the order has left behind: nothing to write.
    Nothing,
}

impl Order {
    /// Writes a draft down (W1).
    pub(crate) fn place(id: OrderId, number: i64, draft: Draft, now: Timestamp) -> (Self, Event) {
        let Draft { owner, cart, lines, total, payment_method } = draft;
        let order = Self {
            id,
            number,
            owner,
            cart,
            lines,
            total,
            payment_method,
            state: State::Placed,
            phase: Phase::Driving,
            attempt: 1,
            payment: None,
            version: 1,
            history: vec![Entry { state: State::Placed, at: now, reason: None }],
            created_at: now,
        };
        let event = Event::OrderCreated(order.fact());
        (order, event)
    }

    /// The present payment attempt's id.
    pub(crate) fn payment_id(&self) -> String {
        format!("{}:{}", self.id, self.attempt)
    }

    /// Why the order is in its state.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.history.last().and_then(|entry| entry.reason.as_deref())
    }

    /// The order as it was at an earlier version: its lines never change, its state stands in the history.
    pub(crate) fn at(mut self, version: i64) -> Self {
        let keep = usize::try_from(version).unwrap_or(0).clamp(1, self.history.len().max(1));
        self.history.truncate(keep);
        if let Some(entry) = self.history.last() {
            self.state = entry.state;
        }
        self.version = i64::try_from(self.history.len()).unwrap_or(self.version);
        self
    }

    /// Applies a change. Facts from events that the order has left behind change nothing; a person's wish that the state
    /// does not allow is refused.
    ///
    /// # Errors
    /// [`Error::Illegal`] for a cancel that comes too late.
    pub(crate) fn change(&self, change: Change, now: Timestamp) -> Result<Changed, Error> {
        Ok(match change {
            Change::Confirm { payment } => {
                let fits = self.state == State::Placed && payment == self.payment_id();
                self.step_if(fits, State::Confirmed, None, now, |order| {
                    order.payment = Some(payment);
                    order.phase = Phase::Settled;
                    Some(Event::OrderConfirmed(order.fact()))
                })
            }
            Change::Reject { reason } => self.reject(reason, now),
            Change::Decline { payment, reason } => {
                let fits = self.phase == Phase::Driving && payment == self.payment_id();
                self.step_if(fits, State::Placed, Some(&reason), now, |order| {
                    order.phase = Phase::Declined;
                    None
                })
            }
            Change::Pay { payment } => {
                let fits = self.state == State::Confirmed && self.payment.as_ref() == Some(&payment);
                self.step_if(fits, State::Paid, None, now, |order| Some(Event::OrderPaid(order.fact())))
            }
            Change::Cancel => match self.state {
                State::Placed => self.reject("requested", now),
                State::Confirmed | State::Paid => self.cancelling("requested", now),
                State::Cancelling | State::Cancelled | State::Rejected => Changed::Nothing,
                State::Shipped | State::Delivered => {
                    let allowed = self.state.next().to_vec();
                    return Err(Error::Illegal { from: self.state, wanted: "cancelled", allowed });
                }
            },
            Change::Settle { payment, reason } => {
                if self.payment.as_ref() == Some(&payment) {
                    self.settle(reason, now)
                } else {
                    Changed::Nothing
                }
            }
        })
    }

    /// What must have happened before a change, although nobody has told it yet: money that was taken had been held, and
    /// it is held only after the stock.
    pub(crate) fn implied_by(&self, change: &Change) -> Option<Change> {
        match change {
            Change::Pay { payment } if self.state == State::Placed => {
                Some(Change::Confirm { payment: payment.clone() })
            }
            Change::Pay { .. }
            | Change::Confirm { .. }
            | Change::Reject { .. }
            | Change::Decline { .. }
            | Change::Cancel
            | Change::Settle { .. } => None,
        }
    }

    /// An order that is undone waits for the last word of its payment, which is then said again.
    fn settle(&self, reason: &str, now: Timestamp) -> Changed {
        match self.state {
            State::Confirmed | State::Paid => self.cancelling(reason, now),
            State::Cancelling => {
                let reason = self.reason().map(str::to_owned);
                self.step_if(true, State::Cancelled, reason.as_deref(), now, |order| {
                    Some(Event::OrderCancelled(order.fact()))
                })
            }
            State::Placed | State::Shipped | State::Delivered | State::Rejected | State::Cancelled => Changed::Nothing,
        }
    }

    fn reject(&self, reason: &str, now: Timestamp) -> Changed {
        self.step_if(self.state == State::Placed, State::Rejected, Some(reason), now, |order| {
            order.phase = Phase::Settled;
            Some(Event::OrderRejected(order.fact()))
        })
    }

    fn cancelling(&self, reason: &str, now: Timestamp) -> Changed {
        self.step_if(true, State::Cancelling, Some(reason), now, |order| Some(Event::OrderCancelling(order.fact())))
    }

    /// Goes to a state with the next version and a line of history, or nowhere.
    fn step_if(
        &self,
        fits: bool,
        state: State,
        reason: Option<&str>,
        now: Timestamp,
        finish: impl FnOnce(&mut Self) -> Option<Event>,
    ) -> Changed {
        // Staying in a state is a step only where it is asked for: a declined order goes on waiting.
        if !fits || (state != self.state && !self.state.may_become(state)) {
            return Changed::Nothing;
        }
        let mut next = self.clone();
        next.state = state;
        next.version += 1;
        next.history.push(Entry { state, at: now, reason: reason.map(str::to_owned) });
        let event = finish(&mut next);
        Changed::To(Box::new(next), event)
    }

    fn fact(&self) -> OrderFact {
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
mod tests;

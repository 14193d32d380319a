//! What a group of commands leads to: answers, payments to write, and what others are told. Pure.
//!
//! The group reads every payment it may touch, and finds out which events were handled before, in one transaction.
//! Members see what earlier members of the same group did, so each payment is written once however often it changed.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use shop_types::{EventId, Money, OrderId, UserId};

use super::{Event, Illegal, Method, Payment, PaymentId, State, Step, Tell};

/// How long the pod that wrote a settling payment has for asking the provider, before another pod may: longer than the
/// provider's deadline in the background.
pub const LEASE: Duration = Duration::from_secs(15);

/// Something to do to payments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Write an attempt down before the provider is asked (W3).
    Open(Opening),
    /// Follow a request of staff or an answer of the provider.
    Follow {
        /// Which payment.
        id: PaymentId,
        /// What it follows.
        event: Event,
    },
    /// Follow an order.
    Obey(Verdict),
    /// The provider gave no answer: ask again after a pause.
    Postpone {
        /// Which payment.
        id: PaymentId,
        /// As of this version; if it has moved on, nothing is postponed.
        version: i64,
    },
}

/// A new attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// Its name.
    pub id: PaymentId,
    /// Who ordered; absent for guests.
    pub owner: Option<UserId>,
    /// How much.
    pub amount: Money,
    /// By what means.
    pub method: Method,
}

/// What an order has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The event that says so; it counts once.
    pub event: EventId,
    /// Which order.
    pub order: OrderId,
    /// The payment that the order names.
    pub payment: Option<PaymentId>,
    /// Who ordered.
    pub owner: Option<UserId>,
    /// The order's total.
    pub total: Money,
    /// What it has come to.
    pub outcome: Outcome,
}

/// What an order has come to, as far as its payment cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is confirmed: take the money.
    Confirmed,
    /// It will not happen: hold nothing. Nobody waits for an answer.
    Rejected,
    /// It is undone: hold and keep nothing. The order waits for the payment's last word.
    Undone,
}

/// The payments that a command was about, as they stand now; or why nothing has changed.
pub type Answer = Result<Vec<Payment>, Refusal>;

/// Why a command changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such payment.
    #[error("there is no such payment")]
    Unknown,
    /// The attempt was opened before with another amount or another means.
    #[error("the attempt was opened before with another amount or method")]
    Mismatch,
    /// The state does not allow it.
    #[error(transparent)]
    Illegal(#[from] Illegal),
}

/// A payment to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// As it must stand afterwards.
    pub payment: Payment,
    /// The version that was read; `None` for a new payment.
    pub from: Option<i64>,
    /// When the provider may be asked (again) by any pod; `None` when nothing is left to ask.
    pub next_try: Option<Duration>,
}

/// Something that others are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The member of the group that caused it.
    pub member: usize,
    /// The payment, at the version it tells of.
    pub payment: Payment,
    /// What.
    pub tell: Tell,
}

/// What a group leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// One answer per command, in order.
    pub answers: Vec<Answer>,
    /// Every payment that has changed, once, in the order of their names.
    pub changes: Vec<Change>,
    /// What others are told, in the order it happened.
    pub told: Vec<Told>,
}

/// The payments and orders that a group has to read first.
#[must_use]
pub fn needs(commands: &[Command]) -> (BTreeSet<PaymentId>, BTreeSet<OrderId>) {
    let (mut payments, mut orders) = (BTreeSet::new(), BTreeSet::new());
    for command in commands {
        match command {
            Command::Open(Opening { id, .. }) | Command::Follow { id, .. } | Command::Postpone { id, .. } => {
                payments.insert(*id);
            }
            Command::Obey(verdict) => {
                orders.insert(verdict.order);
                payments.extend(verdict.payment);
            }
        }
    }
    (payments, orders)
}

/// The events that a group has handled. One that was refused is not among them: it becomes a dead letter, and may be
/// tried again.
#[must_use]
pub fn handled(commands: &[Command], answers: &[Answer]) -> Vec<EventId> {
    let mut events = Vec::new();
    for (command, answer) in commands.iter().zip(answers) {
        match command {
            Command::Obey(verdict) if answer.is_ok() => events.push(verdict.event),
            Command::Obey(_) | Command::Open(_) | Command::Follow { .. } | Command::Postpone { .. } => {}
        }
    }
    events
}

/// Decides a group. `payments` are all that [`needs`] asked for and that exist; `seen` are the events handled before.
#[must_use]
pub fn decide(
    payments: Vec<Payment>,
    seen: impl IntoIterator<Item = EventId>,
    commands: &[Command],
    now: Timestamp,
) -> Decided {
    let mut desk = Desk {
        read: payments.iter().map(|payment| (payment.id, payment.version)).collect(),
        payments: payments.into_iter().map(|payment| (payment.id, payment)).collect(),
        next_try: BTreeMap::new(),
        handled: seen.into_iter().collect(),
        told: Vec::new(),
        now,
    };
    let answers = commands.iter().enumerate().map(|(member, command)| desk.handle(member, command)).collect();
    let Desk { read, payments, next_try, told, .. } = desk;
    let changes = next_try
        .into_iter()
        .filter_map(|(id, next_try)| {
            let payment = payments.get(&id)?.clone();
            Some(Change { payment, from: read.get(&id).copied(), next_try })
        })
        .collect();
    Decided { answers, changes, told }
}

struct Desk {
    read: BTreeMap<PaymentId, i64>,
    payments: BTreeMap<PaymentId, Payment>,
    /// Every payment that has to be written, and when the provider may be asked.
    next_try: BTreeMap<PaymentId, Option<Duration>>,
    handled: HashSet<EventId>,
    told: Vec<Told>,
    now: Timestamp,
}

impl Desk {
    fn handle(&mut self, member: usize, command: &Command) -> Answer {
        match command {
            Command::Open(opening) => self.open(opening),
            Command::Follow { id, event } => self.follow(member, *id, event.clone()).map(|payment| vec![payment]),
            Command::Obey(verdict) => self.obey(member, verdict),
            Command::Postpone { id, version } => Ok(self.postpone(*id, *version).into_iter().collect()),
        }
    }

    fn open(&mut self, opening: &Opening) -> Answer {
        if let Some(known) = self.payments.get(&opening.id) {
            // A tombstone was made without a method: whatever comes late finds it as it is.
            let same =
                known.method.as_ref().is_none_or(|method| *method == opening.method && known.amount == opening.amount);
            return if same { Ok(vec![known.clone()]) } else { Err(Refusal::Mismatch) };
        }
        let Opening { id, owner, amount, method } = opening.clone();
        let payment = self.fresh(id, owner, amount, State::Created);
        Ok(vec![self.put(Payment { method: Some(method), ..payment })])
    }

    fn follow(&mut self, member: usize, id: PaymentId, event: Event) -> Result<Payment, Refusal> {
        let payment = self.payments.get(&id).ok_or(Refusal::Unknown)?.clone();
        match payment.state.on(event)? {
            Step::Stay => Ok(payment),
            Step::Go { state, tell } => {
                let moved = Payment { state, version: payment.version + 1, since: self.now, tries: 0, ..payment };
                let moved = self.put(moved);
                if let Some(tell) = tell {
                    self.told.push(Told { member, payment: moved.clone(), tell });
                }
                Ok(moved)
            }
        }
    }

    /// The states themselves see to it that a verdict takes effect once, so one that was handled before is followed again
    /// without harm. Only its last word must not be repeated twice.
    fn obey(&mut self, member: usize, verdict: &Verdict) -> Answer {
        let first = self.handled.insert(verdict.event);
        let payments = match verdict.outcome {
            Outcome::Confirmed => {
                let id = verdict.payment.ok_or(Refusal::Unknown)?;
                vec![self.follow(member, id, Event::Confirm)?]
            }
            Outcome::Rejected => self.cancel(member, verdict)?,
            Outcome::Undone => {
                let payments = self.cancel(member, verdict)?;
                if first { self.repeat_last_word(member, verdict, payments) } else { payments }
            }
        };
        Ok(payments.into_iter().map(|payment| self.own(payment, verdict.owner)).collect())
    }

    /// Cancels every attempt of the order. An attempt that was not written down yet gets a tombstone, so that a driver
    /// that comes late cannot open it any more.
    fn cancel(&mut self, member: usize, verdict: &Verdict) -> Result<Vec<Payment>, Refusal> {
        let mut ids: BTreeSet<_> = self.payments.keys().filter(|id| id.order == verdict.order).copied().collect();
        let expected = match verdict.payment {
            Some(id) => Some(id),
            None if ids.is_empty() => Some(PaymentId::first(verdict.order)),
            None => None,
        };
        if let Some(id) = expected.filter(|id| !self.payments.contains_key(id)) {
            let tombstone = self.fresh(id, verdict.owner, verdict.total, State::Cancelled);
            self.put(tombstone);
            ids.insert(id);
        }
        ids.into_iter().map(|id| self.follow(member, id, Event::Cancel)).collect()
    }

    /// An order that is undone waits for the last word of the payment it names. When that was said before the order
    /// listened for it, it is said again, under a new version.
    fn repeat_last_word(&mut self, member: usize, verdict: &Verdict, payments: Vec<Payment>) -> Vec<Payment> {
        let mut repeated = Vec::with_capacity(payments.len());
        for payment in payments {
            let named = verdict.payment.is_none_or(|id| id == payment.id);
            let Some(tell) = payment.state.last_word().filter(|_| named) else {
                repeated.push(payment);
                continue;
            };
            let payment = self.put(Payment { version: payment.version + 1, ..payment });
            self.told.push(Told { member, payment: payment.clone(), tell });
            repeated.push(payment);
        }
        repeated
    }

    /// The order knows best who ordered.
    fn own(&mut self, payment: Payment, owner: Option<UserId>) -> Payment {
        if owner.is_none() || payment.owner == owner {
            return payment;
        }
        // A change of its own, unless it goes along with another one: each version is written once.
        let version = if self.next_try.contains_key(&payment.id) { payment.version } else { payment.version + 1 };
        self.put(Payment { owner, version, ..payment })
    }

    fn postpone(&mut self, id: PaymentId, version: i64) -> Option<Payment> {
        let payment = self.payments.get_mut(&id)?;
        if payment.version == version && payment.state.kind().is_settling() {
            let pause = payment.pause();
            payment.tries = payment.tries.saturating_add(1);
            self.next_try.insert(id, Some(pause));
        }
        Some(payment.clone())
    }

    const fn fresh(&self, id: PaymentId, owner: Option<UserId>, amount: Money, state: State) -> Payment {
        let (created, since) = (self.now, self.now);
        Payment { id, owner, amount, method: None, state, version: 1, created, since, tries: 0 }
    }

    /// Takes a payment that has to be written.
    fn put(&mut self, payment: Payment) -> Payment {
        let next_try = payment.state.kind().is_settling().then_some(LEASE);
        self.next_try.insert(payment.id, next_try);
        self.payments.insert(payment.id, payment.clone());
        payment
    }
}

#[cfg(test)]
mod tests;

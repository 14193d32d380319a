//! What a group of commands leads to: answers, payments to write, and what others are told. Pure.
//!
//! The group reads every payment it may touch, and finds out which events and keys were handled before, in one
//! transaction. Members see what earlier members of the same group did, so each payment is written once however often it
//! changed.

mod desk;
mod words;

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use shop_types::{EventId, OrderId};

use super::{Payment, PaymentId};
use desk::Desk;

pub use words::{
    Answer, Change, Command, Decided, End, Key, Known, LEASE, Opening, Outcome, RefundReply, RefundRequest, Refusal,
    Reply, Start, Told, Verdict,
};

/// What a group has to read first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Payments by their names.
    pub payments: BTreeSet<PaymentId>,
    /// All payments of these orders.
    pub orders: BTreeSet<OrderId>,
    /// Rows of idempotency keys.
    pub keys: BTreeSet<String>,
}

/// What a group has read, in the transaction that it writes in.
#[derive(Debug, Clone, Default)]
pub struct Read {
    /// Of what [`needs`] asked for, the payments that exist.
    pub payments: Vec<Payment>,
    /// The rows of the keys that were used before.
    pub keys: HashMap<String, Known>,
}

/// What has to be read before a group can be decided.
#[must_use]
pub fn needs(commands: &[Command]) -> Needs {
    let mut needs = Needs::default();
    for command in commands {
        match command {
            Command::Open(Opening { id, .. }) | Command::Follow { id, .. } | Command::Postpone { id, .. } => {
                needs.payments.insert(*id);
            }
            Command::Refund(RefundRequest { id, key, .. }) | Command::Answered { id, key, .. } => {
                needs.payments.insert(*id);
                needs.keys.insert(key.id.clone());
            }
            Command::Obey(verdict) => {
                needs.orders.insert(verdict.order);
                needs.payments.extend(verdict.payment);
            }
        }
    }
    needs
}

/// The events that a group has handled. One that was refused is not among them: it becomes a dead letter, and may be
/// tried again.
#[must_use]
pub fn handled(commands: &[Command], answers: &[Answer]) -> Vec<EventId> {
    let mut events = Vec::new();
    for (command, answer) in commands.iter().zip(answers) {
        match command {
            Command::Obey(verdict) if answer.is_ok() => events.push(verdict.event),
            Command::Obey(_)
            | Command::Open(_)
            | Command::Follow { .. }
            | Command::Refund(_)
            | Command::Answered { .. }
            | Command::Postpone { .. } => {}
        }
    }
    events
}

/// Decides a group. `seen` are the events handled before.
#[must_use]
pub fn decide(read: Read, seen: impl IntoIterator<Item = EventId>, commands: &[Command], now: Timestamp) -> Decided {
    let mut desk = Desk::new(read, seen.into_iter().collect(), now);
    let answers = commands.iter().enumerate().map(|(member, command)| desk.handle(member, command)).collect();
    desk.close(answers)
}

#[cfg(test)]
mod tests;

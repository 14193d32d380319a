//! The rules of the provider and the state that its ledger adds up to. Pure: no I/O, no clock, no HTTP.
//!
//! Every change is one [`Entry`]. [`Book::decide`] says what a request leads to without changing anything;
//! [`Book::apply`] takes an entry in, at start (replay) and at run time alike, so that both always agree.

use std::collections::HashMap;

use jiff::Timestamp;
use uuid::Uuid;

use crate::cards::{Loss, Operation, card};

mod words;

pub use words::{Authorization, Command, Entry, Kind, Status};

/// Why a request changes nothing. Refusals are not remembered under their key: the same request may succeed later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The key was used for another request.
    #[error("this Idempotency-Key was used for another request")]
    KeyReused,
    /// Another key has placed a hold under this reference: a second one would hold the buyer's money twice.
    #[error("this reference already names an authorization")]
    ReferenceInUse,
    /// No such authorization.
    #[error("there is no such authorization")]
    NotFound,
    /// No such card.
    #[error("there is no such method")]
    UnknownMethod,
    /// The authorization does not stand where it would have to.
    #[error("the authorization does not allow this in its present status")]
    WrongStatus(Status),
    /// More would be given back than was taken.
    #[error("refunds cannot add up to more than was captured")]
    OverRefund,
}

/// What a request leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// This entry, once it is in the ledger, is the answer.
    Write(Box<Entry>, Delivery),
    /// The key has its answer already.
    Replay(Box<Entry>),
    /// The try gets lost: nothing is applied and the caller waits.
    Lose,
    /// Nothing changes.
    Refuse(Refusal),
}

/// How an answer travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// At once.
    Prompt,
    /// It gets lost: the caller waits.
    Lost,
}

/// A ledger that cannot have been written by us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// An entry is missing, doubled or out of place.
    #[error("entry {found} stands where entry {expected} belongs")]
    Gap {
        /// The sequence number that belongs there.
        expected: u64,
        /// The one that stands there.
        found: u64,
    },
    /// An entry tells of an authorization that no earlier entry made.
    #[error("entry {0} tells of an unknown authorization")]
    Unknown(u64),
}

/// All entries and what they add up to.
#[derive(Debug, Default)]
pub struct Book {
    entries: Vec<Entry>,
    authorizations: HashMap<String, Authorization>,
    by_reference: HashMap<String, String>,
    by_key: HashMap<String, usize>,
}

impl Book {
    /// All entries, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// An authorization as it stands.
    #[must_use]
    pub fn authorization(&self, id: &str) -> Option<&Authorization> {
        self.authorizations.get(id)
    }

    /// The authorization that a caller's own name stands for.
    #[must_use]
    pub fn by_reference(&self, reference: &str) -> Option<&Authorization> {
        self.authorizations.get(self.by_reference.get(reference)?)
    }

    /// Says what a request leads to; changes nothing. `tried` tells whether a try with this key was lost before.
    #[must_use]
    pub fn decide(&self, ask: Ask<'_>, tried: bool) -> Decision {
        if let Some(entry) = self.by_key.get(ask.key).and_then(|place| self.entries.get(*place)) {
            return if entry.fingerprint == ask.fingerprint {
                Decision::Replay(Box::new(entry.clone()))
            } else {
                Decision::Refuse(Refusal::KeyReused)
            };
        }
        self.draft(&ask, tried).unwrap_or_else(Decision::Refuse)
    }

    fn draft(&self, ask: &Ask<'_>, tried: bool) -> Result<Decision, Refusal> {
        let (subject, operation) = match ask.command {
            Command::Authorize { amount, currency, reference, method } => {
                if self.by_reference.contains_key(reference) {
                    return Err(Refusal::ReferenceInUse);
                }
                let subject = Authorization {
                    id: format!("auth_{}", ask.new_id.simple()),
                    reference: reference.clone(),
                    amount: *amount,
                    currency: currency.clone(),
                    method: method.clone(),
                    status: Status::Authorized,
                    decline_code: None,
                    captured_amount: 0,
                    refunded_amount: 0,
                };
                (subject, Operation::Authorize)
            }
            Command::Capture { id } => (self.standing(id, Status::Authorized)?, Operation::Capture),
            Command::Void { id } => (self.standing(id, Status::Authorized)?, Operation::Void),
            Command::Refund { id, amount } => {
                let subject = self.standing(id, Status::Captured)?;
                if *amount > subject.captured_amount - subject.refunded_amount {
                    return Err(Refusal::OverRefund);
                }
                (Authorization { amount: *amount, ..subject }, Operation::Refund)
            }
        };
        let card = card(&subject.method).ok_or(Refusal::UnknownMethod)?;
        let delivery = match card.loss_of(operation) {
            Some(Loss::Always) => return Ok(Decision::Lose),
            Some(Loss::Before) if !tried => return Ok(Decision::Lose),
            Some(Loss::After) => Delivery::Lost,
            Some(Loss::Before) | None => Delivery::Prompt,
        };
        let reason = card.refusal_of(operation);
        let kind = match (operation, reason) {
            (Operation::Authorize, None) => Kind::Authorized,
            (Operation::Authorize, Some(_)) => Kind::Declined,
            (Operation::Capture, None) => Kind::Captured,
            (Operation::Capture, Some(_)) => Kind::CaptureRefused,
            (Operation::Void, _) => Kind::Voided,
            (Operation::Refund, _) => Kind::Refunded,
        };
        let entry = Entry {
            sequence: self.next_sequence(),
            at: ask.now,
            kind,
            authorization: subject.id,
            reference: subject.reference,
            amount: subject.amount,
            currency: subject.currency,
            method: subject.method,
            key: ask.key.to_owned(),
            fingerprint: ask.fingerprint.to_owned(),
            reason: reason.map(str::to_owned),
            refund: (operation == Operation::Refund).then(|| format!("re_{}", ask.new_id.simple())),
        };
        Ok(Decision::Write(Box::new(entry), delivery))
    }

    fn standing(&self, id: &str, status: Status) -> Result<Authorization, Refusal> {
        let found = self.authorizations.get(id).ok_or(Refusal::NotFound)?;
        if found.status == status { Ok(found.clone()) } else { Err(Refusal::WrongStatus(found.status)) }
    }

    fn next_sequence(&self) -> u64 {
        self.entries.last().map_or(1, |last| last.sequence + 1)
    }

    /// Takes an entry in.
    ///
    /// # Errors
    /// [`Broken`] when it cannot follow the entries before it; nothing has changed then.
    pub fn apply(&mut self, entry: Entry) -> Result<(), Broken> {
        let expected = self.next_sequence();
        if entry.sequence != expected {
            return Err(Broken::Gap { expected, found: entry.sequence });
        }
        if matches!(entry.kind, Kind::Authorized | Kind::Declined) {
            self.open(&entry);
        } else {
            let held = self.authorizations.get_mut(&entry.authorization).ok_or(Broken::Unknown(entry.sequence))?;
            match entry.kind {
                Kind::Captured => {
                    held.status = Status::Captured;
                    held.captured_amount = entry.amount;
                }
                Kind::CaptureRefused => held.status = Status::Failed,
                Kind::Voided => held.status = Status::Voided,
                Kind::Refunded => held.refunded_amount += entry.amount,
                Kind::Authorized | Kind::Declined => {}
            }
        }
        self.by_key.insert(entry.key.clone(), self.entries.len());
        self.entries.push(entry);
        Ok(())
    }

    fn open(&mut self, entry: &Entry) {
        let declined = entry.kind == Kind::Declined;
        self.by_reference.insert(entry.reference.clone(), entry.authorization.clone());
        self.authorizations.insert(
            entry.authorization.clone(),
            Authorization {
                id: entry.authorization.clone(),
                reference: entry.reference.clone(),
                amount: entry.amount,
                currency: entry.currency.clone(),
                method: entry.method.clone(),
                status: if declined { Status::Declined } else { Status::Authorized },
                decline_code: entry.reason.clone(),
                captured_amount: 0,
                refunded_amount: 0,
            },
        );
    }
}

/// A request with all that the decision on it may depend on.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// What is wanted.
    pub command: &'a Command,
    /// The caller's idempotency key.
    pub key: &'a str,
    /// SHA-256 of the command.
    pub fingerprint: &'a str,
    /// The present time.
    pub now: Timestamp,
    /// A fresh id, for what the request may create.
    pub new_id: Uuid,
}

#[cfg(test)]
mod tests;

//! The rules of the provider and the state that its ledger adds up to. Pure: no I/O, no clock, no HTTP.
//!
//! Every change is one [`Entry`]. [`Book::decide`] says what a request leads to without changing anything;
//! [`Book::apply`] takes an entry in, at start (replay) and at run time alike, so that both always agree.

use std::collections::HashMap;

use jiff::Timestamp;
use uuid::Uuid;

use crate::cards::{Card, Mishap, card};

mod keys;
mod words;

pub use keys::Saved;
pub use words::{Authorization, Command, Entry, Kind, Refund, Status};

/// Why a request changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The key was used for another request.
    #[error("this Idempotency-Key was used for another request")]
    KeyReused,
    /// A request with this key is being worked on.
    #[error("a request with this Idempotency-Key is being worked on")]
    KeyInUse,
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

impl Refusal {
    /// Whether it is the result of an execution, which stands under the key of its request; what is refused before that is
    /// judged afresh the next time.
    #[must_use]
    pub const fn is_result(&self) -> bool {
        match self {
            Self::NotFound | Self::WrongStatus(_) | Self::OverRefund => true,
            Self::KeyReused | Self::KeyInUse | Self::UnknownMethod => false,
        }
    }
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
    /// Authorizations and places of entries by the caller's own name.
    by_reference: HashMap<String, Named>,
    keys: keys::Keys,
}

#[derive(Debug, Default)]
struct Named {
    authorizations: Vec<String>,
    entries: Vec<usize>,
}

impl Book {
    /// All entries, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries about a reference, oldest first.
    pub fn entries_of(&self, reference: &str) -> impl Iterator<Item = &Entry> {
        let places = self.by_reference.get(reference).map(|named| named.entries.as_slice()).unwrap_or_default();
        places.iter().filter_map(|place| self.entries.get(*place))
    }

    /// An authorization as it stands.
    #[must_use]
    pub fn authorization(&self, id: &str) -> Option<&Authorization> {
        self.authorizations.get(id)
    }

    /// The authorizations that a caller's own name stands for, oldest first.
    pub fn by_reference(&self, reference: &str) -> impl Iterator<Item = &Authorization> {
        let ids = self.by_reference.get(reference).map(|named| named.authorizations.as_slice()).unwrap_or_default();
        ids.iter().filter_map(|id| self.authorizations.get(id))
    }

    /// The reference that a request is about; none for an authorization that does not exist.
    #[must_use]
    pub fn reference<'b>(&'b self, command: &'b Command) -> Option<&'b str> {
        match command {
            Command::Authorize { reference, .. } => Some(reference),
            Command::Capture { id }
            | Command::Void { id }
            | Command::Refund { id, .. }
            | Command::Confirm { id }
            | Command::Refuse { id } => Some(&self.authorizations.get(id)?.reference),
        }
    }

    /// What goes wrong with a request because of its card; `tried` tells whether that has happened under its key before.
    #[must_use]
    pub fn mishap(&self, command: &Command, tried: bool) -> Option<Mishap> {
        let method = match command {
            Command::Authorize { method, .. } => method,
            Command::Capture { id }
            | Command::Void { id }
            | Command::Refund { id, .. }
            | Command::Confirm { id }
            | Command::Refuse { id } => &self.authorizations.get(id)?.method,
        };
        card(method)?.mishap_of(command.operation()?, tried)
    }

    /// What stands under the key of a request.
    ///
    /// # Errors
    /// [`Refusal::KeyReused`] when it was used for another request.
    pub fn saved(&self, ask: &Ask<'_>) -> Result<Option<&Saved>, Refusal> {
        self.keys.find(ask)
    }

    /// Saves the result of a request that wrote no entry, or whose entry is not its answer.
    pub fn save(&mut self, ask: &Ask<'_>, saved: Saved) {
        self.keys.save(ask.key, ask.fingerprint, ask.now, saved);
    }

    /// Says what a request leads to when it is executed; changes nothing.
    ///
    /// # Errors
    /// [`Refusal`] when it changes nothing.
    pub fn decide(&self, ask: &Ask<'_>) -> Result<Entry, Refusal> {
        let (subject, kind, reason) = self.judge(ask)?;
        let (refund, refund_reference) = match ask.command {
            Command::Refund { reference, .. } => (Some(format!("re_{}", ask.new_id.simple())), reference.clone()),
            Command::Authorize { .. }
            | Command::Capture { .. }
            | Command::Void { .. }
            | Command::Confirm { .. }
            | Command::Refuse { .. } => (None, None),
        };
        Ok(Entry {
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
            refund,
            refund_reference,
        })
    }

    /// What a request is about, what happens to that, and the bank's word for it.
    fn judge(&self, ask: &Ask<'_>) -> Result<(Authorization, Kind, Option<&'static str>), Refusal> {
        Ok(match ask.command {
            Command::Authorize { amount, currency, reference, method } => {
                let card = card(method).ok_or(Refusal::UnknownMethod)?;
                let (kind, reason) = open(card);
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
                    refunds: Vec::new(),
                };
                (subject, kind, reason)
            }
            Command::Capture { id } => {
                let subject = self.standing(id, Status::Authorized)?;
                let reason = card(&subject.method).and_then(|card| card.capture_refusal);
                (subject, if reason.is_some() { Kind::CaptureRefused } else { Kind::Captured }, reason)
            }
            Command::Void { id } => match self.standing(id, Status::RequiresAction) {
                Ok(subject) => (subject, Kind::Cancelled, None),
                Err(_) => (self.standing(id, Status::Authorized)?, Kind::Voided, None),
            },
            Command::Refund { id, amount, .. } => {
                let subject = self.standing(id, Status::Captured)?;
                if *amount > subject.captured_amount - subject.refunded_amount {
                    return Err(Refusal::OverRefund);
                }
                (Authorization { amount: *amount, ..subject }, Kind::Refunded, None)
            }
            Command::Confirm { id } => (self.standing(id, Status::RequiresAction)?, Kind::Authorized, None),
            Command::Refuse { id } => {
                (self.standing(id, Status::RequiresAction)?, Kind::Declined, Some("action_refused"))
            }
        })
    }

    fn standing(&self, id: &str, status: Status) -> Result<Authorization, Refusal> {
        let found = self.authorizations.get(id).ok_or(Refusal::NotFound)?;
        if found.status == status { Ok(found.clone()) } else { Err(Refusal::WrongStatus(found.status)) }
    }

    fn next_sequence(&self) -> u64 {
        self.entries.last().map_or(1, |last| last.sequence + 1)
    }

    /// Takes an entry in and saves it under its key.
    ///
    /// # Errors
    /// [`Broken`] when it cannot follow the entries before it; nothing has changed then.
    pub fn apply(&mut self, entry: Entry) -> Result<(), Broken> {
        let expected = self.next_sequence();
        if entry.sequence != expected {
            return Err(Broken::Gap { expected, found: entry.sequence });
        }
        match self.authorizations.get_mut(&entry.authorization) {
            Some(known) => change(known, &entry),
            None if matches!(entry.kind, Kind::RequiresAction | Kind::Authorized | Kind::Declined) => self.add(&entry),
            None => return Err(Broken::Unknown(entry.sequence)),
        }
        let place = self.entries.len();
        self.by_reference.entry(entry.reference.clone()).or_default().entries.push(place);
        self.keys.save(&entry.key, &entry.fingerprint, entry.at, Saved::Entry(place));
        self.entries.push(entry);
        Ok(())
    }

    fn add(&mut self, entry: &Entry) {
        let mut new = Authorization {
            id: entry.authorization.clone(),
            reference: entry.reference.clone(),
            amount: entry.amount,
            currency: entry.currency.clone(),
            method: entry.method.clone(),
            status: Status::RequiresAction,
            decline_code: None,
            captured_amount: 0,
            refunded_amount: 0,
            refunds: Vec::new(),
        };
        change(&mut new, entry);
        self.by_reference.entry(entry.reference.clone()).or_default().authorizations.push(new.id.clone());
        self.authorizations.insert(new.id.clone(), new);
    }
}

/// What becomes of a new hold on a card.
const fn open(card: &Card) -> (Kind, Option<&'static str>) {
    match card.authorize_refusal {
        Some(reason) => (Kind::Declined, Some(reason)),
        None if card.needs_action => (Kind::RequiresAction, None),
        None => (Kind::Authorized, None),
    }
}

/// What an entry does to its authorization.
fn change(subject: &mut Authorization, entry: &Entry) {
    match entry.kind {
        Kind::RequiresAction => subject.status = Status::RequiresAction,
        Kind::Authorized => subject.status = Status::Authorized,
        Kind::Declined => {
            subject.status = Status::Declined;
            subject.decline_code.clone_from(&entry.reason);
        }
        Kind::Captured => {
            subject.status = Status::Captured;
            subject.captured_amount = entry.amount;
        }
        Kind::CaptureRefused => subject.status = Status::Failed,
        Kind::Voided => subject.status = Status::Voided,
        Kind::Cancelled => subject.status = Status::Cancelled,
        Kind::Refunded => {
            subject.refunded_amount += entry.amount;
            let id = entry.refund.clone().unwrap_or_default();
            subject.refunds.push(Refund { id, amount: entry.amount, reference: entry.refund_reference.clone() });
        }
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

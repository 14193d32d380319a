//! The rules of the provider and the state that its ledger adds up to. No clock, no HTTP, and of I/O only reading and writing
//! the ledger.
//!
//! Every change is one [`Entry`]. [`Book::decide`] says what a request leads to without changing anything;
//! [`Book::apply`] takes an entry in, at start (replay) and at run time alike, so that both always agree.
//!
//! Invariant: memory holds where the entries stand and not what they say, so that it does not end before the disk does. What is
//! asked is read back, and an authorization is what its entries add up to.

use std::io;
use std::path::Path;

use jiff::Timestamp;
use uuid::Uuid;

use crate::cards::{Mishap, card};
use crate::ledger::{self, Ledger};

mod index;
mod keys;
mod rules;
mod words;

use index::{By, Index};
pub use keys::Saved;
use rules::{Judged, add_up, judge};
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
    ledger: Ledger,
    /// Applied, and not in the ledger yet.
    fresh: Vec<Entry>,
    index: Index,
    /// When the last entry was made.
    last: Option<Timestamp>,
    keys: keys::Keys,
}

impl Book {
    /// Opens (or makes) the ledger in a file and reads what it holds.
    ///
    /// # Errors
    /// [`ledger::Error`].
    pub fn open(path: &Path) -> Result<Self, ledger::Error> {
        let mut book = Self::default();
        book.ledger = Ledger::open(path, |entry| book.take_in(&entry))?;
        Ok(book)
    }

    /// A book of an empty ledger.
    #[must_use]
    pub fn of(ledger: Ledger) -> Self {
        Self { ledger, ..Self::default() }
    }

    /// Writes what was applied since the last time, and gives it; when this returns, it survives a power cut.
    ///
    /// # Errors
    /// The ledger cannot be written: what is in it is unknown then.
    pub fn write(&mut self) -> io::Result<Vec<Entry>> {
        if !self.fresh.is_empty() {
            self.ledger.append(&self.fresh)?;
        }
        Ok(std::mem::take(&mut self.fresh))
    }

    /// What was applied and is not written yet, oldest first.
    #[must_use]
    pub fn fresh(&self) -> &[Entry] {
        &self.fresh
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// When the last entry was made.
    #[must_use]
    pub const fn last(&self) -> Option<Timestamp> {
        self.last
    }

    /// Entries from a place on, counted from 0, oldest first: at most so many.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn entries(&self, first: usize, limit: usize) -> io::Result<Vec<Entry>> {
        let end = first.saturating_add(limit).min(self.len());
        let mut entries = self.ledger.read(first..end)?;
        let written = self.ledger.len();
        let first = first.max(written);
        if first < end {
            entries.extend(self.fresh.iter().skip(first - written).take(end - first).cloned());
        }
        Ok(entries)
    }

    /// The place of the first entry of a time or later.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn first_since(&self, time: Timestamp) -> io::Result<usize> {
        // Times never go back.
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            let earlier = self.entries(middle, 1)?.first().is_some_and(|entry| entry.at < time);
            (low, high) = if earlier { (middle + 1, high) } else { (low, middle) };
        }
        Ok(low)
    }

    /// The entries about a reference, oldest first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn entries_of(&self, reference: &str) -> io::Result<Vec<Entry>> {
        self.find(By::Reference, reference, |entry| &entry.reference)
    }

    /// An authorization as it stands.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn authorization(&self, id: &str) -> io::Result<Option<Authorization>> {
        let entries = self.find(By::Authorization, id, |entry| &entry.authorization)?;
        Ok(add_up(&entries).pop())
    }

    /// The authorizations that a caller's own name stands for, oldest first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn by_reference(&self, reference: &str) -> io::Result<Vec<Authorization>> {
        Ok(add_up(&self.entries_of(reference)?))
    }

    fn find(&self, by: By, name: &str, of: fn(&Entry) -> &str) -> io::Result<Vec<Entry>> {
        let mut found = Vec::new();
        for place in self.index.places(by, name) {
            found.extend(self.entries(place, 1)?.pop().filter(|entry| of(entry) == name));
        }
        found.reverse();
        Ok(found)
    }

    /// The authorization that a request is about; none for one that does not exist, or not yet.
    fn subject(&self, command: &Command) -> io::Result<Option<Authorization>> {
        match command {
            Command::Authorize { .. } => Ok(None),
            Command::Capture { id }
            | Command::Void { id }
            | Command::Refund { id, .. }
            | Command::Confirm { id }
            | Command::Refuse { id } => self.authorization(id),
        }
    }

    /// The reference that a request is about; none for an authorization that does not exist.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn reference(&self, command: &Command) -> io::Result<Option<String>> {
        if let Command::Authorize { reference, .. } = command {
            return Ok(Some(reference.clone()));
        }
        Ok(self.subject(command)?.map(|subject| subject.reference))
    }

    /// What goes wrong with a request because of its card; `tried` tells whether that has happened under its key before.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn mishap(&self, command: &Command, tried: bool) -> io::Result<Option<Mishap>> {
        let Some(operation) = command.operation() else { return Ok(None) };
        let method = if let Command::Authorize { method, .. } = command {
            Some(method.clone())
        } else {
            self.subject(command)?.map(|subject| subject.method)
        };
        Ok(method.and_then(|method| card(&method)?.mishap_of(operation, tried)))
    }

    /// What stands under the key of a request; [`Refusal::KeyReused`] when it was used for another request.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn saved(&self, ask: &Ask<'_>) -> io::Result<Result<Option<Saved>, Refusal>> {
        match self.keys.find(ask) {
            Ok(None) => {}
            Ok(Some(saved)) => return Ok(Ok(Some(saved.clone()))),
            Err(reused) => return Ok(Err(reused)),
        }
        for place in self.index.places(By::Key, ask.key) {
            if let Some(entry) = self.entries(place, 1)?.pop().filter(|entry| entry.key == ask.key) {
                return Ok(keys::find_in(entry, ask));
            }
        }
        Ok(Ok(None))
    }

    /// Saves the result of a request that wrote no entry, or whose entry is not its answer.
    pub fn save(&mut self, ask: &Ask<'_>, saved: Saved) {
        self.keys.save(ask.key, ask.fingerprint, ask.now, saved);
    }

    /// Says what a request leads to when it is executed, or why it changes nothing; changes nothing itself.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn decide(&self, ask: &Ask<'_>) -> io::Result<Result<Entry, Refusal>> {
        let subject = self.subject(ask.command)?;
        Ok(judge(ask, subject.as_ref()).map(|judged| self.entry(ask, judged)))
    }

    fn entry(&self, ask: &Ask<'_>, (subject, kind, reason): Judged) -> Entry {
        let (refund, refund_reference) = match ask.command {
            Command::Refund { reference, .. } => (Some(format!("re_{}", ask.new_id.simple())), reference.clone()),
            Command::Authorize { .. }
            | Command::Capture { .. }
            | Command::Void { .. }
            | Command::Confirm { .. }
            | Command::Refuse { .. } => (None, None),
        };
        Entry {
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
        }
    }

    fn next_sequence(&self) -> u64 {
        u64::try_from(self.len()).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// Takes an entry in; it stands under its key then.
    ///
    /// # Errors
    /// [`Broken`] when it cannot follow the entries before it; nothing has changed then.
    pub fn apply(&mut self, entry: Entry) -> Result<(), Broken> {
        self.take_in(&entry)?;
        self.fresh.push(entry);
        Ok(())
    }

    fn take_in(&mut self, entry: &Entry) -> Result<(), Broken> {
        let expected = self.next_sequence();
        if entry.sequence != expected {
            return Err(Broken::Gap { expected, found: entry.sequence });
        }
        let opens = matches!(entry.kind, Kind::RequiresAction | Kind::Authorized | Kind::Declined);
        // By its hash alone: reading each one back would make every start slow.
        if !opens && self.index.places(By::Authorization, &entry.authorization).next().is_none() {
            return Err(Broken::Unknown(entry.sequence));
        }
        self.index.add(entry);
        self.last = Some(entry.at);
        Ok(())
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

//! What became of idempotency keys: the result of a request stands under its key from its execution on, refusals too. Here are
//! the results that left no entry; one that did is found by the key in the entry.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::{Ask, Entry, Refusal};

/// How long a key is remembered.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// What stands under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saved {
    /// An entry.
    Entry(Box<Entry>),
    /// A refusal.
    Refused(Refusal),
    /// An error of ours; what was applied before it stays applied.
    Broken,
}

#[derive(Debug)]
struct Line {
    fingerprint: String,
    at: Timestamp,
    saved: Saved,
}

/// All keys.
#[derive(Debug, Default)]
pub(super) struct Keys {
    lines: HashMap<String, Line>,
    swept: Option<Timestamp>,
}

impl Keys {
    /// What stands under the key of a request, if it was used within 24 h.
    ///
    /// # Errors
    /// [`Refusal::KeyReused`] when it was used for another request.
    pub(super) fn find(&self, ask: &Ask<'_>) -> Result<Option<&Saved>, Refusal> {
        let line = self.lines.get(ask.key).filter(|line| is_kept(line.at, ask.now));
        line.map(|line| same(ask, &line.fingerprint).map(|()| &line.saved)).transpose()
    }

    /// Saves the result of a request; a later one under the same key takes its place.
    pub(super) fn save(&mut self, key: &str, fingerprint: &str, at: Timestamp, saved: Saved) {
        self.lines.insert(key.to_owned(), Line { fingerprint: fingerprint.to_owned(), at, saved });
        if self.swept.is_none_or(|swept| !is_kept(swept, at)) {
            self.lines.retain(|_, line| is_kept(line.at, at));
            self.swept = Some(at);
        }
    }
}

/// What an entry under the key of a request says to that.
///
/// # Errors
/// [`Refusal::KeyReused`] when it was used for another request.
pub(super) fn find_in(entry: Entry, ask: &Ask<'_>) -> Result<Option<Saved>, Refusal> {
    if !is_kept(entry.at, ask.now) {
        return Ok(None);
    }
    same(ask, &entry.fingerprint)?;
    Ok(Some(Saved::Entry(Box::new(entry))))
}

fn same(ask: &Ask<'_>, fingerprint: &str) -> Result<(), Refusal> {
    if fingerprint == ask.fingerprint { Ok(()) } else { Err(Refusal::KeyReused) }
}

fn is_kept(at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(at) < KEPT
}

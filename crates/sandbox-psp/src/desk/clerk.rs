//! Who works at the desk: one request after the other, and what goes wrong with it.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::{Change, Outcome, Reply, Request, Span, Travel};
use crate::book::{Ask, Book, Entry, Refusal, Saved};
use crate::cards::Mishap;
use crate::faults::Faults;
use crate::webhooks::{Dispatch, Event};

/// Requests that share one write.
const SHARED: usize = 256;

pub(super) struct Clerk {
    book: Book,
    dispatch: Dispatch,
    faults: Faults,
    /// Keys with which a card has had its mishap. Not in the ledger, since nothing was applied.
    tried: HashSet<String>,
    /// Keys of slow requests that are being worked on.
    in_use: HashSet<String>,
    clock: Clock,
}

/// Tells one caller.
type Answer = Box<dyn FnOnce() + Send>;

impl Clerk {
    pub(super) fn new(book: Book, dispatch: Dispatch) -> Self {
        let clock = Clock { ahead: SignedDuration::ZERO, last: book.last() };
        let (tried, in_use) = (HashSet::new(), HashSet::new());
        Self { book, dispatch, faults: Faults::default(), tried, in_use, clock }
    }

    pub(super) fn work(mut self, mut queue: mpsc::Receiver<Request>) -> anyhow::Result<()> {
        let mut turn = Vec::with_capacity(SHARED);
        while queue.blocking_recv_many(&mut turn, SHARED) > 0 {
            let mut answers: Vec<Answer> = Vec::with_capacity(turn.len());
            for request in turn.drain(..) {
                answers.push(self.handle(request)?);
            }
            let written = self.book.write().context("failed to write the ledger")?;
            for answer in answers {
                answer();
            }
            for entry in written {
                let fate = self.dispatch.is_wanted().then(|| self.faults.take_delivery()).flatten();
                let id = Clock::new_id();
                self.dispatch.send(Event::of(entry, id), fate);
            }
        }
        Ok(())
    }

    /// Handles one request; the returned closure tells its caller, once what was written is durable.
    fn handle(&mut self, request: Request) -> anyhow::Result<Answer> {
        Ok(match request {
            Request::Change(change, answer) => tell(answer, self.take_in(change)?),
            Request::Resume(change, answer) => {
                self.in_use.remove(&change.key);
                tell(answer, self.execute(change, None)?)
            }
            Request::GiveUp(key, answer) => {
                self.in_use.remove(&key);
                tell(answer, ())
            }
            Request::Find(id, answer) => tell(answer, self.book.authorization(&id)?),
            Request::FindByReference(reference, answer) => tell(answer, self.book.by_reference(&reference)?),
            Request::Entries(span, answer) => tell(answer, read(&self.book, &span)?),
            Request::Order(ordered, answer) => {
                self.faults.order(ordered);
                tell(answer, ())
            }
            Request::OrderDelivery(ordered, answer) => {
                self.faults.order_delivery(ordered);
                tell(answer, ())
            }
            Request::Faults(answer) => tell(answer, self.faults.clone()),
            Request::ClearFaults(answer) => {
                self.faults = Faults::default();
                tell(answer, ())
            }
            Request::Advance(by, answer) => {
                self.clock.ahead = self.clock.ahead.saturating_add(by);
                tell(answer, self.clock.now())
            }
        })
    }

    fn take_in(&mut self, change: Change) -> anyhow::Result<Outcome> {
        let operation = change.command.operation();
        let ordered = match operation {
            Some(operation) => {
                let reference = self.book.reference(&change.command)?.unwrap_or_default();
                self.faults.take(operation, &reference)
            }
            None => None,
        };
        match ordered {
            Some(Mishap::TimeoutBefore) => return Ok(Outcome::Lost),
            Some(Mishap::ErrorBefore) => return Ok(Outcome::Answered(Reply::Broken, Travel::Prompt)),
            Some(Mishap::TimeoutAfter | Mishap::ErrorAfter | Mishap::Slow(_)) | None => {}
        }
        // What was written in this turn is not durable yet: its request is still being worked on.
        let in_use = self.in_use.contains(&change.key) || self.book.fresh().iter().any(|entry| entry.key == change.key);
        if in_use {
            return Ok(Outcome::Answered(Reply::Refused(Refusal::KeyInUse), Travel::Prompt));
        }
        if let Some(Mishap::Slow(milliseconds)) = ordered {
            self.in_use.insert(change.key);
            return Ok(Outcome::Slow(Duration::from_millis(milliseconds)));
        }
        self.execute(change, ordered)
    }

    fn execute(&mut self, change: Change, ordered: Option<Mishap>) -> anyhow::Result<Outcome> {
        let Change { command, key, fingerprint } = change;
        let ask = Ask {
            command: &command,
            key: &key,
            fingerprint: &fingerprint,
            now: self.clock.now(),
            new_id: Clock::new_id(),
        };
        let travel = if ordered == Some(Mishap::TimeoutAfter) { Travel::Lost } else { Travel::Prompt };
        match self.book.saved(&ask)? {
            Err(refusal) => return Ok(Outcome::Answered(Reply::Refused(refusal), travel)),
            Ok(Some(saved)) => return Ok(Outcome::Answered(reply(saved), travel)),
            Ok(None) => {}
        }
        let mishap = match ordered {
            Some(ordered) => Some(ordered),
            None => self.book.mishap(&command, self.tried.contains(&key))?,
        };
        if mishap.is_some() && ordered.is_none() {
            self.tried.insert(key.clone());
        }
        match mishap {
            Some(Mishap::TimeoutBefore) => return Ok(Outcome::Lost),
            Some(Mishap::ErrorBefore) => return Ok(Outcome::Answered(Reply::Broken, Travel::Prompt)),
            Some(Mishap::TimeoutAfter | Mishap::ErrorAfter | Mishap::Slow(_)) | None => {}
        }
        let reply = match self.book.decide(&ask)? {
            Ok(entry) => {
                self.book.apply(entry.clone()).context("the book refused its own entry")?;
                Reply::Entry(Box::new(entry))
            }
            Err(refusal) => {
                if refusal.is_result() {
                    self.book.save(&ask, Saved::Refused(refusal.clone()));
                }
                Reply::Refused(refusal)
            }
        };
        Ok(match mishap {
            Some(Mishap::ErrorAfter) => {
                self.book.save(&ask, Saved::Broken);
                Outcome::Answered(Reply::Broken, Travel::Prompt)
            }
            Some(Mishap::TimeoutAfter) => Outcome::Answered(reply, Travel::Lost),
            Some(Mishap::TimeoutBefore | Mishap::ErrorBefore | Mishap::Slow(_)) | None => {
                Outcome::Answered(reply, Travel::Prompt)
            }
        })
    }
}

fn reply(saved: Saved) -> Reply {
    match saved {
        Saved::Entry(entry) => Reply::Entry(entry),
        Saved::Refused(refusal) => Reply::Refused(refusal),
        Saved::Broken => Reply::Broken,
    }
}

fn read(book: &Book, span: &Span) -> std::io::Result<Vec<Entry>> {
    let wanted = |entry: &Entry| entry.sequence > span.after && span.since.is_none_or(|since| entry.at >= since);
    if let Some(reference) = &span.reference {
        return Ok(book.entries_of(reference)?.into_iter().filter(wanted).take(span.limit).collect());
    }
    // Sequence numbers have no gaps and start at 1, so the entry after number n stands at place n.
    let after = usize::try_from(span.after).unwrap_or(usize::MAX);
    let first = span.since.map(|since| book.first_since(since)).transpose()?.unwrap_or(0);
    book.entries(after.max(first), span.limit)
}

fn tell<T: Send + 'static>(answer: oneshot::Sender<T>, value: T) -> Answer {
    Box::new(move || {
        if answer.send(value).is_err() {
            tracing::debug!("A caller left before its answer");
        }
    })
}

/// The provider's own clock: it never goes back, and tests put it forward.
struct Clock {
    ahead: SignedDuration,
    last: Option<Timestamp>,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the provider is a stranger to the shop and has its own clock")]
    fn now(&mut self) -> Timestamp {
        let now = Timestamp::now().saturating_add(self.ahead).unwrap_or(Timestamp::MAX);
        let now = self.last.map_or(now, |last| now.max(last));
        self.last = Some(now);
        now
    }

    #[expect(clippy::disallowed_methods, reason = "the provider is a stranger to the shop and makes its own ids")]
    fn new_id() -> Uuid {
        Uuid::now_v7()
    }
}

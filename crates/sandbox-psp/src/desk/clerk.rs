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
use crate::ledger::Ledger;
use crate::webhooks::{Dispatch, Event};

/// Requests that share one write.
const SHARED: usize = 256;

pub(super) struct Clerk {
    book: Book,
    ledger: Ledger,
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
    pub(super) fn new(book: Book, ledger: Ledger, dispatch: Dispatch) -> Self {
        let clock = Clock { ahead: SignedDuration::ZERO, last: book.entries().last().map(|entry| entry.at) };
        let (tried, in_use) = (HashSet::new(), HashSet::new());
        Self { book, ledger, dispatch, faults: Faults::default(), tried, in_use, clock }
    }

    pub(super) fn work(mut self, mut queue: mpsc::Receiver<Request>) -> anyhow::Result<()> {
        let mut turn = Vec::with_capacity(SHARED);
        while queue.blocking_recv_many(&mut turn, SHARED) > 0 {
            let mut written = Vec::new();
            let mut answers: Vec<Answer> = Vec::with_capacity(turn.len());
            for request in turn.drain(..) {
                answers.push(self.handle(request, &mut written)?);
            }
            if !written.is_empty() {
                self.ledger.append(&written).context("failed to write the ledger")?;
            }
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
    fn handle(&mut self, request: Request, written: &mut Vec<Entry>) -> anyhow::Result<Answer> {
        Ok(match request {
            Request::Change(change, answer) => tell(answer, self.take_in(change, written)?),
            Request::Resume(change, answer) => {
                self.in_use.remove(&change.key);
                tell(answer, self.execute(change, None, written)?)
            }
            Request::GiveUp(key, answer) => {
                self.in_use.remove(&key);
                tell(answer, ())
            }
            Request::Find(id, answer) => tell(answer, self.book.authorization(&id).cloned()),
            Request::FindByReference(reference, answer) => {
                tell(answer, self.book.by_reference(&reference).cloned().collect())
            }
            Request::Entries(span, answer) => tell(answer, read(&self.book, &span)),
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

    fn take_in(&mut self, change: Change, written: &mut Vec<Entry>) -> anyhow::Result<Outcome> {
        let operation = change.command.operation();
        let ordered = operation.and_then(|operation| {
            let reference = self.book.reference(&change.command).unwrap_or_default();
            self.faults.take(operation, reference)
        });
        match ordered {
            Some(Mishap::TimeoutBefore) => return Ok(Outcome::Lost),
            Some(Mishap::ErrorBefore) => return Ok(Outcome::Answered(Reply::Broken, Travel::Prompt)),
            Some(Mishap::TimeoutAfter | Mishap::ErrorAfter | Mishap::Slow(_)) | None => {}
        }
        // What was written in this turn is not durable yet: its request is still being worked on.
        let in_use = self.in_use.contains(&change.key) || written.iter().any(|entry| entry.key == change.key);
        if in_use {
            return Ok(Outcome::Answered(Reply::Refused(Refusal::KeyInUse), Travel::Prompt));
        }
        if let Some(Mishap::Slow(milliseconds)) = ordered {
            self.in_use.insert(change.key);
            return Ok(Outcome::Slow(Duration::from_millis(milliseconds)));
        }
        self.execute(change, ordered, written)
    }

    fn execute(
        &mut self,
        change: Change,
        ordered: Option<Mishap>,
        written: &mut Vec<Entry>,
    ) -> anyhow::Result<Outcome> {
        let Change { command, key, fingerprint } = change;
        let ask = Ask {
            command: &command,
            key: &key,
            fingerprint: &fingerprint,
            now: self.clock.now(),
            new_id: Clock::new_id(),
        };
        let travel = if ordered == Some(Mishap::TimeoutAfter) { Travel::Lost } else { Travel::Prompt };
        match self.book.saved(&ask) {
            Err(refusal) => return Ok(Outcome::Answered(Reply::Refused(refusal), travel)),
            Ok(Some(saved)) => return Ok(Outcome::Answered(reply(&self.book, saved), travel)),
            Ok(None) => {}
        }
        let mishap = ordered.or_else(|| self.book.mishap(&command, self.tried.contains(&key)));
        if mishap.is_some() && ordered.is_none() {
            self.tried.insert(key.clone());
        }
        match mishap {
            Some(Mishap::TimeoutBefore) => return Ok(Outcome::Lost),
            Some(Mishap::ErrorBefore) => return Ok(Outcome::Answered(Reply::Broken, Travel::Prompt)),
            Some(Mishap::TimeoutAfter | Mishap::ErrorAfter | Mishap::Slow(_)) | None => {}
        }
        let reply = match self.book.decide(&ask) {
            Ok(entry) => {
                self.book.apply(entry.clone()).context("the book refused its own entry")?;
                written.push(entry.clone());
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

fn reply(book: &Book, saved: &Saved) -> Reply {
    match saved {
        Saved::Entry(place) => {
            book.entries().get(*place).map_or(Reply::Broken, |entry| Reply::Entry(Box::new(entry.clone())))
        }
        Saved::Refused(refusal) => Reply::Refused(refusal.clone()),
        Saved::Broken => Reply::Broken,
    }
}

fn read(book: &Book, span: &Span) -> Vec<Entry> {
    let wanted = |entry: &&Entry| entry.sequence > span.after && span.since.is_none_or(|since| entry.at >= since);
    if let Some(reference) = &span.reference {
        return book.entries_of(reference).filter(wanted).take(span.limit).cloned().collect();
    }
    // Sequence numbers have no gaps and start at 1, so the entry after number n stands at place n; times never go back.
    let after = usize::try_from(span.after).unwrap_or(usize::MAX);
    let first = span.since.map_or(0, |since| book.entries().partition_point(|entry| entry.at < since));
    book.entries().iter().skip(after.max(first)).take(span.limit).cloned().collect()
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

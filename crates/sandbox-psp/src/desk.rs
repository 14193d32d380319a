//! The one thread that changes the book: takes requests in turn, writes what they lead to, and answers once it is durable.
//!
//! Requests that wait while a write is under way share the next one. When the ledger cannot be written, the desk closes
//! for good: what is on disk is unknown then, and a restart reads the truth.

use std::collections::HashSet;

use anyhow::Context as _;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::book::{Ask, Authorization, Book, Command, Decision, Delivery, Entry, Refusal};
use crate::ledger::Ledger;

/// Requests that may wait; more are refused at once.
const QUEUE: usize = 4096;
/// Requests that share one write.
const SHARED: usize = 256;

/// Handle of the desk, for every connection.
#[derive(Debug, Clone)]
pub struct Desk {
    requests: mpsc::Sender<Request>,
}

/// A change that a caller asks for.
#[derive(Debug, Clone)]
pub struct Change {
    /// What is wanted.
    pub command: Command,
    /// The caller's idempotency key.
    pub key: String,
    /// SHA-256 of the command.
    pub fingerprint: String,
}

/// How a change ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The entry stands in the ledger; it was written now or under the same key before.
    Done(Box<Entry>, Delivery),
    /// The try gets lost and nothing was applied.
    Lost,
    /// Nothing has changed.
    Refused(Refusal),
}

/// Which part of the ledger to read.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Entries after this sequence number.
    pub after: u64,
    /// At most so many.
    pub limit: usize,
}

enum Request {
    Change(Change, oneshot::Sender<Outcome>),
    Find(String, oneshot::Sender<Option<Authorization>>),
    FindByReference(String, oneshot::Sender<Option<Authorization>>),
    Entries(Span, oneshot::Sender<Vec<Entry>>),
}

/// The desk is closed or has no room; the request may be repeated with the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the provider cannot take requests now")]
pub struct Closed;

impl Desk {
    /// Opens the desk. `closed` is cancelled when the ledger cannot be written any more.
    #[must_use]
    pub fn open(book: Book, ledger: Ledger, closed: CancellationToken) -> (Self, tokio::task::JoinHandle<()>) {
        let (requests, queue) = mpsc::channel(QUEUE);
        let clerk = Clerk { book, ledger, lost: HashSet::new() };
        let thread = tokio::task::spawn_blocking(move || {
            if let Err(error) = clerk.work(queue) {
                tracing::error!(error = format!("{error:#}"), "The ledger cannot be kept: the desk closes");
                closed.cancel();
            }
        });
        (Self { requests }, thread)
    }

    /// Makes a change; when this returns, its entry is durable.
    ///
    /// # Errors
    /// [`Closed`]: whether the change was made is unknown.
    pub async fn change(&self, change: Change) -> Result<Outcome, Closed> {
        self.ask(|answer| Request::Change(change, answer)).await
    }

    /// An authorization by its id.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn find(&self, id: String) -> Result<Option<Authorization>, Closed> {
        self.ask(|answer| Request::Find(id, answer)).await
    }

    /// An authorization by the caller's own name for it.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn find_by_reference(&self, reference: String) -> Result<Option<Authorization>, Closed> {
        self.ask(|answer| Request::FindByReference(reference, answer)).await
    }

    /// A part of the ledger, oldest entry first.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn entries(&self, span: Span) -> Result<Vec<Entry>, Closed> {
        self.ask(|answer| Request::Entries(span, answer)).await
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, Closed> {
        let (answer, answered) = oneshot::channel();
        self.requests.try_send(request(answer)).map_err(|_| Closed)?;
        answered.await.map_err(|_| Closed)
    }
}

struct Clerk {
    book: Book,
    ledger: Ledger,
    /// Keys whose first try was lost on the way in. Not in the ledger, since nothing was applied.
    lost: HashSet<String>,
}

impl Clerk {
    fn work(mut self, mut queue: mpsc::Receiver<Request>) -> anyhow::Result<()> {
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
        }
        Ok(())
    }

    /// Handles one request; the returned closure tells its caller, once what was written is durable.
    fn handle(&mut self, request: Request, written: &mut Vec<Entry>) -> anyhow::Result<Answer> {
        Ok(match request {
            Request::Change(change, answer) => tell(answer, self.change(change, written)?),
            Request::Find(id, answer) => tell(answer, self.book.authorization(&id).cloned()),
            Request::FindByReference(reference, answer) => tell(answer, self.book.by_reference(&reference).cloned()),
            Request::Entries(span, answer) => {
                // Sequence numbers have no gaps and start at 1, so the entry after number n stands at place n.
                let first = usize::try_from(span.after).unwrap_or(usize::MAX);
                tell(answer, self.book.entries().iter().skip(first).take(span.limit).cloned().collect())
            }
        })
    }

    fn change(&mut self, change: Change, written: &mut Vec<Entry>) -> anyhow::Result<Outcome> {
        let Change { command, key, fingerprint } = change;
        let (now, new_id) = stamp();
        let ask = Ask { command: &command, key: &key, fingerprint: &fingerprint, now, new_id };
        Ok(match self.book.decide(ask, self.lost.contains(&key)) {
            Decision::Refuse(refusal) => Outcome::Refused(refusal),
            Decision::Replay(entry) => Outcome::Done(entry, Delivery::Prompt),
            Decision::Lose => {
                self.lost.insert(key);
                Outcome::Lost
            }
            Decision::Write(entry, delivery) => {
                self.book.apply(Entry::clone(&entry)).context("the book refused its own entry")?;
                written.push(Entry::clone(&entry));
                self.lost.remove(&key);
                Outcome::Done(entry, delivery)
            }
        })
    }
}

/// Tells one caller.
type Answer = Box<dyn FnOnce() + Send>;

fn tell<T: Send + 'static>(answer: oneshot::Sender<T>, value: T) -> Answer {
    Box::new(move || {
        if answer.send(value).is_err() {
            tracing::debug!("A caller left before its answer");
        }
    })
}

#[expect(clippy::disallowed_methods, reason = "the provider is a stranger to the shop and has its own clock")]
fn stamp() -> (jiff::Timestamp, uuid::Uuid) {
    (jiff::Timestamp::now(), uuid::Uuid::now_v7())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_ledger_that_cannot_be_written_closes_the_desk_and_answers_nobody() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let read_only = std::fs::File::open(file.path()).unwrap();
        let closed = CancellationToken::new();
        let (desk, thread) = Desk::open(Book::default(), Ledger::File(read_only), closed.clone());
        let command =
            Command::Authorize { amount: 1, currency: "EUR".into(), reference: "r".into(), method: "tok_visa".into() };

        let answer = desk.change(Change { command, key: "k".into(), fingerprint: "f".into() }).await;

        assert_eq!(answer, Err(Closed));
        closed.cancelled().await;
        thread.await.unwrap();
        assert_eq!(desk.find("auth_1".into()).await, Err(Closed));
    }
}

//! The one thread that changes the book: takes requests in turn, writes what they lead to, and answers once it is durable.
//!
//! Requests that wait while a write is under way share the next one. When the ledger cannot be written, the desk closes
//! for good: what is on disk is unknown then, and a restart reads the truth.

mod clerk;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::book::{Authorization, Book, Command, Entry, Refusal};
use crate::faults::{Faults, Ordered, OrderedDelivery};
use crate::webhooks::Dispatch;

/// Requests that may wait; more are refused at once.
const QUEUE: usize = 4096;

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
    /// It has an answer, now or from an earlier request with the same key.
    Answered(Reply, Travel),
    /// It got lost on its way in: nothing was applied.
    Lost,
    /// It takes so long: its key is in use until [`Desk::resume`] executes it.
    Slow(Duration),
}

/// What a caller is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// An entry of the ledger.
    Entry(Box<Entry>),
    /// Nothing has changed.
    Refused(Refusal),
    /// HTTP 500. Whether something has changed only a look-up tells.
    Broken,
}

/// How an answer travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Travel {
    /// At once.
    Prompt,
    /// It gets lost: the caller waits.
    Lost,
}

/// Which part of the ledger to read.
#[derive(Debug, Clone, Default)]
pub struct Span {
    /// Entries after this sequence number.
    pub after: u64,
    /// Entries of this time and later.
    pub since: Option<Timestamp>,
    /// Entries about this reference alone.
    pub reference: Option<String>,
    /// At most so many.
    pub limit: usize,
}

enum Request {
    Change(Change, oneshot::Sender<Outcome>),
    Resume(Change, oneshot::Sender<Outcome>),
    GiveUp(String, oneshot::Sender<()>),
    Find(String, oneshot::Sender<Option<Authorization>>),
    FindByReference(String, oneshot::Sender<Vec<Authorization>>),
    Entries(Span, oneshot::Sender<Vec<Entry>>),
    Order(Ordered, oneshot::Sender<()>),
    OrderDelivery(OrderedDelivery, oneshot::Sender<()>),
    Faults(oneshot::Sender<Faults>),
    ClearFaults(oneshot::Sender<()>),
    Advance(SignedDuration, oneshot::Sender<Timestamp>),
}

/// The desk is closed or has no room; the request may be repeated with the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the provider cannot take requests now")]
pub struct Closed;

impl Desk {
    /// Opens the desk; what it books is told by `dispatch`. `closed` is cancelled when the ledger cannot be written any
    /// more.
    #[must_use]
    pub fn open(book: Book, dispatch: Dispatch, closed: CancellationToken) -> (Self, tokio::task::JoinHandle<()>) {
        let (requests, queue) = mpsc::channel(QUEUE);
        let clerk = clerk::Clerk::new(book, dispatch);
        let thread = tokio::task::spawn_blocking(move || {
            if let Err(error) = clerk.work(queue) {
                tracing::error!(error = format!("{error:#}"), "The ledger cannot be kept: the desk closes");
                closed.cancel();
            }
        });
        (Self { requests }, thread)
    }

    /// Makes a change; when this answers, what it led to is durable.
    ///
    /// # Errors
    /// [`Closed`]: whether the change was made is unknown.
    pub async fn change(&self, change: Change) -> Result<Outcome, Closed> {
        self.ask(|answer| Request::Change(change, answer)).await
    }

    /// Executes a change that was [`Outcome::Slow`].
    ///
    /// # Errors
    /// [`Closed`]: whether the change was made is unknown.
    pub async fn resume(&self, change: Change) -> Result<Outcome, Closed> {
        self.ask(|answer| Request::Resume(change, answer)).await
    }

    /// Gives up a change that was [`Outcome::Slow`]: its key is free again.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn give_up(&self, key: String) -> Result<(), Closed> {
        self.ask(|answer| Request::GiveUp(key, answer)).await
    }

    /// An authorization by its id.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn find(&self, id: String) -> Result<Option<Authorization>, Closed> {
        self.ask(|answer| Request::Find(id, answer)).await
    }

    /// The authorizations under the caller's own name, oldest first.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn find_by_reference(&self, reference: String) -> Result<Vec<Authorization>, Closed> {
        self.ask(|answer| Request::FindByReference(reference, answer)).await
    }

    /// A part of the ledger, oldest entry first.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn entries(&self, span: Span) -> Result<Vec<Entry>, Closed> {
        self.ask(|answer| Request::Entries(span, answer)).await
    }

    /// Orders faults of requests.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn order(&self, ordered: Ordered) -> Result<(), Closed> {
        self.ask(|answer| Request::Order(ordered, answer)).await
    }

    /// Orders faults of webhooks.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn order_delivery(&self, ordered: OrderedDelivery) -> Result<(), Closed> {
        self.ask(|answer| Request::OrderDelivery(ordered, answer)).await
    }

    /// The faults that were ordered and have not happened yet.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn faults(&self) -> Result<Faults, Closed> {
        self.ask(Request::Faults).await
    }

    /// Takes all orders for faults back.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn clear_faults(&self) -> Result<(), Closed> {
        self.ask(Request::ClearFaults).await
    }

    /// Puts the provider's clock forward and gives the new time.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn advance(&self, by: SignedDuration) -> Result<Timestamp, Closed> {
        self.ask(|answer| Request::Advance(by, answer)).await
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, Closed> {
        let (answer, answered) = oneshot::channel();
        self.requests.try_send(request(answer)).map_err(|_| Closed)?;
        answered.await.map_err(|_| Closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Ledger;

    #[tokio::test]
    async fn a_ledger_that_cannot_be_written_closes_the_desk_and_answers_nobody() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let read_only = std::fs::File::open(file.path()).unwrap();
        let closed = CancellationToken::new();
        let (desk, thread) = Desk::open(Book::of(Ledger::writing_to(read_only)), Dispatch::default(), closed.clone());
        let command =
            Command::Authorize { amount: 1, currency: "EUR".into(), reference: "r".into(), method: "tok_visa".into() };

        let answer = desk.change(Change { command, key: "k".into(), fingerprint: "f".into() }).await;

        assert_eq!(answer, Err(Closed));
        closed.cancelled().await;
        thread.await.unwrap();
        assert_eq!(desk.find("auth_1".into()).await, Err(Closed));
    }
}

//! Every write to orders and returns: one queue, one transaction for whatever waits (orders 1.6).
//!
//! Invariants: an order, its idempotency row and its event are written together or not at all; a change is decided on the
//! order as the transaction reads it and written under that version, so that of confirmation and rejection one wins;
//! an event that was handled before changes nothing; the same key never makes a second order, attempt or return.

mod desk;
mod updates;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use shop_mongo::idempotency::Row;
use shop_mongo::{Claim, Error, Group, Mongo, Txn};
use shop_types::{Clock, Event, EventId, OrderId};
use tokio_util::sync::CancellationToken;

use self::desk::Desk;
use crate::domain::{self, Change, Decision, Order, Return, ReturnId, ReturnReason};

/// One write.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    pub(crate) deed: Deed,
    /// When it is done, by the pod's clock.
    pub(crate) at: Timestamp,
    /// The trace that its events belong to.
    pub(crate) traceparent: Option<String>,
}

/// What is to be done.
#[derive(Debug, Clone)]
pub(crate) enum Deed {
    /// Writes a new order down (W1).
    Place { order: Box<Order>, event: Event, claim: Claim },
    /// Changes an order.
    Change { order: OrderId, change: Change, cause: Cause },
    /// Writes the wish for a return down.
    RequestReturn { id: ReturnId, order: OrderId, reason: ReturnReason, claim: Claim },
    /// Decides a return that was seen at this version.
    DecideReturn { id: ReturnId, order: OrderId, decision: Decision, seen: i64 },
    /// Takes out of an order and its returns what tells of somebody who has left the shop.
    Forget { order: OrderId },
}

/// What a change hangs on.
#[derive(Debug, Clone)]
pub(crate) enum Cause {
    /// Nothing but the order's state.
    State,
    /// An event, which counts once.
    Event(EventId),
    /// Somebody who has seen the order at this version, and means no other.
    Version(i64),
    /// A request whose key counts once.
    Key(Claim),
}

/// What became of a write.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// The order as this write has made it.
    Changed(Box<Order>),
    /// The order as it is; this write had nothing to change.
    Unchanged(Box<Order>),
    /// The return as it is now.
    Return(Box<Return>),
    /// The idempotency key was there before.
    KeyTaken(Row),
    /// There is no such order or return.
    Missing,
    /// It has another version.
    Stale,
    /// The rules forbid it.
    Refused(domain::Error),
}

pub(super) fn spawn(
    mongo: &Mongo,
    clock: Arc<dyn Clock>,
    deadline: Duration,
    stop: CancellationToken,
) -> Group<Command, Answer> {
    Group::spawn(
        mongo,
        "orders",
        move |txn, commands| {
            let clock = Arc::clone(&clock);
            Box::pin(async move { carry_out(txn, commands, &*clock, deadline).await })
        },
        stop,
    )
}

/// Reads all that the commands speak of, decides them in their order, writes what has changed.
async fn carry_out(
    txn: &mut Txn<'_>,
    commands: &[Command],
    clock: &dyn Clock,
    deadline: Duration,
) -> Result<Vec<Answer>, Error> {
    let mut desk = Desk::open(txn, commands, clock).await?;
    let answers = commands.iter().map(|command| desk.decide(command)).collect();
    desk.close(txn, deadline).await?;
    Ok(answers)
}

//! Every write to an order: one queue, one transaction for whatever waits (orders 1.6).
//!
//! Invariants: an order, its idempotency row and its event are written together or not at all; a change is decided on the
//! order as the transaction reads it and written under that version, so that of confirmation and rejection one wins;
//! an event that was handled before changes nothing; the same key never makes a second order.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bson::{Document, doc};
use jiff::Timestamp;
use shop_mongo::idempotency::{self, Finish, Row, Start};
use shop_mongo::{Claim, Error, Group, Mongo, Txn, UpdateOp, inbox, outbox};
use shop_types::{Clock, Envelope, Event, EventId, OrderId};
use tokio_util::sync::CancellationToken;

use super::ORDERS;
use super::documents::{EntryDocument, OrderDocument};
use super::leases::LEASE_MILLISECONDS;
use crate::domain::{self, Change, Changed, Order, Phase, State};

/// The consumer group of this service.
const GROUP: &str = "order";

/// One write.
#[derive(Debug, Clone)]
pub(crate) enum Command {
    /// Writes a new order down (W1).
    Place { order: Box<Order>, event: Event, claim: Claim, traceparent: Option<String> },
    /// Changes an order; `event` is the event that asks for it, if one does.
    Change { order: OrderId, change: Change, event: Option<EventId>, at: Timestamp, traceparent: Option<String> },
}

/// What became of a write.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// The order as it is now.
    Order(Box<Order>),
    /// The idempotency key was there before.
    KeyTaken(Row),
    /// There is no such order.
    Missing,
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
    let mut desk = Desk::open(txn, commands).await?;
    let answers = commands.iter().map(|command| desk.decide(command, clock)).collect();
    desk.close(txn, deadline).await?;
    Ok(answers)
}

/// An order as stored, and what the group makes of it.
struct Sheet {
    /// The version in the database; 0 for a new order.
    stored_version: i64,
    /// Lines of history in the database.
    stored_entries: usize,
    order: Order,
    /// The idempotency row that waits for the first outcome.
    claim: Option<String>,
    /// Whether this group has found that outcome.
    finished: bool,
}

/// Everything that one group reads and writes.
#[derive(Default)]
struct Desk {
    sheets: BTreeMap<OrderId, Sheet>,
    rows: HashMap<String, Row>,
    starts: Vec<Start>,
    finishes: Vec<Finish>,
    events: Vec<Envelope>,
    handled: HashSet<EventId>,
}

impl Desk {
    async fn open(txn: &mut Txn<'_>, commands: &[Command]) -> Result<Self, Error> {
        let (mut orders, mut keys, mut events) = (Vec::new(), Vec::new(), Vec::new());
        for command in commands {
            match command {
                Command::Place { claim, .. } => keys.push(claim.id().to_owned()),
                Command::Change { order, event, .. } => {
                    orders.push(order.to_string());
                    events.extend(event.map(|event| (*order, event)));
                }
            }
        }
        orders.sort();
        orders.dedup();
        let stored: Vec<OrderDocument> = txn.find_many(ORDERS, orders).await?;
        let rows = if keys.is_empty() { HashMap::new() } else { idempotency::find_many(txn, &keys).await? };
        let mut desk = Self { rows, ..Self::default() };
        for document in stored {
            let (claim, stored_version, stored_entries) =
                (document.claim.clone(), document.version, document.history.len());
            let order = Order::try_from(document).map_err(|error| Error::corrupt(txn.what(), error))?;
            desk.sheets.insert(order.id, Sheet { stored_version, stored_entries, order, claim, finished: false });
        }
        // An event of an order that is not there was not handled: it is for the dead letters.
        events.retain(|(order, _)| desk.sheets.contains_key(order));
        let events: Vec<EventId> = events.into_iter().map(|(_, event)| event).collect();
        if !events.is_empty() {
            desk.handled = inbox::claim(txn, GROUP, &events).await?;
        }
        Ok(desk)
    }

    fn decide(&mut self, command: &Command, clock: &dyn Clock) -> Answer {
        match command {
            Command::Place { order, event, claim, traceparent } => {
                if let Some(row) = self.rows.get(claim.id()) {
                    return Answer::KeyTaken(row.clone());
                }
                let start = claim.start(order.id.to_string());
                self.rows.insert(start.id.clone(), started(&start, order.created_at));
                self.tell(order, event.clone(), order.created_at, traceparent.clone(), clock);
                let sheet = Sheet {
                    stored_version: 0,
                    stored_entries: 0,
                    order: (**order).clone(),
                    claim: Some(start.id.clone()),
                    finished: false,
                };
                self.starts.push(start);
                self.sheets.insert(order.id, sheet);
                Answer::Order(order.clone())
            }
            Command::Change { order, change, event, at, traceparent } => {
                let Some(sheet) = self.sheets.get_mut(order) else { return Answer::Missing };
                if event.is_some_and(|event| self.handled.contains(&event)) {
                    return Answer::Order(Box::new(sheet.order.clone()));
                }
                // The same event may stand in this group twice.
                self.handled.extend(*event);
                let implied = sheet.order.implied_by(change);
                let mut last = Answer::Missing;
                for change in implied.into_iter().chain([change.clone()]) {
                    last = self.apply(*order, change, *at, traceparent.as_ref(), clock);
                }
                last
            }
        }
    }

    fn apply(
        &mut self,
        order: OrderId,
        change: Change,
        at: Timestamp,
        traceparent: Option<&String>,
        clock: &dyn Clock,
    ) -> Answer {
        let Some(sheet) = self.sheets.get_mut(&order) else { return Answer::Missing };
        match sheet.order.change(change, at) {
            Err(refused) => Answer::Refused(refused),
            Ok(Changed::Nothing) => Answer::Order(Box::new(sheet.order.clone())),
            Ok(Changed::To(next, told)) => {
                sheet.order = (*next).clone();
                if sheet.order.phase != Phase::Driving
                    && !sheet.finished
                    && let Some(id) = sheet.claim.clone()
                {
                    sheet.finished = true;
                    self.finishes.push(finish(id, &next));
                }
                if let Some(told) = told {
                    self.tell(&next, told, at, traceparent.cloned(), clock);
                }
                Answer::Order(next)
            }
        }
    }

    fn tell(&mut self, order: &Order, event: Event, at: Timestamp, traceparent: Option<String>, clock: &dyn Clock) {
        self.events.push(Envelope {
            id: EventId::from_uuid(clock.new_id()),
            aggregate: order.id.to_string(),
            version: order.version,
            occurred_at: at,
            traceparent,
            event,
        });
    }

    /// Writes everything, orders in the sequence of their ids so that two groups never wait for each other crosswise.
    async fn close(self, txn: &mut Txn<'_>, deadline: Duration) -> Result<(), Error> {
        let (mut placed, mut changed) = (Vec::new(), Vec::new());
        for sheet in self.sheets.into_values() {
            if sheet.stored_version == 0 {
                placed.push(place(txn.what(), &sheet, deadline)?);
            } else if sheet.order.version > sheet.stored_version {
                changed.push(change(txn.what(), &sheet)?);
            }
        }
        txn.update_each(ORDERS, placed).await?;
        txn.update_each(ORDERS, changed).await?;
        if !self.starts.is_empty() {
            idempotency::insert(txn, &self.starts).await?;
        }
        if !self.finishes.is_empty() {
            idempotency::finish(txn, &self.finishes).await?;
        }
        outbox::append(txn, &self.events).await
    }
}

/// The row that a claim of this very group will be, for others of the group with the same key.
fn started(start: &Start, at: Timestamp) -> Row {
    let Start { id, fingerprint, resource } = start.clone();
    Row { id, fingerprint, resource, started: at, status: None, outcome: None, version: None }
}

/// How the request that placed an order ends, once it is known.
fn finish(id: String, order: &Order) -> Finish {
    let (status, outcome) = match (order.state, order.phase) {
        (State::Placed, Phase::Declined) => (402, "payment_declined"),
        (State::Rejected, _) => (409, order.reason().unwrap_or("rejected")),
        (
            State::Placed
            | State::Confirmed
            | State::Paid
            | State::Shipped
            | State::Delivered
            | State::Cancelling
            | State::Cancelled,
            _,
        ) => (201, "confirmed"),
    };
    Finish { id, status, outcome: outcome.to_owned(), version: order.version }
}

/// An upsert that changes nothing when the order is there, with times by the database's clock (ruling 17).
fn place(what: &'static str, sheet: &Sheet, deadline: Duration) -> Result<UpdateOp, Error> {
    let document = OrderDocument::new(&sheet.order, sheet.claim.clone());
    let id = document.id.clone();
    let fields = bson::serialize_to_document(&document).map_err(|error| Error::corrupt(what, error))?;
    let deadline = i64::try_from(deadline.as_millis()).unwrap_or(i64::MAX);
    // `$literal`: a product named "$price" is a name, not a field.
    let fresh = doc! { "$mergeObjects": [
        { "$literal": fields },
        {
            "deadline": { "$add": ["$$NOW", deadline] },
            "lease_until": { "$add": ["$$NOW", LEASE_MILLISECONDS] },
        },
    ] };
    let is_new = doc! { "$eq": [{ "$type": "$version" }, "missing"] };
    let pipeline = vec![doc! { "$replaceWith": { "$cond": [is_new, fresh, "$$ROOT"] } }];
    Ok(UpdateOp::new(doc! { "_id": id }, pipeline).upsert())
}

/// The new state under the version that was read, and the lines of history since.
fn change(what: &'static str, sheet: &Sheet) -> Result<UpdateOp, Error> {
    let order = &sheet.order;
    let entries = order
        .history
        .iter()
        .skip(sheet.stored_entries)
        .map(|entry| bson::serialize_to_document(&EntryDocument::from(entry)));
    let entries: Vec<Document> = entries.collect::<Result<_, _>>().map_err(|error| Error::corrupt(what, error))?;
    let mut update = doc! {
        "$set": {
            "state": order.state.as_str(),
            "phase": order.phase.as_str(),
            "payment": order.payment.clone(),
            "version": order.version,
        },
        "$push": { "history": { "$each": entries } },
    };
    if sheet.finished {
        update.insert("$unset", doc! { "claim": "" });
    }
    Ok(UpdateOp::new(doc! { "_id": order.id.to_string(), "version": sheet.stored_version }, update))
}

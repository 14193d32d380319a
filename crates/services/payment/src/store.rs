//! MongoDB out: the collection of payments, its documents, and the one group that every write of them goes through.
//!
//! What a group leads to is decided by `domain::batch`; here it is only read and written. Beside it stand what the provider
//! told (`hints`) and in what its books differ from ours (`differences`).

mod differences;
mod document;
mod hints;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bson::{Bson, Document, doc};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt as _, TryStreamExt, stream};
use jiff::Timestamp;
use shop_faults::Bug;
use shop_mongo::{Error, Group, IndexModel, Mongo, Setup, Txn, UpdateOp, idempotency, inbox, options, outbox};
use shop_types::{Clock, Envelope, EventId, OrderId, UserId};
use tokio_util::sync::CancellationToken;

use crate::domain::batch::{self, Answer, Change, Command, Decided, Known, LEASE, Needs, Read, Told};
use crate::domain::{Kind, Payment, PaymentId, RefundState, State};
pub(crate) use differences::{Listed, Noted, Run};
use document::PaymentDocument;

const PAYMENTS: &str = "payments";

/// Whose inbox rows are ours.
const GROUP: &str = "payment";
/// Payments of a person in one answer.
const AT_ONCE: i64 = 100;
/// Payments that are leased at once when many have fallen due.
const TAKEN_AT_ONCE: usize = 16;

/// A command with the trace that it belongs to.
#[derive(Debug)]
struct Traced {
    command: Command,
    traceparent: Option<String>,
}

/// The payments of the shop.
#[derive(Debug)]
pub(crate) struct Store {
    mongo: Mongo,
    group: Group<Traced, Answer>,
}

impl Store {
    /// Starts the group; `stop` lets it carry out what it has accepted and end.
    pub(crate) fn new(mongo: &Mongo, clock: Arc<dyn Clock>, stop: CancellationToken) -> Self {
        let group = Group::spawn(
            mongo,
            "payments",
            move |txn, members| {
                let clock = Arc::clone(&clock);
                write_group(txn, members, clock).boxed()
            },
            stop,
        );
        Self { mongo: mongo.clone(), group }
    }

    /// Makes collections, indexes and validators; safe to repeat.
    pub(crate) async fn ensure(&self) -> Result<(), Error> {
        let [differences, runs] = differences::setup();
        let own = [setup(), hints::setup(), differences, runs];
        self.mongo.ensure(&own).await?;
        self.mongo.ensure(&[outbox::setup(), inbox::setup(), idempotency::setup()]).await
    }

    /// Carries out a command; when this returns, its effect is durable.
    pub(crate) async fn submit(&self, command: Command) -> Result<Answer, Error> {
        let traceparent = shop_telemetry::context::traceparent();
        let answer = self.group.submit(Traced { command: command.clone(), traceparent: traceparent.clone() }).await;
        match answer {
            // Another pod wrote the same payment at the same moment: now it is there to be read.
            Err(error) if error.is_duplicate() => self.group.submit(Traced { command, traceparent }).await,
            answer => answer,
        }
    }

    /// A payment by its name.
    pub(crate) async fn find(&self, id: PaymentId) -> Result<Option<Payment>, Error> {
        self.find_one("find payment", doc! { "_id": { "$eq": id.to_string() } }).await
    }

    /// A payment by its name and its owner: somebody else's is not there.
    pub(crate) async fn find_of(&self, id: PaymentId, owner: UserId) -> Result<Option<Payment>, Error> {
        let filter = doc! { "_id": { "$eq": id.to_string() }, "user_id": { "$eq": owner.to_string() } };
        self.find_one("find payment of user", filter).await
    }

    /// Payments of a user behind the first so many, oldest first.
    pub(crate) async fn payments_of(&self, user: UserId, behind: u32) -> Result<Vec<Payment>, Error> {
        let payments = self.mongo.collection::<PaymentDocument>(PAYMENTS);
        let filter = doc! { "user_id": { "$eq": user.to_string() } };
        let found: Vec<PaymentDocument> = self
            .mongo
            .run("list payments of a person", async move {
                let oldest_first = payments.find(filter).sort(doc! { "created_at": 1, "_id": 1 });
                oldest_first.skip(u64::from(behind)).limit(AT_ONCE).await?.try_collect().await
            })
            .await?;
        found.into_iter().map(Payment::try_from).collect()
    }

    async fn find_one(&self, what: &'static str, filter: Document) -> Result<Option<Payment>, Error> {
        let payments = self.mongo.collection::<PaymentDocument>(PAYMENTS);
        let found = self.mongo.run(what, async move { payments.find_one(filter).await }).await?;
        found.map(Payment::try_from).transpose()
    }

    /// Takes over payments that nobody has asked the provider about in time: each is this pod's for a lease. By the clock
    /// of the database, so that pods with wrong clocks cannot fight (orders 1.5 f).
    pub(crate) async fn take_over(&self, most: usize) -> Result<Vec<Payment>, Error> {
        let due = doc! { "next_try_at": { "$type": "date" }, "$expr": { "$lte": ["$next_try_at", "$$NOW"] } };
        let payments = self.mongo.collection::<Document>(PAYMENTS);
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        let filter = due.clone();
        let ids: Vec<Document> = self
            .mongo
            .run("find due payments", async move {
                let ids = payments.find(filter).sort(doc! { "next_try_at": 1 }).limit(limit);
                ids.projection(doc! { "_id": 1 }).await?.try_collect().await
            })
            .await?;
        let taken: Vec<_> = stream::iter(ids)
            .map(|mut filter| {
                filter.extend(due.clone());
                self.take(filter)
            })
            .buffer_unordered(TAKEN_AT_ONCE)
            .collect()
            .await;
        // One that cannot be taken or read keeps no other from being settled; it falls due again.
        let readable = taken.into_iter().filter_map(|taken| {
            taken.unwrap_or_else(|error| {
                tracing::error!(error = &error as &dyn std::error::Error, "A payment that is due cannot be taken over");
                None
            })
        });
        Ok(readable.collect())
    }

    /// Leases the payment that fits, unless another pod was first.
    async fn take(&self, filter: Document) -> Result<Option<Payment>, Error> {
        let payments = self.mongo.collection::<PaymentDocument>(PAYMENTS);
        let lease = vec![doc! { "$set": { "next_try_at": from_now(LEASE) } }];
        let found = self.mongo.run("take over payment", async move {
            payments.find_one_and_update(filter, lease).return_document(options::ReturnDocument::After).await
        });
        found.await?.map(Payment::try_from).transpose()
    }
}

fn write_group<'t>(
    txn: &'t mut Txn<'_>,
    members: &'t [Traced],
    clock: Arc<dyn Clock>,
) -> BoxFuture<'t, Result<Vec<Answer>, Error>> {
    async move {
        let commands: Vec<Command> = members.iter().map(|member| member.command.clone()).collect();
        let found = read(txn, &commands).await?;
        // As exact as a document keeps it, so that an answer and a later reading are the same.
        let now = Timestamp::from_millisecond(clock.now().as_millisecond()).unwrap_or(Timestamp::UNIX_EPOCH);
        let mut decided = batch::decide(found.clone(), [], &commands, now);
        let handled = batch::handled(&commands, &decided.answers);
        let seen = if handled.is_empty() { HashSet::new() } else { inbox::claim(txn, GROUP, &handled).await? };
        if !seen.is_empty() {
            decided = batch::decide(found, seen, &commands, now);
        }
        let Decided { answers, mut changes, told, starts, ends } = decided;
        if shop_faults::planted(Bug::TombstoneSkipped) {
            changes.retain(|change| change.from.is_some() || change.payment.state != State::Cancelled);
        }
        txn.update_each(PAYMENTS, changes.iter().map(write).collect()).await?;
        if !starts.is_empty() {
            idempotency::insert(txn, &starts.iter().map(start).collect::<Vec<_>>()).await?;
        }
        if !ends.is_empty() {
            idempotency::finish(txn, &ends.iter().map(end).collect::<Vec<_>>()).await?;
        }
        let events: Vec<Envelope> = told.into_iter().map(|told| envelope(told, members, clock.as_ref())).collect();
        outbox::append(txn, &events).await?;
        Ok(answers)
    }
    .boxed()
}

async fn read(txn: &mut Txn<'_>, commands: &[Command]) -> Result<Read, Error> {
    let Needs { payments, orders, keys } = batch::needs(commands);
    let ids: Vec<String> = payments.iter().map(PaymentId::to_string).collect();
    let orders: Vec<String> = orders.iter().map(OrderId::to_string).collect();
    let filter = if orders.is_empty() {
        doc! { "_id": { "$in": ids } }
    } else {
        doc! { "$or": [{ "_id": { "$in": ids } }, { "order_id": { "$in": orders } }] }
    };
    let documents: Vec<PaymentDocument> = txn.find(PAYMENTS, filter).await?;
    let payments = documents.into_iter().map(Payment::try_from).collect::<Result<_, _>>()?;
    let keys: Vec<String> = keys.into_iter().collect();
    let rows = idempotency::find_many(txn, &keys).await?;
    let keys = rows.into_iter().map(|(id, row)| Ok((id, known(row)?))).collect::<Result<HashMap<_, _>, Error>>()?;
    Ok(Read { payments, keys })
}

/// An idempotency row does not name what a row of ours names.
#[derive(Debug, thiserror::Error)]
#[error("the field {0} of an idempotency row does not fit")]
struct Unreadable(&'static str);

fn known(row: idempotency::Row) -> Result<Known, Error> {
    let corrupt = |field| Error::Corrupt { what: "idempotency row", source: Arc::new(Unreadable(field)) };
    let idempotency::Row { fingerprint, resource, outcome, .. } = row;
    let refund = resource.parse().map_err(|_| corrupt("resource"))?;
    let said = outcome.map(|word| RefundState::from_word(&word).ok_or_else(|| corrupt("outcome"))).transpose()?;
    Ok(Known { fingerprint, refund, said })
}

fn start(start: &batch::Start) -> idempotency::Start {
    let batch::Start { key, refund } = start;
    idempotency::Start { id: key.id.clone(), fingerprint: key.fingerprint.clone(), resource: refund.to_string() }
}

fn end(end: &batch::End) -> idempotency::Finish {
    let batch::End { key, state, version } = end;
    idempotency::Finish { id: key.clone(), status: 201, outcome: state.word().to_owned(), version: *version }
}

/// The write of a change: at the version that was read, or as a new document. Fields that this version of the code does
/// not know stay as they are.
fn write(change: &Change) -> UpdateOp {
    let Change { payment, from, next_try } = change;
    let next_try = next_try.map_or_else(|| Bson::from("$$REMOVE"), |delay| from_now(delay).into());
    let stages = vec![
        doc! { "$replaceWith": { "$mergeObjects": ["$$ROOT", { "$literal": document::fields(payment) }] } },
        doc! { "$set": { "next_try_at": next_try } },
    ];
    let id = payment.id.to_string();
    match from {
        Some(version) => UpdateOp::new(doc! { "_id": id, "version": *version }, stages),
        // No stored payment has version 0: one that appeared meanwhile is a duplicate key, never overwritten.
        None => UpdateOp::new(doc! { "_id": id, "version": 0_i64 }, stages).upsert(),
    }
}

fn from_now(delay: std::time::Duration) -> Document {
    doc! { "$add": ["$$NOW", i64::try_from(delay.as_millis()).unwrap_or(i64::MAX)] }
}

fn envelope(told: Told, members: &[Traced], clock: &dyn Clock) -> Envelope {
    let Told { member, payment, tell } = told;
    Envelope {
        id: EventId::from_uuid(clock.new_id()),
        aggregate: payment.id.to_string(),
        version: payment.version,
        occurred_at: clock.now(),
        traceparent: members.get(member).and_then(|member| member.traceparent.clone()),
        event: tell.event(payment.fact(tell)),
    }
}

fn setup() -> Setup {
    let words: Vec<&str> = Kind::ALL.iter().map(|kind| kind.word()).collect();
    let index = |keys: Document, sparse: bool| {
        let options = options::IndexOptions::builder().sparse(sparse).build();
        IndexModel::builder().keys(keys).options(options).build()
    };
    // Only payments that wait for the provider have the field of the second index.
    let indexes = [
        index(doc! { "order_id": 1 }, false),
        index(doc! { "next_try_at": 1 }, true),
        index(doc! { "since": 1, "_id": 1 }, false),
        index(doc! { "user_id": 1, "created_at": 1, "_id": 1 }, false),
    ];
    let refund_states: Vec<&str> = RefundState::ALL.iter().map(|state| state.word()).collect();
    Setup::new(PAYMENTS, indexes).validated(doc! {
        "$jsonSchema": {
            "required": [
                "order_id", "attempt", "amount", "currency", "state", "refunds", "version", "created_at", "since", "tries",
            ],
            "properties": {
                "amount": { "bsonType": "long", "minimum": 0 },
                "attempt": { "bsonType": "long", "minimum": 1 },
                "state": { "enum": words },
                "refunds": {
                    "bsonType": "array",
                    "items": {
                        "bsonType": "object",
                        "required": ["n", "amount", "state", "reason", "at"],
                        "properties": {
                            "n": { "bsonType": "long", "minimum": 1 },
                            "amount": { "bsonType": "long", "minimum": 1 },
                            "state": { "enum": refund_states },
                        },
                    },
                },
                "version": { "bsonType": "long", "minimum": 1 },
            },
        },
    })
}

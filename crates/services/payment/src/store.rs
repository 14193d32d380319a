//! MongoDB out: the collection of payments, its documents, and the one group that every write goes through.
//!
//! What a group leads to is decided by `domain::batch`; here it is only read and written.

mod document;

use std::collections::HashSet;
use std::sync::Arc;

use bson::{Bson, Document, doc};
use futures::future::BoxFuture;
use futures::{FutureExt, TryStreamExt};
use jiff::Timestamp;
use shop_mongo::{Error, Group, IndexModel, Mongo, Setup, Txn, UpdateOp, inbox, options, outbox};
use shop_types::{Clock, Envelope, EventId, OrderId, UserId};
use tokio_util::sync::CancellationToken;

use crate::domain::batch::{self, Answer, Change, Command, LEASE, Told};
use crate::domain::{Kind, Payment, PaymentId};
use document::PaymentDocument;

const PAYMENTS: &str = "payments";

/// Whose inbox rows are ours.
const GROUP: &str = "payment";

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
        self.mongo.ensure(&[setup(), outbox::setup(), inbox::setup()]).await
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
        let mut taken = Vec::with_capacity(ids.len());
        for mut filter in ids {
            filter.extend(due.clone());
            let payments = self.mongo.collection::<PaymentDocument>(PAYMENTS);
            let lease = vec![doc! { "$set": { "next_try_at": from_now(LEASE) } }];
            let found = self.mongo.run("take over payment", async move {
                payments.find_one_and_update(filter, lease).return_document(options::ReturnDocument::After).await
            });
            if let Some(document) = found.await? {
                taken.push(Payment::try_from(document)?);
            }
        }
        Ok(taken)
    }
}

fn write_group<'t>(
    txn: &'t mut Txn<'_>,
    members: &'t [Traced],
    clock: Arc<dyn Clock>,
) -> BoxFuture<'t, Result<Vec<Answer>, Error>> {
    async move {
        let commands: Vec<Command> = members.iter().map(|member| member.command.clone()).collect();
        let payments = read(txn, &commands).await?;
        // As exact as a document keeps it, so that an answer and a later reading are the same.
        let now = Timestamp::from_millisecond(clock.now().as_millisecond()).unwrap_or(Timestamp::UNIX_EPOCH);
        let mut decided = batch::decide(payments.clone(), [], &commands, now);
        let handled = batch::handled(&commands, &decided.answers);
        let seen = if handled.is_empty() { HashSet::new() } else { inbox::claim(txn, GROUP, &handled).await? };
        if !seen.is_empty() {
            decided = batch::decide(payments, seen, &commands, now);
        }
        txn.update_each(PAYMENTS, decided.changes.iter().map(write).collect()).await?;
        let events: Vec<Envelope> =
            decided.told.into_iter().map(|told| envelope(told, members, clock.as_ref())).collect();
        outbox::append(txn, &events).await?;
        Ok(decided.answers)
    }
    .boxed()
}

async fn read(txn: &mut Txn<'_>, commands: &[Command]) -> Result<Vec<Payment>, Error> {
    let (ids, orders) = batch::needs(commands);
    let ids: Vec<String> = ids.iter().map(PaymentId::to_string).collect();
    let orders: Vec<String> = orders.iter().map(OrderId::to_string).collect();
    let filter = if orders.is_empty() {
        doc! { "_id": { "$in": ids } }
    } else {
        doc! { "$or": [{ "_id": { "$in": ids } }, { "order_id": { "$in": orders } }] }
    };
    let documents: Vec<PaymentDocument> = txn.find(PAYMENTS, filter).await?;
    documents.into_iter().map(Payment::try_from).collect()
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
        event: tell.event(payment.fact()),
    }
}

fn setup() -> Setup {
    let words: Vec<&str> = Kind::ALL.iter().map(|kind| kind.word()).collect();
    let index = |keys: Document, sparse: bool| {
        let options = options::IndexOptions::builder().sparse(sparse).build();
        IndexModel::builder().keys(keys).options(options).build()
    };
    // Only payments that wait for the provider have the field of the second index.
    Setup::new(PAYMENTS, [index(doc! { "order_id": 1 }, false), index(doc! { "next_try_at": 1 }, true)]).validated(doc! {
        "$jsonSchema": {
            "required": ["order_id", "attempt", "amount", "currency", "state", "version", "created_at", "since", "tries"],
            "properties": {
                "amount": { "bsonType": "long", "minimum": 0 },
                "attempt": { "bsonType": "long", "minimum": 1 },
                "state": { "enum": words },
                "version": { "bsonType": "long", "minimum": 1 },
            },
        },
    })
}

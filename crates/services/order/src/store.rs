//! MongoDB out: orders, and what is written with them in one transaction. Documents never leave this file and its folder.

mod documents;
mod leases;
mod queries;
mod writer;

use std::sync::Arc;

use bson::doc;
use shop_mongo::idempotency::{self, Row};
use shop_mongo::options::IndexOptions;
use shop_mongo::{Claim, Error, Group, IndexModel, Mongo, Numbers, Setup, inbox, outbox};
use shop_types::Clock;
use tokio_util::sync::CancellationToken;

pub(crate) use queries::{Filter, Viewer};
pub(crate) use writer::{Answer, Command};

const ORDERS: &str = "orders";

/// The order service's own database.
pub(crate) struct Store {
    mongo: Mongo,
    writer: Group<Command, Answer>,
    numbers: Numbers,
}

impl Store {
    /// `deadline` is how long an order may wait for its money.
    pub(crate) fn new(
        mongo: &Mongo,
        clock: Arc<dyn Clock>,
        deadline: std::time::Duration,
        stop: CancellationToken,
    ) -> Self {
        Self {
            mongo: mongo.clone(),
            writer: writer::spawn(mongo, clock, deadline, stop),
            numbers: Numbers::new(mongo, "orders"),
        }
    }

    /// Makes collections, validators and indexes; see the table in README.md for which query uses which.
    pub(crate) async fn prepare(&self) -> Result<(), Error> {
        let index = |keys| IndexModel::builder().keys(keys).build();
        let partial = |keys, filter| {
            IndexModel::builder()
                .keys(keys)
                .options(IndexOptions::builder().partial_filter_expression(filter).build())
                .build()
        };
        let unique = IndexOptions::builder().unique(true).build();
        let orders = Setup::new(
            ORDERS,
            [
                IndexModel::builder().keys(doc! { "number": 1 }).options(unique).build(),
                index(doc! { "user": 1, "created_at": -1, "_id": -1 }),
                index(doc! { "state": 1, "created_at": -1, "_id": -1 }),
                index(doc! { "created_at": -1, "_id": -1 }),
                partial(doc! { "lease_until": 1 }, doc! { "phase": "driving" }),
                partial(doc! { "deadline": 1 }, doc! { "state": "placed" }),
            ],
        )
        .validated(doc! { "$jsonSchema": {
            "required": ["_id", "number", "lines", "total", "currency", "state", "phase", "version", "history", "deadline"],
            "properties": {
                "number": { "bsonType": "long", "minimum": 1_i64 },
                "total": { "bsonType": "long", "minimum": 0_i64 },
                "version": { "bsonType": "long", "minimum": 1_i64 },
                "lines": { "bsonType": "array", "minItems": 1, "maxItems": 100 },
                "state": { "enum": ["placed", "confirmed", "paid", "shipped", "delivered", "rejected", "cancelling", "cancelled"] },
                "phase": { "enum": ["driving", "declined", "settled"] },
            },
        } });
        self.mongo.ensure(&[orders, outbox::setup(), inbox::setup(), idempotency::setup()]).await
    }

    /// The row of an idempotency key, when it was used before.
    pub(crate) async fn claimed(&self, claim: &Claim) -> Result<Option<Row>, Error> {
        idempotency::find(&self.mongo, claim.id()).await
    }

    /// The next number for people: unique, with gaps, in order only within a pod (ruling 19).
    pub(crate) async fn next_number(&self) -> Result<i64, Error> {
        self.numbers.next().await
    }

    /// Carries out one write; it is committed together with whatever else waits.
    pub(crate) async fn write(&self, command: Command) -> Result<Answer, Error> {
        self.writer.submit(command).await
    }
}

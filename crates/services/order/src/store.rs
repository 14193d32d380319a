//! MongoDB out: orders and returns, and what is written with them in one transaction. Documents never leave this file and
//! its folder.

mod departures;
mod documents;
mod kept;
mod leases;
mod queries;
mod returns;
mod stuck;
mod writer;

use std::sync::Arc;

use bson::doc;
use shop_mongo::idempotency::{self, Row};
use shop_mongo::options::IndexOptions;
use shop_mongo::{Claim, Error, Group, IndexModel, Mongo, Numbers, Setup, inbox, outbox};
use shop_types::Clock;
use shop_types::caller::Subject;
use tokio_util::sync::CancellationToken;

pub(crate) use leases::Overdue;
pub(crate) use queries::{Filter, Viewer};
pub(crate) use stuck::TRANSIENT;
pub(crate) use writer::{Answer, Cause, Command, Deed};

use crate::domain::{Phase, State};

/// The consumer group of this service.
const GROUP: &str = "order";
const ORDERS: &str = "orders";
const RETURNS: &str = "returns";

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
        let own = [
            orders(),
            returns::setup(),
            departures::setup(),
            stuck::setup(),
            outbox::setup(),
            inbox::setup(),
            idempotency::setup(),
        ];
        self.mongo.ensure(&own).await
    }

    /// The row of an idempotency key, when it was used before.
    pub(crate) async fn claimed(&self, claim: &Claim) -> Result<Option<Row>, Error> {
        idempotency::find(&self.mongo, claim.id()).await
    }

    /// The row of the last of the keys that begin so, in their own order.
    pub(crate) async fn last_claimed(
        &self,
        subject: Subject,
        route: &str,
        beginning: &str,
    ) -> Result<Option<Row>, Error> {
        idempotency::find_last(&self.mongo, &subject.to_string(), route, beginning).await
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

fn orders() -> Setup {
    let index = |keys| IndexModel::builder().keys(keys).build();
    let partial = |keys, filter| {
        IndexModel::builder()
            .keys(keys)
            .options(IndexOptions::builder().partial_filter_expression(filter).build())
            .build()
    };
    let unique = IndexOptions::builder().unique(true).build();
    Setup::new(
        ORDERS,
        [
            IndexModel::builder().keys(doc! { "number": 1 }).options(unique).build(),
            index(doc! { "user": 1, "created_at": -1, "_id": -1 }),
            index(doc! { "state": 1, "created_at": -1, "_id": -1 }),
            index(doc! { "created_at": -1, "_id": -1 }),
            partial(doc! { "lease_until": 1 }, doc! { "phase": Phase::Driving.as_str() }),
            partial(doc! { "deadline": 1, "_id": 1 }, doc! { "state": State::Placed.as_str() }),
        ],
    )
    .validated(doc! { "$jsonSchema": {
        "required": [
            "_id", "number", "lines", "total", "currency", "state", "phase", "attempt", "version", "history", "deadline",
        ],
        "properties": {
            "number": { "bsonType": "long", "minimum": 1_i64 },
            "total": { "bsonType": "long", "minimum": 0_i64 },
            "attempt": { "bsonType": "long", "minimum": 1_i64 },
            "version": { "bsonType": "long", "minimum": 1_i64 },
            "lines": { "bsonType": "array", "minItems": 1, "maxItems": 100, "items": {
                "properties": {
                    "quantity": { "bsonType": "long", "minimum": 1_i64 },
                    "unit_price": { "bsonType": "long", "minimum": 0_i64 },
                    "total": { "bsonType": "long", "minimum": 0_i64 },
                },
            } },
            "history": { "bsonType": "array", "minItems": 1 },
            "state": { "enum": State::ALL.map(State::as_str).as_slice() },
            "phase": { "enum": Phase::ALL.map(Phase::as_str).as_slice() },
        },
    } })
}

#[cfg(test)]
mod races;

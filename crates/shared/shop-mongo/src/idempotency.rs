//! What became of a request with an `Idempotency-Key`, so that the same request again is answered the same.
//!
//! A row names the resource, and once finished the status, outcome and version; never a body: the handler renders the
//! resource at that version. What does not belong here: reading the header (shop-http) and deciding what a second request
//! means (the service, with [`Row::fits`]).

use std::collections::HashMap;
use std::time::Duration;

use bson::{Bson, DateTime, Document, doc};
use jiff::Timestamp;
use mongodb::IndexModel;
use mongodb::options::IndexOptions;
use serde::Deserialize;
use shop_types::{Fingerprint, IdempotencyKey};

use crate::{Error, Mongo, Setup, Txn, UpdateOp, stamped};

const COLLECTION: &str = "idempotency";

/// How long a row is kept; 24 h are promised.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// What is known of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Subject, route and key: see [`row_id`].
    pub id: String,
    /// What was asked.
    pub fingerprint: Fingerprint,
    /// The resource that the request makes or changes, e.g. the order's id.
    pub resource: String,
    /// When the row was written, by the database's clock.
    pub started: Timestamp,
    /// The HTTP status of the answer; absent while the request is at work.
    pub status: Option<u16>,
    /// A stable word for how it ended.
    pub outcome: Option<String>,
    /// The version of the resource that the answer shows.
    pub version: Option<i64>,
}

impl Row {
    /// Whether it is the same request; with another fingerprint the key was used for something else (422).
    #[must_use]
    pub fn fits(&self, fingerprint: &Fingerprint) -> bool {
        self.fingerprint == *fingerprint
    }

    /// Whether the answer is known.
    #[must_use]
    pub const fn is_finished(&self) -> bool {
        self.status.is_some()
    }
}

/// A request about to start.
#[derive(Debug, Clone)]
pub struct Start {
    /// See [`row_id`].
    pub id: String,
    /// What is asked.
    pub fingerprint: Fingerprint,
    /// The resource that it makes or changes.
    pub resource: String,
}

/// How a request ended.
#[derive(Debug, Clone)]
pub struct Finish {
    /// See [`row_id`].
    pub id: String,
    /// The HTTP status of the answer.
    pub status: u16,
    /// A stable word for how it ended.
    pub outcome: String,
    /// The version of the resource that the answer shows.
    pub version: i64,
}

#[derive(Deserialize)]
struct Stored {
    #[serde(rename = "_id")]
    id: String,
    fingerprint: String,
    resource: String,
    started: DateTime,
    status: Option<u16>,
    outcome: Option<String>,
    version: Option<i64>,
}

impl From<Stored> for Row {
    fn from(stored: Stored) -> Self {
        let Stored { id, fingerprint, resource, started, status, outcome, version } = stored;
        let fingerprint = Fingerprint::from_stored(fingerprint);
        Self { id, fingerprint, resource, started: started.to_jiff(), status, outcome, version }
    }
}

/// The collection of the rows; to be ensured before traffic.
#[must_use]
pub fn setup() -> Setup {
    let forget = IndexOptions::builder().expire_after(KEPT).build();
    Setup::new(COLLECTION, [IndexModel::builder().keys(doc! { "started": 1 }).options(forget).build()])
}

/// The name of a request: whose key it is (a user or a cart), the route's template and the key. The key comes last, as it
/// alone may hold the separator.
#[must_use]
pub fn row_id(subject: &str, route: &str, key: &IdempotencyKey) -> String {
    format!("{subject}|{route}|{}", key.as_str())
}

/// Reads the row of a request outside of a transaction. Only a hint: whether it may start is decided by [`insert`].
///
/// # Errors
/// As [`Error`] says.
pub async fn find(mongo: &Mongo, id: &str) -> Result<Option<Row>, Error> {
    let (rows, filter) = (mongo.collection::<Stored>(COLLECTION), doc! { "_id": id });
    let found = mongo.run("find idempotency row", async move { rows.find_one(filter).await }).await?;
    Ok(found.map(Row::from))
}

/// Reads the row of the last of a subject's keys on a route that begin so, in the order of their characters. Only a hint, as
/// that of [`find`].
///
/// # Errors
/// As [`Error`] says.
pub async fn find_last(mongo: &Mongo, subject: &str, route: &str, beginning: &str) -> Result<Option<Row>, Error> {
    let rows = mongo.collection::<Stored>(COLLECTION);
    let first = format!("{subject}|{route}|{beginning}");
    // Keys are ASCII: none goes on with this.
    let behind = format!("{first}\u{ffff}");
    let filter = doc! { "_id": { "$gte": first, "$lt": behind } };
    let last = async move { rows.find_one(filter).sort(doc! { "_id": -1 }).await };
    Ok(mongo.run("find last idempotency row", last).await?.map(Row::from))
}

/// Reads the rows of many requests, by id.
///
/// # Errors
/// As [`Error`] says.
pub async fn find_many(txn: &mut Txn<'_>, ids: &[String]) -> Result<HashMap<String, Row>, Error> {
    let found: Vec<Stored> = txn.find_many(COLLECTION, ids.iter().map(String::as_str)).await?;
    Ok(found.into_iter().map(|stored| (stored.id.clone(), Row::from(stored))).collect())
}

/// Writes the rows of requests that start, in the transaction of their first effect. Read them with [`find_many`] in the
/// same transaction and leave out what is there, also two of one group with the same id.
///
/// # Errors
/// [`Error::Duplicate`] when one was there: the transaction must not be committed.
pub async fn insert(txn: &mut Txn<'_>, starts: &[Start]) -> Result<(), Error> {
    let row = |start: &Start| {
        let Start { id, fingerprint, resource } = start;
        doc! { "_id": id, "fingerprint": fingerprint.as_str(), "resource": resource }
    };
    let rows: Vec<Document> = starts.iter().map(row).collect();
    stamped::insert(txn, COLLECTION, "started", rows).await
}

/// Writes how requests ended, in the transaction that ends them. A row that is finished stays as it is, and one that was
/// forgotten meanwhile is not made again.
///
/// # Errors
/// As [`Error`] says.
pub async fn finish(txn: &mut Txn<'_>, ends: &[Finish]) -> Result<(), Error> {
    let op = |end: &Finish| {
        let Finish { id, status, outcome, version } = end;
        let set = doc! { "status": i32::from(*status), "outcome": outcome, "version": *version };
        UpdateOp::new(doc! { "_id": id, "status": Bson::Null }, doc! { "$set": set })
    };
    txn.update_many_ops(COLLECTION, ends.iter().map(op).collect()).await.map(|_| ())
}

//! What a relay asks of the outbox. Every write here is safe to repeat, and two relays at once send an event twice at worst.

use std::fmt;
use std::str::FromStr;

use bson::{Bson, DateTime, Document, doc};
use futures::TryStreamExt;
use jiff::Timestamp;
use mongodb::Collection;
use serde::Deserialize;
use shop_types::EventId;

use super::COLLECTION;
use crate::{Error, Mongo};

/// An event that waits to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The event's id.
    pub id: EventId,
    /// The topic's word on the wire.
    pub topic: String,
    /// The thing it is about.
    pub aggregate: String,
    /// The version of that thing.
    pub version: i64,
    /// The whole envelope as JSON.
    pub body: String,
    /// When it was written, by the database's clock.
    pub created_at: Timestamp,
}

/// The Redis that took an event: what it calls itself, and the mark that we left in its data. Either differs: it may have
/// lost what it had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wire {
    /// `run_id` of the server process.
    pub run_id: String,
    /// The epoch key in its data.
    pub epoch: String,
}

/// An id in a Redis stream, `<milliseconds>-<sequence>`; ordered as the stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    milliseconds: i64,
    sequence: i64,
}

/// A text is not the id of a stream entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of a stream entry: must be <milliseconds>-<sequence>")]
pub struct MalformedStreamId;

impl FromStr for StreamId {
    type Err = MalformedStreamId;

    fn from_str(text: &str) -> Result<Self, MalformedStreamId> {
        let number = |digits: &str| match digits.parse::<i64>() {
            Ok(number) if digits.bytes().all(|b| b.is_ascii_digit()) => Ok(number),
            Ok(_) | Err(_) => Err(MalformedStreamId),
        };
        let (milliseconds, sequence) = text.split_once('-').ok_or(MalformedStreamId)?;
        Ok(Self { milliseconds: number(milliseconds)?, sequence: number(sequence)? })
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.milliseconds, self.sequence)
    }
}

/// Rows that are not confirmed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Not sent.
    pub unpublished: u64,
    /// Sent, but not known to have reached every consumer group.
    pub unconfirmed: u64,
}

#[derive(Deserialize)]
struct Stored {
    #[serde(rename = "_id")]
    id: EventId,
    topic: String,
    aggregate: String,
    version: i64,
    body: String,
    created_at: DateTime,
}

impl From<Stored> for Row {
    fn from(stored: Stored) -> Self {
        let Stored { id, topic, aggregate, version, body, created_at } = stored;
        Self { id, topic, aggregate, version, body, created_at: created_at.to_jiff() }
    }
}

fn rows<T: Send + Sync>(mongo: &Mongo) -> Collection<T> {
    mongo.collection(COLLECTION)
}

/// Rows to send next, oldest first; events of one aggregate come in the order of their versions. Asks for a flag and not
/// for a time or an id, because rows become visible in another order than they get those.
///
/// # Errors
/// As [`Error`] says.
pub async fn next_unpublished(mongo: &Mongo, limit: u32) -> Result<Vec<Row>, Error> {
    let rows = rows::<Stored>(mongo);
    let work = async move {
        let found = rows
            .find(doc! { "confirmed": false, "published": Bson::Null })
            .sort(doc! { "created_at": 1, "version": 1, "_id": 1 })
            .limit(i64::from(limit))
            .batch_size(limit)
            .await?;
        found.try_collect::<Vec<Stored>>().await
    };
    Ok(mongo.run("read outbox", work).await?.into_iter().map(Row::from).collect())
}

/// Notes that events were sent in one step, in which Redis, and where the last of them stands in the stream. That one
/// place does for all: they are confirmed together once it is below what every group has.
///
/// # Errors
/// As [`Error`] says; then some may be noted and the others will be sent again.
pub async fn mark_published(mongo: &Mongo, wire: &Wire, events: &[EventId], last: StreamId) -> Result<(), Error> {
    let ids: Vec<String> = events.iter().map(EventId::to_string).collect();
    let published = doc! {
        "run_id": { "$literal": &wire.run_id },
        "epoch": { "$literal": &wire.epoch },
        "stream_id": { "$literal": last.to_string() },
        "milliseconds": last.milliseconds,
        "sequence": last.sequence,
        "at": "$$NOW",
    };
    let filter = doc! { "_id": { "$in": ids }, "confirmed": false };
    let rows = rows::<Document>(mongo);
    let noting = async move { rows.update_many(filter, vec![doc! { "$set": { "published": published } }]).await };
    mongo.run("mark published", noting).await.map(drop)
}

/// Confirms the rows that stand before `floor` in the stream of this Redis, `floor` itself excluded: give the oldest id
/// that some consumer group has not acknowledged. Rows that another Redis took, or this one before it lost its data, are
/// left for [`republish_unconfirmed`]. Gives how many were confirmed.
///
/// # Errors
/// As [`Error`] says.
pub async fn mark_confirmed_up_to(mongo: &Mongo, wire: &Wire, floor: StreamId) -> Result<u64, Error> {
    let before = doc! { "$or": [
        { "published.milliseconds": { "$lt": floor.milliseconds } },
        { "published.milliseconds": floor.milliseconds, "published.sequence": { "$lt": floor.sequence } },
    ] };
    let filter = doc! { "confirmed": false, "published": { "$ne": Bson::Null }, "$and": [taken_by(wire), before] };
    let confirm = doc! { "$set": { "confirmed": true }, "$currentDate": { "confirmed_at": true } };
    let rows = rows::<Document>(mongo);
    let done = mongo.run("mark confirmed", async move { rows.update_many(filter, confirm).await }).await?;
    Ok(done.modified_count)
}

/// Makes every row unpublished again that is not confirmed and was taken by another Redis than this one. Gives how many.
///
/// # Errors
/// As [`Error`] says.
pub async fn republish_unconfirmed(mongo: &Mongo, wire: &Wire) -> Result<u64, Error> {
    let filter = doc! { "confirmed": false, "published": { "$ne": Bson::Null }, "$nor": [taken_by(wire)] };
    let forget = doc! { "$set": { "published": Bson::Null } };
    let rows = rows::<Document>(mongo);
    let done = mongo.run("republish outbox", async move { rows.update_many(filter, forget).await }).await?;
    Ok(done.modified_count)
}

/// Counts the rows on their way.
///
/// # Errors
/// As [`Error`] says.
pub async fn backlog(mongo: &Mongo) -> Result<Backlog, Error> {
    let rows = rows::<Document>(mongo);
    let work = async move {
        let unpublished = rows.count_documents(doc! { "confirmed": false, "published": Bson::Null }).await?;
        let unconfirmed = rows.count_documents(doc! { "confirmed": false, "published": { "$ne": Bson::Null } }).await?;
        Ok(Backlog { unpublished, unconfirmed })
    };
    mongo.run("count outbox", work).await
}

fn taken_by(wire: &Wire) -> Document {
    doc! { "published.run_id": &wire.run_id, "published.epoch": &wire.epoch }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_ids_are_ordered_as_numbers() {
        let id = |text: &str| text.parse::<StreamId>().unwrap();
        assert!(id("9-1") < id("10-0"));
        assert!(id("10-9") < id("10-10"));
        assert_eq!(id("1700000000000-3").to_string(), "1700000000000-3");
    }

    #[test]
    fn what_is_no_stream_id_is_refused() {
        for text in ["", "-", "1", "1-", "-1", "1--1", "+1-1", "a-1", "1-99999999999999999999"] {
            assert_eq!(text.parse::<StreamId>(), Err(MalformedStreamId), "{text:?}");
        }
    }
}

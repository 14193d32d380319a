//! What an admin does with dead letters: look at them, have one handled after all, throw one away.
//!
//! A dead letter's event is marked in the inbox as had. To handle it after all is three steps, and a crash between any two
//! of them leaves a letter that can be tried again and an effect that happens once:
//! 1. The mark is taken away, if it is that of a letter; the mark of an effect stays.
//! 2. The handler is asked in the ordinary way; it claims the event in the transaction of its effect.
//! 3. The letter goes. When the handler failed, the letter stays and its mark is put back.
//!
//! One retry at a time, for [`AT_WORK`] at most. And a letter whose mark is back never goes: a handler that met the mark did
//! nothing and called that done.

use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, TryStreamExt};
use jiff::Timestamp;
use serde::Deserialize;
use shop_mongo::bson::DateTime;
use shop_mongo::{Document, Mongo, UpdateOp, doc, inbox};
use shop_types::{Envelope, EventId, Topic};
use tracing::{Instrument, Span};

use super::{COLLECTION, LetterError};
use crate::handler::Verdict;
use crate::{Handler, consumer};

/// Bytes of bodies after which a page takes no further letter: with the last one it is still a message that gRPC carries.
const MOST_BYTES: usize = 1 << 20;

/// After so long without an end a retry has died: longer than a handler may take, with what comes before and after it.
const AT_WORK: Duration = Duration::from_secs(30);

/// The dead letters of one service. Clones share everything.
#[derive(Clone)]
pub struct DeadLetters(Arc<Inner>);

struct Inner {
    service: String,
    mongo: Mongo,
    consumers: Vec<(&'static [Topic], Handler)>,
}

/// An event that a service has given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The event's id; without one, its place in the stream.
    pub id: String,
    /// The service whose stream it came in.
    pub producer: String,
    /// Its topic, as the stream had it.
    pub topic: String,
    /// Why it was given up the last time.
    pub reason: String,
    /// How often it was tried.
    pub deliveries: u32,
    /// When it was given up at first.
    pub at: Timestamp,
    /// The event as it stood in the stream.
    pub body: String,
}

/// Some of the letters, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterPage {
    /// Those of this page.
    pub letters: Vec<DeadLetter>,
    /// What to ask for to get the next page; `None` at the end.
    pub next: Option<String>,
    /// How many letters there are in all.
    pub total: u64,
}

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "_id")]
    id: String,
    producer: String,
    topic: String,
    reason: String,
    deliveries: i64,
    at: DateTime,
    body: String,
}

impl From<Row> for DeadLetter {
    fn from(row: Row) -> Self {
        let Row { id, producer, topic, reason, deliveries, at, body } = row;
        let deliveries = u32::try_from(deliveries).unwrap_or(u32::MAX);
        Self { id, producer, topic, reason, deliveries, at: at.to_jiff(), body }
    }
}

impl DeadLetters {
    /// Those of a service, and the handlers that it gives the consumers of its topics.
    #[must_use]
    pub fn new(service: &str, mongo: Mongo, consumers: Vec<(&'static [Topic], Handler)>) -> Self {
        Self(Arc::new(Inner { service: service.to_owned(), mongo, consumers }))
    }

    /// Lists letters, the oldest first: at most `limit` of them, fewer when they are large, after the place that an earlier
    /// page named.
    ///
    /// # Errors
    /// [`LetterError::Cursor`] when no page named that place; [`LetterError::Store`].
    pub async fn list(&self, limit: u32, after: Option<&str>) -> Result<LetterPage, LetterError> {
        let filter = after.map(parse).transpose()?.map_or_else(Document::new, |(at, id)| {
            doc! { "$or": [{ "at": { "$gt": at } }, { "at": at, "_id": { "$gt": id } }] }
        });
        let rows = self.0.mongo.collection::<Row>(COLLECTION);
        let work = async move {
            let found = rows.find(filter).sort(doc! { "at": 1, "_id": 1 }).limit(i64::from(limit) + 1).await?;
            found.try_collect::<Vec<Row>>().await
        };
        let mut rows = self.0.mongo.run("list dead letters", work).await?;
        let most = fitting(&rows).min(limit as usize);
        let more = rows.len() > most;
        rows.truncate(most);
        let next = rows.last().filter(|_| more).map(cursor);
        let total = super::count(&self.0.mongo).await?;
        Ok(LetterPage { letters: rows.into_iter().map(DeadLetter::from).collect(), next, total })
    }

    /// Has a letter's event handled now, and removes the letter once the effect is committed. It goes on when nobody waits
    /// for it any more.
    ///
    /// # Errors
    /// As [`LetterError`] says; the letter is still there after all of them but [`LetterError::NoSuchLetter`].
    pub async fn retry(&self, id: &str) -> Result<(), LetterError> {
        let (this, id) = (self.clone(), id.to_owned());
        let retrying = tokio::spawn(async move { this.try_again(&id).await }.instrument(Span::current()));
        retrying.await.map_err(LetterError::Interrupted)?
    }

    /// Throws a letter away. Its event stays marked as had, so that it never comes again.
    ///
    /// # Errors
    /// [`LetterError::NoSuchLetter`], [`LetterError::Store`].
    pub async fn discard(&self, id: &str) -> Result<(), LetterError> {
        let (group, id) = (self.0.service.clone(), id.to_owned());
        let discarding = self.0.mongo.transact("discard dead letter", move |txn| {
            let (group, id) = (group.clone(), id.clone());
            async move {
                let letters = txn.collection::<Document>(COLLECTION);
                let deleted = letters.delete_one(doc! { "_id": &id }).session(&mut *txn.session).await;
                let there = deleted.map_err(|error| txn.sort(error))?.deleted_count > 0;
                if there && let Ok(event) = id.parse::<EventId>() {
                    // A retry may have taken the mark away.
                    inbox::give_up(txn, &group, &[event]).await?;
                }
                Ok(there)
            }
            .boxed()
        });
        if discarding.await? { Ok(()) } else { Err(LetterError::NoSuchLetter) }
    }

    async fn try_again(&self, id: &str) -> Result<(), LetterError> {
        let letters = self.0.mongo.collection::<Row>(COLLECTION);
        let this = doc! { "_id": id };
        let found = self.0.mongo.run("read dead letter", async move { letters.find_one(this).await }).await?;
        let letter = found.ok_or(LetterError::NoSuchLetter)?;
        let (handler, envelope) = self.read(&letter)?;
        let event = envelope.id;
        self.take_up(id, event).await?;
        let verdicts = consumer::ask(&self.0.service, handler, vec![envelope]).await;
        match verdicts.into_iter().next() {
            Some(Verdict::Handled) => self.remove(id, event).await,
            Some(Verdict::Away(reason)) => {
                self.give_up(id, event, &reason, 0).await?;
                Err(LetterError::Away(reason))
            }
            Some(Verdict::Retry(reason) | Verdict::Poison(reason)) => {
                self.give_up(id, event, &reason, 1).await?;
                Err(LetterError::FailedAgain(reason))
            }
            None => Err(LetterError::FailedAgain("nobody answered".into())),
        }
    }

    fn read(&self, letter: &Row) -> Result<(&Handler, Envelope), LetterError> {
        let unreadable = |reason: String| LetterError::Unreadable(reason);
        let topic = Topic::from_name(&letter.topic);
        let topic = topic.ok_or_else(|| unreadable(format!("nobody knows the topic '{}'", letter.topic)))?;
        let handler = self.0.consumers.iter().find(|(topics, _)| topics.contains(&topic)).map(|(_, handler)| handler);
        let handler =
            handler.ok_or_else(|| unreadable(format!("{} does not consume {}", self.0.service, topic.name())))?;
        let envelope = consumer::envelope(topic, &letter.id, &letter.body).map_err(unreadable)?;
        Ok((handler, envelope))
    }

    async fn take_up(&self, id: &str, event: EventId) -> Result<(), LetterError> {
        let (group, id) = (self.0.service.clone(), id.to_owned());
        let at_work = i64::try_from(AT_WORK.as_millis()).unwrap_or(i64::MAX);
        let taking_up = self.0.mongo.transact("take up dead letter", move |txn| {
            let (group, this) = (group.clone(), doc! { "_id": &id });
            async move {
                let at_rest =
                    doc! { "$lte": [{ "$ifNull": ["$tried_at", DateTime::MIN] }, { "$subtract": ["$$NOW", at_work] }] };
                let mut resting = this.clone();
                resting.insert("$expr", at_rest);
                // Written to, so that a letter that is discarded meanwhile is not tried.
                let tried = UpdateOp::new(resting, doc! { "$currentDate": { "tried_at": true } });
                if txn.update_many_ops(COLLECTION, vec![tried]).await?.matched > 0 {
                    inbox::take_up(txn, &group, event).await?;
                    return Ok(Taken::Up);
                }
                let there = txn.find::<Document>(COLLECTION, this).await?;
                Ok(if there.is_empty() { Taken::Gone } else { Taken::ByAnother })
            }
            .boxed()
        });
        match taking_up.await? {
            Taken::Up => Ok(()),
            Taken::Gone => Err(LetterError::NoSuchLetter),
            Taken::ByAnother => Err(LetterError::Away("another retry of it is at work".into())),
        }
    }

    async fn give_up(&self, id: &str, event: EventId, reason: &str, deliveries: i64) -> Result<(), LetterError> {
        let group = self.0.service.clone();
        let this = doc! { "_id": id };
        let told = doc! {
            "$set": { "reason": super::beginning(reason, super::MOST_REASON) },
            "$inc": { "deliveries": deliveries },
            "$unset": { "tried_at": "" },
        };
        let giving_up = self.0.mongo.transact("give up dead letter again", move |txn| {
            let (group, told) = (group.clone(), UpdateOp::new(this.clone(), told.clone()));
            async move {
                txn.update_many_ops(COLLECTION, vec![told]).await?;
                inbox::give_up(txn, &group, &[event]).await.map(drop)
            }
            .boxed()
        });
        Ok(giving_up.await?)
    }

    async fn remove(&self, id: &str, event: EventId) -> Result<(), LetterError> {
        let (group, id) = (self.0.service.clone(), id.to_owned());
        let removing = self.0.mongo.transact("remove dead letter", move |txn| {
            let (group, this) = (group.clone(), doc! { "_id": &id });
            async move {
                if inbox::is_given_up(txn, &group, event).await? {
                    let rests = UpdateOp::new(this, doc! { "$unset": { "tried_at": "" } });
                    txn.update_many_ops(COLLECTION, vec![rests]).await?;
                    return Ok(None);
                }
                let letters = txn.collection::<Document>(COLLECTION);
                let deleted = letters.delete_one(this).session(&mut *txn.session).await;
                Ok(Some(deleted.map_err(|error| txn.sort(error))?.deleted_count))
            }
            .boxed()
        });
        match removing.await? {
            None => Err(LetterError::Away("it was given up again meanwhile".into())),
            Some(0) => Err(LetterError::NoSuchLetter),
            Some(_) => Ok(()),
        }
    }
}

/// What a retry has found.
enum Taken {
    Up,
    ByAnother,
    Gone,
}

/// How many letters fit into one page; at least one does.
fn fitting(rows: &[Row]) -> usize {
    let mut room = MOST_BYTES;
    let fits = |row: &&Row| {
        let fits = room > 0;
        room = room.saturating_sub(row.body.len());
        fits
    };
    rows.iter().take_while(fits).count()
}

/// The place of a letter in the list.
fn cursor(row: &Row) -> String {
    format!("{}.{}", row.at.timestamp_millis(), row.id)
}

fn parse(cursor: &str) -> Result<(DateTime, &str), LetterError> {
    let (at, id) = cursor.split_once('.').ok_or(LetterError::Cursor)?;
    let at = at.parse().map_err(|_| LetterError::Cursor)?;
    Ok((DateTime::from_millis(at), id))
}

//! Which events a consumer has had: the other half of "at least once", so that an effect happens once.

use std::collections::HashSet;
use std::time::Duration;

use bson::{Document, doc};
use mongodb::IndexModel;
use mongodb::options::IndexOptions;
use serde::Deserialize;
use shop_faults::Bug;
use shop_types::EventId;

use crate::{Error, Setup, Txn, stamped};

const COLLECTION: &str = "inbox";

/// How long a row is kept. Longer than the outbox keeps its rows (7 days), so that nothing that can still be sent again has
/// been forgotten here.
const KEPT: Duration = Duration::from_secs(14 * 24 * 3600);

/// The collection of the inbox; to be ensured before traffic.
#[must_use]
pub fn setup() -> Setup {
    let forget = IndexOptions::builder().expire_after(KEPT).build();
    Setup::new(COLLECTION, [IndexModel::builder().keys(doc! { "at": 1 }).options(forget).build()])
}

/// Remembers these events for a consumer group, in the transaction of their effect, and gives those that it has had
/// before: their effect must not happen again. An id that stands here twice counts once.
///
/// # Errors
/// As [`Error`] says. Two pods with the same event at once: one meets [`Error::Conflict`] and sees the row when repeated.
pub async fn claim(txn: &mut Txn<'_>, group: &str, ids: &[EventId]) -> Result<HashSet<EventId>, Error> {
    if shop_faults::planted(Bug::InboxOff) {
        return Ok(HashSet::new());
    }
    remember(txn, group, ids, &Document::new()).await
}

/// Remembers events that a consumer group gives up: they count as had, without their effect, until [`take_up`]. Gives
/// those that it has had, or given up, before; nothing changes for them.
///
/// # Errors
/// As [`claim`].
pub async fn give_up(txn: &mut Txn<'_>, group: &str, ids: &[EventId]) -> Result<HashSet<EventId>, Error> {
    remember(txn, group, ids, &doc! { "given_up": true }).await
}

/// Forgets that an event was given up, so that its effect may happen after all. One whose effect has happened stays had.
///
/// # Errors
/// As [`Error`] says.
pub async fn take_up(txn: &mut Txn<'_>, group: &str, id: EventId) -> Result<(), Error> {
    let given_up = doc! { "_id": row_id(group, id), "given_up": true };
    let rows = txn.collection::<Document>(COLLECTION);
    let deleted = rows.delete_one(given_up).session(&mut *txn.session).await;
    deleted.map(drop).map_err(|error| txn.sort(error))
}

/// Whether a consumer group has given an event up, without its effect.
///
/// # Errors
/// As [`Error`] says.
pub async fn is_given_up(txn: &mut Txn<'_>, group: &str, id: EventId) -> Result<bool, Error> {
    let given_up = doc! { "_id": row_id(group, id), "given_up": true };
    Ok(!txn.find::<Document>(COLLECTION, given_up).await?.is_empty())
}

#[derive(Deserialize)]
struct Found {
    #[serde(rename = "_id")]
    id: String,
}

async fn remember(txn: &mut Txn<'_>, group: &str, ids: &[EventId], more: &Document) -> Result<HashSet<EventId>, Error> {
    let ids: HashSet<EventId> = ids.iter().copied().collect();
    let row = |id: &EventId| {
        let mut row = doc! { "_id": row_id(group, *id), "group": group };
        row.extend(more.clone());
        row
    };
    let found: Vec<Found> = txn.find_many(COLLECTION, ids.iter().map(|id| row_id(group, *id))).await?;
    let found: HashSet<String> = found.into_iter().map(|found| found.id).collect();
    let (had, new): (Vec<EventId>, Vec<EventId>) = ids.into_iter().partition(|id| found.contains(&row_id(group, *id)));
    stamped::insert(txn, COLLECTION, "at", new.iter().map(row).collect()).await?;
    Ok(had.into_iter().collect())
}

fn row_id(group: &str, id: EventId) -> String {
    format!("{group}:{id}")
}

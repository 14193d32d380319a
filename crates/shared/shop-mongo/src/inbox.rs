//! Which events a consumer has had: the other half of "at least once", so that an effect happens once.

use std::collections::HashSet;
use std::time::Duration;

use bson::{Document, doc};
use mongodb::IndexModel;
use mongodb::options::IndexOptions;
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
    let mut known = HashSet::new();
    let ids: Vec<EventId> = ids.iter().copied().filter(|id| known.insert(*id)).collect();
    let rows: Vec<Document> = ids.iter().map(|id| doc! { "_id": format!("{group}:{id}"), "group": group }).collect();
    let new = stamped::insert(txn, COLLECTION, "at", rows).await?;
    Ok(ids.into_iter().zip(new).filter(|(_, new)| !new).map(|(id, _)| id).collect())
}

//! Events on their way out: written in the transaction of the change that they tell of, sent by a relay afterwards.
//!
//! What belongs here: the rows and the questions that a relay asks of them. The relay itself stands in shop-events. A row
//! lives through *unpublished*, *published* (named by its place in the stream and by the Redis that took it) and
//! *confirmed* (every consumer group has it); confirmed rows are forgotten after 7 days, others never. The stream may lose
//! what it has: until a row is confirmed, this is the only copy that counts.

mod relay;

use std::time::Duration;

use bson::{Bson, Document, doc};
use mongodb::IndexModel;
use mongodb::options::IndexOptions;
use shop_types::Envelope;

use crate::{Error, Setup, Txn, stamped};

pub use relay::{
    Backlog, Row, StreamId, Wire, backlog, mark_confirmed_up_to, mark_published, next_unpublished,
    republish_unconfirmed,
};

const COLLECTION: &str = "outbox";

/// How long confirmed rows are kept, to look at.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// The collection of the outbox; to be ensured before traffic.
#[must_use]
pub fn setup() -> Setup {
    let index = |keys: Document, options: IndexOptions| IndexModel::builder().keys(keys).options(options).build();
    let unconfirmed = IndexOptions::builder()
        .name("unconfirmed".to_owned())
        .partial_filter_expression(doc! { "confirmed": false })
        .build();
    let forget = IndexOptions::builder().expire_after(KEPT).build();
    // Only the rows still on their way are in the first index, so that it stays as small as the backlog.
    let on_their_way = doc! { "published": 1, "created_at": 1, "version": 1, "_id": 1 };
    Setup::new(COLLECTION, [index(on_their_way, unconfirmed), index(doc! { "confirmed_at": 1 }, forget)])
}

/// Writes events in the transaction of the change that they tell of. The relay of this process is woken by the commit.
///
/// # Errors
/// [`Error::Duplicate`] when an event of that id was written before; else as [`Error`] says.
pub async fn append(txn: &mut Txn<'_>, events: &[Envelope]) -> Result<(), Error> {
    if events.is_empty() {
        return Ok(());
    }
    let rows: Vec<Document> = events.iter().map(|event| row(txn.what(), event)).collect::<Result<_, _>>()?;
    txn.will_have_written_events();
    stamped::insert(txn, COLLECTION, "created_at", rows).await
}

fn row(what: &'static str, event: &Envelope) -> Result<Document, Error> {
    let body = serde_json::to_string(event).map_err(|error| Error::failed(what, error))?;
    Ok(doc! {
        "_id": event.id.to_string(),
        "topic": event.event.topic().name(),
        "aggregate": &event.aggregate,
        "version": event.version,
        "body": body,
        "published": Bson::Null,
        "confirmed": false,
    })
}

//! The history of stock in MongoDB, read in pages, the newest first.

use std::time::Duration;

use futures::TryStreamExt as _;
use shop_mongo::bson::DateTime;
use shop_mongo::options::FindOptions;
use shop_mongo::{Document, Error, IndexModel, Mongo, Setup, doc};

use super::MOVEMENTS;
use super::documents::MovementDocument;
use crate::domain::history::{Cursor, Recorded, Search};

/// How long the server works on a page before it gives up: nobody waits longer.
const LONGEST: Duration = Duration::from_secs(2);

/// The newest first, in the order of [`Cursor`].
fn order() -> Document {
    doc! { "at": -1, "version": -1, "_id": -1 }
}

/// Indexed by what pages are sorted by, alone and behind what they are narrowed by.
pub(super) fn setup() -> Setup {
    let index = |keys| IndexModel::builder().keys(keys).build();
    let behind = |field: &str| {
        let mut keys = doc! { field: 1 };
        keys.extend(order());
        index(keys)
    };
    let mut both = doc! { "sku": 1, "location": 1 };
    both.extend(order());
    Setup::new(MOVEMENTS, [behind("sku"), behind("location"), index(both), index(order())])
}

/// A page of movements, and where the next one begins if there is one.
///
/// # Errors
/// As [`Error`] says.
pub async fn movements(mongo: &Mongo, search: &Search) -> Result<(Vec<Recorded>, Option<Cursor>), Error> {
    let collection = mongo.collection::<MovementDocument>(MOVEMENTS);
    let options = FindOptions::builder()
        .sort(order())
        // One more than asked for tells whether there are more.
        .limit(i64::from(search.size) + 1)
        .max_time(LONGEST)
        .build();
    let (filter, size) = (filter_of(search), usize::try_from(search.size).unwrap_or(usize::MAX));
    let finding = async move { collection.find(filter).with_options(options).await?.try_collect::<Vec<_>>().await };
    let mut found = mongo.run("list movements", finding).await?;
    let more = found.len() > size;
    found.truncate(size);
    let found: Vec<Recorded> = found.into_iter().map(MovementDocument::recorded).collect();
    let next = found.last().filter(|_| more).map(Cursor::after);
    Ok((found, next))
}

fn filter_of(search: &Search) -> Document {
    let Search { sku, location, from, to, after, size: _ } = search;
    let (mut filter, mut at) = (Document::new(), Document::new());
    if let Some(sku) = sku {
        filter.insert("sku", sku.as_str());
    }
    if let Some(location) = location {
        filter.insert("location", location.as_str());
    }
    if let Some(from) = from {
        at.insert("$gte", DateTime::from(*from));
    }
    if let Some(to) = to {
        at.insert("$lt", DateTime::from(*to));
    }
    if let Some(Cursor { at: last, version, id }) = after {
        let last = DateTime::from(*last);
        at.insert("$lte", last);
        let behind = [
            doc! { "at": { "$lt": last } },
            doc! { "at": last, "version": { "$lt": *version } },
            doc! { "at": last, "version": *version, "_id": { "$lt": id } },
        ];
        filter.insert("$or", behind.to_vec());
    }
    if !at.is_empty() {
        filter.insert("at", at);
    }
    filter
}

//! Locations in MongoDB. Each counts the pieces that ever came in, less those written off, so that it alone tells whether
//! anything lies there or may come back; orders leave that count as it is. `main` counts nothing, since it stays anyway.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use shop_mongo::{Claim, Document, Error, Mongo, Txn, UpdateOp, bson, doc, idempotency, update_versioned};

use super::corrupt;
use super::documents::Unreadable;
use crate::domain::location::{Location, LocationId, LocationName, MOST_LOCATIONS};

pub(super) const LOCATIONS: &str = "locations";

/// The unique index of ids.
const ID_INDEX: &str = "_id_";

/// What became of a location to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// It is there.
    Done,
    /// Its id or the idempotency key is in use.
    Taken,
    /// There are too many already.
    TooMany,
}

/// What became of a location to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// It is gone.
    Done,
    /// It was not there.
    Missing,
    /// It has another version.
    Stale,
    /// Something lies there, or was sold from there.
    InUse,
}

#[derive(Debug, Serialize, Deserialize)]
struct LocationDocument {
    #[serde(rename = "_id")]
    id: String,
    name: String,
    version: i64,
    /// Pieces that lie there or were sold from there; always 0 for `main`.
    pieces: i64,
}

impl From<&Location> for LocationDocument {
    fn from(Location { id, name, version }: &Location) -> Self {
        Self { id: id.to_string(), name: name.as_str().to_owned(), version: *version, pieces: 0 }
    }
}

impl TryFrom<LocationDocument> for Location {
    type Error = Unreadable;

    fn try_from(document: LocationDocument) -> Result<Self, Unreadable> {
        let LocationDocument { id, name, version, pieces: _ } = document;
        Ok(Self {
            id: id.parse().map_err(|_| Unreadable("a location has an id that is none"))?,
            name: LocationName::new(&name).map_err(|_| Unreadable("a location has a name that is none"))?,
            version,
        })
    }
}

/// Makes `main`, unless it is there.
///
/// # Errors
/// As [`Error`] says.
pub async fn ensure_main(mongo: &Mongo) -> Result<(), Error> {
    let fresh = doc! { "$setOnInsert": { "name": "Main", "version": 1_i64, "pieces": 0_i64 } };
    let op = UpdateOp::new(doc! { "_id": LocationId::main().as_str() }, fresh).upsert();
    mongo.update_many_ops("ensure main location", LOCATIONS, vec![op]).await.map(drop)
}

/// All locations by id, which are a hundred at most.
///
/// # Errors
/// As [`Error`] says.
pub async fn locations(mongo: &Mongo) -> Result<Vec<Location>, Error> {
    const WHAT: &str = "list locations";
    let locations = mongo.collection::<LocationDocument>(LOCATIONS);
    let finding = async move {
        locations.find(doc! { "_id": { "$gte": "" } }).sort(doc! { "_id": 1 }).await?.try_collect::<Vec<_>>().await
    };
    mongo.run(WHAT, finding).await?.into_iter().map(|found| read(WHAT, found)).collect()
}

/// One location.
///
/// # Errors
/// As [`Error`] says.
pub async fn location(mongo: &Mongo, id: &LocationId) -> Result<Option<Location>, Error> {
    const WHAT: &str = "find location";
    let (locations, filter) = (mongo.collection::<LocationDocument>(LOCATIONS), doc! { "_id": id.as_str() });
    let found = mongo.run(WHAT, async move { locations.find_one(filter).await }).await?;
    found.map(|found| read(WHAT, found)).transpose()
}

/// Adds a location, and with it the row of its idempotency key.
///
/// # Errors
/// As [`Error`] says.
pub async fn add(mongo: &Mongo, location: &Location, claim: Option<&Claim>) -> Result<Added, Error> {
    const WHAT: &str = "add location";
    let document = bson::serialize_to_document(&LocationDocument::from(location));
    let document = document.map_err(|error| Error::corrupt(WHAT, error))?;
    let start = claim.map(|claim| claim.start(location.id.as_str()));
    let added = mongo.transact(WHAT, move |txn| {
        let (document, start) = (document.clone(), start.clone());
        Box::pin(async move {
            // Whoever adds another one at the same time writes here as well: so both are counted.
            let touch = doc! { "$inc": { "touched": 1_i64 } };
            let main = UpdateOp::new(doc! { "_id": LocationId::main().as_str() }, touch);
            txn.update_each(LOCATIONS, vec![main]).await?;
            let present: Vec<Document> = txn.find(LOCATIONS, doc! { "_id": { "$gte": "" } }).await?;
            if present.len() >= MOST_LOCATIONS {
                return Ok(Added::TooMany);
            }
            if let Some(start) = start {
                idempotency::insert(txn, &[start]).await?;
            }
            txn.insert_many(LOCATIONS, vec![document]).await?;
            Ok(Added::Done)
        })
    });
    match added.await {
        Err(error) if error.is_duplicate_of(ID_INDEX) => Ok(Added::Taken),
        ended => ended,
    }
}

/// Gives a location that is still at `expected` another name; `None` when it is not.
///
/// # Errors
/// As [`Error`] says.
pub async fn rename(
    mongo: &Mongo,
    id: &LocationId,
    expected: i64,
    name: &LocationName,
) -> Result<Option<Location>, Error> {
    const WHAT: &str = "rename location";
    let locations = mongo.collection::<LocationDocument>(LOCATIONS);
    let (id, set) = (id.to_string(), doc! { "name": name.as_str() });
    let renamed = mongo.run(WHAT, async move { update_versioned(&locations, id, expected, set).await }).await?;
    renamed.map(|found| read(WHAT, found)).transpose()
}

/// Removes a location that is still at `expected`, where nothing lies and from where nothing was sold.
///
/// # Errors
/// As [`Error`] says.
pub async fn remove(mongo: &Mongo, id: &LocationId, expected: i64) -> Result<Removed, Error> {
    let (locations, filter) =
        (mongo.collection::<Document>(LOCATIONS), doc! { "_id": id.as_str(), "version": expected, "pieces": 0_i64 });
    let removed = mongo.run("remove location", async move { locations.delete_one(filter).await }).await?;
    if removed.deleted_count == 1 {
        return Ok(Removed::Done);
    }
    Ok(match location(mongo, id).await? {
        None => Removed::Missing,
        Some(found) if found.version != expected => Removed::Stale,
        Some(_) => Removed::InUse,
    })
}

/// Those of the named locations that are there; `main` is, and is not asked for.
pub(super) async fn present(txn: &mut Txn<'_>, named: &BTreeSet<LocationId>) -> Result<BTreeSet<LocationId>, Error> {
    let ids = named.iter().filter(|id| !id.is_main()).map(LocationId::as_str);
    let found: Vec<LocationDocument> = txn.find_many(LOCATIONS, ids).await?;
    let there = |found| read(txn.what(), found).map(|Location { id, .. }| id);
    found.into_iter().map(there).collect()
}

/// Counts pieces that came into locations, and takes off those that are gone. Who removes one of them meanwhile conflicts.
pub(super) async fn count(txn: &mut Txn<'_>, came: BTreeMap<LocationId, i64>) -> Result<(), Error> {
    let counting = came
        .into_iter()
        .filter(|(id, pieces)| !id.is_main() && *pieces != 0)
        .map(|(id, pieces)| UpdateOp::new(doc! { "_id": id.as_str() }, doc! { "$inc": { "pieces": pieces } }));
    txn.update_each(LOCATIONS, counting.collect()).await
}

fn read(what: &'static str, document: LocationDocument) -> Result<Location, Error> {
    document.try_into().map_err(|source| corrupt(what, source))
}

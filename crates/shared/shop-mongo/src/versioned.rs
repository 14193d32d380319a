//! Optimistic concurrency on one document: the change happens only at the version that the caller has seen.

use bson::{Bson, Document, doc};
use mongodb::Collection;
use mongodb::options::ReturnDocument;
use serde::de::DeserializeOwned;

use crate::DriverError;

/// Sets fields of the document `id` if its `version` is still `expected`, raises the version by one, and gives the document
/// as it is then. `None`: there is no such document, or it has another version; nothing was written.
///
/// Give the future to [`crate::Mongo::run`]. The driver may repeat it once: the server remembers that it was done.
///
/// # Errors
/// Those of the driver.
pub async fn update_versioned<T>(
    collection: &Collection<T>,
    id: impl Into<Bson>,
    expected: i64,
    set: Document,
) -> Result<Option<T>, DriverError>
where
    T: DeserializeOwned + Send + Sync,
{
    let mut change = doc! { "$inc": { "version": 1_i64 } };
    if !set.is_empty() {
        change.insert("$set", set);
    }
    collection
        .find_one_and_update(doc! { "_id": id.into(), "version": expected }, change)
        .return_document(ReturnDocument::After)
        .await
}

//! How many documents a list has, for a price that does not grow with the collection.

use bson::Document;
use mongodb::Collection;
use mongodb::options::CountOptions;

use crate::DriverError;

/// As far as is counted. Beyond it a count means "at least".
pub const COUNTED: u64 = 100_000;

/// Counts the documents that match: exactly up to [`COUNTED`], which also stands for more. All documents there are (an empty
/// filter) are what the collection says, without reading any.
///
/// `options` may name a collation and a longest time; their limit is not looked at. Give the future to [`crate::Mongo::run`].
///
/// # Errors
/// Those of the driver.
pub async fn count<T>(collection: &Collection<T>, filter: Document, options: CountOptions) -> Result<u64, DriverError>
where
    T: Send + Sync,
{
    count_up_to(COUNTED, collection, filter, options).await
}

/// Counts as [`count`] does, up to another number.
///
/// # Errors
/// Those of the driver.
pub async fn count_up_to<T>(
    most: u64,
    collection: &Collection<T>,
    filter: Document,
    mut options: CountOptions,
) -> Result<u64, DriverError>
where
    T: Send + Sync,
{
    if filter.is_empty() {
        return collection.estimated_document_count().await;
    }
    options.limit = Some(most);
    collection.count_documents(filter).with_options(options).await
}

//! Rows that carry the time of the database's clock. `$$NOW` is for updates alone, and an upsert for each row costs the
//! server several times an insert of all of them: here the time is the one that the server's replies carry.

use bson::Document;

use crate::{Error, Txn};

/// Inserts rows (each with its `_id`) with the database's time in the field `stamp`, exact to some seconds: for what is
/// kept for days.
///
/// # Errors
/// [`Error::Duplicate`] when one is there; else as [`Error`] says.
pub(crate) async fn insert(
    txn: &mut Txn<'_>,
    collection: &str,
    stamp: &str,
    mut rows: Vec<Document>,
) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let now = txn.database_time(collection).await?;
    for row in &mut rows {
        row.insert(stamp, now);
    }
    txn.insert_many(collection, rows).await
}

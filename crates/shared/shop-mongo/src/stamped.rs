//! Rows that carry the time of the database's clock: an insert cannot, an upsert by pipeline can.

use bson::{Document, doc};

use crate::{Error, Txn, UpdateOp};

/// Inserts rows (each with its `_id`) with `$$NOW` in the field `stamp`. A row that exists stays as it is; the result
/// tells for each whether it is new.
pub(crate) async fn insert(
    txn: &mut Txn<'_>,
    collection: &str,
    stamp: &str,
    rows: Vec<Document>,
) -> Result<Vec<bool>, Error> {
    let mut new = vec![false; rows.len()];
    let ops = rows.into_iter().map(|row| insertion(stamp, row)).collect();
    for index in txn.update_many_ops(collection, ops).await?.upserted {
        if let Some(row) = new.get_mut(index) {
            *row = true;
        }
    }
    Ok(new)
}

/// [`insert`] of rows that must not be there.
pub(crate) async fn insert_new(
    txn: &mut Txn<'_>,
    collection: &str,
    stamp: &str,
    rows: Vec<Document>,
) -> Result<(), Error> {
    if insert(txn, collection, stamp, rows).await?.into_iter().all(|new| new) {
        return Ok(());
    }
    Err(Error::Duplicate { what: txn.what(), index: "_id_".to_owned() })
}

fn insertion(stamp: &str, row: Document) -> UpdateOp {
    let mut stamped = Document::new();
    stamped.insert(stamp, "$$NOW");
    let id = row.get("_id").cloned();
    let is_new = doc! { "$eq": [{ "$type": format!("${stamp}") }, "missing"] };
    // A literal, so that no value of ours is read as an expression.
    let whole = doc! { "$mergeObjects": [{ "$literal": row }, stamped] };
    let keep_or_fill = doc! { "$replaceWith": { "$cond": [is_new, whole, "$$ROOT"] } };
    UpdateOp::new(doc! { "_id": id }, vec![keep_or_fill]).upsert()
}

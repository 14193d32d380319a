//! Stock that does not lie in `main`: staff alone moves it, so it needs no group, and no order waits for it.
//!
//! The rules are those of `main` (`domain::batch`). Nobody is told of it: what lies elsewhere cannot be sold.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::TryStreamExt as _;
use shop_mongo::idempotency::{Finish, Start};
use shop_mongo::{Document, Error, Mongo, Txn, UpdateOp, bson, doc, idempotency};
use shop_types::{Clock, Sku};

use super::documents::{MovementDocument, StockDocument};
use super::locations::{LOCATIONS, counting, exists};
use super::{MOVEMENTS, STOCK, reading};
use crate::domain::batch::{Changed, Decision, Done, Stored, Writes, decide};
use crate::domain::location::LocationId;
use crate::domain::{Adjustment, Command, Stock};

/// The stock of a SKU in all locations, by location; at most 200.
///
/// # Errors
/// As [`Error`] says.
pub async fn stock_everywhere(mongo: &Mongo, sku: &Sku) -> Result<Vec<(String, Stock)>, Error> {
    let stock = mongo.collection::<StockDocument>(STOCK);
    // All ids that begin with the SKU and `@`: the next character behind that is `A`.
    let range = doc! { "_id": { "$gte": format!("{sku}@"), "$lt": format!("{sku}A") } };
    let finding =
        async move { stock.find(range).sort(doc! { "_id": 1 }).limit(200).await?.try_collect::<Vec<_>>().await };
    let found = mongo.run("find stock everywhere", finding).await?;
    Ok(found.into_iter().map(|document| (document.location().to_owned(), document.into())).collect())
}

/// Does an adjustment in a location that is not `main`; `None` when there is no such location.
///
/// # Errors
/// As [`Error`] says.
pub async fn adjust_at(
    mongo: &Mongo,
    clock: &Arc<dyn Clock>,
    location: &LocationId,
    adjustment: Adjustment,
) -> Result<Option<Decision>, Error> {
    let (clock, location) = (Arc::clone(clock), location.clone());
    mongo
        .transact("adjust stock elsewhere", move |txn| {
            let (clock, location, adjustment) = (Arc::clone(&clock), location.clone(), adjustment.clone());
            Box::pin(async move { settle(txn, &clock, &location, adjustment).await })
        })
        .await
}

async fn settle(
    txn: &mut Txn<'_>,
    clock: &Arc<dyn Clock>,
    location: &LocationId,
    adjustment: Adjustment,
) -> Result<Option<Decision>, Error> {
    let (id, pieces) = (stock_id(&adjustment.sku, location), adjustment.delta.get());
    let command = Command::Adjust(adjustment);
    let done = reading::load_done(txn, &[&command]).await?;
    // What was done before is answered also when the location is gone by now.
    if done.is_empty() && !exists(txn, location).await? {
        return Ok(None);
    }
    let found: Vec<StockDocument> = txn.find_many(STOCK, [id.as_str()]).await?;
    let stock: BTreeMap<Sku, Stock> =
        found.into_iter().map(Stock::from).map(|stock| (stock.sku.clone(), stock)).collect();
    let decision = decide(&Stored { stock, done, ..Stored::default() }, [&command]);
    if !decision.writes.movements.is_empty() {
        write(txn, clock, location, &decision.writes).await?;
        txn.update_each(LOCATIONS, vec![counting(location, pieces)]).await?;
    }
    Ok(Some(decision))
}

async fn write(txn: &mut Txn<'_>, clock: &Arc<dyn Clock>, location: &LocationId, writes: &Writes) -> Result<(), Error> {
    let Writes { stock, reservations: _, movements, done } = writes;
    for Changed { before, after } in stock {
        match before {
            None => {
                let fresh = to_document(txn, &StockDocument::from(after).at(location.as_str()))?;
                txn.insert_many(STOCK, vec![fresh]).await?;
            }
            Some(before) => {
                let guard = doc! { "_id": stock_id(&after.sku, location), "version": before.version };
                let change = doc! { "$inc": {
                    "available": after.available - before.available,
                    "received": after.received - before.received,
                    "version": after.version - before.version,
                } };
                txn.update_each(STOCK, vec![UpdateOp::new(guard, change)]).await?;
            }
        }
    }
    let now = clock.now();
    let rows = movements.iter().map(|one| to_document(txn, &MovementDocument::new(one, now).at(location.as_str())));
    let rows = rows.collect::<Result<_, _>>()?;
    txn.insert_many(MOVEMENTS, rows).await?;
    for Done { key, stock } in done {
        let (id, fingerprint) = (key.id.clone(), key.fingerprint.clone());
        let start = Start { id: id.clone(), fingerprint, resource: stock_id(&stock.sku, location) };
        idempotency::insert(txn, &[start]).await?;
        let finish = Finish { id, status: 201, outcome: "moved".to_owned(), version: stock.version };
        idempotency::finish(txn, &[finish]).await?;
    }
    Ok(())
}

fn stock_id(sku: &Sku, location: &LocationId) -> String {
    format!("{sku}@{location}")
}

fn to_document(txn: &Txn<'_>, value: &impl serde::Serialize) -> Result<Document, Error> {
    bson::serialize_to_document(value).map_err(|source| Error::Failed { what: txn.what(), source: Arc::new(source) })
}

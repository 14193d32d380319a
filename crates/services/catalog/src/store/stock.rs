//! What inventory has told of stock: a copy for reading, never the truth.

use std::collections::HashMap;

use bson::doc;
use futures::TryStreamExt as _;
use shop_mongo::{Error, UpdateOp, inbox};
use shop_types::event::StockFact;
use shop_types::{EventId, Sku};

use super::documents::StockDocument;
use super::{STOCK, Store};

/// The consumer group of this service.
const GROUP: &str = "catalog";

impl Store {
    /// Pieces that can be sold, by SKU; SKUs that nothing was told of are absent.
    pub(crate) async fn available(&self, skus: &[Sku]) -> Result<HashMap<Sku, i64>, Error> {
        if skus.is_empty() {
            return Ok(HashMap::new());
        }
        let stock = self.mongo.collection::<StockDocument>(STOCK);
        let filter = doc! { "_id": { "$in": skus.iter().map(Sku::as_str).collect::<Vec<_>>() } };
        let rows: Vec<StockDocument> =
            self.mongo.run("find stock", async move { stock.find(filter).await?.try_collect().await }).await?;
        Ok(rows.into_iter().filter_map(|row| Some((row.sku.parse().ok()?, row.available))).collect())
    }

    /// Remembers facts about stock, each once and never an older one over a newer one.
    pub(crate) async fn remember_stock(&self, facts: Vec<(EventId, StockFact)>) -> Result<(), Error> {
        self.mongo
            .transact("remember stock", move |txn| {
                let facts = facts.clone();
                Box::pin(async move {
                    let ids: Vec<EventId> = facts.iter().map(|(id, _)| *id).collect();
                    let known = inbox::claim(txn, GROUP, &ids).await?;
                    let fresh = facts.into_iter().filter(|(id, _)| !known.contains(id)).map(|(_, fact)| write(&fact));
                    txn.update_many_ops(STOCK, fresh.collect()).await.map(drop)
                })
            })
            .await
    }
}

/// Sets the newest of what is stored and what is told; as a pipeline, so that an older fact changes nothing.
fn write(fact: &StockFact) -> UpdateOp {
    let StockFact { sku, available, version } = fact;
    let newer = doc! { "$gt": [*version, { "$ifNull": ["$version", 0_i64] }] };
    let set = doc! { "$set": {
        "available": { "$cond": [newer.clone(), *available, "$available"] },
        "version": { "$cond": [newer, *version, "$version"] },
    } };
    UpdateOp::new(doc! { "_id": sku.as_str() }, vec![set]).upsert()
}

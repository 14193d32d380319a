//! What inventory has told of stock: a copy for reading, never the truth. It is kept by SKU, also for SKUs that no product
//! has yet, and copied into the product that has the SKU.

use std::collections::HashMap;

use bson::{Bson, doc};
use shop_mongo::{Error, Txn, UpdateOp, inbox};
use shop_types::event::StockFact;
use shop_types::{EventId, Sku};

use super::documents::StockDocument;
use super::{PRODUCTS, STOCK, Store};

/// The consumer group of this service.
const GROUP: &str = "catalog";

impl Store {
    /// Remembers facts about stock, each once and never an older one over a newer one.
    pub(crate) async fn remember_stock(&self, facts: Vec<(EventId, StockFact)>) -> Result<(), Error> {
        self.mongo
            .transact("remember stock", move |txn| {
                let facts = facts.clone();
                Box::pin(async move {
                    let ids: Vec<EventId> = facts.iter().map(|(id, _)| *id).collect();
                    let known = inbox::claim(txn, GROUP, &ids).await?;
                    let fresh = facts.into_iter().filter(|(id, _)| !known.contains(id)).map(|(_, fact)| fact);
                    let newest = newest(fresh);
                    txn.update_many_ops(STOCK, newest.iter().map(keep).collect()).await?;
                    txn.update_many_ops(PRODUCTS, newest.iter().map(show).collect()).await.map(drop)
                })
            })
            .await
    }
}

/// What was told of SKUs that a product is about to have. A write, not a read: a fact that is remembered at the same time
/// either is seen here or sees the product.
pub(super) async fn meet_stock<'a>(
    txn: &mut Txn<'_>,
    skus: impl Iterator<Item = &'a str> + Clone,
) -> Result<Vec<StockDocument>, Error> {
    let meet = |sku| UpdateOp::new(doc! { "_id": sku }, doc! { "$inc": { "products": 1_i64 } }).upsert();
    txn.update_many_ops(STOCK, skus.clone().map(meet).collect()).await?;
    txn.find_many(STOCK, skus).await
}

/// The newest fact of each SKU.
fn newest(facts: impl Iterator<Item = StockFact>) -> Vec<StockFact> {
    let mut newest: HashMap<Sku, StockFact> = HashMap::new();
    for fact in facts {
        if newest.get(&fact.sku).is_none_or(|other| other.version < fact.version) {
            newest.insert(fact.sku.clone(), fact);
        }
    }
    newest.into_values().collect()
}

/// Sets the newer of what is stored and what is told; as a pipeline, so that an older fact changes nothing.
fn keep(fact: &StockFact) -> UpdateOp {
    let StockFact { sku, available, version } = fact;
    let newer = doc! { "$gt": [*version, { "$ifNull": ["$version", 0_i64] }] };
    let set = doc! { "$set": {
        "available": { "$cond": [newer.clone(), *available, "$available"] },
        "version": { "$cond": [newer, *version, "$version"] },
    } };
    UpdateOp::new(doc! { "_id": sku.as_str() }, vec![set]).upsert()
}

/// Shows it at the variant with this SKU, if there is one and it shows nothing newer.
fn show(fact: &StockFact) -> UpdateOp {
    let StockFact { sku, available, version } = fact;
    let set = doc! { "$set": {
        "variants.$[variant].available": *available,
        "variants.$[variant].stock_version": *version,
    } };
    let older = [doc! { "variant.stock_version": Bson::Null }, doc! { "variant.stock_version": { "$lt": *version } }];
    UpdateOp::new(doc! { "variants.sku": sku.as_str() }, set)
        .array_filter(doc! { "variant.sku": sku.as_str(), "$or": older.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_facts_about_a_sku_the_newest_counts() {
        let fact = |version| StockFact { sku: "mug".parse().unwrap(), available: version * 10, version };
        let kept = newest([fact(2), fact(3), fact(1)].into_iter());
        assert_eq!(kept, [fact(3)]);
    }
}

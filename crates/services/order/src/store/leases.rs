//! Who drives an order, by the database's clock: a pod whose own clock jumps neither loses nor steals an order.

use bson::doc;
use futures::TryStreamExt as _;
use shop_mongo::options::ReturnDocument;
use shop_mongo::{Collection, Document, Error};
use shop_types::OrderId;

use super::documents::OrderDocument;
use super::{ORDERS, Store};
use crate::domain::Order;

/// How long a driver may be silent before another takes over.
pub(super) const LEASE_MILLISECONDS: i64 = 10_000;

/// How many overdue orders are looked for at once: as many as one group takes.
pub(crate) const MOST_OVERDUE: usize = shop_mongo::group::MOST_MEMBERS;

impl Store {
    /// Takes over an order whose driver is silent; `None` when there is none, or when `id` is being driven or settled.
    pub(crate) async fn take_over(&self, id: Option<OrderId>) -> Result<Option<Order>, Error> {
        let orders: Collection<OrderDocument> = self.mongo.collection(ORDERS);
        let mut filter = doc! { "phase": "driving", "$expr": { "$lt": ["$lease_until", "$$NOW"] } };
        if let Some(id) = id {
            filter.insert("_id", id.to_string());
        }
        let lease = vec![doc! { "$set": { "lease_until": { "$add": ["$$NOW", LEASE_MILLISECONDS] } } }];
        let taken = self.mongo.run("take over order", async move {
            let oldest = doc! { "lease_until": 1 };
            orders.find_one_and_update(filter, lease).sort(oldest).return_document(ReturnDocument::After).await
        });
        taken
            .await?
            .map(|stored| stored.try_into().map_err(|error| Error::corrupt("take over order", error)))
            .transpose()
    }

    /// Orders that are still only placed after their deadline: at most [`MOST_OVERDUE`], the oldest first.
    pub(crate) async fn overdue(&self) -> Result<Vec<OrderId>, Error> {
        let orders: Collection<Document> = self.mongo.collection(ORDERS);
        let most = i64::try_from(MOST_OVERDUE).unwrap_or(i64::MAX);
        let filter = doc! { "state": "placed", "$expr": { "$lt": ["$deadline", "$$NOW"] } };
        let found: Vec<Document> = self
            .mongo
            .run("find overdue orders", async move {
                let found = orders.find(filter).projection(doc! { "_id": 1 }).sort(doc! { "deadline": 1 }).limit(most);
                found.await?.try_collect().await
            })
            .await?;
        Ok(found.iter().filter_map(|row| row.get_str("_id").ok()?.parse().ok()).collect())
    }
}

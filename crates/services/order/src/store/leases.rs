//! Who drives an order, by the database's clock: a pod whose own clock jumps neither loses nor steals an order.

use bson::{DateTime, doc};
use futures::TryStreamExt as _;
use serde::Deserialize;
use shop_mongo::options::ReturnDocument;
use shop_mongo::{Collection, Error};
use shop_types::OrderId;

use super::documents::OrderDocument;
use super::{ORDERS, Store};
use crate::domain::Order;

/// How long a driver may be silent before another takes over.
pub(super) const LEASE_MILLISECONDS: i64 = 10_000;

/// How many overdue orders are looked for at once: as many as one group takes.
const MOST_OVERDUE: usize = shop_mongo::group::MOST_MEMBERS;

/// An order past its deadline: where a page of them ended.
#[derive(Debug, Deserialize)]
pub(crate) struct Overdue {
    #[serde(rename = "_id")]
    id: String,
    deadline: DateTime,
}

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

    /// Orders that are still only placed after their deadline: at most [`MOST_OVERDUE`], the oldest first, from after the
    /// place where the last page ended. The second value is where this one did; `None`: there are no more.
    pub(crate) async fn overdue(&self, after: Option<&Overdue>) -> Result<(Vec<OrderId>, Option<Overdue>), Error> {
        let orders: Collection<Overdue> = self.mongo.collection(ORDERS);
        let most = i64::try_from(MOST_OVERDUE).unwrap_or(i64::MAX);
        let mut filter = doc! { "state": "placed", "$expr": { "$lt": ["$deadline", "$$NOW"] } };
        if let Some(Overdue { id, deadline }) = after {
            let later = doc! { "deadline": { "$gt": *deadline } };
            filter.insert("$or", vec![later, doc! { "deadline": *deadline, "_id": { "$gt": id } }]);
        }
        let oldest = doc! { "deadline": 1, "_id": 1 };
        let fields = doc! { "deadline": 1 };
        let mut found: Vec<Overdue> = self
            .mongo
            .run("find overdue orders", async move {
                orders.find(filter).projection(fields).sort(oldest).limit(most).await?.try_collect().await
            })
            .await?;
        let ids = found.iter().filter_map(|row| row.id.parse().ok()).collect();
        let end = if found.len() == MOST_OVERDUE { found.pop() } else { None };
        Ok((ids, end))
    }
}

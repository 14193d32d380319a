//! What is kept of a person, read from the beginning.

use bson::{Bson, doc};
use futures::TryStreamExt as _;
use shop_mongo::{Collection, Error};
use shop_types::{OrderId, UserId};

use super::documents::OrderDocument;
use super::queries::LONGEST_LIST;
use super::returns::ReturnDocument;
use super::{ORDERS, RETURNS, Store};
use crate::domain::{Order, Return};

/// Orders of one answer.
const AT_ONCE: i64 = 100;

impl Store {
    /// Orders of a user behind the first so many, oldest first.
    pub(crate) async fn orders_of(&self, user: UserId, behind: u32) -> Result<Vec<Order>, Error> {
        const WHAT: &str = "list orders of a person";
        let orders: Collection<OrderDocument> = self.mongo.collection(ORDERS);
        let filter = doc! { "user": user.to_string() };
        let found: Vec<OrderDocument> = self
            .mongo
            .run(WHAT, async move {
                let oldest_first = orders.find(filter).sort(doc! { "created_at": 1, "_id": 1 });
                let page = oldest_first.skip(u64::from(behind)).limit(AT_ONCE).max_time(LONGEST_LIST);
                page.await?.try_collect().await
            })
            .await?;
        let read = |stored: OrderDocument| stored.try_into().map_err(|error| Error::corrupt(WHAT, error));
        found.into_iter().map(read).collect()
    }

    /// All returns of these orders, oldest first.
    pub(crate) async fn returns_of(&self, orders: &[OrderId]) -> Result<Vec<Return>, Error> {
        const WHAT: &str = "list returns of orders";
        if orders.is_empty() {
            return Ok(Vec::new());
        }
        let returns: Collection<ReturnDocument> = self.mongo.collection(RETURNS);
        let ids: Vec<Bson> = orders.iter().map(|id| id.to_string().into()).collect();
        let filter = doc! { "order": { "$in": ids } };
        let found: Vec<ReturnDocument> = self
            .mongo
            .run(WHAT, async move {
                let oldest_first = returns.find(filter).sort(doc! { "order": 1, "created_at": 1 });
                oldest_first.max_time(LONGEST_LIST).await?.try_collect().await
            })
            .await?;
        let read = |stored: ReturnDocument| stored.try_into().map_err(|error| Error::corrupt(WHAT, error));
        found.into_iter().map(read).collect()
    }
}

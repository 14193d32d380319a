//! Reading orders. The viewer is part of every query, never an `if` afterwards.

use std::time::Duration;

use bson::{Document, doc};
use futures::TryStreamExt as _;
use jiff::Timestamp;
use shop_mongo::options::{CountOptions, FindOptions};
use shop_mongo::{Collection, Error};
use shop_types::{OrderId, UserId};

use super::documents::OrderDocument;
use super::{ORDERS, Store};
use crate::domain::{Order, State};

/// How long the server may work on a list.
pub(super) const LONGEST_LIST: Duration = Duration::from_secs(2);

/// Whose eyes look: other people's orders do not exist for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Viewer {
    /// A user, who sees their own.
    User(UserId),
    /// The holder of a guest token, by its hash.
    Guest(String),
    /// Staff, who see all.
    Staff,
}

/// Which orders a list shows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    /// In one of these states, unless there is none.
    pub(crate) states: Vec<State>,
    pub(crate) user: Option<UserId>,
    pub(crate) from: Option<Timestamp>,
    pub(crate) to: Option<Timestamp>,
}

impl Viewer {
    /// Adds whose things they may see.
    pub(super) fn narrow(&self, mut filter: Document) -> Document {
        match self {
            Self::User(id) => filter.insert("user", id.to_string()),
            Self::Guest(hash) => filter.insert("guest.token_hash", hash),
            Self::Staff => None,
        };
        filter
    }
}

impl Store {
    /// One order, if the viewer may see it.
    pub(crate) async fn order(&self, viewer: &Viewer, id: OrderId) -> Result<Option<Order>, Error> {
        let orders: Collection<OrderDocument> = self.mongo.collection(ORDERS);
        let filter = viewer.narrow(doc! { "_id": id.to_string() });
        let found = self.mongo.run("find order", async move { orders.find_one(filter).await }).await?;
        found.map(|stored| stored.try_into().map_err(|error| Error::corrupt("find order", error))).transpose()
    }

    /// One order by the number that people use, if the viewer may see it.
    pub(crate) async fn order_of_number(&self, viewer: &Viewer, number: i64) -> Result<Option<Order>, Error> {
        const WHAT: &str = "find order of number";
        let orders: Collection<OrderDocument> = self.mongo.collection(ORDERS);
        let filter = viewer.narrow(doc! { "number": number });
        let found = self.mongo.run(WHAT, async move { orders.find_one(filter).await }).await?;
        found.map(|stored| stored.try_into().map_err(|error| Error::corrupt(WHAT, error))).transpose()
    }

    /// A page of the orders that the viewer may see, newest first, and how many there are.
    pub(crate) async fn orders(
        &self,
        viewer: &Viewer,
        filter: &Filter,
        number: u32,
        size: u32,
    ) -> Result<(Vec<Order>, u64), Error> {
        let filter = query(viewer, filter);
        let (orders, counted): (Collection<OrderDocument>, Collection<Document>) =
            (self.mongo.collection(ORDERS), self.mongo.collection(ORDERS));
        let options = newest_first(number, size);
        let count_filter = filter.clone();
        let page = self.mongo.run("list orders", async move {
            orders.find(filter).with_options(options).await?.try_collect::<Vec<_>>().await
        });
        let total = self
            .mongo
            .run("count orders", async move { shop_mongo::count(&counted, count_filter, within_longest()).await });
        let (page, total) = futures::try_join!(page, total)?;
        let read = |stored: OrderDocument| stored.try_into().map_err(|error| Error::corrupt("list orders", error));
        Ok((page.into_iter().map(read).collect::<Result<_, _>>()?, total))
    }
}

/// The options of a count.
pub(super) fn within_longest() -> CountOptions {
    CountOptions::builder().max_time(LONGEST_LIST).build()
}

/// A page of a list, newest first.
pub(super) fn newest_first(number: u32, size: u32) -> FindOptions {
    FindOptions::builder()
        .sort(doc! { "created_at": -1, "_id": -1 })
        .skip(u64::from(number.saturating_sub(1)) * u64::from(size))
        .limit(i64::from(size))
        .max_time(LONGEST_LIST)
        .build()
}

fn query(viewer: &Viewer, filter: &Filter) -> Document {
    let Filter { states, user, from, to } = filter;
    let mut query = Document::new();
    match states.as_slice() {
        [] => {}
        [state] => {
            query.insert("state", state.as_str());
        }
        several => {
            let words: Vec<_> = several.iter().map(|state| state.as_str()).collect();
            query.insert("state", doc! { "$in": words });
        }
    }
    if let Some(user) = user {
        query.insert("user", user.to_string());
    }
    let mut created = Document::new();
    if let Some(from) = from {
        created.insert("$gte", bson::DateTime::from(*from));
    }
    if let Some(to) = to {
        created.insert("$lt", bson::DateTime::from(*to));
    }
    if !created.is_empty() {
        query.insert("created_at", created);
    }
    // Last, so that no filter widens what the viewer may see.
    viewer.narrow(query)
}

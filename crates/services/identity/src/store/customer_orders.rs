//! Which orders are whose, in MongoDB: one document for each order of a person.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use bson::DateTime;
use serde::{Deserialize, Serialize};
use shop_mongo::options::IndexOptions;
use shop_mongo::{Collection, Document, Error, IndexModel, Setup, UpdateOp, doc, inbox};
use shop_types::{EventId, UserId};

use super::audit::{self, AUDIT};
use super::documents::Unreadable;
use super::users::{corrupt, touch};
use super::{GROUP, Store, USERS, pages};
use crate::domain::CustomerOrder;
use crate::domain::audit::Entry;

pub(super) const CUSTOMER_ORDERS: &str = "customer_orders";

/// What became of the word of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Linked {
    /// It is the person's order now, or was before.
    Done,
    /// It is another person's.
    OfAnother,
    /// There is no account.
    Nobody,
}

#[derive(Debug, Serialize, Deserialize)]
struct LinkDocument {
    /// The order.
    #[serde(rename = "_id")]
    id: String,
    user: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    number: Option<i64>,
    at: DateTime,
}

pub(super) fn setup() -> Setup {
    let keys = doc! { "user": 1, "at": -1, "_id": -1 };
    let latest = IndexModel::builder().keys(keys).options(IndexOptions::default()).build();
    Setup::new(CUSTOMER_ORDERS, [latest]).validated(doc! { "$jsonSchema": {
        "required": ["_id", "user", "at"],
        "properties": {
            "_id": { "bsonType": "string", "minLength": 36, "maxLength": 36 },
            "user": { "bsonType": "string", "minLength": 36, "maxLength": 36 },
            "number": { "bsonType": "long", "minimum": 1_i64 },
            "at": { "bsonType": "date" },
        },
    } })
}

impl Store {
    /// Remembers orders that were placed, each event once; those of accounts that are not here are passed over. What an event
    /// says counts more than what a program has said.
    pub(crate) async fn remember_orders(
        &self,
        events: Vec<EventId>,
        orders: Vec<Option<CustomerOrder>>,
    ) -> Result<(), Error> {
        let shared = Arc::new((events, orders));
        let remembered = self.mongo.transact("remember orders", move |txn| {
            let shared = Arc::clone(&shared);
            Box::pin(async move {
                let (events, orders) = &*shared;
                let seen = inbox::claim(txn, GROUP, events).await?;
                let new = events.iter().zip(orders).filter(|(event, _)| !seen.contains(event));
                let new: Vec<&CustomerOrder> = new.filter_map(|(_, order)| order.as_ref()).collect();
                let owners: BTreeSet<String> = new.iter().map(|order| order.user.to_string()).collect();
                let touches = owners.iter().map(|owner| touch(doc! { "_id": owner })).collect();
                txn.update_many_ops(USERS, touches).await?;
                let found: Vec<Document> = txn.find_many(USERS, owners).await?;
                let here: HashSet<&str> = found.iter().filter_map(|user| user.get_str("_id").ok()).collect();
                let known = new.into_iter().filter(|order| here.contains(order.user.to_string().as_str()));
                txn.update_many_ops(CUSTOMER_ORDERS, known.map(placed).collect()).await.map(drop)
            })
        });
        remembered.await
    }

    /// Remembers an order of a person, and writes down who told of it. What is known stays as it is.
    pub(crate) async fn link_order(&self, link: CustomerOrder, entry: &Entry) -> Result<Linked, Error> {
        const WHAT: &str = "link order";
        let (order, owner) = (link.order.to_string(), link.user.to_string());
        let row = audit::document(WHAT, entry)?;
        let linked = self.mongo.transact(WHAT, move |txn| {
            let (order, owner, row) = (order.clone(), owner.clone(), row.clone());
            Box::pin(async move {
                if txn.update_many_ops(USERS, vec![touch(doc! { "_id": &owner })]).await?.matched == 0 {
                    return Ok(Linked::Nobody);
                }
                let known: Vec<LinkDocument> = txn.find_many(CUSTOMER_ORDERS, [order.as_str()]).await?;
                if let Some(known) = known.first() {
                    return Ok(if known.user == owner { Linked::Done } else { Linked::OfAnother });
                }
                let new = doc! { "_id": order, "user": owner, "at": DateTime::from(link.at) };
                txn.insert_many(CUSTOMER_ORDERS, vec![new]).await?;
                txn.insert_many(AUDIT, vec![row]).await?;
                Ok(Linked::Done)
            })
        });
        linked.await
    }

    /// A page of the orders of a person, the latest first, and how many there are.
    pub(crate) async fn customer_orders(
        &self,
        user: UserId,
        number: u32,
        size: u32,
    ) -> Result<(Vec<CustomerOrder>, u64), Error> {
        const WHAT: &str = "list customer orders";
        let orders: Collection<LinkDocument> = self.mongo.collection(CUSTOMER_ORDERS);
        let latest_first = pages::options(doc! { "at": -1, "_id": -1 }, number, size);
        let filter = doc! { "user": user.to_string() };
        let (found, total) = self.page(WHAT, orders, filter, latest_first).await?;
        let read = |stored: LinkDocument| stored.try_into().map_err(|error: Unreadable| corrupt(WHAT, error));
        Ok((found.into_iter().map(read).collect::<Result<_, _>>()?, total))
    }
}

fn placed(order: &CustomerOrder) -> UpdateOp {
    let CustomerOrder { order, user, number, at } = order;
    let mut set = doc! { "user": user.to_string(), "at": DateTime::from(*at) };
    set.extend(number.map(|number| ("number".to_owned(), number.into())));
    UpdateOp::new(doc! { "_id": order.to_string() }, doc! { "$set": set }).upsert()
}

impl TryFrom<LinkDocument> for CustomerOrder {
    type Error = Unreadable;

    fn try_from(stored: LinkDocument) -> Result<Self, Unreadable> {
        Ok(Self {
            order: stored.id.parse().map_err(|_| Unreadable("_id"))?,
            user: stored.user.parse().map_err(|_| Unreadable("user"))?,
            number: stored.number,
            at: stored.at.to_jiff(),
        })
    }
}

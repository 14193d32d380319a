//! People who have left the shop, until their orders have forgotten them.

use std::time::Duration;

use bson::{DateTime, doc};
use futures::TryStreamExt as _;
use serde::Deserialize;
use shop_mongo::options::{FindOptions, ReturnDocument};
use shop_mongo::{Collection, Document, Error, IndexModel, Setup, UpdateOp, inbox};
use shop_types::{EventId, OrderId, UserId};

use super::queries::LONGEST_LIST;
use super::{GROUP, ORDERS, Store};
use crate::domain::State;

const DEPARTURES: &str = "departures";

/// Orders of one page.
const AT_ONCE: i64 = 100;

/// Between two looks at the orders of one person: half of the time since they left, within these bounds. The first one is
/// also how long a pod may be silent that looks.
const SHORTEST_PAUSE: Duration = Duration::from_mins(1);
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// How long somebody is remembered at least. Access tokens outlive their account by minutes, and may place an order.
const MEMORY: Duration = Duration::from_hours(1);

/// Where a page of somebody's orders ended.
#[derive(Debug, Deserialize)]
pub(crate) struct Passed {
    #[serde(rename = "_id")]
    id: String,
    created_at: DateTime,
    state: String,
}

pub(super) fn setup() -> Setup {
    Setup::new(DEPARTURES, [IndexModel::builder().keys(doc! { "due": 1 }).build()]).validated(doc! { "$jsonSchema": {
        "required": ["_id", "at", "due"],
        "additionalProperties": false,
        "properties": {
            "_id": { "bsonType": "string", "minLength": 36, "maxLength": 36 },
            "at": { "bsonType": "date" },
            "due": { "bsonType": "date" },
        },
    } })
}

impl Store {
    /// Writes down that somebody has left, once for the event that tells of it.
    pub(crate) async fn depart(&self, event: EventId, user: UserId) -> Result<(), Error> {
        let id = user.to_string();
        let departed = self.mongo.transact("remember departure", move |txn| {
            let row = vec![doc! { "$set": {
                "at": { "$ifNull": ["$at", "$$NOW"] },
                "due": { "$ifNull": ["$due", "$$NOW"] },
            } }];
            let row = UpdateOp::new(doc! { "_id": &id }, row).upsert();
            Box::pin(async move {
                if inbox::claim(txn, GROUP, &[event]).await?.is_empty() {
                    txn.update_each(DEPARTURES, vec![row]).await?;
                }
                Ok(())
            })
        });
        departed.await
    }

    /// Somebody whose orders are to be looked at; no other pod is given them before the next pause is over.
    pub(crate) async fn next_departed(&self) -> Result<Option<UserId>, Error> {
        const WHAT: &str = "find departure";
        let departures: Collection<Document> = self.mongo.collection(DEPARTURES);
        let due = doc! { "$expr": { "$lt": ["$due", "$$NOW"] } };
        let half = doc! { "$divide": [{ "$subtract": ["$$NOW", "$at"] }, 2] };
        let bounded = doc! { "$max": [milliseconds(SHORTEST_PAUSE), { "$min": [milliseconds(LONGEST_PAUSE), half] }] };
        let later = vec![doc! { "$set": { "due": { "$add": ["$$NOW", bounded] } } }];
        let taken = self.mongo.run(WHAT, async move {
            let first = departures.find_one_and_update(due, later).sort(doc! { "due": 1 });
            first.return_document(ReturnDocument::After).await
        });
        let Some(row) = taken.await? else { return Ok(None) };
        let id = row.get_str("_id").map_err(|error| Error::corrupt(WHAT, error))?;
        Ok(Some(id.parse().map_err(|error| Error::corrupt(WHAT, error))?))
    }

    /// A page of somebody's orders and their states, oldest first, from after the place where the last page ended. The
    /// second value is where this one did; `None`: there are no more.
    pub(crate) async fn orders_of_departed(
        &self,
        user: UserId,
        after: Option<&Passed>,
    ) -> Result<(Vec<(OrderId, State)>, Option<Passed>), Error> {
        const WHAT: &str = "list orders of a departed person";
        let orders: Collection<Passed> = self.mongo.collection(ORDERS);
        let mut filter = doc! { "user": user.to_string() };
        if let Some(Passed { id, created_at, state: _ }) = after {
            let later = doc! { "created_at": { "$gt": *created_at } };
            filter.insert("$or", vec![later, doc! { "created_at": *created_at, "_id": { "$gt": id } }]);
        }
        let options = FindOptions::builder()
            .projection(doc! { "created_at": 1, "state": 1 })
            .sort(doc! { "created_at": 1, "_id": 1 })
            .limit(AT_ONCE)
            .max_time(LONGEST_LIST)
            .build();
        let page =
            self.mongo.run(WHAT, async move { orders.find(filter).with_options(options).await?.try_collect().await });
        let mut found: Vec<Passed> = page.await?;
        let is_full = i64::try_from(found.len()).is_ok_and(|count| count == AT_ONCE);
        let read = |row: &Passed| {
            let id = row.id.parse().map_err(|error| Error::corrupt(WHAT, error))?;
            let state = State::from_word(&row.state);
            Ok((id, state.ok_or_else(|| Error::corrupt(WHAT, super::documents::Unreadable("state")))?))
        };
        let read = found.iter().map(read).collect::<Result<_, Error>>()?;
        Ok((read, if is_full { found.pop() } else { None }))
    }

    /// Forgets somebody of whom nothing is left, unless a token of theirs may still be good.
    pub(crate) async fn end_departure(&self, user: UserId) -> Result<(), Error> {
        let departures: Collection<Document> = self.mongo.collection(DEPARTURES);
        let long_ago = doc! { "$lt": ["$at", { "$subtract": ["$$NOW", milliseconds(MEMORY)] }] };
        let done = doc! { "_id": user.to_string(), "$expr": long_ago };
        self.mongo.run("forget departure", async move { departures.delete_one(done).await }).await.map(drop)
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

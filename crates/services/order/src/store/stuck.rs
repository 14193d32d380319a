//! Orders that do not come to rest, counted by one pod at a time.

use std::time::Duration;

use bson::{DateTime, doc};
use futures::TryStreamExt as _;
use shop_mongo::options::ReturnDocument;
use shop_mongo::{Collection, Document, Error, Setup};

use super::{ORDERS, Store};
use crate::domain::{Phase, State};

const LEASES: &str = "leases";
const NAME: &str = "stuck-orders";
/// Longer than the pause between two counts.
const LIFE_MILLISECONDS: i64 = 40_000;
/// How long an order may be on its way from one state to the next.
const PATIENCE_MILLISECONDS: i64 = 60_000;
/// More than this is not counted: the alarm is the same.
const MOST_COUNTED: i64 = 10_000;
/// How long the server may work on a count.
const LONGEST_COUNT: Duration = Duration::from_secs(2);

/// The states that an order only passes through.
pub(crate) const TRANSIENT: [State; 4] = [State::Placed, State::Confirmed, State::Cancelling, State::Returning];

pub(super) fn setup() -> Setup {
    Setup::new(LEASES, [])
}

impl Store {
    /// Takes the task of counting stuck orders, or keeps it, by the database's clock; `false` when another pod has it.
    pub(crate) async fn counts_stuck(&self, pod: &str) -> Result<bool, Error> {
        let leases: Collection<Document> = self.mongo.collection(LEASES);
        let free = doc! { "$lte": [{ "$ifNull": ["$until", DateTime::from_millis(0)] }, "$$NOW"] };
        let mine = doc! { "$eq": ["$holder", { "$literal": pod }] };
        let taken = doc! {
            "_id": NAME, "holder": { "$literal": pod }, "until": { "$add": ["$$NOW", LIFE_MILLISECONDS] },
        };
        let take = vec![doc! { "$replaceWith": { "$cond": [{ "$or": [mine, free] }, taken, "$$ROOT"] } }];
        let taking = self.mongo.run("take lease of the count", async move {
            let taking = leases.find_one_and_update(doc! { "_id": NAME }, take);
            taking.upsert(true).return_document(ReturnDocument::After).await
        });
        match taking.await {
            Ok(lease) => Ok(lease.is_some_and(|lease| lease.get_str("holder").is_ok_and(|holder| holder == pod))),
            // Two pods made the document at once: the other one has it.
            Err(error) if error.is_duplicate() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// How many orders are stuck, by state: in a state that they only pass through for longer than 60 s, or still placed
    /// 60 s after their deadline. Who waits for a buyer before the deadline is not stuck.
    pub(crate) async fn stuck(&self) -> Result<Vec<(State, i64)>, Error> {
        const WHAT: &str = "count stuck orders";
        let orders: Collection<Document> = self.mongo.collection(ORDERS);
        let limit = doc! { "$subtract": ["$$NOW", PATIENCE_MILLISECONDS] };
        let before = |field: &str| doc! { "$lt": [field, &limit] };
        let moves = doc! { "$in": ["$phase", [Phase::Driving.as_str(), Phase::Settled.as_str()]] };
        let too_long = doc! { "$lt": [{ "$last": "$history.at" }, &limit] };
        let waits = doc! { "$eq": ["$state", State::Placed.as_str()] };
        // The index finds what is in these states since before the limit, which is little; the rest is looked at.
        let stuck = doc! {
            "state": { "$in": TRANSIENT.map(State::as_str).as_slice() },
            "$expr": { "$and": [
                before("$created_at"),
                { "$or": [{ "$and": [moves, too_long] }, { "$and": [waits, before("$deadline")] }] },
            ] },
        };
        let pipeline = vec![
            doc! { "$match": stuck },
            doc! { "$limit": MOST_COUNTED },
            doc! { "$group": { "_id": "$state", "count": { "$sum": 1_i64 } } },
        ];
        let counting = self.mongo.run(WHAT, async move {
            orders.aggregate(pipeline).max_time(LONGEST_COUNT).await?.try_collect::<Vec<Document>>().await
        });
        let counted = counting.await?.into_iter();
        let read = |row: Document| Some((State::from_word(row.get_str("_id").ok()?)?, row.get_i64("count").ok()?));
        Ok(counted.filter_map(read).collect())
    }
}

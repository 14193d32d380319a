//! Which pod of a service relays: a lease by the database's clock. What belongs here: taking, keeping and giving it back.
//!
//! It saves duplicates and is not needed for anything to be right: two relays at once send an event twice.

use std::time::Duration;

use shop_mongo::bson::{DateTime, oid::ObjectId};
use shop_mongo::options::ReturnDocument;
use shop_mongo::{Document, Error, Mongo, Setup, doc};
use tokio::time::Instant;

const COLLECTION: &str = "leases";
const NAME: &str = "outbox-relay";
const LIFE: Duration = Duration::from_secs(5);
const RENEW_EVERY: Duration = Duration::from_secs(1);

/// The claim of one relay.
#[derive(Debug)]
pub(super) struct Lease {
    mongo: Mongo,
    holder: String,
    taken: Option<Instant>,
}

pub(crate) fn setup() -> Setup {
    Setup::new(COLLECTION, [])
}

impl Lease {
    pub(super) fn new(mongo: Mongo) -> Self {
        Self { mongo, holder: ObjectId::new().to_hex(), taken: None }
    }

    /// Takes the lease, or keeps it; `false` when another relay has it. Asks the database once a second.
    pub(super) async fn holds(&mut self) -> Result<bool, Error> {
        if self.taken.is_some_and(|taken| taken.elapsed() < RENEW_EVERY) {
            return Ok(true);
        }
        let asked = Instant::now();
        let holds = match self.ask().await {
            Ok(holder) => holder == self.holder,
            // Two relays made the document at once: the other one has.
            Err(error) if error.is_duplicate() => false,
            Err(error) => return Err(error),
        };
        self.taken = holds.then_some(asked);
        Ok(holds)
    }

    /// Lets others have it at once.
    pub(super) async fn release(&mut self) -> Result<(), Error> {
        if self.taken.take().is_none() {
            return Ok(());
        }
        let leases = self.mongo.collection::<Document>(COLLECTION);
        let mine = doc! { "_id": NAME, "holder": &self.holder };
        let end = vec![doc! { "$set": { "until": "$$NOW" } }];
        self.mongo.run("release lease", async move { leases.update_one(mine, end).await }).await.map(drop)
    }

    async fn ask(&self) -> Result<String, Error> {
        let leases = self.mongo.collection::<Document>(COLLECTION);
        let life = i64::try_from(LIFE.as_millis()).unwrap_or(i64::MAX);
        let never = DateTime::from_millis(0);
        let free = doc! { "$lte": [{ "$ifNull": ["$until", never] }, "$$NOW"] };
        let mine = doc! { "$eq": ["$holder", &self.holder] };
        let taken = doc! { "_id": NAME, "holder": &self.holder, "until": { "$add": ["$$NOW", life] } };
        let take = vec![doc! { "$replaceWith": { "$cond": [{ "$or": [mine, free] }, taken, "$$ROOT"] } }];
        let work = async move {
            leases
                .find_one_and_update(doc! { "_id": NAME }, take)
                .upsert(true)
                .return_document(ReturnDocument::After)
                .await
        };
        let lease = self.mongo.run("take lease", work).await?;
        Ok(lease.and_then(|lease| lease.get_str("holder").map(str::to_owned).ok()).unwrap_or_default())
    }
}

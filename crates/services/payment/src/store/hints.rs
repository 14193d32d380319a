//! What the provider told by webhooks: its event ids, so that each counts once.

use std::time::Duration;

use bson::{Document, doc};
use shop_mongo::{Error, IndexModel, Setup, options};

use super::Store;
use crate::domain::PaymentId;

const EVENTS: &str = "provider_events";

/// How long an id is kept. A webhook is refused 300 s after it was signed; a provider signs it again for some days.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

pub(super) fn setup() -> Setup {
    let forget = options::IndexOptions::builder().expire_after(KEPT).build();
    Setup::new(EVENTS, [IndexModel::builder().keys(doc! { "at": 1 }).options(forget).build()])
}

impl Store {
    /// Whether an event of a provider was told before.
    pub(crate) async fn knows_event(&self, provider: &str, event: &str) -> Result<bool, Error> {
        let events = self.mongo.collection::<Document>(EVENTS);
        let id = doc! { "_id": format!("{provider}:{event}") };
        let found = self.mongo.run("find provider event", async move { events.find_one(id).await }).await?;
        Ok(found.is_some())
    }

    /// Remembers an event of a provider; `false` when it was told before. When this returns, it is durable.
    pub(crate) async fn note_event(
        &self,
        provider: &str,
        event: &str,
        payment: Option<PaymentId>,
    ) -> Result<bool, Error> {
        let events = self.mongo.collection::<Document>(EVENTS);
        let id = doc! { "_id": format!("{provider}:{event}") };
        let payment = payment.map(|id| id.to_string());
        let first = doc! { "$eq": [{ "$type": "$at" }, "missing"] };
        let row = doc! { "$mergeObjects": ["$$ROOT", { "at": "$$NOW", "payment": { "$literal": payment } }] };
        let note = vec![doc! { "$replaceWith": { "$cond": [first, row, "$$ROOT"] } }];
        let noted =
            self.mongo.run("note provider event", async move { events.update_one(id, note).upsert(true).await });
        match noted.await {
            Ok(result) => Ok(result.upserted_id.is_some()),
            // Told twice at the same moment.
            Err(error) if error.is_duplicate() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

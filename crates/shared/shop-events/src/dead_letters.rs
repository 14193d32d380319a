//! Events that could not be handled, kept in the consuming service's database (orders 1.5).
//!
//! What belongs here: putting them there. What does not: looking at them, trying again, throwing them away.

use std::sync::Arc;

use futures::FutureExt;
use shop_mongo::bson::DateTime;
use shop_mongo::{Error, IndexModel, Mongo, Setup, UpdateOp, doc, inbox};
use shop_types::EventId;

const COLLECTION: &str = "dead_letters";

/// An event that is given up.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    /// The consuming service.
    pub(crate) group: String,
    /// The service whose stream it came in.
    pub(crate) producer: String,
    /// As it stands in the stream.
    pub(crate) delivery: shop_redis::Delivery,
    /// Whose data the stream's was.
    pub(crate) epoch: String,
    /// Why.
    pub(crate) reason: String,
    /// When.
    pub(crate) at: DateTime,
}

pub(crate) fn setup() -> Setup {
    Setup::new(COLLECTION, [IndexModel::builder().keys(doc! { "at": 1 }).build()])
}

/// Keeps letters and marks their events as had, all or none; the same letter twice is one. An event whose effect has
/// happened after all is no letter.
pub(crate) async fn keep(mongo: &Mongo, letters: Vec<Letter>) -> Result<(), Error> {
    if letters.is_empty() {
        return Ok(());
    }
    let letters: Arc<[Letter]> = letters.into();
    mongo
        .transact("keep dead letters", move |txn| {
            let letters = Arc::clone(&letters);
            async move {
                let mut ops = Vec::new();
                for letter in letters.iter() {
                    if let Some(event) = letter.event() {
                        let had = inbox::claim(txn, &letter.group, &[event]).await?;
                        if had.contains(&event) {
                            continue;
                        }
                    }
                    ops.push(letter.insertion());
                }
                txn.update_many_ops(COLLECTION, ops).await.map(drop)
            }
            .boxed()
        })
        .await
}

impl Letter {
    fn event(&self) -> Option<EventId> {
        self.delivery.event_id.parse().ok()
    }

    /// The event's id; without one, its place in the stream.
    fn id(&self) -> String {
        match self.event() {
            Some(event) => event.to_string(),
            None => format!("{}:{}:{}", self.producer, self.epoch, self.delivery.stream_id),
        }
    }

    fn insertion(&self) -> UpdateOp {
        let row = doc! {
            "group": &self.group,
            "producer": &self.producer,
            "topic": &self.delivery.topic,
            "stream_id": self.delivery.stream_id.to_string(),
            "deliveries": i64::from(self.delivery.deliveries),
            "reason": &self.reason,
            "body": &self.delivery.json,
            "at": self.at,
        };
        UpdateOp::new(doc! { "_id": self.id() }, doc! { "$setOnInsert": row }).upsert()
    }
}

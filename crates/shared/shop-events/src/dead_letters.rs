//! Events that could not be handled, kept in the consuming service's database (orders 1.5).
//!
//! What belongs here: putting them there and counting them. What an admin does with them stands in `dead_letters/review`.

mod error;
mod review;

use std::sync::Arc;

use futures::FutureExt;
use shop_mongo::bson::DateTime;
use shop_mongo::options::Hint;
use shop_mongo::{Document, Error, IndexModel, Mongo, Setup, UpdateOp, doc, inbox};
use shop_types::EventId;

pub use error::LetterError;
pub use review::{DeadLetter, DeadLetters, LetterPage};

const COLLECTION: &str = "dead_letters";
/// What is kept of a body. No event of ours is so large, and the database refuses what is much larger.
const MOST_BODY: usize = 1 << 20;
/// What is kept of a reason, which may quote the body.
const MOST_REASON: usize = 4 << 10;
/// Letters of one transaction: with bodies of that size the database still takes it.
const AT_ONCE: usize = 16;

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
    Setup::new(COLLECTION, [IndexModel::builder().keys(doc! { "at": 1, "_id": 1 }).build()])
}

/// Keeps letters and marks their events as had, each with its mark or not at all; the same letter twice is one. An event
/// whose effect has happened after all is no letter.
pub(crate) async fn keep(mongo: &Mongo, letters: Vec<Letter>) -> Result<(), Error> {
    for some in letters.chunks(AT_ONCE) {
        let some: Arc<[Letter]> = some.into();
        let keeping = mongo.transact("keep dead letters", move |txn| {
            let letters = Arc::clone(&some);
            async move {
                let mut ops = Vec::new();
                for letter in letters.iter() {
                    if let Some(event) = letter.event() {
                        let had = inbox::give_up(txn, &letter.group, &[event]).await?;
                        if had.contains(&event) {
                            continue;
                        }
                    }
                    ops.push(letter.insertion());
                }
                txn.update_many_ops(COLLECTION, ops).await.map(drop)
            }
            .boxed()
        });
        keeping.await?;
    }
    Ok(())
}

/// How many there are.
pub(crate) async fn count(mongo: &Mongo) -> Result<u64, Error> {
    let letters = mongo.collection::<Document>(COLLECTION);
    let by_id = Hint::Keys(doc! { "_id": 1 });
    mongo.run("count dead letters", async move { letters.count_documents(doc! {}).hint(by_id).await }).await
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
            "reason": beginning(&self.reason, MOST_REASON),
            "body": beginning(&self.delivery.json, MOST_BODY),
            "at": self.at,
        };
        UpdateOp::new(doc! { "_id": self.id() }, doc! { "$setOnInsert": row }).upsert()
    }
}

fn beginning(text: &str, most: usize) -> &str {
    text.split_at(text.floor_char_boundary(most)).0
}

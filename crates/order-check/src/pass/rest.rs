//! Whether anything is still on its way: a few questions that indexes answer, asked before the long passes begin.

use jiff::Timestamp;
use shop_mongo::{bson, doc};

use crate::Error;
use crate::database::{Databases, ORDERS, PAYMENTS, PRODUCERS, Place};

/// What is still on its way, one sentence each; nothing for a shop at rest.
pub(crate) async fn unsettled(databases: &Databases, now: Timestamp) -> Result<Vec<String>, Error> {
    let mut on_the_way = Vec::new();
    let moving = ["confirmed", "cancelling", "returning"];
    // Those wait for the buyer, or look for a day whether the provider holds what nobody knows of.
    let waiting = ["REQUIRES_ACTION", "CANCELLING"];
    let mut questions = vec![
        // With the field of the partial index, which holds these orders and no others.
        (ORDERS, "orders are being placed", doc! { "phase": "driving", "lease_until": { "$exists": true } }),
        (ORDERS, "orders are confirmed and not paid, or being undone", doc! { "state": { "$in": moving.to_vec() } }),
        (
            ORDERS,
            "orders are placed beyond their deadline",
            doc! { "state": "placed", "deadline": { "$lt": bson::DateTime::from(now) } },
        ),
        (
            PAYMENTS,
            "payments wait for the provider",
            doc! { "next_try_at": { "$type": "date" }, "state": { "$nin": waiting.to_vec() } },
        ),
    ];
    for service in PRODUCERS {
        let waiting = doc! { "confirmed": false, "published": { "$exists": true } };
        questions.push((Place { service, collection: "outbox" }, "events are on their way", waiting));
    }
    for (place, says, filter) in questions {
        let collection = databases.collection(place);
        let count = databases.mongo().run(place.collection, async move { collection.count_documents(filter).await });
        match count.await? {
            0 => {}
            count => on_the_way.push(format!("{}: {count} {says}", place.service)),
        }
    }
    Ok(on_the_way)
}

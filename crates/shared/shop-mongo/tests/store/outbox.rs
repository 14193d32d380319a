//! Events on their way out, as a relay sees them.

use std::time::Duration;

use jiff::Timestamp;
use shop_mongo::outbox::{self, Backlog, StreamId, Wire};
use shop_mongo::{Bson, Error, doc};
use shop_types::event::StockFact;
use shop_types::{Envelope, Event, EventId};
use tokio::time::timeout;

use crate::database::{Store, with_store};

fn event(n: u128, version: i64) -> Envelope {
    Envelope {
        id: EventId::from_uuid(uuid::Uuid::from_u128(n)),
        aggregate: "$mug".into(),
        version,
        occurred_at: Timestamp::UNIX_EPOCH,
        traceparent: None,
        event: Event::StockChanged(StockFact { sku: "mug".parse().unwrap(), available: 5, version }),
    }
}

async fn append(store: &Store, events: &[Envelope]) -> Result<(), Error> {
    let events = events.to_vec();
    let ended = store.mongo.transact("change", move |txn| {
        let events = events.clone();
        Box::pin(async move { outbox::append(txn, &events).await })
    });
    ended.await
}

fn wire(run_id: &str, epoch: &str) -> Wire {
    Wire { run_id: run_id.to_owned(), epoch: epoch.to_owned() }
}

fn id(text: &str) -> StreamId {
    text.parse().unwrap()
}

/// Publishes what waits, each by itself at its place.
async fn publish(store: &Store, wire: &Wire, stream_ids: &[&str]) {
    let waiting = outbox::next_unpublished(&store.mongo, 100).await.unwrap();
    assert_eq!(waiting.len(), stream_ids.len());
    for (row, at) in waiting.iter().zip(stream_ids) {
        outbox::mark_published(&store.mongo, wire, &[row.id], id(at)).await.unwrap();
    }
}

async fn backlog(store: &Store) -> (u64, u64) {
    let Backlog { unpublished, unconfirmed } = outbox::backlog(&store.mongo).await.unwrap();
    (unpublished, unconfirmed)
}

#[tokio::test]
async fn an_event_is_written_with_its_change_or_not_at_all() {
    with_store(|store| async move {
        store.mongo.ensure(&[outbox::setup()]).await.unwrap();
        let failed = store.mongo.transact("change", |txn| {
            Box::pin(async move {
                outbox::append(txn, &[event(1, 1)]).await?;
                Err::<(), Error>(Error::Timeout { what: "made up" })
            })
        });
        assert!(failed.await.is_err());
        assert_eq!(backlog(&store).await, (0, 0));
        assert!(timeout(Duration::from_millis(20), store.mongo.outbox_written().notified()).await.is_err());

        append(&store, &[event(1, 1)]).await.unwrap();
        timeout(Duration::from_secs(1), store.mongo.outbox_written().notified()).await.expect("the relay is woken");
        let rows = outbox::next_unpublished(&store.mongo, 100).await.unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(
            (rows[0].id, rows[0].topic.as_str(), rows[0].aggregate.as_str()),
            (event(1, 1).id, "stock.changed", "$mug")
        );
        assert_eq!(serde_json::from_str::<Envelope>(&rows[0].body).unwrap(), event(1, 1));
        assert!(rows[0].created_at > Timestamp::from_second(1_600_000_000).unwrap(), "the database's clock");
    })
    .await;
}

#[tokio::test]
async fn an_event_cannot_be_written_twice_and_what_is_published_stays_so() {
    with_store(|store| async move {
        store.mongo.ensure(&[outbox::setup()]).await.unwrap();
        append(&store, &[event(1, 1)]).await.unwrap();
        publish(&store, &wire("r1", "e1"), &["5-0"]).await;

        assert!(append(&store, &[event(2, 2), event(1, 1)]).await.unwrap_err().is_duplicate());

        assert_eq!(backlog(&store).await, (0, 1));
    })
    .await;
}

#[tokio::test]
async fn events_of_one_thing_come_in_the_order_of_their_versions() {
    with_store(|store| async move {
        store.mongo.ensure(&[outbox::setup()]).await.unwrap();
        // Ids that sort the other way round, twelve in one transaction and twelve one by one.
        let events: Vec<Envelope> =
            (1..=24_u8).map(|version| event(100 - u128::from(version), i64::from(version))).collect();
        append(&store, &events[..12]).await.unwrap();
        for one in &events[12..] {
            append(&store, std::slice::from_ref(one)).await.unwrap();
        }
        let rows = outbox::next_unpublished(&store.mongo, 20).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.version).collect::<Vec<_>>(), (1..=20).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn rows_are_confirmed_before_the_floor_and_only_on_the_wire_that_took_them() {
    with_store(|store| async move {
        store.mongo.ensure(&[outbox::setup()]).await.unwrap();
        append(&store, &(1..=4).map(|n| event(n, i64::try_from(n).unwrap())).collect::<Vec<_>>()).await.unwrap();
        publish(&store, &wire("r1", "e1"), &["9-0", "10-0", "10-9", "10-10"]).await;

        for other in [wire("r2", "e1"), wire("r1", "e2")] {
            assert_eq!(outbox::mark_confirmed_up_to(&store.mongo, &other, id("99-0")).await.unwrap(), 0);
        }
        assert_eq!(outbox::mark_confirmed_up_to(&store.mongo, &wire("r1", "e1"), id("10-9")).await.unwrap(), 2);
        assert_eq!(backlog(&store).await, (0, 2));
        assert_eq!(outbox::mark_confirmed_up_to(&store.mongo, &wire("r1", "e1"), id("10-10")).await.unwrap(), 1);
        assert_eq!(store.count("outbox", doc! { "confirmed": true, "confirmed_at": { "$type": "date" } }).await, 3);
    })
    .await;
}

#[tokio::test]
async fn what_another_wire_took_goes_out_again_unless_it_is_confirmed() {
    with_store(|store| async move {
        store.mongo.ensure(&[outbox::setup()]).await.unwrap();
        append(&store, &[event(1, 1), event(2, 2)]).await.unwrap();
        publish(&store, &wire("r1", "e1"), &["1-0", "2-0"]).await;
        outbox::mark_confirmed_up_to(&store.mongo, &wire("r1", "e1"), id("2-0")).await.unwrap();
        append(&store, &[event(3, 3)]).await.unwrap();
        publish(&store, &wire("r1", "e2"), &["1-0"]).await;

        assert_eq!(outbox::republish_unconfirmed(&store.mongo, &wire("r1", "e2")).await.unwrap(), 1);

        let again = outbox::next_unpublished(&store.mongo, 100).await.unwrap();
        assert_eq!(again.iter().map(|row| row.version).collect::<Vec<_>>(), [2]);
        assert_eq!(backlog(&store).await, (1, 1));
    })
    .await;
}

#[tokio::test]
async fn no_question_of_the_relay_reads_the_whole_collection() {
    with_store(|store| async move {
        store.mongo.ensure(&[outbox::setup()]).await.unwrap();
        append(&store, &[event(1, 1)]).await.unwrap();
        let unpublished = doc! { "confirmed": false, "published": Bson::Null };
        let published = doc! { "confirmed": false, "published": { "$ne": Bson::Null }, "published.run_id": "r1" };
        let sort = doc! { "created_at": 1, "version": 1, "_id": 1 };
        let set = doc! { "$set": { "confirmed": true } };
        let commands = [
            doc! { "find": "outbox", "filter": unpublished.clone(), "sort": sort },
            doc! { "count": "outbox", "query": unpublished },
            doc! { "update": "outbox", "updates": [{ "q": published.clone(), "u": set, "multi": true }] },
            doc! { "count": "outbox", "query": published },
        ];
        for command in commands {
            let explained = doc! { "explain": command, "verbosity": "queryPlanner" };
            let plan = store.mongo.database().run_command(explained).await.unwrap();
            let stages = stages(&Bson::Document(plan.get_document("queryPlanner").unwrap().clone()));
            assert!(stages.iter().any(|stage| stage == "IXSCAN" || stage == "COUNT_SCAN"), "{stages:?} in {plan}");
            assert!(!stages.iter().any(|stage| stage == "COLLSCAN" || stage == "SORT"), "{stages:?}");
        }
    })
    .await;
}

fn stages(plan: &Bson) -> Vec<String> {
    if let Some(values) = plan.as_array() {
        return values.iter().flat_map(stages).collect();
    }
    let Some(document) = plan.as_document() else { return Vec::new() };
    let own = document.get_str("stage").ok().map(str::to_owned);
    let inner = document.iter().filter(|(key, _)| *key != "rejectedPlans").flat_map(|(_, value)| stages(value));
    own.into_iter().chain(inner).collect()
}

#[tokio::test]
async fn what_was_sent_in_one_step_is_noted_at_the_place_of_the_last() {
    with_store(|store| async move {
        store.mongo.ensure(&[outbox::setup()]).await.unwrap();
        append(&store, &(1..=4).map(|n| event(u128::try_from(n).unwrap(), n)).collect::<Vec<_>>()).await.unwrap();
        let sent: Vec<EventId> = (1..=3).map(|n| event(n, 0).id).collect();

        outbox::mark_published(&store.mongo, &wire("$a", "$1"), &sent, id("5-9")).await.unwrap();

        for event in &sent {
            let row = store.get("outbox", &event.to_string()).await.unwrap();
            let mut published = row.get_document("published").unwrap().clone();
            assert!(published.remove("at").is_some_and(|at| at.as_datetime().is_some()));
            let expected = doc! {
                "run_id": "$a", "epoch": "$1", "stream_id": "5-9", "milliseconds": 5_i64, "sequence": 9_i64,
            };
            assert_eq!(published, expected);
        }
        assert_eq!(backlog(&store).await, (1, 3));
        assert_eq!(outbox::mark_confirmed_up_to(&store.mongo, &wire("$a", "$1"), id("5-9")).await.unwrap(), 0);
        assert_eq!(outbox::mark_confirmed_up_to(&store.mongo, &wire("$a", "$1"), id("5-10")).await.unwrap(), 3);
    })
    .await;
}

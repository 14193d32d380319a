//! The way of an event when nothing goes wrong, and how pods share the work.

use std::time::Duration;

use shop_mongo::{Document, doc};
use shop_redis::Notice;
use shop_types::Event;
use shop_types::event::UserFact;
use shop_types::{EventId, UserId};
use uuid::Uuid;

use crate::shop::{Shop, eventually, with_shop};

const SOON: Duration = Duration::from_secs(5);
/// Confirming happens every five seconds.
const CONFIRMED: Duration = Duration::from_secs(12);

async fn all_remembered(shop: &Shop, count: i64) {
    let expected: Vec<i64> = (0..count).collect();
    eventually("all effects are there", Duration::from_secs(20), async || {
        shop.remembered().await.len() >= expected.len()
    })
    .await;
    let mut remembered = shop.remembered().await;
    remembered.sort_unstable();
    assert_eq!(remembered, expected, "each once");
}

#[tokio::test]
async fn events_reach_a_consumer_in_order_and_are_confirmed_and_trimmed() {
    with_shop("inventory", |shop| async move {
        let relay = shop.relay().await;
        let consumer = shop.consumer(shop.remembering().await).await;

        shop.tell_stock(0..300).await;

        eventually("all effects are there", SOON, async || shop.remembered().await.len() == 300).await;
        eventually("all are confirmed", CONFIRMED, async || shop.unconfirmed().await == 0).await;
        eventually("the stream is trimmed", SOON, async || shop.length() == 0).await;
        eventually("the backlog is shown", CONFIRMED, async || {
            shop.metric("outbox_backlog_rows{state=\"unconfirmed\"}") == 0
                && shop.metric("stream_lag_entries{stream=\"inventory\"}") == 0
        })
        .await;
        assert_eq!(shop.remembered().await, (0..300).collect::<Vec<_>>());
        assert_eq!(shop.metric("events_published_total{topic=\"stock.changed\"}"), 300);
        assert_eq!(shop.metric("events_handled_total{result=\"handled\",topic=\"stock.changed\"}"), 300);
        relay.stop().await;
        consumer.stop().await;
    })
    .await;
}

#[tokio::test]
async fn an_event_arrives_without_waiting_for_a_poll() {
    with_shop("inventory", |shop| async move {
        let mongo = shop.mongo("inventory").await;
        let stop = tokio_util::sync::CancellationToken::new();
        // The relay and the writer share a handle, as in a pod: the commit wakes the relay.
        let relay = shop_events::spawn_relay("inventory", mongo.clone(), shop.redis(), &shop.metrics, stop.clone());
        let consumer = shop.consumer(shop.remembering().await).await;
        shop.tell_stock(0..1).await;
        eventually("the way is open", SOON, async || shop.remembered().await.len() == 1).await;

        // A handle of its own: connecting takes as long as an event.
        let effects = shop.mongo("catalog").await.collection::<Document>("effects");
        let mut fastest = Duration::MAX;
        for turn in 1..=20 {
            let event = shop.stock(turn);
            let start = std::time::Instant::now();
            let write = mongo.transact("tell", move |txn| {
                let event = event.clone();
                Box::pin(async move { shop_mongo::outbox::append(txn, &[event]).await })
            });
            write.await.unwrap();
            let is_there = async || effects.count_documents(doc! { "available": turn }).await.unwrap() > 0;
            while !is_there().await {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            fastest = fastest.min(start.elapsed());
        }

        assert!(fastest < Duration::from_millis(150), "{fastest:?} from commit to effect");
        stop.cancel();
        relay.await.unwrap();
        consumer.stop().await;
    })
    .await;
}

#[tokio::test]
async fn nothing_is_confirmed_before_every_group_of_the_table_is_there() {
    with_shop("inventory", |shop| async move {
        let relay = shop.relay().await;
        shop.tell_stock(0..3).await;
        eventually("they are in the stream", SOON, async || shop.length() == 3).await;

        tokio::time::sleep(Duration::from_secs(7)).await;
        assert_eq!((shop.unconfirmed().await, shop.length()), (3, 3));

        let consumer = shop.consumer(shop.remembering().await).await;
        all_remembered(&shop, 3).await;
        eventually("all are confirmed", CONFIRMED, async || shop.unconfirmed().await == 0).await;
        relay.stop().await;
        consumer.stop().await;
    })
    .await;
}

#[tokio::test]
async fn events_that_nobody_consumes_are_mirrored_and_confirmed_once_published() {
    // Nobody listens to this service.
    with_shop("edge", |shop| async move {
        let redis = shop.redis();
        let mut mirror = redis.subscribe("user.created");
        assert_eq!(mirror.next().await, Some(Notice::Lost));
        let relay = shop.relay().await;
        let user_id = UserId::from_uuid(Uuid::from_u128(7));
        let event = shop.event(Event::UserCreated(UserFact { user_id, number: 1 }));

        shop.tell(vec![event.clone()]).await;

        let Some(Notice::Message(json)) = mirror.next().await else { panic!("nothing was mirrored") };
        assert_eq!(serde_json::from_str::<shop_types::Envelope>(&json).unwrap(), event);
        eventually("it is confirmed", CONFIRMED, async || shop.unconfirmed().await == 0).await;
        relay.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_deleted_account_is_mirrored_for_outsiders_and_stays_in_the_stream_for_its_consumers() {
    with_shop("identity", |shop| async move {
        let redis = shop.redis();
        let mut mirror = redis.subscribe("user.deleted");
        assert_eq!(mirror.next().await, Some(Notice::Lost));
        let relay = shop.relay().await;
        let user_id = UserId::from_uuid(Uuid::from_u128(7));
        let event = shop.event(Event::UserDeleted(UserFact { user_id, number: 1 }));

        shop.tell(vec![event.clone()]).await;

        let told = tokio::time::timeout(SOON, mirror.next()).await;
        let Ok(Some(Notice::Message(json))) = told else { panic!("nothing was mirrored: {told:?}") };
        assert_eq!(serde_json::from_str::<shop_types::Envelope>(&json).unwrap(), event);
        assert_eq!((shop.length(), shop.unconfirmed().await), (1, 1), "cart and order have not had it");
        relay.stop().await;
    })
    .await;
}

#[tokio::test]
async fn one_pod_relays_at_a_time_and_another_takes_over() {
    with_shop("inventory", |shop| async move {
        let consumer = shop.consumer(shop.remembering().await).await;
        let (one, two) = (shop.relay().await, shop.relay().await);
        for turn in 0..20 {
            shop.tell_stock(turn..turn + 1).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        all_remembered(&shop, 20).await;
        assert_eq!(shop.metric("events_published_total{topic=\"stock.changed\"}"), 20, "nobody sent one again");

        one.stop().await;
        shop.tell_stock(20..21).await;
        all_remembered(&shop, 21).await;
        two.kill().await;
        let three = shop.relay().await;
        shop.tell_stock(21..22).await;
        // A killed pod's lease ends by itself.
        all_remembered(&shop, 22).await;
        three.stop().await;
        consumer.stop().await;
    })
    .await;
}

#[tokio::test]
async fn pods_of_a_service_share_its_events() {
    with_shop("inventory", |shop| async move {
        let relay = shop.relay().await;
        let pods = [shop.consumer(shop.remembering().await).await, shop.consumer(shop.remembering().await).await];

        for turn in 0..50 {
            shop.tell_stock(turn * 10..turn * 10 + 10).await;
        }

        all_remembered(&shop, 500).await;
        for pod in pods {
            pod.stop().await;
        }
        relay.stop().await;
    })
    .await;
}

#[tokio::test]
async fn an_event_that_was_had_before_changes_nothing() {
    with_shop("inventory", |shop| async move {
        let relay = shop.relay().await;
        let consumer = shop.consumer(shop.remembering().await).await;
        shop.tell_stock(0..2).await;
        all_remembered(&shop, 2).await;

        // As if the relay had died between sending them and noting it.
        let outbox = shop.mongo("inventory").await.collection::<Document>("outbox");
        outbox.update_many(doc! {}, doc! { "$set": { "published": null, "confirmed": false } }).await.unwrap();

        eventually("they were sent again", SOON, async || {
            shop.metric("events_handled_total{result=\"handled\",topic=\"stock.changed\"}") >= 4
        })
        .await;
        all_remembered(&shop, 2).await;
        assert_eq!(shop.count("catalog", "inbox", doc! {}).await, 2);
        relay.stop().await;
        consumer.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_consumer_that_the_service_table_does_not_know_ends_at_once() {
    with_shop("inventory", |shop| async move {
        let handler = shop.remembering().await;
        let clock = std::sync::Arc::new(NoClock);
        let mongo = shop.mongo("catalog").await;
        let stop = tokio_util::sync::CancellationToken::new();
        let topics = [shop_types::Topic::OrderPaid];
        let task =
            shop_events::spawn_consumer("catalog", &topics, mongo, shop.redis(), handler, clock, &shop.metrics, stop);

        tokio::time::timeout(SOON, task).await.unwrap().unwrap();
    })
    .await;
}

#[derive(Debug)]
struct NoClock;

impl shop_types::Clock for NoClock {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn new_id(&self) -> Uuid {
        EventId::from_uuid(Uuid::nil()).as_uuid()
    }
}

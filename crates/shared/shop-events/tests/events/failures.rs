//! Events that fail: which come again, which are given up, and that the others do not wait for them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use shop_events::HandleError;
use shop_mongo::{Document, doc};

use crate::shop::{Shop, available, each, eventually, with_shop};

const SOON: Duration = Duration::from_secs(5);
/// Five deliveries with pauses of 1, 2, 4 and 8 s.
const GIVEN_UP: Duration = Duration::from_secs(30);

/// Counts deliveries by the stock that they tell of.
#[derive(Clone, Default)]
struct Counts(Arc<tokio::sync::Mutex<HashMap<i64, u64>>>);

impl Counts {
    async fn add(&self, key: i64) -> u64 {
        let mut counts = self.0.lock().await;
        let count = counts.entry(key).or_default();
        *count += 1;
        *count
    }

    async fn of(&self, key: i64) -> u64 {
        self.0.lock().await.get(&key).copied().unwrap_or_default()
    }
}

async fn dead_letter(shop: &Shop) -> Option<Document> {
    let letters = shop.mongo("catalog").await.collection::<Document>("dead_letters");
    letters.find_one(doc! {}).await.unwrap()
}

#[tokio::test]
async fn a_poisoned_event_is_a_dead_letter_at_once_and_the_others_are_handled() {
    with_shop("inventory", |shop| async move {
        let relay = shop.relay().await;
        let counts = Counts::default();
        let handled = counts.clone();
        let consumer = shop
            .consumer(each(move |event| {
                let handled = handled.clone();
                async move {
                    handled.add(available(&event)).await;
                    if available(&event) == 1 { Err(HandleError::Poison("too odd".into())) } else { Ok(()) }
                }
            }))
            .await;

        shop.tell_stock(0..3).await;

        eventually("it is a dead letter", SOON, async || dead_letter(&shop).await.is_some()).await;
        let letter = dead_letter(&shop).await.unwrap();
        assert_eq!(letter.get_str("reason").unwrap(), "too odd");
        assert_eq!(letter.get_str("topic").unwrap(), "stock.changed");
        assert_eq!(letter.get_str("producer").unwrap(), "inventory");
        assert!(letter.get_str("body").unwrap().contains("\"available\":1"));
        let inbox = doc! { "_id": format!("catalog:{}", letter.get_str("_id").unwrap()) };
        assert_eq!(shop.count("catalog", "inbox", inbox).await, 1, "it counts as had");
        assert_eq!((counts.of(0).await, counts.of(1).await, counts.of(2).await), (1, 1, 1));
        eventually("all are confirmed", Duration::from_secs(12), async || shop.unconfirmed().await == 0).await;
        assert_eq!(shop.metric("events_dead_letters_total{topic=\"stock.changed\"}"), 1);
        relay.stop().await;
        consumer.stop().await;
    })
    .await;
}

#[tokio::test]
async fn an_event_that_panics_is_given_up_after_five_deliveries_and_holds_nobody_up() {
    with_shop("inventory", |shop| async move {
        let relay = shop.relay().await;
        let counts = Counts::default();
        let handled = counts.clone();
        let consumer = shop
            .consumer(each(move |event| {
                let handled = handled.clone();
                async move {
                    let turn = available(&event);
                    assert!(turn != 1, "cannot stand the number one");
                    handled.add(turn).await;
                    Ok(())
                }
            }))
            .await;

        shop.tell_stock(0..3).await;
        eventually("its companions are handled", SOON, async || counts.of(0).await >= 1 && counts.of(2).await >= 1)
            .await;
        shop.tell_stock(3..6).await;
        eventually("later ones are handled", SOON, async || counts.of(5).await == 1).await;
        assert!(dead_letter(&shop).await.is_none(), "it has more tries");

        eventually("it is a dead letter", GIVEN_UP, async || dead_letter(&shop).await.is_some()).await;
        let letter = dead_letter(&shop).await.unwrap();
        assert!(letter.get_str("reason").unwrap().contains("panicked"), "{letter}");
        assert_eq!(letter.get_i64("deliveries").unwrap(), 5);
        assert_eq!(shop.metric("events_handled_total{result=\"retried\",topic=\"stock.changed\"}"), 4);
        relay.stop().await;
        consumer.stop().await;
    })
    .await;
}

#[tokio::test]
async fn an_event_that_fails_at_first_comes_again_until_it_succeeds() {
    with_shop("inventory", |shop| async move {
        let relay = shop.relay().await;
        let counts = Counts::default();
        let handled = counts.clone();
        let consumer = shop
            .consumer(each(move |event| {
                let handled = handled.clone();
                async move {
                    match handled.add(available(&event)).await {
                        1 | 2 => Err(HandleError::Retry("not yet".into())),
                        _ => Ok(()),
                    }
                }
            }))
            .await;

        shop.tell_stock(0..1).await;

        eventually("it was tried three times", GIVEN_UP, async || counts.of(0).await == 3).await;
        eventually("it is confirmed", Duration::from_secs(12), async || shop.unconfirmed().await == 0).await;
        assert!(dead_letter(&shop).await.is_none());
        assert_eq!(counts.of(0).await, 3);
        relay.stop().await;
        consumer.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_waits_for_something_that_is_away_is_never_given_up() {
    with_shop("inventory", |shop| async move {
        let relay = shop.relay().await;
        let tries = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&tries);
        let consumer = shop
            .consumer(each(move |_| {
                let turn = counted.fetch_add(1, Ordering::SeqCst);
                async move { if turn < 7 { Err(HandleError::Away("no provider".into())) } else { Ok(()) } }
            }))
            .await;

        shop.tell_stock(0..1).await;

        eventually("it is confirmed", Duration::from_secs(60), async || shop.unconfirmed().await == 0).await;
        assert_eq!(tries.load(Ordering::SeqCst), 8);
        assert!(dead_letter(&shop).await.is_none());
        assert_eq!(shop.metric("events_handled_total{result=\"away\",topic=\"stock.changed\"}"), 7);
        relay.stop().await;
        consumer.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_is_no_event_is_a_dead_letter_and_a_topic_of_tomorrow_is_one_after_five_tries() {
    with_shop("inventory", |shop| async move {
        let relay = shop.relay().await;
        let consumer = shop.consumer(shop.remembering().await).await;
        shop.tell_stock(0..1).await;
        eventually("the way is open", SOON, async || shop.remembered().await.len() == 1).await;
        let key = "t:events:{inventory}";
        let large = format!("{{\"id\":\"{}\"}}", "x".repeat(100_000));

        shop.server.cli(&["XADD", key, "*", "id", "1", "topic", "stock.changed", "json", "{not json"]);
        shop.server.cli(&["XADD", key, "*", "id", "2", "topic", "stock.changed", "json", &large]);
        shop.server.cli(&["XADD", key, "*", "unheard", "of"]);
        shop.server.cli(&["XADD", key, "*", "id", "3", "topic", "stock.of.tomorrow", "json", "{}"]);
        shop.tell_stock(1..2).await;

        eventually("the next one is handled", SOON, async || shop.remembered().await.len() == 2).await;
        let letters = async || shop.count("catalog", "dead_letters", doc! {}).await;
        eventually("three are dead letters", SOON, async || letters().await == 3).await;
        // Acknowledging it at once would lose it for the pods of a newer version that come up just then.
        assert_eq!(shop.metric("events_dead_letters_total{topic=\"unknown\"}"), 3);
        eventually("the fourth is one, too", GIVEN_UP, async || letters().await == 4).await;
        eventually("nothing is left to acknowledge", SOON, async || {
            shop.server.cli(&["XPENDING", key, "catalog"]).starts_with('0')
        })
        .await;
        assert_eq!(shop.metric("events_dead_letters_total{topic=\"unknown\"}"), 4);
        relay.stop().await;
        consumer.stop().await;
    })
    .await;
}

#[tokio::test]
async fn an_answer_for_fewer_events_than_were_handed_over_counts_for_none() {
    with_shop("inventory", |shop| async move {
        let relay = shop.relay().await;
        let calls = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&calls);
        let handler: shop_events::Handler = Arc::new(move |events: Vec<shop_types::Envelope>| {
            let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
            Box::pin(async move { if first { Vec::new() } else { events.iter().map(|_| Ok(())).collect() } })
        });
        let consumer = shop.consumer(handler).await;

        shop.tell_stock(0..1).await;

        eventually("it is confirmed", Duration::from_secs(15), async || shop.unconfirmed().await == 0).await;
        assert_eq!(calls.load(Ordering::SeqCst), 2);
        relay.stop().await;
        consumer.stop().await;
    })
    .await;
}

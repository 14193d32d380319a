//! Events in and out over real streams.

use shop_mongo::{Mongo, doc};
use shop_proto::inventory::CommitRequest;
use shop_redis::{Entry, Redis, Stream};
use shop_service::SystemClock;
use shop_telemetry::metrics::Metrics;
use shop_testkit::TestShop;
use shop_types::event::{OrderFact, PaymentFact};
use shop_types::{Clock as _, Envelope, Event, EventId, Money, OrderId};

use crate::given::{an_order, assert_sound, client, counts, documents, eventually, inventory, reserve, stocked};

fn fact(order: OrderId) -> OrderFact {
    OrderFact {
        order_id: order,
        number: 1,
        user_id: None,
        cart: None,
        lines: Vec::new(),
        total: Money::new(100, "EUR".parse().unwrap()),
        payment_id: None,
        reason: Some("requested".into()),
    }
}

fn captured(order: OrderId) -> Event {
    Event::PaymentCaptured(PaymentFact {
        payment_id: format!("{order}:1"),
        order_id: order,
        amount: Money::new(100, "EUR".parse().unwrap()),
        remaining: None,
        reason: None,
    })
}

/// Stands in for the services that tell inventory something.
struct Producers {
    redis: Redis,
}

impl Producers {
    fn of(shop: &TestShop) -> Self {
        let settings = shop.config().redis.as_ref().unwrap();
        Self { redis: Redis::connect(settings, &Metrics::new("test")).unwrap() }
    }

    fn stream(&self, event: &Event) -> Stream {
        self.redis.stream(event.topic().producers()[0])
    }

    /// Publishes an event so many times and waits until inventory has acknowledged everything.
    async fn tell(&self, event: Event, times: usize) {
        let stream = self.stream(&event);
        let envelope = Envelope {
            id: EventId::from_uuid(SystemClock.new_id()),
            aggregate: "some order".into(),
            version: 1,
            occurred_at: SystemClock.now(),
            traceparent: None,
            event,
        };
        let entry = Entry {
            event_id: envelope.id.to_string(),
            topic: envelope.event.topic().name().into(),
            json: serde_json::to_string(&envelope).unwrap(),
            mirror: None,
        };
        let mark = stream.open("test").await.unwrap();
        for _ in 0..times {
            stream.append(&mark, std::slice::from_ref(&entry)).await.unwrap();
        }
        eventually("everything is acknowledged", || async {
            let floor = stream.floor(&mark, &["inventory"]).await.unwrap();
            floor.groups.iter().any(|group| group.name == "inventory" && group.lag == 0)
        })
        .await;
    }
}

async fn movements(mongo: &Mongo, order: OrderId) -> usize {
    documents(mongo, "movements", doc! { "order": order.to_string() }).await.len()
}

async fn state(mongo: &Mongo, order: OrderId) -> String {
    let found = documents(mongo, "reservations", doc! { "_id": order.to_string() }).await;
    found[0].get_str("state").unwrap().to_owned()
}

#[tokio::test]
async fn captured_money_sells_the_hold_once_however_often_it_is_told() {
    let shop = inventory().await;
    let (mongo, producers, order) = (shop.mongo("inventory").await, Producers::of(&shop), an_order());
    stocked(&shop, "mug", 5).await;
    client(&shop).await.reserve(reserve(order, &[("mug", 2)])).await.unwrap();
    producers.tell(captured(order), 3).await;
    assert_eq!(counts(&shop, "mug").await, (3, 0, 2));
    assert_eq!(movements(&mongo, order).await, 2, "one for the hold, one for the sale");
    assert_eq!(documents(&mongo, "inbox", doc! {}).await.len(), 1);
    assert_sound(&mongo).await;
}

#[tokio::test]
async fn a_rejected_order_gives_its_hold_back_and_leaves_a_tombstone_where_it_had_none() {
    let shop = inventory().await;
    let (mongo, producers) = (shop.mongo("inventory").await, Producers::of(&shop));
    stocked(&shop, "mug", 5).await;
    let (held, unheld) = (an_order(), an_order());
    client(&shop).await.reserve(reserve(held, &[("mug", 2)])).await.unwrap();
    producers.tell(Event::OrderRejected(fact(held)), 2).await;
    producers.tell(Event::OrderRejected(fact(unheld)), 2).await;
    client(&shop).await.reserve(reserve(unheld, &[("mug", 2)])).await.unwrap();
    assert_eq!(counts(&shop, "mug").await, (5, 0, 0));
    assert_eq!(movements(&mongo, held).await, 2);
    assert_eq!(movements(&mongo, unheld).await, 0);
    assert_sound(&mongo).await;
}

#[tokio::test]
async fn a_rejected_order_gives_back_what_a_capture_by_hand_has_sold_it() {
    let shop = inventory().await;
    let (mongo, producers, order) = (shop.mongo("inventory").await, Producers::of(&shop), an_order());
    stocked(&shop, "mug", 5).await;
    client(&shop).await.reserve(reserve(order, &[("mug", 2)])).await.unwrap();
    producers.tell(captured(order), 1).await;
    producers.tell(Event::OrderRejected(fact(order)), 2).await;
    assert_eq!(counts(&shop, "mug").await, (5, 0, 0));
    assert_eq!(state(&mongo, order).await, "RESTOCKED");
    assert_sound(&mongo).await;
}

#[tokio::test]
async fn a_cancelled_order_gives_back_what_it_held_or_bought_in_either_order_of_events() {
    let shop = inventory().await;
    let (mongo, producers) = (shop.mongo("inventory").await, Producers::of(&shop));
    stocked(&shop, "mug", 9).await;
    let (bought, held) = (an_order(), an_order());
    for order in [bought, held] {
        client(&shop).await.reserve(reserve(order, &[("mug", 2)])).await.unwrap();
    }
    producers.tell(captured(bought), 1).await;
    producers.tell(Event::OrderCancelling(fact(bought)), 2).await;
    producers.tell(Event::OrderCancelling(fact(held)), 2).await;
    producers.tell(captured(held), 1).await;
    assert_eq!(counts(&shop, "mug").await, (9, 0, 0));
    assert_eq!((state(&mongo, bought).await, state(&mongo, held).await), ("RESTOCKED".into(), "RELEASED".into()));
    assert_sound(&mongo).await;
}

#[tokio::test]
async fn a_returned_order_puts_its_pieces_back_once_and_a_capture_that_comes_late_sells_nothing() {
    let shop = inventory().await;
    let (mongo, producers) = (shop.mongo("inventory").await, Producers::of(&shop));
    stocked(&shop, "mug", 9).await;
    let (arrived, early) = (an_order(), an_order());
    for order in [arrived, early] {
        client(&shop).await.reserve(reserve(order, &[("mug", 2)])).await.unwrap();
    }
    producers.tell(captured(arrived), 1).await;
    for _ in 0..2 {
        // Each time an event of its own: what it asks for has happened, whatever the inbox knows.
        producers.tell(Event::OrderReturning(fact(arrived)), 2).await;
        producers.tell(Event::OrderReturning(fact(early)), 1).await;
        producers.tell(captured(arrived), 1).await;
        producers.tell(captured(early), 1).await;
    }
    assert_eq!(counts(&shop, "mug").await, (9, 0, 0));
    assert_eq!((state(&mongo, arrived).await, state(&mongo, early).await), ("RESTOCKED".into(), "RELEASED".into()));
    assert_eq!((movements(&mongo, arrived).await, movements(&mongo, early).await), (3, 2));
    assert_sound(&mongo).await;
}

#[tokio::test]
async fn captured_money_without_a_reservation_goes_to_the_dead_letters_and_holds_up_nobody() {
    let shop = inventory().await;
    let (mongo, producers) = (shop.mongo("inventory").await, Producers::of(&shop));
    producers.tell(captured(an_order()), 1).await;
    eventually("the dead letter is there", || async { !documents(&mongo, "dead_letters", doc! {}).await.is_empty() })
        .await;
    let order = an_order();
    stocked(&shop, "mug", 1).await;
    client(&shop).await.reserve(reserve(order, &[("mug", 1)])).await.unwrap();
    producers.tell(captured(order), 1).await;
    assert_eq!(counts(&shop, "mug").await, (0, 0, 1));
}

#[tokio::test]
async fn every_change_of_what_can_be_sold_is_told_with_a_growing_version() {
    let shop = inventory().await;
    let producers = Producers::of(&shop);
    let stream = producers.redis.stream("inventory");
    stream.ensure_group("test").await.unwrap();
    let order = an_order();
    stocked(&shop, "mug", 5).await;
    let mut inventory = client(&shop).await;
    inventory.reserve(reserve(order, &[("mug", 2)])).await.unwrap();
    inventory.commit(CommitRequest { order_id: order.to_string() }).await.unwrap();
    inventory.reserve(reserve(an_order(), &[("mug", 1)])).await.unwrap();
    let mut told = Vec::new();
    for _ in 0..100 {
        for delivery in stream.read("test", "test", 10).await.unwrap().deliveries {
            if delivery.topic.starts_with("staff.") {
                continue; // That staff counted the shelf.
            }
            let envelope: Envelope = serde_json::from_str(&delivery.json).unwrap();
            assert_eq!((delivery.topic.as_str(), envelope.aggregate.as_str()), ("stock.changed", "mug"));
            let Event::StockChanged(fact) = envelope.event else { panic!("{}", delivery.json) };
            assert_eq!(fact.version, envelope.version);
            told.push((fact.version, fact.available));
        }
        if told.len() == 3 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    // That held pieces were sold, version 3, changed nothing for those who look at the shelf.
    assert_eq!(told, [(1, 5), (2, 3), (4, 2)]);
}

//! What payment tells, and what becomes of the order.

use serde_json::json;
use shop_mongo::{Document, doc};
use shop_types::Event;

use crate::given::{Given, mugs};

#[tokio::test]
async fn a_captured_payment_makes_the_order_paid_once_however_often_it_is_told() {
    let given = Given::new().await;
    let buyer = given.customer();
    let order = given.place(&buyer, "k", &mugs(1, "tok_visa")).await.order();

    given.tell(Event::PaymentCaptured, &order, 3).await;

    given.becomes(&buyer, &order, "paid").await;
    given.tell(Event::PaymentCaptured, &order, 1).await;
    given.tell(Event::PaymentAuthorized, &order, 1).await;
    let shown = given.show(&buyer, &order).await;
    assert_eq!((shown.state(), shown.etag.as_deref()), ("paid", Some("\"3\"")));
    assert_eq!(given.told(&order).await, ["order.created", "order.confirmed", "order.paid"]);
    let inbox = given.mongo.collection::<Document>("inbox");
    assert_eq!(inbox.count_documents(doc! {}).await.unwrap(), 3, "three events, the first one told three times");
}

#[tokio::test]
async fn money_that_was_taken_before_the_order_knew_of_the_hold_confirms_and_pays_it() {
    let given = Given::new().await;
    let buyer = given.customer();
    let order = given.place(&buyer, "k", &mugs(1, "tok_unknown")).await.order();

    given.tell(Event::PaymentCaptured, &order, 2).await;

    given.becomes(&buyer, &order, "paid").await;
    assert_eq!(given.told(&order).await, ["order.created", "order.confirmed", "order.paid"]);
    let shown = given.show(&buyer, &order).await;
    let words: Vec<_> = shown.body["history"].as_array().unwrap().iter().map(|entry| entry["status"].clone()).collect();
    assert_eq!(words, ["placed", "confirmed", "paid"]);
    let again = given.place(&buyer, "k", &mugs(1, "tok_unknown")).await;
    assert_eq!((again.status, again.state()), (201, "confirmed"), "{}", again.body);
}

#[tokio::test]
async fn a_capture_that_failed_undoes_the_order_and_its_repetition_ends_it() {
    let given = Given::new().await;
    let buyer = given.customer();
    let order = given.place(&buyer, "k", &mugs(1, "tok_visa")).await.order();

    given.tell(Event::PaymentFailed, &order, 3).await;
    given.becomes(&buyer, &order, "cancelling").await;
    assert_eq!(given.told(&order).await, ["order.created", "order.confirmed", "order.cancelling"]);

    given.tell(Event::PaymentFailed, &order, 2).await;
    given.becomes(&buyer, &order, "cancelled").await;
    assert_eq!(given.show(&buyer, &order).await.body["reason"], json!("payment_failed"));
    assert_eq!(given.told(&order).await[3..], ["order.cancelled"]);
}

#[tokio::test]
async fn facts_that_an_order_has_left_behind_change_nothing() {
    let given = Given::new().await;
    let buyer = given.customer();
    let order = given.place(&buyer, "k", &mugs(1001, "tok_visa")).await.order();
    let before = given.show(&buyer, &order).await;

    let all: [fn(_) -> Event; 6] = [
        Event::PaymentAuthorized,
        Event::PaymentDeclined,
        Event::PaymentCaptured,
        Event::PaymentVoided,
        Event::PaymentRefunded,
        Event::PaymentFailed,
    ];
    for event in all {
        given.tell(event, &order, 1).await;
    }

    assert_eq!((before.state(), &given.show(&buyer, &order).await), ("rejected", &before));
    assert_eq!(given.told(&order).await, ["order.created", "order.rejected"]);
    assert_eq!(dead_letters(&given).await, 0);
}

#[tokio::test]
async fn a_payment_of_an_order_that_never_was_is_a_dead_letter_and_holds_up_nobody() {
    let given = Given::new().await;
    let buyer = given.customer();
    let order = given.place(&buyer, "k", &mugs(1, "tok_visa")).await.order();

    given.tell(Event::PaymentCaptured, "0190b3c0-0000-7000-8000-00000000dead", 1).await;
    given.tell(Event::PaymentCaptured, &order, 1).await;

    given.becomes(&buyer, &order, "paid").await;
    crate::given::eventually("a dead letter", || async { dead_letters(&given).await == 1 }).await;
}

async fn dead_letters(given: &Given) -> u64 {
    given.mongo.collection::<Document>("dead_letters").count_documents(doc! {}).await.unwrap()
}

//! Paying once more after a declined card, and cards that send their buyer to the bank first.

use std::time::{Duration, Instant};

use serde_json::json;
use shop_mongo::{Document, doc};
use shop_types::Event;

use crate::fakes::{BANK, Mood, Peer};
use crate::given::{Answer, Buyer, Given, all_of, eventually, mugs};

#[tokio::test]
async fn a_second_card_confirms_what_the_first_could_not_pay() {
    let given = Given::new().await;
    for buyer in [given.customer(), Buyer::guest("g")] {
        let cart = given.fakes.fill_cart(&buyer, &[("mug", 1, 500)]).await;
        let mut body = all_of(&cart);
        body["payment"]["method"] = json!("tok_declined");
        let order = given.place(&buyer, "k", &body).await.order();
        let reserved = given.fakes.calls(Peer::Inventory).await;

        let paid = given.pay(&buyer, &order, "p", "tok_visa").await;

        assert_eq!((paid.status, paid.state(), paid.replayed), (201, "confirmed", false), "{}", paid.body);
        assert_eq!(paid.body["paymentId"], json!(format!("{order}:2")));
        assert_eq!(paid.location, Some(format!("/api/v1/orders/{order}")));
        assert_eq!(paid.etag.as_deref(), Some("\"4\""));
        assert_eq!(given.told(&order).await, ["order.created", "order.confirmed"]);
        assert_eq!(given.fakes.calls(Peer::Inventory).await, reserved, "its stock is held already");
        // Both keys say what they said first.
        assert_eq!(given.pay(&buyer, &order, "p", "tok_visa").await, Answer { replayed: true, ..paid });
        let first = given.place(&buyer, "k", &body).await;
        assert_eq!((first.status, first.code(), first.replayed), (402, "payment_declined", true));
        assert_eq!(given.fakes.asked(&format!("{order}:2")).await, 1);
    }
}

#[tokio::test]
async fn cards_can_be_declined_again_and_again_and_each_key_tells_of_its_own() {
    let given = Given::new().await;
    let buyer = given.customer();
    let order = given.place(&buyer, "k", &mugs(1, "tok_declined")).await.order();
    for attempt in 2..=10 {
        let declined = given.pay(&buyer, &order, &format!("p{attempt}"), "tok_declined").await;
        assert_eq!((declined.status, declined.code()), (402, "payment_declined"), "{}", declined.body);
        assert_eq!(declined.order(), order);
        let again = given.pay(&buyer, &order, &format!("p{attempt}"), "tok_declined").await;
        assert!(again.replayed);
        assert_eq!(Answer { replayed: false, ..again.bare() }, declined.bare());
    }
    let eleventh = given.pay(&buyer, &order, "p11", "tok_visa").await;
    assert_eq!((eleventh.status, eleventh.code()), (409, "too_many_attempts"), "{}", eleventh.body);
    assert_eq!(given.fakes.payments().await, 10);
    assert_eq!(given.cancel(&buyer, &order).await.state(), "rejected");
}

#[tokio::test]
async fn only_an_order_whose_attempt_was_declined_can_be_paid_again() {
    let given = Given::new().await;
    let buyer = given.customer();
    let unknown = given.place(&buyer, "u", &mugs(1, "tok_unknown")).await.order();
    let waiting = given.place(&buyer, "w", &mugs(1, "tok_3ds")).await.order();
    let confirmed = given.place(&buyer, "c", &mugs(1, "tok_visa")).await.order();
    let rejected = given.place(&buyer, "s", &mugs(1001, "tok_visa")).await.order();
    let cases = [
        (&unknown, json!(["confirmed", "rejected"])),
        (&waiting, json!(["confirmed", "rejected"])),
        (&confirmed, json!(["paid", "cancelling"])),
        (&rejected, json!([])),
    ];
    for (order, allowed) in cases {
        let refused = given.pay(&buyer, order, "p", "tok_visa").await;
        assert_eq!((refused.status, refused.code()), (409, "illegal_transition"), "{}", refused.body);
        assert_eq!(refused.body["allowed"], allowed);
    }
    assert_eq!(given.fakes.payments().await, 3, "nobody asked for another payment");
    // Nothing was written under the refused key, so it is free for what comes.
    given.tell(Event::PaymentDeclined, &unknown, 1).await;
    assert_eq!(given.pay(&buyer, &unknown, "p", "tok_visa").await.status, 201);
    let elsewhere = given.pay(&buyer, &waiting, "p", "tok_visa").await;
    assert_eq!((elsewhere.status, elsewhere.code()), (422, "idempotency_key_reused"), "{}", elsewhere.body);
}

#[tokio::test]
async fn late_facts_of_the_first_attempt_do_not_decide_the_second() {
    let given = Given::new().await;
    let buyer = given.customer();
    let order = given.place(&buyer, "k", &mugs(1, "tok_declined")).await.order();
    let pending = given.pay(&buyer, &order, "p", "tok_unknown").await;
    assert_eq!((pending.status, pending.state()), (202, "placed"), "{}", pending.body);

    for late in [Event::PaymentAuthorized, Event::PaymentDeclined, Event::PaymentCaptured, Event::PaymentVoided] {
        given.tell(late, &order, 1).await;
        assert_eq!(given.show(&buyer, &order).await.state(), "placed");
    }
    let busy = given.pay(&buyer, &order, "p", "tok_unknown").await;
    assert_eq!((busy.status, busy.code(), busy.retry_after.as_deref()), (409, "request_in_progress", Some("1")));

    given.tell_of(2, None, Event::PaymentAuthorized, &order, 2).await;
    given.becomes(&buyer, &order, "confirmed").await;
    assert_eq!(given.told(&order).await, ["order.created", "order.confirmed"]);
    let again = given.pay(&buyer, &order, "p", "tok_unknown").await;
    assert_eq!((again.status, again.replayed, again.state()), (201, true, "confirmed"));
}

#[tokio::test]
async fn a_second_attempt_whose_driver_was_killed_is_taken_over_and_ends_at_the_deadline_of_the_order() {
    let given = Given::with_deadline(Duration::from_secs(25)).await;
    let buyer = given.customer();
    let order = given.place(&buyer, "k", &mugs(1, "tok_declined")).await.order();
    given.fakes.set(Peer::Payment, Mood::Away).await;
    assert_eq!(given.pay(&buyer, &order, "p", "tok_unknown").await.status, 202);
    let orders = given.mongo.collection::<Document>("orders");
    let past = shop_mongo::bson::DateTime::from_millis(0);
    let asked = given.fakes.calls(Peer::Payment).await;
    // As if its driver had died ten seconds ago; the one that lives on does no harm.
    orders.update_one(doc! { "_id": &order }, doc! { "$set": { "lease_until": past } }).await.unwrap();
    given.fakes.set(Peer::Payment, Mood::Well).await;
    eventually("it is driven on", || async { given.fakes.calls(Peer::Payment).await > asked + 3 }).await;
    assert!(given.fakes.asked(&format!("{order}:2")).await > 0);
    assert_eq!(given.fakes.calls(Peer::Inventory).await, 1, "its stock is held since the first attempt");

    orders.update_one(doc! { "_id": &order }, doc! { "$set": { "deadline": past } }).await.unwrap();
    given.becomes(&buyer, &order, "rejected").await;
    assert_eq!(given.told(&order).await, ["order.created", "order.rejected"]);
    let again = given.pay(&buyer, &order, "p", "tok_unknown").await;
    assert_eq!((again.status, again.code(), again.replayed), (409, "order_rejected", true), "{}", again.body);
}

#[tokio::test]
async fn a_buyer_who_must_act_is_sent_on_and_the_payments_event_goes_on() {
    let given = Given::new().await;
    let (buyer, started) = (given.customer(), Instant::now());

    let sent_on = given.place(&buyer, "k", &mugs(1, "tok_3ds")).await;

    assert_eq!((sent_on.status, sent_on.state()), (202, "placed"), "{}", sent_on.body);
    assert!(started.elapsed() < Duration::from_secs(3), "nothing is to be waited for");
    assert_eq!(sent_on.body["nextAction"], json!({ "type": "redirect", "url": BANK }));
    let order = sent_on.order();
    assert_eq!(sent_on.location, Some(format!("/api/v1/orders/{order}")));
    assert_eq!(given.show(&buyer, &order).await.body, sent_on.body);
    assert_eq!(given.place(&buyer, "k", &mugs(1, "tok_3ds")).await, Answer { replayed: true, ..sent_on.clone() });
    // Nobody drives it meanwhile, however old its lease is.
    let orders = given.mongo.collection::<Document>("orders");
    let past = shop_mongo::bson::DateTime::from_millis(0);
    orders.update_one(doc! { "_id": &order }, doc! { "$set": { "lease_until": past } }).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(given.fakes.calls(Peer::Payment).await, 1);

    given.tell(Event::PaymentAuthorized, &order, 1).await;

    given.becomes(&buyer, &order, "confirmed").await;
    assert!(given.show(&buyer, &order).await.body.get("nextAction").is_none());
    assert_eq!(given.told(&order).await, ["order.created", "order.confirmed"]);
    let again = given.place(&buyer, "k", &mugs(1, "tok_3ds")).await;
    assert_eq!(again, Answer { replayed: true, ..sent_on }, "the key says what it said first");
}

#[tokio::test]
async fn a_buyer_who_fails_at_the_bank_may_take_another_card_and_one_who_never_comes_back_loses_the_order() {
    let given = Given::new().await;
    let buyer = given.customer();
    let ends: [fn(_) -> Event; 2] = [Event::PaymentDeclined, Event::PaymentVoided];
    for (key, end) in ["declined", "voided"].into_iter().zip(ends) {
        let order = given.place(&buyer, key, &mugs(1, "tok_3ds")).await.order();
        given.tell(end, &order, 1).await;
        let shown = given.show(&buyer, &order).await;
        assert_eq!(shown.state(), "placed");
        assert!(shown.body["reason"].is_string() && shown.body.get("nextAction").is_none(), "{}", shown.body);
        let sent_on = given.pay(&buyer, &order, key, "tok_3ds").await;
        assert_eq!((sent_on.status, &sent_on.body["nextAction"]["url"]), (202, &json!(BANK)), "{}", sent_on.body);
        given.tell_of(2, None, Event::PaymentAuthorized, &order, 1).await;
        given.becomes(&buyer, &order, "confirmed").await;
    }
    let order = given.place(&buyer, "k", &mugs(1, "tok_3ds")).await.order();
    let past = doc! { "$set": { "deadline": shop_mongo::bson::DateTime::from_millis(0) } };
    given.mongo.collection::<Document>("orders").update_one(doc! { "_id": &order }, past).await.unwrap();
    given.becomes(&buyer, &order, "rejected").await;
    given.tell(Event::PaymentAuthorized, &order, 1).await;
    assert_eq!(given.show(&buyer, &order).await.body["reason"], "deadline");
}

//! Cancelling orders in each of their states, and against everything that happens at the same time.

use reqwest::Method;
use serde_json::json;
use shop_mongo::{Document, doc};
use shop_types::Event;

use crate::fakes::{Mood, Peer};
use crate::given::{Buyer, Given, answer, mugs};

#[tokio::test]
async fn a_declined_order_is_rejected_at_once() {
    let given = Given::new().await;
    let buyer = given.customer();
    let order = given.place(&buyer, "k", &mugs(1, "tok_declined")).await.order();

    let cancelled = given.cancel(&buyer, &order).await;

    assert_eq!((cancelled.status, cancelled.state()), (200, "rejected"), "{}", cancelled.body);
    assert_eq!(cancelled.body["reason"], "requested");
    assert_eq!(given.cancel(&buyer, &order).await, cancelled, "twice is once");
    assert_eq!(given.told(&order).await, ["order.created", "order.rejected"]);
}

#[tokio::test]
async fn what_is_said_to_a_cancellation_is_refused_and_not_overlooked() {
    let given = Given::new().await;
    let buyer = given.customer();
    let order = given.place(&buyer, "k", &mugs(1, "tok_visa")).await.order();
    let cancel = async |path: String, method: Method, body: serde_json::Value| {
        let request = given.shop.client().request(method, given.shop.url(&path)).header(buyer.0, &buyer.1);
        answer(request.json(&body)).await
    };
    let path = format!("/api/v1/orders/{order}/cancel");

    let refused = cancel(path.clone(), Method::POST, json!({ "reason": "too late" })).await;
    assert_eq!((refused.status, refused.code()), (422, "unknown_field"), "{}", refused.body);
    assert_eq!(given.show(&buyer, &order).await.state(), "confirmed");
    assert_eq!(cancel(path, Method::POST, json!({})).await.state(), "cancelling");
    let by_older_name = cancel(format!("/orders/{order}"), Method::DELETE, json!({ "reason": "again" })).await;
    assert_eq!(by_older_name.status, 200, "{}", by_older_name.body);
}

#[tokio::test]
async fn an_order_that_is_being_driven_is_rejected_and_its_driver_follows() {
    let given = Given::new().await;
    given.fakes.set(Peer::Inventory, Mood::Away).await;
    let buyer = given.customer();
    let order = given.place(&buyer, "k", &mugs(1, "tok_visa")).await.order();

    assert_eq!(given.cancel(&buyer, &order).await.state(), "rejected");
    given.fakes.release(&order).await;
    let asked = given.fakes.calls(Peer::Inventory).await;
    given.fakes.set(Peer::Inventory, Mood::Well).await;

    crate::given::eventually("the driver asks once more", || async {
        given.fakes.calls(Peer::Inventory).await > asked
    })
    .await;
    assert_eq!(given.show(&buyer, &order).await.state(), "rejected");
    assert_eq!(given.fakes.payments().await, 0);
    let again = given.place(&buyer, "k", &mugs(1, "tok_visa")).await;
    assert_eq!((again.status, again.code()), (409, "order_rejected"), "{}", again.body);
    assert_eq!(given.told(&order).await, ["order.created", "order.rejected"]);
}

#[tokio::test]
async fn a_confirmed_or_paid_order_is_undone_and_ends_with_its_money() {
    let given = Given::new().await;
    let buyer = given.customer();
    for paid in [false, true] {
        let order = given.place(&buyer, &format!("k{paid}"), &mugs(1, "tok_visa")).await.order();
        if paid {
            given.tell(Event::PaymentCaptured, &order, 1).await;
            given.becomes(&buyer, &order, "paid").await;
        }

        let cancelling = given.cancel(&buyer, &order).await;

        assert_eq!((cancelling.status, cancelling.state()), (200, "cancelling"), "{}", cancelling.body);
        assert_eq!(given.cancel(&buyer, &order).await, cancelling, "twice is once");
        // A capture that was under way changes nothing: it is given back.
        given.tell(Event::PaymentCaptured, &order, 1).await;
        assert_eq!(given.show(&buyer, &order).await.state(), "cancelling");
        given.tell(if paid { Event::PaymentRefunded } else { Event::PaymentVoided }, &order, 2).await;
        given.becomes(&buyer, &order, "cancelled").await;
        let told = given.told(&order).await;
        assert_eq!(told[told.len() - 2..], ["order.cancelling", "order.cancelled"]);
        let last = given.cancel(&buyer, &order).await;
        assert_eq!((last.status, last.state(), last.body["reason"].as_str()), (200, "cancelled", Some("requested")));
        assert_eq!(given.told(&order).await, told);
    }
}

#[tokio::test]
async fn a_capture_that_failed_ends_an_order_that_is_being_undone_already() {
    let given = Given::new().await;
    let buyer = given.customer();
    let order = given.place(&buyer, "k", &mugs(1, "tok_visa")).await.order();
    assert_eq!(given.cancel(&buyer, &order).await.state(), "cancelling");

    given.tell(Event::PaymentFailed, &order, 2).await;

    given.becomes(&buyer, &order, "cancelled").await;
    assert_eq!(given.show(&buyer, &order).await.body["reason"], "requested");
    let told = ["order.created", "order.confirmed", "order.cancelling", "order.cancelled"];
    assert_eq!(given.told(&order).await, told);
}

#[tokio::test]
async fn what_has_left_the_house_cannot_be_cancelled() {
    let given = Given::new().await;
    let buyer = given.customer();
    let order = given.place(&buyer, "k", &mugs(1, "tok_visa")).await.order();
    let orders = given.mongo.collection::<Document>("orders");
    let cases = [
        ("shipped", json!(["delivered", "returning"])),
        ("delivered", json!(["returning"])),
        ("returning", json!(["refunded"])),
        ("refunded", json!([])),
    ];
    for (state, allowed) in cases {
        orders.update_one(doc! { "_id": &order }, doc! { "$set": { "state": state } }).await.unwrap();
        let refused = given.cancel(&buyer, &order).await;
        assert_eq!((refused.status, refused.code()), (409, "illegal_transition"), "{}", refused.body);
        assert_eq!(refused.body["allowed"], allowed);
        assert_eq!(given.show(&buyer, &order).await.state(), state);
    }
    assert_eq!(given.told(&order).await, ["order.created", "order.confirmed"]);
}

#[tokio::test]
async fn a_payment_that_staff_gave_back_while_the_order_was_placed_leaves_room_for_another() {
    let given = Given::new().await;
    let buyer = given.customer();
    let declined = given.place(&buyer, "k", &mugs(1, "tok_cancelled")).await;
    assert_eq!((declined.status, declined.code()), (402, "payment_declined"), "{}", declined.body);
    assert_eq!(declined.body["reason"], "withdrawn");
    let order = declined.order();
    // What was told before it was given back comes too late.
    given.tell(Event::PaymentAuthorized, &order, 1).await;
    given.tell(Event::PaymentVoided, &order, 1).await;
    assert_eq!(given.show(&buyer, &order).await.state(), "placed");
    assert_eq!(given.pay(&buyer, &order, "p", "tok_visa").await.status, 201);
    assert_eq!(given.told(&order).await, ["order.created", "order.confirmed"]);
}

#[tokio::test]
async fn cancelling_and_confirming_at_once_always_ends_one_way() {
    let given = Given::new().await;
    let staff = Buyer::of(&given.shop.callers().staff());
    let mut last = String::new();
    for round in 0..10 {
        let buyer = given.customer();
        let body = mugs(1, "tok_visa");
        let key = format!("k{round}");
        let placing = given.place(&buyer, &key, &body);
        let cancelling = async {
            // As soon as the order is there: the newest of all is another one.
            for _ in 0..2000 {
                let list = given.send(Method::GET, "/api/v1/orders?size=1", &staff).await;
                if let Some(order) = list.body["items"][0]["id"].as_str().filter(|order| *order != last) {
                    return given.cancel(&buyer, order).await;
                }
            }
            panic!("no order came")
        };
        let (placed, cancelled) = tokio::join!(placing, cancelling);
        assert_eq!(cancelled.status, 200, "{}", cancelled.body);
        last = cancelled.order();
        let told = given.told(&last).await;
        match (placed.status, cancelled.state()) {
            (201, "cancelling") => assert_eq!(told, ["order.created", "order.confirmed", "order.cancelling"]),
            (409, "rejected") => assert_eq!(told, ["order.created", "order.rejected"]),
            other => panic!("{other:?} {} {}", placed.body, cancelled.body),
        }
    }
}

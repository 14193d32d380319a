//! A provider that loses requests and answers, fails before and after it has acted, or is slow: whatever happens, each
//! thing is booked once.

use futures::future::join_all;
use serde_json::json;
use shop_proto::payment::PaymentState;
use shop_testkit::{Peers, TestShop};
use shop_types::{Event, OrderId};

use crate::given::{Given, an_order, eventually, fact};

const FAULTS: [&str; 4] = ["timeout_before", "timeout_after", "error_before", "error_after"];

/// An order for each fault.
fn orders() -> Vec<(OrderId, &'static str)> {
    FAULTS.iter().map(|fault| (an_order(), *fault)).collect()
}

#[tokio::test]
async fn a_hold_is_placed_once_whatever_goes_wrong() {
    let given = Given::new().await;
    join_all(orders().into_iter().map(|(order, fault)| {
        let given = &given;
        async move {
            given.fault(order, "authorize", fault).await;
            given.authorize(order, "tok_visa").await;
            given.becomes(order, PaymentState::Authorized).await;
            assert_eq!(given.ledger(order).await, [("authorized".to_owned(), format!("{order}:1"))], "{fault}");
            assert_eq!(given.told(order).await, ["payment.authorized"], "{fault}");
        }
    }))
    .await;
}

#[tokio::test]
async fn money_is_taken_and_given_back_once_whatever_goes_wrong() {
    let given = Given::new().await;
    join_all(orders().into_iter().map(|(order, fault)| {
        let given = &given;
        async move {
            for operation in ["capture", "refund"] {
                given.fault(order, operation, fault).await;
            }
            given.authorize(order, "tok_visa").await;
            given.tell(Event::OrderConfirmed(fact(order, None)), 1).await;
            given.becomes(order, PaymentState::Captured).await;
            given.tell(Event::OrderCancelling(fact(order, None)), 1).await;
            given.becomes(order, PaymentState::Refunded).await;
            assert_eq!(given.ledger_kinds(order).await, ["authorized", "captured", "refunded"], "{fault}");
            let told = ["payment.authorized", "payment.captured", "payment.refunded"];
            assert_eq!(given.told(order).await, told, "{fault}");
        }
    }))
    .await;
}

#[tokio::test]
async fn a_hold_is_given_back_once_whatever_goes_wrong() {
    let given = Given::new().await;
    join_all(orders().into_iter().map(|(order, fault)| {
        let given = &given;
        async move {
            given.fault(order, "void", fault).await;
            given.authorize(order, "tok_visa").await;
            given.tell(Event::OrderRejected(fact(order, None)), 1).await;
            given.becomes(order, PaymentState::Voided).await;
            assert_eq!(given.ledger_kinds(order).await, ["authorized", "voided"], "{fault}");
        }
    }))
    .await;
}

#[tokio::test]
async fn a_slow_provider_is_not_asked_for_a_second_hold() {
    let (given, order) = (Given::new().await, an_order());
    let slow = json!({ "operation": "authorize", "fault": "slow", "milliseconds": 6000, "reference": order });
    assert_eq!(given.provider(reqwest::Method::POST, "/v1/test/faults", Some(&slow)).await.0, 200);

    assert_eq!(given.authorize(order, "tok_visa").await.state(), PaymentState::Created);

    given.becomes(order, PaymentState::Authorized).await;
    assert_eq!(given.ledger_kinds(order).await, ["authorized"]);
}

#[tokio::test]
async fn a_slow_hold_of_a_rejected_order_is_found_and_given_back() {
    let (given, order) = (Given::with_webhooks().await, an_order());
    let slow = json!({ "operation": "authorize", "fault": "slow", "milliseconds": 5000, "reference": order });
    given.provider(reqwest::Method::POST, "/v1/test/faults", Some(&slow)).await;
    assert_eq!(given.authorize(order, "tok_visa").await.state(), PaymentState::Created);

    given.tell(Event::OrderRejected(fact(order, None)), 1).await;

    given.becomes(order, PaymentState::Voided).await;
    assert_eq!(given.ledger_kinds(order).await, ["authorized", "voided"]);
}

#[tokio::test]
async fn keys_that_the_provider_has_forgotten_take_and_give_back_nothing_twice() {
    let (given, order) = (Given::new().await, an_order());
    given.authorize(order, "tok_refund_timeout_after").await;
    given.tell(Event::OrderConfirmed(fact(order, None)), 1).await;
    given.becomes(order, PaymentState::Captured).await;
    given.tell(Event::OrderCancelling(fact(order, None)), 1).await;
    eventually("the refund is booked", || async { given.booked(order, "refunded").await == 500 }).await;

    // A day later, as both sides see it: the key is gone, and the refund as old.
    let day = json!({ "advanceSeconds": 25 * 3600 });
    assert_eq!(given.provider(reqwest::Method::POST, "/v1/test/clock", Some(&day)).await.0, 200);
    let payments = given.mongo.collection::<shop_mongo::Document>("payments");
    let yesterday = shop_mongo::bson::DateTime::from_millis(0);
    let (id, set) =
        (format!("{order}:1"), shop_mongo::doc! { "$set": { "refunds.0.at": yesterday, "since": yesterday } });
    payments.update_one(shop_mongo::doc! { "_id": id }, set).await.unwrap();

    given.becomes(order, PaymentState::Refunded).await;
    assert_eq!(given.booked(order, "refunded").await, 500);
}

#[tokio::test]
async fn two_pods_that_ask_at_once_book_each_thing_once() {
    let given = Given::new().await;
    let config = given.shop.config().clone();
    let second = TestShop::start_all(Peers::default(), |_| async move { Ok(vec![payment::service(&config).await?]) });
    let _second = second.await;
    let orders: Vec<_> = (0..60).map(|_| an_order()).collect();
    for order in &orders {
        given.left_behind(*order, shop_mongo::doc! {}).await;
    }

    // Besides the two drivers there are callers, at the same moment.
    let callers = orders.iter().map(|order| given.authorize(*order, "tok_visa"));
    for reply in join_all(callers).await {
        assert!(matches!(reply.state(), PaymentState::Authorized | PaymentState::Created), "{reply:?}");
    }

    for order in orders {
        given.becomes(order, PaymentState::Authorized).await;
        assert_eq!(given.ledger_kinds(order).await, ["authorized"]);
        assert_eq!(given.told(order).await, ["payment.authorized"]);
    }
}

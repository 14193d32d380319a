//! Lost answers, dead pods, late holds: what is not at rest comes to rest, and no money moves twice.

use shop_mongo::bson::DateTime;
use shop_mongo::{Document, doc};
use shop_proto::payment::PaymentState;
use shop_service::SystemClock;
use shop_types::{Clock as _, Event};

use crate::given::{Given, an_order, eventually, fact};

#[tokio::test]
async fn a_hold_whose_request_or_answer_was_lost_is_found_out_and_placed_once() {
    let given = Given::new().await;
    for method in ["tok_timeout_before", "tok_timeout_after"] {
        let order = an_order();
        assert_eq!(given.authorize(order, method).await.state(), PaymentState::Created, "{method}");

        given.becomes(order, PaymentState::Authorized).await;

        assert_eq!(given.ledger(order).await, [("authorized".to_owned(), format!("{order}:1"))], "{method}");
        assert_eq!(given.told(order).await, ["payment.authorized"], "{method}");
    }
}

#[tokio::test]
async fn a_capture_or_void_whose_answer_was_lost_happens_once() {
    let (given, captured, voided) = (Given::new().await, an_order(), an_order());
    let staff = given.shop.callers().staff();
    given.authorize(captured, "tok_capture_timeout_after").await;
    given.authorize(voided, "tok_void_timeout_after").await;

    let paths = (format!("/api/v1/payments/{captured}:1/capture"), format!("/api/v1/payments/{voided}:1/void"));
    let (capture, void) =
        tokio::join!(given.http("POST", &paths.0, Some(&staff)), given.http("POST", &paths.1, Some(&staff)));

    assert_eq!((capture.0, capture.1["status"].as_str()), (202, Some("CAPTURING")));
    assert_eq!((void.0, void.1["status"].as_str()), (202, Some("VOIDING")));
    given.becomes(captured, PaymentState::Captured).await;
    given.becomes(voided, PaymentState::Voided).await;
    assert_eq!(given.ledger_kinds(captured).await, ["authorized", "captured"]);
    assert_eq!(given.ledger_kinds(voided).await, ["authorized", "voided"]);
    assert_eq!(given.told(captured).await, ["payment.authorized", "payment.captured"]);
}

#[tokio::test]
async fn a_capture_under_way_when_the_order_is_undone_is_finished_and_given_back() {
    let (given, order) = (Given::new().await, an_order());
    given.authorize(order, "tok_capture_timeout_before").await;
    given.tell(Event::OrderConfirmed(fact(order, None)), 1).await;
    assert_eq!(given.state(order).await, PaymentState::Capturing);

    given.tell(Event::OrderCancelling(fact(order, None)), 1).await;

    given.becomes(order, PaymentState::Refunded).await;
    assert_eq!(given.ledger_kinds(order).await, ["authorized", "captured", "refunded"]);
    assert_eq!(given.told(order).await, ["payment.authorized", "payment.captured", "payment.refunded"]);
}

#[tokio::test]
async fn what_a_dead_pod_left_behind_is_taken_over() {
    let (given, order) = (Given::new().await, an_order());
    given.left_behind(order, doc! {}).await;
    given.becomes(order, PaymentState::Authorized).await;
    assert_eq!(given.ledger_kinds(order).await, ["authorized"]);
}

#[tokio::test]
async fn a_leased_payment_is_left_alone_until_the_lease_is_over() {
    let (given, order) = (Given::new().await, an_order());
    given.left_behind(order, doc! { "next_try_at": in_hours(1) }).await;

    tokio::time::sleep(std::time::Duration::from_secs(3)).await;

    assert_eq!(given.state(order).await, PaymentState::Created);
    assert!(given.ledger(order).await.is_empty());
}

#[tokio::test]
async fn a_hold_that_turns_up_after_the_rejection_is_given_back() {
    let (given, order) = (Given::new().await, an_order());
    assert_eq!(given.authorize(order, "tok_timeout_always").await.state(), PaymentState::Created);
    given.tell(Event::OrderRejected(fact(order, None)), 1).await;
    given.becomes(order, PaymentState::Cancelling).await;

    given.late_hold(order).await;

    given.becomes(order, PaymentState::Voided).await;
    assert_eq!(given.ledger_kinds(order).await, ["authorized", "voided"]);
}

#[tokio::test]
async fn a_cancelled_payment_that_cannot_appear_any_more_becomes_a_tombstone() {
    let (given, old, young) = (Given::new().await, an_order(), an_order());
    given.left_behind(old, doc! { "state": "CANCELLING", "since": in_hours(-26) }).await;
    given.left_behind(young, doc! { "state": "CANCELLING", "since": in_hours(-24) }).await;

    given.becomes(old, PaymentState::Cancelled).await;

    assert_eq!(given.told(old).await, ["payment.voided"]);
    assert_eq!(given.state(young).await, PaymentState::Cancelling);
}

#[tokio::test]
async fn an_attempt_older_than_the_providers_keys_is_looked_up_before_it_is_asked_for_again() {
    let (given, order) = (Given::new().await, an_order());
    given.late_hold(order).await;
    // Asking again would be refused: the provider knows the key with another method.
    given.left_behind(order, doc! { "created_at": in_hours(-24), "method": "tok_declined" }).await;

    given.becomes(order, PaymentState::Authorized).await;

    assert_eq!(given.ledger_kinds(order).await, ["authorized"]);
}

#[tokio::test]
async fn due_payments_are_found_by_an_index() {
    let given = Given::new().await;
    for _ in 0..50 {
        let rests = doc! { "state": "CANCELLED", "next_try_at": null };
        given.left_behind(an_order(), rests).await;
    }
    let due = doc! { "next_try_at": { "$type": "date" }, "$expr": { "$lte": ["$next_try_at", "$$NOW"] } };
    let find = doc! { "find": "payments", "filter": due, "sort": { "next_try_at": 1 }, "limit": 64_i64 };
    let plan: Document = given.mongo.database().run_command(doc! { "explain": find }).await.unwrap();
    let plan = plan.get_document("queryPlanner").unwrap().get_document("winningPlan").unwrap().to_string();
    assert!(plan.contains("IXSCAN") && !plan.contains("COLLSCAN") && !plan.contains("\"SORT\""), "{plan}");
}

#[tokio::test]
async fn a_hundred_attempts_are_all_settled() {
    let given = Given::new().await;
    let orders: Vec<_> = (0..100).map(|_| an_order()).collect();
    for order in &orders {
        given.left_behind(*order, doc! {}).await;
    }
    eventually("all are authorized", || async {
        let mut states = Vec::new();
        for order in &orders {
            states.push(given.state(*order).await);
        }
        states.iter().all(|state| *state == PaymentState::Authorized)
    })
    .await;
    for order in orders {
        assert_eq!(given.ledger_kinds(order).await, ["authorized"]);
    }
}

fn in_hours(hours: i64) -> DateTime {
    DateTime::from_millis(SystemClock.now().as_millisecond() + hours * 3_600_000)
}

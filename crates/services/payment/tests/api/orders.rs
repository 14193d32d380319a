//! What payments do when their orders are confirmed, rejected or undone.

use shop_mongo::doc;
use shop_proto::payment::PaymentState;
use shop_types::Event;
use shop_types::event::OrderFact;

use crate::given::{Given, an_order, documents, eventually, fact};

#[tokio::test]
async fn a_confirmed_order_takes_the_money_once_however_often_it_is_told() {
    let (given, order) = (Given::new().await, an_order());
    given.authorize(order, "tok_visa").await;

    given.tell(Event::OrderConfirmed(fact(order, None)), 3).await;
    given.becomes(order, PaymentState::Captured).await;
    given.tell(Event::OrderConfirmed(fact(order, None)), 2).await;

    let key = format!("{order}:1");
    assert_eq!(
        given.ledger(order).await,
        [("authorized".to_owned(), key.clone()), ("captured".to_owned(), format!("{key}:capture"))]
    );
    assert_eq!(given.told(order).await, ["payment.authorized", "payment.captured"]);
}

#[tokio::test]
async fn a_rejected_order_gives_the_hold_back() {
    let (given, order) = (Given::new().await, an_order());
    given.authorize(order, "tok_visa").await;

    given.tell(Event::OrderRejected(fact(order, None)), 2).await;

    given.becomes(order, PaymentState::Voided).await;
    let key = format!("{order}:1");
    assert_eq!(given.ledger(order).await[1..], [("voided".to_owned(), format!("{key}:void"))]);
    assert_eq!(given.told(order).await, ["payment.authorized", "payment.voided"]);
}

#[tokio::test]
async fn an_order_rejected_before_its_payment_leaves_a_tombstone_that_a_late_driver_cannot_pass() {
    let given = Given::new().await;
    let (named, nameless) = (an_order(), an_order());

    given.tell(Event::OrderRejected(fact(named, None)), 1).await;
    given.tell(Event::OrderRejected(OrderFact { payment_id: None, ..fact(nameless, None) }), 1).await;

    for order in [named, nameless] {
        assert_eq!(given.authorize(order, "tok_visa").await.state(), PaymentState::Cancelled);
        assert!(given.ledger(order).await.is_empty(), "the provider was never asked");
        assert!(given.told(order).await.is_empty());
    }
}

#[tokio::test]
async fn an_order_undone_after_its_capture_gets_all_of_the_money_back() {
    let (given, order) = (Given::new().await, an_order());
    given.authorize(order, "tok_visa").await;
    given.tell(Event::OrderConfirmed(fact(order, None)), 1).await;
    given.becomes(order, PaymentState::Captured).await;

    given.tell(Event::OrderCancelling(fact(order, None)), 2).await;

    given.becomes(order, PaymentState::Refunded).await;
    let key = format!("{order}:1");
    assert_eq!(given.ledger(order).await[2..], [("refunded".to_owned(), format!("{key}:refund:1"))]);
    assert_eq!(given.told(order).await, ["payment.authorized", "payment.captured", "payment.refunded"]);
}

#[tokio::test]
async fn an_order_undone_before_its_confirmation_arrives_is_never_charged() {
    let (given, order) = (Given::new().await, an_order());
    given.authorize(order, "tok_visa").await;

    given.tell(Event::OrderCancelling(fact(order, None)), 1).await;
    given.tell(Event::OrderConfirmed(fact(order, None)), 1).await;

    given.becomes(order, PaymentState::Voided).await;
    assert_eq!(given.ledger_kinds(order).await, ["authorized", "voided"]);
    assert!(documents(&given.mongo, "dead_letters", doc! {}).await.is_empty());
}

#[tokio::test]
async fn confirmed_and_undone_at_once_ends_with_nothing_taken() {
    let given = Given::new().await;
    for _ in 0..10 {
        let order = an_order();
        given.authorize(order, "tok_visa").await;

        tokio::join!(
            given.tell(Event::OrderConfirmed(fact(order, None)), 1),
            given.tell(Event::OrderCancelling(fact(order, None)), 1)
        );

        eventually("the payment rests", || async {
            matches!(given.state(order).await, PaymentState::Voided | PaymentState::Refunded)
        })
        .await;
        let kinds = given.ledger_kinds(order).await;
        assert!(
            kinds == ["authorized", "voided"] || kinds == ["authorized", "captured", "refunded"],
            "holds and captures left: {kinds:?}"
        );
    }
}

#[tokio::test]
async fn a_capture_that_the_provider_refuses_for_good_is_told_again_to_the_order_that_is_then_undone() {
    let (given, order) = (Given::new().await, an_order());
    given.authorize(order, "tok_capture_fails").await;
    given.tell(Event::OrderConfirmed(fact(order, None)), 1).await;
    given.becomes(order, PaymentState::Failed).await;
    assert_eq!(given.told(order).await, ["payment.authorized", "payment.failed"]);

    given.tell(Event::OrderCancelling(fact(order, None)), 3).await;

    eventually("it is told again", || async { given.told(order).await.len() == 3 }).await;
    assert_eq!(given.told(order).await[2], "payment.failed");
    assert_eq!(given.state(order).await, PaymentState::Failed);
}

#[tokio::test]
async fn what_an_order_cannot_mean_goes_to_the_dead_letters_and_holds_up_nobody() {
    let (given, order) = (Given::new().await, an_order());
    let stranger = an_order();
    let named = |name: Option<String>| Event::OrderConfirmed(OrderFact { payment_id: name, ..fact(order, None) });

    given.tell(named(None), 1).await;
    given.tell(named(Some("nonsense".into())), 1).await;
    given.tell(named(Some(format!("{stranger}:1"))), 1).await;
    given.tell(named(Some(format!("{order}:1"))), 1).await;

    eventually("four dead letters", || async { documents(&given.mongo, "dead_letters", doc! {}).await.len() == 4 })
        .await;
    given.authorize(order, "tok_visa").await;
    given.tell(Event::OrderConfirmed(fact(order, None)), 1).await;
    given.becomes(order, PaymentState::Captured).await;
}

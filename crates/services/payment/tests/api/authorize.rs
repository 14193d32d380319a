//! Placing holds over gRPC: W3, X4, W5.

use std::time::{Duration, Instant};

use shop_mongo::doc;
use shop_proto::money::Money as MoneyProto;
use shop_proto::payment::{AuthorizeRequest, GetPaymentRequest, PaymentState};
use tonic::Code;

use crate::given::{Given, an_order, client, documents, request, shop_beside};

#[tokio::test]
async fn the_same_attempt_holds_the_money_once_and_gives_the_same_answer() {
    let (given, order) = (Given::new().await, an_order());

    let first = given.authorize(order, "tok_visa").await;
    let second = given.authorize(order, "tok_visa").await;

    assert_eq!((first.payment_id.clone(), first.state()), (format!("{order}:1"), PaymentState::Authorized));
    assert_eq!(first, second);
    assert_eq!(given.ledger(order).await, [("authorized".to_owned(), format!("{order}:1"))]);
    assert_eq!(given.told(order).await, ["payment.authorized"]);
    let read = GetPaymentRequest { payment_id: first.payment_id };
    let read = given.client().await.get_payment(read).await.unwrap().into_inner();
    assert_eq!((read.order_id.clone(), read.state()), (order.to_string(), PaymentState::Authorized));
    assert_eq!(read.amount, Some(MoneyProto { amount: 500, currency: "EUR".into() }));
}

#[tokio::test]
async fn twenty_parallel_calls_for_one_attempt_place_one_hold() {
    let (given, order) = (Given::new().await, an_order());
    let client = given.client().await;

    let calls: Vec<_> = (0..20)
        .map(|_| {
            let mut client = client.clone();
            tokio::spawn(async move { client.authorize(request(order, "tok_visa")).await.unwrap().into_inner() })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().state(), PaymentState::Authorized);
    }

    assert_eq!(given.ledger_kinds(order).await, ["authorized"]);
    assert_eq!(given.told(order).await, ["payment.authorized"]);
}

#[tokio::test]
async fn a_declined_attempt_says_why_and_another_attempt_may_succeed() {
    let (given, order) = (Given::new().await, an_order());

    let declined = given.authorize(order, "tok_insufficient_funds").await;
    let second = AuthorizeRequest { attempt: 2, ..request(order, "tok_visa") };
    let second = given.client().await.authorize(second).await.unwrap().into_inner();

    assert_eq!((declined.state(), declined.reason.as_str()), (PaymentState::Declined, "insufficient_funds"));
    assert_eq!((second.state(), second.payment_id), (PaymentState::Authorized, format!("{order}:2")));
    assert_eq!(given.told(order).await, ["payment.declined"]);
    assert_eq!(given.ledger_kinds(order).await, ["declined", "authorized"]);
}

#[tokio::test]
async fn a_method_that_the_provider_does_not_know_is_declined() {
    let (given, order) = (Given::new().await, an_order());
    let declined = given.authorize(order, "tok_nobody").await;
    assert_eq!((declined.state(), declined.reason.as_str()), (PaymentState::Declined, "unknown_method"));
    assert!(given.ledger(order).await.is_empty());
}

#[tokio::test]
async fn an_attempt_keeps_its_amount_and_method() {
    let (given, order) = (Given::new().await, an_order());
    given.authorize(order, "tok_visa").await;

    let more = Some(MoneyProto { amount: 501, currency: "EUR".into() });
    for other in [AuthorizeRequest { amount: more, ..request(order, "tok_visa") }, request(order, "tok_declined")] {
        let refused = given.client().await.authorize(other).await.unwrap_err();
        assert_eq!(refused.metadata().get("x-error-code").unwrap(), "attempt_mismatch");
    }
    assert_eq!(given.ledger_kinds(order).await, ["authorized"]);
}

#[tokio::test]
async fn bad_requests_are_refused_and_nothing_is_written() {
    let (given, order) = (Given::new().await, an_order());
    let good = || request(order, "tok_visa");
    let amount = |amount, currency: &str| Some(MoneyProto { amount, currency: currency.into() });
    for (bad, field) in [
        (AuthorizeRequest { order_id: String::new(), ..good() }, "order_id"),
        (AuthorizeRequest { order_id: "{\"$gt\":\"\"}".into(), ..good() }, "order_id"),
        (AuthorizeRequest { attempt: 0, ..good() }, "attempt"),
        (AuthorizeRequest { amount: None, ..good() }, "amount"),
        (AuthorizeRequest { amount: amount(0, "EUR"), ..good() }, "amount"),
        (AuthorizeRequest { amount: amount(-500, "EUR"), ..good() }, "amount"),
        (AuthorizeRequest { amount: amount(500, "eur"), ..good() }, "amount"),
        (AuthorizeRequest { method: String::new(), ..good() }, "method"),
        (AuthorizeRequest { method: "m".repeat(65), ..good() }, "method"),
        (AuthorizeRequest { method: "tok visa".into(), ..good() }, "method"),
        (AuthorizeRequest { user_id: "{\"$gt\":\"\"}".into(), ..good() }, "user_id"),
        (AuthorizeRequest { user_id: "7".into(), ..good() }, "user_id"),
    ] {
        let refused = given.client().await.authorize(bad.clone()).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{bad:?}");
        assert!(refused.message().starts_with(field), "{field}: {}", refused.message());
    }
    for id in ["", "x", &order.to_string(), &format!("{order}:0"), &format!("{order}:1")] {
        let unknown = given.client().await.get_payment(GetPaymentRequest { payment_id: id.into() }).await.unwrap_err();
        assert_eq!(unknown.code(), Code::NotFound, "{id}");
    }
    assert!(documents(&given.mongo, "payments", doc! {}).await.is_empty());
}

#[tokio::test]
async fn without_a_provider_the_attempt_is_written_down_and_waits() {
    let shop = shop_beside("http://127.0.0.1:1".into()).await;
    let begun = Instant::now();

    let reply = client(&shop).await.authorize(request(an_order(), "tok_visa")).await.unwrap().into_inner();

    assert_eq!(reply.state(), PaymentState::Created);
    // Nobody waits out the limit of 3 s for a provider that refuses connections.
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

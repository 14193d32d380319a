//! Refunds by staff, and what is left for orders that are undone.

use reqwest::Method;
use serde_json::{Value, json};
use shop_mongo::doc;
use shop_proto::payment::PaymentState;
use shop_testkit::Who;
use shop_types::{Event, OrderId};

use crate::given::{Given, an_order, documents, eventually, fact};

/// What a request for a refund was answered.
#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    body: Value,
    replayed: bool,
}

impl Given {
    /// Takes 5.00 EUR for an order.
    async fn captured(&self, method: &str) -> OrderId {
        let order = an_order();
        self.authorize(order, method).await;
        self.tell(Event::OrderConfirmed(fact(order, None)), 1).await;
        self.becomes(order, PaymentState::Captured).await;
        order
    }

    async fn refund_as(&self, who: Option<&Who>, order: OrderId, key: Option<&str>, body: &Value) -> Answer {
        let url = self.shop.url(&format!("/api/v1/payments/{order}:1/refunds"));
        let mut request = self.shop.client().post(url).json(body);
        if let Some(who) = who {
            request = request.header("Authorization", who.bearer());
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let reply = request.send().await.unwrap();
        let (status, replayed) = (reply.status().as_u16(), reply.headers().contains_key("idempotency-replayed"));
        Answer { status, body: reply.json().await.unwrap(), replayed }
    }

    /// The amounts and what is kept in the events about refunds of an order, oldest first.
    async fn refunds_told(&self, order: OrderId) -> Vec<(Value, Value)> {
        let filter = doc! { "aggregate": format!("{order}:1"), "topic": "payment.refunded" };
        let mut rows = documents(&self.mongo, "outbox", filter).await;
        rows.sort_by_key(|row| row.get_i64("version").unwrap());
        let body =
            |row: &shop_mongo::Document| -> Value { serde_json::from_str(row.get_str("body").unwrap()).unwrap() };
        let told =
            |event: Value| (event["body"]["amount"]["amount"].clone(), event["body"]["remaining"]["amount"].clone());
        rows.iter().map(|row| told(body(row))).collect()
    }
}

fn eur(amount: i64) -> Value {
    json!({ "amount": amount, "currency": "EUR" })
}

fn part(amount: i64) -> Value {
    json!({ "amount": eur(amount), "reason": "arrived broken" })
}

fn rest() -> Value {
    json!({ "reason": "never arrived" })
}

#[tokio::test]
async fn staff_and_programs_give_money_back_and_nobody_else() {
    let given = Given::new().await;
    let order = given.captured("tok_visa").await;
    let callers = given.shop.callers();
    let forged = Who { token: format!("{}x", callers.staff().token), ..callers.staff() };
    for (who, expected) in
        [(None, 401), (Some(callers.expired()), 401), (Some(forged), 401), (Some(callers.customer()), 403)]
    {
        assert_eq!(given.refund_as(who.as_ref(), order, Some("k"), &part(1)).await.status, expected);
    }
    assert_eq!(given.booked(order, "refunded").await, 0);
    for who in [callers.staff(), callers.admin(), callers.service()] {
        assert_eq!(given.refund_as(Some(&who), order, Some("k"), &part(1)).await.status, 201);
    }
    assert_eq!(given.booked(order, "refunded").await, 3, "a key is of one person or program");
}

#[tokio::test]
async fn a_part_and_then_the_rest_go_back_and_are_told_with_what_is_kept() {
    let given = Given::new().await;
    let order = given.captured("tok_visa").await;
    let staff = given.shop.callers().staff();

    let first = given.refund_as(Some(&staff), order, Some("a"), &part(200)).await;
    assert_eq!((first.status, &first.body["status"], &first.body["n"]), (201, &json!("DONE"), &json!(1)));
    assert_eq!((&first.body["amount"], &first.body["reason"]), (&eur(200), &json!("arrived broken")));
    assert_eq!(given.state(order).await, PaymentState::Captured);
    let second = given.refund_as(Some(&staff), order, Some("b"), &rest()).await;
    assert_eq!((second.status, &second.body["amount"], &second.body["n"]), (201, &eur(300), &json!(2)));

    let (_, shown) = given.http("GET", &format!("/api/v1/payments/{order}:1"), Some(&staff)).await;
    assert_eq!((&shown["status"], &shown["refunds"]), (&json!("REFUNDED"), &json!([first.body, second.body])));
    assert_eq!(given.refunds_told(order).await, [(json!(200), json!(300)), (json!(300), json!(null))]);
    let ledger = given.ledger(order).await;
    let keys: Vec<_> = ledger[2..].iter().map(|(kind, key)| (kind.as_str(), key.clone())).collect();
    assert_eq!(keys, [("refunded", format!("{order}:1:refund:1")), ("refunded", format!("{order}:1:refund:2"))]);
}

#[tokio::test]
async fn the_same_key_gives_the_same_answer_and_gives_nothing_back_twice() {
    let given = Given::new().await;
    let order = given.captured("tok_visa").await;
    let staff = given.shop.callers().staff();

    let first = given.refund_as(Some(&staff), order, Some("a"), &part(200)).await;
    let again = given.refund_as(Some(&staff), order, Some("a"), &part(200)).await;
    let other = given.refund_as(Some(&staff), order, Some("a"), &part(100)).await;

    assert!(!first.replayed && again.replayed);
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!((other.status, &other.body["code"]), (422, &json!("idempotency_key_reused")));
    assert_eq!(given.booked(order, "refunded").await, 200);
}

#[tokio::test]
async fn what_was_answered_once_is_answered_for_ever_whatever_has_become_of_it() {
    let given = Given::new().await;
    let order = given.captured("tok_refund_timeout_after").await;
    let staff = given.shop.callers().staff();

    let pending = given.refund_as(Some(&staff), order, Some("a"), &rest()).await;
    assert_eq!((pending.status, &pending.body["status"]), (201, &json!("PENDING")));
    given.becomes(order, PaymentState::Refunded).await;

    let again = given.refund_as(Some(&staff), order, Some("a"), &rest()).await;
    assert_eq!((&again.body, again.replayed), (&pending.body, true));
    let (_, shown) = given.http("GET", &format!("/api/v1/payments/{order}:1"), Some(&staff)).await;
    assert_eq!(shown["refunds"][0]["status"], "DONE");
    assert_eq!(given.ledger_kinds(order).await, ["authorized", "captured", "refunded"]);
}

#[tokio::test]
async fn more_than_is_left_is_refused_with_what_is_left() {
    let given = Given::new().await;
    let order = given.captured("tok_visa").await;
    let staff = given.shop.callers().staff();
    assert_eq!(given.refund_as(Some(&staff), order, Some("a"), &part(200)).await.status, 201);

    for (key, body) in [("b", part(301)), ("c", part(i64::MAX))] {
        let refused = given.refund_as(Some(&staff), order, Some(key), &body).await;
        assert_eq!(
            (refused.status, &refused.body["code"], &refused.body["left"]),
            (409, &json!("over_refund"), &eur(300))
        );
    }
    // A refusal is not remembered: the same key may do better.
    assert_eq!(given.refund_as(Some(&staff), order, Some("b"), &part(300)).await.status, 201);
    let nothing = given.refund_as(Some(&staff), order, Some("d"), &rest()).await;
    assert_eq!((nothing.status, &nothing.body["left"]), (409, &eur(0)));
    assert_eq!(given.booked(order, "refunded").await, 500);
}

#[tokio::test]
async fn twenty_refunds_at_once_never_give_back_more_than_was_taken() {
    let given = Given::new().await;
    let order = given.captured("tok_visa").await;
    let staff = given.shop.callers().staff();

    let answers = futures::future::join_all((0..20).map(|n| {
        let (given, staff) = (&given, &staff);
        async move { given.refund_as(Some(staff), order, Some(&format!("k{n}")), &part(100)).await.status }
    }));

    let answers = answers.await;
    assert_eq!(answers.iter().filter(|status| **status == 201).count(), 5, "{answers:?}");
    assert!(answers.iter().all(|status| matches!(status, 201 | 409)), "{answers:?}");
    given.becomes(order, PaymentState::Refunded).await;
    assert_eq!(given.booked(order, "refunded").await, 500);
    assert_eq!(given.refunds_told(order).await.iter().filter(|told| told.1.is_null()).count(), 1);
}

#[tokio::test]
async fn what_cannot_be_refunded_or_read_is_refused() {
    let given = Given::new().await;
    let staff = given.shop.callers().staff();
    let order = an_order();
    given.authorize(order, "tok_visa").await;

    let too_early = given.refund_as(Some(&staff), order, Some("k"), &rest()).await;
    assert_eq!((too_early.status, &too_early.body["code"]), (409, &json!("payment_state")));
    assert_eq!((&too_early.body["state"], &too_early.body["allowed"]), (&json!("AUTHORIZED"), &json!(["CAPTURED"])));
    assert_eq!(given.refund_as(Some(&staff), an_order(), Some("k"), &rest()).await.status, 404);
    let keyless = given.refund_as(Some(&staff), order, None, &rest()).await;
    assert_eq!((keyless.status, &keyless.body["code"]), (400, &json!("idempotency_key_required")));
    for (body, expected) in [
        (json!({}), 422),
        (json!({ "reason": "" }), 422),
        (json!({ "reason": "x".repeat(201) }), 422),
        (json!({ "reason": 7 }), 400),
        (json!({ "reason": { "$gt": "" } }), 400),
        (json!({ "reason": "x", "amount": 100 }), 400),
        (json!({ "reason": "x", "amount": eur(0) }), 422),
        (json!({ "reason": "x", "amount": eur(-1) }), 422),
        (json!({ "reason": "x", "amount": { "amount": 1, "currency": "eur" } }), 422),
        (json!({ "reason": "x", "payment": "y" }), 422),
    ] {
        let refused = given.refund_as(Some(&staff), order, Some("k"), &body).await;
        assert_eq!(refused.status, expected, "{body}: {refused:?}");
    }
    let order = given.captured("tok_visa").await;
    let dollars = json!({ "reason": "x", "amount": { "amount": 1, "currency": "USD" } });
    let refused = given.refund_as(Some(&staff), order, Some("k"), &dollars).await;
    assert_eq!((refused.status, &refused.body["details"][0]["field"]), (422, &json!("amount.currency")));
    assert_eq!(given.booked(order, "refunded").await, 0);
}

#[tokio::test]
async fn an_order_that_is_undone_or_returned_gets_back_what_is_left() {
    let given = Given::new().await;
    let staff = given.shop.callers().staff();
    for undone in [Event::OrderCancelling, Event::OrderReturning] {
        let order = given.captured("tok_visa").await;
        let key = order.to_string();
        assert_eq!(given.refund_as(Some(&staff), order, Some(&key), &part(200)).await.status, 201);

        given.tell(undone(fact(order, None)), 2).await;

        given.becomes(order, PaymentState::Refunded).await;
        assert_eq!(given.refunds_told(order).await, [(json!(200), json!(300)), (json!(300), json!(null))]);
        assert_eq!(given.booked(order, "refunded").await, 500);
        let (_, shown) = given.http("GET", &format!("/api/v1/payments/{order}:1"), Some(&staff)).await;
        assert_eq!(shown["refunds"][1]["reason"], "order_undone");
    }
}

#[tokio::test]
async fn an_order_that_was_refunded_before_it_is_undone_hears_so_again() {
    let given = Given::new().await;
    let order = given.captured("tok_visa").await;
    let staff = given.shop.callers().staff();
    assert_eq!(given.refund_as(Some(&staff), order, Some("a"), &rest()).await.status, 201);

    given.tell(Event::OrderCancelling(fact(order, None)), 2).await;

    eventually("it is told again", || async { given.refunds_told(order).await.len() == 2 }).await;
    assert_eq!(given.refunds_told(order).await, [(json!(500), json!(null)), (json!(500), json!(null))]);
    assert_eq!(given.booked(order, "refunded").await, 500);
}

#[tokio::test]
async fn a_refund_that_the_provider_refuses_for_good_fails_and_the_money_counts_as_kept() {
    let given = Given::new().await;
    let order = given.captured("tok_visa").await;
    let staff = given.shop.callers().staff();
    // Somebody gave 1.00 back at the provider, past us.
    let path = format!("/v1/authorizations/{}/refunds", given.hold_of(order).await);
    assert_eq!(given.provider(reqwest::Method::POST, &path, Some(&json!({ "amount": 100 }))).await.0, 201);

    let failed = given.refund_as(Some(&staff), order, Some("a"), &rest()).await;

    assert_eq!((failed.status, &failed.body["status"]), (201, &json!("FAILED")));
    assert_eq!(given.state(order).await, PaymentState::Captured);
    assert_eq!(given.refund_as(Some(&staff), order, Some("b"), &part(400)).await.body["status"], "DONE");
    assert_eq!(given.booked(order, "refunded").await, 500);
}

impl Given {
    /// What somebody gives back at the provider's own console.
    async fn give_back_at_the_provider(&self, order: OrderId, amount: i64) {
        let path = format!("/v1/authorizations/{}/refunds", self.hold_of(order).await);
        let (status, answer) = self.provider(Method::POST, &path, Some(&json!({ "amount": amount }))).await;
        assert_eq!(status, 201, "{answer}");
    }
}

#[tokio::test]
async fn an_order_ends_whose_money_somebody_gave_back_at_the_provider() {
    let given = Given::new().await;
    for event in [Event::OrderCancelling, Event::OrderReturning] {
        let order = given.captured("tok_visa").await;
        given.give_back_at_the_provider(order, 500).await;

        given.tell(event(fact(order, None)), 1).await;

        given.becomes(order, PaymentState::Refunded).await;
        assert_eq!(given.refunds_told(order).await, [(json!(500), json!(null))]);
        assert_eq!(given.booked(order, "refunded").await, 500, "once");
    }
}

#[tokio::test]
async fn a_part_that_was_given_back_at_the_provider_leaves_the_rest_to_staff() {
    let given = Given::new().await;
    let staff = given.shop.callers().staff();
    let order = given.captured("tok_visa").await;
    given.give_back_at_the_provider(order, 100).await;

    let mut ends = Vec::new();
    for (key, body) in [("a", rest()), ("b", part(400)), ("c", rest())] {
        let answer = given.refund_as(Some(&staff), order, Some(key), &body).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        ends.push(answer.body["status"].as_str().unwrap().to_owned());
    }

    assert_eq!(ends, ["FAILED", "DONE", "DONE"], "not all of it can go back, then the rest, then all is");
    assert_eq!(given.state(order).await, PaymentState::Refunded);
    assert_eq!(given.booked(order, "refunded").await, 500);
}

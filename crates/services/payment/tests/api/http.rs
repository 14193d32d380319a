//! The routes: who may call them, what they answer.

use serde_json::json;
use shop_proto::payment::{AuthorizeRequest, PaymentState};
use shop_testkit::Who;
use shop_types::{Event, OrderId};

use crate::given::{Given, an_order, fact, request};

/// Authorises for an order of somebody.
async fn authorize_for(given: &Given, order: OrderId, who: &Who) {
    let call = AuthorizeRequest { user_id: who.id.to_string(), ..request(order, "tok_visa") };
    let reply = given.client().await.authorize(call).await.unwrap().into_inner();
    assert_eq!(reply.state(), PaymentState::Authorized);
}

#[tokio::test]
async fn every_route_lets_in_whom_the_table_names_and_nobody_else() {
    let given = Given::new().await;
    let callers = given.shop.callers();
    let owner = callers.customer();
    let forged = Who { token: format!("{}x", owner.token), ..owner.clone() };
    for (verb, action, owner_may, staff_may) in
        [("GET", "", 200, 200), ("POST", "/capture", 403, 200), ("POST", "/void", 403, 200)]
    {
        for (who, name, expected) in [
            (None, "anonymous", 401),
            (Some(callers.expired()), "expired", 401),
            (Some(forged.clone()), "forged", 401),
            (Some(owner.clone()), "owner", owner_may),
            (Some(callers.customer()), "other", if owner_may == 200 { 404 } else { 403 }),
            // Programs may do what staff may: shops settle orders from the systems that send them.
            (Some(callers.service()), "service", staff_may),
            (Some(callers.staff()), "staff", staff_may),
            (Some(callers.admin()), "admin", staff_may),
        ] {
            let order = an_order();
            authorize_for(&given, order, &owner).await;
            let path = format!("/api/v1/payments/{order}:1{action}");
            let (status, body) = given.http(verb, &path, who.as_ref()).await;
            assert_eq!(status, expected, "{verb} {action} as {name}: {body}");
            if expected >= 400 {
                assert_eq!(given.state(order).await, PaymentState::Authorized, "{verb} {action} as {name}");
            }
        }
    }
}

#[tokio::test]
async fn the_owner_reads_a_payment_and_others_cannot_tell_it_from_none() {
    let (given, order) = (Given::new().await, an_order());
    let owner = given.shop.callers().customer();
    authorize_for(&given, order, &owner).await;
    let path = format!("/api/v1/payments/{order}:1");

    let (_, mine) = given.http("GET", &path, Some(&owner)).await;
    let other = given.shop.callers().customer();
    let (hidden_status, mut hidden) = given.http("GET", &path, Some(&other)).await;
    let (none_status, mut none) = given.http("GET", &format!("/api/v1/payments/{}:1", an_order()), Some(&other)).await;

    assert_eq!(mine["id"], format!("{order}:1"));
    assert_eq!((&mine["status"], &mine["attempt"]), (&json!("AUTHORIZED"), &json!(1)));
    assert_eq!((&mine["amount"], &mine["orderId"]), (&json!({ "amount": 500, "currency": "EUR" }), &json!(order)));
    let fields: Vec<_> = mine.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        fields,
        ["id", "orderId", "attempt", "status", "amount", "refunds", "version", "createdAt", "updatedAt"]
    );
    for body in [&mut hidden, &mut none] {
        body.as_object_mut().unwrap().retain(|field, _| field != "requestId" && field != "timestamp");
    }
    assert_eq!((hidden_status, hidden), (none_status, none));
}

#[tokio::test]
async fn the_order_tells_who_owns_a_payment_that_came_without_an_owner() {
    let (given, order) = (Given::new().await, an_order());
    let owner = given.shop.callers().customer();
    let path = format!("/api/v1/payments/{order}:1");
    given.authorize(order, "tok_visa").await;
    assert_eq!(given.http("GET", &path, Some(&owner)).await.0, 404);

    given.tell(Event::OrderConfirmed(fact(order, Some(owner.id))), 1).await;

    given.becomes(order, PaymentState::Captured).await;
    let (status, body) = given.http("GET", &path, Some(&owner)).await;
    assert_eq!((status, &body["status"]), (200, &json!("CAPTURED")));
}

#[tokio::test]
async fn staff_takes_the_money_once_and_cannot_give_it_back_as_a_hold() {
    let (given, order) = (Given::new().await, an_order());
    let staff = given.shop.callers().staff();
    given.authorize(order, "tok_visa").await;
    let path = format!("/api/v1/payments/{order}:1");

    let (first, taken) = given.http("POST", &format!("{path}/capture"), Some(&staff)).await;
    let (second, again) = given.http("POST", &format!("{path}/capture"), Some(&staff)).await;
    let (refused, problem) = given.http("POST", &format!("{path}/void"), Some(&staff)).await;

    assert_eq!((first, &taken["status"]), (200, &json!("CAPTURED")));
    assert_eq!((second, &again), (200, &taken));
    assert_eq!((refused, &problem["code"], &problem["state"]), (409, &json!("payment_state"), &json!("CAPTURED")));
    assert_eq!(problem["allowed"], json!(["AUTHORIZED", "VOIDING", "VOIDED"]));
    assert_eq!(given.ledger_kinds(order).await, ["authorized", "captured"]);
}

#[tokio::test]
async fn staff_gives_a_hold_back_once_and_cannot_take_it_afterwards() {
    let (given, order) = (Given::new().await, an_order());
    let staff = given.shop.callers().staff();
    given.authorize(order, "tok_visa").await;
    let path = format!("/api/v1/payments/{order}:1");

    for _ in 0..2 {
        let (status, body) = given.http("POST", &format!("{path}/void"), Some(&staff)).await;
        assert_eq!((status, &body["status"]), (200, &json!("VOIDED")));
    }
    let (refused, problem) = given.http("POST", &format!("{path}/capture"), Some(&staff)).await;

    assert_eq!((refused, &problem["state"]), (409, &json!("VOIDED")));
    assert_eq!(given.ledger_kinds(order).await, ["authorized", "voided"]);
}

#[tokio::test]
async fn a_refused_capture_is_shown_with_its_reason() {
    let (given, order) = (Given::new().await, an_order());
    given.authorize(order, "tok_capture_fails").await;
    let path = format!("/api/v1/payments/{order}:1/capture");
    let (status, body) = given.http("POST", &path, Some(&given.shop.callers().staff())).await;
    assert_eq!((status, &body["status"], &body["reason"]), (200, &json!("FAILED"), &json!("capture_refused")));
}

#[tokio::test]
async fn an_amount_in_the_body_is_refused_and_not_overlooked() {
    let (given, order) = (Given::new().await, an_order());
    given.authorize(order, "tok_visa").await;
    let staff = given.shop.callers().staff();
    let send = |body: &'static str| {
        let url = given.shop.url(&format!("/api/v1/payments/{order}:1/capture"));
        let request = given.shop.client().post(url).header("Authorization", staff.bearer());
        request.header("Content-Type", "application/json").body(body).send()
    };

    for (body, expected) in [(r#"{"amount":100}"#, 422), ("[]", 400), ("{", 400), ("null", 400)] {
        assert_eq!(send(body).await.unwrap().status().as_u16(), expected, "{body}");
    }
    assert_eq!(given.state(order).await, PaymentState::Authorized);
    assert_eq!(send("{}").await.unwrap().status().as_u16(), 200);
}

#[tokio::test]
async fn a_payment_has_a_version_that_saves_reading_it_again() {
    let (given, order) = (Given::new().await, an_order());
    given.authorize(order, "tok_visa").await;
    let staff = given.shop.callers().staff();
    let get = |known: &'static str| {
        let url = given.shop.url(&format!("/api/v1/payments/{order}:1"));
        given.shop.client().get(url).header("Authorization", staff.bearer()).header("If-None-Match", known).send()
    };

    let first = get("\"1\"").await.unwrap();

    assert_eq!((first.status().as_u16(), first.headers()["etag"].to_str().unwrap()), (200, "\"2\""));
    assert_eq!(get("\"2\"").await.unwrap().status().as_u16(), 304);
}

#[tokio::test]
async fn ids_that_are_none_are_not_found() {
    let (given, order) = (Given::new().await, an_order());
    let staff = given.shop.callers().staff();
    for id in
        ["x", &order.to_string(), &format!("{order}:0"), &format!("{order}:01"), "%7B%22$gt%22:%22%22%7D", "a%00b"]
    {
        for (verb, action) in [("GET", ""), ("POST", "/capture"), ("POST", "/void")] {
            let (status, body) = given.http(verb, &format!("/api/v1/payments/{id}{action}"), Some(&staff)).await;
            assert_eq!((status, &body["code"]), (404, &json!("not_found")), "{verb} {id}{action}");
        }
    }
}

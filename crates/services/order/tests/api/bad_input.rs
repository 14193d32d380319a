//! What no request on orders can be: refused with a stable code and the field, nothing written.

use reqwest::Method;
use serde_json::{Value, json};

use crate::fakes::{MUG, Peer};
use crate::given::{Given, answer, mugs};

#[expect(clippy::needless_pass_by_value, reason = "it is written where it is used")]
fn item(item: Value) -> Value {
    json!({ "items": [item], "payment": { "method": "tok_visa" } })
}

fn paid_by(method: &Value) -> Value {
    json!({ "items": [{ "sku": "mug", "quantity": 1 }], "payment": { "method": method } })
}

#[tokio::test]
async fn bodies_that_cannot_be_are_refused_with_their_field() {
    let given = Given::new().await;
    let buyer = given.customer();
    let payment = json!({ "method": "tok_visa" });
    let line = json!({ "sku": "mug", "quantity": 1 });
    let many: Vec<_> = (0..101).map(|n| json!({ "sku": format!("s{n}"), "quantity": 1 })).collect();
    let refusals = [
        (item(json!({ "sku": "mug", "quantity": "1" })), 400, "malformed_body", "items[0].quantity"),
        (item(json!({ "sku": { "$gt": "" }, "quantity": 1 })), 400, "malformed_body", "items[0].sku"),
        (item(json!({ "sku": "mug", "quantity": 1.5 })), 400, "malformed_body", "items[0].quantity"),
        (item(json!({ "sku": "mug", "quantity": { "$gt": 0 } })), 400, "malformed_body", "items[0].quantity"),
        (json!({ "cartId": { "$ne": null }, "payment": payment }), 400, "malformed_body", "cartId"),
        (json!({ "items": line, "payment": payment }), 400, "malformed_body", "items"),
        (paid_by(&json!({ "$gt": "" })), 400, "malformed_body", "payment.method"),
        (item(json!({ "sku": "mug", "quantity": 0 })), 422, "invalid_field", "items[0].quantity"),
        (item(json!({ "sku": "mug", "quantity": -1 })), 422, "invalid_field", "items[0].quantity"),
        (item(json!({ "sku": "mug", "quantity": u64::MAX })), 422, "invalid_field", "items[0].quantity"),
        (item(json!({ "sku": "m u g", "quantity": 1 })), 422, "invalid_field", "items[0].sku"),
        (item(json!({ "sku": "x".repeat(65), "quantity": 1 })), 422, "invalid_field", "items[0].sku"),
        (item(json!({ "productId": "7", "quantity": 1 })), 422, "invalid_field", "items[0].productId"),
        (item(json!({ "sku": "mug" })), 422, "invalid_field", "items[0].quantity"),
        (item(json!({ "quantity": 1 })), 422, "invalid_field", "items[0]"),
        (item(json!({ "sku": "mug", "productId": MUG, "quantity": 1 })), 422, "invalid_field", "items[0]"),
        (item(json!({ "sku": "mug", "quantity": 1, "unitPrice": 1 })), 422, "unknown_field", "items[0].unitPrice"),
        (json!({ "items": [line, line], "payment": payment }), 422, "invalid_field", "items[1].sku"),
        (json!({ "items": [], "payment": payment }), 422, "invalid_field", "items"),
        (json!({ "items": many, "payment": payment }), 422, "invalid_field", "items"),
        (json!({ "payment": payment }), 422, "invalid_field", "cartId"),
        (json!({ "cartId": MUG, "items": [line], "payment": payment }), 422, "invalid_field", "cartId"),
        (json!({ "cartId": "1", "payment": payment }), 422, "invalid_field", "cartId"),
        (json!({ "items": [line] }), 422, "invalid_field", "payment"),
        (json!({ "items": [line], "payment": {} }), 422, "invalid_field", "payment.method"),
        (paid_by(&json!("")), 422, "invalid_field", "payment.method"),
        (paid_by(&json!("a b")), 422, "invalid_field", "payment.method"),
        (paid_by(&json!("x".repeat(65))), 422, "invalid_field", "payment.method"),
        (json!({ "items": [line], "payment": payment, "total": { "amount": 1 } }), 422, "unknown_field", "total"),
        (json!({ "items": [line], "payment": payment, "userId": MUG }), 422, "unknown_field", "userId"),
    ];
    for (body, status, code, field) in refusals {
        let got = given.place(&buyer, "k", &body).await;
        assert_eq!((got.status, got.code()), (status, code), "{body} gave {}", got.body);
        assert_eq!(got.body["details"][0]["field"], field, "{body} gave {}", got.body);
    }
    assert_eq!((given.orders().await, given.fakes.reservations().await), (0, 0));
    assert_eq!(given.place(&buyer, "k", &mugs(1, "tok_visa")).await.status, 201, "the key is still free");
}

#[tokio::test]
async fn an_amount_beyond_money_is_refused() {
    let given = Given::new().await;
    given.fakes.sell("yacht", i64::MAX / 2, 1_000_000).await;
    let got = given.place(&given.customer(), "k", &item(json!({ "sku": "yacht", "quantity": 3 }))).await;
    assert_eq!((got.status, got.code()), (409, "total_too_large"), "{}", got.body);
    assert_eq!(given.orders().await, 0);
}

#[tokio::test]
async fn what_is_not_json_or_too_large_is_refused() {
    let given = Given::new().await;
    let buyer = given.customer();
    let good = mugs(1, "tok_visa").to_string();
    let bodies = [
        ("{".to_owned(), "application/json", 400, "malformed_body"),
        (String::new(), "application/json", 400, "malformed_body"),
        ("[".repeat(9000), "application/json", 400, "malformed_body"),
        (good.clone(), "text/plain", 415, "unsupported_media_type"),
        (format!("{good}{}", " ".repeat(70_000)), "application/json", 413, "body_too_large"),
    ];
    for (body, media, status, code) in bodies {
        let request = given.shop.client().post(given.shop.url("/api/v1/orders")).header(buyer.0, &buyer.1);
        let request = request.header("Idempotency-Key", "k").header("Content-Type", media).body(body);
        let got = answer(request).await;
        assert_eq!((got.status, got.code()), (status, code), "{}", got.body);
    }
    assert_eq!((given.orders().await, given.fakes.calls(Peer::Catalog).await), (0, 0));
}

#[tokio::test]
async fn keys_that_are_missing_or_malformed_are_refused() {
    let given = Given::new().await;
    let buyer = given.customer();
    let request = || given.shop.client().post(given.shop.url("/api/v1/orders")).header(buyer.0, &buyer.1);
    let body = mugs(1, "tok_visa");
    let got = answer(request().json(&body)).await;
    assert_eq!((got.status, got.code()), (400, "idempotency_key_required"), "{}", got.body);
    for key in [String::new(), "k".repeat(256), "schlüssel".to_owned()] {
        let got = answer(request().header("Idempotency-Key", &key).json(&body)).await;
        assert_eq!((got.status, got.code()), (400, "invalid_idempotency_key"), "{key}: {}", got.body);
    }
    let twice = request().header("Idempotency-Key", "a").header("Idempotency-Key", "b").json(&body);
    assert_eq!(answer(twice).await.code(), "invalid_idempotency_key");
    assert_eq!(given.orders().await, 0);
}

#[tokio::test]
async fn malformed_ids_name_nothing_and_malformed_queries_are_told() {
    let given = Given::new().await;
    let buyer = given.customer();
    for id in ["1", "%7B%22$gt%22:%22%22%7D", "%00", "null", &"a".repeat(5000)] {
        for got in [given.show(&buyer, id).await, given.cancel(&buyer, id).await] {
            assert_eq!((got.status, got.code()), (404, "not_found"), "{id}: {}", got.body);
        }
    }
    let queries = [
        ("status=lost", "invalid_parameter", "status"),
        ("status[$ne]=paid", "unknown_parameter", "status[$ne]"),
        ("userId=7", "invalid_parameter", "userId"),
        ("from=yesterday", "invalid_parameter", "from"),
        ("to=2026-13-01T00:00:00Z", "invalid_parameter", "to"),
        ("page=0", "invalid_parameter", "page"),
        ("size=101", "invalid_parameter", "size"),
        ("page=99999999999", "invalid_parameter", "page"),
        ("sort=total", "invalid_parameter", "sort"),
        ("status=paid&status=placed", "invalid_parameter", "status"),
        ("owner=me", "unknown_parameter", "owner"),
    ];
    for (query, code, field) in queries {
        let got = given.send(Method::GET, &format!("/api/v1/orders?{query}"), &buyer).await;
        assert_eq!((got.status, got.code()), (422, code), "{query}: {}", got.body);
        assert_eq!(got.body["details"][0]["field"], field, "{query}: {}", got.body);
    }
    let deep = given.send(Method::GET, "/api/v1/orders?page=2147483647&size=100", &buyer).await;
    assert_eq!((deep.status, deep.body["items"].as_array().map(Vec::len)), (200, Some(0)), "{}", deep.body);
}

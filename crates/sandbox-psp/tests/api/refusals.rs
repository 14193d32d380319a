//! What is refused, and that nothing is written then.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{Psp, answer, hold};

#[tokio::test]
async fn every_call_needs_the_key() {
    let psp = Psp::start().await;
    let base = format!("http://{}", psp.server.address());
    for (method, path) in [
        (Method::POST, "/v1/authorizations"),
        (Method::GET, "/v1/authorizations?reference=r"),
        (Method::GET, "/v1/authorizations/a"),
        (Method::POST, "/v1/authorizations/a/capture"),
        (Method::POST, "/v1/authorizations/a/void"),
        (Method::POST, "/v1/authorizations/a/refunds"),
        (Method::GET, "/v1/ledger"),
        (Method::POST, "/v1/test/faults"),
        (Method::GET, "/v1/test/faults"),
        (Method::DELETE, "/v1/test/faults"),
        (Method::POST, "/v1/test/webhooks"),
        (Method::POST, "/v1/test/webhooks/forged"),
        (Method::POST, "/v1/test/clock"),
        (Method::GET, "/v1/nowhere"),
    ] {
        for token in [None, Some(""), Some("wrong"), Some("sandbox-key-for-test"), Some("sandbox-key-for-tests2")] {
            let request = psp.client.request(method.clone(), format!("{base}{path}"));
            let request = token.map_or(request.try_clone().unwrap(), |token| request.bearer_auth(token));
            let (status, body) = answer(request).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path} {token:?}");
            assert_eq!(body["error"]["code"], "unauthorized");
        }
    }
}

#[tokio::test]
async fn bad_bodies_are_refused_and_write_nothing() {
    let psp = Psp::start().await;
    let with = |field: &str, value: Value| {
        let mut body = hold("o:1", "tok_visa");
        body[field] = value;
        body
    };
    for (body, status, code) in [
        (json!({}), 400, "malformed_body"),
        (json!([]), 400, "malformed_body"),
        (with("extra", json!(1)), 400, "malformed_body"),
        (with("amount", json!("500")), 400, "malformed_body"),
        (with("amount", json!(5.5)), 400, "malformed_body"),
        (with("amount", json!(u64::MAX)), 400, "malformed_body"),
        (with("reference", json!({ "$gt": "" })), 400, "malformed_body"),
        (with("amount", json!(0)), 422, "invalid_request"),
        (with("amount", json!(-500)), 422, "invalid_request"),
        (with("amount", json!(1_000_000_000_000_i64)), 422, "invalid_request"),
        (with("currency", json!("eur")), 422, "invalid_request"),
        (with("reference", json!("")), 422, "invalid_request"),
        (with("reference", json!("r".repeat(201))), 422, "invalid_request"),
        (with("reference", json!("a b")), 422, "invalid_request"),
        (with("method", json!("4111111111111111")), 422, "unknown_method"),
        (with("method", json!("t".repeat(20_000))), 413, "body_too_large"),
    ] {
        let (got, answer) = psp.post("/v1/authorizations", "k", &body).await;
        assert_eq!((got.as_u16(), &answer["error"]["code"]), (status, &json!(code)), "{body}");
    }
    assert!(psp.kinds().await.is_empty());
}

#[tokio::test]
async fn changes_need_an_idempotency_key() {
    let psp = Psp::start().await;
    for path in ["/v1/authorizations/a/capture", "/v1/authorizations/a/void"] {
        let (status, body) = answer(psp.request(Method::POST, path).json(&json!({}))).await;
        assert_eq!((status, &body["error"]["code"]), (StatusCode::BAD_REQUEST, &json!("idempotency_key_required")));
        let (status, _) = psp.post(path, &"k".repeat(256), &json!({})).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(psp.post(path, path, &json!({})).await.0, StatusCode::NOT_FOUND);
    }
    let (status, _) = answer(psp.request(Method::POST, "/v1/authorizations").json(&hold("r", "tok_visa"))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_key_names_one_request() {
    let psp = Psp::start().await;
    psp.authorize("o:1", "tok_visa").await;

    let (status, body) = psp.post("/v1/authorizations", "o:1", &hold("o:2", "tok_visa")).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (422, &json!("idempotency_key_reused")));
    assert_eq!(psp.kinds().await, ["authorized"]);
}

#[tokio::test]
async fn refunds_stay_within_what_was_captured() {
    let psp = Psp::start().await;
    let (_, held) = psp.authorize("o:1", "tok_visa").await;
    let path = format!("/v1/authorizations/{}", held["id"].as_str().unwrap());
    psp.post(&format!("{path}/capture"), "c", &json!({})).await;

    let (status, body) = psp.post(&format!("{path}/refunds"), "f", &json!({ "amount": 501 })).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (409, &json!("over_refund")));
    let spaced = json!({ "amount": 1, "reference": "a b" });
    for body in [json!({ "amount": 0 }), spaced] {
        assert_eq!(psp.post(&format!("{path}/refunds"), "f2", &body).await.0.as_u16(), 422, "{body}");
    }
}

#[tokio::test]
async fn queries_are_strict_and_unknown_things_are_not_found() {
    let psp = Psp::start().await;
    for path in [
        "/v1/authorizations",
        "/v1/authorizations?ref=1",
        "/v1/ledger?limit=0",
        "/v1/ledger?limit=1001",
        "/v1/ledger?after=-1",
        "/v1/ledger?since=yesterday",
    ] {
        assert_eq!(psp.get(path).await.0.as_u16(), 422, "{path}");
    }
    assert_eq!(psp.get("/v1/authorizations/auth_x").await.0.as_u16(), 404);
    assert_eq!(psp.get("/v1/nowhere").await.0.as_u16(), 404);
    assert_eq!(psp.get("/").await.0.as_u16(), 404);
    assert_eq!(psp.get("/v1/authorizations?reference=x").await.1, json!({ "items": [] }));
}

//! Faults that a test orders, keys that are in use or forgotten, and the clock.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{Psp, answer, hold};

async fn order(psp: &Psp, fault: &Value) {
    let (status, body) = psp.post("/v1/test/faults", "", fault).await;
    assert_eq!(status, StatusCode::OK, "{body}");
}

#[tokio::test]
async fn ordered_faults_happen_to_any_card() {
    let psp = Psp::start().await;
    order(&psp, &json!({ "operation": "authorize", "fault": "timeout_before" })).await;
    order(&psp, &json!({ "operation": "authorize", "fault": "error_before" })).await;
    order(&psp, &json!({ "operation": "authorize", "fault": "timeout_after", "times": 2 })).await;

    let begun = Instant::now();
    assert_eq!(psp.authorize("o:1", "tok_visa").await.0, StatusCode::GATEWAY_TIMEOUT);
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert_eq!(psp.authorize("o:1", "tok_visa").await.0, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(psp.kinds().await.is_empty());
    for _ in 0..2 {
        let begun = Instant::now();
        assert_eq!(psp.authorize("o:1", "tok_visa").await.0, StatusCode::CREATED);
        assert!(begun.elapsed() >= Duration::from_millis(300), "the answer gets lost, also that of a repeat");
    }

    assert_eq!(psp.kinds().await, ["authorized"]);
    assert_eq!(psp.get("/v1/test/faults").await.1, json!({ "requests": [], "webhooks": [] }));
}

#[tokio::test]
async fn an_error_after_hides_what_was_applied() {
    let psp = Psp::start().await;
    let (_, held) = psp.authorize("o:1", "tok_visa").await;
    let path = format!("/v1/authorizations/{}/capture", held["id"].as_str().unwrap());
    order(&psp, &json!({ "operation": "capture", "fault": "error_after", "reference": "o:1" })).await;

    for _ in 0..2 {
        assert_eq!(psp.post(&path, "c", &json!({})).await.0, StatusCode::INTERNAL_SERVER_ERROR);
    }

    assert_eq!(psp.kinds().await, ["authorized", "captured"]);
}

#[tokio::test]
async fn a_slow_request_keeps_its_key_and_is_applied_although_its_caller_left() {
    let psp = Psp::start().await;
    order(&psp, &json!({ "operation": "authorize", "fault": "slow", "milliseconds": 5_000 })).await;
    let left = psp
        .request(Method::POST, "/v1/authorizations")
        .header("Idempotency-Key", "o:1")
        .timeout(Duration::from_secs(1))
        .json(&hold("o:1", "tok_visa"));
    assert!(left.send().await.unwrap_err().is_timeout());

    let (status, refused) = psp.authorize("o:1", "tok_visa").await;
    assert_eq!((status, &refused["error"]["code"]), (StatusCode::CONFLICT, &json!("idempotency_key_in_use")));
    assert!(psp.kinds().await.is_empty());
    let end = Instant::now() + Duration::from_secs(30);
    while psp.kinds().await.is_empty() {
        assert!(Instant::now() < end, "it is never applied");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    assert_eq!(psp.authorize("o:1", "tok_visa").await.0, StatusCode::CREATED);
    assert_eq!(psp.kinds().await, ["authorized"]);
}

#[tokio::test]
async fn a_key_is_forgotten_a_day_later() {
    let psp = Psp::start().await;
    let (_, first) = psp.authorize("o:1", "tok_visa").await;
    psp.post("/v1/test/clock", "", &json!({ "advanceSeconds": 23 * 3600 })).await;
    assert_eq!(psp.authorize("o:1", "tok_visa").await.1, first);

    psp.post("/v1/test/clock", "", &json!({ "advanceSeconds": 3600 })).await;

    let (status, second) = psp.authorize("o:1", "tok_visa").await;
    assert_eq!(status, StatusCode::CREATED);
    assert_ne!(second["id"], first["id"]);
    let (_, found) = psp.get("/v1/authorizations?reference=o:1").await;
    assert_eq!(found["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn orders_can_be_taken_back_and_nonsense_is_refused() {
    let psp = Psp::start().await;
    order(&psp, &json!({ "operation": "void", "fault": "timeout_before", "times": 1000 })).await;

    let (status, body) = answer(psp.request(Method::DELETE, "/v1/test/faults")).await;

    assert_eq!((status, body), (StatusCode::OK, json!({ "requests": [], "webhooks": [] })));
    for (path, body, expected) in [
        ("faults", json!({}), 400),
        ("faults", json!({ "operation": "authorize", "fault": "fire" }), 400),
        ("faults", json!({ "operation": "authorize", "fault": "slow" }), 422),
        ("faults", json!({ "operation": "authorize", "fault": "slow", "milliseconds": 300_001 }), 422),
        ("faults", json!({ "operation": "authorize", "fault": "error_after", "milliseconds": 1 }), 422),
        ("faults", json!({ "operation": "authorize", "fault": "error_after", "times": 0 }), 422),
        ("webhooks", json!({ "delivery": "slowly" }), 400),
        ("webhooks", json!({ "delivery": "lost", "times": 0 }), 422),
        ("webhooks/forged", json!({ "wrong": "lie", "kind": "authorized", "reference": "o:1" }), 409),
        ("clock", json!({ "advanceSeconds": -1 }), 422),
    ] {
        let (status, answer) = psp.post(&format!("/v1/test/{path}"), "", &body).await;
        assert_eq!(status.as_u16(), expected, "{path} {body}: {answer}");
    }
}

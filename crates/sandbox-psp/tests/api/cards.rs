//! A hold from its placing to its end, card by card.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::json;

use crate::{Psp, hold};

#[tokio::test]
async fn a_hold_is_placed_taken_and_given_back() {
    let psp = Psp::start().await;

    let (status, held) = psp.authorize("o:1", "tok_visa").await;
    assert_eq!((status, held["status"].as_str()), (StatusCode::CREATED, Some("authorized")));
    let path = format!("/v1/authorizations/{}", held["id"].as_str().unwrap());
    let (status, captured) = psp.post(&format!("{path}/capture"), "o:1:capture", &json!({})).await;
    assert_eq!((status, captured["status"].as_str()), (StatusCode::OK, Some("captured")));
    let (status, refunded) = psp.post(&format!("{path}/refunds"), "o:1:refund:1", &json!({ "amount": 200 })).await;
    assert_eq!((status, refunded["amount"].as_i64()), (StatusCode::CREATED, Some(200)));

    let (_, now) = psp.get(&path).await;
    assert_eq!((now["capturedAmount"].as_i64(), now["refundedAmount"].as_i64()), (Some(500), Some(200)));
    let (_, found) = psp.get("/v1/authorizations?reference=o:1").await;
    assert_eq!(found["items"][0], now);
    assert_eq!(psp.kinds().await, ["authorized", "captured", "refunded"]);
}

#[tokio::test]
async fn a_hold_can_be_given_back_before_it_is_taken() {
    let psp = Psp::start().await;
    let (_, held) = psp.authorize("o:1", "tok_visa").await;
    let path = format!("/v1/authorizations/{}", held["id"].as_str().unwrap());

    assert_eq!(psp.post(&format!("{path}/void"), "o:1:void", &json!({})).await.0, StatusCode::OK);

    let (status, refused) = psp.post(&format!("{path}/capture"), "o:1:capture", &json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!((&refused["error"]["code"], &refused["error"]["status"]), (&json!("wrong_status"), &json!("voided")));
}

#[tokio::test]
async fn a_declined_card_says_why() {
    let psp = Psp::start().await;

    for (method, code) in [("tok_declined", "card_declined"), ("tok_insufficient_funds", "insufficient_funds")] {
        let (status, declined) = psp.authorize(method, method).await;
        assert_eq!(status, StatusCode::CREATED);
        assert_eq!((&declined["status"], &declined["declineCode"]), (&json!("declined"), &json!(code)));
    }
}

#[tokio::test]
async fn a_refused_capture_stays_refused() {
    let psp = Psp::start().await;
    let (_, held) = psp.authorize("o:1", "tok_capture_fails").await;
    let path = format!("/v1/authorizations/{}/capture", held["id"].as_str().unwrap());

    for _ in 0..2 {
        let (status, refused) = psp.post(&path, "o:1:capture", &json!({})).await;
        assert_eq!(status, StatusCode::PAYMENT_REQUIRED);
        assert_eq!(refused["error"]["code"], "capture_refused");
    }
    assert_eq!(psp.kinds().await, ["authorized", "capture_refused"]);
}

#[tokio::test]
async fn a_try_lost_on_the_way_in_holds_nothing_until_it_is_repeated() {
    let psp = Psp::start().await;
    let begun = Instant::now();

    assert_eq!(psp.authorize("o:1", "tok_timeout_before").await.0, StatusCode::GATEWAY_TIMEOUT);
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert!(psp.kinds().await.is_empty());

    assert_eq!(psp.authorize("o:1", "tok_timeout_before").await.0, StatusCode::CREATED);
    assert_eq!(psp.kinds().await, ["authorized"]);
}

#[tokio::test]
async fn an_answer_lost_on_the_way_out_leaves_one_hold_that_the_repeat_finds() {
    let psp = Psp::start_hanging(Duration::from_secs(5)).await;
    let lost = psp
        .request(reqwest::Method::POST, "/v1/authorizations")
        .header("Idempotency-Key", "o:1")
        .timeout(Duration::from_secs(1))
        .json(&hold("o:1", "tok_timeout_after"))
        .send()
        .await;
    assert!(lost.unwrap_err().is_timeout());

    let (status, held) = psp.authorize("o:1", "tok_timeout_after").await;

    assert_eq!((status, &held["status"]), (StatusCode::CREATED, &json!("authorized")));
    let metrics = psp.client.get(format!("http://{}/metrics", psp.server.admin_address())).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(metrics.contains(r#"sandbox_psp_mishaps_total{kind="timeout"} 1"#), "the repeat must not hang: {metrics}");
    assert_eq!(psp.kinds().await, ["authorized"]);
}

#[tokio::test]
async fn a_card_that_always_times_out_never_holds_anything() {
    let psp = Psp::start().await;
    for _ in 0..2 {
        assert_eq!(psp.authorize("o:1", "tok_timeout_always").await.0, StatusCode::GATEWAY_TIMEOUT);
    }
    assert!(psp.kinds().await.is_empty());
}

#[tokio::test]
async fn fifty_parallel_tries_with_one_key_place_one_hold() {
    let psp = std::sync::Arc::new(Psp::start().await);

    let tries: Vec<_> = (0..50)
        .map(|_| {
            let psp = std::sync::Arc::clone(&psp);
            tokio::spawn(async move { psp.authorize("o:1", "tok_visa").await })
        })
        .collect();
    let mut holds = Vec::new();
    for attempt in tries {
        match attempt.await.unwrap() {
            (StatusCode::CREATED, held) => holds.push(held),
            (status, refused) => {
                assert_eq!(
                    (status, &refused["error"]["code"]),
                    (StatusCode::CONFLICT, &json!("idempotency_key_in_use"))
                );
            }
        }
    }

    assert!(!holds.is_empty() && holds.iter().all(|held| held == &holds[0]), "{holds:?}");
    assert_eq!(psp.kinds().await, ["authorized"]);
}

#[tokio::test]
async fn an_error_before_leaves_nothing_and_one_after_leaves_the_hold_and_stands_under_its_key() {
    let psp = Psp::start().await;

    assert_eq!(psp.authorize("o:1", "tok_error_before").await.0, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(psp.kinds().await.is_empty());
    assert_eq!(psp.authorize("o:1", "tok_error_before").await.0, StatusCode::CREATED);
    for _ in 0..2 {
        let (status, body) = psp.authorize("o:2", "tok_error_after").await;
        assert_eq!((status, &body["error"]["code"]), (StatusCode::INTERNAL_SERVER_ERROR, &json!("internal")));
    }

    assert_eq!(psp.kinds().await, ["authorized", "authorized"]);
    let (_, found) = psp.get("/v1/authorizations?reference=o:2").await;
    assert_eq!(found["items"][0]["status"], "authorized");
}

#[tokio::test]
async fn refunds_are_told_apart_by_the_callers_own_names() {
    let psp = Psp::start().await;
    let (_, held) = psp.authorize("o:1", "tok_visa").await;
    let path = format!("/v1/authorizations/{}", held["id"].as_str().unwrap());
    psp.post(&format!("{path}/capture"), "c", &json!({})).await;
    for (n, amount) in [(1, 200), (2, 300)] {
        let body = json!({ "amount": amount, "reference": format!("o:1:refund:{n}") });
        assert_eq!(psp.post(&format!("{path}/refunds"), &format!("f{n}"), &body).await.0, StatusCode::CREATED);
    }

    let (_, now) = psp.get(&path).await;

    let refunds: Vec<_> =
        now["refunds"].as_array().unwrap().iter().map(|one| (&one["reference"], &one["amount"])).collect();
    assert_eq!(refunds, [(&json!("o:1:refund:1"), &json!(200)), (&json!("o:1:refund:2"), &json!(300))]);
}

#[tokio::test]
async fn a_card_that_needs_the_buyer_holds_nothing_until_they_confirm() {
    let psp = Psp::start().await;
    let (status, waiting) = psp.authorize("o:1", "tok_requires_action").await;
    assert_eq!((status, &waiting["status"]), (StatusCode::CREATED, &json!("requires_action")));
    let url = waiting["nextActionUrl"].as_str().unwrap().to_owned();
    assert_eq!(psp.authorize("o:1", "tok_requires_action").await.1, waiting);
    let path = format!("/v1/authorizations/{}", waiting["id"].as_str().unwrap());
    assert_eq!(psp.get(&path).await.1["nextActionUrl"], waiting["nextActionUrl"]);

    // The buyer has no API key.
    let page = psp.client.get(&url).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("500 minor units of EUR") && page.contains("/confirm"), "{page}");
    for _ in 0..2 {
        let confirmed = psp.client.post(format!("{url}/confirm")).send().await.unwrap();
        assert_eq!(confirmed.status(), StatusCode::OK);
    }

    let (_, now) = psp.get(&path).await;
    assert_eq!((&now["status"], now.get("nextActionUrl")), (&json!("authorized"), None));
    assert_eq!(psp.client.post(format!("{url}/refuse")).send().await.unwrap().status(), StatusCode::CONFLICT);
    assert_eq!(psp.kinds().await, ["requires_action", "authorized"]);
}

#[tokio::test]
async fn a_hold_that_waits_for_the_buyer_can_be_refused_or_taken_back() {
    let psp = Psp::start().await;
    let (_, refused) = psp.authorize("o:1", "tok_requires_action").await;
    let (_, taken_back) = psp.authorize("o:2", "tok_requires_action").await;
    let url = |waiting: &serde_json::Value| waiting["nextActionUrl"].as_str().unwrap().to_owned();

    assert_eq!(psp.client.post(url(&refused) + "/refuse").send().await.unwrap().status(), StatusCode::OK);
    let path = format!("/v1/authorizations/{}/void", taken_back["id"].as_str().unwrap());
    assert_eq!(psp.post(&path, "v", &json!({})).await.1["status"], "cancelled");

    assert_eq!(psp.client.post(url(&taken_back) + "/confirm").send().await.unwrap().status(), StatusCode::CONFLICT);
    assert_eq!(psp.kinds().await, ["requires_action", "requires_action", "declined", "cancelled"]);
    for path in ["/pay/auth_x", "/pay/x/y"] {
        let url = format!("http://{}{path}", psp.server.address());
        assert_eq!(psp.client.get(url).send().await.unwrap().status(), StatusCode::NOT_FOUND, "{path}");
    }
}

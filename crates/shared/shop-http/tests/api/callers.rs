//! Who gets in: every role and every bad token against the guard.

use std::sync::atomic::Ordering;

use jiff::SignedDuration;
use serde_json::json;
use shop_types::{Role, SessionId};
use uuid::Uuid;

use crate::shop::{Shop, answer, now, refusal};

const PRODUCT: &str = "/api/v1/products/00000000-0000-0000-0000-000000000001";

fn code(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

async fn status_and_code(request: reqwest::RequestBuilder) -> (u16, String) {
    let (status, code, _) = refusal(request).await;
    (status, code)
}

#[tokio::test]
async fn every_refused_caller_of_every_kind_of_route_is_refused() {
    let shop = Shop::start().await;
    let roles = [None, Some(Role::Customer), Some(Role::Staff), Some(Role::Admin), Some(Role::Service)];
    let routes = [
        ("GET", PRODUCT, [200, 200, 200, 200, 200]),
        ("DELETE", PRODUCT, [401, 403, 403, 204, 403]),
        ("GET", "/api/v1/products/exports", [401, 403, 404, 404, 403]),
        ("GET", "/api/v1/stock/mug", [401, 403, 200, 200, 200]),
        ("PATCH", PRODUCT, [401, 403, 428, 428, 403]),
        ("POST", "/api/v1/products", [401, 415, 415, 415, 403]),
        ("POST", "/api/v1/orders", [401, 400, 400, 400, 403]),
    ];
    for (method, path, statuses) in routes {
        for (role, status) in roles.iter().zip(statuses) {
            let request = shop.request(method, path);
            let request = match role {
                Some(role) => request.bearer_auth(shop.token(*role)),
                None => request,
            };
            assert_eq!(answer(request).await.0, status, "{method} {path} as {role:?}");
        }
    }
    assert_eq!(shop.app.created.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_bad_token_is_refused_even_where_none_is_needed() {
    let shop = Shop::start().await;
    let good = shop.token(Role::Customer);
    let forged = Shop::start().await.token(Role::Admin);
    let truncated = good.trim_end_matches(|c| c != '.');
    let headers = [
        format!("Bearer {forged}"),
        format!("Bearer {truncated}"),
        format!("Bearer {good}x"),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Basic dTpw".to_owned(),
        good.clone(),
        format!("Bearer {good} {good}"),
    ];
    for path in [PRODUCT, "/api/v1/stock/mug", "/nowhere"] {
        for header in &headers {
            let request = shop.get(path).header("Authorization", header);
            assert_eq!(status_and_code(request).await, code(401, "invalid_token"), "{path} {header}");
        }
    }
    let twice = shop.get(PRODUCT).header("Authorization", format!("Bearer {good}")).bearer_auth(&good);
    assert_eq!(status_and_code(twice).await, code(401, "invalid_token"));
}

#[tokio::test]
async fn a_token_counts_from_its_time_to_its_end_or_to_the_end_of_its_session() {
    let shop = Shop::start().await;
    let ask = |token: &str| status_and_code(shop.get("/api/v1/me").bearer_auth(token));
    let minutes = SignedDuration::from_mins;
    assert_eq!(ask(&shop.token_of(Role::Customer, 5, minutes(-9))).await, code(200, ""));
    assert_eq!(ask(&shop.token_of(Role::Customer, 5, minutes(-11))).await, code(401, "token_expired"));
    assert_eq!(ask(&shop.token_of(Role::Customer, 5, minutes(1))).await, code(401, "invalid_token"));

    let session = SessionId::from_uuid(Uuid::from_u128(6));
    let token = shop.token_of(Role::Customer, 6, SignedDuration::ZERO);
    assert_eq!(ask(&token).await, code(200, ""));
    shop.verifier.revocations().revoke(session, now().checked_add(minutes(10)).unwrap());
    assert_eq!(ask(&token).await, code(401, "invalid_token"));
}

#[tokio::test]
async fn refusals_say_how_to_get_in() {
    let shop = Shop::start().await;
    let missing = shop.get("/api/v1/stock/mug").send().await.unwrap();
    assert_eq!(missing.headers()["www-authenticate"], "Bearer");
    let bad = shop.get("/api/v1/stock/mug").bearer_auth("x").send().await.unwrap();
    assert_eq!(bad.headers()["www-authenticate"], "Bearer error=\"invalid_token\"");
    let known = shop.get("/api/v1/stock/mug").bearer_auth(shop.token(Role::Customer)).send().await.unwrap();
    assert_eq!((known.status().as_u16(), known.headers().get("www-authenticate")), (403, None));
}

#[tokio::test]
async fn a_guest_token_opens_guest_routes_and_no_others() {
    let shop = Shop::start().await;
    let guest = "g".repeat(43);
    let order = |token: &str| {
        let request = shop.client.post(shop.url("/api/v1/orders")).header("X-Guest-Token", token);
        request.header("Idempotency-Key", "k").header("Content-Type", "application/json").body("{}")
    };
    assert_eq!(answer(order(&guest)).await.1["guest"], json!(true));
    assert_eq!(status_and_code(order("short")).await, code(401, "invalid_token"));
    assert_eq!(status_and_code(order(&guest).header("X-Guest-Token", &guest)).await, code(401, "invalid_token"));
    let stock = shop.get("/api/v1/stock/mug").header("X-Guest-Token", &guest);
    assert_eq!(status_and_code(stock).await, code(401, "unauthenticated"));
}

#[tokio::test]
async fn a_handler_and_its_calls_know_the_caller_and_how_long_is_left() {
    let shop = Shop::start().await;
    let token = shop.token(Role::Staff);
    let guest = "g".repeat(43);
    let request =
        shop.get("/api/v1/me").bearer_auth(&token).header("X-Guest-Token", &guest).header("X-Request-Id", "r-1");
    let (_, body) = answer(request).await;
    assert_eq!(body["role"], json!("staff"));
    assert_eq!(body["authorization"], json!(format!("Bearer {token}")));
    assert_eq!(body["guestToken"], json!(guest));
    assert_eq!(body["requestId"], json!("r-1"));
    let left = body["remainingMs"].as_u64().unwrap();
    assert!((3_000..=5_000).contains(&left), "{left}");

    let (_, body) = answer(shop.get("/api/v1/me")).await;
    assert_eq!((&body["caller"], &body["authorization"]), (&json!("Anonymous"), &json!(null)));
}

//! Rate limits as clients see them: headers on every answer, the refusal, and who is counted together.

use std::time::Duration;

use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use shop_http::{Access, Limits, Method, Route};
use shop_types::{Rate, Role};

use crate::shop::{Shop, now};

const ROUTES: &[Route] = &[
    (Method::Get, "/api/v1/me", Access::PUBLIC),
    (Method::Get, "/api/v1/stock/{sku}", Access::STAFF),
    (Method::Get, "/api/v1/page", Access::PUBLIC.guarded_against_guessing()),
];

/// Three requests of each client in a day, and two where something is guessed: nothing grows back while a test runs.
async fn limited() -> Shop {
    let rate = |requests| Rate::new(requests, Duration::from_secs(86_400)).unwrap();
    let trusted_proxies = vec!["192.0.2.0/24".parse().unwrap()];
    Shop::start_limited(ROUTES, Limits { general: rate(3), authentication: rate(2), trusted_proxies }).await
}

fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

fn from(request: RequestBuilder, address: &str) -> RequestBuilder {
    request.header("X-Forwarded-For", address)
}

#[tokio::test]
async fn every_answer_tells_in_both_families_what_is_left() {
    let shop = limited().await;
    for (path, status, left) in [("/api/v1/me", 200, "2"), ("/api/v1/stock/mug", 401, "1"), ("/nowhere", 404, "0")] {
        let response = shop.get(path).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        for (name, value) in [
            ("x-ratelimit-limit", "3"),
            ("x-ratelimit-remaining", left),
            ("ratelimit-limit", "3"),
            ("ratelimit-remaining", left),
            ("ratelimit-policy", "3;w=86400"),
        ] {
            assert_eq!(header(&response, name), value, "{path} {name}");
        }
        let seconds: i64 = header(&response, "ratelimit-reset").parse().unwrap();
        let until: i64 = header(&response, "x-ratelimit-reset").parse().unwrap();
        assert!(seconds > 28_000 && seconds <= 86_400, "{seconds}");
        assert_eq!(until, now().as_second() + seconds);
    }
}

#[tokio::test]
async fn one_request_too_many_is_429_and_names_its_limit() {
    let shop = limited().await;
    for _ in 0..3 {
        assert_eq!(status(shop.get("/api/v1/me")).await, 200);
    }
    let response = shop.get("/api/v1/me").header("X-Request-Id", "r-1").send().await.unwrap();
    assert_eq!(response.status().as_u16(), 429);
    assert_eq!((header(&response, "x-ratelimit-remaining"), header(&response, "cache-control")), ("0", "no-store"));
    let retry: u64 = header(&response, "retry-after").parse().unwrap();
    assert!((28_700..=28_800).contains(&retry), "a third of a day: {retry}");
    let body: Value = response.json().await.unwrap();
    let expected = json!({
        "error": format!("Too many requests under the limit `general`: try again in {retry} s."),
        "code": "rate_limited",
        "status": 429,
        "timestamp": "2026-01-02T03:04:05.679Z",
        "requestId": "r-1",
        "details": [],
        "limit": "general",
        "retryAfter": retry,
    });
    assert_eq!(body, expected);

    let problem = shop.get("/api/v1/me").header("Accept", "application/problem+json").send().await.unwrap();
    let problem: Value = problem.json().await.unwrap();
    assert_eq!((&problem["type"], &problem["limit"]), (&json!("/errors#rate_limited"), &json!("general")));
}

#[tokio::test]
async fn where_something_is_guessed_another_limit_counts() {
    let shop = limited().await;
    for left in ["1", "0"] {
        let response = shop.get("/api/v1/page").send().await.unwrap();
        assert_eq!((response.status().as_u16(), header(&response, "x-ratelimit-remaining")), (200, left));
    }
    let refused = shop.get("/api/v1/page").send().await.unwrap();
    assert_eq!((refused.status().as_u16(), header(&refused, "x-ratelimit-limit")), (429, "2"));
    assert_eq!(refused.json::<Value>().await.unwrap()["limit"], json!("authentication"));
    assert_eq!(status(shop.get("/api/v1/me")).await, 200);
    // A token is no way around it.
    assert_eq!(status(shop.get("/api/v1/page").bearer_auth(shop.token(Role::Customer))).await, 429);
}

#[tokio::test]
async fn who_asks_in_vain_is_counted_too() {
    let shop = limited().await;
    assert_eq!(status(shop.get("/nowhere")).await, 404);
    assert_eq!(status(shop.request("DELETE", "/api/v1/me")).await, 405);
    assert_eq!(status(shop.get("/api/v1/me").bearer_auth("forged")).await, 401);
    assert_eq!(status(shop.get("/api/v1/me")).await, 429);
    assert_eq!(status(shop.get("/api/v1/me").bearer_auth("forged")).await, 429);
    assert_eq!(status(shop.request("OPTIONS", "/api/v1/me")).await, 204, "asking for methods costs nothing");
}

#[tokio::test]
async fn each_address_has_its_own_allowance_and_cannot_write_itself_another() {
    let shop = limited().await;
    for _ in 0..3 {
        assert_eq!(status(from(shop.get("/api/v1/me"), "203.0.113.5")).await, 200);
    }
    assert_eq!(status(from(shop.get("/api/v1/me"), "203.0.113.5")).await, 429);
    assert_eq!(status(from(shop.get("/api/v1/me"), "198.51.100.9, 203.0.113.5")).await, 429, "it wrote the first");
    assert_eq!(status(from(shop.get("/api/v1/me"), "203.0.113.5, 192.0.2.1")).await, 429, "through a known proxy");
    assert_eq!(status(from(shop.get("/api/v1/me"), "203.0.113.6")).await, 200);
}

#[tokio::test]
async fn an_account_has_one_allowance_wherever_it_is_used() {
    let shop = limited().await;
    let me = |address| from(shop.get("/api/v1/me"), address).bearer_auth(shop.token(Role::Customer));
    for address in ["203.0.113.5", "203.0.113.6", "203.0.113.7"] {
        assert_eq!(status(me(address)).await, 200);
    }
    assert_eq!(status(me("203.0.113.8")).await, 429);
    assert_eq!(status(from(shop.get("/api/v1/me"), "203.0.113.8")).await, 200, "others at the address have theirs");
}

#[tokio::test]
async fn refusals_are_counted_by_limit() {
    let shop = limited().await;
    for _ in 0..5 {
        status(shop.get("/api/v1/page")).await;
    }
    let metrics = shop.metrics_text();
    let line = |limit| format!("http_requests_rate_limited_total{{limit=\"{limit}\",service=\"sample\"}}");
    assert!(metrics.contains(&format!("{} 3", line("authentication"))), "{metrics}");
    assert!(metrics.contains(&format!("{} 0", line("general"))), "{metrics}");
}

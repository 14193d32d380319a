//! The error body, its RFC 9457 form, failures inside of handlers, and what is counted.

use std::time::{Duration, Instant};

use reqwest::header::HeaderValue;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::shop::{Shop, answer};

fn sold_out() -> String {
    json!({"name": "sold out", "sku": "mug", "price": {"amount": 1, "currency": "EUR"}}).to_string()
}

#[tokio::test]
async fn a_failed_operation_answers_with_the_one_error_body() {
    let shop = Shop::start().await;
    let (status, body) = answer(shop.post_product(sold_out()).header("X-Request-Id", "r-1")).await;
    assert_eq!(status, 409);
    let expected = json!({
        "error": "there is not enough stock",
        "code": "sold_out",
        "status": 409,
        "timestamp": "2026-01-02T03:04:05.679Z",
        "requestId": "r-1",
        "details": [{"field": "lines[0].quantity", "message": "only 3 are left"}],
        "available": 3,
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_handler_may_give_an_error_headers_but_not_those_of_the_guard() {
    let shop = Shop::start().await;
    let response = shop.get("/api/v1/fail/later").send().await.unwrap();
    assert_eq!(response.status().as_u16(), 429);
    let header = |name: &str| response.headers().get_all(name).iter().map(|v| v.to_str().unwrap()).collect::<Vec<_>>();
    assert_eq!((header("retry-after"), header("content-type")), (vec!["7"], vec!["application/json"]));
}

#[tokio::test]
async fn who_asks_for_a_problem_gets_one() {
    let shop = Shop::start().await;
    let send = async |accept: &str| {
        let request = shop.post_product(sold_out()).header("X-Request-Id", "r-1").header("Accept", accept);
        let response = request.send().await.unwrap();
        let media = response.headers()["content-type"].to_str().unwrap().to_owned();
        (media, response.json::<Value>().await.unwrap())
    };
    let expected = json!({
        "type": "/errors#sold_out",
        "title": "Sold out",
        "status": 409,
        "detail": "there is not enough stock",
        "code": "sold_out",
        "requestId": "r-1",
        "details": [{"field": "lines[0].quantity", "message": "only 3 are left"}],
        "available": 3,
    });
    for accept in [
        "application/problem+json",
        "application/json, Application/Problem+JSON;q=0.9",
        "text/html,application/problem+json",
    ] {
        assert_eq!(send(accept).await, ("application/problem+json".to_owned(), expected.clone()), "{accept}");
    }
    for accept in ["application/json", "*/*", "application/problem+json;q=0", "application/*"] {
        assert_eq!(send(accept).await.0, "application/json", "{accept}");
    }
}

#[tokio::test]
async fn defects_and_lost_dependencies_tell_nothing_of_the_inside() {
    let shop = Shop::start().await;
    for (path, status, code, retry) in [
        ("/api/v1/fail/internal", 500, "internal", None),
        ("/api/v1/fail/away", 503, "unavailable", Some("1")),
        ("/api/v1/fail/slow", 429, "rate_limited", Some("1")),
        ("/api/v1/panic", 500, "internal", None),
    ] {
        let response = shop.get(path).header("X-Request-Id", "r-1").send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{path}");
        assert_eq!(response.headers().get("retry-after").map(|value| value.to_str().unwrap()), retry, "{path}");
        assert_eq!(response.headers()["content-type"], "application/json");
        let text = response.text().await.unwrap();
        assert!(!text.contains("db-7") && !text.contains("secret") && !text.contains("socket"), "{text}");
        let body: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&body["code"], &body["requestId"]), (&json!(code), &json!("r-1")), "{path}");
    }
    assert_eq!(answer(shop.get("/api/v1/me")).await.0, 200);
}

#[tokio::test]
async fn a_handler_that_does_not_end_is_given_up_shortly_after_the_deadline() {
    let shop = Shop::start().await;
    let started = Instant::now();
    let (status, body) = answer(shop.get("/api/v1/sleep")).await;
    assert_eq!((status, &body["code"]), (503, &json!("unavailable")));
    let took = started.elapsed();
    assert!(took >= Duration::from_secs(5) && took < Duration::from_secs(8), "{took:?}");
}

#[tokio::test]
async fn what_is_too_much_at_once_is_refused_at_once_and_the_rest_is_served() {
    let shop = Shop::start().await;
    let mut crowd = JoinSet::new();
    for n in 0..200 {
        // HEAD is the same work, and the same route.
        let request = shop.request(if n % 2 == 0 { "GET" } else { "HEAD" }, "/api/v1/sleep");
        crowd.spawn(async move { request.send().await });
    }
    let mut codes = Vec::new();
    while let Some(answer) = crowd.join_next().await {
        let answer = answer.unwrap().unwrap();
        assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (503, &HeaderValue::from_static("1")));
        // HEAD has no body to tell.
        let code = answer.json::<Value>().await.ok().map(|body| body["code"].as_str().unwrap().to_owned());
        codes.push(code);
    }
    // The refused do not wait for those that sleep until their deadline.
    assert!(codes[..8].iter().flatten().all(|code| code == "overloaded"), "{codes:?}");
    assert!(codes[8..].iter().flatten().all(|code| code == "unavailable"), "{codes:?}");
    let (status, _) = answer(shop.get("/api/v1/page")).await;
    assert_eq!(status, 200, "places are free again");
    let counted = "http_requests_refused_total{service=\"sample\"} 8";
    assert!(shop.metrics_text().contains(counted), "{}", shop.metrics_text());
}

#[tokio::test]
async fn requests_are_counted_by_template_method_and_status() {
    let shop = Shop::start().await;
    for id in [1, 2] {
        answer(shop.get(&format!("/api/v1/products/00000000-0000-0000-0000-00000000000{id}"))).await;
    }
    answer(shop.get("/api/v1/stock/mug")).await;
    answer(shop.get("/api/v1/panic")).await;
    answer(shop.request("PROPFIND", "/some/path")).await;
    answer(shop.request("PUT", "/api/v1/me")).await;
    let text = shop.metrics_text();
    for (route, method, status, count) in [
        ("/api/v1/products/{id}", "GET", 200, 2),
        ("/api/v1/stock/{sku}", "GET", 401, 1),
        ("/api/v1/panic", "GET", 500, 1),
        ("unmatched", "OTHER", 404, 1),
        ("/api/v1/me", "PUT", 405, 1),
    ] {
        let labels = format!("method=\"{method}\",route=\"{route}\",service=\"sample\"");
        let counted = format!("http_requests_total{{{labels},status=\"{status}\"}} {count}");
        assert!(text.contains(&counted), "{counted}\n{text}");
        let timed = format!("http_request_duration_seconds_count{{{labels}}} {count}");
        assert!(text.contains(&timed), "{timed}\n{text}");
    }
    assert!(!text.contains("/some/path") && !text.contains("000000000001"), "{text}");
}

//! Limits on guessing: as they are by default, and counted over two pods with a real Redis.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::{Value, json};
use shop_config::{Config, LimitsConfig, RateConfig};
use shop_testkit::TestShop;

use crate::given::{another_pod, identity_with, request};

const LOGIN: &str = "/api/v1/auth/login";

/// A login without password, which costs nothing but the count.
async fn guess(shop: &TestShop, address: &str) -> Response {
    request(shop, Method::POST, LOGIN).header("X-Forwarded-For", address).json(&json!({})).send().await.unwrap()
}

/// Requests that a pod counted alone, since Redis was late on a busy machine.
async fn counted_alone(shop: &TestShop) -> u32 {
    let metrics = shop.client().get(shop.admin_url("/metrics")).send().await.unwrap().text().await.unwrap();
    let line = metrics.lines().find(|line| line.starts_with("http_requests_counted_alone_total"));
    line.and_then(|line| line.rsplit(' ').next()).unwrap().parse().unwrap()
}

/// Of each address in a day, so that nothing grows back while a test runs.
fn twenty_guesses() -> LimitsConfig {
    let authentication = RateConfig { requests: 20, window: Duration::from_secs(86_400) };
    LimitsConfig { authentication, ..Config::from_lookup(&|_| None).unwrap().limits }
}

#[tokio::test]
async fn by_default_an_address_has_500_guesses_and_each_client_5000_requests() {
    let defaults = Config::from_lookup(&|_| None).unwrap().limits;
    let shop = identity_with(|config| config.limits = defaults).await;
    let keys = request(&shop, Method::GET, "/.well-known/jwks.json").send().await.unwrap();
    assert_eq!(keys.headers()["ratelimit-policy"], "5000;w=900");
    let mut let_in = 0;
    let refused = loop {
        let answer = guess(&shop, "203.0.113.5").await;
        if answer.status() == 429 {
            break answer;
        }
        assert_eq!(answer.status(), 422);
        let_in += 1;
        assert!(let_in < 1_000, "nobody is refused");
    };

    // One grows back every 1.8 s while the test runs.
    // Of what a pod counts alone it gives less.
    assert!(let_in >= 500 || counted_alone(&shop).await > 0, "{let_in}");
    assert_eq!(refused.headers()["ratelimit-policy"], "500;w=900");
    assert!(refused.headers().contains_key("retry-after"));
    let body: Value = refused.json().await.unwrap();
    assert_eq!((&body["code"], &body["limit"]), (&json!("rate_limited"), &json!("authentication")));
    assert_eq!(guess(&shop, "203.0.113.6").await.status(), 422, "another address has its own");
}

#[tokio::test]
async fn two_pods_share_one_allowance() {
    let limits = twenty_guesses();
    let here = identity_with(|config| config.limits = limits.clone()).await;
    let there = another_pod(&Config { limits, ..here.config().clone() }).await;
    let mut let_in = 0;
    for _ in 0..15 {
        for pod in [&here, &there] {
            let_in += u32::from(guess(pod, "203.0.113.5").await.status() != 429);
        }
    }
    let alone = counted_alone(&here).await + counted_alone(&there).await;
    // Whom a pod counts alone counts against its own half as well.
    assert!(let_in >= 20 || alone > 0, "{let_in} were let in");
    assert!(let_in <= 20 + alone, "{let_in} were let in, {alone} of them while Redis was late");
}

//! How the shop is, by what its pods say.

use std::time::Duration;

use serde_json::{Value, json};
use shop_testkit::{Peers, TestShop};

use crate::{edge_service, read};

/// The services of an answer with their states.
fn states(body: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let services = body["services"].as_array().unwrap();
    services.iter().map(|service| (text(&service["name"]), text(&service["status"]))).collect()
}

fn all(state: &str) -> Vec<(String, String)> {
    let names = ["identity", "catalog", "inventory", "cart", "payment", "order"];
    names.map(|name| (name.to_owned(), state.to_owned())).to_vec()
}

#[tokio::test]
async fn a_shop_whose_pods_and_stores_answer_is_well() {
    let (shop, _) = edge_service().await;
    let (status, body) = read(&shop, "/health").await;
    assert_eq!((status, &body["status"], &body["service"]), (200, &json!("OK"), &json!("shopmesh")), "{body}");
    assert_eq!(states(&body), all("OK"));
    assert_eq!(body["services"][0]["dependencies"], json!({ "mongodb": "reachable", "redis": "reachable" }));
    assert_eq!((&body["services"][0]["version"], &body["services"][0]["uptime"]), (&json!("9.9.9"), &json!(42)));
    assert!(body["timestamp"].is_string() && body["uptime"].is_u64() && body["version"].is_string(), "{body}");
    let bytes = body["memory"]["rss"].as_u64().unwrap();
    assert!((1_000_000..1_000_000_000_000).contains(&bytes), "no process of this kind has so many bytes: {body}");
}

#[tokio::test]
async fn a_lost_store_degrades_the_shop() {
    let (shop, pods) = edge_service().await;
    pods.lose_redis().await;
    let (status, body) = read(&shop, "/health").await;
    assert_eq!((status, &body["status"]), (503, &json!("DEGRADED")), "{body}");
    assert_eq!(states(&body), all("DEGRADED"));
    assert_eq!(body["services"][0]["dependencies"]["redis"], "unreachable");
}

#[tokio::test]
async fn an_unwell_shop_says_when_to_ask_again() {
    let (shop, pods) = edge_service().await;
    pods.lose_redis().await;
    let reply = shop.client().get(shop.url("/health")).send().await.unwrap();
    assert_eq!((reply.status().as_u16(), reply.headers()["retry-after"].to_str().unwrap()), (503, "1"));
}

#[tokio::test]
async fn pods_that_do_not_answer_are_down_until_they_are_back() {
    let (shop, pods) = edge_service().await;
    pods.set_away(true).await;
    let (status, body) = read(&shop, "/health").await;
    assert_eq!((status, &body["status"]), (503, &json!("DEGRADED")), "{body}");
    assert_eq!(states(&body), all("DOWN"));
    assert!(body["services"][0].get("version").is_none(), "{body}");

    pods.set_away(false).await;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(read(&shop, "/health").await.0, 200);
}

#[tokio::test]
async fn a_shop_without_any_pod_answers_all_the_same() {
    let shop = TestShop::start_beside(Peers::default(), |config| async move { edge::service(&config).await }).await;
    let (status, body) = read(&shop, "/health").await;
    assert_eq!((status, states(&body)), (503, all("DOWN")), "{body}");
    let calls = read(&shop, "/api").await.1["endpoints"].clone();
    assert!(calls.as_array().unwrap().contains(&json!("GET /health")), "its own are known: {calls}");
    assert_eq!(read(&shop, "/openapi.json").await.0, 200);
}

#[tokio::test]
async fn however_many_ask_the_pods_are_asked_once_a_second() {
    let (shop, pods) = edge_service().await;
    let all = (0..50).map(|_| read(&shop, "/health"));
    let answers = futures::future::join_all(all).await;
    assert!(answers.iter().all(|(status, _)| *status == 200));
    // Six pods, and a second round if the first took longer than its answer is kept.
    assert!(pods.asked().await <= 12, "asked {} times", pods.asked().await);
}

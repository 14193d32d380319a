//! Web pages of other origins: who may call, what a preflight tells, and what no page ever gets.

use reqwest::{RequestBuilder, Response};
use shop_http::Cors;

use crate::shop::Shop;

const PRODUCTS: &str = "/api/v1/products";
const SHOP: &str = "https://shop.example";

fn header<'r>(response: &'r Response, name: &str) -> Option<&'r str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

async fn sent(request: RequestBuilder, origin: &str) -> Response {
    request.header("Origin", origin).send().await.unwrap()
}

async fn preflight(shop: &Shop, path: &str, origin: &str) -> Response {
    let request = shop.request("OPTIONS", path).header("Access-Control-Request-Method", "POST");
    sent(request.header("Access-Control-Request-Headers", "content-type,idempotency-key"), origin).await
}

fn named(credentials: bool) -> Cors {
    Cors::new(vec![SHOP.to_owned(), "http://localhost:3000".to_owned()], credentials, 600)
}

#[tokio::test]
async fn by_default_no_page_of_another_origin_may_call() {
    let shop = Shop::start().await;
    for response in [sent(shop.get(PRODUCTS), SHOP).await, preflight(&shop, PRODUCTS, SHOP).await] {
        assert!(response.status().is_success());
        assert!(response.headers().keys().all(|name| !name.as_str().starts_with("access-control-")));
        assert_eq!(header(&response, "vary"), None);
    }
}

#[tokio::test]
async fn pages_of_a_named_origin_may_call_and_read() {
    let shop = Shop::start_for_pages(named(false)).await;
    for (path, status) in [(PRODUCTS, 200), ("/api/v1/stock/mug", 401), ("/api/v1/panic", 500)] {
        let response = sent(shop.get(path), SHOP).await;
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(header(&response, "access-control-allow-origin"), Some(SHOP), "{path}");
        assert_eq!(header(&response, "vary"), Some("Origin"));
        assert_eq!(header(&response, "access-control-allow-credentials"), None);
        let exposed = header(&response, "access-control-expose-headers").unwrap();
        for name in ["etag", "location", "retry-after", "x-ratelimit-remaining", "x-request-id"] {
            assert!(exposed.split(", ").any(|exposed| exposed == name), "{name}");
        }
    }
}

#[tokio::test]
async fn a_preflight_tells_the_methods_of_the_path_and_may_be_kept() {
    let shop = Shop::start_for_pages(named(true)).await;
    let response = preflight(&shop, PRODUCTS, "http://localhost:3000").await;
    assert_eq!(response.status().as_u16(), 204);
    assert_eq!(header(&response, "access-control-allow-origin"), Some("http://localhost:3000"));
    assert_eq!(header(&response, "access-control-allow-methods"), Some("GET, HEAD, POST, OPTIONS"));
    assert_eq!(header(&response, "access-control-max-age"), Some("600"));
    assert_eq!(header(&response, "access-control-allow-credentials"), Some("true"));
    let allowed = header(&response, "access-control-allow-headers").unwrap();
    for name in ["authorization", "content-type", "idempotency-key", "if-match", "x-guest-token"] {
        assert!(allowed.split(", ").any(|allowed| allowed == name), "{name}");
    }
    let nowhere = preflight(&shop, "/nowhere", SHOP).await;
    assert_eq!((nowhere.status().as_u16(), header(&nowhere, "access-control-allow-methods")), (404, None));
}

#[tokio::test]
async fn an_origin_that_only_looks_like_a_named_one_gets_nothing() {
    let shop = Shop::start_for_pages(named(true)).await;
    for origin in [
        "https://shop.example.evil.example",
        "https://evil.example",
        "http://shop.example",
        "https://shop.example:8443",
        "https://sub.shop.example",
        "null",
        "*",
        "",
    ] {
        for response in [sent(shop.get(PRODUCTS), origin).await, preflight(&shop, PRODUCTS, origin).await] {
            assert!(response.headers().keys().all(|name| !name.as_str().starts_with("access-control-")), "{origin}");
            assert_eq!(header(&response, "vary"), Some("Origin"), "caches must know: {origin}");
        }
    }
}

#[tokio::test]
async fn everybody_may_call_without_credentials_and_nobody_with() {
    let shop = Shop::start_for_pages(Cors::new(vec!["*".to_owned()], false, 0)).await;
    let response = sent(shop.get(PRODUCTS), "https://anybody.example").await;
    assert_eq!(header(&response, "access-control-allow-origin"), Some("*"));
    assert_eq!(header(&response, "access-control-allow-credentials"), None);
    let shop = Shop::start_for_pages(Cors::new(vec!["*".to_owned()], true, 0)).await;
    let response = sent(shop.get(PRODUCTS), "https://anybody.example").await;
    assert_eq!(header(&response, "access-control-allow-origin"), None);
}

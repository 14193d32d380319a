//! Answers in gzip: to whom, of what size, and the entity tags that belong to them.

use std::io::Read as _;

use flate2::read::GzDecoder;
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

use crate::shop::Shop;

const LONG: &str = "/api/v1/long";

fn header<'r>(response: &'r Response, name: &str) -> Option<&'r str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

async fn accepting(request: RequestBuilder, codings: &str) -> Response {
    request.header("Accept-Encoding", codings).send().await.unwrap()
}

async fn unpacked(response: Response) -> Value {
    let mut text = String::new();
    GzDecoder::new(&*response.bytes().await.unwrap()).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn a_long_answer_is_compressed_for_who_takes_it_and_says_so() {
    let shop = Shop::start().await;
    let plain = shop.get(LONG).send().await.unwrap();
    assert_eq!((header(&plain, "content-encoding"), header(&plain, "vary")), (None, Some("accept-encoding")));
    let expected: Value = plain.json().await.unwrap();
    for codings in ["gzip", "br, GZIP;q=0.5", "deflate,gzip;q=1.0, *;q=0"] {
        let response = accepting(shop.get(LONG), codings).await;
        assert_eq!(header(&response, "content-encoding"), Some("gzip"), "{codings}");
        assert_eq!(header(&response, "vary"), Some("accept-encoding"));
        assert_eq!(header(&response, "content-type"), Some("application/json"));
        assert_eq!(unpacked(response).await, expected);
    }
    for codings in ["", "identity", "br", "gzip;q=0", "gzipped"] {
        let response = accepting(shop.get(LONG), codings).await;
        assert_eq!(header(&response, "content-encoding"), None, "{codings}");
        assert_eq!(response.json::<Value>().await.unwrap(), expected);
    }
}

#[tokio::test]
async fn what_is_short_or_empty_or_packed_already_stays_as_it_is() {
    let shop = Shop::start().await;
    for path in ["/api/v1/me", "/api/v1/fail/internal", "/api/v1/picture"] {
        let response = accepting(shop.get(path), "gzip").await;
        assert_eq!((header(&response, "content-encoding"), header(&response, "vary")), (None, None), "{path}");
    }
}

#[tokio::test]
async fn a_stream_is_compressed_while_it_is_sent() {
    let shop = Shop::start().await;
    let response = accepting(shop.get("/api/v1/stream"), "gzip").await;
    assert_eq!((header(&response, "content-encoding"), header(&response, "content-length")), (Some("gzip"), None));
    let mut text = String::new();
    GzDecoder::new(&*response.bytes().await.unwrap()).read_to_string(&mut text).unwrap();
    assert_eq!(text.lines().count(), 1_000);
}

#[tokio::test]
async fn each_form_has_a_tag_of_its_own_and_both_are_known_when_they_come_back() {
    let shop = Shop::start().await;
    let plain = shop.get(LONG).send().await.unwrap();
    let packed = accepting(shop.get(LONG), "gzip").await;
    assert_eq!((header(&plain, "etag"), header(&packed, "etag")), (Some("\"7\""), Some("\"7-gzip\"")));

    for (sent, told) in [("\"7\"", "\"7\""), ("\"7-gzip\"", "\"7-gzip\""), ("\"6\", W/\"7-gzip\"", "\"7-gzip\"")] {
        let known = accepting(shop.get(LONG).header("If-None-Match", sent), "gzip").await;
        assert_eq!((known.status().as_u16(), header(&known, "etag")), (304, Some(told)), "{sent}");
    }
    let stale = accepting(shop.get(LONG).header("If-None-Match", "\"6-gzip\""), "gzip").await;
    assert_eq!(stale.status().as_u16(), 200);
}

#[tokio::test]
async fn a_change_takes_the_tag_of_either_form() {
    let shop = Shop::start().await;
    let product = "/api/v1/products/00000000-0000-0000-0000-000000000001";
    let change = |tag: &str| {
        let request = shop.request("PATCH", product).bearer_auth(shop.token(shop_types::Role::Staff));
        request.header("If-Match", tag).send()
    };
    for (tag, status) in [("\"7\"", 200), ("\"7-gzip\"", 200), ("\"7-br\"", 412), ("W/\"7-gzip\"", 412)] {
        assert_eq!(change(tag).await.unwrap().status().as_u16(), status, "{tag}");
    }
}

#[tokio::test]
async fn a_handler_may_send_what_it_has_packed_before() {
    let shop = Shop::start().await;
    let expected = json!({"packed": "word ".repeat(1_000)});
    let packed = accepting(shop.get("/api/v1/packed"), "gzip").await;
    assert_eq!(header(&packed, "content-encoding"), Some("gzip"));
    assert!(header(&packed, "content-length").is_some(), "it was not packed again");
    assert_eq!((header(&packed, "etag"), header(&packed, "vary")), (Some("\"7-gzip\""), Some("accept-encoding")));
    assert_eq!(unpacked(packed).await, expected);
    let plain = shop.get("/api/v1/packed").send().await.unwrap();
    assert_eq!((header(&plain, "etag"), header(&plain, "vary")), (Some("\"7\""), Some("accept-encoding")));
    assert_eq!(plain.json::<Value>().await.unwrap(), expected);
}

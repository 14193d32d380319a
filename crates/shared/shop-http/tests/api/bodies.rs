//! What is refused in a JSON body, and how; nothing of it reaches the service.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shop_types::Role;

use crate::shop::{Shop, answer, raw, refusal};

fn product() -> Value {
    json!({"name": "Mug", "sku": "mug", "price": {"amount": 1299, "currency": "EUR"}})
}

/// A good product but for one field.
fn with(field: &str, value: Value) -> String {
    let mut body = product();
    body[field] = value;
    body.to_string()
}

#[tokio::test]
async fn a_good_body_is_created() {
    let shop = Shop::start().await;
    let mut body = product();
    body["packs"] = json!([2, 3]);
    body["contact"] = json!("Ada@Example.org");
    let request = shop.post_product(body.to_string()).header("Idempotency-Key", "\"k-1\"");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()["location"], "/api/v1/products/00000000-0000-0000-0000-000000000001");
    assert_eq!(response.headers()["etag"], "\"1\"");
    let body: Value = response.json().await.unwrap();
    assert_eq!(
        (&body["pieces"], &body["contact"], &body["key"]),
        (&json!(5), &json!("ada@example.org"), &json!("k-1"))
    );
}

#[tokio::test]
async fn every_bad_body_is_refused_by_its_own_name_and_nothing_is_done() {
    let shop = Shop::start().await;
    let deep = format!("{{\"name\":{}{}}}", "[".repeat(32), "]".repeat(32));
    let cases: Vec<(String, u16, &str, &str)> = vec![
        // Cannot be read at all.
        (String::new(), 400, "malformed_body", "body"),
        ("{".into(), 400, "malformed_body", "body"),
        ("{\"name\": \"a\0b\"}".into(), 400, "malformed_body", "body"),
        ("{'name': 1}".into(), 400, "malformed_body", "body"),
        ("{\"price\": 1e999}".into(), 400, "malformed_body", "body"),
        (format!("{} x", product()), 400, "malformed_body", "body"),
        (deep, 400, "malformed_body", "body"),
        ("{\"name\": \"a\", \"name\": \"b\"}".into(), 400, "malformed_body", "name"),
        // Another JSON type.
        ("[\"Mug\", \"mug\", [1299, \"EUR\"]]".into(), 400, "malformed_body", "body"),
        ("null".into(), 400, "malformed_body", "body"),
        (with("name", json!({"$gt": ""})), 400, "malformed_body", "name"),
        (with("name", json!(1)), 400, "malformed_body", "name"),
        (with("price", json!([1299, "EUR"])), 400, "malformed_body", "price"),
        (with("price", json!({"amount": 12.99, "currency": "EUR"})), 400, "malformed_body", "price.amount"),
        (with("price", json!({"amount": "1299", "currency": "EUR"})), 400, "malformed_body", "price.amount"),
        (with("packs", json!([1, "2"])), 400, "malformed_body", "packs[1]"),
        // A rule of a value.
        (with("packs", json!([1, 0])), 422, "invalid_field", "packs[1]"),
        (with("packs", json!([-1])), 422, "invalid_field", "packs[0]"),
        (with("packs", json!([1e40])), 422, "invalid_field", "packs[0]"),
        (with("packs", json!(vec![1; 201])), 422, "invalid_field", "packs"),
        (with("price", json!({"amount": 1e19, "currency": "EUR"})), 422, "invalid_field", "price.amount"),
        (with("price", json!({"amount": 1, "currency": "euro"})), 422, "invalid_field", "price.currency"),
        (with("sku", json!("a b")), 422, "invalid_field", "sku"),
        (with("contact", json!("nobody")), 422, "invalid_field", "contact"),
        (with("name", json!("a\0b")), 422, "invalid_field", "name"),
        // Missing and unknown fields.
        ("{}".into(), 422, "invalid_field", "name"),
        (with("price", json!({"amount": 1})), 422, "invalid_field", "price.currency"),
        (with("isAdmin", json!(true)), 422, "unknown_field", "isAdmin"),
        (with("price", json!({"amount": 1, "currency": "EUR", "$inc": 1})), 422, "unknown_field", "price.$inc"),
    ];
    for (body, status, code, field) in cases {
        let shown = body.chars().take(80).collect::<String>();
        assert_eq!(refusal(shop.post_product(body)).await, (status, code.to_owned(), field.to_owned()), "{shown}");
    }
    assert_eq!(shop.app.created.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn bytes_that_are_not_utf_8_are_refused() {
    let shop = Shop::start().await;
    let refused = refusal(shop.post_product(&b"{\"name\": \"\xc3\x28\"}"[..])).await;
    assert_eq!(refused, (400, "malformed_body".to_owned(), "body".to_owned()));
}

#[tokio::test]
async fn sixty_four_kib_are_read_and_one_byte_more_is_not() {
    let shop = Shop::start().await;
    let padded = |size: usize| format!("{}{}", product(), " ".repeat(size - product().to_string().len()));
    assert_eq!(answer(shop.post_product(padded(65_536))).await.0, 201);
    let too_large = (413, "body_too_large".to_owned(), String::new());
    assert_eq!(refusal(shop.post_product(padded(65_537))).await, too_large);
    // The same without an announced length: chunks are counted as they come.
    let chunks = format!("1000\r\n{}\r\n", " ".repeat(4_096)).repeat(16) + "1\r\n \r\n";
    let head = "POST /api/v1/products HTTP/1.1\r\nHost: shop\r\nConnection: close\r\nTransfer-Encoding: chunked";
    let token = shop.token(Role::Customer);
    let request =
        format!("{head}\r\nContent-Type: application/json\r\nAuthorization: Bearer {token}\r\n\r\n{chunks}0\r\n\r\n");
    let answer = raw(&shop, &request).await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("\"code\":\"body_too_large\""), "{answer}");
}

#[tokio::test]
async fn a_body_is_json_in_utf_8_and_not_compressed() {
    let shop = Shop::start().await;
    let send = |headers: &[(&str, &str)]| {
        let request = shop.client.post(shop.url("/api/v1/products")).bearer_auth(shop.token(Role::Customer));
        let headed = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        refusal(headed.body(product().to_string()))
    };
    for good in ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\""] {
        assert_eq!(send(&[("Content-Type", good)]).await.0, 201, "{good}");
    }
    let refused = |field: &str| (415, "unsupported_media_type".to_owned(), field.to_owned());
    assert_eq!(send(&[]).await, refused("Content-Type"));
    for bad in
        ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "application/json; charset=utf-16"]
    {
        assert_eq!(send(&[("Content-Type", bad)]).await, refused("Content-Type"), "{bad}");
    }
    let gzip = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")];
    assert_eq!(send(&gzip).await, refused("Content-Encoding"));
}

#[tokio::test]
async fn a_fingerprint_follows_the_meaning_of_the_body() {
    let shop = Shop::start().await;
    let send = async |body: &str| {
        let request = shop.client.post(shop.url("/api/v1/orders")).bearer_auth(shop.token(Role::Customer));
        let request = request.header("Idempotency-Key", "k").header("Content-Type", "application/json");
        let (status, answer) = answer(request.body(body.to_owned())).await;
        assert_eq!(status, 202);
        answer["fingerprint"].clone()
    };
    assert_eq!(send(r#"{"a": 1, "b": [true]}"#).await, send(r#"{"b":[true],"a":1}"#).await);
    assert_ne!(send(r#"{"a": 1}"#).await, send(r#"{"a": 2}"#).await);
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_given_up() {
    let shop = Shop::start().await;
    let head = "POST /api/v1/products HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\nContent-Length: 100";
    let token = shop.token(Role::Customer);
    let started = Instant::now();
    let answer = raw(&shop, &format!("{head}\r\nAuthorization: Bearer {token}\r\n\r\n{{\"name\":")).await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("\"code\":\"request_timeout\""), "{answer}");
    let took = started.elapsed();
    assert!(took >= Duration::from_secs(4) && took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test]
async fn a_call_that_takes_no_body_overlooks_nothing_in_one() {
    let shop = Shop::start().await;
    let rest = || shop.request("POST", "/api/v1/rest");
    let json = |body: &'static str| rest().header("Content-Type", "application/json").body(body);
    for nothing in [rest(), rest().body(""), rest().header("Content-Type", "text/plain"), json(""), json(" {} ")] {
        assert_eq!(answer(nothing).await.0, 204);
    }
    for (body, status, code, field) in [
        (r#"{"amount":100}"#, 422, "unknown_field", "amount"),
        ("[]", 400, "malformed_body", "body"),
        ("{", 400, "malformed_body", "body"),
        ("null", 400, "malformed_body", "body"),
    ] {
        assert_eq!(refusal(json(body)).await, (status, code.to_owned(), field.to_owned()), "{body}");
    }
    assert_eq!(refusal(rest().body("a=1")).await.1, "unsupported_media_type");
    let chunks = "POST /api/v1/rest HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n\
        Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n7\r\n{\"a\":1}\r\n0\r\n\r\n";
    assert!(raw(&shop, chunks).await.starts_with("HTTP/1.1 422"));
}

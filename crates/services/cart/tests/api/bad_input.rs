//! What no request on carts can be: refused with a stable code and the field, nothing written.

use reqwest::Method;
use serde_json::json;

use crate::catalog::PRODUCT;
use crate::given::{a_guest_cart, add, answer, cart_service, request, show};

#[tokio::test]
async fn a_cart_is_opened_by_a_call_that_says_nothing_else() {
    let (shop, _) = cart_service().await;
    let opening = || shop.client().post(shop.url("/api/v1/carts"));
    let filled = json!({ "items": [{ "sku": "mug", "quantity": 2 }] });
    let (filled, broken) = (opening().json(&filled), opening().json(&json!({})).body("{broken"));

    let (filled, broken) = (answer(filled).await, answer(broken).await);

    assert_eq!((filled.status, filled.code()), (422, "unknown_field"), "{}", filled.body);
    assert_eq!((broken.status, broken.code()), (400, "malformed_body"), "{}", broken.body);
    assert_eq!(answer(opening().json(&json!({}))).await.status, 201);
}

#[tokio::test]
async fn bodies_that_cannot_be_are_refused_with_their_field() {
    let (shop, catalog) = cart_service().await;
    let (buyer, cart) = a_guest_cart(&shop).await;
    add(&shop, &buyer, &cart, "mug", 1).await;
    let asked = catalog.calls().await;
    let items = format!("{cart}/items");
    let mug = format!("{cart}/items/mug");
    let adding = [
        (json!({ "sku": "mug", "quantity": "1" }), 400, "malformed_body", "quantity"),
        (json!({ "sku": "mug", "quantity": { "$gt": 0 } }), 400, "malformed_body", "quantity"),
        (json!({ "sku": { "$gt": "" }, "quantity": 1 }), 400, "malformed_body", "sku"),
        (json!({ "productId": { "$ne": null }, "quantity": 1 }), 400, "malformed_body", "productId"),
        (json!({ "sku": ["mug"], "quantity": 1 }), 400, "malformed_body", "sku"),
        (json!({ "sku": "mug", "quantity": 1.5 }), 400, "malformed_body", "quantity"),
        (json!({ "sku": "mug", "quantity": null }), 400, "malformed_body", "quantity"),
        (json!({ "sku": "mug", "quantity": 0 }), 422, "invalid_field", "quantity"),
        (json!({ "sku": "mug", "quantity": -1 }), 422, "invalid_field", "quantity"),
        (json!({ "sku": "mug", "quantity": 1_000_001 }), 422, "invalid_field", "quantity"),
        (json!({ "sku": "mug", "quantity": u64::MAX }), 422, "invalid_field", "quantity"),
        (json!({ "sku": "m u g", "quantity": 1 }), 422, "invalid_field", "sku"),
        (json!({ "sku": "x".repeat(65), "quantity": 1 }), 422, "invalid_field", "sku"),
        (json!({ "sku": "", "quantity": 1 }), 422, "invalid_field", "sku"),
        (json!({ "productId": "7", "quantity": 1 }), 422, "invalid_field", "productId"),
        (json!({ "quantity": 1 }), 422, "invalid_field", "sku"),
        (json!({ "sku": "mug", "productId": PRODUCT, "quantity": 1 }), 422, "invalid_field", "sku"),
        (json!({ "sku": "mug" }), 422, "invalid_field", "quantity"),
        (json!({ "sku": "mug", "quantity": 1, "unitPrice": { "amount": 1 } }), 422, "unknown_field", "unitPrice"),
        (json!({ "sku": "mug", "quantity": 1, "owner": "x" }), 422, "unknown_field", "owner"),
    ];
    for (body, status, code, field) in adding {
        let got = answer(request(&shop, &buyer, Method::POST, &items).json(&body)).await;
        assert_eq!((got.status, got.code()), (status, code), "{body} gave {}", got.body);
        assert_eq!(got.body["details"][0]["field"], field, "{body} gave {}", got.body);
    }
    let changing = [
        (json!({ "quantity": "1" }), 400, "malformed_body", "quantity"),
        (json!({ "quantity": { "$inc": 1 } }), 400, "malformed_body", "quantity"),
        (json!({ "quantity": 0 }), 422, "invalid_field", "quantity"),
        (json!({ "quantity": -5 }), 422, "invalid_field", "quantity"),
        (json!({ "quantity": u64::MAX }), 422, "invalid_field", "quantity"),
        (json!({}), 422, "invalid_field", "quantity"),
        (json!({ "quantity": 1, "sku": "cup" }), 422, "unknown_field", "sku"),
    ];
    for (body, status, code, field) in changing {
        let got = answer(request(&shop, &buyer, Method::PATCH, &mug).header("If-Match", "\"2\"").json(&body)).await;
        assert_eq!((got.status, got.code()), (status, code), "{body} gave {}", got.body);
        assert_eq!(got.body["details"][0]["field"], field, "{body} gave {}", got.body);
    }
    assert_eq!(show(&shop, &buyer, &cart).await.lines(), [("mug", 1)]);
    assert_eq!(catalog.calls().await, asked, "nobody was asked about nonsense");
}

#[tokio::test]
async fn what_is_not_json_or_too_large_is_refused() {
    let (shop, _) = cart_service().await;
    let (buyer, cart) = a_guest_cart(&shop).await;
    add(&shop, &buyer, &cart, "mug", 1).await;
    let good = r#"{"sku":"mug","quantity":1}"#;
    let bodies = [
        ("{".to_owned(), "application/json", 400, "malformed_body"),
        (String::new(), "application/json", 400, "malformed_body"),
        ("[".repeat(9000), "application/json", 400, "malformed_body"),
        (r#"{"sku":"mug","sku":"cup","quantity":1}"#.to_owned(), "application/json", 400, "malformed_body"),
        (good.to_owned(), "text/plain", 415, "unsupported_media_type"),
        (format!("{good}{}", " ".repeat(70_000)), "application/json", 413, "body_too_large"),
    ];
    for (body, media, status, code) in bodies {
        for (method, path) in [(Method::POST, format!("{cart}/items")), (Method::PATCH, format!("{cart}/items/mug"))] {
            let request = request(&shop, &buyer, method, &path).header("If-Match", "\"2\"");
            let got = answer(request.header("Content-Type", media).body(body.clone())).await;
            assert_eq!((got.status, got.code()), (status, code), "{path} gave {}", got.body);
        }
    }
    for (path, key) in [("/api/v1/carts".to_owned(), "k".repeat(256)), (format!("{cart}/items"), String::new())] {
        let request = request(&shop, &buyer, Method::POST, &path).header("Idempotency-Key", key);
        let got = answer(request.json(&json!({ "sku": "mug", "quantity": 1 }))).await;
        assert_eq!((got.status, got.code()), (400, "invalid_idempotency_key"), "{path}");
    }
    assert_eq!(show(&shop, &buyer, &cart).await.lines(), [("mug", 1)]);
}

#[tokio::test]
async fn malformed_ids_and_skus_name_nothing() {
    let (shop, _) = cart_service().await;
    let (buyer, cart) = a_guest_cart(&shop).await;
    add(&shop, &buyer, &cart, "mug", 1).await;
    for id in ["1", "%7B%22$gt%22:%22%22%7D", "%00", "null", &"a".repeat(5000)] {
        let path = format!("/api/v1/carts/{id}");
        for (method, path) in [
            (Method::GET, path.clone()),
            (Method::DELETE, path.clone()),
            (Method::POST, format!("{path}/items")),
            (Method::PATCH, format!("{path}/items/mug")),
            (Method::DELETE, format!("{path}/items/mug")),
        ] {
            let request = request(&shop, &buyer, method, &path).header("If-Match", "\"2\"");
            let got = answer(request.json(&json!({ "sku": "mug", "quantity": 1 }))).await;
            assert!([404, 422].contains(&got.status), "{path} gave {}", got.body);
        }
    }
    for sku in ["a%20b", "%7B%22$gt%22:%22%22%7D", &"x".repeat(65)] {
        let path = format!("{cart}/items/{sku}");
        let got = answer(request(&shop, &buyer, Method::DELETE, &path).header("If-Match", "\"2\"")).await;
        assert_eq!((got.status, got.code()), (404, "not_found"), "{sku}");
    }
    assert_eq!(show(&shop, &buyer, &cart).await.lines(), [("mug", 1)]);
}

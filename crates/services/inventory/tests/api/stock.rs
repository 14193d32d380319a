//! Stock by HTTP: who may, what is refused, what an adjustment does.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use shop_mongo::doc;
use shop_testkit::TestShop;

use crate::given::{adjust, an_order, assert_sound, client, counts, documents, inventory, reserve, stock, stocked};

/// Both routes, ready to be sent by anybody.
fn routes(shop: &TestShop) -> [RequestBuilder; 2] {
    let adjustment = json!({ "delta": 5, "reason": "delivery" });
    [
        shop.client().request(Method::GET, shop.url("/api/v1/stock/mug")),
        shop.client().request(Method::POST, shop.url("/api/v1/stock/mug/adjustments")).json(&adjustment),
    ]
}

async fn answered(request: RequestBuilder) -> (u16, Value) {
    let reply = request.send().await.unwrap();
    (reply.status().as_u16(), reply.json().await.unwrap())
}

#[tokio::test]
async fn only_staff_sees_and_changes_stock() {
    let shop = inventory().await;
    let callers = shop.callers();
    let guest = "A".repeat(43);
    let forged = format!("Bearer {}x", callers.staff().token);
    for n in 0..2 {
        let route = || {
            let [get, post] = routes(&shop);
            if n == 0 { get } else { post }
        };
        let refused = [
            (route(), 401, "unauthenticated"),
            (route().header("X-Guest-Token", &guest), 401, "unauthenticated"),
            (route().header("Authorization", callers.expired().bearer()), 401, "token_expired"),
            (route().header("Authorization", &forged), 401, "invalid_token"),
            (route().header("Authorization", "Bearer nonsense"), 401, "invalid_token"),
            (route().header("Authorization", callers.customer().bearer()), 403, "forbidden"),
            (route().header("Authorization", callers.service().bearer()), 403, "forbidden"),
        ];
        for (request, status, code) in refused {
            let (got, body) = answered(request).await;
            assert_eq!((got, body["code"].as_str()), (status, Some(code)), "{body}");
        }
    }
    assert_eq!(stock(&shop, "mug").await.0, 404);
    for who in [callers.staff(), callers.admin()] {
        let (status, body) = adjust(&shop, &who, "mug", &json!({ "delta": 5, "reason": "delivery" })).await;
        assert_eq!(status, 201, "{body}");
    }
    assert_eq!(counts(&shop, "mug").await, (10, 0, 0));
}

#[tokio::test]
async fn what_no_adjustment_can_be_is_refused_with_its_field_and_nothing_is_written() {
    let shop = inventory().await;
    let staff = shop.callers().staff();
    let cases = [
        (json!({ "delta": "5", "reason": "x" }), 400, "malformed_body", "delta"),
        (json!({ "delta": { "$gt": "" }, "reason": "x" }), 400, "malformed_body", "delta"),
        (json!({ "delta": 5, "reason": { "$gt": "" } }), 400, "malformed_body", "reason"),
        (json!({ "delta": 5, "reason": ["x"] }), 400, "malformed_body", "reason"),
        (json!({ "delta": null, "reason": "x" }), 400, "malformed_body", "delta"),
        (json!({ "delta": 1.5, "reason": "x" }), 400, "malformed_body", "delta"),
        (json!({ "delta": 0, "reason": "x" }), 422, "invalid_field", "delta"),
        (json!({ "delta": 1_000_001, "reason": "x" }), 422, "invalid_field", "delta"),
        (json!({ "delta": i64::MIN, "reason": "x" }), 422, "invalid_field", "delta"),
        (json!({ "delta": u64::MAX, "reason": "x" }), 422, "invalid_field", "delta"),
        (json!({ "delta": 5, "reason": "" }), 422, "invalid_field", "reason"),
        (json!({ "delta": 5, "reason": "x".repeat(201) }), 422, "invalid_field", "reason"),
        (json!({ "delta": 5, "reason": "a\u{0}b" }), 422, "invalid_field", "reason"),
        (json!({ "delta": 5 }), 422, "invalid_field", "reason"),
        (json!({ "delta": 5, "reason": "x", "sold": 9 }), 422, "unknown_field", "sold"),
        (json!({ "delta": 5, "reason": "x", "$set": {} }), 422, "unknown_field", "$set"),
    ];
    for (body, status, code, field) in cases {
        let (got, answer) = adjust(&shop, &staff, "mug", &body).await;
        assert_eq!((got, answer["code"].as_str()), (status, Some(code)), "{body} gave {answer}");
        assert_eq!(answer["details"][0]["field"], field, "{body} gave {answer}");
    }
    let raw = |body: String, media: &'static str| {
        let url = shop.url("/api/v1/stock/mug/adjustments");
        shop.client().post(url).header("Authorization", staff.bearer()).header("Content-Type", media).body(body)
    };
    let good = r#"{"delta":5,"reason":"x"}"#;
    let broken = [
        (raw("{".into(), "application/json"), 400, "malformed_body"),
        (raw(String::new(), "application/json"), 400, "malformed_body"),
        (raw("[1]".into(), "application/json"), 400, "malformed_body"),
        (raw("[".repeat(5000), "application/json"), 400, "malformed_body"),
        (raw(good.into(), "text/plain"), 415, "unsupported_media_type"),
        (raw(format!("{good}{}", " ".repeat(70_000)), "application/json"), 413, "body_too_large"),
        (raw(good.into(), "application/json").header("Idempotency-Key", ""), 400, "invalid_idempotency_key"),
        (
            raw(good.into(), "application/json").header("Idempotency-Key", "k".repeat(256)),
            400,
            "invalid_idempotency_key",
        ),
    ];
    for (request, status, code) in broken {
        let (got, answer) = answered(request).await;
        assert_eq!((got, answer["code"].as_str()), (status, Some(code)), "{answer}");
    }
    assert!(documents(&shop.mongo("inventory").await, "stock", doc! {}).await.is_empty());
}

#[tokio::test]
async fn what_is_no_sku_is_not_found() {
    let shop = inventory().await;
    let staff = shop.callers().staff();
    for path in ["%7B%22$gt%22:%22%22%7D", "a%20b", "%00", &"x".repeat(65), "..%2F..%2Fetc", "unknown"] {
        assert_eq!(stock(&shop, path).await.0, 404, "{path}");
        if path != "unknown" {
            let (status, body) = adjust(&shop, &staff, path, &json!({ "delta": 1, "reason": "x" })).await;
            assert_eq!((status, body["code"].as_str()), (404, Some("not_found")), "{path}");
        }
    }
}

#[tokio::test]
async fn an_adjustment_answers_the_stock_right_after_it() {
    let shop = inventory().await;
    let staff = shop.callers().staff();
    let (_, first) = adjust(&shop, &staff, "mug", &json!({ "delta": 5, "reason": "delivery" })).await;
    assert_eq!(
        first,
        json!({ "sku": "mug", "location": "main", "available": 5, "reserved": 0, "onHand": 5, "sold": 0, "version": 1 })
    );
    let (_, second) = adjust(&shop, &staff, "mug", &json!({ "delta": -2, "reason": "broken" })).await;
    assert_eq!((second["available"].as_i64(), second["version"].as_i64()), (Some(3), Some(2)));
    let url = shop.url("/api/v1/stock/mug");
    let reply = shop.client().get(url).header("Authorization", staff.bearer()).send().await.unwrap();
    assert_eq!(reply.headers()["etag"], "\"2\"");
    let movements = documents(&shop.mongo("inventory").await, "movements", doc! { "_id": "mug@main:2" }).await;
    assert_eq!(movements[0].get_str("reason").unwrap(), "broken");
    assert_eq!(movements[0].get_str("by").unwrap(), staff.id.to_string());
}

#[tokio::test]
async fn stock_never_falls_below_what_orders_hold() {
    let shop = inventory().await;
    let staff = shop.callers().staff();
    stocked(&shop, "mug", 5).await;
    client(&shop).await.reserve(reserve(an_order(), &[("mug", 3)])).await.unwrap();
    let (status, body) = adjust(&shop, &staff, "mug", &json!({ "delta": -3, "reason": "theft" })).await;
    assert_eq!((status, body["code"].as_str()), (409, Some("stock_below_zero")), "{body}");
    assert_eq!(counts(&shop, "mug").await, (2, 3, 0));
    assert_sound(&shop.mongo("inventory").await).await;
}

#[tokio::test]
async fn one_key_counts_once_and_answers_the_same_also_much_later() {
    let shop = inventory().await;
    let staff = shop.callers().staff();
    let send = |who: String, key: &'static str, delta: i64| {
        let url = shop.url("/api/v1/stock/mug/adjustments");
        let body = json!({ "delta": delta, "reason": "delivery" });
        answered(shop.client().post(url).header("Authorization", who).header("Idempotency-Key", key).json(&body))
    };
    let at_once = futures::future::join_all((0..20).map(|_| send(staff.bearer(), "k1", 5))).await;
    assert!(at_once.iter().all(|answer| answer == &at_once[0]), "{at_once:?}");
    assert_eq!(at_once[0].0, 201);
    assert_eq!(send(staff.bearer(), "k2", 1).await.0, 201);
    assert_eq!(send(staff.bearer(), "\"k1\"", 5).await, at_once[0]);
    let (status, body) = send(staff.bearer(), "k1", 6).await;
    assert_eq!((status, body["code"].as_str()), (422, Some("idempotency_key_reused")));
    assert_eq!(counts(&shop, "mug").await.0, 6);
    // The same word of somebody else is another key.
    assert_eq!(send(shop.callers().staff().bearer(), "k1", 5).await.0, 201);
    assert_eq!(counts(&shop, "mug").await.0, 11);
    assert_sound(&shop.mongo("inventory").await).await;
}

#[tokio::test]
async fn the_database_itself_refuses_counts_that_do_not_add_up() {
    let shop = inventory().await;
    stocked(&shop, "mug", 5).await;
    let stock = shop.mongo("inventory").await.collection::<shop_mongo::Document>("stock");
    for change in [doc! { "available": -1_i64 }, doc! { "available": 4_i64 }, doc! { "sold": 1_i64 }] {
        assert!(
            stock.update_one(doc! { "_id": "mug@main" }, doc! { "$inc": change.clone() }).await.is_err(),
            "{change}"
        );
    }
    assert_eq!(counts(&shop, "mug").await, (5, 0, 0));
}

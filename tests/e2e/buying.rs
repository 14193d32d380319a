//! The main job, through NGINX.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::wait::until;

use crate::cluster::shared;
use crate::visitor::{Visitor, fresh, order_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_registers_browses_buys_and_pays() {
    let site = shared().await;
    let admin = Visitor::admin(&site).await;
    let sku = fresh("mug");
    let mug = admin.sell(&sku, 1290, 10).await;

    let anybody = Visitor::new(&site).await;
    let list = || async { anybody.get("/api/v1/products?sort=price").await.body };
    let has_mug = |list: &Value| list["items"].as_array().is_some_and(|all| all.iter().any(|it| it["id"] == *mug));
    until("the product is listed", list, has_mug).await;
    let shown = anybody.get(&format!("/api/v1/products/{mug}")).await;
    assert_eq!((shown.status, &shown.body["price"]["amount"]), (StatusCode::OK, &json!(1290)));

    let ada = Visitor::customer(&site, "ada.buys").await;
    let cart = ada.cart(&sku, 2).await;
    let placed = ada.order(&cart, "tok_visa", "first").await;
    assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
    let order = order_of(&placed);
    let paid = ada.status(&order, "paid").await;
    assert_eq!(paid["total"], json!({ "amount": 2580, "currency": "EUR" }));
    admin.stock(&sku, (8, 0, 2)).await;

    let again = ada.order(&cart, "tok_visa", "first").await;
    assert_eq!((order_of(&again), again.replayed), (order, true), "{again:?}");
    admin.stock(&sku, (8, 0, 2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_card_and_an_empty_shelf_are_told_apart() {
    let site = shared().await;
    let admin = Visitor::admin(&site).await;
    let sku = fresh("press");
    admin.sell(&sku, 3490, 1).await;
    let ben = Visitor::customer(&site, "ben").await;
    let cart = ben.cart(&sku, 1).await;

    let declined = ben.order(&cart, "tok_declined", "one").await;
    assert_eq!((declined.status, &declined.body["code"]), (StatusCode::PAYMENT_REQUIRED, &json!("payment_declined")));
    let sold_out = ben.order(&cart, "tok_visa", "two").await;
    assert_eq!(
        (sold_out.status, &sold_out.body["code"]),
        (StatusCode::CONFLICT, &json!("sold_out")),
        "the first holds it"
    );
    let order = order_of(&declined);
    let cancelled = ben.send(Method::POST, &format!("/api/v1/orders/{order}/cancel"), None, None).await.unwrap();
    assert_eq!(cancelled.body["status"], "rejected", "{cancelled:?}");
    admin.stock(&sku, (1, 0, 0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_front_page_health_and_index_answer() {
    let site = shared().await;
    let anybody = Visitor::new(&site).await;

    let page = reqwest::get(site.url().await).await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    let health = anybody.get("/health").await;
    assert_eq!(health.status, StatusCode::OK, "a Shop that is ready is well: {health:?}");
    assert_eq!(health.body["services"].as_array().map(Vec::len), Some(6), "{health:?}");
    assert_eq!(anybody.get("/api").await.status, StatusCode::OK);
    assert_eq!(anybody.get("/errors").await.status, StatusCode::OK);
    let document = anybody.get("/openapi.json").await;
    assert!(document.body["paths"]["/api/v1/orders"].is_object(), "{document:?}");
    assert_eq!(anybody.get("/.well-known/jwks.json").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_in_the_one_form() {
    let site = shared().await;
    let anybody = Visitor::new(&site).await;
    let ada = Visitor::customer(&site, "ada.errs").await;
    let credentials = json!({ "email": { "$gt": "" }, "password": { "$gt": "" } });
    let huge = json!({ "email": "a".repeat(2_000_000) });
    let negative = json!({ "sku": "mug", "quantity": -1 });
    let cart = ada.post("/api/v1/carts", &json!({})).await.body["id"].as_str().unwrap().to_owned();
    for (answer, status, code) in [
        (anybody.get("/api/v1/nothing").await, 404, "not_found"),
        (anybody.get("/api/v1/orders").await, 401, "unauthenticated"),
        (anybody.get("/api/v1/products/not-an-id").await, 404, "not_found"),
        (anybody.get("/api/v1/products?color=red").await, 422, "unknown_parameter"),
        (anybody.post("/api/v1/auth/login", &credentials).await, 400, "malformed_body"),
        (anybody.post("/api/v1/auth/login", &json!({ "user": "x" })).await, 422, "unknown_field"),
        (anybody.post("/api/v1/auth/login", &huge).await, 413, "body_too_large"),
        (ada.post(&format!("/api/v1/carts/{cart}/items"), &negative).await, 422, "invalid_field"),
        (ada.get("/api/v1/stock/mug").await, 403, "forbidden"),
    ] {
        assert_eq!((answer.status.as_u16(), &answer.body["code"]), (status, &json!(code)), "{answer:?}");
        assert!(answer.body["requestId"].is_string() && answer.body["error"].is_string(), "{answer:?}");
    }
}

//! Who changed what: every write of staff, admins and programs is in the log that admins read.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shop_testkit::Who;
use tests::wait::until;

use crate::given::{Shop, order_of};

/// A write by one of the staff, with what it demands.
async fn write(shop: &Shop, by: &Who, method: Method, path: &str, headers: &[(&str, &str)], body: &Value) -> Value {
    let request = shop.services.client().request(method, shop.services.url(path)).bearer_auth(&by.token).json(body);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let reply = request.send().await.unwrap();
    let status = reply.status();
    let body = reply.json().await.unwrap_or(Value::Null);
    assert!(status.is_success(), "{path}: {status} {body}");
    body
}

/// The calls of somebody in the log, the first one first, as method, route and status.
async fn calls(shop: &Shop, of: &Who) -> Vec<(String, String, Option<u64>)> {
    let path = format!("/api/v1/audit?action=call&actorId={}", of.id);
    let log = shop.admin().send(Method::GET, &path, None, None).await;
    assert_eq!(log.status, StatusCode::OK, "{log:?}");
    let items = log.body["items"].as_array().unwrap();
    let text = |call: &Value, field: &str| call[field].as_str().unwrap().to_owned();
    let line = |call: &Value| (text(call, "method"), text(call, "route"), call["status"].as_u64());
    items.iter().rev().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_reads_who_changed_a_product_stock_an_order_and_a_payment() {
    let shop = Shop::open().await;
    shop.on_sale("mug", 1290, 5).await;
    let buyer = shop.services.callers().customer();
    let ada = shop.person(buyer.token.clone());
    let cart = ada.cart("mug", 1).await;
    let order = order_of(&ada.order(&cart, "tok_visa", "buy").await);
    ada.status(&order, "paid").await;
    let (pat, program) = (shop.services.callers().staff(), shop.services.callers().service());

    let found = ada.send(Method::GET, "/api/v1/products?search=mug", None, None).await.body;
    let product = format!("/api/v1/products/{}", found["items"][0]["id"].as_str().unwrap());
    let version = format!("\"{}\"", found["items"][0]["version"]);
    write(&shop, &pat, Method::PATCH, &product, &[("if-match", &version)], &json!({ "name": "Cup" })).await;
    let more = json!({ "delta": 5, "reason": "delivery 4711" });
    write(&shop, &pat, Method::POST, "/api/v1/stock/mug/adjustments", &[], &more).await;
    let back = json!({ "amount": { "amount": 100, "currency": "EUR" }, "reason": "scratched" });
    let refunds = format!("/api/v1/payments/{order}:1/refunds");
    write(&shop, &pat, Method::POST, &refunds, &[("idempotency-key", "back")], &back).await;
    let version = format!(
        "\"{}\"",
        shop.staff().send(Method::GET, &format!("/api/v1/orders/{order}"), None, None).await.body["version"]
    );
    let shipped = json!({ "status": "shipped" });
    let status = format!("/api/v1/orders/{order}/status");
    write(&shop, &pat, Method::PATCH, &status, &[("if-match", &version)], &shipped).await;
    // A program that asks for prices changes nothing; one that tells of an order wants to.
    let skus = json!({ "skus": ["mug"] });
    write(&shop, &program, Method::POST, "/api/v1/products/batch-get", &[], &skus).await;
    let link = format!("/api/v1/customers/{}/orders/{order}", pat.id);
    let told = shop.services.client().put(shop.services.url(&link)).bearer_auth(&program.token).send().await.unwrap();
    assert_eq!(told.status(), StatusCode::NOT_FOUND, "staff has no account here");

    let line = |method: &str, route: &str, status| (method.to_owned(), route.to_owned(), Some(status));
    let expected = [
        line("PATCH", "/api/v1/products/{id}", 200),
        line("POST", "/api/v1/stock/{sku}/adjustments", 201),
        line("POST", "/api/v1/payments/{id}/refunds", 201),
        line("PATCH", "/api/v1/orders/{id}/status", 200),
    ];
    until("all of it is in the log", || calls(&shop, &pat), |calls| *calls == expected).await;
    let linked = [line("PUT", "/api/v1/customers/{id}/orders/{orderId}", 404)];
    until("so is what the program wanted", || calls(&shop, &program), |calls| *calls == linked).await;

    let path = format!("/api/v1/audit?actorId={}&size=1", pat.id);
    let entry = shop.admin().send(Method::GET, &path, None, None).await.body["items"][0].clone();
    assert_eq!((&entry["service"], &entry["path"]), (&json!("order"), &json!(status)));
    assert_eq!((&entry["role"], &entry["actorId"]), (&json!("staff"), &json!(pat.id)));
    let path = format!("/api/v1/audit?action=call&actorId={}", buyer.id);
    let hers = shop.admin().send(Method::GET, &path, None, None).await;
    assert_eq!(hers.body["page"]["total"], 0, "what customers do is not written down: {hers:?}");
    let refused = shop.staff().send(Method::GET, "/api/v1/audit", None, None).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "only admins read it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_admins_do_with_dead_letters_is_in_the_log_although_edge_keeps_nothing() {
    let shop = Shop::open().await;
    let boss = shop.services.callers().admin();
    let path = "/api/v1/admin/dead-letters/payment/00000000-0000-7000-8000-000000000000";
    let client = shop.services.client();
    let gone = client.delete(shop.services.url(path)).bearer_auth(&boss.token).send().await.unwrap();
    assert_eq!(gone.status(), StatusCode::NOT_FOUND);
    let expected = [("DELETE".to_owned(), "/api/v1/admin/dead-letters/{service}/{id}".to_owned(), Some(404))];
    until("it is in the log", || calls(&shop, &boss), |calls| *calls == expected).await;
}

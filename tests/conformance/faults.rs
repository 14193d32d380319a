//! Faults that a shop must not have, by their numbers in docs/reference/promises.md: each is one test, over the aliases that
//! the faulty shop has had, too.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use shop_config::RateConfig;
use shop_testkit::TestShop;
use tests::calls::asks_again;
use tests::wait::until;

use crate::given::Shop;

/// A shop, its usual callers, and a mug at 0.10 of which there are as many as were put there.
struct Scene {
    shop: Shop,
    tokens: BTreeMap<String, String>,
    orders: AtomicU32,
}

impl Scene {
    async fn with_mugs(stock: u32) -> Self {
        let shop = Shop::open().await;
        let tokens = shop.tokens();
        let scene = Self { shop, tokens, orders: AtomicU32::new(0) };
        let mug = json!({ "name": "Mug", "price": { "amount": 10, "currency": "EUR" }, "sku": "mug", "stock": stock });
        // Where it takes too long, the same key completes it.
        let key = [("Idempotency-Key", "mug")];
        let make = || scene.send(Method::POST, "/api/v1/products", "staff", &key, Some(&mug));
        let (status, body) = until("the mug is there", make, |(status, _)| *status != 503).await;
        assert_eq!(status, 201, "{body}");
        scene
    }

    /// Asks as one of the usual callers, or with a token.
    async fn send(
        &self,
        method: Method,
        path: &str,
        caller: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> (u16, Value) {
        let url = format!("{}{path}", self.shop.url());
        let token = self.tokens.get(caller).map_or(caller, String::as_str);
        let mut request = reqwest::Client::new().request(method, url).bearer_auth(token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let reply = request.send().await.unwrap();
        let status = reply.status().as_u16();
        let text = reply.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Orders mugs.
    async fn order(&self, caller: &str, pieces: u32) -> (u16, Value) {
        let number = self.orders.fetch_add(1, Ordering::Relaxed);
        self.order_by_key(caller, pieces, &format!("order-{number}")).await
    }

    /// Orders mugs, and asks again where that takes longer than a client should wait.
    async fn order_by_key(&self, caller: &str, pieces: u32, key: &str) -> (u16, Value) {
        let order = json!({ "items": [{ "sku": "mug", "quantity": pieces }] });
        let key = [("Idempotency-Key", key)];
        let send = || self.send(Method::POST, "/api/orders", caller, &key, Some(&order));
        until("the order is answered", send, |(status, body)| !asks_again(*status, body)).await
    }

    async fn get(&self, path: &str, caller: &str) -> (u16, Value) {
        self.send(Method::GET, path, caller, &[], None).await
    }
}

/// Without what differs from answer to answer.
fn bare((status, mut body): (u16, Value)) -> (u16, Value) {
    if let Some(fields) = body.as_object_mut() {
        fields.remove("requestId");
        fields.remove("timestamp");
    }
    (status, body)
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_1_stock_is_taken_and_never_sold_twice() {
    let scene = Scene::with_mugs(3).await;
    let (first, second) = (scene.order("customer", 2).await, scene.order("customer", 2).await);
    assert_eq!((first.0, second.0, &second.1["code"]), (201, 409, &json!("sold_out")), "{first:?} {second:?}");
    assert_eq!(second.1["shortages"], json!([{ "sku": "mug", "requested": 2, "available": 1 }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_2_nobody_reads_or_changes_the_order_of_somebody_else() {
    let scene = Scene::with_mugs(3).await;
    let order = scene.order("customer", 1).await.1["order"]["id"].as_str().unwrap().to_owned();
    let stranger = scene.shop.tokens()["customer"].clone();
    let unknown = "0190b3c0-0000-7000-8000-00000000dead";
    for (method, path) in [(Method::GET, ""), (Method::GET, "/items"), (Method::DELETE, "")] {
        let theirs = scene.send(method.clone(), &format!("/api/orders/{order}{path}"), &stranger, &[], None).await;
        let nobodys = scene.send(method, &format!("/api/orders/{unknown}{path}"), &stranger, &[], None).await;
        assert_eq!((theirs.0, bare(theirs)), (404, bare(nobodys)));
    }
    let (status, list) = scene.get("/api/orders", &stranger).await;
    assert_eq!((status, &list["orders"]), (200, &json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_3_money_is_counted_in_cents() {
    let scene = Scene::with_mugs(3).await;
    let (status, placed) = scene.order("customer", 3).await;
    assert_eq!(
        (status, &placed["order"]["totalAmount"]),
        (201, &json!(0.3)),
        "0.1 three times, and not 0.30000000000000004"
    );
    let order = placed["order"]["id"].as_str().unwrap();
    let canonical = scene.get(&format!("/api/v1/orders/{order}"), "customer").await.1;
    assert_eq!(canonical["total"], json!({ "amount": 30, "currency": "EUR" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_4_a_status_follows_rules() {
    let scene = Scene::with_mugs(3).await;
    let order = scene.order("customer", 1).await.1["order"]["id"].as_str().unwrap().to_owned();
    for status in ["delivered", "pending"] {
        let path = format!("/api/orders/{order}/status");
        let refused = scene.send(Method::PATCH, &path, "staff", &[], Some(&json!({ "status": status }))).await;
        assert_eq!((refused.0, &refused.1["code"]), (409, &json!("illegal_transition")), "{status}");
        let by_customer = scene.send(Method::PATCH, &path, "customer", &[], Some(&json!({ "status": status }))).await;
        assert_eq!(by_customer.0, 403);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_5_a_repeated_call_does_not_order_again() {
    let scene = Scene::with_mugs(3).await;
    let first = scene.order_by_key("customer", 1, "once").await;
    let second = scene.order_by_key("customer", 1, "once").await;
    assert_eq!((first.0, &first), (201, &second));
    assert_eq!(scene.get("/api/orders", "customer").await.1["pagination"]["total"], json!(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_6_a_list_shows_an_order_as_soon_as_it_is_placed() {
    let scene = Scene::with_mugs(9).await;
    for count in 1..=3 {
        scene.order("customer", 1).await;
        let list = scene.get("/api/orders?limit=50", "customer").await.1;
        assert_eq!((&list["pagination"]["total"], &list["cached"]), (&json!(count), &json!(false)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_7_what_is_no_id_is_not_found() {
    let scene = Scene::with_mugs(1).await;
    for path in ["/api/products/{}", "/api/categories/x", "/api/orders/x", "/api/orders/-1", "/users/x", "/cart/x"] {
        let (status, body) = scene.get(path, "admin").await;
        assert_eq!((status, &body["code"]), (404, &json!("not_found")), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_8_a_token_ends_with_its_session() {
    let scene = Scene::with_mugs(1).await;
    let ada = json!({ "email": "ada@example.org", "password": "correct horse battery", "name": "Ada" });
    let url = format!("{}/api/auth/register", scene.shop.url());
    let opened: Value = reqwest::Client::new().post(url).json(&ada).send().await.unwrap().json().await.unwrap();
    let token = opened["token"].as_str().unwrap();
    assert_eq!(scene.get("/api/auth/profile", token).await.0, 200);
    assert_eq!(scene.send(Method::POST, "/api/auth/logout", token, &[], None).await.0, 200);
    for path in ["/api/auth/profile", "/api/orders"] {
        assert_eq!(scene.get(path, token).await.0, 401, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_9_a_search_is_words_and_no_pattern() {
    let scene = Scene::with_mugs(1).await;
    for (search, status) in [(".*", 422), ("(((", 422), ("%5B", 422), ("M.g", 200), ("$where", 200)] {
        let (answered, list) = scene.get(&format!("/api/products?search={search}"), "customer").await;
        let found = list["products"].as_array().map_or(0, Vec::len);
        assert_eq!((answered, found), (status, 0), "{search} gave {list}");
    }
    assert_eq!(scene.get("/api/products?search=mug", "customer").await.1["pagination"]["total"], json!(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_10_a_change_sets_what_it_names_and_nothing_else() {
    let scene = Scene::with_mugs(1).await;
    let product = scene.get("/api/products", "staff").await.1["products"][0].clone();
    let path = format!("/api/products/{}", product["id"].as_str().unwrap());
    let sent =
        json!({ "_id": "x", "id": "x", "createdAt": "2000-01-01", "sku": "cup", "status": "archived", "version": 9 });
    let changed = scene.send(Method::PUT, &path, "staff", &[], Some(&sent)).await;
    assert_eq!(changed.0, 200, "{changed:?}");
    for field in ["id", "_id", "createdAt", "sku", "price", "name"] {
        assert_eq!(changed.1["product"][field], product[field], "{field}");
    }
}

/// Requests that a process counted alone, since Redis was late on a busy machine.
async fn counted_alone(pod: &TestShop) -> u32 {
    let metrics = pod.client().get(pod.admin_url("/metrics")).send().await.unwrap().text().await.unwrap();
    let line = metrics.lines().find(|line| line.starts_with("http_requests_counted_alone_total"));
    line.and_then(|line| line.rsplit(' ').next()).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_11_all_processes_count_a_client_together() {
    // In a day, so that nothing grows back while the test runs.
    let twenty = RateConfig { requests: 20, window: Duration::from_secs(86_400) };
    let here = TestShop::start(async |mut config| {
        config.limits.general = twenty;
        catalog::service(&config).await
    })
    .await;
    let there = TestShop::start(async |_| {
        let mut config = here.config().clone();
        config.limits.general = twenty;
        catalog::service(&config).await
    })
    .await;
    let ask = async |pod: &TestShop, address: &str| {
        let list = pod.client().get(pod.url("/api/products")).header("X-Forwarded-For", address);
        list.send().await.unwrap()
    };
    let mut let_in = 0;
    for _ in 0..20 {
        for pod in [&here, &there] {
            let_in += u32::from(ask(pod, "203.0.113.5").await.status() == 200);
        }
    }
    let alone = counted_alone(&here).await + counted_alone(&there).await;
    // Whom a process counts alone counts against its own half as well.
    assert!(let_in >= 20 || alone > 0, "{let_in} were let in");
    assert!(let_in <= 20 + alone, "{let_in} were let in, {alone} of them while Redis was late");
    for pod in [&here, &there] {
        let refused = ask(pod, "203.0.113.5").await;
        assert_eq!((refused.status().as_u16(), refused.headers().contains_key("retry-after")), (429, true));
        let body: Value = refused.json().await.unwrap();
        assert_eq!((&body["code"], &body["limit"]), (&json!("rate_limited"), &json!("general")));
        let other = ask(pod, "203.0.113.6").await;
        assert_eq!(other.status(), 200, "another client has its own: {}", other.text().await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_12_health_tells_of_every_service_and_its_stores() {
    let scene = Scene::with_mugs(1).await;
    let (status, health) = scene.get("/health", "customer").await;
    assert_eq!((status, &health["status"]), (200, &json!("OK")));
    let services = health["services"].as_array().unwrap();
    for name in ["identity", "catalog", "inventory", "cart", "payment", "order"] {
        let service = services.iter().find(|service| service["name"] == name).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(service["dependencies"], json!({ "mongodb": "reachable", "redis": "reachable" }), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_13_metrics_are_there_and_not_for_the_public() {
    let scene = Scene::with_mugs(1).await;
    let text = until(
        "there are metrics of aliases",
        || async {
            scene.get("/api/products", "customer").await;
            scene.shop.metrics().await
        },
        |text| text.contains("route=\"/api/products\""),
    )
    .await;
    assert!(text.contains("http_requests_total{") && text.contains("http_request_duration_seconds_bucket{"));
    assert_eq!(scene.get("/metrics", "customer").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_14_the_older_calls_are_all_there() {
    let scene = Scene::with_mugs(1).await;
    let calls = scene.shop.calls().await;
    let older = calls.iter().filter(|call| !call.template.starts_with("/api/v1/")).count();
    assert!(older > 60, "only {older} calls beside /api/v1");
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_15_a_client_error_is_asked_for_once() {
    let scene = Scene::with_mugs(1).await;
    // Nobody has the number: identity says so to cart and to order. There is one mug: inventory says so to order.
    assert_eq!(scene.get("/cart/999999", "staff").await.0, 404);
    assert_eq!(scene.get("/api/orders/user/999999", "staff").await.0, 404);
    let (status, refused) = scene.order("customer", 2).await;
    assert_eq!((status, &refused["code"]), (409, &json!("sold_out")), "{refused}");
    let metrics = scene.shop.metrics().await;
    let lines = |metric: &str, method: &str| {
        let found = metrics.lines().filter(|line| line.starts_with(&format!("{metric}{{")) && line.contains(method));
        found.collect::<Vec<_>>()
    };
    let unknown = lines("mesh_requests_total", "Identity/FindUser");
    assert!(unknown.iter().any(|line| line.contains("code=\"not_found\"")), "{unknown:?}");
    assert!(!lines("mesh_requests_total", "Inventory/Reserve").is_empty());
    for method in ["Identity/FindUser", "Inventory/Reserve"] {
        assert_eq!(lines("mesh_retries_total", method), Vec::<&str>::new());
    }
}

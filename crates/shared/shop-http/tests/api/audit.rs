//! Writes of staff, admins and programs are written down before they happen, and everybody else's are not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use shop_http::{Access, Method, Route};
use shop_types::audit::{Recording, Unrecorded};
use shop_types::{AuditTrail, Role, StaffCall};

use crate::service::ACCESS;
use crate::shop::{Shop, answer, refusal};

const PRODUCTS: &str = "/api/v1/products";
const PRODUCT: &str = "/api/v1/products/00000000-0000-0000-0000-000000000001";

/// Keeps in memory, or fails.
#[derive(Debug, Default)]
struct Trail {
    kept: tokio::sync::RwLock<Vec<StaffCall>>,
    loses_calls: AtomicBool,
    loses_answers: AtomicBool,
    hangs: AtomicBool,
}

impl Trail {
    fn keep(&self, call: StaffCall, loses: &AtomicBool) -> Recording<'_> {
        let lost = loses.load(Ordering::SeqCst);
        Box::pin(async move {
            if self.hangs.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            if lost {
                return Err(Unrecorded::new("db-7.internal is away"));
            }
            self.kept.write().await.push(call);
            Ok(())
        })
    }

    fn kept(&self) -> Vec<StaffCall> {
        loop {
            // Held for the moment of a push, on another thread.
            if let Ok(kept) = self.kept.try_read() {
                return kept.clone();
            }
            std::hint::spin_loop();
        }
    }
}

impl AuditTrail for Trail {
    fn called(&self, call: StaffCall) -> Recording<'_> {
        assert_eq!(call.status, None);
        self.keep(call, &self.loses_calls)
    }

    fn answered(&self, call: StaffCall) -> Recording<'_> {
        assert!(call.status.is_some());
        self.keep(call, &self.loses_answers)
    }
}

async fn shop() -> (Arc<Trail>, Shop) {
    let trail = Arc::new(Trail::default());
    let shop = Shop::start_recorded(ACCESS, Arc::clone(&trail) as _).await;
    (trail, shop)
}

fn product(name: &str) -> Value {
    json!({ "name": name, "sku": "mug", "price": { "amount": 1290, "currency": "EUR" } })
}

fn create(shop: &Shop, role: Role, name: &str) -> reqwest::RequestBuilder {
    shop.client.post(shop.url(PRODUCTS)).bearer_auth(shop.token(role)).json(&product(name))
}

fn created(shop: &Shop) -> u64 {
    shop.app.created.load(Ordering::SeqCst)
}

#[tokio::test]
async fn a_write_of_staff_is_written_down_before_it_happens_and_again_with_its_answer() {
    let (trail, shop) = shop().await;
    let request = shop.client.post(shop.url("/api/v1/products?token=secret")).bearer_auth(shop.token(Role::Staff));
    let request = request.header("X-Request-Id", "my-request").json(&product("Mug"));
    assert_eq!(answer(request).await.0, 201);

    let kept = trail.kept();
    let [called, answered] = kept.as_slice() else { panic!("{kept:?}") };
    assert_eq!((called.service.as_str(), called.role, called.method.as_str()), ("sample", Role::Staff, "POST"));
    assert_eq!((called.route.as_str(), called.path.as_str()), (PRODUCTS, PRODUCTS), "without the query");
    assert_eq!(called.request_id, "my-request");
    assert_eq!(called.actor.as_uuid().as_u128(), 77);
    assert_eq!(*answered, called.clone().answered(201));
}

#[tokio::test]
async fn what_cannot_be_written_down_does_not_happen() {
    let (trail, shop) = shop().await;
    trail.loses_calls.store(true, Ordering::SeqCst);
    for role in [Role::Staff, Role::Admin] {
        let response = create(&shop, role, "Mug").send().await.unwrap();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "1");
        let body = response.text().await.unwrap();
        assert!(!body.contains("db-7"), "{body}");
    }
    assert_eq!(created(&shop), 0, "no handler has begun");
    assert_eq!(trail.kept(), []);

    // Nobody else notices.
    assert_eq!(answer(create(&shop, Role::Customer, "Mug")).await.0, 201);
    assert_eq!(answer(shop.get(PRODUCT).bearer_auth(shop.token(Role::Staff))).await.0, 200);
}

#[tokio::test]
async fn an_answer_that_cannot_be_written_down_is_given_all_the_same() {
    let (trail, shop) = shop().await;
    trail.loses_answers.store(true, Ordering::SeqCst);
    assert_eq!(answer(create(&shop, Role::Staff, "Mug")).await.0, 201);
    assert_eq!(trail.kept().len(), 1, "how it ended is not known");
}

#[tokio::test]
async fn who_hangs_up_while_a_call_is_written_down_has_not_made_it() {
    let (trail, shop) = shop().await;
    trail.hangs.store(true, Ordering::SeqCst);
    let gone = create(&shop, Role::Staff, "Mug").timeout(Duration::from_millis(300)).send().await;
    assert!(gone.is_err_and(|error| error.is_timeout()));
    trail.hangs.store(false, Ordering::SeqCst);
    // The connection of the one who left is closed by then.
    assert_eq!(answer(create(&shop, Role::Staff, "Cup")).await.0, 201);
    assert_eq!(created(&shop), 1);
}

#[tokio::test]
async fn only_writes_of_staff_that_are_let_in_are_written_down() {
    let (trail, shop) = shop().await;
    let with = |role: Option<Role>, method: &str, path: &str| {
        let request = shop.request(method, path);
        match role {
            Some(role) => request.bearer_auth(shop.token(role)),
            None => request,
        }
    };
    for (role, method, path, status) in [
        (Some(Role::Customer), "POST", PRODUCTS, 415),
        (None, "POST", PRODUCTS, 401),
        (Some(Role::Staff), "GET", PRODUCT, 200),
        (Some(Role::Staff), "HEAD", PRODUCT, 200),
        (Some(Role::Service), "GET", "/api/v1/stock/mug", 200),
        (Some(Role::Staff), "OPTIONS", PRODUCT, 204),
        // Refused by the access table: it did nothing.
        (Some(Role::Staff), "DELETE", PRODUCT, 403),
        (Some(Role::Service), "POST", PRODUCTS, 403),
        (Some(Role::Staff), "DELETE", "/nowhere", 404),
        (Some(Role::Staff), "PUT", PRODUCT, 405),
    ] {
        assert_eq!(answer(with(role, method, path)).await.0, status, "{method} {path} as {role:?}");
        assert_eq!(trail.kept(), [], "{method} {path} as {role:?}");
    }
    let guest =
        shop.request("POST", "/api/v1/orders").header("X-Guest-Token", "g".repeat(43)).header("Idempotency-Key", "k");
    assert_eq!(answer(guest.json(&json!({}))).await.0, 202);
    assert_eq!(trail.kept(), []);
}

#[tokio::test]
async fn a_route_that_only_reads_is_not_written_down_whatever_its_method() {
    const TABLE: &[Route] = &[(Method::Post, PRODUCTS, Access::STAFF.reads())];
    let trail = Arc::new(Trail::default());
    let shop = Shop::start_recorded(TABLE, Arc::clone(&trail) as _).await;
    assert_eq!(answer(create(&shop, Role::Staff, "Mug")).await.0, 201);
    assert_eq!(answer(create(&shop, Role::Customer, "Mug")).await.0, 403, "who may call it is the same");
    assert_eq!(trail.kept(), []);
}

#[tokio::test]
async fn a_refusal_by_the_service_is_written_down_with_its_status() {
    let (trail, shop) = shop().await;
    let statuses = || trail.kept().iter().filter_map(|call| call.status).collect::<Vec<_>>();
    assert_eq!(refusal(create(&shop, Role::Admin, "sold out")).await.0, 409);
    assert_eq!(answer(shop.request("PATCH", PRODUCT).bearer_auth(shop.token(Role::Staff))).await.0, 428);
    assert_eq!(answer(shop.request("DELETE", PRODUCT).bearer_auth(shop.token(Role::Admin))).await.0, 204);
    assert_eq!(statuses(), [409, 428, 204]);
    let routes: Vec<_> = trail.kept().into_iter().map(|call| (call.method, call.route)).collect();
    assert_eq!(routes[2], ("PATCH".to_owned(), "/api/v1/products/{id}".to_owned()));
}

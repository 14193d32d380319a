//! Lines: adding, changing, taking out.

use reqwest::Method;
use serde_json::json;

use crate::catalog::PRODUCT;
use crate::given::{a_customer_cart, a_guest_cart, add, answer, cart_service, request, show};

#[tokio::test]
async fn a_cart_adds_up_by_sku_and_by_product() {
    let (shop, _) = cart_service().await;
    let (buyer, cart) = a_guest_cart(&shop).await;
    add(&shop, &buyer, &cart, "mug", 2).await;
    add(&shop, &buyer, &cart, "cup", 1).await;
    let by_product = request(&shop, &buyer, Method::POST, &format!("{cart}/items"));
    let filled = answer(by_product.json(&json!({ "productId": PRODUCT, "quantity": 3 }))).await;
    assert_eq!((filled.status, filled.etag.as_deref()), (200, Some("\"4\"")));
    assert_eq!(filled.lines(), [("mug", 5), ("cup", 1)]);
    assert_eq!(filled.total(), 2800);
    assert_eq!(
        filled.body["lines"][0],
        json!({
            "sku": "mug", "productId": PRODUCT, "name": "MUG", "quantity": 5, "withdrawn": false,
            "unitPrice": { "amount": 500, "currency": "EUR" }, "lineTotal": { "amount": 2500, "currency": "EUR" },
        })
    );
    assert_eq!(show(&shop, &buyer, &cart).await.body, filled.body);
}

#[tokio::test]
async fn what_is_archived_or_unknown_is_not_sold() {
    let (shop, catalog) = cart_service().await;
    let (buyer, cart) = a_guest_cart(&shop).await;
    catalog.change("mug", |mug| mug.archived = true).await;
    for body in [
        json!({ "sku": "mug", "quantity": 1 }),
        json!({ "sku": "unknown", "quantity": 1 }),
        json!({ "productId": PRODUCT, "quantity": 1 }),
        json!({ "productId": "0190b3c0-0000-7000-8000-00000000dead", "quantity": 1 }),
    ] {
        let refused = answer(request(&shop, &buyer, Method::POST, &format!("{cart}/items")).json(&body)).await;
        assert_eq!((refused.status, refused.code()), (409, "not_sold"), "{body}");
    }
    assert!(show(&shop, &buyer, &cart).await.lines().is_empty());
}

#[tokio::test]
async fn without_the_catalog_nothing_is_added_and_the_answer_says_try_again() {
    let (shop, catalog) = cart_service().await;
    let (buyer, cart) = a_guest_cart(&shop).await;
    catalog.set_away(true).await;
    let refused = add(&shop, &buyer, &cart, "mug", 1).await;
    assert_eq!((refused.status, refused.code()), (503, "unavailable"));
    catalog.set_away(false).await;
    assert!(show(&shop, &buyer, &cart).await.lines().is_empty());
}

#[tokio::test]
async fn one_key_adds_once_and_belongs_to_one_cart() {
    let (shop, catalog) = cart_service().await;
    for (buyer, cart) in [a_guest_cart(&shop).await, a_customer_cart(&shop).await] {
        catalog.change("mug", |mug| mug.archived = false).await;
        let send = |quantity: u32| {
            let request = request(&shop, &buyer, Method::POST, &format!("{cart}/items"));
            answer(request.header("Idempotency-Key", "k1").json(&json!({ "sku": "mug", "quantity": quantity })))
        };
        let sent = futures::future::join_all((0..20).map(|_| send(2))).await;
        assert!(sent.iter().all(|answer| answer.status == 200 && answer.lines() == [("mug", 2)]), "{sent:?}");
        let other = send(3).await;
        assert_eq!((other.status, other.code()), (422, "idempotency_key_reused"));
        catalog.change("mug", |mug| mug.archived = true).await;
        assert_eq!(send(2).await, sent[0], "what was done stays done");
    }
}

#[tokio::test]
async fn adding_from_many_tabs_at_once_loses_nothing() {
    let (shop, _) = cart_service().await;
    let (buyer, cart) = a_guest_cart(&shop).await;
    let added = futures::future::join_all((0..30).map(|_| add(&shop, &buyer, &cart, "mug", 1))).await;
    assert!(added.iter().all(|answer| answer.status == 200));
    let shown = show(&shop, &buyer, &cart).await;
    assert_eq!((shown.lines(), shown.etag.as_deref()), (vec![("mug", 30)], Some("\"31\"")));
}

#[tokio::test]
async fn lines_change_and_go_at_the_version_that_was_read() {
    let (shop, _) = cart_service().await;
    let (buyer, cart) = a_guest_cart(&shop).await;
    add(&shop, &buyer, &cart, "mug", 2).await;
    let mug = format!("{cart}/items/mug");
    let change = |tag: &'static str, quantity: u32| {
        let request = request(&shop, &buyer, Method::PATCH, &mug).header("If-Match", tag);
        answer(request.json(&json!({ "quantity": quantity })))
    };
    let changed = change("\"2\"", 7).await;
    assert_eq!((changed.lines(), changed.total(), changed.etag.as_deref()), (vec![("mug", 7)], 3500, Some("\"3\"")));
    for stale in ["\"2\"", "\"4\"", "nonsense", "*", "W/\"3\""] {
        let refused = change(stale, 8).await;
        assert_eq!((refused.status, refused.code()), (412, "version_conflict"), "{stale}");
        let refused = answer(request(&shop, &buyer, Method::DELETE, &mug).header("If-Match", stale)).await;
        assert_eq!((refused.status, refused.code()), (412, "version_conflict"), "{stale}");
    }
    for method in [Method::PATCH, Method::DELETE] {
        let refused = answer(request(&shop, &buyer, method, &mug).json(&json!({ "quantity": 8 }))).await;
        assert_eq!((refused.status, refused.code()), (428, "if_match_required"));
    }
    let other = format!("{cart}/items/cup");
    let missing = answer(request(&shop, &buyer, Method::DELETE, &other).header("If-Match", "\"3\"")).await;
    assert_eq!((missing.status, missing.code()), (404, "not_found"));
    let removed = answer(request(&shop, &buyer, Method::DELETE, &mug).header("If-Match", "\"3\"")).await;
    assert_eq!((removed.status, removed.lines().len(), removed.etag.as_deref()), (200, 0, Some("\"4\"")));
}

#[tokio::test]
async fn of_two_changes_at_one_version_exactly_one_counts() {
    let (shop, _) = cart_service().await;
    let (buyer, cart) = a_guest_cart(&shop).await;
    add(&shop, &buyer, &cart, "mug", 1).await;
    let change = |quantity: u32| {
        let request = request(&shop, &buyer, Method::PATCH, &format!("{cart}/items/mug")).header("If-Match", "\"2\"");
        answer(request.json(&json!({ "quantity": quantity })))
    };
    let answers = futures::future::join_all((2..12).map(change)).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 412).count(), 9);
}

#[tokio::test]
async fn a_cart_has_limits() {
    let (shop, catalog) = cart_service().await;
    let (buyer, cart) = a_guest_cart(&shop).await;
    for n in 0..101 {
        catalog.sell(&format!("s{n}"), 1).await;
    }
    for n in 0..100 {
        assert_eq!(add(&shop, &buyer, &cart, &format!("s{n}"), 1).await.status, 200);
    }
    let full = add(&shop, &buyer, &cart, "s100", 1).await;
    assert_eq!((full.status, full.code()), (409, "cart_full"));
    let many = add(&shop, &buyer, &cart, "s0", 1_000_000).await;
    assert_eq!((many.status, many.code()), (409, "quantity_too_large"));
    catalog.sell("s1", i64::MAX).await;
    let dear = add(&shop, &buyer, &cart, "s1", 1).await;
    assert_eq!((dear.status, dear.code()), (409, "total_too_large"));
    assert_eq!(show(&shop, &buyer, &cart).await.total(), 100);
}

#[tokio::test]
async fn a_price_in_another_currency_is_our_defect_and_adds_nothing() {
    let (shop, catalog) = cart_service().await;
    let (buyer, cart) = a_guest_cart(&shop).await;
    catalog.change("mug", |mug| mug.price.as_mut().unwrap().currency = "USD".into()).await;
    let refused = add(&shop, &buyer, &cart, "mug", 1).await;
    assert_eq!((refused.status, refused.code()), (500, "internal"));
    assert!(show(&shop, &buyer, &cart).await.lines().is_empty());
}

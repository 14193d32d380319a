//! Creating with stock and with keys: nothing half-made is ever seen, and the same key completes it (ruling 22).

use reqwest::Method;
use serde_json::{Value, json};
use shop_mongo::{Document, doc};
use shop_testkit::{TestShop, Who};

use crate::given::{Answer, CATEGORIES, PRODUCTS, answer, anybody, catalog, count, path, product, read, sold, with};

fn mug() -> Value {
    with(product("Mug", 999), json!({ "sku": "mug", "slug": "mug", "stock": 40 }))
}

async fn create(shop: &TestShop, who: &Who, list: &str, key: Option<&str>, body: &Value) -> Answer {
    let request = anybody(shop, Method::POST, list).header("Authorization", who.bearer()).json(body);
    answer(match key {
        Some(key) => request.header("Idempotency-Key", key),
        None => request,
    })
    .await
}

#[tokio::test]
async fn stock_is_set_once_before_anybody_sees_the_product() {
    let (shop, inventory) = catalog().await;
    let made = sold(&shop, &mug()).await;
    assert_eq!(made.body["status"], "active");
    assert_eq!(inventory.calls().await, [("mug".to_owned(), 40, made.id().to_owned())]);
    assert_eq!(read(&shop, &path(PRODUCTS, &made)).await.body, made.body);
    assert_eq!(read(&shop, PRODUCTS).await.names(), ["Mug"]);
    let stored = shop.mongo("catalog").await.collection::<Document>("products").find_one(doc! {}).await.unwrap();
    assert_eq!(stored.unwrap().get("draft_since"), None, "it does not expire");
}

#[tokio::test]
async fn while_inventory_is_away_nothing_is_visible_and_the_same_key_completes_it() {
    let (shop, inventory) = catalog().await;
    let who = shop.callers().staff();
    inventory.away(true).await;
    for _ in 0..2 {
        let refused = create(&shop, &who, PRODUCTS, Some("k1"), &mug()).await;
        assert_eq!((refused.status, refused.code()), (503, "unavailable"), "{}", refused.body);
        assert_eq!(refused.header("retry-after"), "1");
    }
    let drafts = shop.mongo("catalog").await.collection::<Document>("products");
    let draft = drafts.find_one(doc! {}).await.unwrap().unwrap();
    assert_eq!(count(&shop, "products").await, 1);
    assert!(read(&shop, PRODUCTS).await.names().is_empty());
    let hidden = format!("{PRODUCTS}/{}", draft.get_str("_id").unwrap());
    assert_eq!(read(&shop, &hidden).await.status, 404);
    assert_eq!(read(&shop, &format!("{PRODUCTS}/mug")).await.status, 404);
    let patched = crate::given::patch(&shop, &hidden, "\"1\"", &json!({ "name": "Cup" })).await;
    assert_eq!(patched.status, 404, "not by staff either");

    inventory.away(false).await;
    let made = create(&shop, &who, PRODUCTS, Some("k1"), &mug()).await;
    assert_eq!((made.status, &made.body["status"]), (201, &json!("active")), "{}", made.body);
    assert_eq!(made.id(), draft.get_str("_id").unwrap());
    assert_eq!(read(&shop, PRODUCTS).await.names(), ["Mug"]);
    let again = create(&shop, &who, PRODUCTS, Some("k1"), &mug()).await;
    assert_eq!((again.status, &again.body, again.etag()), (201, &made.body, made.etag()));
    assert_eq!(inventory.calls().await.len(), 1);
}

#[tokio::test]
async fn a_draft_that_expired_is_made_again_by_its_key() {
    let (shop, inventory) = catalog().await;
    let who = shop.callers().staff();
    inventory.away(true).await;
    assert_eq!(create(&shop, &who, PRODUCTS, Some("k1"), &mug()).await.status, 503);
    let products = shop.mongo("catalog").await.collection::<Document>("products");
    let draft = products.find_one_and_delete(doc! {}).await.unwrap().unwrap();
    inventory.away(false).await;
    let made = create(&shop, &who, PRODUCTS, Some("k1"), &mug()).await;
    assert_eq!((made.status, made.id()), (201, draft.get_str("_id").unwrap()), "{}", made.body);
    assert_eq!(read(&shop, PRODUCTS).await.names(), ["Mug"]);
}

#[tokio::test]
async fn without_a_key_a_draft_is_taken_back() {
    let (shop, inventory) = catalog().await;
    inventory.away(true).await;
    let refused = create(&shop, &shop.callers().staff(), PRODUCTS, None, &mug()).await;
    assert_eq!((refused.status, refused.code()), (503, "unavailable"));
    assert_eq!(count(&shop, "products").await, 0);
    inventory.away(false).await;
    sold(&shop, &mug()).await;
}

#[tokio::test]
async fn the_same_request_again_gives_the_same_answer() {
    let (shop, inventory) = catalog().await;
    let who = shop.callers().staff();
    let reordered = json!({ "stock": 40, "slug": "mug", "sku": "mug", "price": { "currency": "EUR", "amount": 999 }, "name": "Mug" });
    let first = create(&shop, &who, PRODUCTS, Some("k1"), &mug()).await;
    let again = create(&shop, &who, PRODUCTS, Some("k1"), &reordered).await;
    assert_eq!((first.status, again.status), (201, 201), "{}", again.body);
    assert_eq!((&first.body, first.etag()), (&again.body, again.etag()));
    assert_eq!(first.header("location"), again.header("location"));
    assert_eq!(inventory.calls().await.len(), 1);
    let body = json!({ "name": "Mugs" });
    let first = create(&shop, &who, CATEGORIES, Some("k1"), &body).await;
    let again = create(&shop, &who, CATEGORIES, Some("k1"), &body).await;
    assert_eq!((first.status, again.status), (201, 201), "another route has keys of its own: {}", again.body);
    assert_eq!(first.body, again.body);
    assert_eq!((count(&shop, "products").await, count(&shop, "categories").await), (1, 1));
}

#[tokio::test]
async fn a_key_means_one_request_of_one_caller() {
    let (shop, _) = catalog().await;
    let (one, other) = (shop.callers().staff(), shop.callers().admin());
    for (list, body, next) in [
        (PRODUCTS, product("Mug", 1), product("Cup", 1)),
        (CATEGORIES, json!({ "name": "Mugs" }), json!({ "name": "Cups" })),
    ] {
        assert_eq!(create(&shop, &one, list, Some("k1"), &body).await.status, 201);
        let reused = create(&shop, &one, list, Some("k1"), &next).await;
        assert_eq!((reused.status, reused.code()), (422, "idempotency_key_reused"), "{list}");
        assert_eq!(create(&shop, &other, list, Some("k1"), &next).await.status, 201, "{list}");
    }
}

#[tokio::test]
async fn a_refused_request_leaves_its_key_free() {
    let (shop, _) = catalog().await;
    let who = shop.callers().staff();
    sold(&shop, &mug()).await;
    let taken = create(&shop, &who, PRODUCTS, Some("k1"), &mug()).await;
    assert_eq!((taken.status, taken.code()), (409, "sku_taken"));
    let other = with(product("Cup", 1), json!({ "sku": "cup" }));
    assert_eq!(create(&shop, &who, PRODUCTS, Some("k1"), &other).await.status, 201);
}

#[tokio::test]
async fn the_same_key_many_times_at_once_makes_one_product() {
    let (shop, inventory) = catalog().await;
    let (who, body) = (shop.callers().staff(), mug());
    let all = (0..8).map(|_| create(&shop, &who, PRODUCTS, Some("k1"), &body));
    let answers = futures::future::join_all(all).await;
    for one in &answers {
        assert_eq!((one.status, one.id()), (201, answers[0].id()), "{}", one.body);
    }
    assert_eq!(count(&shop, "products").await, 1);
    let calls = inventory.calls().await;
    assert!(calls.iter().all(|call| *call == calls[0]), "several may ask inventory, all with the same key: {calls:?}");
}

//! One product: created, read, changed, archived.

use reqwest::Method;
use serde_json::json;

use crate::given::{
    NOBODY, PRODUCTS, answer, catalog, category, delete, patch, path, product, read, read_again, sold, staff, with,
};

#[tokio::test]
async fn a_product_is_read_by_id_and_by_slug_as_it_was_created() {
    let (shop, inventory) = catalog().await;
    let mugs = category(&shop, "Mugs", None).await;
    let more = json!({
        "slug": "blue-mug", "description": "Holds tea.\nAnd coffee.", "categoryId": mugs.id(), "sku": "mug-blue",
        "variants": [{ "sku": "mug-blue-xl", "name": "XL", "price": { "amount": 1299, "currency": "EUR" } }],
    });
    let made = sold(&shop, &with(product("Blue mug", 999), more)).await;
    assert_eq!(made.header("location"), path(PRODUCTS, &made));
    assert_eq!(made.header("cache-control"), "no-store");
    assert_eq!(made.body["status"], "active");
    assert_eq!(made.body["version"], 1);
    assert_eq!(made.body["price"], json!({ "amount": 999, "currency": "EUR" }));
    assert_eq!(made.body["sku"], "mug-blue");
    assert_eq!(made.body["variants"][0]["default"], true);
    assert_eq!(made.body["variants"][1]["sku"], "mug-blue-xl");
    assert_eq!(made.body["variants"][1]["price"]["amount"], 1299);
    assert_eq!(made.body.get("stock"), None, "nothing was told of its stock");
    for by in [path(PRODUCTS, &made), format!("{PRODUCTS}/blue-mug")] {
        let found = read(&shop, &by).await;
        assert_eq!((found.status, &found.body), (200, &made.body), "{by}");
        assert_eq!(found.etag(), made.etag());
    }
    assert!(inventory.calls().await.is_empty(), "no stock was given");
}

#[tokio::test]
async fn without_sku_and_slug_the_default_variant_has_the_id_of_the_product() {
    let (shop, _) = catalog().await;
    let made = sold(&shop, &product("Blue mug", 999)).await;
    assert_eq!(made.body["sku"], made.body["id"]);
    assert_eq!(made.body["variants"].as_array().unwrap().len(), 1);
    let slug = made.body["slug"].as_str().unwrap();
    assert!(slug.starts_with("blue-mug-"), "{slug}");
    assert_eq!(read(&shop, &format!("{PRODUCTS}/{slug}")).await.body, made.body);
}

#[tokio::test]
async fn skus_and_slugs_are_unique_also_between_variants() {
    let (shop, _) = catalog().await;
    let variant = json!([{ "sku": "mug-xl", "price": { "amount": 1, "currency": "EUR" } }]);
    sold(&shop, &with(product("Mug", 1), json!({ "sku": "mug", "slug": "mug", "variants": variant }))).await;
    for (more, code) in [
        (json!({ "sku": "mug" }), "sku_taken"),
        (json!({ "sku": "mug-xl" }), "sku_taken"),
        (json!({ "sku": "other", "variants": variant }), "sku_taken"),
        (json!({ "slug": "mug" }), "slug_taken"),
    ] {
        let refused = answer(staff(&shop, Method::POST, PRODUCTS).json(&with(product("Cup", 1), more))).await;
        assert_eq!((refused.status, refused.code()), (409, code));
    }
    assert_eq!(read(&shop, PRODUCTS).await.names(), ["Mug"]);
}

#[tokio::test]
async fn whoever_has_the_present_answer_in_store_is_told_304() {
    let (shop, _) = catalog().await;
    let mugs = category(&shop, "Mugs", None).await;
    let made = sold(&shop, &product("Mug", 1)).await;
    let one_category = path("/api/v1/categories", &mugs);
    for path in [path(PRODUCTS, &made), PRODUCTS.into(), "/api/v1/categories".into(), one_category] {
        let first = read(&shop, &path).await;
        assert_eq!(first.header("cache-control"), "public, no-cache", "{path}");
        let weak = format!("\"old\", W/{}", first.etag());
        for known in [first.etag(), &weak, "*"] {
            let again = read_again(&shop, &path, known).await;
            assert_eq!((again.status, again.etag(), &again.body), (304, first.etag(), &json!(null)), "{path} {known}");
            assert_eq!(again.header("cache-control"), "public, no-cache", "{path}");
        }
        for unknown in ["\"1\"", "\"1-000000000000000000000000\"", "1", ""] {
            assert_eq!(read_again(&shop, &path, unknown).await.status, 200, "{path} {unknown}");
        }
    }
    let before = read(&shop, PRODUCTS).await;
    patch(&shop, &path(PRODUCTS, &made), made.etag(), &json!({ "name": "Cup" })).await;
    assert_eq!(read_again(&shop, &path(PRODUCTS, &made), made.etag()).await.status, 200);
    assert_eq!(read_again(&shop, PRODUCTS, before.etag()).await.names(), ["Cup"]);
}

#[tokio::test]
async fn a_change_needs_the_version_that_was_read_and_touches_only_what_it_names() {
    let (shop, _) = catalog().await;
    let mugs = category(&shop, "Mugs", None).await;
    let made = sold(&shop, &with(product("Mug", 999), json!({ "description": "Blue." }))).await;
    let mug = path(PRODUCTS, &made);

    let blind = answer(staff(&shop, Method::PATCH, &mug).json(&json!({ "name": "Cup" }))).await;
    assert_eq!((blind.status, blind.code()), (428, "if_match_required"));
    for stale in ["\"2\"", "\"0\"", "1", "*", "W/\"1\"", "\"2-000000000000000000000000\"", "\"1-xyz\"", "\"1\", \"2\""]
    {
        let refused = patch(&shop, &mug, stale, &json!({ "name": "Cup" })).await;
        assert_eq!((refused.status, refused.code()), (412, "version_conflict"), "{stale}");
    }
    assert_eq!(read(&shop, &mug).await.body, made.body);

    let body = json!({ "name": "Cup", "categoryId": mugs.id(), "price": { "amount": 500, "currency": "EUR" } });
    let changed = patch(&shop, &mug, made.etag(), &body).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_eq!((&changed.body["name"], &changed.body["version"]), (&json!("Cup"), &json!(2)));
    assert_eq!(changed.body["variants"][0]["price"]["amount"], 500);
    for kept in ["id", "slug", "sku", "description", "createdAt", "status"] {
        assert_eq!(changed.body[kept], made.body[kept], "{kept}");
    }
    let found = read(&shop, &mug).await;
    assert_eq!((&found.body, found.etag()), (&changed.body, changed.etag()));
    assert_eq!(patch(&shop, &mug, made.etag(), &body).await.status, 412);

    let freed = patch(&shop, &mug, "\"2\"", &json!({ "categoryId": null })).await;
    assert_eq!((freed.status, freed.body.get("categoryId")), (200, None), "the version alone is enough");
    let nowhere = patch(&shop, &mug, "\"3\"", &json!({ "categoryId": NOBODY })).await;
    assert_eq!((nowhere.status, nowhere.code(), nowhere.field()), (422, "invalid_field", "categoryId"));
}

#[tokio::test]
async fn an_archived_product_is_off_sale_stays_as_it_is_and_is_still_known_by_id() {
    let (shop, _) = catalog().await;
    let made = sold(&shop, &with(product("Mug", 1), json!({ "slug": "mug", "sku": "mug" }))).await;
    let mug = path(PRODUCTS, &made);
    assert_eq!(answer(staff(&shop, Method::DELETE, &mug)).await.status, 428);
    assert_eq!(delete(&shop, &mug, "\"7\"").await.status, 412);
    let gone = delete(&shop, &mug, made.etag()).await;
    assert_eq!((gone.status, gone.body), (204, json!(null)));

    assert!(read(&shop, PRODUCTS).await.names().is_empty());
    assert_eq!(read(&shop, &format!("{PRODUCTS}/mug")).await.status, 404);
    let archived = read(&shop, &mug).await;
    assert_eq!((archived.status, &archived.body["status"]), (200, &json!("archived")));
    for refused in [
        patch(&shop, &mug, archived.etag(), &json!({ "name": "Cup" })).await,
        delete(&shop, &mug, archived.etag()).await,
    ] {
        assert_eq!((refused.status, refused.code()), (409, "product_archived"));
    }
    let again =
        answer(staff(&shop, Method::POST, PRODUCTS).json(&with(product("Mug", 1), json!({ "sku": "mug" })))).await;
    assert_eq!(again.code(), "sku_taken", "orders name the SKU");
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let (shop, _) = catalog().await;
    for name in [NOBODY, "nothing", "7", "%00", "%7B%22$gt%22:%22%22%7D", "Nothing%20At%20All", &"a".repeat(3000)] {
        let found = read(&shop, &format!("{PRODUCTS}/{name}")).await;
        assert_eq!((found.status, found.code()), (404, "not_found"), "{name}");
    }
    let there = format!("{PRODUCTS}/{NOBODY}");
    assert_eq!(patch(&shop, &there, "\"1\"", &json!({ "name": "x" })).await.status, 404);
    assert_eq!(delete(&shop, &there, "\"1\"").await.status, 404);
}

#[tokio::test]
async fn each_answer_that_shows_a_product_counts_as_a_view() {
    let (shop, _) = catalog().await;
    let made = sold(&shop, &product("Mug", 1)).await;
    for path in [path(PRODUCTS, &made), path("/products", &made), path(PRODUCTS, &made), format!("{PRODUCTS}/none")] {
        read(&shop, &path).await;
    }
    let text = shop.client().get(shop.admin_url("/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(text.contains("product_views_total{service=\"catalog\"} 3"), "{text}");
}

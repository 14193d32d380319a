//! Variants over HTTP: added, changed, removed, and found by their options.

use reqwest::Method;
use serde_json::{Value, json};
use shop_proto::catalog::GetVariantsRequest;
use shop_testkit::TestShop;

use crate::given::{
    Answer, NOBODY, PRODUCTS, answer, anybody, catalog, delete, patch, path, post, product, read, read_again, sold,
    staff, with,
};
use crate::variants::client;

fn price(cents: i64) -> Value {
    json!({ "amount": cents, "currency": "EUR" })
}

fn large() -> Value {
    json!({ "sku": "mug-l", "name": "Large", "options": { "size": "L" }, "price": price(1_299) })
}

/// A mug and the path of its variants.
async fn mug(shop: &TestShop) -> (Answer, String) {
    let mug = sold(shop, &with(product("Mug", 999), json!({ "sku": "mug", "slug": "mug" }))).await;
    let variants = format!("{}/variants", path(PRODUCTS, &mug));
    (mug, variants)
}

#[tokio::test]
async fn a_variant_is_added_read_and_sold() {
    let (shop, _) = catalog().await;
    let (mug, variants) = mug(&shop).await;
    let made = post(&shop, &variants, &large()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.body, with(large(), json!({ "default": false })));
    assert_eq!(made.header("location"), format!("{variants}/mug-l"));
    let found = read(&shop, made.header("location")).await;
    assert_eq!((found.status, &found.body, found.etag()), (200, &made.body, made.etag()));
    assert_eq!(read_again(&shop, made.header("location"), made.etag()).await.status, 304);
    assert_eq!(read(&shop, &format!("{PRODUCTS}/mug/variants/mug-l")).await.body, made.body, "also by slug");

    let all = read(&shop, &variants).await;
    let default = json!({ "sku": "mug", "price": price(999), "default": true });
    assert_eq!(all.body["items"], json!([default, made.body]));
    let product = read(&shop, &path(PRODUCTS, &mug)).await;
    assert_eq!((&product.body["variants"], &product.body["version"]), (&all.body["items"], &json!(2)));
    assert_eq!((&product.body["sku"], &product.body["price"]), (&json!("mug"), &price(999)), "the default one stays");

    let request = GetVariantsRequest { skus: vec!["mug-l".into()], product_ids: vec![mug.id().into()] };
    let mut client = client(&shop).await;
    let mut told = client.get_variants(request).await.unwrap().into_inner().variants;
    told.sort_by_key(|one| one.default_variant);
    assert_eq!(
        told.iter().map(|one| (one.name.as_str(), one.version)).collect::<Vec<_>>(),
        [("Mug, Large", 2), ("Mug", 2)]
    );
}

#[tokio::test]
async fn a_variant_is_changed_and_removed_at_the_version_that_was_read() {
    let (shop, _) = catalog().await;
    let (mug, variants) = mug(&shop).await;
    let one = format!("{variants}/mug-l");
    let made = post(&shop, &variants, &large()).await;
    assert_eq!(answer(staff(&shop, Method::PATCH, &one).json(&json!({}))).await.code(), "if_match_required");
    assert_eq!(answer(staff(&shop, Method::DELETE, &one)).await.code(), "if_match_required");
    assert_eq!(patch(&shop, &one, "\"1\"", &json!({ "price": price(1) })).await.code(), "version_conflict");
    assert_eq!(delete(&shop, &one, "\"1\"").await.code(), "version_conflict");

    let change = json!({ "name": null, "options": { "size": "XL" }, "price": price(1_499) });
    let changed = patch(&shop, &one, made.etag(), &change).await;
    let expected = json!({ "sku": "mug-l", "options": { "size": "XL" }, "price": price(1_499), "default": false });
    assert_eq!((changed.status, &changed.body), (200, &expected));
    let cheaper = patch(&shop, &format!("{variants}/mug"), changed.etag(), &json!({ "price": price(5) })).await;
    assert_eq!(cheaper.status, 200, "{}", cheaper.body);
    let list = read(&shop, &format!("{PRODUCTS}?maxPrice=5")).await;
    assert_eq!(list.names(), ["Mug"], "the price of the default variant is that of the product");

    let kept = delete(&shop, &format!("{variants}/mug"), cheaper.etag()).await;
    assert_eq!((kept.status, kept.code()), (409, "default_variant"));
    assert_eq!(delete(&shop, &one, cheaper.etag()).await.status, 204);
    assert_eq!(delete(&shop, &one, cheaper.etag()).await.status, 404);
    assert_eq!(read(&shop, &one).await.status, 404);
    let product = read(&shop, &path(PRODUCTS, &mug)).await;
    assert_eq!((product.body["variants"].as_array().unwrap().len(), &product.body["version"]), (1, &json!(5)));
    assert_eq!(post(&shop, &variants, &large()).await.status, 201, "its SKU is free again");
}

#[tokio::test]
async fn a_variant_needs_a_product_for_sale_and_a_sku_of_its_own() {
    let (shop, _) = catalog().await;
    let (mug, variants) = mug(&shop).await;
    let cup = sold(&shop, &with(product("Cup", 1), json!({ "sku": "cup" }))).await;
    for sku in ["mug", "cup"] {
        let taken = post(&shop, &variants, &with(large(), json!({ "sku": sku }))).await;
        assert_eq!((taken.status, taken.code()), (409, "sku_taken"), "{sku}");
    }
    for (wrong, status, code, field) in [
        (json!({ "sku": "a b" }), 422, "invalid_field", "sku"),
        (json!({ "name": "" }), 422, "invalid_field", "name"),
        (json!({ "price": price(-1) }), 422, "invalid_field", "price.amount"),
        (json!({ "options": { "size": "" } }), 422, "invalid_field", "options.size"),
        (json!({ "options": { "Size": "L" } }), 422, "invalid_field", "options"),
        (json!({ "options": 7 }), 400, "malformed_body", "options"),
        (json!({ "stock": 7 }), 422, "unknown_field", "stock"),
    ] {
        let refused = post(&shop, &variants, &with(large(), wrong)).await;
        assert_eq!((refused.status, refused.code(), refused.field()), (status, code, field), "{}", refused.body);
    }
    for nothing in [NOBODY, "7", "mug"] {
        let missing = post(&shop, &format!("{PRODUCTS}/{nothing}/variants"), &large()).await;
        assert_eq!((missing.status, missing.code()), (404, "not_found"), "{nothing}");
    }
    for nothing in ["cup", "a%20b", "%00"] {
        assert_eq!(read(&shop, &format!("{variants}/{nothing}")).await.status, 404, "{nothing}");
        let unchanged = patch(&shop, &format!("{variants}/{nothing}"), "\"1\"", &json!({ "name": "x" })).await;
        assert_eq!(unchanged.status, 404, "{nothing}");
    }
    delete(&shop, &path(PRODUCTS, &cup), cup.etag()).await;
    let gone = post(&shop, &format!("{}/variants", path(PRODUCTS, &cup)), &large()).await;
    assert_eq!((gone.status, gone.code()), (409, "product_archived"));
    assert_eq!(read(&shop, &path(PRODUCTS, &mug)).await.body, mug.body);
}

#[tokio::test]
async fn the_same_key_adds_a_variant_once() {
    let (shop, _) = catalog().await;
    let (_, variants) = mug(&shop).await;
    let who = shop.callers().staff().bearer();
    let by_key = |body: &Value| {
        let request = anybody(&shop, Method::POST, &variants).header("Authorization", &who);
        request.header("Idempotency-Key", "k1").json(body)
    };
    let refused = answer(by_key(&with(large(), json!({ "sku": "mug" })))).await;
    assert_eq!((refused.status, refused.code()), (409, "sku_taken"), "and its key stays free");
    let send = |body: Value| by_key(&body);
    let (first, again) = (answer(send(large())).await, answer(send(large())).await);
    assert_eq!((first.status, again.status, &first.body), (201, 201, &again.body));
    let other = answer(send(with(large(), json!({ "sku": "mug-m" })))).await;
    assert_eq!((other.status, other.code()), (422, "idempotency_key_reused"));
    let all = futures::future::join_all((0..4).map(|n| {
        let body = with(large(), json!({ "sku": format!("mug-{n}") }));
        let request = staff(&shop, Method::POST, &variants).json(&body);
        async move { answer(request).await.status }
    }));
    assert_eq!(all.await, [201; 4], "none is lost by another one beside it");
    assert_eq!(read(&shop, &variants).await.body["items"].as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn options_are_facets_of_the_product() {
    let (shop, _) = catalog().await;
    let (_, variants) = mug(&shop).await;
    let made = post(&shop, &variants, &large()).await;
    let found = read(&shop, &format!("{PRODUCTS}?attr.size=L")).await;
    assert_eq!(found.names(), ["Mug"]);
    assert_eq!(found.body["facets"]["attributes"], json!([{ "name": "size", "value": "L", "count": 1 }]));
    assert_eq!(delete(&shop, made.header("location"), made.etag()).await.status, 204);
    assert!(read(&shop, &format!("{PRODUCTS}?attr.size=L")).await.names().is_empty());
}

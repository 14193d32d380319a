//! What programs look up by SKU and id.

use reqwest::Method;
use serde_json::{Value, json};
use shop_testkit::TestShop;

use crate::given::{Answer, NOBODY, PRODUCTS, answer, catalog, delete, path, product, program, sold, with};

async fn ask(shop: &TestShop, body: &Value) -> Answer {
    answer(program(shop, Method::POST, "/api/v1/products/batch-get").json(body)).await
}

#[tokio::test]
async fn what_is_sold_is_told_with_price_and_version_and_what_nobody_sells_is_absent() {
    let (shop, _) = catalog().await;
    let variants = json!([{ "sku": "mug-xl", "name": "XL", "price": { "amount": 1299, "currency": "EUR" } }]);
    let mug = sold(&shop, &with(product("Mug", 999), json!({ "sku": "mug", "variants": variants }))).await;
    let cup = sold(&shop, &with(product("Cup", 500), json!({ "sku": "cup" }))).await;
    delete(&shop, &path(PRODUCTS, &cup), cup.etag()).await;

    let found = ask(&shop, &json!({ "skus": ["mug-xl", "nothing"], "productIds": [cup.id(), NOBODY] })).await;
    assert_eq!(found.status, 200, "{}", found.body);
    let mut items = found.body["items"].as_array().unwrap().clone();
    items.sort_by_key(|item| item["sku"].as_str().unwrap().to_owned());
    let price = |amount: i64| json!({ "amount": amount, "currency": "EUR" });
    assert_eq!(
        json!(items),
        json!([
            { "sku": "cup", "productId": cup.id(), "name": "Cup", "price": price(500), "version": 2, "default": true,
              "archived": true },
            { "sku": "mug-xl", "productId": mug.id(), "name": "Mug, XL", "price": price(1299), "version": 1,
              "default": false, "archived": false },
        ])
    );
    assert_eq!(ask(&shop, &json!({})).await.body, json!({ "items": [] }));
}

#[tokio::test]
async fn more_than_two_hundred_are_refused() {
    let (shop, _) = catalog().await;
    let skus = |count: usize| (0..count).map(|n| format!("sku-{n}")).collect::<Vec<_>>();
    assert_eq!(ask(&shop, &json!({ "skus": skus(199), "productIds": [NOBODY] })).await.status, 200);
    let refused = ask(&shop, &json!({ "skus": skus(200), "productIds": [NOBODY] })).await;
    assert_eq!((refused.status, refused.code(), refused.field()), (422, "invalid_field", "skus"));
    let refused = ask(&shop, &json!({ "skus": ["a b"] })).await;
    assert_eq!((refused.status, refused.code(), refused.field()), (422, "invalid_field", "skus[0]"));
    let refused = ask(&shop, &json!({ "filter": {} })).await;
    assert_eq!((refused.status, refused.code()), (422, "unknown_field"));
}

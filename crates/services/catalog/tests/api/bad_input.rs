//! What no request on the catalog can be: refused with the one error body, a stable code and the field; nothing written.

use reqwest::Method;
use serde_json::{Value, json};
use shop_testkit::TestShop;

use crate::given::{
    Answer, CATEGORIES, PRODUCTS, answer, catalog, category, count, path, post, product, read, sold, staff, with,
};

/// The one error body (ruling 27), with this status, code and field.
fn assert_refused(got: &Answer, expected: (u16, &str, &str), what: &str) {
    assert_eq!((got.status, got.code(), got.field()), expected, "{what} gave {}", got.body);
    assert_eq!(got.body["status"], got.status);
    for text in ["error", "requestId", "timestamp"] {
        assert!(got.body[text].as_str().is_some_and(|text| !text.is_empty()), "{text} of {}", got.body);
    }
    assert_eq!(got.header("x-request-id"), got.body["requestId"]);
}

/// A shop with a mug and a shelf, to be found unchanged.
struct Given {
    shop: TestShop,
    mug: Answer,
    shelf: Answer,
}

impl Given {
    async fn new() -> Self {
        let (shop, _) = catalog().await;
        let (mug, shelf) = (sold(&shop, &product("Mug", 1)).await, category(&shop, "Shelf", None).await);
        Self { shop, mug, shelf }
    }

    /// Method and path of every route that takes a body.
    fn writes(&self) -> [(Method, String); 4] {
        [
            (Method::POST, PRODUCTS.to_owned()),
            (Method::PATCH, path(PRODUCTS, &self.mug)),
            (Method::POST, CATEGORIES.to_owned()),
            (Method::PATCH, path(CATEGORIES, &self.shelf)),
        ]
    }

    async fn assert_unchanged(&self) {
        assert_eq!(read(&self.shop, PRODUCTS).await.body["items"], json!([self.mug.body]));
        assert_eq!(read(&self.shop, CATEGORIES).await.body["items"], json!([self.shelf.body]));
        assert_eq!((count(&self.shop, "products").await, count(&self.shop, "idempotency").await), (1, 0));
    }
}

async fn refuse_each(shop: &TestShop, method: Method, path: &str, cases: Vec<(Value, u16, &str, &str)>) {
    for (body, status, code, field) in cases {
        let request = staff(shop, method.clone(), path).header("If-Match", "\"1\"").header("Idempotency-Key", "bad");
        let got = answer(request.json(&body)).await;
        assert_refused(&got, (status, code, field), &format!("{method} {path} {body}"));
    }
}

/// Bodies that are wrong in the same way for a new product and for a change of one.
fn wrong_product_fields() -> Vec<(Value, u16, &'static str, &'static str)> {
    let price = |amount: Value, currency: Value| json!({ "price": { "amount": amount, "currency": currency } });
    vec![
        (json!({ "name": 7 }), 400, "malformed_body", "name"),
        (json!({ "name": { "$gt": "" } }), 400, "malformed_body", "name"),
        (json!({ "name": ["Mug"] }), 400, "malformed_body", "name"),
        (json!({ "name": null }), 400, "malformed_body", "name"),
        (json!({ "name": "" }), 422, "invalid_field", "name"),
        (json!({ "name": "   " }), 422, "invalid_field", "name"),
        (json!({ "name": "a\nb" }), 422, "invalid_field", "name"),
        (json!({ "name": "x".repeat(201) }), 422, "invalid_field", "name"),
        (json!({ "description": { "$ne": 1 } }), 400, "malformed_body", "description"),
        (json!({ "description": "x".repeat(10_001) }), 422, "invalid_field", "description"),
        (json!({ "categoryId": { "$ne": null } }), 400, "malformed_body", "categoryId"),
        (json!({ "categoryId": 7 }), 400, "malformed_body", "categoryId"),
        (json!({ "categoryId": "shelf" }), 422, "invalid_field", "categoryId"),
        (json!({ "price": 9.99 }), 400, "malformed_body", "price"),
        (json!({ "price": { "amount": 1 } }), 422, "invalid_field", "price.currency"),
        (price(json!("1"), json!("EUR")), 400, "malformed_body", "price.amount"),
        (price(json!(1.5), json!("EUR")), 400, "malformed_body", "price.amount"),
        (price(json!({ "$inc": 1 }), json!("EUR")), 400, "malformed_body", "price.amount"),
        (price(json!(-1), json!("EUR")), 422, "invalid_field", "price.amount"),
        (price(json!(i64::MIN), json!("EUR")), 422, "invalid_field", "price.amount"),
        (price(json!(i64::MAX), json!("EUR")), 422, "invalid_field", "price.amount"),
        (price(json!(u64::MAX), json!("EUR")), 422, "invalid_field", "price.amount"),
        (price(json!(1_000_000_000_001_i64), json!("EUR")), 422, "invalid_field", "price.amount"),
        (price(json!(1), json!("USD")), 422, "invalid_field", "price.currency"),
        (price(json!(1), json!("euro")), 422, "invalid_field", "price.currency"),
        (price(json!(1), json!(978)), 400, "malformed_body", "price.currency"),
        (json!({ "attributes": ["blue"] }), 400, "malformed_body", "attributes"),
        (json!({ "attributes": { "colour": 7 } }), 400, "malformed_body", "attributes.colour"),
        (json!({ "attributes": { "colour": "" } }), 422, "invalid_field", "attributes.colour"),
        (json!({ "attributes": { "$where": "x" } }), 422, "invalid_field", "attributes"),
        (json!({ "attributes": { "a.b": "x" } }), 422, "invalid_field", "attributes"),
        (json!({ "$set": { "price": 0 } }), 422, "unknown_field", "$set"),
        (json!({ "version": 7 }), 422, "unknown_field", "version"),
        (json!({ "status": "archived" }), 422, "unknown_field", "status"),
        (json!({ "_id": "x" }), 422, "unknown_field", "_id"),
    ]
}

#[tokio::test]
async fn a_new_product_is_refused_by_the_field_that_is_wrong() {
    let given = Given::new().await;
    let mut cases: Vec<_> = wrong_product_fields()
        .into_iter()
        .map(|(wrong, status, code, field)| (with(product("Cup", 1), wrong), status, code, field))
        .collect();
    let variant = |sku: Value| json!({ "variants": [{ "sku": sku, "price": { "amount": 1, "currency": "EUR" } }] });
    let many: Vec<_> = (0..100).map(|n| variant(json!(format!("v{n}")))["variants"][0].clone()).collect();
    for (more, status, code, field) in [
        (json!({ "sku": "" }), 422, "invalid_field", "sku"),
        (json!({ "sku": "a b" }), 422, "invalid_field", "sku"),
        (json!({ "sku": "x".repeat(65) }), 422, "invalid_field", "sku"),
        (json!({ "sku": { "$gt": "" } }), 400, "malformed_body", "sku"),
        (json!({ "slug": "Not Plain" }), 422, "invalid_field", "slug"),
        (json!({ "slug": "" }), 422, "invalid_field", "slug"),
        (json!({ "slug": "x".repeat(81) }), 422, "invalid_field", "slug"),
        (json!({ "slug": "imports" }), 422, "invalid_field", "slug"),
        (json!({ "slug": 7 }), 400, "malformed_body", "slug"),
        (json!({ "stock": -1 }), 422, "invalid_field", "stock"),
        (json!({ "stock": 1_000_001 }), 422, "invalid_field", "stock"),
        (json!({ "stock": 4_294_967_295_u32 }), 422, "invalid_field", "stock"),
        (json!({ "stock": u64::MAX }), 422, "invalid_field", "stock"),
        (json!({ "stock": 1.5 }), 400, "malformed_body", "stock"),
        (json!({ "stock": "1" }), 400, "malformed_body", "stock"),
        (variant(json!("a b")), 422, "invalid_field", "variants[0].sku"),
        (variant(json!({ "$gt": "" })), 400, "malformed_body", "variants[0].sku"),
        (with(variant(json!("cup")), json!({ "sku": "cup" })), 422, "invalid_field", "variants[0].sku"),
        (json!({ "variants": [{ "sku": "a" }] }), 422, "invalid_field", "variants[0].price"),
        (json!({ "variants": {} }), 400, "malformed_body", "variants"),
        (json!({ "variants": many }), 422, "invalid_field", "variants"),
    ] {
        cases.push((with(product("Cup", 1), more), status, code, field));
    }
    cases.push((json!({ "name": "Cup" }), 422, "invalid_field", "price"));
    cases.push((json!({ "price": { "amount": 1, "currency": "EUR" } }), 422, "invalid_field", "name"));
    refuse_each(&given.shop, Method::POST, PRODUCTS, cases).await;
    given.assert_unchanged().await;
}

#[tokio::test]
async fn a_change_of_a_product_is_refused_by_the_field_that_is_wrong() {
    let given = Given::new().await;
    let mut cases = wrong_product_fields();
    cases.extend([
        (json!({ "description": null }), 400, "malformed_body", "description"),
        (json!({ "price": null }), 400, "malformed_body", "price"),
        (json!({ "sku": "other" }), 422, "unknown_field", "sku"),
        (json!({ "stock": 5 }), 422, "unknown_field", "stock"),
    ]);
    refuse_each(&given.shop, Method::PATCH, &path(PRODUCTS, &given.mug), cases).await;
    given.assert_unchanged().await;
}

#[tokio::test]
async fn categories_are_refused_by_the_field_that_is_wrong() {
    let given = Given::new().await;
    for (method, path) in &given.writes()[2..] {
        let name = if *method == Method::POST { json!({ "name": "Cups" }) } else { json!({}) };
        let cases = [
            (json!({ "name": { "$gt": "" } }), 400, "malformed_body", "name"),
            (json!({ "name": 1 }), 400, "malformed_body", "name"),
            (json!({ "name": null }), 400, "malformed_body", "name"),
            (json!({ "name": "" }), 422, "invalid_field", "name"),
            (json!({ "name": "x".repeat(101) }), 422, "invalid_field", "name"),
            (json!({ "name": "a\u{0}b" }), 422, "invalid_field", "name"),
            (json!({ "description": [] }), 400, "malformed_body", "description"),
            (json!({ "description": "x".repeat(2001) }), 422, "invalid_field", "description"),
            (json!({ "parentId": { "$ne": 1 } }), 400, "malformed_body", "parentId"),
            (json!({ "parentId": "top" }), 422, "invalid_field", "parentId"),
            (json!({ "touched": 1 }), 422, "unknown_field", "touched"),
            (json!({ "$set": { "name": "x" } }), 422, "unknown_field", "$set"),
        ];
        let cases = cases.map(|(wrong, status, code, field)| (with(name.clone(), wrong), status, code, field));
        refuse_each(&given.shop, method.clone(), path, cases.to_vec()).await;
    }
    let nameless = post(&given.shop, CATEGORIES, &json!({})).await;
    assert_refused(&nameless, (422, "invalid_field", "name"), "a category without a name");
    given.assert_unchanged().await;
}

#[tokio::test]
async fn what_is_no_json_object_or_too_large_is_refused_on_every_route_with_a_body() {
    let given = Given::new().await;
    let deep = format!("{{\"name\":{}{}}}", "[".repeat(40), "]".repeat(40));
    for (method, path) in given.writes() {
        for (body, media, status, code) in [
            ("{", "application/json", 400, "malformed_body"),
            ("", "application/json", 400, "malformed_body"),
            ("[]", "application/json", 400, "malformed_body"),
            ("\"name\"", "application/json", 400, "malformed_body"),
            ("null", "application/json", 400, "malformed_body"),
            (r#"{"name":"a","name":"b"}"#, "application/json", 400, "malformed_body"),
            (r#"{"name":"\ud800"}"#, "application/json", 400, "malformed_body"),
            (deep.as_str(), "application/json", 400, "malformed_body"),
            (r#"{"name":"a"}"#, "text/plain", 415, "unsupported_media_type"),
            ("name=a", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
            (&" ".repeat(70_000), "application/json", 413, "body_too_large"),
        ] {
            let request = staff(&given.shop, method.clone(), &path).header("If-Match", "\"1\"");
            let got = answer(request.header("Content-Type", media).body(body.to_owned())).await;
            let what = format!("{method} {path} {}", body.chars().take(40).collect::<String>());
            assert_refused(&got, (status, code, got.field()), &what);
        }
    }
    given.assert_unchanged().await;
}

#[tokio::test]
async fn malformed_ids_keys_and_versions_are_refused() {
    let given = Given::new().await;
    let shop = &given.shop;
    for list in [PRODUCTS, CATEGORIES] {
        for id in ["7", "null", "%00", "%7B%22$gt%22:%22%22%7D", "..%2f", &"a".repeat(5000)] {
            for method in [Method::PATCH, Method::DELETE] {
                let request = staff(shop, method.clone(), &format!("{list}/{id}")).header("If-Match", "\"1\"");
                let got = answer(request.json(&json!({ "name": "x" }))).await;
                assert_refused(&got, (404, "not_found", ""), &format!("{method} {list}/{id}"));
            }
        }
        for key in ["", &"k".repeat(256), "\"a\"b\""] {
            let request = staff(shop, Method::POST, list).header("Idempotency-Key", key);
            let got = answer(request.json(&product("Cup", 1))).await;
            assert_refused(&got, (400, "invalid_idempotency_key", "Idempotency-Key"), key);
        }
    }
    for (method, path) in [&given.writes()[1], &given.writes()[3]] {
        for version in ["", "1", "W/\"1\"", "\"-1\"", "\"9223372036854775808\"", "\"1-\"", "*"] {
            let request = staff(shop, method.clone(), path).header("If-Match", version);
            let got = answer(request.json(&json!({ "name": "x" }))).await;
            assert_refused(&got, (412, "version_conflict", "If-Match"), version);
        }
    }
    given.assert_unchanged().await;
}

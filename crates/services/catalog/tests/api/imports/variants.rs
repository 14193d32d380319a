//! What rows say of variants, and what they leave alone.

use super::*;

fn eur(cents: i64) -> Value {
    json!({ "amount": cents, "currency": "EUR" })
}

/// A row that says this of the variant `mug-l` of the product `mug`.
fn of_large(said: Value) -> String {
    json!({ "sku": "mug", "variants": [with(json!({ "sku": "mug-l" }), said)] }).to_string()
}

#[tokio::test]
async fn a_row_changes_of_a_variant_only_what_it_says() {
    let (shop, _) = catalog().await;
    let large = json!({ "sku": "mug-l", "name": "Large", "options": { "size": "l" }, "price": eur(700) });
    sold(&shop, &with(product("Mug", 500), json!({ "sku": "mug", "slug": "mug", "variants": [large] }))).await;
    let mut wanted = shown(&shop, "mug").await;
    for (field, value) in [("price", eur(800)), ("name", json!("L")), ("options", json!({ "size": "xl" }))] {
        let done = import(&shop, NDJSON, of_large(json!({ field: &value }))).await;
        assert_eq!(told(&done), ("done", [0, 1, 0, 0]), "{done}");
        wanted["variants"][1][field] = value;
        assert_eq!(shown(&shop, "mug").await, wanted, "{field}");
    }
    let cell = json!([{ "sku": "mug-l", "price": eur(900) }]).to_string().replace('"', "\"\"");
    let done = import(&shop, CSV, format!("sku,variants\nmug,\"{cell}\"\n")).await;
    assert_eq!(told(&done), ("done", [0, 1, 0, 0]), "{done}");
    wanted["variants"][1]["price"] = eur(900);
    assert_eq!(shown(&shop, "mug").await, wanted);

    let done = import(&shop, NDJSON, of_large(json!({ "name": null, "options": {} }))).await;
    assert_eq!(told(&done), ("done", [0, 1, 0, 0]), "{done}");
    let bare = json!({ "sku": "mug-l", "price": eur(900), "default": false });
    assert_eq!(shown(&shop, "mug").await["variants"][1], bare, "what is said to be none is taken away");
}

#[tokio::test]
async fn a_new_variant_needs_a_price_and_nothing_else() {
    let (shop, _) = catalog().await;
    sold(&shop, &with(product("Mug", 500), json!({ "sku": "mug", "slug": "mug" }))).await;
    let failed = import(&shop, NDJSON, of_large(json!({ "name": "Large" }))).await;
    let error = &failed["errors"][0];
    let told_error = (error["row"].as_u64(), error["field"].as_str(), error["code"].as_str());
    assert_eq!(told_error, (Some(1), Some("variants[0].price"), Some("invalid_field")), "{failed}");
    let done = import(&shop, NDJSON, of_large(json!({ "price": eur(700) }))).await;
    assert_eq!(told(&done), ("done", [0, 1, 0, 0]), "{done}");
    let bare = json!({ "sku": "mug-l", "price": eur(700), "default": false });
    assert_eq!(shown(&shop, "mug").await["variants"][1], bare);
}

//! Rows that are as large as a product can make them.

use super::*;

/// Texts of so many characters, as many bytes as those can have.
fn long(characters: usize) -> String {
    "\u{10348}".repeat(characters)
}

/// A product of 100 variants that differ in all of their 20 options.
fn large(product: usize) -> Value {
    let price = json!({ "amount": 1, "currency": "EUR" });
    let option = |variant: usize, n: usize| {
        (format!("{:0>40}", format!("{variant}-{n}")), Value::String(format!("{product}{}", long(99))))
    };
    let options = |variant: usize| (0..20).map(|n| option(variant, n)).collect::<Value>();
    let variant = |n: usize| {
        let sku = format!("s{product}-{n}");
        json!({ "sku": sku, "name": long(200), "options": options(n), "price": price })
    };
    json!({
        "sku": format!("s{product}-0"), "slug": format!("s{product}"), "name": long(200), "description": long(10_000),
        "attributes": options(0), "price": price, "variants": (0..100).map(variant).collect::<Vec<_>>(),
    })
}

#[tokio::test]
async fn the_largest_products_go_out_and_come_in_again() {
    let (shop, _) = catalog().await;
    let file = [large(1), large(2), large(3)].map(|row| row.to_string()).join("\n");
    assert_eq!(told(&import(&shop, NDJSON, file).await), ("done", [3, 0, 0, 0]));
    for media in [NDJSON, CSV] {
        let again = export(&shop, media).await;
        assert!(again.len() > 3_000_000, "{}", again.len());
        assert_eq!(told(&import(&shop, media, again).await), ("done", [0, 0, 3, 0]), "{media}");
    }
}

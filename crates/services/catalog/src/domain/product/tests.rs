//! The rules of products, tried.

use super::*;
use std::collections::BTreeMap;

use uuid::Uuid;

fn eur(amount: i64) -> Money {
    Money::new(amount, "EUR".parse().unwrap())
}

fn a_product() -> NewProduct {
    NewProduct {
        name: "Blue mug".into(),
        slug: None,
        description: None,
        category: None,
        category_name: None,
        attributes: BTreeMap::new(),
        price: eur(999),
        sku: None,
        variants: Vec::new(),
        stock: None,
    }
}

fn a_variant(sku: &str) -> NewVariant {
    NewVariant { sku: sku.parse().unwrap(), name: None, options: BTreeMap::new(), price: eur(1) }
}

fn create(new: NewProduct) -> Result<Product, Error> {
    let id = ProductId::from_uuid(Uuid::from_u128(0x1234_5678));
    Product::create(id, new, "EUR".parse().unwrap(), Timestamp::UNIX_EPOCH)
}

fn field_of(result: Result<Product, Error>) -> String {
    match result {
        Err(Error::Invalid { field, .. }) => field,
        other => panic!("expected an invalid field, got {other:?}"),
    }
}

#[test]
fn a_product_without_a_sku_is_sold_under_its_own_id() {
    let product = create(a_product()).unwrap();
    assert_eq!(product.default_variant().unwrap().sku.as_str(), product.id.to_string());
    assert_eq!(product.slug, "blue-mug-000012345678");
    assert_eq!(product.version, 1);
}

#[test]
fn prices_are_in_the_currency_of_the_shop_and_not_negative() {
    let usd = Money::new(1, "USD".parse().unwrap());
    assert_eq!(field_of(create(NewProduct { price: usd, ..a_product() })), "price.currency");
    assert_eq!(field_of(create(NewProduct { price: eur(-1), ..a_product() })), "price.amount");
    assert_eq!(field_of(create(NewProduct { price: eur(i64::MAX), ..a_product() })), "price.amount");
    assert!(create(NewProduct { price: eur(0), ..a_product() }).is_ok());
}

#[test]
fn a_product_waits_for_its_stock_which_has_a_bound() {
    assert_eq!(create(NewProduct { stock: Some(0), ..a_product() }).unwrap().status, Status::Draft);
    assert!(create(NewProduct { stock: Some(1_000_000), ..a_product() }).is_ok());
    assert_eq!(field_of(create(NewProduct { stock: Some(1_000_001), ..a_product() })), "stock");
}

#[test]
fn variants_do_not_share_a_sku() {
    let variant = a_variant("red");
    let new = NewProduct { sku: Some("red".parse().unwrap()), variants: vec![variant], ..a_product() };
    assert_eq!(field_of(create(new)), "variants[0].sku");
}

#[test]
fn slugs_never_hide_a_route_or_an_id() {
    for slug in ["imports", "batch-get", "Not-Plain", "a--b", "", "00000000-0000-0000-0000-000000000007"] {
        assert_eq!(field_of(create(NewProduct { slug: Some(slug.into()), ..a_product() })), "slug", "{slug}");
    }
}

#[test]
fn archived_products_do_not_change() {
    let archived = create(a_product()).unwrap().archive(Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(archived.version, 2);
    assert_eq!(archived.clone().archive(Timestamp::UNIX_EPOCH), Err(Error::Archived));
    let change = archived.change(ProductChange::default(), "EUR".parse().unwrap(), Timestamp::UNIX_EPOCH);
    assert_eq!(change, Err(Error::Archived));
}

#[test]
fn a_change_leaves_absent_parts_alone() {
    let product = create(a_product()).unwrap();
    let change = ProductChange { price: Some(eur(500)), ..ProductChange::default() };
    let changed = product.clone().change(change, "EUR".parse().unwrap(), Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(changed.default_variant().unwrap().price, eur(500));
    assert_eq!((changed.name, changed.version), (product.name, 2));
}

#[test]
fn variants_are_added_changed_and_removed_but_the_default_one_stays() {
    let (currency, now) = ("EUR".parse().unwrap(), Timestamp::UNIX_EPOCH);
    let product = create(NewProduct { sku: Some("mug".parse().unwrap()), ..a_product() }).unwrap();
    let (mug, large): (Sku, Sku) = ("mug".parse().unwrap(), "mug-l".parse().unwrap());
    let added = product.add_variant(a_variant("mug-l"), currency, now).unwrap();
    assert_eq!((added.version, added.variants.len()), (2, 2));
    assert_eq!(added.clone().add_variant(a_variant("mug"), currency, now), Err(Error::SkuTaken));
    let options = BTreeMap::from([("size".to_owned(), "L".to_owned())]);
    let change = VariantChange { options: Some(options), price: Some(eur(7)), ..VariantChange::default() };
    let changed = added.change_variant(&large, change, currency, now).unwrap();
    let variant = changed.variant(&large).unwrap();
    assert_eq!((variant.price, variant.options.iter().collect::<Vec<_>>()), (eur(7), vec![("size", "L")]));
    assert_eq!(changed.clone().remove_variant(&mug, now), Err(Error::DefaultVariant));
    assert_eq!(changed.clone().remove_variant(&"x".parse().unwrap(), now), Err(Error::NoSuchVariant));
    let removed = changed.remove_variant(&large, now).unwrap();
    assert_eq!((removed.version, removed.variants.len()), (4, 1));
    let archived = removed.archive(now).unwrap();
    assert_eq!(archived.add_variant(a_variant("mug-l"), currency, now), Err(Error::Archived));
}

#[test]
fn a_product_has_at_most_a_hundred_variants() {
    let (currency, now) = ("EUR".parse().unwrap(), Timestamp::UNIX_EPOCH);
    let variants = (1..100).map(|n| a_variant(&format!("v{n}"))).collect();
    let full = create(NewProduct { variants, ..a_product() }).unwrap();
    assert_eq!(full.add_variant(a_variant("one-more"), currency, now), Err(Error::TooManyVariants));
}

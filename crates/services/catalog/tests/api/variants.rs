//! What peers ask over gRPC.

use serde_json::json;
use shop_proto::catalog::catalog_client::CatalogClient;
use shop_proto::catalog::{GetVariantsRequest, Variant};
use shop_testkit::TestShop;
use tonic::transport::{Channel, Endpoint};

use crate::given::{NOBODY, PRODUCTS, catalog, delete, path, product, sold, with};

/// A client of the catalog's gRPC.
pub(crate) async fn client(shop: &TestShop) -> CatalogClient<Channel> {
    CatalogClient::new(Endpoint::from_shared(shop.grpc_url()).unwrap().connect().await.unwrap())
}

async fn ask(shop: &TestShop, skus: &[&str], ids: &[&str]) -> Vec<Variant> {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let request = GetVariantsRequest { skus: owned(skus), product_ids: owned(ids) };
    let mut variants = client(shop).await.get_variants(request).await.unwrap().into_inner().variants;
    variants.sort_by(|one, other| one.sku.cmp(&other.sku));
    variants
}

#[tokio::test]
async fn variants_are_found_by_sku_and_default_ones_by_product() {
    let (shop, _) = catalog().await;
    let variants = json!([{ "sku": "mug-xl", "name": "XL", "price": { "amount": 1299, "currency": "EUR" } }]);
    let mug = sold(&shop, &with(product("Mug", 999), json!({ "sku": "mug", "variants": variants }))).await;
    let cup = sold(&shop, &with(product("Cup", 500), json!({ "sku": "cup" }))).await;

    let found = ask(&shop, &["mug-xl", "mug-xl", "nothing", "{$gt:1}", ""], &[cup.id(), NOBODY, "7"]).await;
    assert_eq!(found.len(), 2, "each once, what is not there not at all: {found:?}");
    let (first, second) = (&found[0], &found[1]);
    assert_eq!((first.sku.as_str(), first.product_id.as_str()), ("cup", cup.id()));
    assert_eq!((first.name.as_str(), first.default_variant, first.archived), ("Cup", true, false));
    assert_eq!((second.sku.as_str(), second.product_id.as_str()), ("mug-xl", mug.id()));
    assert_eq!((second.name.as_str(), second.default_variant, second.version), ("Mug, XL", false, 1));
    let price = second.price.as_ref().unwrap();
    assert_eq!((price.amount, price.currency.as_str()), (1299, "EUR"));
    assert_eq!(ask(&shop, &["mug"], &[mug.id()]).await.len(), 1, "named twice, told once");
    assert!(ask(&shop, &[], &[]).await.is_empty());
}

#[tokio::test]
async fn archived_products_are_named_as_such_and_drafts_not_at_all() {
    let (shop, inventory) = catalog().await;
    let mug = sold(&shop, &with(product("Mug", 999), json!({ "sku": "mug" }))).await;
    delete(&shop, &path(PRODUCTS, &mug), mug.etag()).await;
    inventory.away(true).await;
    let draft = with(product("Cup", 1), json!({ "sku": "cup", "stock": 1 }));
    let refused =
        crate::given::staff(&shop, reqwest::Method::POST, PRODUCTS).header("Idempotency-Key", "k").json(&draft);
    assert_eq!(crate::given::answer(refused).await.status, 503);
    let found = ask(&shop, &["mug", "cup"], &[]).await;
    assert_eq!(found.iter().map(|one| (one.sku.as_str(), one.archived)).collect::<Vec<_>>(), [("mug", true)]);
}

#[tokio::test]
async fn too_many_at_once_are_refused() {
    let (shop, _) = catalog().await;
    let request = |many: usize| GetVariantsRequest {
        skus: (0..many).map(|n| format!("sku-{n}")).collect(),
        product_ids: vec![NOBODY.to_owned()],
    };
    let mut client = client(&shop).await;
    assert!(client.get_variants(request(199)).await.is_ok());
    let refused = client.get_variants(request(200)).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
}

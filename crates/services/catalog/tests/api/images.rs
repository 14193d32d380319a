//! Images of products: adding, serving, ordering and taking them away, and what is left of them.

use reqwest::{Method, RequestBuilder};
use serde_json::json;
use shop_mongo::{Mongo, doc};
use shop_telemetry::metrics::Metrics;
use shop_testkit::{Peers, TestShop};

use crate::given::{
    Answer, NOBODY, PRODUCTS, answer, anybody, catalog, count, delete, eventually, patch, path, product, read,
    read_again, sold, staff, with,
};
use crate::inventory::FakeInventory;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and what follows";
const JPEG: &[u8] = b"\xff\xd8\xff\xe0 and what follows";
const WEBP: &[u8] = b"RIFF\x10\0\0\0WEBPVP8 and what follows";

fn sending(shop: &TestShop, path: &str, media: &str, bytes: &[u8]) -> RequestBuilder {
    staff(shop, Method::POST, path).header("Content-Type", media).body(bytes.to_vec())
}

/// Adds an image to a product.
async fn add(shop: &TestShop, mug: &str, query: &str, media: &str, bytes: &[u8]) -> Answer {
    answer(sending(shop, &format!("{mug}/images{query}"), media, bytes)).await
}

async fn a_mug(shop: &TestShop) -> String {
    path(PRODUCTS, &sold(shop, &with(product("Mug", 500), json!({ "sku": "mug", "slug": "mug" }))).await)
}

fn url(image: &Answer) -> String {
    image.body["url"].as_str().unwrap().to_owned()
}

/// The alt texts of a product's images, in their order.
async fn alts(shop: &TestShop, mug: &str) -> Vec<String> {
    let list = read(shop, &format!("{mug}/images")).await;
    list.body["items"].as_array().unwrap().iter().map(|one| one["alt"].as_str().unwrap().to_owned()).collect()
}

/// Files and chunks that are stored.
async fn stored(shop: &TestShop) -> (u64, u64) {
    (count(shop, "images.files").await, count(shop, "images.chunks").await)
}

#[tokio::test]
async fn an_image_is_served_as_it_was_sent_and_may_be_kept_for_ever() {
    let (shop, _) = catalog().await;
    let mug = a_mug(&shop).await;
    for (media, bytes) in [("image/png", PNG), ("image/jpeg", JPEG), ("image/webp", WEBP)] {
        let added = add(&shop, &mug, "?alt=A%20mug", media, bytes).await;
        assert_eq!((added.status, added.header("location")), (201, url(&added).as_str()), "{}", added.body);
        assert_eq!((&added.body["mediaType"], &added.body["bytes"]), (&json!(media), &json!(bytes.len())));
        let served = anybody(&shop, Method::GET, &url(&added)).send().await.unwrap();
        let header = |name: &str| served.headers()[name].to_str().unwrap().to_owned();
        assert_eq!((served.status().as_u16(), header("content-type").as_str()), (200, media));
        assert_eq!(header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(header("x-content-type-options"), "nosniff");
        let tag = header("etag");
        assert_eq!(tag, format!("\"{}\"", added.id()));
        assert_eq!(served.bytes().await.unwrap(), bytes);
        assert_eq!(read_again(&shop, &url(&added), &tag).await.status, 304);
        let by_slug = url(&added).replace(&mug, "/api/v1/products/mug");
        assert_eq!(read(&shop, &by_slug).await.status, 200);
    }
    let shown = read(&shop, &mug).await;
    assert_eq!(shown.body["images"], read(&shop, &format!("{mug}/images")).await.body["items"]);
    assert_eq!((shown.body["images"].as_array().unwrap().len(), &shown.body["version"]), (3, &json!(4)));
}

#[tokio::test]
async fn an_image_waits_until_others_are_sent() {
    let (shop, _) = catalog().await;
    let mug = a_mug(&shop).await;
    let large = [PNG, &vec![0; 5 * 1024 * 1024 - PNG.len()]].concat();
    let added = add(&shop, &mug, "", "image/png", &large).await;
    let get = || anybody(&shop, Method::GET, &url(&added)).send();
    let mut slow_readers = futures::future::try_join_all((0..8).map(|_| get())).await.unwrap();
    let (served, ()) = tokio::join!(get(), async { slow_readers.clear() });
    assert_eq!(served.unwrap().bytes().await.unwrap().len(), large.len());
}

#[tokio::test]
async fn the_bytes_decide_and_not_what_the_client_says() {
    let (shop, _) = catalog().await;
    let mug = a_mug(&shop).await;
    for (media, bytes) in [
        ("image/png", JPEG),
        ("image/jpeg", PNG),
        ("image/png", b"<svg onload=alert(1)>"),
        ("image/png", b""),
        ("image/svg+xml", b"<svg/>"),
        ("image/gif", b"GIF89a"),
        ("text/html", PNG),
        ("", PNG),
    ] {
        let refused = add(&shop, &mug, "", media, bytes).await;
        assert_eq!((refused.status, refused.code()), (415, "unsupported_media_type"), "{media} {bytes:?}");
    }
    let packed = sending(&shop, &format!("{mug}/images"), "image/png", PNG).header("Content-Encoding", "gzip");
    assert_eq!(answer(packed).await.status, 415);
    assert_eq!(stored(&shop).await, (0, 0));
}

#[tokio::test]
async fn an_image_has_limits() {
    let (shop, _) = catalog().await;
    let mug = a_mug(&shop).await;
    let limit = 5 * 1024 * 1024;
    let largest = [PNG, &vec![0; limit - PNG.len()]].concat();
    let added = add(&shop, &mug, "", "image/png", &largest).await;
    assert_eq!(added.status, 201, "{}", added.body);
    assert_eq!(anybody(&shop, Method::GET, &url(&added)).send().await.unwrap().bytes().await.unwrap(), largest);
    let refused = add(&shop, &mug, "", "image/png", &[largest.as_slice(), b"x"].concat()).await;
    assert_eq!((refused.status, refused.code()), (413, "image_too_large"));
    for (query, field) in [("?alt=a%0Ab", "alt"), (format!("?alt={}", "x".repeat(201)).as_str(), "alt")] {
        let refused = add(&shop, &mug, query, "image/png", PNG).await;
        assert_eq!((refused.status, refused.code(), refused.field()), (422, "invalid_field", field));
    }
    for query in ["?position=-1", "?position=x", "?title=x"] {
        assert_eq!(add(&shop, &mug, query, "image/png", PNG).await.status, 422, "{query}");
    }
    for _ in 0..19 {
        assert_eq!(add(&shop, &mug, "", "image/png", PNG).await.status, 201);
    }
    let full = add(&shop, &mug, "", "image/png", PNG).await;
    assert_eq!((full.status, full.code()), (409, "too_many_images"));
    assert_eq!(stored(&shop).await, (20, 24), "nothing is left of what was refused");
}

#[tokio::test]
async fn images_are_ordered_described_and_taken_away_at_the_version_that_was_read() {
    let (shop, _) = catalog().await;
    let mug = a_mug(&shop).await;
    let one = add(&shop, &mug, "?alt=one", "image/png", PNG).await;
    add(&shop, &mug, "?alt=two&position=0", "image/png", PNG).await;
    let three = add(&shop, &mug, "?alt=three&position=9", "image/png", PNG).await;
    assert_eq!(alts(&shop, &mug).await, ["two", "one", "three"]);
    assert_eq!(three.body["position"], 2);
    let moved = patch(&shop, &url(&three), three.etag(), &json!({ "position": 0, "alt": "first" })).await;
    assert_eq!((moved.status, &moved.body["position"], &moved.body["alt"]), (200, &json!(0), &json!("first")));
    assert_eq!(alts(&shop, &mug).await, ["first", "two", "one"]);

    let stale = patch(&shop, &url(&one), one.etag(), &json!({ "alt": "x" })).await;
    assert_eq!((stale.status, stale.code()), (412, "version_conflict"));
    assert_eq!(delete(&shop, &url(&one), one.etag()).await.status, 412);
    let bare = answer(staff(&shop, Method::DELETE, &url(&one))).await;
    assert_eq!((bare.status, bare.code()), (428, "if_match_required"));
    for (body, field) in
        [(json!({ "alt": null }), "alt"), (json!({ "position": -1 }), "position"), (json!({ "url": "x" }), "url")]
    {
        let refused = patch(&shop, &url(&one), moved.etag(), &body).await;
        assert!([400, 422].contains(&refused.status) && refused.field() == field, "{}", refused.body);
    }
    assert_eq!(delete(&shop, &url(&one), moved.etag()).await.status, 204);
    assert_eq!(alts(&shop, &mug).await, ["first", "two"]);
    assert_eq!(read(&shop, &url(&one)).await.status, 404);
    assert_eq!(stored(&shop).await, (2, 2));
    assert_eq!(delete(&shop, &url(&one), "\"6\"").await.status, 404);
}

#[tokio::test]
async fn an_image_belongs_to_its_product_alone() {
    let (shop, _) = catalog().await;
    let mug = a_mug(&shop).await;
    let image = add(&shop, &mug, "", "image/png", PNG).await;
    let cup = path(PRODUCTS, &sold(&shop, &product("Cup", 1)).await);
    let foreign = format!("{cup}/images/{}", image.id());
    for path in [
        foreign.clone(),
        format!("{mug}/images/{NOBODY}"),
        format!("{mug}/images/7"),
        format!("{PRODUCTS}/{NOBODY}/images"),
    ] {
        let missing = read(&shop, &path).await;
        assert_eq!((missing.status, missing.code()), (404, "not_found"), "{path}");
    }
    assert_eq!(patch(&shop, &foreign, "\"1\"", &json!({ "alt": "x" })).await.status, 404);
    assert_eq!(delete(&shop, &foreign, "\"1\"").await.status, 404);
    assert_eq!(add(&shop, &format!("{PRODUCTS}/{NOBODY}"), "", "image/png", PNG).await.status, 404);
    assert_eq!(stored(&shop).await, (1, 1));
}

#[tokio::test]
async fn the_same_key_adds_one_image() {
    let (shop, _) = catalog().await;
    let mug = a_mug(&shop).await;
    // Keys are those of one person.
    let bearer = shop.callers().staff().bearer();
    let send = |bytes: &'static [u8]| {
        let request = anybody(&shop, Method::POST, &format!("{mug}/images")).header("Authorization", &bearer);
        answer(request.header("Content-Type", "image/png").header("Idempotency-Key", "k").body(bytes))
    };
    let all = futures::future::join_all((0..10).map(|_| send(PNG))).await;
    assert!(all.iter().all(|one| one.status == 201 && one.body == all[0].body), "{all:?}");
    let other = send(b"\x89PNG\r\n\x1a\n another one").await;
    assert_eq!((other.status, other.code()), (422, "idempotency_key_reused"));
    assert_eq!(stored(&shop).await, (1, 1), "what was sent in vain is gone");
    delete(&shop, &url(&all[0]), all[0].etag()).await;
    assert_eq!(send(PNG).await.status, 404, "it was added, and taken away since");
}

#[tokio::test]
async fn many_images_at_once_are_all_kept() {
    let (shop, _) = catalog().await;
    let mug = a_mug(&shop).await;
    let added = futures::future::join_all((0..8).map(|_| add(&shop, &mug, "", "image/png", PNG))).await;
    assert!(added.iter().all(|one| one.status == 201), "{added:?}");
    assert_eq!((alts(&shop, &mug).await.len(), stored(&shop).await), (8, (8, 8)));
}

#[tokio::test]
async fn a_product_that_is_deleted_leaves_no_chunk_behind() {
    let (shop, _) = catalog().await;
    let mug = a_mug(&shop).await;
    let image = add(&shop, &mug, "", "image/png", PNG).await;
    add(&shop, &mug, "", "image/webp", WEBP).await;
    let tag = read(&shop, &mug).await.etag().to_owned();
    assert_eq!(delete(&shop, &mug, &tag).await.status, 204);
    assert_eq!(stored(&shop).await, (0, 0));
    assert_eq!(read(&shop, &url(&image)).await.status, 404);
    let refused = add(&shop, &mug, "", "image/png", PNG).await;
    assert_eq!((refused.status, refused.code()), (409, "product_archived"));
}

#[tokio::test]
async fn a_pod_sweeps_what_a_crash_left_and_nothing_else() {
    let inventory = FakeInventory::default();
    let peers = Peers { grpc: Some(inventory.routes()), ..Peers::default() };
    // Ids tell when they were made: long ago, and far ahead of now.
    let (old, half, young) = (
        "0190b3c0-0000-7000-8000-000000000001",
        "0190b3c0-0000-7000-8000-000000000002",
        "7fffffff-0000-7000-8000-000000000003",
    );
    let named = "0190b3c0-0000-7000-8000-000000000004";
    let shop = TestShop::start_beside(peers, |config| async move {
        let mongo = Mongo::connect("catalog", config.mongodb.as_ref().unwrap(), &Metrics::new("test")).await?;
        let files = mongo.files("images");
        for id in [old, half, young, named] {
            files.put(id, PNG.to_vec()).await?;
        }
        mongo.collection::<shop_mongo::Document>("images.files").delete_one(doc! { "_id": half }).await?;
        let images = vec![doc! { "id": named }];
        mongo.collection("products").insert_one(doc! { "_id": "kept", "images": images }).await?;
        catalog::service(&config).await
    })
    .await;
    let files = shop.mongo("catalog").await.files("images");
    eventually("what nobody names is gone", || async { stored(&shop).await == (2, 2) }).await;
    for (id, kept) in [(old, false), (half, false), (young, true), (named, true)] {
        assert_eq!(files.get(id).await.unwrap().is_some(), kept, "{id}");
    }
}

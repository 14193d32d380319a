//! Answers that are kept: told as such, the same for all pods, and old as soon as somebody writes.

use std::sync::atomic::{AtomicU32, Ordering};

use reqwest::Method;
use serde_json::json;
use shop_testkit::TestShop;

use crate::given::{
    Answer, CATEGORIES, PRODUCTS, answer, anybody, catalog, category, delete, eventually, patch, path, post, product,
    read, read_again, sold, with,
};

fn found(answer: &Answer) -> &str {
    assert!(answer.header("age").parse::<u64>().is_ok_and(|age| age <= 20), "{answer:?}");
    answer.header("x-cache")
}

#[tokio::test]
async fn a_second_read_is_answered_from_what_is_kept() {
    let (shop, _) = catalog().await;
    let shelf = category(&shop, "Mugs", None).await;
    let mug = sold(&shop, &with(product("Mug", 1), json!({ "slug": "mug" }))).await;
    for read_often in [
        PRODUCTS.to_owned(),
        format!("{PRODUCTS}?search=mug"),
        path(PRODUCTS, &mug),
        format!("{PRODUCTS}/mug"),
        CATEGORIES.to_owned(),
        path(CATEGORIES, &shelf),
    ] {
        let first = read(&shop, &read_often).await;
        assert_eq!(found(&first), "MISS", "{read_often}");
        // What is loaded while an invalidation of the writes above is still heard is not kept.
        eventually(&read_often, || async { found(&read(&shop, &read_often).await) == "HIT" }).await;
        let second = read(&shop, &read_often).await;
        assert_eq!((&first.body, first.etag()), (&second.body, second.etag()));
        let known = read_again(&shop, &read_often, first.etag()).await;
        assert_eq!((known.status, found(&known)), (304, "HIT"));
    }
    let other_order = read(&shop, &format!("{PRODUCTS}?size=20&page=1")).await;
    assert_eq!(found(&other_order), "HIT", "what is asked for counts, not how it is written");
}

#[tokio::test]
async fn what_is_kept_is_kept_in_gzip_too() {
    let (shop, _) = catalog().await;
    for number in 0..8 {
        sold(&shop, &product(&format!("Mug {number}"), 100)).await;
    }
    eventually("the list is kept", || async { found(&read(&shop, PRODUCTS).await) == "HIT" }).await;
    let plain = read(&shop, PRODUCTS).await;

    let packed = anybody(&shop, Method::GET, PRODUCTS).header("Accept-Encoding", "gzip").send().await.unwrap();

    let header = |name: &str| packed.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((header("content-encoding"), header("x-cache")), ("gzip".to_owned(), "HIT".to_owned()));
    // What is compressed for one answer comes in chunks, whose sum is not known before.
    let length: usize = header("content-length").parse().unwrap();
    assert!(length < plain.body.to_string().len() / 2, "{length}");
    let tag = header("etag");
    assert_eq!(tag, format!("{}-gzip\"", plain.etag().trim_end_matches('"')));
    assert_eq!(read_again(&shop, PRODUCTS, &tag).await.status, 304);
}

#[tokio::test]
async fn what_is_written_is_read_at_once() {
    let (shop, _) = catalog().await;
    let shelf = category(&shop, "Mugs", None).await;
    let mut mug = sold(&shop, &with(product("Mug", 1), json!({ "slug": "mug", "sku": "mug" }))).await;
    let (one, of_shelf) = (path(PRODUCTS, &mug), format!("{PRODUCTS}?category={}", shelf.id()));
    let everything = [one.as_str(), &format!("{PRODUCTS}/mug"), PRODUCTS, &of_shelf, CATEGORIES];
    for round in 0..3 {
        for read_often in everything {
            read(&shop, read_often).await;
        }
        let change = json!({ "name": format!("Mug {round}"), "categoryId": shelf.id() });
        mug = patch(&shop, &one, mug.etag(), &change).await;
        assert_eq!(read(&shop, &one).await.body, mug.body);
        assert_eq!(read(&shop, &format!("{PRODUCTS}/mug")).await.body, mug.body);
        for list in [PRODUCTS, &of_shelf] {
            assert_eq!(read(&shop, list).await.body["items"], json!([mug.body]), "{list}");
        }
    }
    let large = json!({ "sku": "mug-l", "price": { "amount": 2, "currency": "EUR" } });
    let variant = post(&shop, &format!("{one}/variants"), &large).await;
    assert_eq!(read(&shop, &one).await.body["variants"].as_array().unwrap().len(), 2);
    delete(&shop, variant.header("location"), variant.etag()).await;
    mug = read(&shop, &one).await;
    assert_eq!(mug.body["variants"].as_array().unwrap().len(), 1);
    sold(&shop, &product("Cup", 1)).await;
    assert_eq!(read(&shop, PRODUCTS).await.names().len(), 2);
    assert_eq!(delete(&shop, &one, mug.etag()).await.status, 204);
    assert_eq!(read(&shop, PRODUCTS).await.names(), ["Cup"]);
    assert_eq!(read(&shop, &format!("{PRODUCTS}/mug")).await.status, 404);
    assert_eq!(read(&shop, &one).await.body["status"], "archived");

    let below = category(&shop, "Small mugs", Some(shelf.id())).await;
    assert_eq!(read(&shop, CATEGORIES).await.names(), ["Mugs", "Small mugs"]);
    patch(&shop, &path(CATEGORIES, &shelf), shelf.etag(), &json!({ "name": "Cups" })).await;
    let below = read(&shop, &path(CATEGORIES, &below)).await;
    assert_eq!(below.body["path"][0]["name"], "Cups", "a category shows the names of those above it");
    assert_eq!(delete(&shop, &path(CATEGORIES, &below), below.etag()).await.status, 204);
    assert_eq!(read(&shop, &path(CATEGORIES, &below)).await.status, 404);
    assert_eq!(read(&shop, CATEGORIES).await.names(), ["Cups"]);
}

/// Reads from another pod of the same shop.
async fn read_there(shop: &TestShop, pod: &shop_service::Running, path: &str) -> Answer {
    answer(shop.client().request(Method::GET, format!("http://{}{path}", pod.http))).await
}

#[tokio::test]
async fn pods_share_what_is_kept_and_hear_of_what_is_written() {
    let (shop, _) = catalog().await;
    let service = catalog::service(shop.config()).await.unwrap();
    let other = shop_service::launch(vec![service]).await.unwrap();
    let mug = sold(&shop, &product("Mug", 1)).await;
    let one = path(PRODUCTS, &mug);
    eventually("the other pod answers", || async { read_there(&shop, &other, &one).await.status == 200 }).await;
    let changed = patch(&shop, &one, mug.etag(), &json!({ "name": "Cup" })).await;
    eventually("the other pod has heard of it", || async {
        read_there(&shop, &other, &one).await.body == changed.body
    })
    .await;
    eventually("its lists, too", || async { read_there(&shop, &other, PRODUCTS).await.names() == ["Cup"] }).await;
    // What is loaded while an invalidation is still heard is not kept; so more than one may be needed.
    let number = AtomicU32::new(0);
    eventually("one pod finds in Redis what the other has loaded", || async {
        let name = format!("Pot {}", number.fetch_add(1, Ordering::Relaxed));
        let pot = path(PRODUCTS, &sold(&shop, &product(&name, 1)).await);
        read_there(&shop, &other, &pot).await;
        found(&read(&shop, &pot).await) == "HIT"
    })
    .await;
    other.stop().await;
}

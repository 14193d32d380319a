//! Stock as inventory tells it by events: shown, counted once, never an older fact over a newer one.

use serde_json::{Value, json};
use shop_redis::{Entry, Redis};
use shop_service::SystemClock;
use shop_telemetry::metrics::Metrics;
use shop_testkit::TestShop;
use shop_types::event::StockFact;
use shop_types::{Clock as _, Envelope, Event, EventId};

use crate::given::{PRODUCTS, catalog, count, eventually, patch, path, product, read, read_again, sold, with};

/// An event of inventory.
fn changed(sku: &str, available: i64, version: i64) -> Envelope {
    Envelope {
        id: EventId::from_uuid(SystemClock.new_id()),
        aggregate: sku.to_owned(),
        version,
        occurred_at: SystemClock.now(),
        traceparent: None,
        event: Event::StockChanged(StockFact { sku: sku.parse().unwrap(), available, version }),
    }
}

/// Puts events into inventory's stream, as its relay does, and waits until the catalog has acknowledged them.
async fn tell(shop: &TestShop, events: &[Envelope]) {
    let redis = Redis::connect(shop.config().redis.as_ref().unwrap(), &Metrics::new("test")).unwrap();
    let stream = redis.stream("inventory");
    let mark = stream.open("test").await.unwrap();
    for envelope in events {
        let entry = Entry {
            event_id: envelope.id.to_string(),
            topic: envelope.event.topic().name().into(),
            json: serde_json::to_string(envelope).unwrap(),
            mirror: None,
        };
        stream.append(&mark, &[entry]).await.unwrap();
    }
    eventually("everything is acknowledged", || async {
        let floor = stream.floor(&mark, &["catalog"]).await.unwrap();
        floor.groups.iter().any(|group| group.name == "catalog" && group.lag == 0)
    })
    .await;
}

async fn shown(shop: &TestShop, path: &str) -> Value {
    read(shop, path).await.body["stock"].clone()
}

#[tokio::test]
async fn the_newest_fact_is_shown_however_often_and_in_whatever_order_it_is_told() {
    let (shop, _) = catalog().await;
    let made = sold(&shop, &with(product("Mug", 1), json!({ "sku": "mug" }))).await;
    let mug = path(PRODUCTS, &made);
    assert_eq!(shown(&shop, &mug).await, Value::Null);
    let second = changed("mug", 20, 2);
    tell(&shop, &[second.clone(), second.clone()]).await;
    assert_eq!(shown(&shop, &mug).await, 20);
    assert_eq!(count(&shop, "inbox").await, 1);
    tell(&shop, &[changed("mug", 10, 1), changed("mug", 99, 2)]).await;
    assert_eq!(shown(&shop, &mug).await, 20, "older facts change nothing");
    tell(&shop, &[changed("mug", 0, 3), second]).await;
    assert_eq!(shown(&shop, &mug).await, 0, "what was told before does not come back");
    assert_eq!(read(&shop, &mug).await.body["version"], 1, "stock is no change of the product");
    assert_eq!(count(&shop, "dead_letters").await, 0);
}

#[tokio::test]
async fn each_variant_shows_its_own_stock_and_the_product_that_of_its_default() {
    let (shop, _) = catalog().await;
    let variants = json!([{ "sku": "mug-xl", "price": { "amount": 2, "currency": "EUR" } }]);
    let made = sold(&shop, &with(product("Mug", 1), json!({ "sku": "mug", "variants": variants }))).await;
    tell(&shop, &[changed("mug-xl", 7, 1)]).await;
    let found = read(&shop, &path(PRODUCTS, &made)).await.body;
    assert_eq!((found.get("stock"), &found["variants"][1]["stock"]), (None, &json!(7)));
    tell(&shop, &[changed("mug", 5, 1)]).await;
    let found = read(&shop, PRODUCTS).await.body["items"][0].clone();
    assert_eq!((&found["stock"], &found["variants"][1]["stock"]), (&json!(5), &json!(7)));
}

#[tokio::test]
async fn what_was_told_before_the_product_was_there_is_shown_from_the_start() {
    let (shop, _) = catalog().await;
    tell(&shop, &[changed("mug", 3, 1)]).await;
    let made = sold(&shop, &with(product("Mug", 1), json!({ "sku": "mug" }))).await;
    assert_eq!(made.body["stock"], 3);
    tell(&shop, &[changed("mug", 2, 2)]).await;
    assert_eq!(shown(&shop, &path(PRODUCTS, &made)).await, 2);
}

#[tokio::test]
async fn changed_stock_changes_the_tag_but_is_no_conflict_for_a_change() {
    let (shop, _) = catalog().await;
    let made = sold(&shop, &with(product("Mug", 1), json!({ "sku": "mug" }))).await;
    let mug = path(PRODUCTS, &made);
    tell(&shop, &[changed("mug", 5, 1)]).await;
    let (one, list) = (read(&shop, &mug).await, read(&shop, PRODUCTS).await);
    assert_eq!(read_again(&shop, &mug, one.etag()).await.status, 304);
    assert_eq!(read_again(&shop, PRODUCTS, list.etag()).await.status, 304);
    tell(&shop, &[changed("mug", 4, 2)]).await;
    assert_eq!(read_again(&shop, &mug, one.etag()).await.body["stock"], 4);
    assert_eq!(read_again(&shop, PRODUCTS, list.etag()).await.body["items"][0]["stock"], 4);
    let renamed = patch(&shop, &mug, one.etag(), &json!({ "name": "Cup" })).await;
    assert_eq!((renamed.status, &renamed.body["stock"]), (200, &json!(4)), "{}", renamed.body);
    assert_eq!(shown(&shop, &mug).await, 4, "a change of the product leaves its stock alone");
}

#[tokio::test]
async fn in_stock_lists_what_has_a_piece_of_any_variant() {
    let (shop, _) = catalog().await;
    let variants = json!([{ "sku": "cup-xl", "price": { "amount": 2, "currency": "EUR" } }]);
    sold(&shop, &with(product("Mug", 1), json!({ "sku": "mug" }))).await;
    sold(&shop, &with(product("Cup", 1), json!({ "sku": "cup", "variants": variants }))).await;
    sold(&shop, &with(product("Jug", 1), json!({ "sku": "jug" }))).await;
    tell(&shop, &[changed("mug", 1, 1), changed("cup", 0, 1), changed("cup-xl", 2, 1), changed("other", 9, 1)]).await;
    let in_stock = format!("{PRODUCTS}?inStock=true&sort=name");
    let list = read(&shop, &in_stock).await;
    assert_eq!((list.names(), &list.body["page"]["total"]), (vec!["Cup", "Mug"], &json!(2)));
    tell(&shop, &[changed("mug", 0, 2)]).await;
    assert_eq!(read(&shop, &in_stock).await.names(), ["Cup"]);
    assert_eq!(read(&shop, &format!("{PRODUCTS}?inStock=false")).await.names().len(), 3);
}

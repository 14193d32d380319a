//! What the tests of this service start from: the running service, its callers, its database.

use std::future::Future;
use std::time::Duration;

use serde_json::{Value, json};
use shop_mongo::{Document, Mongo, doc};
use shop_proto::inventory::inventory_client::InventoryClient;
use shop_proto::inventory::{Line, ReserveRequest};
use shop_service::SystemClock;
use shop_testkit::{TestShop, Who};
use shop_types::{Clock as _, OrderId};
use tonic::transport::{Channel, Endpoint};

/// The running service.
pub(crate) async fn inventory() -> TestShop {
    TestShop::start(|config| async move { inventory::service(&config).await }).await
}

/// A client of its gRPC port.
pub(crate) async fn client(shop: &TestShop) -> InventoryClient<Channel> {
    let endpoint = Endpoint::from_shared(shop.grpc_url()).unwrap();
    InventoryClient::new(endpoint.connect().await.unwrap())
}

/// A new order's id.
pub(crate) fn an_order() -> OrderId {
    OrderId::from_uuid(SystemClock.new_id())
}

/// What an order asks for.
pub(crate) fn reserve(order: OrderId, lines: &[(&str, u32)]) -> ReserveRequest {
    let lines = lines.iter().map(|(sku, quantity)| Line { sku: (*sku).to_owned(), quantity: *quantity }).collect();
    ReserveRequest { order_id: order.to_string(), lines }
}

/// Puts pieces on the shelf, as staff.
pub(crate) async fn stocked(shop: &TestShop, sku: &str, pieces: i64) {
    let (status, body) =
        adjust(shop, &shop.callers().staff(), sku, &json!({ "delta": pieces, "reason": "delivery" })).await;
    assert_eq!(status, 201, "{body}");
}

/// Sends an adjustment.
pub(crate) async fn adjust(shop: &TestShop, who: &Who, sku: &str, body: &Value) -> (u16, Value) {
    let url = shop.url(&format!("/api/v1/stock/{sku}/adjustments"));
    let reply = shop.client().post(url).header("Authorization", who.bearer()).json(body).send().await.unwrap();
    (reply.status().as_u16(), reply.json().await.unwrap())
}

/// Reads the stock of a SKU as staff.
pub(crate) async fn stock(shop: &TestShop, sku: &str) -> (u16, Value) {
    let url = shop.url(&format!("/api/v1/stock/{sku}"));
    let reply = shop.client().get(url).header("Authorization", shop.callers().staff().bearer()).send().await.unwrap();
    (reply.status().as_u16(), reply.json().await.unwrap())
}

/// Available, reserved and sold pieces of a SKU.
pub(crate) async fn counts(shop: &TestShop, sku: &str) -> (i64, i64, i64) {
    let (status, body) = stock(shop, sku).await;
    assert_eq!(status, 200, "{body}");
    let count = |name: &str| body[name].as_i64().unwrap();
    (count("available"), count("reserved"), count("sold"))
}

/// All documents of a collection that match.
pub(crate) async fn documents(mongo: &Mongo, collection: &str, filter: Document) -> Vec<Document> {
    let mut cursor = mongo.collection::<Document>(collection).find(filter).await.unwrap();
    let mut found = Vec::new();
    while cursor.advance().await.unwrap() {
        found.push(cursor.deserialize_current().unwrap());
    }
    found
}

/// Invariants I1 and I2 over everything stored, and one movement for each version of each SKU.
pub(crate) async fn assert_sound(mongo: &Mongo) {
    let reservations = documents(mongo, "reservations", doc! {}).await;
    for stock in documents(mongo, "stock", doc! {}).await {
        let count = |name: &str| stock.get_i64(name).unwrap();
        let sku = stock.get_str("sku").unwrap();
        assert!(["available", "reserved", "sold"].iter().all(|name| count(name) >= 0), "{stock}");
        assert_eq!(count("received"), count("available") + count("reserved") + count("sold"), "{stock}");
        assert_eq!(count("reserved"), pieces(&reservations, "HELD", sku), "reserved pieces of {sku}");
        assert_eq!(count("sold"), pieces(&reservations, "COMMITTED", sku), "sold pieces of {sku}");
        let movements = documents(mongo, "movements", doc! { "sku": sku }).await;
        assert_eq!(i64::try_from(movements.len()).unwrap(), count("version"), "movements of {sku}");
    }
}

fn pieces(reservations: &[Document], state: &str, sku: &str) -> i64 {
    let lines = reservations.iter().filter(|one| one.get_str("state").unwrap() == state);
    let lines = lines.flat_map(|one| one.get_array("lines").unwrap()).map(|line| line.as_document().unwrap());
    let named = lines.filter(|line| line.get_str("sku").unwrap() == sku);
    named.map(quantity).sum()
}

fn quantity(line: &Document) -> i64 {
    let quantity = line.get("quantity").unwrap();
    quantity.as_i64().or_else(|| quantity.as_i32().map(i64::from)).unwrap()
}

/// Asks again until it holds, for 10 s.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    for _ in 0..200 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("after 10 s still not so: {what}");
}

//! What the tests of this service start from: the running service, its callers, its database.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use serde_json::{Value, json};
use shop_mongo::{Document, Mongo, doc};
use shop_proto::inventory::inventory_client::InventoryClient;
use shop_proto::inventory::{Line, ReserveRequest};
use shop_service::SystemClock;
use shop_testkit::{Callers, TestShop, Who};
use shop_types::{Clock as _, Envelope, Event, OrderId};
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

/// Bearers of whom a call for staff does not let in, each with its status and code.
pub(crate) fn not_staff(callers: &Callers) -> [(Option<String>, u16, &'static str); 5] {
    [
        (None, 401, "unauthenticated"),
        (Some(callers.expired().bearer()), 401, "token_expired"),
        (Some(format!("{}x", callers.staff().bearer())), 401, "invalid_token"),
        (Some(callers.customer().bearer()), 403, "forbidden"),
        (Some(callers.service().bearer()), 403, "forbidden"),
    ]
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

/// Puts pieces on the shelf in `main`, as staff.
pub(crate) async fn stocked(shop: &TestShop, sku: &str, pieces: i64) {
    stocked_at(shop, "main", sku, pieces).await;
}

/// Puts pieces on the shelf of a location.
pub(crate) async fn stocked_at(shop: &TestShop, location: &str, sku: &str, pieces: i64) {
    let body = json!({ "delta": pieces, "reason": "delivery", "location": location });
    let (status, body) = adjust(shop, &shop.callers().staff(), sku, &body).await;
    assert_eq!(status, 201, "{body}");
}

/// Adds locations.
pub(crate) async fn opened(shop: &TestShop, locations: &[&str]) {
    for id in locations {
        let request = shop.client().post(shop.url("/api/v1/locations"));
        let request = request.header("Authorization", shop.callers().staff().bearer());
        let reply = request.json(&json!({ "id": id, "name": id })).send().await.unwrap();
        assert_eq!(reply.status(), 201);
    }
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

/// Available, reserved and sold pieces of a SKU in `main`.
pub(crate) async fn counts(shop: &TestShop, sku: &str) -> (i64, i64, i64) {
    let (status, body) = stock(shop, sku).await;
    assert_eq!(status, 200, "{body}");
    let count = |name: &str| body[name].as_i64().unwrap();
    (count("available"), count("reserved"), count("sold"))
}

/// Available, reserved and sold pieces of a SKU in a location.
pub(crate) async fn counts_at(shop: &TestShop, location: &str, sku: &str) -> (i64, i64, i64) {
    let (_, body) = stock(shop, sku).await;
    let there = body["locations"].as_array().unwrap().iter().find(|stock| stock["location"] == location);
    let count = |name: &str| there.unwrap_or_else(|| panic!("{body}"))[name].as_i64().unwrap();
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

/// Invariants I1 and I2 over everything stored, one movement for each version of each stock, and that what was told of a
/// SKU last, by its version, is what one line can get.
pub(crate) async fn assert_sound(mongo: &Mongo) {
    let reservations = documents(mongo, "reservations", doc! {}).await;
    let mut most = BTreeMap::new();
    for stock in documents(mongo, "stock", doc! {}).await {
        let count = |name: &str| stock.get_i64(name).unwrap();
        let (sku, location) = (stock.get_str("sku").unwrap(), stock.get_str("location").unwrap());
        assert!(["available", "reserved", "sold"].iter().all(|name| count(name) >= 0), "{stock}");
        assert_eq!(count("received"), count("available") + count("reserved") + count("sold"), "{stock}");
        assert_eq!(count("reserved"), pieces(&reservations, "HELD", sku, location), "reserved: {stock}");
        assert_eq!(count("sold"), pieces(&reservations, "COMMITTED", sku, location), "sold: {stock}");
        let movements = documents(mongo, "movements", doc! { "sku": sku, "location": location }).await;
        assert_eq!(i64::try_from(movements.len()).unwrap(), count("version"), "movements: {stock}");
        let most: &mut i64 = most.entry(sku.to_owned()).or_default();
        *most = (*most).max(count("available"));
    }
    for (sku, available) in most {
        let told = documents(mongo, "outbox", doc! { "topic": "stock.changed", "aggregate": &sku }).await;
        let facts: BTreeMap<i64, i64> = told.iter().map(fact).collect();
        assert_eq!(facts.len(), told.len(), "no version of {sku} is told twice");
        assert_eq!(facts.last_key_value().map(|(_, available)| *available), Some(available), "told of {sku}");
    }
}

/// Version and pieces of an event in the outbox.
fn fact(row: &Document) -> (i64, i64) {
    let envelope: Envelope = serde_json::from_str(row.get_str("body").unwrap()).unwrap();
    let Event::StockChanged(fact) = envelope.event else { panic!("{row}") };
    (fact.version, fact.available)
}

fn pieces(reservations: &[Document], state: &str, sku: &str, location: &str) -> i64 {
    let lines = reservations.iter().filter(|one| one.get_str("state").unwrap() == state);
    let lines = lines.flat_map(|one| one.get_array("lines").unwrap()).map(|line| line.as_document().unwrap());
    let there = |line: &&Document| line.get_str("location").unwrap_or("main") == location;
    let named = lines.filter(|line| line.get_str("sku").unwrap() == sku).filter(there);
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

//! What the tests of this service start from: the running service beside an inventory, requests, products.

use std::future::Future;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use shop_config::Aliases;
use shop_mongo::{Document, doc};
use shop_testkit::{Peers, TestShop};

use crate::inventory::FakeInventory;

pub(crate) const PRODUCTS: &str = "/api/v1/products";
pub(crate) const CATEGORIES: &str = "/api/v1/categories";
/// A well-formed id that nothing has.
pub(crate) const NOBODY: &str = "0190b3c0-0000-7000-8000-00000000dead";

/// The running service and the inventory that it asks.
pub(crate) async fn catalog() -> (TestShop, FakeInventory) {
    let inventory = FakeInventory::default();
    let peers = Peers { grpc: Some(inventory.routes()), ..Peers::default() };
    let shop = TestShop::start_beside(peers, |config| async move { catalog::service(&config).await }).await;
    (shop, inventory)
}

/// The running service whose aliases are like this.
pub(crate) async fn catalog_with(aliases: Aliases) -> TestShop {
    let peers = Peers { grpc: Some(FakeInventory::default().routes()), ..Peers::default() };
    TestShop::start_beside(peers, |mut config| async move {
        config.aliases = aliases;
        catalog::service(&config).await
    })
    .await
}

/// A request by nobody in particular.
pub(crate) fn anybody(shop: &TestShop, method: Method, path: &str) -> RequestBuilder {
    shop.client().request(method, shop.url(path))
}

/// A request by a member of staff.
pub(crate) fn staff(shop: &TestShop, method: Method, path: &str) -> RequestBuilder {
    anybody(shop, method, path).header("Authorization", shop.callers().staff().bearer())
}

/// A request by a program with an API key.
pub(crate) fn program(shop: &TestShop, method: Method, path: &str) -> RequestBuilder {
    anybody(shop, method, path).header("Authorization", shop.callers().service().bearer())
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// A header, empty when absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The entity tag.
    pub(crate) fn etag(&self) -> &str {
        self.header("etag")
    }

    /// The stable code of an error.
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// The first field at fault.
    pub(crate) fn field(&self) -> &str {
        self.body["details"][0]["field"].as_str().unwrap_or_default()
    }

    /// The id of what was answered.
    pub(crate) fn id(&self) -> &str {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no id: {}", self.body))
    }

    /// The names of the items of a list.
    pub(crate) fn names(&self) -> Vec<&str> {
        let items = self.body["items"].as_array().unwrap_or_else(|| panic!("no list: {}", self.body));
        items.iter().map(|item| item["name"].as_str().unwrap()).collect()
    }
}

/// Sends a request.
pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let reply = request.send().await.unwrap();
    let (status, headers) = (reply.status().as_u16(), reply.headers().clone());
    let bytes = reply.bytes().await.unwrap();
    // Files are no JSON.
    let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
    let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap_or_else(|_| text()) };
    Answer { status, headers, body }
}

/// Reads as anybody.
pub(crate) async fn read(shop: &TestShop, path: &str) -> Answer {
    answer(anybody(shop, Method::GET, path)).await
}

/// Reads as anybody who has something in store.
pub(crate) async fn read_again(shop: &TestShop, path: &str, etag: &str) -> Answer {
    answer(anybody(shop, Method::GET, path).header("If-None-Match", etag)).await
}

/// Sends a body as staff.
pub(crate) async fn post(shop: &TestShop, path: &str, body: &Value) -> Answer {
    answer(staff(shop, Method::POST, path).json(body)).await
}

/// Changes as staff what was read with this tag.
pub(crate) async fn patch(shop: &TestShop, path: &str, etag: &str, body: &Value) -> Answer {
    answer(staff(shop, Method::PATCH, path).header("If-Match", etag).json(body)).await
}

/// Deletes as staff what was read with this tag.
pub(crate) async fn delete(shop: &TestShop, path: &str, etag: &str) -> Answer {
    answer(staff(shop, Method::DELETE, path).header("If-Match", etag)).await
}

/// A product to be: a name and a price in cents.
pub(crate) fn product(name: &str, cents: i64) -> Value {
    json!({ "name": name, "price": { "amount": cents, "currency": "EUR" } })
}

/// The same with further fields.
pub(crate) fn with(mut body: Value, more: Value) -> Value {
    let (Value::Object(fields), Value::Object(more)) = (&mut body, more) else { panic!("not an object: {body}") };
    fields.extend(more);
    body
}

/// Creates a product.
pub(crate) async fn sold(shop: &TestShop, body: &Value) -> Answer {
    let made = post(shop, PRODUCTS, body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made
}

/// Creates a category, below another one if it has a parent.
pub(crate) async fn category(shop: &TestShop, name: &str, parent: Option<&str>) -> Answer {
    let made = post(shop, CATEGORIES, &json!({ "name": name, "parentId": parent })).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made
}

/// The path of a product or category that was answered.
pub(crate) fn path(list: &str, answer: &Answer) -> String {
    format!("{list}/{}", answer.id())
}

/// How many documents a collection of the service holds.
pub(crate) async fn count(shop: &TestShop, collection: &str) -> u64 {
    shop.mongo("catalog").await.collection::<Document>(collection).count_documents(doc! {}).await.unwrap()
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

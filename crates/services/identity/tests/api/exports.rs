//! Copies of what is kept of people.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::stream::{self, BoxStream, StreamExt as _};
use reqwest::Method;
use serde_json::{Value, json};
use shop_config::Config;
use shop_mongo::{bson, doc};
use shop_proto::person::carts_server::{Carts, CartsServer};
use shop_proto::person::orders_server::{Orders, OrdersServer};
use shop_proto::person::payments_server::{Payments, PaymentsServer};
use shop_proto::person::{ExportPersonRequest, Record};
use shop_testkit::{Peers, TestShop};
use tokio::sync::Mutex;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::given::{Answer, PASSWORD, call, documents, eventually, register, request};

const EXPORT: &str = "/api/v1/me/export";

/// What is kept of a person, by kind.
type Kept = HashMap<(String, &'static str), Vec<Value>>;

/// Order, cart and payment as they keep things of people.
#[derive(Clone, Default)]
struct Keepers {
    kept: Arc<Mutex<Kept>>,
    are_away: Arc<AtomicBool>,
}

type Records = BoxStream<'static, Result<Record, Status>>;

impl Keepers {
    async fn keep(&self, of: &Answer, kind: &'static str, things: Vec<Value>) {
        let user = of.body["user"]["id"].as_str().unwrap().to_owned();
        self.kept.lock().await.insert((user, kind), things);
    }

    async fn answer(
        &self,
        kind: &'static str,
        request: Request<ExportPersonRequest>,
    ) -> Result<Response<Records>, Status> {
        if self.are_away.load(Ordering::SeqCst) {
            return Err(Status::unavailable("away"));
        }
        let ExportPersonRequest { user_id, received } = request.into_inner();
        let kept = self.kept.lock().await.get(&(user_id, kind)).cloned().unwrap_or_default();
        let record = move |thing: Value| Ok(Record { kind: kind.into(), json: thing.to_string() });
        let page = kept.into_iter().skip(received as usize).take(100).map(record);
        Ok(Response::new(stream::iter(page.collect::<Vec<_>>()).boxed()))
    }

    fn peers(&self) -> Peers {
        let routes = Routes::new(OrdersServer::new(self.clone()))
            .add_service(CartsServer::new(self.clone()))
            .add_service(PaymentsServer::new(self.clone()));
        Peers { grpc: Some(routes), ..Peers::default() }
    }

    async fn identity(&self) -> TestShop {
        TestShop::start_beside(self.peers(), async |config| identity::service(&config).await).await
    }

    /// A second pod of the same shop, beside other pods of the same keepers.
    async fn another_pod(&self, of: &Config) -> TestShop {
        TestShop::start_beside(self.peers(), async |config| {
            identity::service(&Config { peer_url: config.peer_url, ..of.clone() }).await
        })
        .await
    }
}

#[tonic::async_trait]
impl Orders for Keepers {
    type ExportPersonStream = Records;

    async fn export_person(&self, request: Request<ExportPersonRequest>) -> Result<Response<Records>, Status> {
        self.answer("order", request).await
    }
}

#[tonic::async_trait]
impl Carts for Keepers {
    type ExportPersonStream = Records;

    async fn export_person(&self, request: Request<ExportPersonRequest>) -> Result<Response<Records>, Status> {
        self.answer("cart", request).await
    }
}

#[tonic::async_trait]
impl Payments for Keepers {
    type ExportPersonStream = Records;

    async fn export_person(&self, request: Request<ExportPersonRequest>) -> Result<Response<Records>, Status> {
        self.answer("payment", request).await
    }
}

async fn begin(shop: &TestShop, token: &str, key: Option<&str>) -> Answer {
    let request = request(shop, Method::POST, EXPORT).bearer_auth(token);
    let request = key.into_iter().fold(request, |request, key| request.header("Idempotency-Key", key));
    Answer::of(request.send().await.unwrap()).await
}

fn path(export: &Answer) -> String {
    format!("{EXPORT}/{}", export.text("id"))
}

async fn status(shop: &TestShop, token: &str, path: &str) -> u16 {
    request(shop, Method::GET, path).bearer_auth(token).send().await.unwrap().status().as_u16()
}

async fn is_done(shop: &TestShop, token: &str, path: &str) {
    eventually("the export is done", async || status(shop, token, path).await == 200).await;
}

/// The lines of an export that is done.
async fn lines(shop: &TestShop, token: &str, path: &str) -> Vec<Value> {
    let reply = request(shop, Method::GET, path).bearer_auth(token).send().await.unwrap();
    assert_eq!(reply.headers()["content-type"], "application/x-ndjson");
    assert_eq!(reply.headers()["content-disposition"], "attachment; filename=\"export.ndjson\"");
    assert_eq!(reply.headers()["cache-control"], "no-store");
    let text = reply.text().await.unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_copy_holds_what_every_service_keeps_of_a_person_and_nothing_of_others() {
    let keepers = Keepers::default();
    let shop = keepers.identity().await;
    let (ada, eve) = (register(&shop, "ada@example.org").await, register(&shop, "eve@example.org").await);
    let token = ada.text("token");
    let place = json!({ "name": "Ada", "line1": "12 Canary Row", "city": "London", "country": "GB" });
    let added = request(&shop, Method::POST, "/api/v1/me/addresses").bearer_auth(&token).json(&place);
    assert_eq!(added.send().await.unwrap().status(), 201);
    let orders: Vec<Value> = (0..250).map(|number| json!({ "number": number })).collect();
    keepers.keep(&ada, "order", orders.clone()).await;
    keepers.keep(&ada, "cart", vec![json!({ "total": { "amount": 5 } })]).await;
    keepers.keep(&ada, "payment", vec![json!({ "status": "CAPTURED" })]).await;
    keepers.keep(&eve, "order", vec![json!({ "number": -1 })]).await;
    let sent = request(&shop, Method::POST, EXPORT).bearer_auth(&token).send().await.unwrap();
    let location = sent.headers()["location"].to_str().unwrap().to_owned();
    let begun = Answer::of(sent).await;
    assert_eq!((begun.status, begun.text("status").as_str(), &location), (202, "running", &path(&begun)));
    is_done(&shop, &token, &location).await;
    let lines = lines(&shop, &token, &location).await;
    let of = |service: &str, kind: &str| -> Vec<Value> {
        let these = lines.iter().filter(|line| line["service"] == service && line["kind"] == kind);
        these.map(|line| line["data"].clone()).collect()
    };
    assert_eq!(of("order", "order"), orders);
    assert_eq!(of("cart", "cart"), [json!({ "total": { "amount": 5 } })]);
    assert_eq!(of("payment", "payment"), [json!({ "status": "CAPTURED" })]);
    assert_eq!(of("identity", "account")[0]["email"], "ada@example.org");
    assert_eq!(of("identity", "address")[0]["line1"], "12 Canary Row");
    assert_eq!(of("identity", "session").len(), 1);
    assert_eq!(lines.len(), 255);
    let text = format!("{lines:?}");
    assert!(!text.contains("argon2id") && !text.contains(&ada.text("refreshToken")), "{text}");
    for path in [location.as_str(), &format!("{EXPORT}/00000000-0000-0000-0000-000000000001"), &format!("{EXPORT}/7")] {
        call(&shop, Method::GET, path, &eve.text("token")).await.must_be(404, "not_found");
    }
}

#[tokio::test]
async fn a_person_has_one_export_and_a_new_one_replaces_it() {
    let keepers = Keepers::default();
    let shop = keepers.identity().await;
    let token = register(&shop, "ada@example.org").await.text("token");
    keepers.are_away.store(true, Ordering::SeqCst);
    let first = begin(&shop, &token, Some("k-1")).await;
    for key in [None, Some("k-1"), Some("k-2")] {
        assert_eq!(begin(&shop, &token, key).await.text("id"), first.text("id"), "{key:?}");
    }
    // It says how far it is.
    let mongo = shop.mongo("identity").await;
    eventually("identity has given its own", async || {
        call(&shop, Method::GET, &path(&first), &token).await.body["service"] == "order"
    })
    .await;
    let waiting = call(&shop, Method::GET, &path(&first), &token).await;
    assert_eq!((waiting.status, &waiting.body["records"]), (202, &json!(2)), "{waiting:?}");
    keepers.are_away.store(false, Ordering::SeqCst);
    is_done(&shop, &token, &path(&first)).await;
    for key in ["k-1", "k-2"] {
        let again = begin(&shop, &token, Some(key)).await;
        assert_eq!((again.text("id"), again.text("status").as_str()), (first.text("id"), "done"), "{key}");
    }
    let second = begin(&shop, &token, None).await;
    assert_ne!(second.text("id"), first.text("id"));
    assert_eq!(status(&shop, &token, &path(&first)).await, 404);
    is_done(&shop, &token, &path(&second)).await;
    let pieces = documents(&mongo, "export_pieces", doc! {}).await;
    assert!(pieces.iter().all(|piece| piece.get_str("export").unwrap() == second.text("id")), "{pieces:?}");
    begin(&shop, &token, Some("k-1")).await.must_be(404, "not_found");
}

#[tokio::test]
async fn an_export_survives_its_pod() {
    let keepers = Keepers::default();
    let mut shop = keepers.identity().await;
    let ada = register(&shop, "ada@example.org").await;
    let token = ada.text("token");
    keepers.keep(&ada, "order", vec![json!({ "number": 7 })]).await;
    keepers.are_away.store(true, Ordering::SeqCst);
    let begun = begin(&shop, &token, None).await;
    eventually("identity has given its own", async || {
        call(&shop, Method::GET, &path(&begun), &token).await.body["service"] == "order"
    })
    .await;
    shop.stop().await;
    keepers.are_away.store(false, Ordering::SeqCst);
    let pod = keepers.another_pod(shop.config()).await;
    is_done(&pod, &token, &path(&begun)).await;
    assert_eq!(lines(&pod, &token, &path(&begun)).await.len(), 3);
}

#[tokio::test]
async fn an_export_that_takes_too_long_has_failed_and_another_one_may_begin() {
    let keepers = Keepers::default();
    let shop = keepers.identity().await;
    let token = register(&shop, "ada@example.org").await.text("token");
    keepers.are_away.store(true, Ordering::SeqCst);
    let begun = begin(&shop, &token, None).await;
    let mongo = shop.mongo("identity").await;
    let exports = mongo.collection::<bson::Document>("exports");
    let long_ago = bson::DateTime::from_millis(0);
    exports.update_one(doc! {}, doc! { "$set": { "created_at": long_ago } }).await.unwrap();
    eventually("it has failed", async || status(&shop, &token, &path(&begun)).await == 410).await;
    call(&shop, Method::GET, &path(&begun), &token).await.must_be(410, "export_failed");
    keepers.are_away.store(false, Ordering::SeqCst);
    let again = begin(&shop, &token, None).await;
    is_done(&shop, &token, &path(&again)).await;
}

#[tokio::test]
async fn an_export_goes_with_its_account() {
    let keepers = Keepers::default();
    let shop = keepers.identity().await;
    let token = register(&shop, "ada@example.org").await.text("token");
    let begun = begin(&shop, &token, None).await;
    is_done(&shop, &token, &path(&begun)).await;
    let gone = request(&shop, Method::DELETE, "/api/v1/me").bearer_auth(&token).json(&json!({ "password": PASSWORD }));
    assert_eq!(gone.send().await.unwrap().status(), 204);
    let mongo = shop.mongo("identity").await;
    for collection in ["exports", "export_pieces"] {
        assert!(documents(&mongo, collection, doc! {}).await.is_empty(), "{collection}");
    }
}

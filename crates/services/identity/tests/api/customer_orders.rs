//! Which orders are whose: by the events of order, and as programs tell.

use reqwest::Method;
use serde_json::{Value, json};
use shop_mongo::doc;
use shop_redis::{Entry, Redis};
use shop_service::SystemClock;
use shop_telemetry::metrics::Metrics;
use shop_testkit::TestShop;
use shop_types::event::OrderFact;
use shop_types::{Clock as _, Envelope, Event, EventId, Money, OrderId, UserId};

use crate::given::{
    Answer, PASSWORD, call, documents, eventually, identity, identity_with_admin, register, request, while_deleting,
};

fn user(opened: &Answer) -> UserId {
    opened.body["user"]["id"].as_str().unwrap().parse().unwrap()
}

fn new_order() -> OrderId {
    OrderId::from_uuid(SystemClock.new_id())
}

/// The event of an order that was placed.
fn placed(order_id: OrderId, number: i64, user_id: Option<UserId>) -> Envelope {
    let total = Money::new(100, "EUR".parse().unwrap());
    let (lines, cart, payment_id, reason) = (Vec::new(), None, None, None);
    Envelope {
        id: EventId::from_uuid(SystemClock.new_id()),
        aggregate: order_id.to_string(),
        version: 1,
        occurred_at: SystemClock.now(),
        traceparent: None,
        event: Event::OrderCreated(OrderFact { order_id, number, user_id, cart, lines, total, payment_id, reason }),
    }
}

/// Puts events into the stream of order, and waits until identity has heard.
async fn deliver(shop: &TestShop, envelopes: &[&Envelope]) {
    deliver_from(shop, "order", envelopes).await;
}

/// The same with the stream of another service.
pub(crate) async fn deliver_from(shop: &TestShop, producer: &str, envelopes: &[&Envelope]) {
    let redis = Redis::connect(shop.config().redis.as_ref().unwrap(), &Metrics::new("test")).unwrap();
    let stream = redis.stream(producer);
    let entry = |envelope: &&Envelope| Entry {
        event_id: envelope.id.to_string(),
        topic: envelope.event.topic().name().into(),
        json: serde_json::to_string(envelope).unwrap(),
        mirror: None,
    };
    let entries: Vec<_> = envelopes.iter().map(entry).collect();
    let mark = stream.open("test").await.unwrap();
    stream.append(&mark, &entries).await.unwrap();
    eventually("everything is acknowledged", async || {
        let floor = stream.floor(&mark, &["identity"]).await.unwrap();
        floor.groups.iter().any(|group| group.name == "identity" && group.lag == 0)
    })
    .await;
}

async fn list(shop: &TestShop, of: UserId, token: &str, query: &str) -> Answer {
    call(shop, Method::GET, &format!("/api/v1/customers/{of}/orders{query}"), token).await
}

fn numbers(list: &Answer) -> Vec<Value> {
    assert_eq!(list.status, 200, "{list:?}");
    list.body["items"].as_array().unwrap().iter().map(|item| item["number"].clone()).collect()
}

async fn tell(shop: &TestShop, of: &str, order: &str) -> Answer {
    let service = shop.callers().service().token;
    call(shop, Method::PUT, &format!("/api/v1/customers/{of}/orders/{order}"), &service).await
}

#[tokio::test]
async fn an_order_is_its_persons_once_however_often_its_event_comes() {
    let shop = identity().await;
    let (ada, eve) = (register(&shop, "ada@example.org").await, register(&shop, "eve@example.org").await);
    let first = placed(new_order(), 7, Some(user(&ada)));
    let second = placed(new_order(), 9, Some(user(&ada)));
    let guests = placed(new_order(), 8, None);
    let strangers = placed(new_order(), 10, Some(shop.callers().customer().id));
    deliver(&shop, &[&first, &guests, &first, &strangers]).await;
    deliver(&shop, &[&second, &first]).await;
    let own = list(&shop, user(&ada), &ada.text("token"), "").await;
    assert_eq!(numbers(&own), [9, 7]);
    assert_eq!(own.body["items"][1]["orderId"], first.aggregate);
    let fields: Vec<_> = own.body["items"][0].as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields, ["orderId", "number", "placedAt"]);
    let page = list(&shop, user(&ada), &ada.text("token"), "?size=1&page=2").await;
    assert_eq!((numbers(&page), &page.body["page"]["total"]), (vec![json!(7)], &json!(2)));
    assert_eq!(numbers(&list(&shop, user(&eve), &eve.text("token"), "").await), Vec::<Value>::new());
    let mongo = shop.mongo("identity").await;
    assert_eq!(documents(&mongo, "customer_orders", doc! {}).await.len(), 2);
    assert_eq!(documents(&mongo, "inbox", doc! {}).await.len(), 4);
}

#[tokio::test]
async fn customers_see_their_own_orders_and_staff_all() {
    let (shop, boss) = identity_with_admin().await;
    let (ada, eve) = (register(&shop, "ada@example.org").await, register(&shop, "eve@example.org").await);
    deliver(&shop, &[&placed(new_order(), 7, Some(user(&ada)))]).await;
    assert_eq!(numbers(&list(&shop, user(&ada), &boss.text("token"), "").await), [7]);
    assert_eq!(numbers(&list(&shop, user(&ada), &shop.callers().staff().token, "").await), [7]);
    let nobody = UserId::from_uuid(SystemClock.new_id());
    let others = list(&shop, user(&ada), &eve.text("token"), "").await;
    let unknown = list(&shop, nobody, &eve.text("token"), "").await;
    others.must_be(404, "not_found");
    unknown.must_be(404, "not_found");
    assert_eq!(others.body["error"], unknown.body["error"]);
    list(&shop, nobody, &boss.text("token"), "").await.must_be(404, "not_found");
    list(&shop, user(&ada), &ada.text("token"), "?sort=number").await.must_be(422, "unknown_parameter");
    call(&shop, Method::GET, "/api/v1/customers/7/orders", &boss.text("token")).await.must_be(404, "not_found");
}

#[tokio::test]
async fn programs_tell_of_orders_and_the_event_knows_better() {
    let shop = identity().await;
    let (ada, eve) = (register(&shop, "ada@example.org").await, register(&shop, "eve@example.org").await);
    let (adas, eves) = (user(&ada).to_string(), user(&eve).to_string());
    let order = new_order();
    for _ in 0..2 {
        assert_eq!(tell(&shop, &adas, &order.to_string()).await.status, 204);
    }
    tell(&shop, &eves, &order.to_string()).await.must_be(409, "order_of_another");
    tell(&shop, &order.to_string(), &order.to_string()).await.must_be(404, "not_found");
    tell(&shop, &adas, "7").await.must_be(404, "not_found");
    let told = list(&shop, user(&ada), &ada.text("token"), "").await;
    assert_eq!(told.body["items"][0]["orderId"], order.to_string());
    assert!(told.body["items"][0].get("number").is_none(), "{told:?}");
    deliver(&shop, &[&placed(order, 7, Some(user(&eve)))]).await;
    assert_eq!(numbers(&list(&shop, user(&eve), &eve.text("token"), "").await), [7]);
    assert_eq!(numbers(&list(&shop, user(&ada), &ada.text("token"), "").await), Vec::<Value>::new());
    // Told again, the number stays.
    assert_eq!(tell(&shop, &eves, &order.to_string()).await.status, 204);
    assert_eq!(numbers(&list(&shop, user(&eve), &eve.text("token"), "").await), [7]);
}

#[tokio::test]
async fn a_deleted_account_forgets_its_orders_also_those_told_later() {
    let shop = identity().await;
    let ada = register(&shop, "ada@example.org").await;
    deliver(&shop, &[&placed(new_order(), 7, Some(user(&ada)))]).await;
    let gone = request(&shop, Method::DELETE, "/api/v1/me").bearer_auth(ada.text("token"));
    assert_eq!(gone.json(&json!({ "password": PASSWORD })).send().await.unwrap().status(), 204);
    deliver(&shop, &[&placed(new_order(), 8, Some(user(&ada)))]).await;
    tell(&shop, &user(&ada).to_string(), &new_order().to_string()).await.must_be(404, "not_found");
    assert!(documents(&shop.mongo("identity").await, "customer_orders", doc! {}).await.is_empty());
}

#[tokio::test]
async fn an_order_that_is_told_while_an_account_is_deleted_does_not_stay() {
    let shop = identity().await;
    let mongo = shop.mongo("identity").await;
    let (ada, eve) = (register(&shop, "ada@example.org").await, register(&shop, "eve@example.org").await);
    let (adas, order) = (user(&ada).to_string(), new_order().to_string());
    while_deleting(&mongo, &adas, tell(&shop, &adas, &order)).await.must_be(404, "not_found");
    let event = placed(new_order(), 7, Some(user(&eve)));
    while_deleting(&mongo, &user(&eve).to_string(), deliver(&shop, &[&event])).await;
    assert!(documents(&mongo, "customer_orders", doc! {}).await.is_empty());
    assert!(documents(&mongo, "audit", doc! { "action": "order_linked" }).await.is_empty());
    assert_eq!(documents(&mongo, "inbox", doc! { "_id": format!("identity:{}", event.id) }).await.len(), 1);
}

#[tokio::test]
async fn what_a_program_tells_is_written_down_once() {
    let (shop, boss) = identity_with_admin().await;
    let ada = register(&shop, "ada@example.org").await;
    let (program, adas) = (shop.callers().service(), user(&ada).to_string());
    let order = new_order();
    let path = format!("/api/v1/customers/{adas}/orders/{order}");
    for _ in 0..2 {
        assert_eq!(call(&shop, Method::PUT, &path, &program.token).await.status, 204);
    }
    let log = call(&shop, Method::GET, &format!("/api/v1/audit?userId={adas}"), &boss.text("token")).await;
    assert_eq!((log.status, &log.body["page"]["total"]), (200, &json!(1)), "{log:?}");
    let entry = &log.body["items"][0];
    assert_eq!((&entry["action"], &entry["actorId"]), (&json!("order_linked"), &json!(program.id)));
    assert_eq!(entry["orderId"], json!(order.to_string()));
}

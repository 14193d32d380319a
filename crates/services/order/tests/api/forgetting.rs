//! People who have deleted their account: their orders forget where they lived, and stay in the books.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::Method;
use serde_json::{Value, json};
use shop_mongo::{Document, bson, doc};
use shop_service::SystemClock;
use shop_types::event::UserFact;
use shop_types::{Clock as _, Envelope, Event, EventId, UserId};

use crate::given::{Buyer, Given, address, eventually, mugs};

/// The event of an account that was deleted.
pub(crate) fn deleted(user_id: UserId) -> Envelope {
    Envelope {
        id: EventId::from_uuid(SystemClock.new_id()),
        aggregate: user_id.to_string(),
        version: 2,
        occurred_at: SystemClock.now(),
        traceparent: None,
        event: Event::UserDeleted(UserFact { user_id, number: 1 }),
    }
}

/// Whether the orders of somebody wait to be looked at.
pub(crate) async fn is_due(given: &Given) -> bool {
    let due = doc! { "due": { "$lt": bson::DateTime::now() } };
    given.mongo.collection::<Document>("departures").count_documents(due).await.unwrap() > 0
}

/// Lets the present pause, or more of the past, be over.
async fn set_back(given: &Given, fields: Document) {
    let departures = given.mongo.collection::<Document>("departures");
    assert_eq!(departures.update_many(doc! {}, doc! { "$set": fields }).await.unwrap().matched_count, 1);
}

fn long_ago() -> bson::DateTime {
    bson::DateTime::from_millis(0)
}

fn sent_to(line1: &str) -> Value {
    let mut order = mugs(1, "tok_visa");
    order["address"] = address(line1);
    order
}

async fn forgets(given: &Given, buyer: &Buyer, order: &str) {
    eventually("the address is gone", || async { given.show(buyer, order).await.body["address"].is_null() }).await;
}

/// All that is stored, as text.
async fn stored(given: &Given) -> String {
    let mut text = String::new();
    for name in given.mongo.database().list_collection_names().await.unwrap() {
        let mut rows = given.mongo.collection::<Document>(&name).find(doc! {}).await.unwrap();
        while let Some(row) = rows.try_next().await.unwrap() {
            text.push_str(&row.to_string());
        }
    }
    text
}

/// As many orders like this one again, in the database alone.
async fn copies(given: &Given, order: &str, count: i64) -> Vec<String> {
    let orders = given.mongo.collection::<Document>("orders");
    let one = orders.find_one(doc! { "_id": order }).await.unwrap().unwrap();
    let copy = |n: i64| {
        let mut copy = one.clone();
        copy.extend(doc! { "_id": SystemClock.new_id().to_string(), "number": 1_000_000 + n });
        copy
    };
    let copies: Vec<Document> = (0..count).map(copy).collect();
    orders.insert_many(&copies).await.unwrap();
    copies.iter().map(|copy| copy.get_str("_id").unwrap().to_owned()).collect()
}

#[tokio::test]
async fn orders_of_a_deleted_account_keep_the_books_and_nothing_personal() {
    let given = Given::new().await;
    let customer = given.shop.callers().customer();
    let (ada, eve) = (Buyer::of(&customer), given.customer());
    let staff = Buyer::of(&given.shop.callers().staff());
    let order = given.place(&ada, "k", &sent_to("1 Old Street")).await.order();
    let moved = json!({ "address": address("2 New Street") });
    assert_eq!(given.patch(&ada, &format!("/api/v1/orders/{order}"), 2, &moved).await.status, 200);
    given.tell(Event::PaymentCaptured, &order, 1).await;
    assert_eq!(given.advance(&staff, &order, 4, "shipped").await.status, 200);
    let asked = given.send_back(&ada, &order, "r", "My leg is too long.").await;
    let cancelled = given.place(&ada, "c", &sent_to("3 Old Street")).await.order();
    assert_eq!(given.cancel(&ada, &cancelled).await.state(), "cancelling");
    given.tell(Event::PaymentVoided, &cancelled, 1).await;
    let eves = given.shipped(&eve, &sent_to("9 Elm Street")).await;
    let eves_return = given.send_back(&eve, &eves, "r", "It is blue.").await.body;
    let (before, others) = (given.show(&ada, &order).await.body, given.show(&eve, &eves).await.body);
    let (events, reason) = (given.told(&order).await, given.show(&ada, &cancelled).await.body["reason"].clone());

    let event = deleted(customer.id);
    given.deliver("identity", &event, 2).await;
    forgets(&given, &ada, &order).await;
    forgets(&given, &ada, &cancelled).await;
    given.deliver("identity", &event, 1).await;

    let after = given.show(&ada, &order).await;
    assert_eq!(after.etag.as_deref(), Some("\"6\""), "who has read the address is told that it is gone");
    let history = after.body["history"].as_array().unwrap();
    assert_eq!(history[..5], before["history"].as_array().unwrap()[..]);
    assert_eq!((&history[5]["status"], &history[5]["reason"]), (&json!("shipped"), &json!("address_forgotten")));
    for book in ["id", "number", "userId", "items", "total", "status", "reason", "createdAt"] {
        assert_eq!(after.body[book], before[book], "{book}");
    }
    assert_eq!(given.told(&order).await, events, "nobody else need know");
    assert_eq!(given.show(&ada, &cancelled).await.body["reason"], reason);
    let path = format!("/api/v1/returns/{}", asked.body["id"].as_str().unwrap());
    let shown = given.send(Method::GET, &path, &staff).await;
    assert_eq!((&shown.body["reason"], shown.state()), (&json!("[forgotten]"), "requested"));
    assert_eq!(given.patch(&staff, &path, 2, &json!({ "status": "accepted" })).await.status, 200);

    let stored = stored(&given).await;
    for trace in ["Old Street", "New Street", "My leg"] {
        assert!(!stored.contains(trace), "{trace} is still there");
    }
    assert_eq!(given.show(&eve, &eves).await.body, others);
    let path = format!("/api/v1/returns/{}", eves_return["id"].as_str().unwrap());
    assert_eq!(given.send(Method::GET, &path, &eve).await.body, eves_return);
}

#[tokio::test]
async fn an_order_that_may_still_be_sent_keeps_its_address_until_it_is() {
    let given = Given::new().await;
    let customer = given.shop.callers().customer();
    let (ada, staff) = (Buyer::of(&customer), Buyer::of(&given.shop.callers().staff()));
    let order = given.place(&ada, "k", &sent_to("1 Old Street")).await.order();
    given.tell(Event::PaymentCaptured, &order, 1).await;
    given.deliver("identity", &deleted(customer.id), 1).await;
    eventually("somebody has looked", || async { !is_due(&given).await }).await;
    set_back(&given, doc! { "at": long_ago(), "due": long_ago() }).await;
    eventually("somebody has looked again", || async { !is_due(&given).await }).await;
    let departures = given.mongo.collection::<Document>("departures");
    assert_eq!(departures.count_documents(doc! {}).await.unwrap(), 1, "who waits for an order is not done with");
    assert_eq!(given.show(&staff, &order).await.body["address"], address("1 Old Street"));

    assert_eq!(given.advance(&staff, &order, 3, "shipped").await.status, 200);
    set_back(&given, doc! { "due": long_ago() }).await;

    forgets(&given, &staff, &order).await;
    eventually("nothing is left to do", || async { departures.count_documents(doc! {}).await.unwrap() == 0 }).await;
}

#[tokio::test]
async fn what_a_last_token_orders_after_the_deletion_is_forgotten_too() {
    let given = Given::new().await;
    let customer = given.shop.callers().customer();
    let ada = Buyer::of(&customer);
    given.deliver("identity", &deleted(customer.id), 1).await;
    eventually("somebody has looked", || async { !is_due(&given).await }).await;
    let late = given.place(&ada, "k", &sent_to("1 Old Street")).await.order();
    assert_eq!(given.cancel(&ada, &late).await.status, 200);
    set_back(&given, doc! { "due": long_ago() }).await;
    forgets(&given, &ada, &late).await;
}

#[tokio::test]
async fn hundreds_of_orders_are_forgotten_while_staff_goes_on_with_them() {
    let given = Given::new().await;
    let other = given.another_pod().await;
    let customer = given.shop.callers().customer();
    let (ada, staff) = (Buyer::of(&customer), Buyer::of(&given.shop.callers().staff()));
    let first = given.shipped(&ada, &sent_to("1 Old Street")).await;
    let copies = copies(&given, &first, 250).await;
    let event = deleted(customer.id);

    let told = given.deliver("identity", &event, 1);
    let delivering = stream::iter(&copies).map(|order| given.advance(&staff, order, 4, "delivered"));
    let (delivered, ()) = futures::future::join(delivering.buffered(8).collect::<Vec<_>>(), told).await;
    let statuses: Vec<u16> = delivered.iter().map(|answer| answer.status).collect();
    assert!(statuses.iter().all(|status| [200, 412].contains(status)), "{statuses:?}");

    let orders = given.mongo.collection::<Document>("orders");
    let left = || async { orders.count_documents(doc! { "history.address": { "$exists": true } }).await.unwrap() };
    eventually("no address is left", || async { left().await == 0 }).await;
    let gaps = doc! { "$expr": { "$ne": ["$version", { "$size": "$history" }] } };
    assert_eq!(orders.count_documents(gaps).await.unwrap(), 0, "each version has its entry");
    let done = u64::try_from(statuses.iter().filter(|status| **status == 200).count()).unwrap();
    assert_eq!(orders.count_documents(doc! { "state": "delivered" }).await.unwrap(), done, "no delivery was lost");
    assert_eq!(orders.count_documents(doc! { "total": 500_i64 }).await.unwrap(), 251);
    other.stop().await;
}

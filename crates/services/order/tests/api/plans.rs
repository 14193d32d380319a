//! No query reads more than it shows: MongoDB's own record of what the service asked, and how it was answered.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use shop_mongo::{Document, doc};
use shop_types::Event;

use crate::forgetting::{deleted, is_due};
use crate::given::{Buyer, Given, all_of, eventually, mugs};

#[tokio::test]
async fn every_query_on_orders_uses_an_index() {
    let given = Given::with_deadline(Duration::from_secs(3)).await;
    given.mongo.database().run_command(doc! { "profile": 2, "filter": "unset" }).await.unwrap();

    // Every route, every filter, a take-over, a deadline and an event.
    let customer = given.shop.callers().customer();
    let (buyer, guest) = (Buyer::of(&customer), Buyer::guest("g"));
    let staff = Buyer::of(&given.shop.callers().staff());
    let order = given.place(&buyer, "k", &mugs(1, "tok_visa")).await.order();
    given.place(&buyer, "k", &mugs(1, "tok_visa")).await;
    let cart = given.fakes.fill_cart(&guest, &[("mug", 1, 500)]).await;
    let guests = given.place(&guest, "k", &all_of(&cart)).await.order();
    let unnamed = given.shop.client().post(given.shop.url("/orders/request")).header(guest.0, &guest.1);
    assert_eq!(unnamed.json(&json!({ "cartId": cart })).send().await.unwrap().status(), 201);
    given.show(&buyer, &order).await;
    given.show(&guest, &guests).await;
    given.tell(Event::PaymentCaptured, &order, 1).await;
    given.cancel(&staff, &guests).await;
    let filters = [
        String::new(),
        "?status=paid".into(),
        format!("?userId={}", customer.id),
        format!("?userId={}&status=paid", customer.id),
        "?from=2020-01-01T00:00:00Z&to=2090-01-01T00:00:00Z".into(),
        "?status=paid&from=2020-01-01T00:00:00Z".into(),
    ];
    for filter in &filters {
        for viewer in [&buyer, &staff] {
            let list = given.send(Method::GET, &format!("/api/v1/orders{filter}"), viewer).await;
            assert_eq!(list.status, 200, "{}", list.body);
        }
    }
    let shipped = given.shipped(&guest, &all_of(&cart)).await;
    let asked = given.send_back(&guest, &shipped, "r", "too small").await;
    let path = format!("/api/v1/returns/{}", asked.body["id"].as_str().unwrap());
    assert_eq!(given.send(Method::GET, &path, &guest).await.status, 200);
    assert_eq!(given.patch(&staff, &path, 1, &json!({ "status": "accepted" })).await.status, 200);
    for query in ["", "?status=requested"] {
        let list = given.send(Method::GET, &format!("/api/v1/returns{query}"), &staff).await;
        assert_eq!(list.status, 200, "{}", list.body);
    }
    let declined = given.place(&buyer, "d", &mugs(1, "tok_declined")).await.order();
    assert_eq!(given.pay(&buyer, &declined, "p", "tok_declined").await.status, 402);
    given.becomes(&buyer, &declined, "rejected").await;
    given.deliver("identity", &deleted(customer.id), 1).await;
    eventually("somebody has looked", || async { !is_due(&given).await }).await;

    given.mongo.database().run_command(doc! { "profile": 0 }).await.unwrap();
    let own = ["orders", "returns", "departures", "leases", "idempotency"]
        .map(|name| format!("{}.{name}", given.mongo.database().name()));
    let profile = given.mongo.collection::<Document>("system.profile");
    let filter = doc! { "ns": { "$in": own.as_slice() }, "planSummary": { "$exists": true } };
    let mut rows = profile.find(filter).await.unwrap();
    let mut plans = BTreeSet::new();
    while rows.advance().await.unwrap() {
        let row = rows.deserialize_current().unwrap();
        let (op, plan) = (row.get_str("op").unwrap(), row.get_str("planSummary").unwrap());
        assert!(!plan.contains("COLLSCAN"), "{row}");
        plans.insert(format!("{op} {plan}"));
    }
    // The count of stuck orders reads a part of those in transient states.
    assert!(plans.iter().any(|plan| plan.contains("state: 1") && plan.starts_with("command")), "{plans:#?}");
    // The record is worth something only if it holds what the service does.
    for index in [
        "IXSCAN { user: 1, created_at: -1, _id: -1 }",
        "IXSCAN { state: 1, created_at: -1, _id: -1 }",
        "IXSCAN { created_at: -1, _id: -1 }",
        "IXSCAN { lease_until: 1 }",
        "IXSCAN { deadline: 1, _id: 1 }",
        "IXSCAN { order: 1 }",
        "IXSCAN { due: 1 }",
    ] {
        assert!(plans.iter().any(|plan| plan.contains(index)), "{index} is not used: {plans:#?}");
    }
}

/// What one order costs when it is alone: three transactions, up to the payment. Under load up to 128 orders share each.
#[tokio::test]
async fn an_order_is_placed_confirmed_and_paid_in_thirteen_statements() {
    let given = Given::new().await;
    let buyer = given.customer();
    given.mongo.database().run_command(doc! { "profile": 2, "filter": "unset" }).await.unwrap();
    let order = given.place(&buyer, "k", &mugs(1, "tok_visa")).await.order();
    given.tell(Event::PaymentCaptured, &order, 1).await;
    given.becomes(&buyer, &order, "paid").await;
    given.mongo.database().run_command(doc! { "profile": 0 }).await.unwrap();

    // The relay changes rows of the outbox on its own; what it never does is to write new ones. The register of sessions
    // is renewed every second, order or not.
    let by_relay = doc! { "op": "update", "ns": { "$regex": "outbox$" }, "command.upsert": false };
    let register = doc! { "ns": { "$regex": "driver_sessions$" } };
    let in_transactions =
        doc! { "$or": [{ "op": "update" }, { "command.autocommit": false }], "$nor": [by_relay, register] };
    let profile = given.mongo.collection::<Document>("system.profile");
    let mut rows = profile.find(in_transactions).await.unwrap();
    let mut statements: BTreeMap<String, usize> = BTreeMap::new();
    while rows.advance().await.unwrap() {
        let row = rows.deserialize_current().unwrap();
        let collection = row.get_str("ns").unwrap().rsplit('.').next().unwrap();
        let writes = row.get_str("op").is_ok_and(|op| ["insert", "update"].contains(&op));
        let verb = if writes { "write" } else { "read" };
        *statements.entry(format!("{verb} {collection}")).or_default() += 1;
    }
    let expected = [
        // W1; W6 and W10; W10.
        ("read idempotency", 1),
        ("read orders", 2),
        ("read inbox", 1),
        // W1, W6, W10; W1 and W6; W10; W1, W6, W10.
        ("write orders", 3),
        ("write idempotency", 2),
        ("write inbox", 1),
        ("write outbox", 3),
    ];
    assert_eq!(statements, expected.map(|(statement, times)| (statement.to_owned(), times)).into());
}

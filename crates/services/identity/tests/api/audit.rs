//! Which writes staff and programs asked for, in all services, as their events tell.

use reqwest::Method;
use serde_json::{Value, json};
use shop_mongo::doc;
use shop_service::SystemClock;
use shop_testkit::TestShop;
use shop_types::{CallId, Clock as _, Envelope, Event, EventId, Role, StaffCall, UserId};

use crate::customer_orders::deliver_from;
use crate::given::{Answer, call, change, documents, eventually, identity_with_admin, register};

fn refund(actor: UserId) -> StaffCall {
    StaffCall {
        id: CallId::from_uuid(SystemClock.new_id()),
        at: SystemClock.now(),
        service: "payment".into(),
        actor,
        role: Role::Staff,
        method: "POST".into(),
        route: "/api/v1/payments/{id}/refunds".into(),
        path: "/api/v1/payments/7:1/refunds".into(),
        request_id: "r-1".into(),
        status: None,
    }
}

fn envelope(version: i64, call: StaffCall, event: fn(StaffCall) -> Event) -> Envelope {
    Envelope {
        id: EventId::from_uuid(SystemClock.new_id()),
        aggregate: call.id.to_string(),
        version,
        occurred_at: SystemClock.now(),
        traceparent: None,
        event: event(call),
    }
}

fn told(call: &StaffCall, status: u16) -> [Envelope; 2] {
    let answered = call.clone().answered(status);
    [envelope(1, call.clone(), Event::StaffCalled), envelope(2, answered, Event::StaffAnswered)]
}

fn someone() -> UserId {
    UserId::from_uuid(SystemClock.new_id())
}

/// The calls of somebody, the latest first.
async fn calls_of(shop: &TestShop, admin: &Answer, actor: UserId) -> Vec<Value> {
    let path = format!("/api/v1/audit?action=call&actorId={actor}");
    let list = call(shop, Method::GET, &path, &admin.text("token")).await;
    assert_eq!(list.status, 200, "{list:?}");
    list.body["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_call_stands_in_the_log_once_whichever_of_its_events_comes_first_and_however_often() {
    let (shop, boss) = identity_with_admin().await;
    for order in [&[0, 1][..], &[1, 0], &[0, 0, 1, 1], &[1, 0, 1, 0]] {
        let refund = refund(someone());
        let events = told(&refund, 201);
        for n in order {
            deliver_from(&shop, "payment", &[&events[*n]]).await;
        }
        let all: Vec<_> = order.iter().map(|n| &events[*n]).collect();
        deliver_from(&shop, "payment", &all).await;
        let expected = json!({
            "id": refund.id, "at": refund.at, "actorId": refund.actor, "action": "call", "service": "payment",
            "role": "staff", "method": "POST", "route": "/api/v1/payments/{id}/refunds",
            "path": "/api/v1/payments/7:1/refunds", "requestId": "r-1", "status": 201,
        });
        assert_eq!(calls_of(&shop, &boss, refund.actor).await, [expected], "{order:?}");
    }
}

#[tokio::test]
async fn both_events_in_one_batch_make_one_entry() {
    let (shop, boss) = identity_with_admin().await;
    for turned in [false, true] {
        let refund = refund(someone());
        let [called, answered] = told(&refund, 409);
        let batch = if turned { [&answered, &called] } else { [&called, &answered] };
        deliver_from(&shop, "payment", &batch).await;
        let calls = calls_of(&shop, &boss, refund.actor).await;
        assert_eq!((calls.len(), &calls[0]["status"]), (1, &json!(409)), "{calls:?}");
    }
}

#[tokio::test]
async fn a_call_that_nobody_saw_end_has_no_status() {
    let (shop, boss) = identity_with_admin().await;
    let refund = refund(someone());
    let [called, _] = told(&refund, 201);
    deliver_from(&shop, "payment", &[&called]).await;
    let calls = calls_of(&shop, &boss, refund.actor).await;
    assert_eq!((calls.len(), calls[0].get("status")), (1, None), "{calls:?}");
}

#[tokio::test]
async fn events_of_calls_come_from_every_service_that_keeps_data() {
    let (shop, boss) = identity_with_admin().await;
    let actor = someone();
    let services = ["catalog", "inventory", "cart", "payment", "order", "identity"];
    for service in services {
        let call = StaffCall { service: service.into(), ..refund(actor) };
        let [called, answered] = told(&call, 200);
        deliver_from(&shop, service, &[&called, &answered]).await;
    }
    let mut listed: Vec<_> = calls_of(&shop, &boss, actor).await.iter().map(|call| call["service"].clone()).collect();
    listed.reverse();
    assert_eq!(listed, services);
}

#[tokio::test]
async fn an_admins_write_here_is_in_the_log_as_a_call_and_as_what_it_did() {
    let (shop, boss) = identity_with_admin().await;
    let (admin, ada) = (boss.text("token"), register(&shop, "ada@example.org").await);
    let (boss_id, ada_id): (UserId, _) =
        (boss.body["user"]["id"].as_str().unwrap().parse().unwrap(), ada.body["user"]["id"].as_str().unwrap());
    // What she does herself is nobody's business.
    let hers = call(&shop, Method::POST, "/api/v1/me/email/verification", &ada.text("token")).await;
    assert_eq!(hers.status, 202, "{hers:?}");
    let path = format!("/api/v1/users/{ada_id}/roles");
    let done = change(&shop, Method::PUT, (&path, 1), &admin, &json!({ "role": "staff" })).await;
    assert_eq!(done.status, 200, "{done:?}");
    let stale = change(&shop, Method::PUT, (&path, 1), &admin, &json!({ "role": "admin" })).await;
    assert_eq!(stale.status, 412, "{stale:?}");

    eventually("both calls are in the log", async || {
        let calls = calls_of(&shop, &boss, boss_id).await;
        calls.len() == 2 && calls.iter().all(|call| call.get("status").is_some())
    })
    .await;
    let calls = calls_of(&shop, &boss, boss_id).await;
    let of = |call: &Value| (call["status"].clone(), call["route"].clone(), call["path"].clone(), call["role"].clone());
    let route = json!("/api/v1/users/{id}/roles");
    assert_eq!(of(&calls[0]), (json!(412), route.clone(), json!(path), json!("admin")));
    assert_eq!(of(&calls[1]), (json!(200), route, json!(path), json!("admin")));
    assert!(calls_of(&shop, &boss, ada_id.parse().unwrap()).await.is_empty());
    let list = call(&shop, Method::GET, &format!("/api/v1/audit?userId={ada_id}"), &admin).await;
    assert_eq!(list.body["page"]["total"], 1, "{list:?}");
    assert_eq!(list.body["items"][0]["action"], "role_changed");
}

#[tokio::test]
async fn the_database_itself_refuses_a_call_of_which_nothing_is_known() {
    let (shop, _) = identity_with_admin().await;
    let log = shop.mongo("identity").await.collection::<shop_mongo::Document>("audit");
    let id = SystemClock.new_id().to_string();
    let now = shop_mongo::bson::DateTime::now();
    assert!(log.insert_one(doc! { "_id": &id, "at": now, "actor": &id, "action": "call" }).await.is_err());
    assert!(documents(&shop.mongo("identity").await, "audit", doc! { "_id": &id }).await.is_empty());
}

//! Locations: adding, renaming and removing them, and stock that lies there.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use shop_mongo::{Document, doc};
use shop_proto::inventory::CommitRequest;
use shop_testkit::TestShop;

use crate::given::{
    adjust, an_order, assert_sound, client, counts, counts_at, inventory, not_staff, reserve, stock, stocked,
};

const LOCATIONS: &str = "/api/v1/locations";
const BERLIN: &str = "/api/v1/locations/berlin";

fn staff(shop: &TestShop, method: Method, path: &str) -> RequestBuilder {
    shop.client().request(method, shop.url(path)).header("Authorization", shop.callers().staff().bearer())
}

/// Status, entity tag and body.
async fn answered(request: RequestBuilder) -> (u16, String, Value) {
    let reply = request.send().await.unwrap();
    let tag = reply.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned()).unwrap_or_default();
    let (status, bytes) = (reply.status().as_u16(), reply.bytes().await.unwrap());
    let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
    (status, tag, body)
}

async fn add(shop: &TestShop, id: &str) -> (u16, String, Value) {
    answered(staff(shop, Method::POST, LOCATIONS).json(&json!({ "id": id, "name": "Berlin" }))).await
}

async fn ids(shop: &TestShop) -> Vec<String> {
    let (_, _, body) = answered(staff(shop, Method::GET, LOCATIONS)).await;
    body["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// Puts pieces into a location, or takes them off.
async fn put(shop: &TestShop, location: &str, delta: i64) -> (u16, Value) {
    let body = json!({ "delta": delta, "reason": "moved", "location": location });
    adjust(shop, &shop.callers().staff(), "mug", &body).await
}

#[tokio::test]
async fn main_is_there_from_the_start_and_stays() {
    let shop = inventory().await;
    assert_eq!(ids(&shop).await, ["main"]);
    let main = format!("{LOCATIONS}/main");
    let refused = answered(staff(&shop, Method::DELETE, &main).header("If-Match", "\"1\"")).await;
    assert_eq!((refused.0, refused.2["code"].as_str()), (409, Some("location_main")));
    let renamed = staff(&shop, Method::PATCH, &main).header("If-Match", "\"1\"").json(&json!({ "name": "Shop" }));
    assert_eq!(answered(renamed).await.2, json!({ "id": "main", "name": "Shop", "version": 2 }));
}

#[tokio::test]
async fn a_location_is_added_renamed_and_removed_at_the_version_that_was_read() {
    let shop = inventory().await;
    let (status, tag, body) = add(&shop, "berlin").await;
    assert_eq!((status, tag.as_str()), (201, "\"1\""), "{body}");
    assert_eq!(body, json!({ "id": "berlin", "name": "Berlin", "version": 1 }));
    assert_eq!(ids(&shop).await, ["berlin", "main"]);
    let again = add(&shop, "berlin").await;
    assert_eq!((again.0, again.2["code"].as_str()), (409, Some("location_taken")));
    let known = answered(staff(&shop, Method::GET, BERLIN).header("If-None-Match", "\"1\"")).await;
    assert_eq!(known.0, 304);

    let rename = |tag: &str| staff(&shop, Method::PATCH, BERLIN).header("If-Match", tag).json(&json!({ "name": "B" }));
    let bare = staff(&shop, Method::PATCH, BERLIN).json(&json!({ "name": "B" }));
    assert_eq!(answered(bare).await.0, 428);
    assert_eq!(answered(rename("\"2\"")).await.2["code"], "version_conflict");
    assert_eq!(answered(rename("\"1\"")).await.1, "\"2\"");
    assert_eq!(answered(staff(&shop, Method::DELETE, BERLIN)).await.0, 428);
    let stale = answered(staff(&shop, Method::DELETE, BERLIN).header("If-Match", "\"1\"")).await;
    assert_eq!((stale.0, stale.2["code"].as_str()), (412, Some("version_conflict")));
    let gone = || answered(staff(&shop, Method::DELETE, BERLIN).header("If-Match", "\"2\""));
    assert_eq!((gone().await.0, gone().await.0), (204, 404));
    assert_eq!(answered(staff(&shop, Method::GET, BERLIN)).await.0, 404);
    assert_eq!(answered(rename("\"2\"")).await.0, 404);
}

#[tokio::test]
async fn one_key_adds_one_location() {
    let shop = inventory().await;
    let bearer = shop.callers().staff().bearer();
    let send = |name: &'static str| {
        let request = shop.client().post(shop.url(LOCATIONS)).header("Authorization", &bearer);
        answered(request.header("Idempotency-Key", "k").json(&json!({ "id": "berlin", "name": name })))
    };
    let all = futures::future::join_all((0..10).map(|_| send("Berlin"))).await;
    assert!(all.iter().all(|answer| answer == &all[0] && answer.0 == 201), "{all:?}");
    let other = send("Potsdam").await;
    assert_eq!((other.0, other.2["code"].as_str()), (422, Some("idempotency_key_reused")));
    assert_eq!(ids(&shop).await.len(), 2);
}

#[tokio::test]
async fn stock_elsewhere_is_counted_there() {
    let shop = inventory().await;
    add(&shop, "berlin").await;
    let (status, body) = put(&shop, "berlin", 7).await;
    assert_eq!(status, 201, "{body}");
    let berlin = json!({
        "sku": "mug", "location": "berlin", "available": 7, "reserved": 0, "onHand": 7, "sold": 0, "version": 1,
    });
    assert_eq!(body, berlin);
    let (status, nothing) = stock(&shop, "mug").await;
    assert_eq!((status, &nothing["location"], &nothing["available"]), (200, &json!("main"), &json!(0)));
    assert_eq!(nothing["locations"], json!([berlin]));

    stocked(&shop, "mug", 2).await;
    put(&shop, "berlin", -3).await;
    let tag = answered(staff(&shop, Method::GET, "/api/v1/stock/mug")).await.1;
    assert_eq!(tag, "\"3\"", "two movements in berlin and one in main");
    let (_, both) = stock(&shop, "mug").await;
    let told: Vec<_> =
        both["locations"].as_array().unwrap().iter().map(|one| (&one["location"], &one["onHand"])).collect();
    assert_eq!(told, [(&json!("berlin"), &json!(4)), (&json!("main"), &json!(2))]);
    assert_eq!(counts(&shop, "mug").await, (2, 0, 0));
    assert_sound(&shop.mongo("inventory").await).await;
}

#[tokio::test]
async fn locations_that_were_emptied_and_removed_hide_none_that_is_there() {
    let shop = inventory().await;
    stocked(&shop, "mug", 5).await;
    let emptied = |n| {
        doc! {
            "_id": format!("mug@gone-{n:03}"), "sku": "mug", "location": format!("gone-{n:03}"),
            "available": 0_i64, "reserved": 0_i64, "sold": 1_i64, "received": 1_i64, "version": 2_i64,
        }
    };
    let rows = shop.mongo("inventory").await.collection::<Document>("stock");
    rows.insert_many((0..250).map(emptied)).await.unwrap();

    let (status, overview) = stock(&shop, "mug").await;

    assert_eq!((status, &overview["available"]), (200, &json!(5)));
    assert_eq!(overview["locations"].as_array().unwrap().len(), 251);
}

#[tokio::test]
async fn the_rules_of_main_hold_everywhere() {
    let shop = inventory().await;
    add(&shop, "berlin").await;
    let (status, body) = put(&shop, "potsdam", 1).await;
    assert_eq!((status, body["code"].as_str()), (422, Some("invalid_field")));
    assert_eq!(body["details"][0]["field"], "location");
    assert_eq!(put(&shop, "potsdam", -1).await.0, 422);
    put(&shop, "berlin", 5).await;
    let (status, body) = put(&shop, "berlin", -6).await;
    assert_eq!((status, body["code"].as_str()), (409, Some("stock_below_zero")));
    for wrong in [json!("Berlin"), json!(""), json!("a@b"), json!("x".repeat(33))] {
        let body = json!({ "delta": 1, "reason": "x", "location": wrong });
        let (status, answer) = adjust(&shop, &shop.callers().staff(), "mug", &body).await;
        assert_eq!((status, answer["details"][0]["field"].as_str()), (422, Some("location")), "{body}");
    }
    let at_once = futures::future::join_all((0..20).map(|_| put(&shop, "berlin", -1))).await;
    assert_eq!(at_once.iter().filter(|(status, _)| *status == 201).count(), 5, "never below zero");
    assert_eq!(stock(&shop, "mug").await.1["locations"][0]["onHand"], 0);
}

#[tokio::test]
async fn one_key_moves_stock_once_wherever_it_was_used_first() {
    let shop = inventory().await;
    add(&shop, "berlin").await;
    let bearer = shop.callers().staff().bearer();
    let send = |location: &'static str| {
        let request = shop.client().post(shop.url("/api/v1/stock/mug/adjustments")).header("Authorization", &bearer);
        let body = json!({ "delta": 5, "reason": "delivery", "location": location });
        answered(request.header("Idempotency-Key", "k").json(&body))
    };
    let all = futures::future::join_all((0..10).map(|_| send("berlin"))).await;
    assert!(all.iter().all(|answer| answer == &all[0] && answer.0 == 201), "{all:?}");
    let other = send("main").await;
    assert_eq!((other.0, other.2["code"].as_str()), (422, Some("idempotency_key_reused")));
    assert_eq!(stock(&shop, "mug").await.1["locations"][0]["onHand"], 5);
}

#[tokio::test]
async fn a_location_is_not_removed_while_something_lies_there() {
    let shop = inventory().await;
    add(&shop, "berlin").await;
    put(&shop, "berlin", 5).await;
    let remove = || answered(staff(&shop, Method::DELETE, BERLIN).header("If-Match", "\"1\""));
    let refused = remove().await;
    assert_eq!((refused.0, refused.2["code"].as_str()), (409, Some("location_in_use")));
    put(&shop, "berlin", -5).await;
    assert_eq!(remove().await.0, 204);
    assert_eq!(put(&shop, "berlin", 1).await.0, 422);
    // Its history goes on when there is one of this id again.
    add(&shop, "berlin").await;
    assert_eq!(put(&shop, "berlin", 1).await.1["version"], 3);
}

#[tokio::test]
async fn a_location_that_orders_were_served_from_stays_since_they_may_come_back() {
    let shop = inventory().await;
    add(&shop, "berlin").await;
    put(&shop, "berlin", 2).await;
    let (mut inventory, order) = (client(&shop).await, an_order());
    inventory.reserve(reserve(order, &[("mug", 2)])).await.unwrap();
    inventory.commit(CommitRequest { order_id: order.to_string() }).await.unwrap();
    assert_eq!(counts_at(&shop, "berlin", "mug").await, (0, 0, 2));
    let refused = answered(staff(&shop, Method::DELETE, BERLIN).header("If-Match", "\"1\"")).await;
    assert_eq!((refused.0, refused.2["code"].as_str()), (409, Some("location_in_use")));
}

#[tokio::test]
async fn there_are_at_most_a_hundred_locations() {
    let shop = inventory().await;
    for n in 0..95 {
        assert_eq!(add(&shop, &format!("l{n}")).await.0, 201);
    }
    let names: Vec<_> = (0..8).map(|n| format!("m{n}")).collect();
    let at_once = futures::future::join_all(names.iter().map(|name| add(&shop, name))).await;
    assert_eq!(at_once.iter().filter(|answer| answer.0 == 201).count(), 4, "{at_once:?}");
    let full = add(&shop, "berlin").await;
    assert_eq!((full.0, full.2["code"].as_str()), (409, Some("too_many_locations")));
    assert_eq!(ids(&shop).await.len(), 100);
}

#[tokio::test]
async fn bodies_that_cannot_be_are_refused_with_their_field() {
    let shop = inventory().await;
    for (body, status, code, field) in [
        (json!({ "id": "Berlin", "name": "B" }), 422, "invalid_field", "id"),
        (json!({ "id": 1, "name": "B" }), 400, "malformed_body", "id"),
        (json!({ "id": "berlin", "name": "" }), 422, "invalid_field", "name"),
        (json!({ "id": "berlin", "name": "x".repeat(101) }), 422, "invalid_field", "name"),
        (json!({ "id": "berlin" }), 422, "invalid_field", "name"),
        (json!({ "id": "berlin", "name": "B", "pieces": 1 }), 422, "unknown_field", "pieces"),
    ] {
        let (got, _, answer) = answered(staff(&shop, Method::POST, LOCATIONS).json(&body)).await;
        assert_eq!((got, answer["code"].as_str()), (status, Some(code)), "{body} gave {answer}");
        assert_eq!(answer["details"][0]["field"], field, "{body} gave {answer}");
    }
    for id in ["Berlin", "%7B%22$gt%22:1%7D", "unknown"] {
        assert_eq!(answered(staff(&shop, Method::GET, &format!("{LOCATIONS}/{id}"))).await.0, 404, "{id}");
    }
    assert_eq!(ids(&shop).await, ["main"]);
}

#[tokio::test]
async fn only_staff_sees_and_changes_locations_and_history() {
    let shop = inventory().await;
    let callers = shop.callers();
    let new = json!({ "id": "berlin", "name": "Berlin" });
    let routes = [
        (Method::GET, LOCATIONS, None, 200),
        (Method::GET, "/api/v1/movements", None, 200),
        (Method::POST, LOCATIONS, Some(new), 201),
        (Method::GET, BERLIN, None, 200),
        (Method::PATCH, BERLIN, Some(json!({ "name": "B" })), 200),
        (Method::DELETE, BERLIN, None, 204),
    ];
    let sent = |(method, path, body, _): &(Method, &str, Option<Value>, u16), bearer: Option<String>, tag: &str| {
        let mut request = shop.client().request(method.clone(), shop.url(path)).header("If-Match", tag);
        if let Some(bearer) = bearer {
            request = request.header("Authorization", bearer);
        }
        answered(match body {
            Some(body) => request.json(body),
            None => request,
        })
    };
    for route in &routes {
        for (bearer, status, code) in not_staff(callers) {
            let (got, _, body) = sent(route, bearer, "\"1\"").await;
            assert_eq!((got, body["code"].as_str()), (status, Some(code)), "{route:?} {body}");
        }
    }
    for who in [callers.staff(), callers.admin()] {
        for route in &routes {
            let tag = if route.0 == Method::DELETE { "\"2\"" } else { "\"1\"" };
            assert_eq!(sent(route, Some(who.bearer()), tag).await.0, route.3, "{route:?}");
        }
    }
}

//! One's own addresses: a bounded number, one default.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use shop_mongo::doc;
use shop_testkit::TestShop;

use crate::given::{Answer, call, change, documents, identity, register, request};

const ADDRESSES: &str = "/api/v1/me/addresses";

fn london() -> Value {
    json!({ "name": "Ada King", "line1": "12 St James's Square", "city": "London", "postalCode": "SW1Y 4JH", "country": "GB" })
}

async fn add(shop: &TestShop, token: &str, key: Option<&str>, body: &Value) -> Answer {
    let request = request(shop, Method::POST, ADDRESSES).bearer_auth(token).json(body);
    let request = key.into_iter().fold(request, |request, key| request.header("Idempotency-Key", key));
    Answer::of(request.send().await.unwrap()).await
}

async fn list(shop: &TestShop, token: &str, query: &str) -> Vec<Value> {
    let list = call(shop, Method::GET, &format!("{ADDRESSES}{query}"), token).await;
    assert_eq!(list.status, 200, "{list:?}");
    list.body["items"].as_array().unwrap().clone()
}

fn path(address: &Answer) -> String {
    format!("{ADDRESSES}/{}", address.text("id"))
}

#[tokio::test]
async fn an_address_is_added_read_changed_and_removed() {
    let shop = identity().await;
    let token = register(&shop, "ada@example.org").await.text("token");
    let sent = request(&shop, Method::POST, ADDRESSES).bearer_auth(&token).json(&london()).send().await.unwrap();
    assert_eq!(sent.headers()["etag"], "\"1\"");
    let location = sent.headers()["location"].to_str().unwrap().to_owned();
    let added = Answer::of(sent).await;
    assert_eq!((added.status, &location), (201, &path(&added)));
    let mut expected = london();
    for (name, value) in [("id", added.body["id"].clone()), ("version", json!(1)), ("isDefault", json!(true))] {
        expected[name] = value;
    }
    assert_eq!(added.body, expected);
    assert_eq!(call(&shop, Method::GET, &location, &token).await.body, expected);
    let known = request(&shop, Method::GET, &location).bearer_auth(&token).header("If-None-Match", "\"1\"");
    assert_eq!(known.send().await.unwrap().status(), 304);
    let body = json!({ "city": "Paris", "country": "FR", "postalCode": null, "phone": "+33 1" });
    let without = request(&shop, Method::PATCH, &location).bearer_auth(&token).json(&body).send().await.unwrap();
    Answer::of(without).await.must_be(428, "if_match_required");
    let changed = change(&shop, Method::PATCH, (&location, 1), &token, &body).await;
    assert_eq!((changed.status, changed.body["version"].as_i64()), (200, Some(2)), "{changed:?}");
    assert_eq!((changed.text("city").as_str(), changed.text("phone").as_str()), ("Paris", "+33 1"));
    assert!(changed.body.get("postalCode").is_none());
    change(&shop, Method::PATCH, (&location, 1), &token, &body).await.must_be(412, "version_conflict");
    assert_eq!(call(&shop, Method::DELETE, &location, &token).await.status, 204);
    for method in [Method::DELETE, Method::GET] {
        call(&shop, method, &location, &token).await.must_be(404, "not_found");
    }
    assert!(list(&shop, &token, "").await.is_empty());
}

#[tokio::test]
async fn there_is_one_default_whatever_happens() {
    let shop = identity().await;
    let token = register(&shop, "ada@example.org").await.text("token");
    let defaults = async || -> Vec<bool> {
        let items = list(&shop, &token, "").await;
        items.iter().map(|item| item["isDefault"].as_bool().unwrap()).collect()
    };
    let first = add(&shop, &token, None, &london()).await;
    let second = add(&shop, &token, None, &london()).await;
    assert_eq!(defaults().await, [true, false]);
    let body = json!({ "isDefault": true });
    let changed = change(&shop, Method::PATCH, (&path(&second), 1), &token, &body).await;
    assert_eq!((&changed.body["isDefault"], &changed.body["version"]), (&json!(true), &json!(2)));
    assert_eq!(defaults().await, [false, true]);
    // The one that lost the mark has changed as well.
    change(&shop, Method::PATCH, (&path(&first), 1), &token, &body).await.must_be(412, "version_conflict");
    change(&shop, Method::PATCH, (&path(&second), 2), &token, &json!({ "isDefault": false }))
        .await
        .must_be(422, "invalid_field");
    assert_eq!(call(&shop, Method::DELETE, &path(&second), &token).await.status, 204);
    assert_eq!(defaults().await, [true]);
    let mut third = london();
    third["isDefault"] = json!(true);
    assert_eq!(add(&shop, &token, None, &third).await.status, 201);
    assert_eq!(defaults().await, [false, true]);
}

#[tokio::test]
async fn of_many_that_are_added_at_once_twenty_are_kept() {
    let shop = identity().await;
    let token = register(&shop, "ada@example.org").await.text("token");
    let body = london();
    let first = join_all((0..4).map(|_| add(&shop, &token, None, &body))).await;
    assert!(first.iter().all(|answer| answer.status == 201), "{first:?}");
    for _ in 0..14 {
        assert_eq!(add(&shop, &token, None, &body).await.status, 201);
    }
    let last = join_all((0..4).map(|_| add(&shop, &token, None, &body))).await;
    assert_eq!(last.iter().filter(|answer| answer.status == 201).count(), 2, "{last:?}");
    for answer in last.iter().filter(|answer| answer.status != 201) {
        answer.must_be(409, "too_many_addresses");
    }
    let all = list(&shop, &token, "?size=100").await;
    assert_eq!((all.len(), all.iter().filter(|item| item["isDefault"] == true).count()), (20, 1));
    assert_eq!(list(&shop, &token, "?size=15&page=2").await.len(), 5);
    assert!(list(&shop, &token, "?page=2147483647&size=100").await.is_empty());
    call(&shop, Method::GET, &format!("{ADDRESSES}?size=101"), &token).await.must_be(422, "invalid_parameter");
}

#[tokio::test]
async fn a_key_adds_one_address_however_often_it_is_sent() {
    let shop = identity().await;
    let ada = register(&shop, "ada@example.org").await.text("token");
    let eve = register(&shop, "eve@example.org").await.text("token");
    let body = london();
    let answers = join_all((0..4).map(|_| add(&shop, &ada, Some("k1"), &body))).await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (201, &answers[0].body));
    }
    assert_eq!(list(&shop, &ada, "").await.len(), 1);
    let request = request(&shop, Method::POST, ADDRESSES).bearer_auth(&ada).header("Idempotency-Key", "k1");
    assert_eq!(request.json(&body).send().await.unwrap().headers()["idempotency-replayed"], "true");
    let mut other = london();
    other["city"] = json!("Paris");
    add(&shop, &ada, Some("k1"), &other).await.must_be(422, "idempotency_key_reused");
    let eves = add(&shop, &eve, Some("k1"), &body).await;
    assert_eq!(eves.status, 201);
    assert_ne!(eves.body["id"], answers[0].body["id"]);
}

#[tokio::test]
async fn addresses_of_others_look_like_unknown_ones() {
    let shop = identity().await;
    let ada = register(&shop, "ada@example.org").await.text("token");
    let eve = register(&shop, "eve@example.org").await.text("token");
    let adas = path(&add(&shop, &ada, None, &london()).await);
    add(&shop, &eve, None, &london()).await;
    for path in [adas.clone(), format!("{ADDRESSES}/00000000-0000-0000-0000-000000000001"), format!("{ADDRESSES}/x")] {
        call(&shop, Method::GET, &path, &eve).await.must_be(404, "not_found");
        call(&shop, Method::DELETE, &path, &eve).await.must_be(404, "not_found");
        change(&shop, Method::PATCH, (&path, 1), &eve, &json!({ "city": "Rome" })).await.must_be(404, "not_found");
    }
    assert_eq!(call(&shop, Method::GET, &adas, &ada).await.body["city"], "London");
}

#[tokio::test]
async fn what_is_no_address_is_refused() {
    let shop = identity().await;
    let token = register(&shop, "ada@example.org").await.text("token");
    let with = |field: &str, value: Value| {
        let mut body = london();
        body[field] = value;
        body
    };
    let long = "x".repeat(101);
    for (body, status, code, field) in [
        (with("name", json!("")), 422, "invalid_field", "name"),
        (with("line1", json!(long)), 422, "invalid_field", "line1"),
        (with("line2", json!("a\nb")), 422, "invalid_field", "line2"),
        (with("city", Value::Null), 400, "malformed_body", "city"),
        (with("country", json!("gb")), 422, "invalid_field", "country"),
        (with("country", json!({ "$gt": "" })), 400, "malformed_body", "country"),
        (with("userId", json!("x")), 422, "unknown_field", "userId"),
        (with("version", json!(7)), 422, "unknown_field", "version"),
        (json!({ "name": "Ada" }), 422, "invalid_field", "line1"),
    ] {
        let answer = add(&shop, &token, None, &body).await;
        answer.must_be(status, code);
        assert_eq!(answer.body["details"][0]["field"], field, "{answer:?}");
    }
    assert!(documents(&shop.mongo("identity").await, "addresses", doc! {}).await.is_empty());
    let path = path(&add(&shop, &token, None, &london()).await);
    for (body, status, code) in [
        (json!({ "city": null }), 400, "malformed_body"),
        (json!({ "country": "Germany" }), 422, "invalid_field"),
        (json!({ "id": "x" }), 422, "unknown_field"),
    ] {
        change(&shop, Method::PATCH, (&path, 1), &token, &body).await.must_be(status, code);
    }
}

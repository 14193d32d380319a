//! Registering twice with one Idempotency-Key.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use shop_mongo::doc;
use shop_testkit::TestShop;

use crate::given::{Answer, PASSWORD, documents, events, identity, me, request};

async fn register(shop: &TestShop, key: Option<&str>, body: Value) -> Answer {
    let request = request(shop, Method::POST, "/api/v1/auth/register").json(&body);
    let request = key.into_iter().fold(request, |request, key| request.header("Idempotency-Key", key));
    Answer::of(request.send().await.unwrap()).await
}

fn ada(password: &str, name: &str) -> Value {
    json!({ "email": "ada@example.org", "password": password, "name": name })
}

#[tokio::test]
async fn the_same_registration_again_opens_a_session_of_the_same_account() {
    let shop = identity().await;
    let first = register(&shop, Some("k1"), ada(PASSWORD, "Ada")).await;
    let again = register(&shop, Some("\"k1\""), ada(PASSWORD, "Ada")).await;
    assert_eq!((first.status, again.status), (201, 201), "{again:?}");
    assert_eq!(first.body["user"], again.body["user"]);
    assert_ne!(first.text("refreshToken"), again.text("refreshToken"));
    for token in [first.text("token"), again.text("token")] {
        assert_eq!(me(&shop, &token).await.status, 200);
    }
    let mongo = shop.mongo("identity").await;
    assert_eq!(documents(&mongo, "users", doc! {}).await.len(), 1);
    assert_eq!(events(&mongo, "user.created").await.len(), 1);
}

#[tokio::test]
async fn the_key_alone_brings_nobody_a_token() {
    let shop = identity().await;
    assert_eq!(register(&shop, Some("k1"), ada(PASSWORD, "Ada")).await.status, 201);
    for (key, password, name) in [
        (Some("k1"), "another password", "Ada"),
        (Some("k1"), PASSWORD, "Eve"),
        (Some("k2"), PASSWORD, "Ada"),
        (None, PASSWORD, "Ada"),
    ] {
        let answer = register(&shop, key, ada(password, name)).await;
        answer.must_be(409, "email_taken");
        assert!(answer.body.get("token").is_none(), "{answer:?}");
    }
    assert_eq!(documents(&shop.mongo("identity").await, "sessions", doc! {}).await.len(), 1);
}

#[tokio::test]
async fn an_account_without_a_key_is_never_registered_again() {
    let shop = identity().await;
    assert_eq!(register(&shop, None, ada(PASSWORD, "Ada")).await.status, 201);
    register(&shop, Some("k1"), ada(PASSWORD, "Ada")).await.must_be(409, "email_taken");
    register(&shop, None, ada(PASSWORD, "Ada")).await.must_be(409, "email_taken");
}

#[tokio::test]
async fn one_key_may_be_used_by_two_strangers() {
    let shop = identity().await;
    let (ada, eve) = (ada(PASSWORD, "Ada"), json!({ "email": "eve@example.org", "password": PASSWORD, "name": "Eve" }));
    let (ada, eve) = (register(&shop, Some("1"), ada).await, register(&shop, Some("1"), eve).await);
    assert_eq!((ada.status, eve.status), (201, 201));
    assert_ne!(ada.body["user"]["id"], eve.body["user"]["id"]);
}

#[tokio::test]
async fn many_repeats_at_once_open_one_account() {
    let shop = identity().await;
    let answers = join_all((0..10).map(|_| register(&shop, Some("k1"), ada(PASSWORD, "Ada")))).await;
    for answer in &answers {
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.body["user"], answers[0].body["user"]);
    }
    let mongo = shop.mongo("identity").await;
    assert_eq!(documents(&mongo, "users", doc! {}).await.len(), 1);
    assert_eq!(events(&mongo, "user.created").await.len(), 1);
}

//! Letters: choosing another password, verifying an address.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use shop_mongo::{Mongo, doc};
use shop_testkit::{FakeClock, TestShop};

use crate::given::{
    Answer, PASSWORD, call, change, counted, documents, events, eventually, identity, identity_at, identity_with_admin,
    login, me, post, refresh, register, request,
};

const OTHER: &str = "a staple of another kind";

async fn forgot(shop: &TestShop, email: &str) -> Answer {
    post(shop, "/api/v1/auth/password/forgot", &json!({ "email": email })).await
}

async fn reset(shop: &TestShop, token: &str, password: &str) -> Answer {
    post(shop, "/api/v1/auth/password/reset", &json!({ "token": token, "password": password })).await
}

async fn verify(shop: &TestShop, token: &str) -> Answer {
    post(shop, "/api/v1/auth/email/verify", &json!({ "token": token })).await
}

/// The tokens of all letters of a topic, once there are so many.
async fn tokens(mongo: &Mongo, topic: &str, count: usize) -> Vec<String> {
    eventually("the letters are written", async || events(mongo, topic).await.len() >= count).await;
    let told = events(mongo, topic).await;
    assert_eq!(told.len(), count, "{topic}");
    told.iter().map(|event| event["body"]["token"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_token_of_a_letter_brings_another_password_once_and_ends_all_sessions() {
    let shop = identity().await;
    let mongo = shop.mongo("identity").await;
    let ada = register(&shop, "ada@example.org").await;
    let answer = forgot(&shop, " ADA@example.org").await;
    assert_eq!((answer.status, answer.body), (202, Value::Null));
    let token = tokens(&mongo, "password.forgotten", 1).await.remove(0);
    let told = &events(&mongo, "password.forgotten").await[0];
    assert_eq!(told["body"]["userId"], ada.body["user"]["id"]);
    let fields: Vec<_> = told["body"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields, ["userId", "token", "expiresAt"]);
    let changed = reset(&shop, &token, OTHER).await;
    assert_eq!((changed.status, changed.body), (204, Value::Null));
    me(&shop, &ada.text("token")).await.must_be(401, "invalid_token");
    refresh(&shop, &ada.text("refreshToken")).await.must_be(401, "invalid_refresh_token");
    login(&shop, "ada@example.org", PASSWORD).await.must_be(401, "wrong_credentials");
    assert_eq!(login(&shop, "ada@example.org", OTHER).await.status, 200);
    reset(&shop, &token, PASSWORD).await.must_be(410, "token_spent");
    assert_eq!(login(&shop, "ada@example.org", OTHER).await.status, 200);
}

#[tokio::test]
async fn only_digests_of_tokens_are_stored_beside_the_events() {
    let shop = identity().await;
    let mongo = shop.mongo("identity").await;
    register(&shop, "ada@example.org").await;
    forgot(&shop, "ada@example.org").await;
    let mut all = tokens(&mongo, "password.forgotten", 1).await;
    all.extend(tokens(&mongo, "email.entered", 1).await);
    for token in all {
        assert_eq!(token.len(), 43);
        for collection in ["letters", "users", "sessions"] {
            for document in documents(&mongo, collection, doc! {}).await {
                assert!(!document.to_string().contains(&token), "{collection}");
            }
        }
        let rows = documents(&mongo, "outbox", doc! {}).await;
        assert!(rows.iter().all(|row| !row.to_string().contains("ada@example.org")));
    }
}

#[tokio::test]
async fn an_unknown_address_gets_the_same_answer_and_no_letter() {
    let (shop, boss) = identity_with_admin().await;
    let mongo = shop.mongo("identity").await;
    let closed = register(&shop, "closed@example.org").await;
    let path = format!("/api/v1/users/{}/deactivate", closed.body["user"]["id"].as_str().unwrap());
    assert_eq!(call(&shop, Method::POST, &path, &boss.text("token")).await.status, 200);
    for email in ["nobody@example.org", "closed@example.org", "boss@example.org"] {
        let answer = forgot(&shop, email).await;
        assert_eq!((answer.status, answer.body), (202, Value::Null), "{email}");
    }
    // The admin's is the only one.
    tokens(&mongo, "password.forgotten", 1).await;
    assert_eq!(documents(&mongo, "letters", doc! { "purpose": "reset" }).await.len(), 1);
    let bad = forgot(&shop, "nobody").await;
    bad.must_be(422, "invalid_field");
}

#[tokio::test]
async fn a_token_counts_for_fifteen_minutes_and_for_its_own_purpose() {
    let clock = Arc::new(FakeClock::default());
    let shop = identity_at(&clock).await;
    let mongo = shop.mongo("identity").await;
    register(&shop, "ada@example.org").await;
    forgot(&shop, "ada@example.org").await;
    let (password, email) =
        (tokens(&mongo, "password.forgotten", 1).await.remove(0), tokens(&mongo, "email.entered", 1).await.remove(0));
    verify(&shop, &password).await.must_be(410, "token_spent");
    reset(&shop, &email, OTHER).await.must_be(410, "token_spent");
    clock.advance(Duration::from_secs(15 * 60));
    verify(&shop, &email).await.must_be(410, "token_spent");
    reset(&shop, &password, OTHER).await.must_be(410, "token_spent");
    assert_eq!(login(&shop, "ada@example.org", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn invented_tokens_are_refused_before_a_password_is_hashed() {
    let shop = identity().await;
    register(&shop, "ada@example.org").await;
    let before = counted(&shop, "password_hashes_total", "").await;
    for token in ["", "nonsense", &"A".repeat(43), &"A".repeat(10_000), "../../etc/passwd"] {
        reset(&shop, token, OTHER).await.must_be(410, "token_spent");
        verify(&shop, token).await.must_be(410, "token_spent");
    }
    assert_eq!(counted(&shop, "password_hashes_total", "").await, before);
    for (path, body, status, code) in [
        ("password/reset", json!({ "token": "x", "password": "short" }), 422, "invalid_field"),
        ("password/reset", json!({ "token": { "$ne": "" }, "password": OTHER }), 400, "malformed_body"),
        ("password/reset", json!({ "token": "x", "password": OTHER, "email": "a@b.de" }), 422, "unknown_field"),
        ("password/forgot", json!({ "email": { "$gt": "" } }), 400, "malformed_body"),
        ("password/forgot", json!({}), 422, "invalid_field"),
        ("email/verify", json!({ "token": 7 }), 400, "malformed_body"),
    ] {
        post(&shop, &format!("/api/v1/auth/{path}"), &body).await.must_be(status, code);
    }
}

#[tokio::test]
async fn of_many_uses_of_one_token_one_counts() {
    let shop = identity().await;
    let mongo = shop.mongo("identity").await;
    register(&shop, "ada@example.org").await;
    forgot(&shop, "ada@example.org").await;
    let token = tokens(&mongo, "password.forgotten", 1).await.remove(0);
    let answers = join_all((0..4).map(|n| {
        let (shop, token) = (&shop, &token);
        async move { reset(shop, token, &format!("{OTHER} {n}")).await }
    }))
    .await;
    for (n, answer) in answers.iter().enumerate() {
        let opens = login(&shop, "ada@example.org", &format!("{OTHER} {n}")).await.status == 200;
        assert_eq!(opens, answer.status == 204, "{n}: {answer:?}");
        if !opens {
            answer.must_be(410, "token_spent");
        }
    }
    assert_eq!(answers.iter().filter(|answer| answer.status == 204).count(), 1);
}

#[tokio::test]
async fn nobody_is_flooded_with_letters_and_a_reset_spends_them_all() {
    let shop = identity().await;
    let mongo = shop.mongo("identity").await;
    register(&shop, "ada@example.org").await;
    for count in 1..=3 {
        forgot(&shop, "ada@example.org").await;
        tokens(&mongo, "password.forgotten", count).await;
    }
    for _ in 0..3 {
        assert_eq!(forgot(&shop, "ada@example.org").await.status, 202);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let all = tokens(&mongo, "password.forgotten", 3).await;
    assert_eq!(reset(&shop, &all[1], OTHER).await.status, 204);
    for token in &all {
        reset(&shop, token, PASSWORD).await.must_be(410, "token_spent");
    }
    assert!(documents(&mongo, "letters", doc! { "purpose": "reset" }).await.is_empty());
}

#[tokio::test]
async fn an_address_is_verified_by_its_own_letter_only() {
    let shop = identity().await;
    let mongo = shop.mongo("identity").await;
    let ada = register(&shop, "ada@example.org").await;
    let token = ada.text("token");
    assert_eq!(ada.body["user"]["emailVerified"], false);
    let first = tokens(&mongo, "email.entered", 1).await.remove(0);
    let body = json!({ "email": "new@example.org", "password": PASSWORD });
    assert_eq!(change(&shop, Method::PUT, ("/api/v1/me/email", 1), &token, &body).await.status, 200);
    let second = tokens(&mongo, "email.entered", 2).await.into_iter().find(|token| *token != first).unwrap();
    // It was sent to the address before.
    verify(&shop, &first).await.must_be(410, "token_spent");
    assert_eq!(me(&shop, &token).await.body["emailVerified"], false);
    assert_eq!(verify(&shop, &second).await.status, 204);
    let verified = me(&shop, &token).await;
    assert_eq!((&verified.body["emailVerified"], &verified.body["version"]), (&json!(true), &json!(3)));
    verify(&shop, &second).await.must_be(410, "token_spent");
    // There is nothing left to verify.
    assert_eq!(call(&shop, Method::POST, "/api/v1/me/email/verification", &token).await.status, 202);
    tokens(&mongo, "email.entered", 2).await;
    let back = json!({ "email": "ada@example.org", "password": PASSWORD });
    let changed = change(&shop, Method::PUT, ("/api/v1/me/email", 3), &token, &back).await;
    assert_eq!(changed.body["emailVerified"], false);
    tokens(&mongo, "email.entered", 3).await;
    assert_eq!(call(&shop, Method::POST, "/api/v1/me/email/verification", &token).await.status, 202);
    let last = tokens(&mongo, "email.entered", 4).await;
    let mut verified = 0;
    for token in last {
        verified += usize::from(verify(&shop, &token).await.status == 204);
    }
    // Any of the two to the present address does, and only one.
    assert_eq!(verified, 1);
}

#[tokio::test]
async fn another_password_spends_the_letters_that_would_bring_one() {
    let shop = identity().await;
    let mongo = shop.mongo("identity").await;
    let ada = register(&shop, "ada@example.org").await;
    forgot(&shop, "ada@example.org").await;
    let token = tokens(&mongo, "password.forgotten", 1).await.remove(0);
    let body = json!({ "currentPassword": PASSWORD, "newPassword": OTHER });
    let changed = request(&shop, Method::PUT, "/api/v1/me/password").bearer_auth(ada.text("token")).json(&body);
    assert_eq!(Answer::of(changed.send().await.unwrap()).await.status, 204);
    reset(&shop, &token, "a third one of them all").await.must_be(410, "token_spent");
    assert_eq!(login(&shop, "ada@example.org", OTHER).await.status, 200);
    // That of the address still does.
    let entered = tokens(&mongo, "email.entered", 1).await.remove(0);
    assert_eq!(verify(&shop, &entered).await.status, 204);
}

#[tokio::test]
async fn an_address_that_comes_back_brings_no_letters_back_and_no_flood() {
    let shop = identity().await;
    let mongo = shop.mongo("identity").await;
    let token = register(&shop, "ada@example.org").await.text("token");
    let first = tokens(&mongo, "email.entered", 1).await.remove(0);
    for (version, email) in (1..).zip(["eve@example.org", "ada@example.org", "eve@example.org", "ada@example.org"]) {
        let body = json!({ "email": email, "password": PASSWORD });
        assert_eq!(change(&shop, Method::PUT, ("/api/v1/me/email", version), &token, &body).await.status, 200);
    }
    // Three letters in fifteen minutes, the first of them by the registration.
    let all = tokens(&mongo, "email.entered", 3).await;
    // Whoever read the first may have got it when the account had the other address.
    verify(&shop, &first).await.must_be(410, "token_spent");
    for token in &all {
        verify(&shop, token).await.must_be(410, "token_spent");
    }
    assert_eq!(me(&shop, &token).await.body["emailVerified"], false);
}

async fn delete(shop: &TestShop, token: &str) {
    let sent = request(shop, Method::DELETE, "/api/v1/me").bearer_auth(token).json(&json!({ "password": PASSWORD }));
    assert_eq!(sent.send().await.unwrap().status(), 204);
}

#[tokio::test]
async fn an_address_gets_three_letters_however_often_it_registers_and_is_deleted() {
    let clock = Arc::new(FakeClock::default());
    let shop = identity_at(&clock).await;
    let mongo = shop.mongo("identity").await;
    for round in 1..=5 {
        let token = register(&shop, "ada@example.org").await.text("token");
        tokens(&mongo, "email.entered", round.min(3)).await;
        delete(&shop, &token).await;
    }
    // Neither does an account that comes by the address otherwise, nor one that asks for a letter.
    let eve = register(&shop, "eve@example.org").await.text("token");
    let body = json!({ "email": "ada@example.org", "password": PASSWORD });
    assert_eq!(change(&shop, Method::PUT, ("/api/v1/me/email", 1), &eve, &body).await.status, 200);
    assert_eq!(call(&shop, Method::POST, "/api/v1/me/email/verification", &eve).await.status, 202);
    tokens(&mongo, "email.entered", 4).await;
    let about = documents(&mongo, "letters", doc! { "user": { "$exists": false } }).await;
    assert!(about.iter().all(|row| !row.to_string().contains("example.org")), "{about:?}");
    // Letters of the other kind are counted apart, and those of before are forgotten.
    forgot(&shop, "ada@example.org").await;
    tokens(&mongo, "password.forgotten", 1).await;
    clock.advance(Duration::from_secs(15 * 60));
    let eve = login(&shop, "ada@example.org", PASSWORD).await.text("token");
    assert_eq!(call(&shop, Method::POST, "/api/v1/me/email/verification", &eve).await.status, 202);
    tokens(&mongo, "email.entered", 5).await;
}

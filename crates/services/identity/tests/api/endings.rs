//! Changes that end all sessions of an account, however many there are.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use shop_mongo::{Bson, Document, Mongo, bson, doc};
use shop_service::SystemClock;
use shop_testkit::TestShop;
use shop_types::{Clock as _, SessionId};

use crate::given::{
    Answer, PASSWORD, call, change, documents, events, eventually, identity, identity_with_admin, login, me, post,
    refresh, register, request,
};

const OTHER: &str = "a staple of another kind";

fn id(opened: &Answer) -> String {
    opened.body["user"]["id"].as_str().unwrap().to_owned()
}

async fn switch(shop: &TestShop, admin: &str, user: &str, what: &str) -> Answer {
    call(shop, Method::POST, &format!("/api/v1/users/{user}/{what}"), admin).await
}

async fn change_password(shop: &TestShop, token: &str) -> u16 {
    let body = json!({ "currentPassword": PASSWORD, "newPassword": OTHER });
    request(shop, Method::PUT, "/api/v1/me/password")
        .bearer_auth(token)
        .json(&body)
        .send()
        .await
        .unwrap()
        .status()
        .into()
}

/// Gives an account so many sessions more, all of them used after those that it has.
async fn fill(mongo: &Mongo, user: &str, count: usize) {
    let mut template = documents(mongo, "sessions", doc! { "user": user }).await.remove(0);
    let later = template.get_datetime("refreshed_at").unwrap().timestamp_millis() + 60_000;
    template.insert("refreshed_at", bson::DateTime::from_millis(later));
    let copies = (0..count).map(|_| {
        template.insert("_id", SessionId::from_uuid(SystemClock.new_id()).to_string());
        template.clone()
    });
    let copies: Vec<Document> = copies.collect();
    mongo.collection("sessions").insert_many(copies).await.unwrap();
}

/// Takes the ends of the sessions of an account back, as if a pod had died before it came to them.
async fn leave_behind(mongo: &Mongo, user: &str) {
    let sessions = mongo.collection::<Document>("sessions");
    sessions.update_many(doc! { "user": user }, doc! { "$unset": { "revoked_until": "" } }).await.unwrap();
}

/// Waits until so many are left; for a minute, as thousands end one transaction after the other.
async fn are_left(mongo: &Mongo, user: &str, count: usize) {
    let open = doc! { "user": user, "revoked_until": Bson::Null };
    for _ in 0..300 {
        if documents(mongo, "sessions", open.clone()).await.len() == count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("after a minute not {count} are left");
}

#[tokio::test]
async fn an_account_with_thousands_of_sessions_is_closed_at_once() {
    let (shop, boss) = identity_with_admin().await;
    let (mongo, admin) = (shop.mongo("identity").await, boss.text("token"));
    let ada = register(&shop, "ada@example.org").await;
    let elsewhere = login(&shop, "ada@example.org", PASSWORD).await;
    fill(&mongo, &id(&ada), 5_000).await;
    let closed = switch(&shop, &admin, &id(&ada), "deactivate").await;
    assert_eq!((closed.status, &closed.body["active"]), (200, &json!(false)), "{closed:?}");
    for session in [&ada, &elsewhere] {
        refresh(&shop, &session.text("refreshToken")).await.must_be(401, "invalid_refresh_token");
    }
    are_left(&mongo, &id(&ada), 0).await;
    let told = events(&mongo, "session.revoked").await;
    let time = |text: &Value| text.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let closed_at = time(&closed.body["updatedAt"]);
    let after = told.iter().filter(|event| time(&event["occurredAt"]) > closed_at).count();
    assert_eq!((told.len(), after), (5_002, 4_502), "the account waits for one transaction's worth of them");
    for session in [&ada, &elsewhere] {
        me(&shop, &session.text("token")).await.must_be(401, "invalid_token");
    }
    // Opened again, it has none of them.
    leave_behind(&mongo, &id(&ada)).await;
    assert_eq!(switch(&shop, &admin, &id(&ada), "activate").await.status, 200);
    for session in [&ada, &elsewhere] {
        refresh(&shop, &session.text("refreshToken")).await.must_be(401, "invalid_refresh_token");
    }
    // A session that is opened since goes on, also while those of before are still being ended.
    let anew = login(&shop, "ada@example.org", PASSWORD).await;
    are_left(&mongo, &id(&ada), 1).await;
    assert_eq!(me(&shop, &anew.text("token")).await.status, 200);
    assert_eq!(refresh(&shop, &anew.text("refreshToken")).await.status, 200);
}

#[tokio::test]
async fn a_session_that_was_left_behind_by_another_password_goes_on_no_more_and_the_one_here_does() {
    let shop = identity().await;
    let mongo = shop.mongo("identity").await;
    let ada = register(&shop, "ada@example.org").await;
    let here = login(&shop, "ada@example.org", PASSWORD).await;
    assert_eq!(change_password(&shop, &here.text("token")).await, 204);
    leave_behind(&mongo, &id(&ada)).await;
    refresh(&shop, &ada.text("refreshToken")).await.must_be(401, "invalid_refresh_token");
    let mut here = refresh(&shop, &here.text("refreshToken")).await;
    here = refresh(&shop, &here.text("refreshToken")).await;
    assert_eq!(here.status, 200, "{here:?}");
    let later = login(&shop, "ada@example.org", OTHER).await;
    assert_eq!(refresh(&shop, &later.text("refreshToken")).await.status, 200);
    // A letter spares none.
    post(&shop, "/api/v1/auth/password/forgot", &json!({ "email": "ada@example.org" })).await;
    eventually("the letter is written", async || !events(&mongo, "password.forgotten").await.is_empty()).await;
    let token: Value = events(&mongo, "password.forgotten").await[0]["body"]["token"].clone();
    let reset = json!({ "token": token, "password": PASSWORD });
    assert_eq!(post(&shop, "/api/v1/auth/password/reset", &reset).await.status, 204);
    leave_behind(&mongo, &id(&ada)).await;
    refresh(&shop, &here.text("refreshToken")).await.must_be(401, "invalid_refresh_token");
}

#[tokio::test]
async fn a_session_that_was_left_behind_by_another_role_goes_on_no_more() {
    let (shop, boss) = identity_with_admin().await;
    let mongo = shop.mongo("identity").await;
    let ada = register(&shop, "ada@example.org").await;
    let path = format!("/api/v1/users/{}/roles", id(&ada));
    let body = json!({ "role": "staff" });
    let given = change(&shop, Method::PUT, (&path, 1), &boss.text("token"), &body).await;
    assert_eq!(given.status, 200, "{given:?}");
    leave_behind(&mongo, &id(&ada)).await;
    refresh(&shop, &ada.text("refreshToken")).await.must_be(401, "invalid_refresh_token");
}

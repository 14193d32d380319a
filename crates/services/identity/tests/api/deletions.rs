//! The end of an account: what goes, what stays, who is told.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use shop_mongo::{Document, doc};
use shop_testkit::TestShop;

use crate::given::{
    Answer, PASSWORD, call, documents, events, identity, identity_with_admin, login, me, post, refresh, register,
    request, while_deleting,
};

const ME: &str = "/api/v1/me";
const COLLECTIONS: [&str; 11] = [
    "users",
    "sessions",
    "letters",
    "addresses",
    "audit",
    "api_keys",
    "tombstones",
    "outbox",
    "idempotency",
    "exports",
    "export_pieces",
];

async fn delete_me(shop: &TestShop, token: &str, body: &Value) -> Answer {
    Answer::of(request(shop, Method::DELETE, ME).bearer_auth(token).json(body).send().await.unwrap()).await
}

fn id(opened: &Answer) -> String {
    opened.body["user"]["id"].as_str().unwrap().to_owned()
}

fn proof() -> Value {
    json!({ "password": PASSWORD })
}

/// An account with everything that one can have.
async fn a_person(shop: &TestShop, email: &str, name: &str) -> Answer {
    let body = json!({ "email": email, "password": PASSWORD, "name": name });
    let sent = request(shop, Method::POST, "/api/v1/auth/register").header("Idempotency-Key", "k-1").json(&body);
    let opened = Answer::of(sent.send().await.unwrap()).await;
    assert_eq!(opened.status, 201, "{opened:?}");
    let place = json!({ "name": name, "line1": "12 Canary Row", "city": "London", "country": "GB" });
    let add = request(shop, Method::POST, "/api/v1/me/addresses").bearer_auth(opened.text("token"));
    let added = add.header("Idempotency-Key", "k-2").json(&place).send().await.unwrap();
    assert_eq!(added.status(), 201);
    opened
}

#[tokio::test]
async fn of_a_deleted_account_nothing_personal_is_left() {
    let shop = identity().await;
    let mongo = shop.mongo("identity").await;
    let ada = a_person(&shop, "canary@example.org", "Canary King").await;
    let elsewhere = login(&shop, "canary@example.org", PASSWORD).await;
    let number = ada.body["user"]["number"].as_i64().unwrap();
    let deleted = delete_me(&shop, &ada.text("token"), &proof()).await;
    assert_eq!((deleted.status, deleted.body), (204, Value::Null));
    for collection in COLLECTIONS {
        for document in documents(&mongo, collection, doc! {}).await {
            assert!(!document.to_string().to_lowercase().contains("canary"), "{collection}: {document}");
        }
    }
    let stones = documents(&mongo, "tombstones", doc! {}).await;
    assert_eq!((stones.len(), stones[0].get_str("_id").unwrap()), (1, id(&ada).as_str()));
    assert_eq!(stones[0].get_i64("number").unwrap(), number);
    let told = events(&mongo, "user.deleted").await;
    assert_eq!((told.len(), &told[0]["body"]), (1, &json!({ "userId": id(&ada), "number": number })));
    for session in [&ada, &elsewhere] {
        me(&shop, &session.text("token")).await.must_be(401, "invalid_token");
        refresh(&shop, &session.text("refreshToken")).await.must_be(401, "invalid_refresh_token");
    }
    login(&shop, "canary@example.org", PASSWORD).await.must_be(401, "wrong_credentials");
}

#[tokio::test]
async fn a_deleted_address_registers_anew_as_somebody_else() {
    let shop = identity().await;
    let before = a_person(&shop, "ada@example.org", "Ada").await;
    assert_eq!(delete_me(&shop, &before.text("token"), &proof()).await.status, 204);
    let after = a_person(&shop, "ada@example.org", "Ada").await;
    assert_ne!(id(&after), id(&before));
    assert_ne!(after.body["user"]["number"], before.body["user"]["number"]);
    let places = call(&shop, Method::GET, "/api/v1/me/addresses", &after.text("token")).await;
    assert_eq!(places.body["page"]["total"], 1);
}

#[tokio::test]
async fn only_who_knows_the_password_deletes_an_account() {
    let shop = identity().await;
    let ada = register(&shop, "ada@example.org").await;
    let token = ada.text("token");
    for (body, status, code) in [
        (json!({ "password": "another password" }), 403, "wrong_password"),
        (json!({}), 422, "invalid_field"),
        (json!({ "password": { "$ne": "" } }), 400, "malformed_body"),
        (json!({ "password": PASSWORD, "userId": "x" }), 422, "unknown_field"),
    ] {
        delete_me(&shop, &token, &body).await.must_be(status, code);
    }
    let bare = call(&shop, Method::DELETE, ME, &token).await;
    bare.must_be(415, "unsupported_media_type");
    assert_eq!(me(&shop, &token).await.status, 200);
    let mongo = shop.mongo("identity").await;
    assert!(events(&mongo, "user.deleted").await.is_empty());
    assert!(documents(&mongo, "tombstones", doc! {}).await.is_empty());
}

#[tokio::test]
async fn of_many_deletions_at_once_one_happens() {
    let shop = identity().await;
    let ada = register(&shop, "ada@example.org").await;
    let (token, body) = (ada.text("token"), proof());
    let answers = join_all((0..4).map(|_| delete_me(&shop, &token, &body))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 204).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|answer| [204, 401, 403, 404].contains(&answer.status)), "{answers:?}");
    assert_eq!(events(&shop.mongo("identity").await, "user.deleted").await.len(), 1);
}

#[tokio::test]
async fn addresses_that_come_while_an_account_is_deleted_do_not_stay() {
    let shop = identity().await;
    let ada = register(&shop, "ada@example.org").await;
    let token = ada.text("token");
    let place = json!({ "name": "Ada", "line1": "1", "city": "London", "country": "GB" });
    let add = async || {
        let request = request(&shop, Method::POST, "/api/v1/me/addresses").bearer_auth(&token).json(&place);
        Answer::of(request.send().await.unwrap()).await
    };
    let body = proof();
    let (added, deleted) = tokio::join!(join_all((0..8).map(|_| add())), delete_me(&shop, &token, &body));
    assert_eq!(deleted.status, 204, "{deleted:?}");
    assert!(added.iter().all(|answer| [201, 401, 404].contains(&answer.status)), "{added:?}");
    assert!(documents(&shop.mongo("identity").await, "addresses", doc! {}).await.is_empty());
}

#[tokio::test]
async fn letters_that_are_asked_for_while_an_account_is_deleted_are_not_written() {
    let shop = identity().await;
    let mongo = shop.mongo("identity").await;
    let ada = register(&shop, "ada@example.org").await;
    let token = ada.text("token");
    let again = call(&shop, Method::POST, "/api/v1/me/email/verification", &token);
    assert_eq!(while_deleting(&mongo, &id(&ada), again).await.status, 202);
    // But for the count of those to the address.
    assert!(documents(&mongo, "letters", doc! { "user": { "$exists": true } }).await.is_empty());
    assert_eq!(events(&mongo, "email.entered").await.len(), 1, "the one of the registration");
}

#[tokio::test]
async fn a_letter_of_a_deleted_account_brings_nothing() {
    let shop = identity().await;
    let mongo = shop.mongo("identity").await;
    let ada = register(&shop, "ada@example.org").await;
    let token = events(&mongo, "email.entered").await[0]["body"]["token"].clone();
    assert_eq!(delete_me(&shop, &ada.text("token"), &proof()).await.status, 204);
    post(&shop, "/api/v1/auth/email/verify", &json!({ "token": token })).await.must_be(410, "token_spent");
}

#[tokio::test]
async fn admins_delete_accounts_of_others_and_it_is_written_down() {
    let (shop, boss) = identity_with_admin().await;
    let (mongo, admin) = (shop.mongo("identity").await, boss.text("token"));
    let ada = a_person(&shop, "ada@example.org", "Ada").await;
    let path = format!("/api/v1/users/{}", id(&ada));
    let stranger = shop.callers().admin().token;
    call(&shop, Method::DELETE, &path, &stranger).await.must_be(403, "forbidden");
    assert_eq!(call(&shop, Method::DELETE, &path, &admin).await.status, 204);
    for method in [Method::DELETE, Method::GET] {
        call(&shop, method, &path, &admin).await.must_be(404, "not_found");
    }
    me(&shop, &ada.text("token")).await.must_be(401, "invalid_token");
    assert_eq!(events(&mongo, "user.deleted").await.len(), 1);
    let log = call(&shop, Method::GET, &format!("/api/v1/audit?userId={}", id(&ada)), &admin).await;
    assert_eq!(log.body["page"]["total"], 1);
    assert_eq!(
        (&log.body["items"][0]["action"], &log.body["items"][0]["actorId"]),
        (&json!("deleted"), &json!(id(&boss)))
    );
}

#[tokio::test]
async fn there_is_always_an_admin() {
    let (shop, boss) = identity_with_admin().await;
    let admin = boss.text("token");
    delete_me(&shop, &admin, &proof()).await.must_be(409, "own_account");
    let own = format!("/api/v1/users/{}", id(&boss));
    call(&shop, Method::DELETE, &own, &admin).await.must_be(409, "own_account");
    let grace = json!({ "email": "grace@example.org", "name": "Grace", "role": "admin" });
    let sent = request(&shop, Method::POST, "/api/v1/users").bearer_auth(&admin).json(&grace).send().await.unwrap();
    let mongo = shop.mongo("identity").await;
    let other = Answer::of(sent).await.text("id");
    let token = events(&mongo, "password.forgotten").await[0]["body"]["token"].clone();
    let chosen = json!({ "token": token, "password": PASSWORD });
    assert_eq!(post(&shop, "/api/v1/auth/password/reset", &chosen).await.status, 204);
    let grace = login(&shop, "grace@example.org", PASSWORD).await;
    let others = format!("/api/v1/users/{other}");
    let graces = grace.text("token");
    let (one, two) =
        tokio::join!(call(&shop, Method::DELETE, &others, &admin), call(&shop, Method::DELETE, &own, &graces));
    let statuses = [one.status, two.status];
    assert!(statuses.contains(&204) && statuses != [204, 204], "{one:?} {two:?}");
    assert_eq!(documents(&mongo, "users", doc! { "role": "admin" }).await.len(), 1);
}

#[tokio::test]
async fn a_tombstone_holds_nothing_else() {
    let shop = identity().await;
    let stones = shop.mongo("identity").await.collection::<Document>("tombstones");
    let good = doc! { "_id": "0".repeat(36), "number": 1_i64, "deleted_at": shop_mongo::bson::DateTime::now() };
    let mut bad = good.clone();
    bad.insert("email", "ada@example.org");
    assert!(stones.insert_one(bad).await.is_err());
    assert!(stones.insert_one(good).await.is_ok());
}

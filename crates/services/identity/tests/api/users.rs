//! Accounts that admins open and edit for others.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use shop_mongo::{Document, doc};
use shop_testkit::TestShop;

use crate::given::{
    Answer, PASSWORD, call, change, counted, documents, events, identity, identity_with_admin, login, me, post,
    register, request,
};

const USERS: &str = "/api/v1/users";

async fn open(shop: &TestShop, admin: &str, key: Option<&str>, body: &Value) -> Answer {
    let request = request(shop, Method::POST, USERS).bearer_auth(admin).json(body);
    let request = key.into_iter().fold(request, |request, key| request.header("Idempotency-Key", key));
    Answer::of(request.send().await.unwrap()).await
}

async fn actions(shop: &TestShop, admin: &str, user: &str) -> Vec<String> {
    let log = call(shop, Method::GET, &format!("/api/v1/audit?userId={user}"), admin).await;
    let items = log.body["items"].as_array().unwrap();
    items.iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn who_gets_an_account_chooses_a_password_by_letter() {
    let (shop, boss) = identity_with_admin().await;
    let (mongo, admin) = (shop.mongo("identity").await, boss.text("token"));
    let body = json!({ "email": "Grace@example.org", "name": "Grace", "role": "staff" });
    let sent = request(&shop, Method::POST, USERS).bearer_auth(&admin).json(&body).send().await.unwrap();
    assert_eq!(sent.headers()["etag"], "\"1\"");
    let location = sent.headers()["location"].to_str().unwrap().to_owned();
    let opened = Answer::of(sent).await;
    assert_eq!((opened.status, location), (201, format!("{USERS}/{}", opened.text("id"))));
    assert_eq!((opened.text("email").as_str(), opened.text("role").as_str()), ("grace@example.org", "staff"));
    assert_eq!((&opened.body["active"], &opened.body["emailVerified"]), (&json!(true), &json!(false)));
    login(&shop, "grace@example.org", PASSWORD).await.must_be(401, "wrong_credentials");
    let told = events(&mongo, "password.forgotten").await;
    assert_eq!((told.len(), &told[0]["body"]["userId"]), (1, &opened.body["id"]));
    let chosen = json!({ "token": told[0]["body"]["token"], "password": PASSWORD });
    assert_eq!(post(&shop, "/api/v1/auth/password/reset", &chosen).await.status, 204);
    let grace = login(&shop, "grace@example.org", PASSWORD).await;
    assert_eq!((grace.status, &grace.body["user"]["role"]), (200, &json!("staff")), "{grace:?}");
    let created = events(&mongo, "user.created").await;
    assert!(created.iter().any(|event| event["body"]["userId"] == opened.body["id"]), "{created:?}");
    assert_eq!(actions(&shop, &admin, &opened.text("id")).await, ["created"]);
}

#[tokio::test]
async fn an_opened_admin_is_an_admin_and_not_the_first_one() {
    let (shop, boss) = identity_with_admin().await;
    let body = json!({ "email": "grace@example.org", "name": "Grace", "role": "admin" });
    let opened = open(&shop, &boss.text("token"), None, &body).await;
    assert_eq!((opened.status, opened.text("role").as_str()), (201, "admin"), "{opened:?}");
    let firsts = documents(&shop.mongo("identity").await, "users", doc! { "first_admin": true }).await;
    assert_eq!(firsts.len(), 1);
    assert_eq!(firsts[0].get_str("email").unwrap(), "boss@example.org");
}

#[tokio::test]
async fn an_account_is_opened_once_however_often_it_is_asked_for() {
    let (shop, boss) = identity_with_admin().await;
    let (mongo, admin) = (shop.mongo("identity").await, boss.text("token"));
    let body = json!({ "email": "grace@example.org", "name": "Grace" });
    let answers = join_all((0..4).map(|_| open(&shop, &admin, Some("k-1"), &body))).await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (201, &answers[0].body), "{answers:?}");
    }
    let other = json!({ "email": "other@example.org", "name": "Grace" });
    open(&shop, &admin, Some("k-1"), &other).await.must_be(422, "idempotency_key_reused");
    open(&shop, &admin, Some("k-2"), &body).await.must_be(409, "email_taken");
    open(&shop, &admin, None, &body).await.must_be(409, "email_taken");
    assert_eq!(documents(&mongo, "users", doc! { "email": "grace@example.org" }).await.len(), 1);
    assert_eq!(events(&mongo, "password.forgotten").await.len(), 1);
    assert_eq!(actions(&shop, &admin, &answers[0].text("id")).await, ["created"]);
    for (body, code) in [
        (json!({ "email": "x@example.org", "name": "X", "role": "service" }), "invalid_field"),
        (json!({ "email": "x", "name": "X" }), "invalid_field"),
        (json!({ "email": "x@example.org" }), "invalid_field"),
        (json!({ "email": "x@example.org", "name": "X", "password": PASSWORD }), "unknown_field"),
    ] {
        open(&shop, &admin, None, &body).await.must_be(422, code);
    }
}

#[tokio::test]
async fn name_and_address_of_somebody_else_change_at_the_version_that_was_read() {
    let (shop, boss) = identity_with_admin().await;
    let (mongo, admin) = (shop.mongo("identity").await, boss.text("token"));
    let ada = register(&shop, "ada@example.org").await;
    register(&shop, "eve@example.org").await;
    let id = ada.body["user"]["id"].as_str().unwrap();
    let path = format!("{USERS}/{id}");
    let without = request(&shop, Method::PATCH, &path).bearer_auth(&admin).json(&json!({ "name": "Ada King" }));
    Answer::of(without.send().await.unwrap()).await.must_be(428, "if_match_required");
    let renamed = change(&shop, Method::PATCH, (&path, 1), &admin, &json!({ "name": "Ada King" })).await;
    assert_eq!((renamed.status, renamed.text("name").as_str()), (200, "Ada King"), "{renamed:?}");
    change(&shop, Method::PATCH, (&path, 1), &admin, &json!({ "name": "Eve" })).await.must_be(412, "version_conflict");
    // What is so already changes nothing.
    let same = change(&shop, Method::PATCH, (&path, 2), &admin, &json!({ "email": "ADA@example.org" })).await;
    assert_eq!((same.status, &same.body["version"]), (200, &json!(2)));
    let taken = json!({ "email": "eve@example.org" });
    change(&shop, Method::PATCH, (&path, 2), &admin, &taken).await.must_be(409, "email_taken");
    let moved = change(&shop, Method::PATCH, (&path, 2), &admin, &json!({ "email": "king@example.org" })).await;
    assert_eq!((moved.status, moved.text("email").as_str()), (200, "king@example.org"), "{moved:?}");
    assert_eq!(login(&shop, "king@example.org", PASSWORD).await.status, 200);
    // Her own session goes on.
    assert_eq!(me(&shop, &ada.text("token")).await.body["email"], "king@example.org");
    let letters = documents(&mongo, "letters", doc! { "email": "king@example.org" }).await;
    assert_eq!(letters.len(), 1);
    assert_eq!(actions(&shop, &admin, id).await, ["details_changed", "details_changed"]);
    let own = format!("{USERS}/{}", boss.body["user"]["id"].as_str().unwrap());
    change(&shop, Method::PATCH, (&own, 1), &admin, &json!({ "name": "Me" })).await.must_be(409, "own_account");
    for (body, status, code) in [
        (json!({ "name": null }), 400, "malformed_body"),
        (json!({ "email": "x" }), 422, "invalid_field"),
        (json!({ "role": "admin" }), 422, "unknown_field"),
    ] {
        change(&shop, Method::PATCH, (&path, 3), &admin, &body).await.must_be(status, code);
    }
}

#[tokio::test]
async fn a_letter_to_the_address_before_brings_no_password() {
    let (shop, boss) = identity_with_admin().await;
    let (mongo, admin) = (shop.mongo("identity").await, boss.text("token"));
    let body = json!({ "email": "wrong@example.org", "name": "Grace" });
    let opened = open(&shop, &admin, None, &body).await;
    let path = format!("{USERS}/{}", opened.text("id"));
    let right = json!({ "email": "right@example.org" });
    assert_eq!(change(&shop, Method::PATCH, (&path, 1), &admin, &right).await.status, 200);
    let told = events(&mongo, "password.forgotten").await;
    let chosen = json!({ "token": told[0]["body"]["token"], "password": PASSWORD });
    post(&shop, "/api/v1/auth/password/reset", &chosen).await.must_be(410, "token_spent");
    login(&shop, "right@example.org", PASSWORD).await.must_be(401, "wrong_credentials");
}

#[tokio::test]
async fn only_who_is_an_admin_now_opens_and_edits_accounts() {
    let (shop, _) = identity_with_admin().await;
    let ada = register(&shop, "ada@example.org").await;
    // A token of the role alone does not do: the account must have it, too.
    let stranger = shop.callers().admin().token;
    let body = json!({ "email": "grace@example.org", "name": "Grace" });
    open(&shop, &stranger, None, &body).await.must_be(403, "forbidden");
    let path = format!("{USERS}/{}", ada.body["user"]["id"].as_str().unwrap());
    change(&shop, Method::PATCH, (&path, 1), &stranger, &json!({ "name": "X" })).await.must_be(403, "forbidden");
    assert_eq!(me(&shop, &ada.text("token")).await.body["name"], "Ada");
    assert_eq!(documents(&shop.mongo("identity").await, "users", doc! {}).await.len(), 2);
}

#[tokio::test]
async fn an_account_says_when_it_was_changed_last_also_one_of_before_that_was_kept() {
    let shop = identity().await;
    let ada = register(&shop, "ada@example.org").await;
    let (token, user) = (ada.text("token"), &ada.body["user"]);
    assert_eq!(user["updatedAt"], user["createdAt"], "{user}");
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;

    let rename = json!({ "name": "Ada King" });
    let renamed = change(&shop, Method::PATCH, ("/api/v1/me", 1), &token, &rename).await;

    let times = ["createdAt", "updatedAt"].map(|name| renamed.text(name).parse::<jiff::Timestamp>().unwrap());
    assert!(times[0] < times[1], "{renamed:?}");
    assert_eq!(me(&shop, &token).await.body, renamed.body);
    let alias = call(&shop, Method::GET, "/auth/profile", &token).await;
    assert_eq!(alias.body["user"]["updatedAt"], renamed.body["updatedAt"], "{alias:?}");

    let users = shop.mongo("identity").await.collection::<Document>("users");
    let options = shop_mongo::options::UpdateOptions::builder().bypass_document_validation(true).build();
    let unset = users.update_one(doc! { "email": "ada@example.org" }, doc! { "$unset": { "updated_at": "" } });
    assert_eq!(unset.with_options(options).await.unwrap().modified_count, 1);
    let old = me(&shop, &token).await;
    assert_eq!((old.status, &old.body["updatedAt"]), (200, &renamed.body["createdAt"]), "{old:?}");
}

#[tokio::test]
async fn registrations_are_counted_once_each() {
    let shop = identity().await;
    register(&shop, "ada@example.org").await;
    let again = json!({ "email": "ada@example.org", "password": PASSWORD, "name": "Ada" });
    post(&shop, "/api/v1/auth/register", &again).await.must_be(409, "email_taken");
    assert_eq!(counted(&shop, "registrations_total", "").await, 1);
}

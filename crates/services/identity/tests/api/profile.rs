//! Another password, another address: only for whoever knows the present password.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use shop_mongo::doc;
use shop_testkit::TestShop;

use crate::given::{Answer, PASSWORD, change, documents, identity, login, me, refresh, register, request};

const OTHER: &str = "a staple of another kind";

async fn change_password(shop: &TestShop, token: &str, body: &Value) -> Answer {
    let request = request(shop, Method::PUT, "/api/v1/me/password").bearer_auth(token).json(body);
    Answer::of(request.send().await.unwrap()).await
}

fn from_to(old: &str, new: &str) -> Value {
    json!({ "currentPassword": old, "newPassword": new })
}

async fn change_email(shop: &TestShop, token: &str, version: i64, body: &Value) -> Answer {
    change(shop, Method::PUT, ("/api/v1/me/email", version), token, body).await
}

#[tokio::test]
async fn a_new_password_counts_at_once_and_ends_all_other_sessions() {
    let shop = identity().await;
    let here = register(&shop, "ada@example.org").await;
    let elsewhere = login(&shop, "ada@example.org", PASSWORD).await;
    let eve = register(&shop, "eve@example.org").await.text("token");
    let changed = change_password(&shop, &here.text("token"), &from_to(PASSWORD, OTHER)).await;
    assert_eq!((changed.status, changed.body), (204, Value::Null));
    login(&shop, "ada@example.org", PASSWORD).await.must_be(401, "wrong_credentials");
    assert_eq!(login(&shop, "ada@example.org", OTHER).await.status, 200);
    me(&shop, &elsewhere.text("token")).await.must_be(401, "invalid_token");
    refresh(&shop, &elsewhere.text("refreshToken")).await.must_be(401, "invalid_refresh_token");
    for token in [here.text("token"), eve] {
        assert_eq!(me(&shop, &token).await.status, 200);
    }
    assert_eq!(refresh(&shop, &here.text("refreshToken")).await.status, 200);
    assert_eq!(me(&shop, &here.text("token")).await.body["version"], 2);
}

#[tokio::test]
async fn a_token_without_the_password_changes_neither_password_nor_address() {
    let shop = identity().await;
    let ada = register(&shop, "ada@example.org").await;
    let token = ada.text("token");
    for wrong in ["", "Correct horse battery", OTHER] {
        change_password(&shop, &token, &from_to(wrong, OTHER)).await.must_be(403, "wrong_password");
        let body = json!({ "email": "new@example.org", "password": wrong });
        change_email(&shop, &token, 1, &body).await.must_be(403, "wrong_password");
    }
    assert_eq!(me(&shop, &token).await.body, ada.body["user"]);
    assert_eq!(login(&shop, "ada@example.org", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn of_many_new_passwords_at_once_one_counts() {
    let shop = identity().await;
    let token = register(&shop, "ada@example.org").await.text("token");
    let answers = join_all((0..4).map(|n| {
        let body = from_to(PASSWORD, &format!("{OTHER} {n}"));
        let (shop, token) = (&shop, &token);
        async move { change_password(shop, token, &body).await }
    }))
    .await;
    let mut counts = 0;
    for (n, answer) in answers.iter().enumerate() {
        let opens = login(&shop, "ada@example.org", &format!("{OTHER} {n}")).await.status == 200;
        assert_eq!(opens, answer.status == 204, "{n}: {answer:?}");
        if opens {
            counts += 1;
        } else {
            answer.must_be(403, "wrong_password");
        }
    }
    assert_eq!(counts, 1);
}

#[tokio::test]
async fn what_is_no_password_change_is_refused() {
    let shop = identity().await;
    let token = register(&shop, "ada@example.org").await.text("token");
    for (body, status, code) in [
        (from_to(PASSWORD, "short"), 422, "invalid_field"),
        (from_to(PASSWORD, "password1"), 422, "invalid_field"),
        (json!({ "newPassword": OTHER }), 422, "invalid_field"),
        (json!({ "currentPassword": PASSWORD, "newPassword": { "$ne": "" } }), 400, "malformed_body"),
        (json!({ "currentPassword": PASSWORD, "newPassword": OTHER, "userId": "x" }), 422, "unknown_field"),
    ] {
        change_password(&shop, &token, &body).await.must_be(status, code);
    }
    assert_eq!(login(&shop, "ada@example.org", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_new_address_is_the_one_to_log_in_with_and_sets_the_old_one_free() {
    let shop = identity().await;
    let token = register(&shop, "ada@example.org").await.text("token");
    let body = json!({ "email": " Ada.King@Example.org", "password": PASSWORD });
    let without = request(&shop, Method::PUT, "/api/v1/me/email").bearer_auth(&token).json(&body);
    Answer::of(without.send().await.unwrap()).await.must_be(428, "if_match_required");
    change_email(&shop, &token, 9, &body).await.must_be(412, "version_conflict");
    let changed = change_email(&shop, &token, 1, &body).await;
    assert_eq!((changed.status, changed.text("email").as_str()), (200, "ada.king@example.org"), "{changed:?}");
    assert_eq!(changed.body["version"], 2);
    assert_eq!(me(&shop, &token).await.body, changed.body);
    login(&shop, "ada@example.org", PASSWORD).await.must_be(401, "wrong_credentials");
    assert_eq!(login(&shop, "ada.king@example.org", PASSWORD).await.status, 200);
    // The same again changes nothing.
    assert_eq!(change_email(&shop, &token, 2, &body).await.body, changed.body);
    register(&shop, "ada@example.org").await;
}

#[tokio::test]
async fn the_address_of_another_account_is_taken_also_at_the_same_moment() {
    let shop = identity().await;
    let (ada, eve) = (register(&shop, "ada@example.org").await, register(&shop, "eve@example.org").await);
    let to = |email: &str| json!({ "email": email, "password": PASSWORD });
    let taken = change_email(&shop, &ada.text("token"), 1, &to("EVE@example.org")).await;
    taken.must_be(409, "email_taken");
    assert_eq!(taken.body["details"][0]["field"], "email");
    let (body, tokens) = (to("new@example.org"), [ada.text("token"), eve.text("token")]);
    let (one, other) =
        tokio::join!(change_email(&shop, &tokens[0], 1, &body), change_email(&shop, &tokens[1], 1, &body));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{one:?} {other:?}");
    let users = documents(&shop.mongo("identity").await, "users", doc! { "email": "new@example.org" }).await;
    assert_eq!(users.len(), 1);
    for (body, status, code) in [
        (json!({ "email": "ada", "password": PASSWORD }), 422, "invalid_field"),
        (json!({ "email": { "$gt": "" }, "password": PASSWORD }), 400, "malformed_body"),
        (json!({ "email": "a@b.de", "password": PASSWORD, "name": "A" }), 422, "unknown_field"),
    ] {
        change_email(&shop, &tokens[0], 1, &body).await.must_be(status, code);
    }
}

//! What nobody may send: refused with its field and a stable code, and nothing written.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use shop_mongo::doc;
use shop_testkit::TestShop;

use crate::given::{Answer, PASSWORD, documents, identity, identity_with_admin, login, me, post, register, request};

const REGISTER: &str = "/api/v1/auth/register";
const LOGIN: &str = "/api/v1/auth/login";
const REFRESH: &str = "/api/v1/auth/refresh";

/// A good registration with one field replaced.
fn with(field: &str, value: Value) -> Value {
    let mut body = json!({ "email": "ada@example.org", "password": PASSWORD, "name": "Ada" });
    body[field] = value;
    body
}

fn without(field: &str) -> Value {
    let mut body = with("name", json!("Ada"));
    body.as_object_mut().unwrap().remove(field);
    body
}

async fn nothing_is_written(shop: &TestShop) {
    let mongo = shop.mongo("identity").await;
    for collection in ["users", "sessions", "outbox"] {
        assert!(documents(&mongo, collection, doc! {}).await.is_empty(), "{collection}");
    }
}

#[tokio::test]
async fn no_bad_registration_opens_an_account() {
    let shop = identity().await;
    let mut cases = vec![
        (with("email", json!({ "$gt": "" })), 400, "malformed_body", "email"),
        (with("email", json!(["a@b.de"])), 400, "malformed_body", "email"),
        (with("email", Value::Null), 400, "malformed_body", "email"),
        (with("email", json!(7)), 400, "malformed_body", "email"),
        (with("password", json!({ "$ne": "" })), 400, "malformed_body", "password"),
        (with("password", json!(12_345_678)), 400, "malformed_body", "password"),
        (with("name", json!({ "$gt": "" })), 400, "malformed_body", "name"),
        (with("name", json!(true)), 400, "malformed_body", "name"),
        (without("email"), 422, "invalid_field", "email"),
        (without("password"), 422, "invalid_field", "password"),
        (without("name"), 422, "invalid_field", "name"),
    ];
    let long_email = format!("{}@example.org", "a".repeat(250));
    for email in
        ["", "ada", "ada@", "@example.org", "ada@example", "a b@example.org", "ada@exa\u{0}mple.org", &long_email]
    {
        cases.push((with("email", json!(email)), 422, "invalid_field", "email"));
    }
    for password in ["", "short77", &"p".repeat(129), "PassWord1", "12345678", "good\u{0}password"] {
        cases.push((with("password", json!(password)), 422, "invalid_field", "password"));
    }
    for name in ["", "  ", "a\nb", "a\u{0}b", "\u{1b}[31mred", &"n".repeat(101)] {
        cases.push((with("name", json!(name)), 422, "invalid_field", "name"));
    }
    for field in ["role", "status", "id", "number", "version", "verified", "createdAt", "first_admin", "$set", "a.b"] {
        cases.push((with(field, json!("admin")), 422, "unknown_field", field));
    }
    for (body, status, code, field) in cases {
        let answer = post(&shop, REGISTER, &body).await;
        assert_eq!((answer.status, answer.body["code"].as_str()), (status, Some(code)), "{body} gave {answer:?}");
        assert_eq!(answer.body["details"][0]["field"], field, "{body} gave {answer:?}");
    }
    nothing_is_written(&shop).await;
}

#[tokio::test]
async fn no_answer_repeats_the_password() {
    let shop = identity().await;
    let bad = "qwertyuiop";
    let answer = post(&shop, REGISTER, &with("password", json!(bad))).await;
    answer.must_be(422, "invalid_field");
    assert!(!answer.body.to_string().contains(bad), "{answer:?}");
}

#[tokio::test]
async fn what_is_no_body_is_refused_on_every_route_that_takes_one() {
    let shop = identity().await;
    let raw = |path: &str, body: String, media: &'static str| {
        request(&shop, Method::POST, path).header("Content-Type", media).body(body)
    };
    let json = "application/json";
    for path in [REGISTER, LOGIN, REFRESH] {
        let good = with("name", json!("Ada")).to_string();
        let cases: Vec<(RequestBuilder, u16, &str)> = vec![
            (raw(path, "{".into(), json), 400, "malformed_body"),
            (raw(path, String::new(), json), 400, "malformed_body"),
            (raw(path, "[1]".into(), json), 400, "malformed_body"),
            (raw(path, "null".into(), json), 400, "malformed_body"),
            (raw(path, "[".repeat(5000), json), 400, "malformed_body"),
            (raw(path, r#"{"email":"a@b.de","email":"c@d.de"}"#.into(), json), 400, "malformed_body"),
            (raw(path, "email=a@b.de".into(), "application/x-www-form-urlencoded"), 415, "unsupported_media_type"),
            (raw(path, good.clone(), "text/plain"), 415, "unsupported_media_type"),
            (raw(path, format!("{good}{}", " ".repeat(70_000)), json), 413, "body_too_large"),
        ];
        for (request, status, code) in cases {
            Answer::of(request.send().await.unwrap()).await.must_be(status, code);
        }
    }
    nothing_is_written(&shop).await;
}

#[tokio::test]
async fn logins_and_refreshes_take_their_own_fields_only() {
    let shop = identity().await;
    for (path, body, status, code, field) in [
        (LOGIN, json!({ "email": { "$gt": "" }, "password": PASSWORD }), 400, "malformed_body", "email"),
        (LOGIN, json!({ "email": "ada@example.org", "password": { "$gt": "" } }), 400, "malformed_body", "password"),
        (LOGIN, json!({ "email": "ada@example.org" }), 422, "invalid_field", "password"),
        (LOGIN, json!({ "email": "ada", "password": PASSWORD }), 422, "invalid_field", "email"),
        (
            LOGIN,
            json!({ "email": "ada@example.org", "password": PASSWORD, "role": "admin" }),
            422,
            "unknown_field",
            "role",
        ),
        (REFRESH, json!({}), 422, "invalid_field", "refreshToken"),
        (REFRESH, json!({ "refreshToken": { "$ne": "" } }), 400, "malformed_body", "refreshToken"),
        (REFRESH, json!({ "refreshToken": "x", "userId": "y" }), 422, "unknown_field", "userId"),
    ] {
        let answer = post(&shop, path, &body).await;
        assert_eq!((answer.status, answer.body["code"].as_str()), (status, Some(code)), "{body} gave {answer:?}");
        assert_eq!(answer.body["details"][0]["field"], field, "{body} gave {answer:?}");
    }
    for key in [String::new(), "k".repeat(256), "ä".into()] {
        let request = request(&shop, Method::POST, REGISTER).header("Idempotency-Key", key);
        let answer = Answer::of(request.json(&with("name", json!("Ada"))).send().await.unwrap()).await;
        answer.must_be(400, "invalid_idempotency_key");
    }
    nothing_is_written(&shop).await;
}

#[tokio::test]
async fn of_ones_own_account_only_the_name_can_be_set() {
    let shop = identity().await;
    let registered = register(&shop, "ada@example.org").await;
    let token = registered.text("token");
    for (body, status, code, field) in [
        (json!({ "name": "Ada", "role": "admin" }), 422, "unknown_field", "role"),
        (json!({ "name": "Ada", "status": "active" }), 422, "unknown_field", "status"),
        (json!({ "name": "Ada", "email": "eve@example.org" }), 422, "unknown_field", "email"),
        (json!({ "name": "Ada", "password": "another password" }), 422, "unknown_field", "password"),
        (json!({ "name": "Ada", "version": 9 }), 422, "unknown_field", "version"),
        (json!({ "name": "Ada", "$set": { "role": "admin" } }), 422, "unknown_field", "$set"),
        (json!({ "name": { "$gt": "" } }), 400, "malformed_body", "name"),
        (json!({ "name": "a\u{0}b" }), 422, "invalid_field", "name"),
        (json!({ "name": "n".repeat(101) }), 422, "invalid_field", "name"),
        (json!({}), 422, "invalid_field", "name"),
    ] {
        let request = request(&shop, Method::PATCH, "/api/v1/me").bearer_auth(&token).header("If-Match", "\"1\"");
        let answer = Answer::of(request.json(&body).send().await.unwrap()).await;
        assert_eq!((answer.status, answer.body["code"].as_str()), (status, Some(code)), "{body} gave {answer:?}");
        assert_eq!(answer.body["details"][0]["field"], field, "{body} gave {answer:?}");
    }
    assert_eq!(me(&shop, &token).await.body, registered.body["user"]);
}

#[tokio::test]
async fn calls_that_take_no_body_overlook_nothing_in_one_and_aliases_pass_over_it() {
    let (shop, boss) = identity_with_admin().await;
    let ada = register(&shop, "ada@example.org").await;
    let (id, order) = (ada.body["user"]["id"].as_str().unwrap(), "00000000-0000-0000-0000-000000000007");
    let program = shop.callers().service().token;
    let send = async |method, path: &str, token: &str, body: Value| {
        Answer::of(request(&shop, method, path).bearer_auth(token).json(&body).send().await.unwrap()).await
    };
    for (method, path, token, done) in [
        (Method::POST, format!("/api/v1/users/{id}/deactivate"), boss.text("token"), 200),
        (Method::POST, format!("/api/v1/users/{id}/activate"), boss.text("token"), 200),
        (Method::PUT, format!("/api/v1/customers/{id}/orders/{order}"), program, 204),
    ] {
        send(method.clone(), &path, &token, json!({ "reason": "x" })).await.must_be(422, "unknown_field");
        assert_eq!(send(method, &path, &token, json!({})).await.status, done, "{path}");
    }
    let token = login(&shop, "ada@example.org", PASSWORD).await.text("token");
    for (path, done) in [("me/export", 202), ("me/email/verification", 202), ("auth/logout", 204)] {
        let path = format!("/api/v1/{path}");
        send(Method::POST, &path, &token, json!({ "refreshToken": "x" })).await.must_be(422, "unknown_field");
        assert_eq!(send(Method::POST, &path, &token, json!({})).await.status, done, "{path}");
    }
    let token = login(&shop, "ada@example.org", PASSWORD).await.text("token");
    assert_eq!(send(Method::POST, "/auth/logout", &token, json!({ "refreshToken": "x" })).await.status, 200);
}

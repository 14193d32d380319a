//! Opening an account, logging in, one's own account.

use futures::future::join_all;
use reqwest::Method;
use serde_json::json;
use shop_mongo::doc;

use crate::given::{Answer, PASSWORD, documents, events, identity, login, me, post, register, request};

#[tokio::test]
async fn whoever_registers_is_a_customer_with_a_session() {
    let shop = identity().await;
    let body = json!({ "email": " Ada@Example.ORG", "password": PASSWORD, "name": " Ada Lovelace " });
    let reply = request(&shop, Method::POST, "/api/v1/auth/register").json(&body).send().await.unwrap();
    assert_eq!(reply.headers()["location"], "/api/v1/me");
    assert_eq!(reply.headers()["cache-control"], "no-store");
    let answer = Answer::of(reply).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let fields: Vec<_> = answer.body.as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields, ["token", "refreshToken", "expiresIn", "user"]);
    assert_eq!(answer.body["expiresIn"], 600);
    let user = &answer.body["user"];
    let fields: Vec<_> = user.as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields, ["id", "number", "email", "emailVerified", "name", "role", "version", "createdAt", "updatedAt"]);
    assert_eq!(user["email"], "ada@example.org");
    assert_eq!(user["name"], "Ada Lovelace");
    assert_eq!((user["role"].as_str(), user["version"].as_i64()), (Some("customer"), Some(1)));
    assert!(user["number"].as_i64().unwrap() >= 1);
    assert_eq!(me(&shop, &answer.text("token")).await.body, *user);
}

#[tokio::test]
async fn an_account_is_told_of_once_and_stored_without_its_password() {
    let shop = identity().await;
    let answer = register(&shop, "ada@example.org").await;
    let mongo = shop.mongo("identity").await;
    let told = events(&mongo, "user.created").await;
    assert_eq!(told.len(), 1);
    assert_eq!(
        told[0]["body"],
        json!({ "userId": answer.body["user"]["id"], "number": answer.body["user"]["number"] })
    );
    assert_eq!(told[0]["aggregate"], answer.body["user"]["id"]);
    let users = documents(&mongo, "users", doc! {}).await;
    assert_eq!(users.len(), 1);
    assert!(users[0].get_str("password").unwrap().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    for collection in ["users", "sessions", "outbox"] {
        for document in documents(&mongo, collection, doc! {}).await {
            let text = document.to_string();
            assert!(!text.contains(PASSWORD) && !text.contains(&answer.text("refreshToken")), "{collection}: {text}");
            assert!(collection == "users" || !text.contains("ada@example.org"), "{collection}: {text}");
        }
    }
}

#[tokio::test]
async fn an_address_has_one_account_in_any_case_and_at_any_speed() {
    let shop = identity().await;
    let try_one = |n: usize| {
        let email = if n.is_multiple_of(2) { "ada@example.org" } else { "ADA@example.org" };
        let body = json!({ "email": email, "password": PASSWORD, "name": "Ada" });
        let request = request(&shop, Method::POST, "/api/v1/auth/register").json(&body);
        async move { Answer::of(request.send().await.unwrap()).await }
    };
    let answers = join_all((0..10).map(try_one)).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{answers:?}");
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.must_be(409, "email_taken");
        assert_eq!(answer.body["details"][0]["field"], "email");
    }
    let mongo = shop.mongo("identity").await;
    assert_eq!(documents(&mongo, "users", doc! {}).await.len(), 1);
    assert_eq!(events(&mongo, "user.created").await.len(), 1);
    assert_eq!(documents(&mongo, "sessions", doc! {}).await.len(), 1);
}

#[tokio::test]
async fn the_password_opens_further_sessions_and_nothing_else_does() {
    let shop = identity().await;
    let first = register(&shop, "ada@example.org").await;
    let second = login(&shop, "Ada@example.org ", PASSWORD).await;
    assert_eq!(second.status, 200, "{second:?}");
    assert_eq!(second.body["user"], first.body["user"]);
    assert_ne!(second.text("refreshToken"), first.text("refreshToken"));
    for token in [first.text("token"), second.text("token")] {
        assert_eq!(me(&shop, &token).await.status, 200);
    }
    for wrong in ["", "Correct horse battery", "correct horse battery ", &"x".repeat(10_000)] {
        login(&shop, "ada@example.org", wrong).await.must_be(401, "wrong_credentials");
    }
}

#[tokio::test]
async fn a_password_is_the_same_however_its_letters_are_composed() {
    let shop = identity().await;
    let body = json!({ "email": "zoe@example.org", "password": "Zoë grüßt", "name": "Zoë" });
    assert_eq!(post(&shop, "/api/v1/auth/register", &body).await.status, 201);
    assert_eq!(login(&shop, "zoe@example.org", "Zoe\u{308} gru\u{308}ßt").await.status, 200);
}

#[tokio::test]
async fn the_own_name_changes_at_the_version_that_was_read_only() {
    let shop = identity().await;
    let token = register(&shop, "ada@example.org").await.text("token");
    let change = |tag: Option<&str>, name: &str| {
        let request = request(&shop, Method::PATCH, "/api/v1/me").bearer_auth(&token).json(&json!({ "name": name }));
        let request = tag.into_iter().fold(request, |request, tag| request.header("If-Match", tag));
        async move { request.send().await.unwrap() }
    };
    Answer::of(change(None, "Ada King").await).await.must_be(428, "if_match_required");
    for stale in ["\"7\"", "*", "1", "W/\"1\""] {
        Answer::of(change(Some(stale), "Ada King").await).await.must_be(412, "version_conflict");
    }
    let changed = change(Some("\"1\""), "Ada King").await;
    assert_eq!(changed.headers()["etag"], "\"2\"");
    let changed = Answer::of(changed).await;
    assert_eq!((changed.status, changed.text("name")), (200, "Ada King".to_owned()));
    Answer::of(change(Some("\"1\""), "Ada Byron").await).await.must_be(412, "version_conflict");
    assert_eq!(me(&shop, &token).await.body, changed.body);
}

#[tokio::test]
async fn of_many_changes_at_one_version_one_happens() {
    let shop = identity().await;
    let token = register(&shop, "ada@example.org").await.text("token");
    let changes = (0..10).map(|n| {
        let body = json!({ "name": format!("Ada {n}") });
        let request = request(&shop, Method::PATCH, "/api/v1/me").bearer_auth(&token).header("If-Match", "\"1\"");
        async move { request.json(&body).send().await.unwrap().status().as_u16() }
    });
    let statuses = join_all(changes).await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 412].contains(status)), "{statuses:?}");
    assert_eq!(me(&shop, &token).await.body["version"], 2);
}

#[tokio::test]
async fn an_unchanged_account_is_not_sent_again() {
    let shop = identity().await;
    let token = register(&shop, "ada@example.org").await.text("token");
    let known = request(&shop, Method::GET, "/api/v1/me").bearer_auth(&token).header("If-None-Match", "\"1\"");
    assert_eq!(known.send().await.unwrap().status(), 304);
}

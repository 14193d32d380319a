//! One's own sessions: seeing them, ending one, ending all others.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use reqwest::Method;
use shop_mongo::{Document, doc};
use shop_testkit::{FakeClock, TestShop};

use crate::given::{Answer, PASSWORD, call, documents, events, identity, identity_at, login, me, refresh, register};

const SESSIONS: &str = "/api/v1/me/sessions";

async fn list(shop: &TestShop, token: &str) -> Answer {
    let list = call(shop, Method::GET, SESSIONS, token).await;
    assert_eq!(list.status, 200, "{list:?}");
    list
}

fn ids(list: &Answer) -> Vec<String> {
    list.body["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

fn here(list: &Answer) -> String {
    let current = list.body["items"].as_array().unwrap().iter().find(|item| item["current"] == true).unwrap();
    current["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_own_sessions_are_listed_last_used_first_and_the_present_one_is_marked() {
    let clock = Arc::new(FakeClock::default());
    let shop = identity_at(&clock).await;
    let first = register(&shop, "ada@example.org").await;
    register(&shop, "eve@example.org").await;
    clock.advance(Duration::from_secs(60));
    let second = login(&shop, "ada@example.org", PASSWORD).await;
    let seen = list(&shop, &second.text("token")).await;
    let fields: Vec<_> = seen.body["items"][0].as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields, ["id", "current", "lastUsedAt", "endsAt"]);
    assert_eq!(seen.body["page"]["total"], 2);
    assert_eq!(seen.body["items"][0]["current"], true);
    assert_eq!(seen.body["items"][1]["current"], false);
    assert_eq!(seen.body["items"][0]["lastUsedAt"], "2030-01-01T00:01:00Z");
    assert_eq!(seen.body["items"][0]["endsAt"], "2030-01-08T00:01:00Z");
    clock.advance(Duration::from_secs(60));
    assert_eq!(refresh(&shop, &first.text("refreshToken")).await.status, 200);
    let turned = list(&shop, &second.text("token")).await;
    assert_eq!(ids(&turned), [ids(&seen)[1].clone(), ids(&seen)[0].clone()]);
    let page = call(&shop, Method::GET, &format!("{SESSIONS}?page=2&size=1"), &second.text("token")).await;
    assert_eq!(ids(&page), [here(&seen)]);
    // A week later neither can go on.
    clock.advance(Duration::from_hours(24 * 7));
    let third = login(&shop, "ada@example.org", PASSWORD).await;
    assert_eq!(list(&shop, &third.text("token")).await.body["page"]["total"], 1);
}

#[tokio::test]
async fn one_session_ends_and_the_others_go_on() {
    let shop = identity().await;
    let lost = register(&shop, "ada@example.org").await;
    let kept = login(&shop, "ada@example.org", PASSWORD).await;
    let path = format!("{SESSIONS}/{}", here(&list(&shop, &lost.text("token")).await));
    assert_eq!(call(&shop, Method::DELETE, &path, &kept.text("token")).await.status, 204);
    me(&shop, &lost.text("token")).await.must_be(401, "invalid_token");
    refresh(&shop, &lost.text("refreshToken")).await.must_be(401, "invalid_refresh_token");
    assert_eq!(ids(&list(&shop, &kept.text("token")).await).len(), 1);
    // It is not there any more.
    call(&shop, Method::DELETE, &path, &kept.text("token")).await.must_be(404, "not_found");
    assert_eq!(events(&shop.mongo("identity").await, "session.revoked").await.len(), 1);
    let own = format!("{SESSIONS}/{}", here(&list(&shop, &kept.text("token")).await));
    assert_eq!(call(&shop, Method::DELETE, &own, &kept.text("token")).await.status, 204);
    me(&shop, &kept.text("token")).await.must_be(401, "invalid_token");
}

#[tokio::test]
async fn sessions_of_others_look_like_unknown_ones() {
    let shop = identity().await;
    let ada = register(&shop, "ada@example.org").await;
    let eve = register(&shop, "eve@example.org").await.text("token");
    let adas = here(&list(&shop, &ada.text("token")).await);
    let mut bodies = Vec::new();
    for id in [adas.as_str(), "00000000-0000-0000-0000-000000000001", "nonsense", "..%2F"] {
        let mut answer = call(&shop, Method::DELETE, &format!("{SESSIONS}/{id}"), &eve).await;
        answer.must_be(404, "not_found");
        for name in ["requestId", "timestamp", "error"] {
            answer.body.as_object_mut().unwrap().remove(name).unwrap();
        }
        bodies.push(answer);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
    assert_eq!(me(&shop, &ada.text("token")).await.status, 200);
}

#[tokio::test]
async fn all_other_sessions_end_at_once_also_very_many() {
    let shop = identity().await;
    let mongo = shop.mongo("identity").await;
    let here = register(&shop, "ada@example.org").await;
    let stranger = register(&shop, "eve@example.org").await.text("token");
    let others = join_all((0..5).map(|_| login(&shop, "ada@example.org", PASSWORD))).await;
    let user = here.body["user"]["id"].as_str().unwrap();
    let template = documents(&mongo, "sessions", doc! { "user": user }).await.remove(0);
    // More than end in one transaction.
    let planted = (0..1100).map(|n| {
        let mut session = template.clone();
        session.insert("_id", format!("00000000-0000-0000-0000-{n:012}"));
        session
    });
    mongo.collection::<Document>("sessions").insert_many(planted).await.unwrap();
    for _ in 0..2 {
        assert_eq!(call(&shop, Method::DELETE, SESSIONS, &here.text("token")).await.status, 204);
        assert_eq!(list(&shop, &here.text("token")).await.body["page"]["total"], 1);
    }
    for other in &others {
        me(&shop, &other.text("token")).await.must_be(401, "invalid_token");
        refresh(&shop, &other.text("refreshToken")).await.must_be(401, "invalid_refresh_token");
    }
    assert_eq!(events(&mongo, "session.revoked").await.len(), 1105);
    for token in [here.text("token"), stranger] {
        assert_eq!(me(&shop, &token).await.status, 200);
    }
    assert_eq!(refresh(&shop, &here.text("refreshToken")).await.status, 200);
}

#[tokio::test]
async fn lists_are_bounded_and_know_their_parameters() {
    let shop = identity().await;
    let token = register(&shop, "ada@example.org").await.text("token");
    for (query, code) in [
        ("size=101", "invalid_parameter"),
        ("size=0", "invalid_parameter"),
        ("page=0", "invalid_parameter"),
        ("sort=id", "unknown_parameter"),
        ("userId=1", "unknown_parameter"),
    ] {
        call(&shop, Method::GET, &format!("{SESSIONS}?{query}"), &token).await.must_be(422, code);
    }
}

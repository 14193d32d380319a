//! API keys: made and removed by admins, exchanged for access tokens by programs.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use shop_events::spawn_revocations;
use shop_mongo::{Document, bson, doc};
use shop_redis::Redis;
use shop_telemetry::metrics::Metrics;
use shop_testkit::{FakeClock, TestShop};
use shop_types::{Caller, Clock as _, Role};
use tokio_util::sync::CancellationToken;

use crate::given::{
    Answer, PASSWORD, another_pod, call, documents, events, eventually, identity_with_admin, login, request,
};

const KEYS: &str = "/api/v1/api-keys";
const TOKEN: &str = "/api/v1/auth/token";
const FORM: &str = "application/x-www-form-urlencoded";

async fn make(shop: &TestShop, admin: &str, body: &Value) -> Answer {
    Answer::of(request(shop, Method::POST, KEYS).bearer_auth(admin).json(body).send().await.unwrap()).await
}

async fn service_key(shop: &TestShop, admin: &str) -> Answer {
    let made = make(shop, admin, &json!({ "name": "Stock system" })).await;
    assert_eq!(made.status, 201, "{made:?}");
    made
}

async fn send(shop: &TestShop, form: &str) -> Answer {
    let request = request(shop, Method::POST, TOKEN).header("Content-Type", FORM).body(form.to_owned());
    Answer::of(request.send().await.unwrap()).await
}

fn form(key: &Answer) -> String {
    let (id, secret) = (key.text("id"), key.text("secret"));
    format!("grant_type=client_credentials&client_id={id}&client_secret={secret}")
}

async fn token(shop: &TestShop, key: &Answer) -> String {
    let granted = send(shop, &form(key)).await;
    assert_eq!(granted.status, 200, "{granted:?}");
    granted.text("access_token")
}

#[tokio::test]
async fn a_program_reads_with_its_key_what_is_made_for_programs_and_nothing_else() {
    let (shop, boss) = identity_with_admin().await;
    let admin = boss.text("token");
    let key = service_key(&shop, &admin).await;
    let request_of_token = request(&shop, Method::POST, TOKEN).header("Content-Type", FORM).body(form(&key));
    let reply = request_of_token.send().await.unwrap();
    assert_eq!(reply.headers()["cache-control"], "no-store");
    assert_eq!(reply.headers()["pragma"], "no-cache");
    let granted = Answer::of(reply).await;
    assert_eq!((granted.status, granted.text("token_type").as_str()), (200, "Bearer"), "{granted:?}");
    assert_eq!((&granted.body["expires_in"], &granted.body["scope"]), (&json!(600), &json!("service")));
    let token = granted.text("access_token");
    let path = format!("/api/v1/users/{}", boss.body["user"]["id"].as_str().unwrap());
    let read = call(&shop, Method::GET, &path, &token).await;
    assert_eq!((read.status, read.text("email").as_str()), (200, "boss@example.org"), "{read:?}");
    for (method, path) in [
        (Method::GET, "/api/v1/me"),
        (Method::GET, "/api/v1/users"),
        (Method::GET, KEYS),
        (Method::POST, "/api/v1/auth/logout"),
    ] {
        call(&shop, method, path, &token).await.must_be(403, "forbidden");
    }
    let list = call(&shop, Method::GET, KEYS, &admin).await;
    assert!(list.body["items"][0]["lastUsedAt"].is_string(), "{list:?}");
}

#[tokio::test]
async fn a_secret_is_shown_once_and_only_its_digest_is_stored() {
    let (shop, boss) = identity_with_admin().await;
    let admin = boss.text("token");
    let sent = request(&shop, Method::POST, KEYS).bearer_auth(&admin).json(&json!({ "name": "Stock system" }));
    let sent = sent.send().await.unwrap();
    let location = sent.headers()["location"].to_str().unwrap().to_owned();
    let key = Answer::of(sent).await;
    assert_eq!((key.status, location.as_str()), (201, format!("{KEYS}/{}", key.text("id")).as_str()));
    assert_eq!(
        (key.text("role").as_str(), key.text("createdBy")),
        ("service", boss.body["user"]["id"].as_str().unwrap().into())
    );
    let secret = key.text("secret");
    assert_eq!(secret.len(), 43);
    let read = call(&shop, Method::GET, &location, &admin).await;
    let fields: Vec<_> = read.body.as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields, ["id", "name", "role", "createdBy", "createdAt"]);
    assert_eq!(call(&shop, Method::GET, KEYS, &admin).await.body["items"], json!([read.body]));
    token(&shop, &key).await;
    let mongo = shop.mongo("identity").await;
    for collection in ["api_keys", "audit", "outbox", "idempotency", "users"] {
        for document in documents(&mongo, collection, doc! {}).await {
            assert!(!document.to_string().contains(&secret), "{collection}");
        }
    }
}

#[tokio::test]
async fn a_repeated_call_makes_no_second_key_and_shows_no_secret() {
    let (shop, boss) = identity_with_admin().await;
    let admin = boss.text("token");
    let make = async |name: &str| {
        let request = request(&shop, Method::POST, KEYS).bearer_auth(&admin).header("Idempotency-Key", "k-1");
        Answer::of(request.json(&json!({ "name": name })).send().await.unwrap()).await
    };
    let answers = join_all((0..4).map(|_| make("Stock system"))).await;
    let secrets = answers.iter().filter(|answer| answer.body["secret"].is_string()).count();
    assert_eq!(secrets, 1, "{answers:?}");
    assert!(
        answers.iter().all(|answer| answer.status == 201 && answer.body["id"] == answers[0].body["id"]),
        "{answers:?}"
    );
    make("Another system").await.must_be(422, "idempotency_key_reused");
    assert_eq!(documents(&shop.mongo("identity").await, "api_keys", doc! {}).await.len(), 1);
    let path = format!("{KEYS}/{}", answers[0].text("id"));
    assert_eq!(call(&shop, Method::DELETE, &path, &admin).await.status, 204);
    make("Stock system").await.must_be(404, "not_found");
}

#[tokio::test]
async fn every_bad_request_for_a_token_has_the_word_of_the_standard() {
    let (shop, boss) = identity_with_admin().await;
    let key = service_key(&shop, &boss.text("token")).await;
    let (id, secret, good) = (key.text("id"), key.text("secret"), form(&key));
    let other = "A".repeat(43);
    for (form, status, word) in [
        (String::new(), 400, "invalid_request"),
        (format!("client_id={id}&client_secret={secret}"), 400, "invalid_request"),
        (format!("{good}&client_id={id}"), 400, "invalid_request"),
        (format!("{good}&grant_type=client_credentials"), 400, "invalid_request"),
        (good.replace("client_credentials", "password"), 400, "unsupported_grant_type"),
        (good.replace("client_credentials", "refresh_token"), 400, "unsupported_grant_type"),
        (format!("{good}&scope=admin"), 400, "invalid_scope"),
        (format!("{good}&scope=service%20staff"), 400, "invalid_scope"),
        (good.replace(&secret, &other), 401, "invalid_client"),
        (good.replace(&secret, "guess"), 401, "invalid_client"),
        (good.replace(&secret, ""), 401, "invalid_client"),
        (good.replace(&id, "00000000-0000-0000-0000-000000000001"), 401, "invalid_client"),
        (good.replace(&id, "1"), 401, "invalid_client"),
        (good.replace(&id, &id.to_uppercase().replace('-', "")), 401, "invalid_client"),
        ("grant_type=client_credentials".to_owned(), 401, "invalid_client"),
    ] {
        let refused = send(&shop, &form).await;
        refused.must_be(status, word);
        assert_eq!(refused.text("error"), word, "{form}");
        assert!(!refused.text("error_description").is_empty(), "{form}");
        assert!(!refused.body.to_string().contains(&secret), "{form}");
    }
    for form in [format!("{good}&scope=service"), format!("{good}&scope=&unheard=of&unheard=of")] {
        assert_eq!(send(&shop, &form).await.status, 200, "{form}");
    }
    let json = json!({ "grant_type": "client_credentials", "client_id": id, "client_secret": secret });
    let sent = request(&shop, Method::POST, TOKEN).json(&json).send().await.unwrap();
    Answer::of(sent).await.must_be(415, "unsupported_media_type");
    let zipped = request(&shop, Method::POST, TOKEN).header("Content-Type", FORM).header("Content-Encoding", "gzip");
    Answer::of(zipped.body(good.clone()).send().await.unwrap()).await.must_be(415, "unsupported_media_type");
    let bytes = request(&shop, Method::POST, TOKEN).header("Content-Type", FORM).body(vec![b'a', b'=', 0xff]);
    Answer::of(bytes.send().await.unwrap()).await.must_be(400, "malformed_body");
    send(&shop, &format!("{good}&x={}", "x".repeat(70_000))).await.must_be(413, "body_too_large");
}

#[tokio::test]
async fn a_removed_key_brings_no_token_and_ends_those_that_it_brought() {
    let (shop, boss) = identity_with_admin().await;
    let admin = boss.text("token");
    let (key, kept) = (service_key(&shop, &admin).await, service_key(&shop, &admin).await);
    let (program, other) = (token(&shop, &key).await, token(&shop, &kept).await);
    let path = format!("{KEYS}/{}", key.text("id"));
    assert_eq!(call(&shop, Method::DELETE, &path, &admin).await.status, 204);
    send(&shop, &form(&key)).await.must_be(401, "invalid_client");
    let users = format!("/api/v1/users/{}", boss.body["user"]["id"].as_str().unwrap());
    call(&shop, Method::GET, &users, &program).await.must_be(401, "invalid_token");
    assert_eq!(call(&shop, Method::GET, &users, &other).await.status, 200);
    for method in [Method::DELETE, Method::GET] {
        call(&shop, method, &path, &admin).await.must_be(404, "not_found");
    }
    assert_eq!(call(&shop, Method::GET, KEYS, &admin).await.body["page"]["total"], 1);
    let log = call(&shop, Method::GET, &format!("/api/v1/audit?userId={}", key.text("id")), &admin).await;
    let items = log.body["items"].as_array().unwrap();
    let words: Vec<_> = items.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(words, ["api_key_removed", "api_key_created"]);
    assert!(items.iter().all(|entry| entry["actorId"] == boss.body["user"]["id"]), "{log:?}");
}

#[tokio::test]
async fn every_pod_hears_of_a_removed_key_also_one_that_starts_later() {
    let (shop, boss) = identity_with_admin().await;
    let admin = boss.text("token");
    let key = service_key(&shop, &admin).await;
    let program = token(&shop, &key).await;
    let listen = async || {
        let redis = Redis::connect(shop.config().redis.as_ref().unwrap(), &Metrics::new("catalog")).unwrap();
        let verifier = shop_auth::Verifier::load(&shop.config().auth).await.unwrap();
        let stop = CancellationToken::new();
        let clock = Arc::new(shop_service::SystemClock);
        let task = spawn_revocations(&redis, Arc::clone(&verifier), clock, stop.clone());
        (verifier, stop, task)
    };
    let accepts = |verifier: &shop_auth::Verifier| verifier.verify(&program, shop_service::SystemClock.now()).is_ok();
    let (early, early_stop, early_task) = listen().await;
    let caller = early.verify(&program, shop_service::SystemClock.now()).unwrap();
    let Caller::User { id, role, .. } = caller else { panic!("{caller:?}") };
    assert_eq!((id.to_string(), role), (key.text("id"), Role::Service));
    let path = format!("{KEYS}/{}", key.text("id"));
    assert_eq!(call(&shop, Method::DELETE, &path, &admin).await.status, 204);
    eventually("a pod that listens refuses the token", async || !accepts(&early)).await;
    let mongo = shop.mongo("identity").await;
    eventually("the event is out", async || {
        documents(&mongo, "outbox", doc! { "topic": "session.revoked", "published": null }).await.is_empty()
    })
    .await;
    let (late, late_stop, late_task) = listen().await;
    eventually("a pod that asks refuses the token", async || !accepts(&late)).await;
    for (stop, task) in [(early_stop, early_task), (late_stop, late_task)] {
        stop.cancel();
        task.await.unwrap();
    }
    let told = events(&mongo, "session.revoked").await;
    assert_eq!(told.iter().filter(|event| event["body"]["sessionId"] == key.body["id"]).count(), 1);
}

#[tokio::test]
async fn a_key_ends_by_itself_and_its_tokens_with_it() {
    let (shop, _) = identity_with_admin().await;
    let clock = Arc::new(FakeClock::default());
    let config = shop.config().clone();
    let pod = TestShop::start(async |_| identity::service_with_clock(&config, Arc::clone(&clock) as _).await).await;
    let admin = login(&pod, "boss@example.org", PASSWORD).await.text("token");
    let end = clock.now() + Duration::from_secs(60);
    let key = make(&pod, &admin, &json!({ "name": "For a minute", "expiresAt": end })).await;
    assert_eq!(key.status, 201, "{key:?}");
    let granted = send(&pod, &form(&key)).await;
    let life = granted.body["expires_in"].as_u64().unwrap();
    assert!((50..=60).contains(&life), "{granted:?}");
    clock.advance(Duration::from_secs(61));
    send(&pod, &form(&key)).await.must_be(401, "invalid_client");
    let past = make(&pod, &admin, &json!({ "name": "Late", "expiresAt": end })).await;
    past.must_be(422, "invalid_field");
    assert_eq!(past.body["details"][0]["field"], "expiresAt");
}

#[tokio::test]
async fn tokens_of_a_removed_key_count_no_longer_also_when_they_were_made_to_live_longer_than_those_of_now() {
    let (shop, _) = identity_with_admin().await;
    let clock = Arc::new(FakeClock::default());
    let pod = async |life: u64| {
        let mut config = shop.config().clone();
        config.identity.access_token_ttl = Duration::from_secs(life);
        TestShop::start(async |_| identity::service_with_clock(&config, Arc::clone(&clock) as _).await).await
    };
    let before = pod(3_600).await;
    let admin = login(&before, "boss@example.org", PASSWORD).await;
    let key = service_key(&before, &admin.text("token")).await;
    let program = token(&before, &key).await;
    let after = pod(60).await;
    let path = format!("{KEYS}/{}", key.text("id"));
    assert_eq!(call(&after, Method::DELETE, &path, &admin.text("token")).await.status, 204);
    clock.advance(Duration::from_secs(300));
    // One that starts now knows only what the database does.
    let late = pod(60).await;
    let users = format!("/api/v1/users/{}", admin.body["user"]["id"].as_str().unwrap());
    let told = events(&shop.mongo("identity").await, "session.revoked").await;
    let until = told[0]["body"]["until"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(until > clock.now() + Duration::from_secs(3_299), "{told:?}");
    eventually("the pod that starts later has asked", async || {
        call(&late, Method::GET, &users, &program).await.status == 401
    })
    .await;
    // A pod forgets once a minute what is over, the one that removed it, too.
    call(&after, Method::GET, &users, &program).await.must_be(401, "invalid_token");
}

#[tokio::test]
async fn a_key_of_staff_does_what_staff_does_and_has_no_session_to_end() {
    let (shop, boss) = identity_with_admin().await;
    let admin = boss.text("token");
    let key = make(&shop, &admin, &json!({ "name": "Customer desk", "role": "staff" })).await;
    let program = token(&shop, &key).await;
    let users = format!("/api/v1/users/{}", boss.body["user"]["id"].as_str().unwrap());
    assert_eq!(call(&shop, Method::GET, &users, &program).await.status, 200);
    call(&shop, Method::GET, "/api/v1/users", &program).await.must_be(403, "forbidden");
    // It is nobody's account.
    call(&shop, Method::GET, "/api/v1/me", &program).await.must_be(404, "not_found");
    call(&shop, Method::POST, "/api/v1/auth/logout", &program).await.must_be(409, "no_session");
    assert_eq!(call(&shop, Method::GET, &users, &program).await.status, 200);
}

#[tokio::test]
async fn only_who_is_an_admin_now_makes_and_removes_keys() {
    let (shop, boss) = identity_with_admin().await;
    let key = service_key(&shop, &boss.text("token")).await;
    // A token of the role alone does not do: the account must have it, too.
    let stranger = shop.callers().admin().token;
    make(&shop, &stranger, &json!({ "name": "Mine" })).await.must_be(403, "forbidden");
    let path = format!("{KEYS}/{}", key.text("id"));
    call(&shop, Method::DELETE, &path, &stranger).await.must_be(403, "forbidden");
    token(&shop, &key).await;
    let mongo = shop.mongo("identity").await;
    assert_eq!(documents(&mongo, "audit", doc! { "action": "api_key_created" }).await.len(), 1);
    for (body, status, code) in [
        (json!({ "name": "x", "role": "admin" }), 422, "invalid_field"),
        (json!({ "name": "x", "role": "customer" }), 422, "invalid_field"),
        (json!({ "name": "" }), 422, "invalid_field"),
        (json!({}), 422, "invalid_field"),
        (json!({ "name": "x", "expiresAt": "tomorrow" }), 422, "invalid_field"),
        (json!({ "name": "x", "secret": "y" }), 422, "unknown_field"),
    ] {
        make(&shop, &boss.text("token"), &body).await.must_be(status, code);
    }
    call(&shop, Method::GET, &format!("{KEYS}?sort=name"), &boss.text("token")).await.must_be(422, "unknown_parameter");
    let pod = another_pod(shop.config()).await;
    token(&pod, &key).await;
}

#[tokio::test]
async fn the_database_itself_refuses_a_key_that_breaks_a_rule() {
    let (shop, boss) = identity_with_admin().await;
    service_key(&shop, &boss.text("token")).await;
    let keys = shop.mongo("identity").await.collection::<Document>("api_keys");
    for change in [doc! { "role": "admin" }, doc! { "digest": "plain text" }, doc! { "revoked_until": "never" }] {
        assert!(keys.update_one(doc! {}, doc! { "$set": change.clone() }).await.is_err(), "{change}");
    }
    let again = doc! { "$set": { "expires_at": bson::DateTime::from_millis(0) } };
    assert!(keys.update_one(doc! {}, again).await.is_ok());
}

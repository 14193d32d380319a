//! Secrets that are missing or hold what cannot be used: the Shop says which, and what runs is left alone.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, Patch, PatchParams};
use operator::crd::Shop;
use serde_json::json;

use crate::kubelet::Verdict;
use crate::place::{Place, SHOP, URI, shop};
use tests::wait::until;

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_secret_is_named_and_the_shop_starts_when_it_is_there() {
    let place = Place::empty().await;
    let operator = place.operator().await;
    place.apply(&shop()).await;

    let stalled = place.condition("Stalled", "True", "SecretNotFound").await;
    assert!(stalled.message.contains("`spec.mongodb.uriSecretRef` names Secret mongodb"), "{}", stalled.message);
    place.condition("Ready", "False", "SecretNotFound").await;
    assert!(place.children().await.is_empty(), "nothing is made of a Shop that cannot run");

    place.put_secret("mongodb", "uri", URI).await;
    place.ready().await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_goes_away_stalls_a_running_shop_without_touching_it() {
    let place = Place::new().await;
    let mut operator = place.operator().await;
    place.apply(&shop()).await;
    place.ready().await;
    operator.quiet(Duration::from_secs(2)).await;
    let before = running(&place).await;

    place.api::<Secret>().delete("mongodb", &DeleteParams::default()).await.unwrap();
    place.condition("Stalled", "True", "SecretNotFound").await;
    operator.quiet(Duration::from_secs(2)).await;

    assert_eq!(running(&place).await, before);
    place.put_secret("mongodb", "uri", URI).await;
    place.ready().await;
    assert_eq!(running(&place).await, before, "the same URI again changes nothing");
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_uri_that_is_none_stalls_a_running_shop_without_touching_it() {
    let place = Place::new().await;
    let mut operator = place.operator().await;
    place.apply(&shop()).await;
    place.ready().await;
    operator.quiet(Duration::from_secs(2)).await;
    let before = running(&place).await;

    place.put_secret("mongodb", "uri", "postgres://db.example.net/shop").await;
    let stalled = place.condition("Stalled", "True", "SecretUnusable").await;
    operator.quiet(Duration::from_secs(2)).await;

    assert!(stalled.message.contains("key `uri` of Secret mongodb must begin with mongodb://"), "{}", stalled.message);
    assert!(!stalled.message.contains("postgres"), "a condition never shows what a Secret holds: {}", stalled.message);
    assert_eq!(running(&place).await, before);
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_refuses_stalls_a_running_shop_without_touching_its_pods() {
    let place = Place::new().await;
    let mut operator = place.operator().await;
    place.apply(&shop()).await;
    place.ready().await;
    operator.quiet(Duration::from_secs(2)).await;
    let before = deployments(&place).await;

    // The words of `shopmesh check-database`.
    place.kubelet.database(Verdict::Failed("authentication_failed", "MongoDB refuses the user name or password"));
    place.put_secret("mongodb", "uri", "mongodb://other:wrong@db.example.net/?replicaSet=rs0").await;
    let stalled = place.condition("Stalled", "True", "AuthenticationFailed").await;
    place.condition("DatabaseReachable", "False", "AuthenticationFailed").await;

    assert!(stalled.message.contains("MongoDB refuses the user name or password"), "{}", stalled.message);
    assert_eq!(deployments(&place).await, before, "pods keep the URI that works");

    place.put_secret("redis", "url", "redis://cache.example.net").await;
    let mut external = shop();
    external["spec"]["redis"] = json!({ "mode": "External", "external": { "urlSecretRef": { "name": "redis" } } });
    place.apply(&external).await;
    place.condition("DatabaseReachable", "False", "AuthenticationFailed").await;
    assert_eq!(deployments(&place).await, before, "and the Redis that they were told of");
    place.api::<Secret>().get("demo-redis").await.expect("and its password");

    place.kubelet.database(Verdict::Reached);
    place.put_secret("mongodb", "uri", "mongodb://other:right@db.example.net/?replicaSet=rs0").await;
    place.ready().await;
    assert_ne!(deployments(&place).await, before, "the new URI is rolled out once the database was reached with it");
    let is_gone = |all: &Vec<(String, serde_json::Value)>| all.iter().all(|(name, _)| !name.ends_with(" demo-redis"));
    until("Redis is gone with those that needed it", || place.children(), is_gone).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_secret_that_a_shop_names_is_told_by_its_field() {
    for (change, field) in [
        (
            json!({ "redis": { "mode": "External", "external": { "urlSecretRef": { "name": "gone" } } } }),
            "spec.redis.external.urlSecretRef",
        ),
        (json!({ "admin": { "secretRef": { "name": "gone" } } }), "spec.admin.secretRef"),
        (json!({ "payment": { "provider": "Sandbox", "secretRef": { "name": "gone" } } }), "spec.payment.secretRef"),
        (json!({ "image": { "pullSecretRefs": [{ "name": "gone" }] } }), "spec.image.pullSecretRefs"),
    ] {
        let place = Place::new().await;
        let operator = place.operator().await;
        let mut shop = shop();
        for (name, value) in change.as_object().unwrap() {
            shop["spec"][name] = value.clone();
        }
        place.apply(&shop).await;
        let stalled = place.condition("Stalled", "True", "SecretNotFound").await;
        assert!(stalled.message.contains(&format!("`{field}` names Secret gone")), "{}", stalled.message);
        operator.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_the_operator_makes_survives_a_shop_that_names_it() {
    let place = Place::new().await;
    let mut operator = place.operator().await;
    place.apply(&shop()).await;
    place.ready().await;
    operator.quiet(Duration::from_secs(2)).await;
    let before = running(&place).await;

    for (field, change) in [
        ("spec.admin.secretRef", json!({ "admin": { "secretRef": { "name": "demo-admin" } } })),
        (
            "spec.payment.secretRef",
            json!({ "payment": { "provider": "Sandbox", "secretRef": { "name": "demo-sandbox-psp" } } }),
        ),
    ] {
        let patch = Patch::Merge(json!({ "spec": change }));
        let refusal = place.api::<Shop>().patch(SHOP, &PatchParams::default(), &patch).await.unwrap_err().to_string();
        assert!(refusal.contains(&format!("`{field}` must not name a Secret that the operator makes")), "{refusal}");
    }

    operator.quiet(Duration::from_secs(2)).await;
    assert_eq!(running(&place).await, before);
    operator.stop().await;
}

/// What runs or is needed by what runs: all children with their generation and data, not their status.
async fn running(place: &Place) -> Vec<(String, serde_json::Value)> {
    let all = place.children().await;
    all.into_iter()
        .map(|(name, object)| (name, json!([object["metadata"]["uid"], object["spec"], object["data"]])))
        .collect()
}

async fn deployments(place: &Place) -> Vec<(String, serde_json::Value)> {
    running(place).await.into_iter().filter(|(name, _)| name.starts_with("Deployment ")).collect()
}

//! What others do to the objects of a Shop is undone.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Secret, Service, ServiceAccount};
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::place::{Place, shop};
use tests::wait::until;

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_object_of_any_kind_comes_back_the_same() {
    let place = Place::new().await;
    let mut operator = place.operator().await;
    place.apply(&shop()).await;
    place.ready().await;
    operator.quiet(Duration::from_secs(2)).await;
    let before = names(&place).await;

    let now = DeleteParams::default();
    place.api::<Deployment>().delete("demo-catalog", &now).await.unwrap();
    place.api::<Service>().delete("demo-order", &now).await.unwrap();
    place.api::<ConfigMap>().delete("demo-keys", &now).await.unwrap();
    place.api::<ServiceAccount>().delete("demo-cart", &now).await.unwrap();
    place.api::<Secret>().delete("demo-admin", &now).await.unwrap();

    // The new Service has another address, of which NGINX is told by other settings.
    let is_before = |names: &Vec<String>| without_settings_of_nginx(names) == without_settings_of_nginx(&before);
    until("all are there again", || names(&place), is_before).await;
    place.ready().await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_object_is_as_before_and_an_event_says_so() {
    let place = Place::new().await;
    let mut operator = place.operator().await;
    place.apply(&shop()).await;
    place.ready().await;
    operator.quiet(Duration::from_secs(2)).await;

    for (kind, name, edit) in [
        ("Deployment", "demo-cart", json!({ "spec": { "replicas": 3 } })),
        (
            "Deployment",
            "demo-order",
            json!({ "spec": { "template": { "spec": { "serviceAccountName": "default" } } } }),
        ),
        ("ConfigMap", "demo-keys", json!({ "data": { "jwks.json": "{}" } })),
        ("ConfigMap", "demo-keys", json!({ "data": { "extra": "1" } })),
        ("Service", "demo-catalog", json!({ "spec": { "selector": { "shopmesh.dev/service": "cart" } } })),
        ("Service", "demo-catalog", json!({ "metadata": { "labels": { "shopmesh.dev/shop": null } } })),
    ] {
        let before = read(&place, kind, name).await;
        edit_by_hand(&place, kind, name, &edit).await;
        until(&format!("{kind} {name} is as before {edit}"), || read(&place, kind, name), |now| *now == before).await;
    }
    let events = place.api::<Event>();
    let look = || async { events.list(&ListParams::default()).await.unwrap().items };
    let is_told = |all: &Vec<Event>| {
        all.iter().any(|event| {
            event.reason.as_deref() == Some("Repaired")
                && event.message.as_deref().is_some_and(|text| text.contains("Deployment demo-cart"))
        })
    };
    until("an Event tells of the repair", look, is_told).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_somebody_else_is_never_taken_over() {
    let place = Place::new().await;
    let theirs = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "demo-keys" }, "data": { "theirs": "yes" },
    });
    let params = PatchParams::apply("somebody-else");
    place.api::<ConfigMap>().patch("demo-keys", &params, &Patch::Apply(&theirs)).await.unwrap();

    let operator = place.operator().await;
    place.apply(&shop()).await;
    let stalled = place.condition("Stalled", "True", "NameTaken").await;

    assert!(stalled.message.contains("ConfigMap demo-keys exists already"), "{}", stalled.message);
    assert_eq!(read(&place, "ConfigMap", "demo-keys").await["data"], theirs["data"]);
    assert!(place.children().await.is_empty(), "nothing is written before the names are known to be free");
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_longer_declared_is_deleted() {
    let place = Place::new().await;
    let operator = place.operator().await;
    place.apply(&shop()).await;
    place.ready().await;

    place.put_secret("redis", "url", "redis://cache.example.net").await;
    let mut external = shop();
    external["spec"]["redis"] = json!({ "mode": "External", "external": { "urlSecretRef": { "name": "redis" } } });
    external["spec"]["ingress"] = json!({ "provider": "None" });
    place.apply(&external).await;

    let is_gone =
        |names: &Vec<String>| names.iter().all(|name| !name.contains("demo-redis") && !name.contains("demo-nginx"));
    until("Redis and NGINX are gone", || names(&place), is_gone).await;
    place.ready().await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_pods_of_before_need_stays_until_they_are_replaced() {
    let place = Place::new().await;
    let mut operator = place.operator().await;
    place.apply(&shop()).await;
    place.ready().await;
    operator.quiet(Duration::from_secs(2)).await;

    let needed: Vec<_> = names(&place).await.into_iter().filter(|name| !name.starts_with("Job ")).collect();
    place.kubelet.starts(false);
    place.put_secret("redis", "url", "redis://cache.example.net").await;
    let mut external = shop();
    external["spec"]["redis"] = json!({ "mode": "External", "external": { "urlSecretRef": { "name": "redis" } } });
    place.apply(&external).await;
    place.condition("Reconciling", "True", "RollingOut").await;
    operator.quiet(Duration::from_secs(3)).await;
    let there = names(&place).await;
    for name in needed {
        assert!(there.contains(&name), "{name} is gone, and pods of before may need it: {there:?}");
    }

    place.kubelet.starts(true);
    place.ready().await;
    let is_gone = |names: &Vec<String>| names.iter().all(|name| !name.contains("demo-redis"));
    until("Redis is gone with those that needed it", || names(&place), is_gone).await;
    let maps = |names: &Vec<String>| names.iter().filter(|name| name.starts_with("ConfigMap demo-cart-")).count();
    until("cart has its new settings alone", || names(&place), |names| maps(names) == 1).await;
    operator.stop().await;
}

async fn names(place: &Place) -> Vec<String> {
    place.children().await.into_iter().map(|(name, _)| name).collect()
}

fn without_settings_of_nginx(names: &[String]) -> Vec<&String> {
    names.iter().filter(|name| !name.starts_with("ConfigMap demo-nginx-")).collect()
}

/// An object without what changes by itself.
async fn read(place: &Place, kind: &str, name: &str) -> Value {
    let mut object = match kind {
        "Deployment" => json!(place.api::<Deployment>().get(name).await.unwrap()),
        "ConfigMap" => json!(place.api::<ConfigMap>().get(name).await.unwrap()),
        "Service" => json!(place.api::<Service>().get(name).await.unwrap()),
        other => panic!("no {other} here"),
    };
    let fields = object.as_object_mut().unwrap();
    fields.remove("status");
    let meta = fields["metadata"].as_object_mut().unwrap();
    for field in ["generation", "managedFields", "resourceVersion"] {
        meta.remove(field);
    }
    // The Deployment controller's own annotation.
    if let Some(annotations) = meta.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.remove("deployment.kubernetes.io/revision");
    }
    object
}

/// As `kubectl edit` does.
async fn edit_by_hand(place: &Place, kind: &str, name: &str, edit: &Value) {
    let (params, patch) =
        (PatchParams { field_manager: Some("somebody-else".into()), ..PatchParams::default() }, Patch::Merge(edit));
    let version = match kind {
        "Deployment" => place.api::<Deployment>().patch(name, &params, &patch).await.unwrap().resource_version(),
        "ConfigMap" => place.api::<ConfigMap>().patch(name, &params, &patch).await.unwrap().resource_version(),
        "Service" => place.api::<Service>().patch(name, &params, &patch).await.unwrap().resource_version(),
        other => panic!("no {other} here"),
    };
    assert!(version.is_some());
}

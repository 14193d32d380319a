//! A bad Shop is refused by the API server itself, with the path of the field: the definition is enough, no webhook runs.

use kube::Api;
use kube::api::PostParams;
use operator::crd::Shop;
use serde_json::{Value, json};

use crate::place::{Place, SHOP, shop};

/// Changes to a good Shop, as `path = YAML`, and what the refusal says.
const BAD: &[(&str, &str)] = &[
    ("availability = Sometimes", "spec.availability: Unsupported value"),
    ("version = 1.0", "unknown field \"spec.version\""),
    ("currency = eur", "spec.currency"),
    ("currency = EURO", "spec.currency"),
    ("image.registry = 'a b'", "spec.image.registry"),
    ("image.pullSecretRefs = [{}]", "spec.image.pullSecretRefs[0].name: Required value"),
    ("mongodb = {}", "spec.mongodb.uriSecretRef: Required value"),
    ("mongodb.databasePrefix = Shop", "spec.mongodb.databasePrefix"),
    ("mongodb.maxPoolSize = 0", "spec.mongodb.maxPoolSize"),
    ("mongodb.uriSecretRef.name = ../x", "spec.mongodb.uriSecretRef.name"),
    ("redis.mode = External", "`external` must be set when `mode` is External"),
    ("redis = {mode: External, managed: {}, external: {urlSecretRef: {name: r}}}", "`managed` may be set only when"),
    ("redis.managed = {evictionPolicy: allkeys-lru}", "spec.redis.managed.evictionPolicy: Unsupported value"),
    ("redis.managed = {maxMemory: much}", "spec.redis.managed.maxMemory"),
    ("auth.accessTokenTTLSeconds = 59", "spec.auth.accessTokenTTLSeconds"),
    ("auth.accessTokenTTLSeconds = soon", "spec.auth.accessTokenTTLSeconds"),
    ("admin.email = nobody", "spec.admin.email"),
    ("admin.email = a@-x.com", "spec.admin.email"),
    ("cors.allowedOrigins = ['https://a.example:70000']", "spec.cors.allowedOrigins[0]"),
    ("admin = {email: a@b.cd, secretRef: {name: a}}", "`email` must not be set when `secretRef` is"),
    (
        "admin = {secretRef: {name: demo-admin}}",
        "`spec.admin.secretRef` must not name a Secret that the operator makes",
    ),
    ("mongodb.uriSecretRef.name = demo-redis", "`spec.mongodb.uriSecretRef` must not name"),
    (
        "redis = {mode: External, external: {urlSecretRef: {name: demo-redis}}}",
        "`spec.redis.external.urlSecretRef` must not name",
    ),
    ("payment.secretRef = {name: demo-sandbox-psp}", "`spec.payment.secretRef` must not name"),
    ("image.pullSecretRefs = [{name: a}, {name: demo-signing-key}]", "`spec.image.pullSecretRefs` must not name"),
    ("payment = {}", "spec.payment.provider: Required value"),
    ("payment.provider = Real", "spec.payment.provider: Unsupported value"),
    ("order.deadlineSeconds = 1", "spec.order.deadlineSeconds"),
    ("ingress = {provider: None, bundled: {}}", "`bundled` must not be set when `provider` is None"),
    ("ingress.host = Shop_1", "spec.ingress.host"),
    ("ingress.maxBodySize = 10m", "`maxBodySize` must be 1Ki to 64Mi"),
    ("ingress.maxBodySize = 0", "`maxBodySize` must be 1Ki to 64Mi"),
    ("ingress.maxBodySize = 65Mi", "`maxBodySize` must be 1Ki to 64Mi"),
    ("ingress.bundled = {serviceType: ClusterIP, nodePort: 30080}", "`nodePort` may be set only when"),
    ("defaults.replicas = 0", "spec.defaults.replicas"),
    ("defaults.replicas = -1", "spec.defaults.replicas"),
    ("services = [{name: blog}]", "spec.services[0].name: Unsupported value"),
    ("services = [{name: cart}, {name: cart}]", "spec.services[1]: Duplicate value"),
    ("services = [{name: cart, env: [{name: MONGO_URI}]}]", "must not be a name that the operator sets"),
    ("services = [{name: cart, env: [{name: 1A}]}]", "spec.services[0].env[0].name"),
    ("observability.tracing = {exporter: OTLP}", "`endpoint` must be set when `exporter` is OTLP"),
    ("observability.tracing.samplingPercent = 101", "spec.observability.tracing.samplingPercent"),
];

fn changed(change: &str) -> Value {
    let (path, text) = change.split_once(" = ").unwrap();
    let mut shop = shop();
    let mut place = &mut shop["spec"];
    for element in path.split('.') {
        place = &mut place[element];
    }
    *place = serde_yaml_ng::from_str(text).unwrap();
    shop
}

/// Creates with strict field validation, as kubectl does.
async fn refusal(place: &Place, shop: &Value) -> Option<String> {
    let request = http::Request::post(format!(
        "/apis/shopmesh.dev/v1alpha1/namespaces/{}/shops?dryRun=All&fieldValidation=Strict",
        place.namespace
    ));
    let request = request.header("content-type", "application/json").body(shop.to_string().into_bytes()).unwrap();
    match place.client.request::<Value>(request).await {
        Ok(_) => None,
        Err(kube::Error::Api(status)) if matches!(status.code, 400 | 422) => Some(status.message),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_good_shop_is_admitted() {
    let place = Place::empty().await;
    assert_eq!(refusal(&place, &shop()).await, None);
}

#[tokio::test]
async fn a_bad_shop_is_refused_with_the_path_of_the_field() {
    let place = Place::empty().await;
    for (change, expected) in BAD {
        let refusal = refusal(&place, &changed(change)).await;
        assert!(
            refusal.as_ref().is_some_and(|text| text.contains(expected)),
            "{change}: want {expected}, got {refusal:?}"
        );
    }
}

#[tokio::test]
async fn a_name_that_names_no_object_is_refused() {
    let place = Place::empty().await;
    for name in ["1shop", "a.b", &"a".repeat(41)] {
        let mut shop = shop();
        shop["metadata"]["name"] = json!(name);
        let refusal = refusal(&place, &shop).await;
        assert!(refusal.as_ref().is_some_and(|text| text.contains("metadata.name")), "{name}: {refusal:?}");
    }
}

#[tokio::test]
async fn what_must_not_change_cannot_be_changed() {
    let place = Place::empty().await;
    let api: Api<Shop> = place.api();
    let created = serde_json::from_value(shop()).unwrap();
    api.create(&PostParams::default(), &created).await.unwrap();
    let mut edited = api.get(SHOP).await.unwrap();
    "USD".clone_into(&mut edited.spec.currency);
    let refusal = api.replace(SHOP, &PostParams::default(), &edited).await.unwrap_err().to_string();
    assert!(refusal.contains("spec.currency") && refusal.contains("`currency` must not change"), "{refusal}");
}

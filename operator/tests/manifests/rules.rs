//! The rules of the schema, one by one: what is taken, what is refused, and with which words.

use operator::crd::{Rules, definition};
use serde_json::{Value, json};

fn problems(change: &str) -> Vec<String> {
    named("demo", change)
}

/// The problems of a good Shop whose spec was changed, the change written as `path = YAML`.
fn named(name: &str, change: &str) -> Vec<String> {
    let mut shop = json!({
        "apiVersion": "shopmesh.dev/v1alpha1", "kind": "Shop", "metadata": {"name": name},
        "spec": {"mongodb": {"uriSecretRef": {"name": "mongodb"}}, "payment": {"provider": "Sandbox"}},
    });
    if let Some((path, text)) = change.split_once(" = ") {
        let value: Value = serde_yaml_ng::from_str(text).unwrap();
        let mut place = &mut shop["spec"];
        for element in path.split('.') {
            place = &mut place[element];
        }
        *place = value;
    }
    Rules::of(&definition()).problems(&shop)
}

#[test]
fn good_values_are_taken() {
    for change in [
        "",
        "availability = SingleReplica",
        "currency = JPY",
        "image.registry = registry.example.com:5000/shop",
        "image.pullSecretRefs = [{name: a}, {name: b}]",
        "mongodb.databasePrefix = my_shop_1",
        "mongodb.maxPoolSize = 500",
        "redis = {mode: External, external: {urlSecretRef: {name: redis}}}",
        "redis = {managed: {maxMemory: 100M, evictionPolicy: volatile-ttl}}",
        "redis = {mode: Managed}",
        "auth.accessTokenTTLSeconds = 60",
        "admin = {email: ada@example.org}",
        "admin = {email: ada@a.b-c.example}",
        "admin = {secretRef: {name: admin}}",
        "payment = {provider: Sandbox, secretRef: {name: psp, key: token}}",
        "order.deadlineSeconds = 86400",
        "rateLimit = {general: {requests: 1, windowSeconds: 1}, authentication: {requests: 1000000}}",
        "rateLimit.trustedProxies = [192.0.2.0/24, '2001:db8::/32']",
        "cors = {allowedOrigins: ['*'], maxAgeSeconds: 0}",
        "cors = {allowedOrigins: ['https://shop.example', 'http://localhost:3000'], credentials: Include}",
        "cors = {allowedOrigins: ['https://shop.example:65535', 'http://localhost:1', 'http://localhost:59999']}",
        "ingress = {host: shop.example.com, bundled: {serviceType: NodePort, nodePort: 30080}}",
        "ingress = {provider: None}",
        "ingress.maxBodySize = 2Mi",
        "ingress.maxBodySize = 1024",
        "ingress.maxBodySize = 64Mi",
        "defaults = {replicas: 3, logLevel: Debug, resources: {limits: {cpu: 1, memory: 1Gi}}}",
        "services = [{name: cart, replicas: 2, env: [{name: A_B, value: x}]}, {name: order}]",
        "observability.tracing = {exporter: OTLP, endpoint: 'http://otel:4317', samplingPercent: 0}",
    ] {
        assert_eq!(problems(change), Vec::<String>::new(), "{change}");
    }
}

#[test]
fn bad_values_are_refused_with_their_field() {
    for (change, expected) in [
        ("availability = Sometimes", "spec.availability: must be one of"),
        ("version = 1.0", "spec.version: is no field"),
        ("currency = eur", "spec.currency: must match"),
        ("currency = EURO", "spec.currency: must have 3 to 3 characters"),
        ("image.registry = 'a b'", "spec.image.registry"),
        ("image.pullSecretRefs = [{}]", "spec.image.pullSecretRefs[0].name: is required"),
        ("mongodb = {}", "spec.mongodb.uriSecretRef: is required"),
        ("mongodb.databasePrefix = Shop", "spec.mongodb.databasePrefix: must match"),
        ("mongodb.databasePrefix = abcdefghijklmnopqrstuvwxy", "spec.mongodb.databasePrefix: must have 1 to 24"),
        ("mongodb.maxPoolSize = 0", "spec.mongodb.maxPoolSize: must be 1"),
        ("mongodb.uriSecretRef.name = ../x", "spec.mongodb.uriSecretRef.name: must match"),
        ("redis.mode = External", "`external` must be set when `mode` is External"),
        ("redis.external = {urlSecretRef: {name: redis}}", "`external` must be set when `mode` is External"),
        (
            "redis = {mode: External, managed: {}, external: {urlSecretRef: {name: redis}}}",
            "`managed` may be set only when `mode` is Managed",
        ),
        ("redis.managed = {evictionPolicy: allkeys-lru}", "spec.redis.managed.evictionPolicy: must be one of"),
        ("redis.managed = {maxMemory: much}", "spec.redis.managed.maxMemory: must be an amount"),
        ("redis.managed = {maxMemory: -1}", "spec.redis.managed.maxMemory: must be an amount"),
        ("auth.accessTokenTTLSeconds = 59", "spec.auth.accessTokenTTLSeconds: must be 60"),
        ("auth.accessTokenTTLSeconds = soon", "spec.auth.accessTokenTTLSeconds: must be of type integer"),
        ("admin.email = nobody", "spec.admin.email: must match"),
        ("admin.email = a@-x.com", "spec.admin.email: must match"),
        ("admin.email = a@x-.com", "spec.admin.email: must match"),
        ("admin = {email: a@b.cd, secretRef: {name: a}}", "`email` must not be set when `secretRef` is"),
        ("payment = {}", "spec.payment.provider: is required"),
        ("payment.provider = Real", "spec.payment.provider: must be one of"),
        ("order.deadlineSeconds = 1", "spec.order.deadlineSeconds: must be 60"),
        ("rateLimit.general = {requests: 0}", "spec.rateLimit.general.requests: must be 1"),
        ("rateLimit.general = {windowSeconds: 60}", "spec.rateLimit.general.requests: is required"),
        ("rateLimit.authentication = {requests: 5, windowSeconds: 86401}", "windowSeconds: must be 1"),
        ("rateLimit.trustedProxies = [192.0.2.1]", "spec.rateLimit.trustedProxies[0]: must match"),
        ("rateLimit.trustedProxies = [192.0.2.0/33]", "`trustedProxies` must be networks such as"),
        ("cors = {allowedOrigins: ['*'], credentials: Include}", "`credentials` must be Omit when"),
        ("cors.allowedOrigins = ['https://shop.example/']", "spec.cors.allowedOrigins[0]: must match"),
        ("cors.allowedOrigins = ['https://*.example']", "spec.cors.allowedOrigins[0]: must match"),
        ("cors.allowedOrigins = ['https://a.example:70000']", "spec.cors.allowedOrigins[0]: must match"),
        ("cors.allowedOrigins = ['https://a.example:65536']", "spec.cors.allowedOrigins[0]: must match"),
        ("cors.credentials = Sometimes", "spec.cors.credentials: must be one of"),
        ("cors.maxAgeSeconds = 86401", "spec.cors.maxAgeSeconds: must be 0"),
        ("ingress = {provider: None, bundled: {}}", "`bundled` must not be set when `provider` is None"),
        ("ingress.host = Shop_1", "spec.ingress.host: must match"),
        ("ingress.maxBodySize = 10m", "`maxBodySize` must be 1Ki to 64Mi"),
        ("ingress.maxBodySize = 0", "`maxBodySize` must be 1Ki to 64Mi"),
        ("ingress.maxBodySize = '1023'", "`maxBodySize` must be 1Ki to 64Mi"),
        ("ingress.maxBodySize = 65Mi", "`maxBodySize` must be 1Ki to 64Mi"),
        ("ingress.maxBodySize = 999999999999Ti", "`maxBodySize` must be 1Ki to 64Mi"),
        ("ingress.bundled = {nodePort: 30080}", "`nodePort` may be set only when"),
        ("ingress.bundled = {serviceType: ClusterIP, nodePort: 30080}", "`nodePort` may be set only when"),
        ("defaults.replicas = 0", "spec.defaults.replicas: must be 1"),
        ("defaults.replicas = -1", "spec.defaults.replicas: must be 1"),
        ("defaults.terminationGracePeriodSeconds = 5", "must be 30"),
        ("services = [{name: blog}]", "spec.services[0].name: must be one of"),
        ("services = [{name: cart}, {name: cart}]", "spec.services[1].name: must be unique"),
        ("services = [{name: cart, env: [{name: SHOPMESH_LOG}]}]", "must not be a name that the operator sets"),
        ("services = [{name: cart, env: [{name: MONGO_URI}]}]", "must not be a name that the operator sets"),
        ("services = [{name: cart, env: [{name: 1A}]}]", "spec.services[0].env[0].name: must match"),
        ("observability.tracing = {exporter: OTLP}", "`endpoint` must be set when `exporter` is OTLP"),
        ("observability.tracing = {endpoint: 'http://otel:4317'}", "`endpoint` must be set when `exporter` is OTLP"),
        (
            "observability.tracing = {exporter: OTLP, endpoint: 'ftp://otel'}",
            "spec.observability.tracing.endpoint: must match",
        ),
        (
            "observability.tracing = {exporter: OTLP, endpoint: 'http://otel:70000'}",
            "spec.observability.tracing.endpoint: must match",
        ),
        ("observability.tracing.samplingPercent = 101", "must be 0.0 to 100.0"),
    ] {
        let found = problems(change).join("; ");
        assert!(found.contains(expected), "{change}: expected {expected:?}, got {found:?}");
    }
}

#[test]
fn names_must_fit_into_the_names_of_what_is_made() {
    let long = "a".repeat(40);
    for name in ["a", "shop-1", long.as_str()] {
        assert_eq!(named(name, ""), Vec::<String>::new(), "{name}");
    }
    for name in ["1shop", "Shop", "a.b", "a-", "-a", "a_b", &"a".repeat(41)] {
        let found = named(name, "").join("; ");
        assert!(found.contains("`metadata.name` must be 1 to 40"), "{name}: {found:?}");
    }
}

#[test]
fn secrets_that_the_operator_makes_are_not_named() {
    for (field, change) in [
        ("spec.mongodb.uriSecretRef", "mongodb = {uriSecretRef: {name: NAME}}"),
        ("spec.redis.external.urlSecretRef", "redis = {mode: External, external: {urlSecretRef: {name: NAME}}}"),
        ("spec.admin.secretRef", "admin = {secretRef: {name: NAME}}"),
        ("spec.payment.secretRef", "payment = {provider: Sandbox, secretRef: {name: NAME}}"),
        ("spec.image.pullSecretRefs", "image.pullSecretRefs = [{name: a}, {name: NAME}]"),
    ] {
        for part in ["admin", "redis", "sandbox-psp", "signing-key"] {
            let found = problems(&change.replace("NAME", &format!("demo-{part}"))).join("; ");
            assert!(found.contains(&format!("`{field}` must not name a Secret that the operator makes")), "{found:?}");
        }
        for name in ["demo", "demo-keys", "demo-admin-2", "my-demo-admin", "admin", "demo2-admin"] {
            assert_eq!(problems(&change.replace("NAME", name)), Vec::<String>::new(), "{change} {name}");
        }
    }
}

/// Every leaf is bounded, so that no object can be made too large and rules stay cheap (API conventions).
#[test]
fn every_text_number_and_list_of_the_spec_has_bounds() {
    let definition = json!(definition());
    let spec = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let mut leaves = 0;
    bounded(spec, "spec", &mut leaves);
    assert!(leaves > 40, "{leaves}");
}

fn bounded(schema: &Value, path: &str, leaves: &mut usize) {
    assert_eq!(schema["nullable"], Value::Null, "{path}");
    assert!(schema["description"].as_str().is_some_and(|text| text.len() < 400), "{path}: description");
    *leaves += 1;
    match schema["type"].as_str() {
        Some("string") => assert!(schema["enum"].is_array() || schema["maxLength"].is_u64(), "{path}"),
        Some("integer") => assert!(schema["minimum"].is_number() && schema["maximum"].is_number(), "{path}"),
        Some("array") => {
            assert!(schema["maxItems"].is_u64(), "{path}");
            // The list's own description says what its elements are.
            for (name, property) in schema["items"]["properties"].as_object().into_iter().flatten() {
                bounded(property, &format!("{path}[].{name}"), leaves);
            }
        }
        Some("object") => {
            for (name, property) in schema["properties"].as_object().unwrap() {
                bounded(property, &format!("{path}.{name}"), leaves);
            }
        }
        _ => assert_eq!(schema["x-kubernetes-int-or-string"], true, "{path}"),
    }
}

//! No Shop makes the operator panic: whatever is left out, there is a plan or an error that names a field.

use operator::render::render;
use proptest::prelude::*;
use serde_json::Value;

use crate::fixture::{root, settings};

fn full() -> Value {
    let text = std::fs::read_to_string(root().join("operator/tests/golden/full.shop.yaml")).unwrap();
    serde_yaml_ng::from_str(&text).unwrap()
}

/// Paths of everything in the spec, as JSON pointers.
fn paths(value: &Value, path: &str, all: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = format!("{path}/{name}");
                paths(value, &path, all);
                all.push(path);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                paths(value, &format!("{path}/{index}"), all);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn spec_paths() -> Vec<String> {
    let mut all = Vec::new();
    paths(&full()["spec"], "/spec", &mut all);
    all
}

fn remove(shop: &mut Value, path: &str) {
    let (parent, name) = path.rsplit_once('/').unwrap();
    if let Some(fields) = shop.pointer_mut(parent).and_then(Value::as_object_mut) {
        fields.remove(name);
    }
}

/// Either it can be rendered or the error says where it is wrong.
fn survives(shop: &Value) -> bool {
    match render(&shop.to_string(), "shop", &settings()) {
        Ok(_) => true,
        Err(error) => {
            let text = format!("{error:#}");
            assert!(text.contains("spec."), "{text}");
            false
        }
    }
}

#[test]
fn each_optional_field_can_be_left_out() {
    let mut refused = Vec::new();
    for path in spec_paths() {
        let mut shop = full();
        remove(&mut shop, &path);
        if !survives(&shop) {
            refused.push(path);
        }
    }
    // What the rules demand, and nothing else.
    assert_eq!(
        refused,
        [
            "/spec/image/pullSecretRefs/0/name",
            "/spec/mongodb/uriSecretRef/name",
            "/spec/mongodb/uriSecretRef",
            "/spec/mongodb",
            "/spec/redis/mode",
            "/spec/redis/external/urlSecretRef/name",
            "/spec/redis/external/urlSecretRef",
            "/spec/redis/external",
            "/spec/admin/secretRef/name",
            "/spec/payment/provider",
            "/spec/payment/secretRef/name",
            "/spec/payment",
            "/spec/rateLimit/general/requests",
            "/spec/rateLimit/authentication/requests",
            "/spec/services/0/name",
            "/spec/services/1/name",
            "/spec/services/1/env/0/name",
            "/spec/observability/tracing/exporter",
            "/spec/observability/tracing/endpoint",
        ]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_fields_can_be_left_out_together(picks in prop::collection::vec(any::<prop::sample::Index>(), 1..12)) {
        let all = spec_paths();
        let mut shop = full();
        for pick in picks {
            remove(&mut shop, pick.get::<String>(&all));
        }
        survives(&shop);
    }

    #[test]
    fn any_value_in_any_place_is_refused_or_rendered(pick in any::<prop::sample::Index>(), value in values()) {
        let all = spec_paths();
        let mut shop = full();
        *shop.pointer_mut(pick.get::<String>(&all)).unwrap() = value;
        survives(&shop);
    }
}

fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,40}".prop_map(Value::from),
        prop::collection::vec("[a-z]{0,5}", 0..20).prop_map(Value::from),
        prop::collection::hash_map("[a-z]{1,5}", any::<i32>(), 0..3).prop_map(|map| serde_json::json!(map)),
    ]
}

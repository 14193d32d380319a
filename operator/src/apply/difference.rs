//! Whether an object already is as desired. Pure.

use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::build::metadata;
use crate::error::Error;
use crate::keys;

/// A digest of a manifest, salted by its owner since manifests of Secrets hold secrets.
pub(super) fn hash<K: Resource + Serialize>(desired: &K) -> Result<String, Error> {
    let text = serde_json::to_string(desired).map_err(Error::internal("write a manifest"))?;
    Ok(keys::digest("", [text.as_str()]))
}

/// True if every field of the manifest has its value in the live object, and the manifest has lost no field since it was
/// applied. Fields that the API server or others added do not count.
pub(super) fn is_as_desired<K: Resource + Serialize>(desired: &K, live: &K) -> Result<bool, Error> {
    if desired.annotations().get(metadata::APPLIED_HASH) != live.annotations().get(metadata::APPLIED_HASH) {
        return Ok(false);
    }
    Ok(without_surplus(desired, live)?.is_none() && is_part(&json(desired)?, &json(live)?))
}

/// A merge patch that removes what others have added where nothing may be added: elements of lists, and keys of data,
/// which would become settings. `None` if there is nothing of that kind.
pub(super) fn without_surplus<K: Serialize>(desired: &K, live: &K) -> Result<Option<Value>, Error> {
    let (mut patch, live) = (json(desired)?, json(live)?);
    let mut is_needed = has_surplus_elements(&patch, &live);
    let ours = patch.get("data").and_then(Value::as_object).cloned().unwrap_or_default();
    for key in live.get("data").and_then(Value::as_object).into_iter().flat_map(Map::keys) {
        if !ours.contains_key(key) {
            patch["data"][key] = Value::Null;
            is_needed = true;
        }
    }
    Ok(is_needed.then_some(patch))
}

fn json<K: Serialize>(object: &K) -> Result<Value, Error> {
    serde_json::to_value(object).map_err(Error::internal("write a manifest"))
}

fn has_surplus_elements(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().any(|(name, value)| whole.get(name).is_some_and(|whole| has_surplus_elements(value, whole)))
        }
        (Value::Array(part), Value::Array(whole)) => {
            part.len() < whole.len() || part.iter().zip(whole).any(|(part, whole)| has_surplus_elements(part, whole))
        }
        _ => false,
    }
}

/// True if all of `part` stands in `whole`.
fn is_part(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(name, value)| whole.get(name).is_some_and(|whole| is_part(value, whole)))
        }
        (Value::Array(part), Value::Array(whole)) => {
            part.len() == whole.len() && part.iter().zip(whole).all(|(part, whole)| is_part(part, whole))
        }
        (part, whole) => part == whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::{ConfigMap, Service};
    use serde_json::{from_value, json};

    fn service(value: Value) -> Service {
        from_value(value).unwrap()
    }

    fn annotated(hash: &str, spec: &Value) -> Service {
        service(json!({"metadata": {"name": "a", "annotations": {"shopmesh.dev/applied-hash": hash}}, "spec": spec}))
    }

    #[test]
    fn what_the_api_server_adds_makes_no_difference() {
        let desired = annotated("1", &json!({"ports": [{"name": "http", "port": 80}]}));
        let live =
            annotated("1", &json!({"clusterIP": "10.0.0.1", "ports": [{"name": "http", "port": 80, "nodePort": 3}]}));
        assert!(is_as_desired(&desired, &live).unwrap());
    }

    #[test]
    fn a_changed_a_missing_and_a_surplus_element_make_a_difference() {
        let desired = annotated("1", &json!({"ports": [{"port": 80}]}));
        for ports in [json!([{"port": 81}]), json!([]), json!([{"port": 80}, {"port": 81}])] {
            assert!(!is_as_desired(&desired, &annotated("1", &json!({ "ports": ports }))).unwrap());
        }
    }

    #[test]
    fn a_field_that_was_removed_makes_a_difference_by_its_digest() {
        let live = annotated("1", &json!({"type": "NodePort"}));
        assert!(!is_as_desired(&annotated("2", &json!({})), &live).unwrap());
    }

    #[test]
    fn what_others_added_to_data_and_lists_is_removed() {
        let map = |data: Value| -> ConfigMap { from_value(json!({ "data": data })).unwrap() };
        let patch = without_surplus(&map(json!({"a": "1"})), &map(json!({"a": "1", "b": "2"}))).unwrap().unwrap();
        assert_eq!(patch["data"], json!({"a": "1", "b": null}));
        let ports = |ports: Value| annotated("1", &json!({ "ports": ports }));
        let patch =
            without_surplus(&ports(json!([{"port": 80}])), &ports(json!([{"port": 80}, {"port": 81}]))).unwrap();
        assert_eq!(patch.unwrap()["spec"]["ports"], json!([{"port": 80}]));
    }

    #[test]
    fn what_the_api_server_adds_is_no_surplus() {
        let desired = annotated("1", &json!({"ports": [{"port": 80}]}));
        let live = annotated("1", &json!({"clusterIPs": ["10.0.0.1"], "ports": [{"port": 80, "targetPort": 80}]}));
        assert_eq!(without_surplus(&desired, &live).unwrap(), None);
    }

    #[test]
    fn digests_tell_manifests_apart() {
        let map = |text: &str| -> ConfigMap { from_value(json!({"data": {"a": text}})).unwrap() };
        assert_ne!(hash(&map("1")).unwrap(), hash(&map("2")).unwrap());
        assert_eq!(hash(&map("1")).unwrap(), hash(&map("1")).unwrap());
    }
}

//! Whether an object already is as desired. Pure.

use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde_json::Value;

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
    let json = |object: &K| serde_json::to_value(object).map_err(Error::internal("write a manifest"));
    Ok(is_part(&json(desired)?, &json(live)?))
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
        let live = annotated("1", &json!({"clusterIP": "10.0.0.1", "ports": [{"name": "http", "port": 80, "nodePort": 3}]}));
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
    fn digests_tell_manifests_apart() {
        let map = |text: &str| -> ConfigMap { from_value(json!({"data": {"a": text}})).unwrap() };
        assert_ne!(hash(&map("1")).unwrap(), hash(&map("2")).unwrap());
        assert_eq!(hash(&map("1")).unwrap(), hash(&map("1")).unwrap());
    }
}

//! What pods say of themselves; how their health becomes the health of a shop, and their documents one document. Pure.

use serde_json::{Map, Value, json};

/// What one service said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceHealth {
    pub(crate) name: &'static str,
    /// `None`: it did not answer.
    pub(crate) answer: Option<Answer>,
}

/// An answer of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) version: String,
    pub(crate) uptime_seconds: u64,
    /// Names of its stores and whether they answer.
    pub(crate) dependencies: Vec<(String, bool)>,
}

/// Some of the events that a service has given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letters {
    pub(crate) items: Vec<Letter>,
    /// Names the next page; `None` on the last one.
    pub(crate) next: Option<String>,
    pub(crate) total: u64,
}

/// An event that a service has given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) id: String,
    pub(crate) producer: String,
    pub(crate) topic: String,
    pub(crate) reason: String,
    pub(crate) deliveries: u32,
    pub(crate) at: String,
    pub(crate) body: String,
}

impl ServiceHealth {
    /// Whether it answers and all its stores do.
    pub(crate) fn is_well(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| answer.dependencies.iter().all(|(_, reachable)| *reachable))
    }
}

/// Whether every service is well.
pub(crate) fn is_well(services: &[ServiceHealth]) -> bool {
    services.iter().all(ServiceHealth::is_well)
}

/// Merges OpenAPI documents: paths, components and tags of all, the first info. The same path twice is the same route
/// served by one process for several services.
pub(crate) fn merge_documents(title: &str, version: &str, documents: &[Value]) -> Value {
    let mut paths = Map::new();
    let mut components: Map<String, Value> = Map::new();
    for document in documents {
        if let Some(own) = document["paths"].as_object() {
            paths.extend(own.iter().map(|(path, item)| (path.clone(), item.clone())));
        }
        for (kind, own) in document["components"].as_object().into_iter().flatten() {
            let all = components.entry(kind.clone()).or_insert_with(|| json!({}));
            if let (Some(all), Some(own)) = (all.as_object_mut(), own.as_object()) {
                all.extend(own.iter().map(|(name, schema)| (name.clone(), schema.clone())));
            }
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": title, "version": version, "license": { "name": "Apache-2.0" } },
        "paths": paths,
        "components": components,
    })
}

/// The calls of a merged document, as `METHOD /path`, sorted by path.
pub(crate) fn calls(document: &Value) -> Vec<String> {
    const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
    let mut calls = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        let methods = METHODS.into_iter().filter(|method| item.get(method).is_some());
        calls.extend(methods.map(|method| (path.clone(), format!("{} {path}", method.to_uppercase()))));
    }
    calls.sort();
    calls.into_iter().map(|(_, call)| call).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answering(reachable: bool) -> ServiceHealth {
        let dependencies = vec![("mongodb".to_owned(), true), ("redis".to_owned(), reachable)];
        ServiceHealth { name: "cart", answer: Some(Answer { version: "1".into(), uptime_seconds: 1, dependencies }) }
    }

    #[test]
    fn one_dead_store_or_silent_service_makes_the_shop_unwell() {
        assert!(is_well(&[answering(true), answering(true)]));
        assert!(!is_well(&[answering(true), answering(false)]));
        assert!(!is_well(&[answering(true), ServiceHealth { name: "order", answer: None }]));
    }

    #[test]
    fn merged_documents_hold_the_calls_of_all() {
        let one = json!({ "paths": { "/a": { "get": {}, "post": {} } }, "components": { "schemas": { "A": {} } } });
        let two = json!({ "paths": { "/b": { "delete": {} } }, "components": { "schemas": { "B": {} } } });
        let merged = merge_documents("shop", "1", &[one, two]);
        assert_eq!(calls(&merged), ["GET /a", "POST /a", "DELETE /b"]);
        assert!(merged["components"]["schemas"]["A"].is_object() && merged["components"]["schemas"]["B"].is_object());
    }
}

//! What pods say of themselves; how their health becomes the health of a shop, and what is read from their documents. Pure.

mod swagger;

use serde_json::Value;

pub(crate) use swagger::swagger;

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
    use serde_json::json;

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
    fn the_calls_of_a_document_are_listed_by_path() {
        let paths = json!({ "/b": { "delete": {} }, "/a": { "get": {}, "post": {}, "parameters": [] } });
        assert_eq!(calls(&json!({ "paths": paths })), ["GET /a", "POST /a", "DELETE /b"]);
    }
}

//! The landing page, the index of calls, the codes and the merged document.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::{edge_service, read};

#[tokio::test]
async fn the_landing_page_comes_with_a_policy_that_lets_nothing_else_in() {
    let (shop, _) = edge_service().await;
    let reply = shop.client().get(shop.url("/")).send().await.unwrap();
    assert_eq!(reply.status().as_u16(), 200);
    let header = |name: &str| reply.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    assert_eq!(header("x-content-type-options"), "nosniff");
    let policy = header("content-security-policy");
    for rule in ["default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(rule), "{policy}");
    }
    let page = reply.text().await.unwrap();
    assert!(page.contains("<title>shopmesh</title>"));
    assert!(!page.contains("http://") && !page.contains("https://"), "nothing is loaded from elsewhere");
}

#[tokio::test]
async fn the_reference_reads_the_document_of_the_shop_and_nothing_from_elsewhere() {
    let (shop, _) = edge_service().await;
    for path in ["/api-docs", "/tester"] {
        let reply = shop.client().get(shop.url(path)).send().await.unwrap();
        assert_eq!(
            (reply.status().as_u16(), &reply.headers()["content-type"]),
            (200, &"text/html; charset=utf-8".parse().unwrap())
        );
        let policy = reply.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("default-src 'none'") && policy.contains("connect-src 'self'"), "{policy}");
        let page = reply.text().await.unwrap();
        assert!(page.contains("fetch('/openapi.json')"));
        assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("innerHTML"));
    }
}

#[tokio::test]
async fn the_document_can_be_had_as_swagger() {
    let (shop, _) = edge_service().await;
    let (status, swagger) = read(&shop, "/swagger-2.0.json").await;
    assert_eq!((status, &swagger["swagger"]), (200, &json!("2.0")));
    let placed = &swagger["paths"]["/api/v1/orders"]["post"]["responses"]["201"];
    assert_eq!(placed["schema"], json!({ "$ref": "#/definitions/OrderBody" }));
    let mut references = Vec::new();
    find_references(&swagger, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        assert!(swagger.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference} leads nowhere");
    }
}

#[tokio::test]
async fn the_index_lists_the_calls_of_all_services_by_path() {
    let (shop, _) = edge_service().await;
    let (status, body) = read(&shop, "/api").await;
    assert_eq!(status, 200);
    let calls: Vec<_> = body["endpoints"].as_array().unwrap().iter().map(|call| call.as_str().unwrap()).collect();
    for call in ["POST /api/v1/carts", "GET /api/v1/orders", "POST /api/v1/orders", "GET /health", "GET /api-docs"] {
        assert_eq!(calls.iter().filter(|listed| **listed == call).count(), 1, "{call} in {calls:?}");
    }
    assert!(calls.is_sorted_by_key(|call| call.split_once(' ').unwrap().1), "{calls:?}");
    assert_eq!((&body["documentation"], &body["errors"]), (&json!("/openapi.json"), &json!("/errors")));
    assert_eq!(body["reference"], json!("/api-docs"));
    for link in ["/openapi.json", "/errors"] {
        assert_eq!(read(&shop, link).await.0, 200);
    }
}

#[tokio::test]
async fn the_codes_are_those_of_all_services_and_the_shared_ones_each_once_by_status() {
    let (shop, _) = edge_service().await;
    let (status, body) = read(&shop, "/errors").await;
    assert_eq!(status, 200);
    let items = body["items"].as_array().unwrap();
    let keys: Vec<_> =
        items.iter().map(|item| (item["status"].as_u64().unwrap(), item["code"].as_str().unwrap())).collect();
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    assert_eq!(keys, sorted);
    assert_eq!(keys.iter().map(|(_, code)| code).collect::<HashSet<_>>().len(), keys.len(), "each once: {keys:?}");
    for (status, code) in [(400, "malformed_body"), (402, "payment_declined"), (404, "not_found"), (409, "sold_out")] {
        assert!(keys.contains(&(status, code)), "{code} is missing");
    }
    assert!(items.iter().all(|item| item["meaning"].as_str().is_some_and(|meaning| !meaning.is_empty())));
}

#[tokio::test]
async fn the_merged_document_has_the_shape_of_openapi() {
    let (shop, _) = edge_service().await;
    let (status, document) = read(&shop, "/openapi.json").await;
    assert_eq!(status, 200);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."), "{document}");
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(of_pods(&document), ["/api/v1/carts", "/api/v1/orders"]);
    assert!(paths.contains_key("/openapi.json"), "edge's own calls are missing: {paths:?}");
    for (path, item) in paths {
        assert!(path.starts_with('/'), "{path}");
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation["responses"].as_object().is_some_and(|all| !all.is_empty()), "{method} {path}");
        }
    }
    let mut references = Vec::new();
    find_references(&document, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        let target = document.pointer(reference.strip_prefix('#').unwrap());
        assert!(target.is_some(), "{reference} leads nowhere");
    }
}

/// The paths of a document that are not edge's own.
fn of_pods(document: &Value) -> Vec<&str> {
    let paths = document["paths"].as_object().unwrap().iter();
    let others =
        paths.filter(|(_, item)| item.as_object().unwrap().values().all(|call| call["tags"] != json!(["edge"])));
    let mut paths: Vec<_> = others.map(|(path, _)| path.as_str()).collect();
    paths.sort_unstable();
    paths
}

fn find_references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| find_references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| find_references(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn a_document_that_is_not_json_leaves_the_others_readable() {
    let (shop, pods) = edge_service().await;
    pods.give("{ not json").await;
    let (status, document) = read(&shop, "/openapi.json").await;
    assert_eq!((status, of_pods(&document)), (200, Vec::new()));
    let (status, body) = read(&shop, "/errors").await;
    assert!(status == 200 && !body["items"].as_array().unwrap().is_empty(), "the shared codes are always there");
}

#[tokio::test]
async fn a_service_that_is_back_is_in_the_document_after_a_second() {
    let (shop, pods) = edge_service().await;
    pods.set_away(true).await;
    assert_eq!(of_pods(&read(&shop, "/openapi.json").await.1), [""; 0]);

    pods.set_away(false).await;
    tokio::time::sleep(Duration::from_millis(1200)).await;

    assert_eq!(of_pods(&read(&shop, "/openapi.json").await.1).len(), 2);
    pods.set_away(true).await;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let paths = of_pods(&read(&shop, "/openapi.json").await.1).len();
    assert_eq!(paths, 2, "a whole document is kept for longer");
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_with_the_error_body() {
    let (shop, _) = edge_service().await;
    for path in ["/nothing", "/api/v1/orders", "/health/", "/../etc/passwd", "/%00", "/index.html"] {
        let (status, body) = read(&shop, path).await;
        assert_eq!((status, &body["code"], &body["status"]), (404, &json!("not_found"), &json!(404)), "{path}: {body}");
        assert!(body["requestId"].is_string() && body["timestamp"].is_string() && body["error"].is_string());
        assert_eq!(body["details"], json!([]));
    }
    let reply = shop.client().post(shop.url("/health")).send().await.unwrap();
    assert_eq!(reply.status().as_u16(), 405);
    let body: Value = reply.json().await.unwrap();
    assert_eq!(body["code"], "method_not_allowed");
}

#[tokio::test]
async fn everybody_may_look_but_a_bad_token_is_never_nobody() {
    let (shop, _) = edge_service().await;
    let callers = shop.callers();
    for path in ["/", "/health", "/api", "/errors", "/openapi.json", "/swagger-2.0.json", "/api-docs", "/tester"] {
        for who in [callers.customer(), callers.staff(), callers.admin(), callers.service()] {
            let request = shop.client().get(shop.url(path)).header("Authorization", who.bearer());
            assert_eq!(request.send().await.unwrap().status().as_u16(), 200, "{path}");
        }
        for bad in [callers.expired().bearer(), "Bearer x".to_owned()] {
            let request = shop.client().get(shop.url(path)).header("Authorization", bad);
            assert_eq!(request.send().await.unwrap().status().as_u16(), 401, "{path}");
        }
    }
}

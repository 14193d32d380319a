//! The document of a whole shop, as tools read it: every body has an example, every reference leads somewhere.

mod postman;

use std::path::Path;

use reqwest::{Method, StatusCode};
use serde_json::{Map, Value};

use crate::given::Shop;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

async fn read(shop: &Shop, path: &str) -> Value {
    let answer = shop.customer().send(Method::GET, path, None, None).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.body
}

/// Every body of a request or of a success, each with the call that it belongs to.
fn bodies(document: &Value) -> Vec<(String, &Map<String, Value>)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in METHODS.iter().filter_map(|method| Some((method, item.get(*method)?))) {
            let answers = operation["responses"].as_object().unwrap().iter();
            let successes = answers.filter(|(status, _)| status.starts_with('2')).map(|(_, answer)| answer);
            for body in successes.chain(operation.get("requestBody")) {
                all.extend(body["content"].as_object().map(|contents| (format!("{method} {path}"), contents)));
            }
        }
    }
    all
}

fn references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn every_body_of_every_call_has_an_example() {
    let shop = Shop::open().await;
    let document = read(&shop, "/openapi.json").await;
    let bodies = bodies(&document);
    assert!(bodies.len() > 60, "{}", bodies.len());
    let without: Vec<_> = bodies
        .iter()
        .filter(|(_, contents)| {
            !contents.values().all(|content| content.get("example").is_some_and(|it| !it.is_null()))
        })
        .map(|(call, _)| call)
        .collect();
    assert!(without.is_empty(), "{without:#?}");
}

#[tokio::test]
async fn an_example_of_a_form_names_its_fields() {
    let shop = Shop::open().await;
    let document = read(&shop, "/openapi.json").await;
    let form =
        &document["paths"]["/api/v1/auth/token"]["post"]["requestBody"]["content"]["application/x-www-form-urlencoded"];
    assert_eq!(form["example"]["grant_type"], "client_credentials", "{form}");
}

#[tokio::test]
async fn a_code_means_the_same_in_every_service() {
    let shop = Shop::open().await;
    let errors = read(&shop, "/errors").await;
    let mut codes: Vec<_> =
        errors["items"].as_array().unwrap().iter().map(|item| item["code"].as_str().unwrap()).collect();
    assert!(codes.len() > 60, "{}", codes.len());
    codes.sort_unstable();
    let twice: Vec<_> = codes.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    assert!(twice.is_empty(), "with another status or meaning: {twice:?}");
}

#[tokio::test]
async fn both_documents_refer_to_types_that_are_there() {
    let shop = Shop::open().await;
    for path in ["/openapi.json", "/swagger-2.0.json"] {
        let document = read(&shop, path).await;
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 100, "{path}: {}", found.len());
        let lost: Vec<_> = found.into_iter().filter(|it| document.pointer(&it[1..]).is_none()).collect();
        assert!(lost.is_empty(), "{path}: {lost:?}");
    }
}

#[expect(clippy::disallowed_methods, reason = "a switch of the test run")]
fn is_update() -> bool {
    std::env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1")
}

#[tokio::test]
async fn the_collection_on_disk_is_made_of_the_document() {
    let shop = Shop::open().await;
    let collection = postman::collection(&read(&shop, "/openapi.json").await);
    let text = serde_json::to_string_pretty(&collection).unwrap() + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/postman.json");
    if is_update() {
        std::fs::write(&file, &text).unwrap();
    }
    let stored = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = stored.lines().zip(text.lines()).position(|(stored, text)| stored != text);
    assert!(
        stored == text,
        "docs/reference/postman.json is out of date from line {}: run `make collection`",
        differs.map_or_else(|| stored.lines().count().min(text.lines().count()), |line| line + 1),
    );
}

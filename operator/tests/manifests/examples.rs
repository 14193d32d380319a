//! The examples that users copy are valid, and nothing in them is without an effect.

use operator::render::render;
use serde::Deserialize;

use crate::fixture::{root, settings};

fn documents(file: &str) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(root().join("examples").join(file)).unwrap();
    serde_yaml_ng::Deserializer::from_str(&text)
        .map(|document| serde_json::Value::deserialize(document).unwrap())
        .filter(|document| !document.is_null())
        .collect()
}

#[test]
fn every_shop_among_the_examples_can_be_rendered() {
    let mut shops = Vec::new();
    for entry in std::fs::read_dir(root().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        for document in documents(&name).iter().filter(|document| document["kind"] == "Shop") {
            render(&document.to_string(), "shop", &settings()).unwrap_or_else(|error| panic!("{name}: {error:#}"));
            shops.push(name.clone());
        }
    }
    shops.sort();
    assert_eq!(shops, ["demo.yaml", "kind.yaml", "minimal.yaml", "production.yaml"]);
}

#[test]
fn the_trial_database_makes_the_secret_that_the_small_shops_name() {
    let secret = &documents("mongodb.yaml")[0];
    for file in ["demo.yaml", "kind.yaml", "minimal.yaml"] {
        let reference = documents(file)[0]["spec"]["mongodb"]["uriSecretRef"].clone();
        assert_eq!(reference["name"], secret["metadata"]["name"], "{file}");
        let key = reference["key"].as_str().unwrap_or("uri");
        assert!(secret["stringData"][key].is_string(), "{file}");
    }
}

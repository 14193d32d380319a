//! Several OpenAPI documents as one: paths and types of all. Two services may have types of one name; then the name of the
//! second gets its service's before it.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

/// Merges documents. The same path twice is the same route, served by one process for several services.
#[must_use]
pub fn merge_documents(title: &str, documents: &[Value]) -> Value {
    let mut paths = Map::new();
    let mut components = json!({ "schemas": {} });
    for document in documents {
        let names = new_names(&components["schemas"], document);
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            paths.insert(path.clone(), referring(item, &names));
        }
        for (kind, own) in document["components"].as_object().into_iter().flatten() {
            for (name, component) in own.as_object().into_iter().flatten() {
                let name = names.get(name).filter(|_| kind == "schemas").unwrap_or(name);
                components[kind][name] = referring(component, &names);
            }
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": title, "version": crate::version(), "license": { "name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0" } },
        "servers": [{ "url": "/", "description": "The shop that gave this document" }],
        "paths": paths,
        "components": components,
    })
}

/// New names for the types of a document that are not what is known by their names: they differ, or refer to one that does.
fn new_names(known: &Value, document: &Value) -> HashMap<String, String> {
    let service = document["info"]["title"].as_str().and_then(|title| title.rsplit(' ').next()).unwrap_or_default();
    let mut letters = service.chars();
    let prefix = letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str());
    let prefix = prefix.unwrap_or_default();
    let mut names = HashMap::new();
    let Some(own) = document["components"]["schemas"].as_object() else { return names };
    loop {
        let differs = |name: &String, schema: &Value| {
            let is_other = known.get(name).is_some_and(|known| *known != referring(schema, &names));
            is_other && !names.contains_key(name)
        };
        let Some((name, _)) = own.iter().find(|(name, schema)| differs(name, schema)) else { return names };
        names.insert(name.clone(), format!("{prefix}{name}"));
    }
}

/// The same with references to the new names.
fn referring(value: &Value, names: &HashMap<String, String>) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(field, value)| match value.as_str() {
                    Some(reference) if field == "$ref" => (field.clone(), json!(renamed(reference, names))),
                    Some(_) | None => (field.clone(), referring(value, names)),
                })
                .collect(),
        ),
        Value::Array(items) => items.iter().map(|item| referring(item, names)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn renamed(reference: &str, names: &HashMap<String, String>) -> String {
    let new = reference.strip_prefix("#/components/schemas/").and_then(|name| names.get(name));
    new.map_or_else(|| reference.to_owned(), |new| format!("#/components/schemas/{new}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(service: &str, path: &str, schemas: &Value) -> Value {
        let body = json!({ "$ref": "#/components/schemas/Body" });
        json!({
            "info": { "title": format!("shopmesh {service}") },
            "paths": { path: { "get": { "responses": { "200": { "schema": body } } } } },
            "components": { "schemas": schemas },
        })
    }

    fn reference<'m>(merged: &'m Value, path: &str) -> &'m str {
        merged["paths"][path]["get"]["responses"]["200"]["schema"]["$ref"].as_str().unwrap()
    }

    #[test]
    fn types_that_are_the_same_stay_one() {
        let schemas = json!({ "Body": { "type": "string" } });
        let merged = merge_documents("shop", &[document("cart", "/a", &schemas), document("order", "/b", &schemas)]);
        assert_eq!(merged["components"]["schemas"], schemas);
        assert_eq!(reference(&merged, "/a"), reference(&merged, "/b"));
        assert_eq!(merged["info"]["title"], "shop");
    }

    #[test]
    fn another_type_of_the_same_name_gets_the_name_of_its_service() {
        let one = json!({ "Body": { "type": "string" } });
        let two = json!({ "Body": { "type": "integer" } });
        let merged = merge_documents("shop", &[document("cart", "/a", &one), document("order", "/b", &two)]);
        let expected = json!({ "Body": { "type": "string" }, "OrderBody": { "type": "integer" } });
        assert_eq!(merged["components"]["schemas"], expected);
        assert_eq!(reference(&merged, "/a"), "#/components/schemas/Body");
        assert_eq!(reference(&merged, "/b"), "#/components/schemas/OrderBody");
    }

    #[test]
    fn a_type_that_refers_to_another_one_is_another_one_itself() {
        let line = json!({ "$ref": "#/components/schemas/Line" });
        let one = json!({ "Body": line, "Line": { "type": "string" }, "Same": {} });
        let two = json!({ "Body": line, "Line": { "type": "integer" }, "Same": {} });
        let merged = merge_documents("shop", &[document("cart", "/a", &one), document("order", "/b", &two)]);
        let schemas = &merged["components"]["schemas"];
        assert_eq!(schemas.as_object().unwrap().len(), 5, "{schemas}");
        assert_eq!(schemas["Body"]["$ref"], "#/components/schemas/Line");
        assert_eq!(schemas["OrderBody"]["$ref"], "#/components/schemas/OrderLine");
        assert_eq!(reference(&merged, "/b"), "#/components/schemas/OrderBody");
    }

    #[test]
    fn a_merged_document_can_be_merged_again() {
        let one = json!({ "Body": { "type": "string" } });
        let two = json!({ "Body": { "type": "integer" } });
        let merged = merge_documents("shop", &[document("cart", "/a", &one), document("order", "/b", &two)]);
        assert_eq!(merge_documents("shop", &[merged.clone(), merged.clone()]), merged);
    }
}

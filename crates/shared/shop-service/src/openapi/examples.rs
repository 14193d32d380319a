//! An example for every body that the document describes: the one that its type names, or one made of its schema.
//!
//! What belongs here: how a value is made that fits a schema and reads like something of a shop. Examples that need more
//! than that (one field or another, but not both) stand at their types.

use serde_json::{Map, Value, json};

/// Puts an example beside every body of a request and of a success that has none.
pub(super) fn fill(document: &mut Value) {
    let components = document["components"]["schemas"].clone();
    let maker = Maker { components: &components };
    let operations = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    for operation in operations.filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        maker.fill_contents(operation.get_mut("requestBody"));
        for (status, response) in operation.get_mut("responses").and_then(Value::as_object_mut).into_iter().flatten() {
            if status.starts_with('2') {
                maker.fill_contents(Some(response));
            }
        }
    }
}

struct Maker<'d> {
    components: &'d Value,
}

impl Maker<'_> {
    fn fill_contents(&self, body: Option<&mut Value>) {
        let contents = body.and_then(|body| body.get_mut("content")).and_then(Value::as_object_mut);
        for (media, content) in contents.into_iter().flatten() {
            let Some(content) = content.as_object_mut() else { continue };
            if content.contains_key("example") || content.contains_key("examples") {
                continue;
            }
            let schema = content.get("schema").unwrap_or(&Value::Null);
            // A text or a picture: the schema says no more than that it is one.
            let has_fields = media.ends_with("json") || media.ends_with("form-urlencoded");
            let example = if has_fields { self.value(schema, "", &mut Vec::new()) } else { json!("...") };
            content.insert("example".to_owned(), example);
        }
    }

    /// A value of a schema; `name` is that of the property it stands in, `within` are the types it is a part of.
    fn value(&self, schema: &Value, name: &str, within: &mut Vec<String>) -> Value {
        if let Some(example) = told(schema) {
            return example;
        }
        if let Some(target) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
            if within.iter().any(|outer| outer == target) {
                return Value::Null;
            }
            within.push(target.to_owned());
            let value = self.value(&self.components[target], name, within);
            within.pop();
            return value;
        }
        if let Some(parts) = schema["allOf"].as_array() {
            let parts = parts.iter().map(|part| self.value(part, name, within));
            return parts.fold(json!({}), united);
        }
        for choice in ["oneOf", "anyOf"] {
            if let Some(choices) = schema[choice].as_array() {
                let mut values = choices.iter().map(|choice| self.value(choice, name, within));
                return values.find(|value| !value.is_null()).unwrap_or_default();
            }
        }
        match kind(schema) {
            "object" => self.object(schema, within),
            "array" => {
                let item = self.value(&schema["items"], name, within);
                Some(item).into_iter().filter(|item| !item.is_null()).collect()
            }
            "string" => json!(text(schema, name)),
            "integer" | "number" => schema.get("minimum").cloned().unwrap_or(json!(1)),
            "boolean" => json!(true),
            _ => Value::Null,
        }
    }

    fn object(&self, schema: &Value, within: &mut Vec<String>) -> Value {
        let mut object = Map::new();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            object.insert(name.clone(), self.value(property, name, within));
        }
        if object.is_empty() && schema["additionalProperties"].is_object() {
            object.insert("name".to_owned(), self.value(&schema["additionalProperties"], "name", within));
        }
        Value::Object(object)
    }
}

/// What the schema itself names.
fn told(schema: &Value) -> Option<Value> {
    let own = [&schema["example"], &schema["examples"][0], &schema["const"], &schema["enum"][0], &schema["default"]];
    own.into_iter().find(|value| !value.is_null()).cloned()
}

/// The type, leaving out that it may be null. Without one any value fits, and so does an object.
fn kind(schema: &Value) -> &str {
    let listed = schema["type"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let kind = schema["type"].as_str().or_else(|| listed.into_iter().find(|kind| *kind != "null"));
    kind.unwrap_or("object")
}

fn united(one: Value, other: Value) -> Value {
    match (one, other) {
        (Value::Object(mut one), Value::Object(other)) => {
            one.extend(other);
            Value::Object(one)
        }
        (_, other) => other,
    }
}

fn text(schema: &Value, name: &str) -> &'static str {
    match (schema["format"].as_str(), name) {
        (Some("uuid"), _) => "01932b0e-9d5a-7c44-8a3f-5d1c6b7e8f90",
        (Some("date-time"), _) => "2026-01-02T03:04:05Z",
        (Some("date"), _) => "2026-01-02",
        (Some("email"), _) | (_, "email") => "ada@example.org",
        (Some("uri"), _) => "https://shop.example/",
        (_, "sku") => "mug-blue",
        (_, "slug") => "blue-mug",
        (_, "currency") => "EUR",
        (_, "country") => "DE",
        (_, "city") => "Berlin",
        (_, "postalCode") => "10115",
        (_, "password" | "newPassword" | "currentPassword") => "correct horse battery staple",
        (_, "name" | "title") => "Blue mug",
        (_, "version") => "1.0.0",
        _ => "text",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(schema: &Value, components: &Value) -> Value {
        let mut document = json!({
            "paths": {"/a": {"post": {
                "requestBody": {"content": {"application/json": {"schema": schema}}},
                "responses": {
                    "201": {"content": {"application/json": {"schema": schema}}},
                    "404": {"content": {"application/json": {"schema": schema}}},
                    "204": {"description": "nothing"},
                },
            }}},
            "components": {"schemas": components},
        });
        fill(&mut document);
        let operation = &document["paths"]["/a"]["post"];
        let example = &operation["requestBody"]["content"]["application/json"]["example"];
        assert_eq!(&operation["responses"]["201"]["content"]["application/json"]["example"], example);
        assert!(operation["responses"]["404"]["content"]["application/json"].get("example").is_none());
        example.clone()
    }

    #[test]
    fn every_kind_of_schema_has_a_value_that_fits() {
        let uuid = "01932b0e-9d5a-7c44-8a3f-5d1c6b7e8f90";
        for (schema, expected) in [
            (json!({"type": "string", "format": "uuid"}), json!(uuid)),
            (json!({"type": ["string", "null"]}), json!("text")),
            (json!({"type": "integer", "minimum": 5}), json!(5)),
            (json!({"type": "integer"}), json!(1)),
            (json!({"type": "boolean"}), json!(true)),
            (json!({}), json!({})),
            (Value::Null, json!({})),
            (json!({"type": "string", "enum": ["A", "B"]}), json!("A")),
            (json!({"type": "integer", "default": 20}), json!(20)),
            (json!({"type": "array", "items": {"type": "boolean"}}), json!([true])),
            (json!({"oneOf": [{"type": "null"}, {"type": "boolean"}]}), json!(true)),
            (json!({"type": "object", "additionalProperties": {"type": "integer"}}), json!({"name": 1})),
            (json!({"type": "object", "properties": {"sku": {"type": "string"}}}), json!({"sku": "mug-blue"})),
            (
                json!({"allOf": [{"properties": {"a": {"type": "boolean"}}}, {"properties": {"b": {"const": 2}}}]}),
                json!({"a": true, "b": 2}),
            ),
            (json!({"properties": {"a": {"type": "boolean"}}, "example": {"a": false}}), json!({"a": false})),
        ] {
            assert_eq!(filled(&schema, &json!({})), expected, "{schema}");
        }
    }

    #[test]
    fn types_that_hold_themselves_come_to_an_end() {
        let tree = json!({"type": "object", "properties": {
            "name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}},
        }});
        let example = filled(&json!({"$ref": "#/components/schemas/Tree"}), &json!({"Tree": tree}));
        assert_eq!(example, json!({"name": "Blue mug", "children": []}));
    }

    #[test]
    fn an_example_that_is_there_stays() {
        let mut document = json!({"paths": {"/a": {"get": {"responses": {"200": {"content": {
            "text/csv": {"schema": {"type": "string"}},
            "application/json": {"schema": {"type": "string"}, "example": "mine"},
        }}}}}}});
        fill(&mut document);
        let contents = &document["paths"]["/a"]["get"]["responses"]["200"]["content"];
        assert_eq!(
            (&contents["application/json"]["example"], &contents["text/csv"]["example"]),
            (&json!("mine"), &json!("..."))
        );
    }
}

//! Schemas of OpenAPI 3.1 (JSON Schema 2020-12) in the words of Swagger 2.0 (a part of JSON Schema draft 4).

use serde_json::{Map, Value, json};

/// Words that mean the same in both.
const SAME: [&str; 17] = [
    "title",
    "description",
    "format",
    "default",
    "enum",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
    "required",
    "example",
    "readOnly",
    "multipleOf",
];

/// Words that a parameter may have beside its type.
const OF_PARAMETERS: [&str; 13] = [
    "type",
    "format",
    "items",
    "default",
    "enum",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "pattern",
    "x-nullable",
];

/// A schema, and all schemas in it.
pub(super) fn schema(old: &Value) -> Value {
    let Some(fields) = old.as_object() else { return json!({}) };
    if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
        return referring(reference, fields);
    }
    let mut new = Map::new();
    for name in SAME {
        if let Some(value) = fields.get(name) {
            new.insert(name.to_owned(), value.clone());
        }
    }
    kind(fields.get("type"), &mut new);
    if let Some(only) = fields.get("const") {
        new.insert("enum".to_owned(), json!([only]));
    }
    if let Some(example) = fields.get("examples").and_then(|examples| examples.get(0)) {
        new.entry("example").or_insert_with(|| example.clone());
    }
    for (bound, exclusive) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")] {
        if let Some(value) = fields.get(exclusive).filter(|value| value.is_number()) {
            new.insert(bound.to_owned(), value.clone());
            new.insert(exclusive.to_owned(), json!(true));
        }
    }
    if let Some(properties) = fields.get("properties").and_then(Value::as_object) {
        let properties = properties.iter().map(|(name, own)| (name.clone(), schema(own)));
        new.insert("properties".to_owned(), Value::Object(properties.collect()));
    }
    if let Some(items) = fields.get("items").filter(|items| items.is_object()) {
        new.insert("items".to_owned(), schema(items));
    }
    if let Some(others) = fields.get("additionalProperties") {
        let others = if others.is_object() { schema(others) } else { others.clone() };
        new.insert("additionalProperties".to_owned(), others);
    }
    if let Some(parts) = fields.get("allOf").and_then(Value::as_array) {
        new.insert("allOf".to_owned(), parts.iter().map(schema).collect());
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(choices) = fields.get(choice).and_then(Value::as_array) {
            alternatives(choices, &mut new);
        }
    }
    if new.get("type").is_some_and(|kind| kind == "array") && !new.contains_key("items") {
        new.insert("items".to_owned(), json!({}));
    }
    Value::Object(new)
}

/// A reference stands alone in 2.0; what was said beside it goes around it.
fn referring(reference: &str, fields: &Map<String, Value>) -> Value {
    let target = json!({ "$ref": reference.replace("#/components/schemas/", "#/definitions/") });
    match fields.get("description") {
        None => target,
        Some(description) => json!({ "allOf": [target], "description": description }),
    }
}

fn kind(kind: Option<&Value>, new: &mut Map<String, Value>) {
    let listed = kind.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if listed.iter().any(|kind| kind == "null") {
        new.insert("x-nullable".to_owned(), json!(true));
    }
    let mut kinds = listed.iter().filter(|kind| *kind != "null");
    let single = match (kind, kinds.next(), kinds.next()) {
        (Some(Value::String(kind)), ..) => Some(json!(kind)),
        (_, Some(kind), None) => Some(kind.clone()),
        // Several types, or none: any value.
        _ => None,
    };
    new.extend(single.map(|single| ("type".to_owned(), single)));
}

/// One that may be null is that one; of several, 2.0 can only say that there is a value.
fn alternatives(choices: &[Value], new: &mut Map<String, Value>) {
    let real: Vec<_> = choices.iter().filter(|choice| choice["type"] != "null").collect();
    if real.len() < choices.len() {
        new.insert("x-nullable".to_owned(), json!(true));
    }
    if let [only] = real[..] {
        match schema(only) {
            Value::Object(only) if only.contains_key("$ref") => {
                new.insert("allOf".to_owned(), json!([only]));
            }
            Value::Object(only) => {
                for (name, value) in only {
                    new.entry(name).or_insert(value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {}
        }
    }
}

/// The type of a parameter or header, which 2.0 writes beside its name. What is no simple type is a text there.
pub(super) fn parameter_type(old: &Value) -> Map<String, Value> {
    let Value::Object(mut new) = schema(old) else { return Map::new() };
    new.retain(|name, _| OF_PARAMETERS.contains(&name.as_str()));
    let is_simple = new.get("type").is_some_and(|kind| *kind != "object");
    if !is_simple {
        new.insert("type".to_owned(), json!("string"));
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_2_0_can_say_is_said_and_the_rest_is_any_value() {
        for (old, new) in [
            (
                json!({"type": ["string", "null"], "format": "uuid"}),
                json!({"format": "uuid", "type": "string", "x-nullable": true}),
            ),
            (json!({"type": ["string", "integer"]}), json!({})),
            (json!({"const": "EUR"}), json!({"enum": ["EUR"]})),
            (
                json!({"type": "integer", "exclusiveMinimum": 0}),
                json!({"type": "integer", "minimum": 0, "exclusiveMinimum": true}),
            ),
            (json!({"type": "string", "examples": ["a", "b"]}), json!({"type": "string", "example": "a"})),
            (json!({"type": "array"}), json!({"type": "array", "items": {}})),
            (
                json!({"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/A"}], "description": "d"}),
                json!({"description": "d", "x-nullable": true, "allOf": [{"$ref": "#/definitions/A"}]}),
            ),
            (json!({"anyOf": [{"type": "string"}, {"type": "null"}]}), json!({"type": "string", "x-nullable": true})),
            (json!({"oneOf": [{"type": "string"}, {"type": "object"}]}), json!({})),
            (
                json!({"$ref": "#/components/schemas/A", "description": "d"}),
                json!({"allOf": [{"$ref": "#/definitions/A"}], "description": "d"}),
            ),
            (
                json!({"allOf": [{"$ref": "#/components/schemas/A"}, {"type": "object"}]}),
                json!({"allOf": [{"$ref": "#/definitions/A"}, {"type": "object"}]}),
            ),
            (
                json!({"type": "object", "additionalProperties": {"type": ["string", "null"]}, "propertyNames": {}}),
                json!({"type": "object", "additionalProperties": {"type": "string", "x-nullable": true}}),
            ),
            (
                json!({"type": "object", "additionalProperties": false}),
                json!({"type": "object", "additionalProperties": false}),
            ),
            (json!(true), json!({})),
        ] {
            assert_eq!(schema(&old), new, "{old}");
        }
    }

    #[test]
    fn parameters_have_simple_types() {
        for (old, new) in [
            (json!({"type": "integer", "minimum": 1, "description": "d"}), json!({"type": "integer", "minimum": 1})),
            (json!({"$ref": "#/components/schemas/A"}), json!({"type": "string"})),
            (json!({"type": "object"}), json!({"type": "string"})),
            (
                json!({"type": "array", "items": {"type": "string"}}),
                json!({"type": "array", "items": {"type": "string"}}),
            ),
        ] {
            assert_eq!(Value::Object(parameter_type(&old)), new, "{old}");
        }
    }
}

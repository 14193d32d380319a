//! The schema of the definition: tidied for the API server, and applied without one.
//!
//! What does not belong here: rules. They stand beside their fields in `shop`.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::core::cel::Validator;
use serde_json::{Map, Value, json};

/// Removes what the generator adds for `Option`: `nullable` and `null` among the members of an enum. An absent field is
/// absent; a `null` would be kept by the API server and reset defaults.
pub(super) fn tidied(mut definition: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut definition.spec.versions {
        if let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            tidy(schema);
        }
    }
    definition
}

fn tidy(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    if let Some(members) = &mut schema.enum_ {
        members.retain(|member| !member.0.is_null());
    }
    schema.properties.iter_mut().flat_map(|properties| properties.values_mut()).for_each(tidy);
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => tidy(items),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(tidy),
        None => {}
    }
}

/// The schema of one definition, ready to be applied to many objects.
#[derive(Debug)]
pub struct Rules(Value);

impl Rules {
    /// Takes the schema of the newest version.
    #[must_use]
    pub fn of(definition: &CustomResourceDefinition) -> Self {
        let schema = definition.spec.versions.last().and_then(|version| version.schema.as_ref());
        let mut schema = schema.map(|schema| json!(schema.open_api_v3_schema)).unwrap_or_default();
        patterns_to_rules(&mut schema);
        Self(schema)
    }

    /// What an object breaks, each with the path of its field; the API server says the same at admission.
    #[must_use]
    pub fn problems(&self, object: &Value) -> Vec<String> {
        let mut problems = Vec::new();
        check(&self.0, object, "", &mut problems);
        if problems.is_empty()
            && let Err(errors) = Validator::new().validate(&self.0, object, None)
        {
            problems.extend(errors.iter().map(ToString::to_string));
        }
        problems
    }
}

/// Patterns are left to the engine of the CEL rules, which has the same regular expressions as the API server.
fn patterns_to_rules(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    let is_text = schema.get("type").and_then(Value::as_str) == Some("string");
    if let (true, Some(pattern)) = (is_text, schema.get("pattern").and_then(Value::as_str)) {
        let quoted = pattern.replace('\\', "\\\\").replace('\'', "\\'");
        let rule = json!({"rule": format!("self.matches('{quoted}')"), "message": format!("must match {pattern}")});
        match schema.get_mut("x-kubernetes-validations").and_then(Value::as_array_mut) {
            Some(rules) => rules.push(rule),
            None => {
                schema.insert("x-kubernetes-validations".to_owned(), json!([rule]));
            }
        }
    }
    for name in ["items", "additionalProperties"] {
        schema.get_mut(name).into_iter().for_each(patterns_to_rules);
    }
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    properties.into_iter().flat_map(Map::values_mut).for_each(patterns_to_rules);
}

fn check(schema: &Value, value: &Value, path: &str, problems: &mut Vec<String>) {
    let mut problem = |text: String| problems.push(format!("{path}: {text}"));
    if let Some(members) = schema["enum"].as_array()
        && !members.contains(value)
    {
        return problem(format!("must be one of {}", json!(members)));
    }
    if schema["x-kubernetes-int-or-string"] == true {
        let text = value.as_str().map(str::to_owned).or_else(|| value.is_number().then(|| value.to_string()));
        if text.and_then(|text| super::Quantity::new(text).milli()).is_none() {
            problem("must be an amount such as 500m or 64Mi".to_owned());
        }
        return;
    }
    match (schema["type"].as_str(), value) {
        (Some("object"), Value::Object(fields)) => check_object(schema, fields, path, problems),
        (Some("array"), Value::Array(items)) => {
            if let Some(most) = schema["maxItems"].as_u64().filter(|most| items.len() as u64 > *most) {
                problem(format!("must have at most {most} items"));
            }
            for (index, item) in items.iter().enumerate() {
                check(&schema["items"], item, &format!("{path}[{index}]"), problems);
            }
            check_keys(schema, items, path, problems);
        }
        (Some("string"), Value::String(text)) => {
            let length = text.chars().count() as u64;
            if schema["maxLength"].as_u64().is_some_and(|most| length > most)
                || schema["minLength"].as_u64().is_some_and(|least| length < least)
            {
                problem(format!("must have {} to {} characters", schema["minLength"], schema["maxLength"]));
            }
        }
        (Some("integer"), Value::Number(number)) => {
            let good = number.as_i64().is_some_and(|number| {
                let number = f64::from(i32::try_from(number).unwrap_or(i32::MAX));
                schema["minimum"].as_f64().is_none_or(|least| number >= least)
                    && schema["maximum"].as_f64().is_none_or(|most| number <= most)
            });
            if !good {
                problem(format!("must be {} to {}", schema["minimum"], schema["maximum"]));
            }
        }
        (Some("boolean"), Value::Bool(_)) | (None, _) => {}
        (Some(kind), _) => problem(format!("must be of type {kind}")),
    }
}

fn check_object(schema: &Value, fields: &Map<String, Value>, path: &str, problems: &mut Vec<String>) {
    let at = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            problems.push(format!("{}: is required", at(name)));
        }
    }
    let Some(properties) = schema["properties"].as_object() else { return };
    for (name, value) in fields {
        match properties.get(name) {
            Some(property) => check(property, value, &at(name), problems),
            // The API server's own.
            None if path.is_empty() && ["apiVersion", "kind", "metadata"].contains(&name.as_str()) => {}
            None => problems.push(format!("{}: is no field of a Shop", at(name))),
        }
    }
}

fn check_keys(schema: &Value, items: &[Value], path: &str, problems: &mut Vec<String>) {
    let keys = schema["x-kubernetes-list-map-keys"].as_array();
    let Some(key) = keys.and_then(|keys| keys.first()).and_then(Value::as_str) else { return };
    for (index, item) in items.iter().enumerate() {
        if items[..index].iter().any(|earlier| earlier[key] == item[key]) {
            problems.push(format!("{path}[{index}].{key}: must be unique"));
        }
    }
}

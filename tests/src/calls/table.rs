//! The rows of `calls.yaml`. What is done with them stands in `runner`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// One call and what it promises.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    pub(crate) id: String,
    /// Method and path template.
    pub(crate) call: String,
    pub(crate) path: Option<String>,
    #[serde(rename = "as")]
    pub(crate) caller: String,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Option<Value>,
    /// A body that is no JSON.
    pub(crate) upload: Option<Upload>,
    pub(crate) status: u16,
    /// Values that the answer comes to have, by JSON pointer.
    #[serde(default)]
    pub(crate) until: BTreeMap<String, Value>,
    pub(crate) shape: Option<Value>,
    /// Headers of the answer, each as a shape.
    #[serde(default)]
    pub(crate) answers: BTreeMap<String, Value>,
    #[serde(default)]
    pub(crate) keep: BTreeMap<String, String>,
}

/// A body and its media type.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Upload {
    #[serde(rename = "type")]
    pub(crate) media_type: String,
    /// As it is, with what was kept in place of its names.
    pub(crate) text: Option<String>,
    /// Its bytes, two digits each.
    pub(crate) hex: Option<String>,
}

impl Upload {
    /// The bytes of `hex`, if it has any.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        let digits = self.hex.as_deref()?.as_bytes();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        digits.chunks(2).map(byte).collect()
    }
}

/// All rows, in their order.
pub(crate) fn rows() -> Vec<Row> {
    serde_yaml_ng::from_str(include_str!("../../conformance/calls.yaml"))
        .unwrap_or_else(|error| panic!("calls.yaml: {error}"))
}

/// Says where a value has not the shape that was promised.
pub(crate) fn misfit(shape: &Value, value: &Value, place: &str) -> Option<String> {
    let is = |good: bool| if good { None } else { Some(format!("{place} must be {shape}, and is {value}")) };
    match shape {
        Value::String(word) => match word.as_str() {
            "any" => is(!value.is_null()),
            "text" => is(value.is_string()),
            "number" => is(value.is_number()),
            "whole" => is(value.is_i64() || value.is_u64()),
            "bool" => is(value.is_boolean()),
            "list" => is(value.is_array()),
            exactly => is(exactly.strip_prefix('=').is_some_and(|exactly| value == exactly)),
        },
        Value::Array(shapes) => {
            let Some(items) = value.as_array().filter(|items| !items.is_empty()) else { return is(false) };
            let mut misfits = shapes.iter().flat_map(|shape| items.iter().map(move |item| (shape, item)));
            // Exact words are about the first; the kinds of the others are the same.
            misfits.next().and_then(|(shape, item)| misfit(shape, item, &format!("{place}[0]")))
        }
        Value::Object(fields) => {
            fields.iter().find_map(|(name, shape)| misfit(shape, &value[name], &format!("{place}/{name}")))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => is(shape == value),
    }
}

#[test]
fn a_shape_names_the_place_that_does_not_fit() {
    let value = serde_json::json!({ "a": [{ "b": 1.5, "c": "x" }], "d": true });
    let fits = |shape: serde_json::Value| misfit(&shape, &value, "");
    assert_eq!(fits(serde_json::json!({ "a": [{ "b": "number", "c": "=x" }], "d": "bool" })), None);
    for (shape, place) in [
        (serde_json::json!({ "a": [{ "b": "whole" }] }), "/a[0]/b"),
        (serde_json::json!({ "a": [{ "c": "=y" }] }), "/a[0]/c"),
        (serde_json::json!({ "d": "text" }), "/d"),
        (serde_json::json!({ "e": "any" }), "/e"),
        (serde_json::json!({ "d": ["any"] }), "/d"),
    ] {
        let why = fits(shape).unwrap_or_default();
        assert!(why.starts_with(&format!("{place} must be")), "{why}");
    }
}

//! The calls of the shop as a collection for Postman, Bruno and the like (format v2.1), made of the OpenAPI document.

use std::collections::BTreeMap;

use serde_json::{Value, json};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// One folder for each tag, one request for each call; address and token are variables.
pub(crate) fn collection(document: &Value) -> Value {
    let mut folders: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in METHODS.iter().filter_map(|method| Some((method, item.get(*method)?))) {
            let tag = operation["tags"][0].as_str().unwrap_or("other");
            folders.entry(tag).or_default().push(call(path, method, operation));
        }
    }
    let folders = folders.into_iter().map(|(tag, calls)| json!({ "name": tag, "item": calls }));
    json!({
        "info": {
            "name": document["info"]["title"],
            "description": "Made of /openapi.json. Set `baseUrl`, log in, and put the access token into `token`.",
            "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
        },
        "auth": { "type": "bearer", "bearer": [{ "key": "token", "value": "{{token}}", "type": "string" }] },
        "variable": [
            { "key": "baseUrl", "value": "http://127.0.0.1:8080" },
            { "key": "token", "value": "" },
        ],
        "item": folders.collect::<Vec<_>>(),
    })
}

fn call(path: &str, method: &str, operation: &Value) -> Value {
    let of = |place: &'static str| {
        let all = operation["parameters"].as_array().into_iter().flatten();
        all.filter(move |parameter| parameter["in"] == place)
    };
    let headers = of("header").map(|parameter| {
        let is_off = parameter["required"] != true;
        json!({ "key": parameter["name"], "value": value(parameter), "disabled": is_off })
    });
    let mut headers: Vec<Value> = headers.collect();
    let query: Vec<Value> = of("query")
        .map(|parameter| {
            json!({ "key": parameter["name"], "value": value(parameter), "disabled": parameter["required"] != true })
        })
        .collect();
    let variables: Vec<Value> =
        of("path").map(|parameter| json!({ "key": parameter["name"], "value": value(parameter) })).collect();
    // Postman writes a variable of a path as `:id`.
    let elements: Vec<String> =
        path.trim_start_matches('/').split('/').map(|element| element.replace('{', ":").replace('}', "")).collect();
    let mut request = json!({
        "method": method.to_uppercase(),
        "url": {
            "raw": format!("{{{{baseUrl}}}}/{}", elements.join("/")),
            "host": ["{{baseUrl}}"],
            "path": elements,
            "query": query,
            "variable": variables,
        },
        "description": operation["description"].as_str().or(operation["summary"].as_str()).unwrap_or_default(),
    });
    if let Some((media, content)) = operation["requestBody"]["content"].as_object().and_then(|all| all.iter().next()) {
        headers.push(json!({ "key": "Content-Type", "value": media }));
        request["body"] = body(media, &content["example"]);
    }
    request["header"] = Value::Array(headers);
    json!({ "name": operation["operationId"].as_str().unwrap_or(path), "request": request })
}

fn body(media: &str, example: &Value) -> Value {
    if let (true, Some(fields)) = (media.ends_with("form-urlencoded"), example.as_object()) {
        let fields: Vec<_> = fields.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
        return json!({ "mode": "urlencoded", "urlencoded": fields });
    }
    let text = example.as_str().map_or_else(|| serde_json::to_string_pretty(example).unwrap(), str::to_owned);
    json!({ "mode": "raw", "raw": text })
}

/// A value to begin with.
fn value(parameter: &Value) -> String {
    let schema = &parameter["schema"];
    let told = [&parameter["example"], &schema["example"], &schema["default"]];
    let told = told.into_iter().find(|value| !value.is_null());
    told.map(|told| told.as_str().map_or_else(|| told.to_string(), str::to_owned)).unwrap_or_default()
}

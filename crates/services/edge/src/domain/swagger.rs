//! The document in the words of Swagger 2.0, for tools that read no other. Pure.
//!
//! What 2.0 cannot say is said with less: alternatives become any value, a value that may be null is marked `x-nullable`,
//! cookies and links are left out.

mod schema;

use serde_json::{Map, Value, json};

use schema::{parameter_type, schema};

const FORM: &str = "application/x-www-form-urlencoded";

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Writes an OpenAPI 3.1 document as Swagger 2.0.
pub(crate) fn swagger(document: &Value) -> Value {
    let mut paths = Map::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        let operations = METHODS.into_iter().filter_map(|method| Some((method, item.get(method)?)));
        let operations =
            operations.map(|(method, operation)| (method.to_owned(), self::operation(operation, document)));
        paths.insert(path.clone(), Value::Object(operations.collect()));
    }
    let types = document["components"]["schemas"].as_object().into_iter().flatten();
    let definitions: Map<_, _> = types.map(|(name, own)| (name.clone(), schema(own))).collect();
    let mut swagger = json!({
        "swagger": "2.0",
        "info": document["info"],
        "basePath": "/",
        "paths": paths,
        "definitions": definitions,
    });
    let schemes = document["components"]["securitySchemes"].as_object();
    let schemes: Map<_, _> =
        schemes.into_iter().flatten().map(|(name, scheme)| (name.clone(), security(scheme))).collect();
    if !schemes.is_empty() {
        swagger["securityDefinitions"] = Value::Object(schemes);
    }
    swagger
}

/// Of bearer tokens 2.0 knows only the header that they come in.
fn security(scheme: &Value) -> Value {
    if scheme["type"] == "http" {
        json!({
            "type": "apiKey", "in": "header", "name": "Authorization",
            "description": "`Bearer` and the token, with a space between them",
        })
    } else {
        scheme.clone()
    }
}

fn operation(operation: &Value, document: &Value) -> Value {
    let mut new = Map::new();
    for name in ["tags", "summary", "description", "operationId", "deprecated", "security"] {
        if let Some(value) = operation.get(name) {
            new.insert(name.to_owned(), value.clone());
        }
    }
    let listed = operation["parameters"].as_array().into_iter().flatten();
    let mut parameters: Vec<Value> = listed.filter(|one| one["in"] != "cookie").map(parameter).collect();
    if let Some(body) = operation.get("requestBody") {
        new.insert("consumes".to_owned(), media_types(body));
        match body["content"].get(FORM) {
            Some(form) => parameters.extend(fields(shared(&form["schema"], document))),
            None => parameters.push(self::body(body)),
        }
    }
    if !parameters.is_empty() {
        new.insert("parameters".to_owned(), Value::Array(parameters));
    }
    let responses = operation["responses"].as_object();
    let mut produced: Vec<Value> = Vec::new();
    let mut all = Map::new();
    for (status, response) in responses.into_iter().flatten() {
        let response = shared(response, document);
        for media in media_types(response).as_array().into_iter().flatten() {
            if !produced.contains(media) {
                produced.push(media.clone());
            }
        }
        all.insert(status.clone(), self::response(response));
    }
    if !produced.is_empty() {
        new.insert("produces".to_owned(), Value::Array(produced));
    }
    new.insert("responses".to_owned(), Value::Object(all));
    Value::Object(new)
}

/// What a reference to something that calls share stands for; anything else is itself.
fn shared<'d>(value: &'d Value, document: &'d Value) -> &'d Value {
    let target = value["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
    target.and_then(|path| document.pointer(path)).unwrap_or(value)
}

/// The fields of a form: 2.0 has each as a parameter of its own.
fn fields(form: &Value) -> impl Iterator<Item = Value> {
    let required = form["required"].as_array();
    form["properties"].as_object().into_iter().flatten().map(move |(name, property)| {
        let is_required = required.is_some_and(|names| names.contains(&json!(name)));
        parameter(&json!({
            "name": name, "in": "formData", "required": is_required,
            "description": property["description"].as_str().unwrap_or_default(), "schema": property,
        }))
    })
}

fn parameter(parameter: &Value) -> Value {
    let mut new = parameter_type(&parameter["schema"]);
    for name in ["name", "in", "description", "required"] {
        if let Some(value) = parameter.get(name) {
            new.insert(name.to_owned(), value.clone());
        }
    }
    Value::Object(new)
}

fn body(body: &Value) -> Value {
    let mut new = json!({ "name": "body", "in": "body", "required": body["required"] == true });
    new["schema"] = content(body).map_or_else(|| json!({}), |content| schema(&content["schema"]));
    if let Some(description) = body.get("description") {
        new["description"] = description.clone();
    }
    new
}

fn response(response: &Value) -> Value {
    let mut new = json!({ "description": response["description"].as_str().unwrap_or_default() });
    if let Some(content) = content(response) {
        new["schema"] = schema(&content["schema"]);
        if let (Some(example), Some(media)) = (content.get("example"), media_types(response)[0].as_str()) {
            new["examples"] = json!({ media: example });
        }
    }
    let headers = response["headers"].as_object().into_iter().flatten().map(|(name, header)| {
        let mut new = parameter_type(&header["schema"]);
        if let Some(description) = header.get("description") {
            new.insert("description".to_owned(), description.clone());
        }
        (name.clone(), Value::Object(new))
    });
    let headers: Map<_, _> = headers.collect();
    if !headers.is_empty() {
        new["headers"] = Value::Object(headers);
    }
    new
}

/// The first body that is described; 2.0 has room for one.
fn content(body: &Value) -> Option<&Value> {
    body["content"].as_object()?.values().next()
}

fn media_types(body: &Value) -> Value {
    body["content"].as_object().into_iter().flatten().map(|(media, _)| json!(media)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_of_a_form_is_a_parameter_of_its_own() {
        let document = json!({
            "paths": { "/token": { "post": {
                "requestBody": { "content": { (FORM): { "schema": { "$ref": "#/components/schemas/Form" } } } },
                "responses": {},
            } } },
            "components": { "schemas": { "Form": {
                "type": "object",
                "required": ["client_id"],
                "properties": {
                    "client_id": { "type": "string", "minLength": 1, "description": "Of the key." },
                    "scope": { "type": ["string", "null"] },
                },
            } } },
        });

        let operation = &swagger(&document)["paths"]["/token"]["post"];

        let id = json!({
            "name": "client_id", "in": "formData", "required": true, "type": "string", "minLength": 1,
            "description": "Of the key.",
        });
        let scope = json!({
            "name": "scope", "in": "formData", "required": false, "type": "string", "x-nullable": true, "description": "",
        });
        assert_eq!(operation["parameters"], json!([id, scope]));
        assert_eq!(operation["consumes"], json!([FORM]));
    }

    #[test]
    fn an_operation_keeps_its_words_and_its_bodies_move() {
        let document = json!({
            "openapi": "3.1.0",
            "info": { "title": "shop", "version": "1" },
            "paths": { "/orders/{id}": { "post": {
                "operationId": "pay", "tags": ["order"], "description": "Pays.",
                "parameters": [
                    { "name": "id", "in": "path", "required": true, "schema": { "type": "string", "format": "uuid" } },
                    { "name": "size", "in": "query", "schema": { "type": ["integer", "null"], "maximum": 100 } },
                    { "name": "crumb", "in": "cookie", "schema": { "type": "string" } },
                ],
                "requestBody": { "required": true, "content": { "application/json": {
                    "schema": { "$ref": "#/components/schemas/Card" }, "example": { "card": "4242" } } } },
                "responses": {
                    "201": {
                        "description": "Paid",
                        "headers": { "ETag": { "description": "The version", "schema": { "type": "string" } } },
                        "content": { "application/json": {
                            "schema": { "$ref": "#/components/schemas/Card" }, "example": { "card": "4242" } } },
                    },
                    "204": { "description": "" },
                    "429": { "$ref": "#/components/responses/RateLimited" },
                },
                "security": [{ "token": [] }],
            } } },
            "components": {
                "responses": { "RateLimited": { "description": "Too many" } },
                "schemas": { "Card": { "type": "object", "properties": { "card": { "type": "string" } } } },
                "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            },
        });
        let card = json!({ "$ref": "#/definitions/Card" });
        let expected = json!({
            "swagger": "2.0",
            "info": { "title": "shop", "version": "1" },
            "basePath": "/",
            "paths": { "/orders/{id}": { "post": {
                "tags": ["order"], "description": "Pays.", "operationId": "pay", "security": [{ "token": [] }],
                "consumes": ["application/json"],
                "parameters": [
                    { "type": "string", "format": "uuid", "name": "id", "in": "path", "required": true },
                    { "type": "integer", "x-nullable": true, "maximum": 100, "name": "size", "in": "query" },
                    { "name": "body", "in": "body", "required": true, "schema": card },
                ],
                "produces": ["application/json"],
                "responses": {
                    "201": {
                        "description": "Paid", "schema": card,
                        "examples": { "application/json": { "card": "4242" } },
                        "headers": { "ETag": { "type": "string", "description": "The version" } },
                    },
                    "204": { "description": "" },
                    "429": { "description": "Too many" },
                },
            } } },
            "definitions": { "Card": { "type": "object", "properties": { "card": { "type": "string" } } } },
            "securityDefinitions": { "token": {
                "type": "apiKey", "in": "header", "name": "Authorization",
                "description": "`Bearer` and the token, with a space between them",
            } },
        });
        assert_eq!(swagger(&document), expected);
    }

    #[test]
    fn a_document_without_calls_is_one_too() {
        let swagger = swagger(&json!({ "info": { "title": "shop", "version": "1" }, "paths": {} }));
        assert_eq!((&swagger["swagger"], &swagger["paths"]), (&json!("2.0"), &json!({})));
    }
}

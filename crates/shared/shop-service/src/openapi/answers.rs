//! What every call has in common, whoever serves it: the tokens that it takes, what the guard may answer before a handler is
//! asked, what a status means, and how the headers look that many calls take. Handlers describe only what is theirs.
//!
//! Both follow from `x-callers`, which the access table writes, and from whether the call has a body or parameters.

use serde_json::{Map, Value, json};
use shop_http::{ErrorBody, Problem};
use utoipa::{PartialSchema as _, ToSchema};

/// How the two tokens are called in the document.
const TOKEN: &str = "token";
const GUEST: &str = "guest";
/// As many kinds of caller as there are.
const EVERYBODY: usize = 6;

/// An answer of the guard: status, name in the document, meaning, and a header of its own.
type Answer = (&'static str, &'static str, &'static str, Option<(&'static str, &'static str)>);

const BAD_REQUEST: Answer = ("400", "BadRequest", "The request cannot be read", None);
const UNAUTHENTICATED: Answer = (
    "401",
    "Unauthenticated",
    "The token is missing or does not hold",
    Some(("WWW-Authenticate", "Which token helps")),
);
const FORBIDDEN: Answer = ("403", "Forbidden", "Your role may not do this", None);
const NOT_FOUND: Answer = ("404", "NotFound", "There is no such thing, or it is not yours", None);
const TIMEOUT: Answer = ("408", "RequestTimeout", "The body did not arrive in time", None);
const TOO_LARGE: Answer = ("413", "BodyTooLarge", "The body is too large", None);
const UNSUPPORTED: Answer = ("415", "UnsupportedMediaType", "The body is of another media type", None);
const INVALID: Answer = ("422", "Invalid", "A field or a parameter breaks a rule", None);
const LIMITED: Answer = ("429", "RateLimited", "More requests than the limit lets through", Some(RETRY));
const INTERNAL: Answer = ("500", "Internal", "A defect of ours", None);
const UNAVAILABLE: Answer = ("503", "Unavailable", "Overloaded, or something needed is away", Some(RETRY));
const RETRY: (&str, &str) = ("Retry-After", "Seconds to wait before the next try");

const ALL: [Answer; 11] = [
    BAD_REQUEST,
    UNAUTHENTICATED,
    FORBIDDEN,
    NOT_FOUND,
    TIMEOUT,
    TOO_LARGE,
    UNSUPPORTED,
    INVALID,
    LIMITED,
    INTERNAL,
    UNAVAILABLE,
];

/// What the other statuses mean where the handler adds nothing.
const MEANINGS: [(&str, &str); 9] = [
    ("200", "Done"),
    ("201", "Made"),
    ("202", "Taken on; it goes on after this answer"),
    ("204", "Done; there is nothing to show"),
    ("304", "You have this version"),
    ("402", "The payment was declined"),
    ("409", "The present state does not allow it"),
    ("412", "It was changed since you read it"),
    ("428", "The header If-Match is missing"),
];

/// What headers that many calls take must look like, as their extractors have it.
const HEADERS: [(&str, &str); 3] = [
    ("Idempotency-Key", "^(\"[ !#-~]{1,255}\"|[!#-~]([ !#-~]{0,253}[!#-~])?)$"),
    ("If-Match", "^\"[0-9]{1,18}(-gzip)?\"$"),
    ("X-Guest-Token", "^[A-Za-z0-9_-]{43}$"),
];

/// Completes every call of a document with the answers of the guard and the tokens that the call takes.
pub(super) fn fill(document: &mut Value) {
    for (path, item) in document["paths"].as_object_mut().into_iter().flatten() {
        for operation in item.as_object_mut().into_iter().flat_map(Map::values_mut) {
            for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
                without_null(&mut parameter["schema"]);
                if let Some((_, pattern)) = HEADERS.iter().find(|(name, _)| parameter["name"] == *name) {
                    parameter["schema"]["pattern"] = json!(pattern);
                }
            }
            let contents = operation.pointer_mut("/requestBody/content").and_then(Value::as_object_mut);
            for content in contents.into_iter().flat_map(Map::values_mut) {
                without_null(&mut content["schema"]);
            }
            operation["security"] = security(operation);
            for (status, name, ..) in answers(path, operation) {
                let responses = &mut operation["responses"];
                if responses.get(status).is_none() {
                    responses[status] = json!({ "$ref": format!("#/components/responses/{name}") });
                }
            }
            for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
                describe(status, response);
                offer_problem(response);
            }
        }
    }
    let components = &mut document["components"];
    for (_, name, meaning, header) in ALL {
        components["responses"][name] = response(meaning, header);
    }
    components["securitySchemes"] = json!({
        TOKEN: { "type": "http", "scheme": "bearer", "description": "The `token` that login answers with" },
        GUEST: {
            "type": "apiKey", "in": "header", "name": "X-Guest-Token",
            "description": "The secret of a cart without an account, which opening it answers with",
        },
    });
    name_errors(&mut components["schemas"]);
}

fn callers(operation: &Value) -> Vec<&str> {
    operation["x-callers"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The tokens of which one is needed; `{}` stands for none.
fn security(operation: &Value) -> Value {
    let mut choices = Vec::new();
    for caller in callers(operation) {
        let choice = match caller {
            "anonymous" => json!({}),
            "guest" => json!({ GUEST: [] }),
            _ => json!({ TOKEN: [] }),
        };
        if !choices.contains(&choice) {
            choices.push(choice);
        }
    }
    Value::Array(choices)
}

/// What the guard may answer at this call.
fn answers(path: &str, operation: &Value) -> Vec<Answer> {
    let has_body = operation.get("requestBody").is_some();
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let has_query = parameters.into_iter().any(|parameter| parameter["in"] == "query");
    let mut answers = vec![BAD_REQUEST, UNAUTHENTICATED, LIMITED, INTERNAL, UNAVAILABLE];
    if callers(operation).len() < EVERYBODY {
        answers.push(FORBIDDEN);
    }
    if path.contains('{') {
        answers.push(NOT_FOUND);
    }
    if has_body {
        answers.extend([TIMEOUT, TOO_LARGE, UNSUPPORTED]);
    }
    if has_body || has_query {
        answers.push(INVALID);
    }
    answers
}

/// A description is required, and utoipa leaves an empty one out.
fn describe(status: &str, response: &mut Value) {
    if response.get("description").is_some() || response.get("$ref").is_some() {
        return;
    }
    let guards = ALL.iter().map(|(status, _, meaning, _)| (status, meaning));
    let known = MEANINGS.iter().map(|(status, meaning)| (status, meaning)).chain(guards);
    let meaning = known.into_iter().find(|(known, _)| **known == status).map_or("An answer", |(_, meaning)| *meaning);
    response["description"] = json!(meaning);
}

/// A parameter that may be left out is not one that may be null: a query and a header know only text. Nor is a body.
fn without_null(schema: &mut Value) {
    if let Some(types) = schema.get_mut("type").and_then(Value::as_array_mut) {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            schema["type"] = only.clone();
        }
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(choices) = schema.get_mut(choice).and_then(Value::as_array_mut) {
            choices.retain(|choice| choice["type"] != "null");
            if let [only] = choices.as_slice() {
                *schema = only.clone();
                return;
            }
        }
    }
}

fn response(meaning: &str, header: Option<(&str, &str)>) -> Value {
    let error = json!({ "schema": { "$ref": "#/components/schemas/ErrorBody" } });
    let mut response = json!({ "description": meaning, "content": { "application/json": error } });
    if let Some((name, meaning)) = header {
        response["headers"] = json!({ name: { "description": meaning, "schema": { "type": "string" } } });
    }
    offer_problem(&mut response);
    response
}

/// Every error comes as RFC 9457 has it, too, when that is asked for.
fn offer_problem(response: &mut Value) {
    if response["content"]["application/json"]["schema"]["$ref"] == "#/components/schemas/ErrorBody" {
        let problem = json!({ "schema": { "$ref": "#/components/schemas/Problem" } });
        response["content"]["application/problem+json"] = problem;
    }
}

/// The types of the two error bodies, and those in them.
fn name_errors(schemas: &mut Value) {
    let mut types = vec![(ErrorBody::name(), ErrorBody::schema()), (Problem::name(), Problem::schema())];
    let mut within = Vec::new();
    ErrorBody::schemas(&mut within);
    Problem::schemas(&mut within);
    types.extend(within.into_iter().map(|(name, schema)| (name.into(), schema)));
    for (name, schema) in types {
        schemas[&*name] = json!(schema);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(path: &str, operation: &Value) -> (Value, Value) {
        let mut document = json!({ "paths": { path: { "post": operation } }, "components": { "schemas": {} } });
        fill(&mut document);
        (document["paths"][path]["post"].take(), document["components"].take())
    }

    fn statuses(operation: &Value) -> Vec<&str> {
        let mut statuses: Vec<_> = operation["responses"].as_object().unwrap().keys().map(String::as_str).collect();
        statuses.sort_unstable();
        statuses
    }

    #[test]
    fn every_answer_of_the_guard_is_listed_where_it_can_come() {
        let public = json!(["anonymous", "guest", "customer", "staff", "admin", "service"]);
        let (bare, _) = filled("/a", &json!({ "x-callers": public, "responses": { "200": {} } }));
        assert_eq!(statuses(&bare), ["200", "400", "401", "429", "500", "503"]);
        let operation = json!({ "x-callers": ["admin"], "requestBody": {}, "responses": {} });
        let (guarded, _) = filled("/a/{id}", &operation);
        let expected = ["400", "401", "403", "404", "408", "413", "415", "422", "429", "500", "503"];
        assert_eq!(statuses(&guarded), expected);
        let query = json!({ "x-callers": public, "parameters": [{ "in": "query" }], "responses": {} });
        assert!(statuses(&filled("/a", &query).0).contains(&"422"));
    }

    #[test]
    fn what_a_handler_says_itself_stays_and_is_offered_as_a_problem() {
        let error = json!({ "$ref": "#/components/schemas/ErrorBody" });
        let own = json!({ "description": "Mine", "content": { "application/json": { "schema": error } } });
        let (operation, components) = filled("/a", &json!({ "x-callers": [], "responses": { "401": own } }));
        let response = &operation["responses"]["401"];
        assert_eq!(response["description"], "Mine");
        let problem = "#/components/schemas/Problem";
        assert_eq!(response["content"]["application/problem+json"]["schema"]["$ref"], problem);
        assert!(components["schemas"]["Problem"]["properties"]["detail"].is_object(), "{components}");
        assert!(components["schemas"]["Detail"]["properties"]["field"].is_object(), "{components}");
        assert_eq!(components["responses"]["RateLimited"]["headers"]["Retry-After"]["schema"]["type"], "string");
    }

    #[test]
    fn a_status_is_described_a_header_has_its_form_and_a_parameter_is_never_null() {
        let operation = json!({
            "x-callers": [],
            "parameters": [
                { "in": "query", "name": "size", "schema": { "type": ["integer", "null"], "maximum": 100 } },
                { "in": "header", "name": "If-Match", "schema": { "type": "string" } },
                { "in": "query", "name": "sku", "schema": { "oneOf": [{ "type": "null" }, { "$ref": "#/a" }] } },
            ],
            "responses": { "204": {}, "409": { "description": "Sold out" }, "422": {} },
        });
        let (operation, _) = filled("/a", &operation);
        let described = |status: &str| operation["responses"][status]["description"].as_str().unwrap();
        assert_eq!(described("204"), "Done; there is nothing to show");
        assert_eq!(described("409"), "Sold out");
        assert_eq!(described("422"), "A field or a parameter breaks a rule");
        assert_eq!(operation["parameters"][0]["schema"], json!({ "type": "integer", "maximum": 100 }));
        assert_eq!(operation["parameters"][1]["schema"]["pattern"], "^\"[0-9]{1,18}(-gzip)?\"$");
        assert_eq!(operation["parameters"][2]["schema"], json!({ "$ref": "#/a" }));
        let schema = json!({ "oneOf": [{ "type": "null" }, { "$ref": "#/a" }] });
        let body = json!({ "content": { "application/json": { "schema": schema } } });
        let (operation, _) = filled("/a", &json!({ "requestBody": body, "responses": {} }));
        assert_eq!(operation["requestBody"]["content"]["application/json"]["schema"], json!({ "$ref": "#/a" }));
    }

    #[test]
    fn the_tokens_of_a_call_are_those_of_its_callers() {
        for (callers, expected) in [
            (json!(["anonymous", "guest", "customer"]), json!([{}, { "guest": [] }, { "token": [] }])),
            (json!(["customer", "staff", "admin"]), json!([{ "token": [] }])),
            (json!([]), json!([])),
        ] {
            let (operation, components) = filled("/a", &json!({ "x-callers": callers, "responses": {} }));
            assert_eq!(operation["security"], expected);
            assert_eq!(components["securitySchemes"]["token"]["scheme"], "bearer");
        }
    }
}

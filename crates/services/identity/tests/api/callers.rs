//! Every route, tried by every kind of caller.

use reqwest::{Method, RequestBuilder};
use serde_json::json;
use shop_mongo::doc;
use shop_testkit::TestShop;
use shop_types::Role;

use crate::given::{Answer, PASSWORD, documents, identity, register, request};

/// Every route, whom it lets in, and what it answers them when they have no account.
const ROUTES: [(&str, &str, Who, u16, Option<&str>); 40] = [
    ("POST", "/api/v1/auth/register", Who::Everybody, 201, None),
    ("POST", "/api/v1/auth/login", Who::Everybody, 200, None),
    ("POST", "/api/v1/auth/refresh", Who::Everybody, 401, Some("invalid_refresh_token")),
    ("POST", "/api/v1/auth/logout", Who::People, 204, None),
    ("POST", "/api/v1/auth/token", Who::Everybody, 401, Some("invalid_client")),
    ("POST", "/api/v1/auth/password/forgot", Who::Everybody, 202, None),
    ("POST", "/api/v1/auth/password/reset", Who::Everybody, 410, Some("token_spent")),
    ("POST", "/api/v1/auth/email/verify", Who::Everybody, 410, Some("token_spent")),
    ("GET", "/api/v1/me", Who::People, 404, Some("not_found")),
    ("PATCH", "/api/v1/me", Who::People, 404, Some("not_found")),
    ("DELETE", "/api/v1/me", Who::People, 404, Some("not_found")),
    ("PUT", "/api/v1/me/password", Who::People, 404, Some("not_found")),
    ("PUT", "/api/v1/me/email", Who::People, 404, Some("not_found")),
    ("POST", "/api/v1/me/email/verification", Who::People, 404, Some("not_found")),
    ("GET", "/api/v1/me/sessions", Who::People, 200, None),
    ("DELETE", "/api/v1/me/sessions", Who::People, 204, None),
    ("DELETE", "/api/v1/me/sessions/00000000-0000-0000-0000-000000000001", Who::People, 404, Some("not_found")),
    ("GET", "/api/v1/me/addresses", Who::People, 200, None),
    ("POST", "/api/v1/me/addresses", Who::People, 404, Some("not_found")),
    ("GET", "/api/v1/me/addresses/00000000-0000-0000-0000-000000000001", Who::People, 404, Some("not_found")),
    ("PATCH", "/api/v1/me/addresses/00000000-0000-0000-0000-000000000001", Who::People, 404, Some("not_found")),
    ("DELETE", "/api/v1/me/addresses/00000000-0000-0000-0000-000000000001", Who::People, 404, Some("not_found")),
    ("POST", "/api/v1/me/export", Who::People, 404, Some("not_found")),
    ("GET", "/api/v1/me/export/00000000-0000-0000-0000-000000000001", Who::People, 404, Some("not_found")),
    ("GET", "/api/v1/users", Who::Admins, 200, None),
    // Their tokens have the role, and no account does.
    ("POST", "/api/v1/users", Who::Admins, 403, Some("forbidden")),
    ("PATCH", "/api/v1/users/00000000-0000-0000-0000-000000000001", Who::Admins, 404, Some("not_found")),
    ("GET", "/api/v1/users/00000000-0000-0000-0000-000000000001", Who::StaffAndPrograms, 404, Some("not_found")),
    ("DELETE", "/api/v1/users/00000000-0000-0000-0000-000000000001", Who::Admins, 404, Some("not_found")),
    ("PUT", "/api/v1/users/00000000-0000-0000-0000-000000000001/roles", Who::Admins, 404, Some("not_found")),
    ("POST", "/api/v1/users/00000000-0000-0000-0000-000000000001/deactivate", Who::Admins, 404, Some("not_found")),
    ("POST", "/api/v1/users/00000000-0000-0000-0000-000000000001/activate", Who::Admins, 404, Some("not_found")),
    ("GET", "/api/v1/customers/00000000-0000-0000-0000-000000000001/orders", Who::People, 404, Some("not_found")),
    (
        "PUT",
        "/api/v1/customers/00000000-0000-0000-0000-000000000001/orders/00000000-0000-0000-0000-000000000002",
        Who::Programs,
        404,
        Some("not_found"),
    ),
    ("GET", "/api/v1/api-keys", Who::Admins, 200, None),
    // Their tokens have the role, and no account does.
    ("POST", "/api/v1/api-keys", Who::Admins, 403, Some("forbidden")),
    ("GET", "/api/v1/api-keys/00000000-0000-0000-0000-000000000001", Who::Admins, 404, Some("not_found")),
    ("DELETE", "/api/v1/api-keys/00000000-0000-0000-0000-000000000001", Who::Admins, 404, Some("not_found")),
    ("GET", "/api/v1/audit", Who::Admins, 200, None),
    ("GET", "/.well-known/jwks.json", Who::Everybody, 200, None),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Everybody,
    People,
    StaffAndPrograms,
    Programs,
    Admins,
}

impl Who {
    /// What a caller with a good token gets: the answer of the route, or the refusal of the table.
    fn answers(self, role: Role, answer: (u16, Option<&'static str>)) -> (u16, Option<&'static str>) {
        let is_let_in = match (self, role) {
            (Self::Everybody, _)
            | (Self::People, Role::Customer | Role::Staff | Role::Admin)
            | (Self::StaffAndPrograms, Role::Staff | Role::Admin | Role::Service)
            | (Self::Programs, Role::Service)
            | (Self::Admins, Role::Admin) => true,
            (Self::People, Role::Service)
            | (Self::Programs, Role::Customer | Role::Staff | Role::Admin)
            | (Self::StaffAndPrograms, Role::Customer)
            | (Self::Admins, Role::Customer | Role::Staff | Role::Service) => false,
        };
        if is_let_in { answer } else { (403, Some("forbidden")) }
    }
}

fn call(shop: &TestShop, method: &str, path: &str, number: usize) -> RequestBuilder {
    let call = request(shop, Method::from_bytes(method.as_bytes()).unwrap(), path);
    match path {
        "/api/v1/auth/register" => {
            call.json(&json!({ "email": format!("n{number}@example.org"), "password": PASSWORD, "name": "N" }))
        }
        "/api/v1/auth/login" => call.json(&json!({ "email": "ada@example.org", "password": PASSWORD })),
        "/api/v1/auth/password/forgot" => call.json(&json!({ "email": "nobody@example.org" })),
        "/api/v1/auth/password/reset" => call.json(&json!({ "token": "A".repeat(43), "password": PASSWORD })),
        "/api/v1/auth/email/verify" => call.json(&json!({ "token": "A".repeat(43) })),
        "/api/v1/auth/token" => call
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials&client_id=x&client_secret=x"),
        "/api/v1/api-keys" if method == "POST" => call.json(&json!({ "name": "N" })),
        "/api/v1/auth/refresh" => call.json(&json!({ "refreshToken": "A".repeat(70) })),
        "/api/v1/me" if method == "PATCH" => call.header("If-Match", "\"1\"").json(&json!({ "name": "N" })),
        "/api/v1/me" if method == "DELETE" => call.json(&json!({ "password": PASSWORD })),
        "/api/v1/me/password" => call.json(&json!({ "currentPassword": PASSWORD, "newPassword": PASSWORD })),
        "/api/v1/me/email" => {
            call.header("If-Match", "\"1\"").json(&json!({ "email": "n@example.org", "password": PASSWORD }))
        }
        "/api/v1/me/addresses" if method == "POST" => {
            call.json(&json!({ "name": "N", "line1": "1", "city": "C", "country": "DE" }))
        }
        "/api/v1/users" if method == "POST" => {
            call.json(&json!({ "email": format!("u{number}@example.org"), "name": "N" }))
        }
        "/api/v1/users/00000000-0000-0000-0000-000000000001" if method == "PATCH" => {
            call.header("If-Match", "\"1\"").json(&json!({ "name": "N" }))
        }
        _ if method == "PATCH" => call.header("If-Match", "\"1\"").json(&json!({ "city": "C" })),
        _ if path.contains("/customers/") => call,
        _ if method == "PUT" => call.header("If-Match", "\"1\"").json(&json!({ "role": "staff" })),
        _ => call,
    }
}

#[tokio::test]
async fn every_route_lets_in_whom_its_table_names_and_nobody_else() {
    let shop = identity().await;
    register(&shop, "ada@example.org").await;
    let callers = shop.callers();
    let mut number = 0;
    for (method, path, who, status, code) in ROUTES {
        let mut calls = Vec::new();
        let mut next = || {
            number += 1;
            call(&shop, method, path, number)
        };
        let programs = [(callers.service(), Role::Service)];
        let people =
            [(callers.customer(), Role::Customer), (callers.staff(), Role::Staff), (callers.admin(), Role::Admin)];
        for (person, role) in people.into_iter().chain(programs) {
            let (status, code) = who.answers(role, (status, code));
            calls.push((next().header("Authorization", person.bearer()), status, code));
        }
        let guest = next().header("X-Guest-Token", "A".repeat(43));
        let (status, code) = if who == Who::Everybody { (status, code) } else { (401, Some("unauthenticated")) };
        calls.extend([(next(), status, code), (guest, status, code)]);
        let forged = format!("{}x", callers.customer().bearer());
        calls.push((next().header("Authorization", callers.expired().bearer()), 401, Some("token_expired")));
        calls.push((next().header("Authorization", forged), 401, Some("invalid_token")));
        calls.push((next().header("Authorization", "Bearer nonsense"), 401, Some("invalid_token")));
        for (n, (call, status, code)) in calls.into_iter().enumerate() {
            let answer = Answer::of(call.send().await.unwrap()).await;
            let expected = (status, code);
            assert_eq!(
                (answer.status, answer.body["code"].as_str()),
                expected,
                "{method} {path}, call {n}: {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn whoever_is_refused_leaves_no_trace() {
    let shop = identity().await;
    let expired = shop.callers().expired().bearer();
    let call = call(&shop, "POST", "/api/v1/auth/register", 1).header("Authorization", expired);
    assert_eq!(call.send().await.unwrap().status(), 401);
    let service = shop.callers().service().bearer();
    let logout = request(&shop, Method::POST, "/api/v1/auth/logout").header("Authorization", service);
    assert_eq!(logout.send().await.unwrap().status(), 403);
    let mongo = shop.mongo("identity").await;
    for collection in ["users", "sessions", "outbox"] {
        assert!(documents(&mongo, collection, doc! {}).await.is_empty(), "{collection}");
    }
}

#[tokio::test]
async fn other_methods_and_paths_are_not_there() {
    let shop = identity().await;
    for (method, path, status, code) in [
        (Method::GET, "/api/v1/auth/login", 405, "method_not_allowed"),
        (Method::POST, "/api/v1/me", 405, "method_not_allowed"),
        (Method::PATCH, "/api/v1/audit", 405, "method_not_allowed"),
        (Method::DELETE, "/api/v1/audit", 405, "method_not_allowed"),
        (Method::POST, "/api/v1/audit", 405, "method_not_allowed"),
        (Method::POST, "/.well-known/jwks.json", 405, "method_not_allowed"),
        (Method::GET, "/api/v1/me/orders", 404, "not_found"),
        (Method::GET, "/api/v1/auth", 404, "not_found"),
    ] {
        Answer::of(request(&shop, method, path).send().await.unwrap()).await.must_be(status, code);
    }
}

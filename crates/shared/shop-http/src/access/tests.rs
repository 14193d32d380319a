//! The access table: every role against every kind of access, routes that overlap, and the check against OpenAPI.

use shop_types::caller::GuestToken;
use shop_types::{SessionId, UserId};
use utoipa::openapi::path::{HttpMethod, OperationBuilder, PathItem};
use utoipa::openapi::{OpenApiBuilder, PathsBuilder};
use uuid::Uuid;

use super::*;

fn user(role: Role) -> Caller {
    Caller::User { id: UserId::from_uuid(Uuid::from_u128(1)), role, session: SessionId::from_uuid(Uuid::from_u128(2)) }
}

fn guest() -> Caller {
    Caller::Guest { token: GuestToken::parse(&"g".repeat(43)).unwrap() }
}

fn served(routes: &[(HttpMethod, &str)]) -> OpenApi {
    let paths = routes.iter().fold(PathsBuilder::new(), |paths, (method, template)| {
        paths.path(*template, PathItem::new(method.clone(), OperationBuilder::new().build()))
    });
    OpenApiBuilder::new().paths(paths).build()
}

#[test]
fn every_caller_gets_exactly_what_the_access_says() {
    use Refused::{Forbidden, Unauthenticated};
    let callers =
        [Caller::Anonymous, guest(), user(Role::Customer), user(Role::Staff), user(Role::Admin), user(Role::Service)];
    let (yes, who, no) = (Ok(()), Err(Unauthenticated), Err(Forbidden));
    let expected = [
        (Access::PUBLIC, [yes, yes, yes, yes, yes, yes]),
        (Access::GUEST, [who, yes, yes, yes, yes, no]),
        (Access::CUSTOMER, [who, who, yes, yes, yes, no]),
        (Access::STAFF, [who, who, no, yes, yes, no]),
        (Access::ADMIN, [who, who, no, no, yes, no]),
        (Access::SERVICE, [who, who, no, no, no, yes]),
        (Access::STAFF_OR_SERVICE, [who, who, no, yes, yes, yes]),
        (Access::CUSTOMER.guarded_against_guessing(), [who, who, yes, yes, yes, no]),
    ];
    for (access, answers) in expected {
        for (caller, answer) in callers.iter().zip(answers) {
            assert_eq!(access.allows(caller), answer, "{access:?} {caller:?}");
        }
    }
}

const ROUTES: &[Route] = &[
    (Method::Get, "/products", Access::PUBLIC),
    (Method::Post, "/products", Access::STAFF),
    (Method::Get, "/products/{id}", Access::PUBLIC),
    (Method::Get, "/products/exports", Access::STAFF),
    (Method::Delete, "/products/{id}", Access::ADMIN),
];

#[test]
fn a_request_is_judged_by_method_and_path() {
    let table = AccessTable::new(ROUTES);
    let verdict = |method, path| table.check(Method::from_wire(method), path, &Caller::Anonymous).verdict;
    assert_eq!(verdict("GET", "/products"), Verdict::Allowed);
    assert_eq!(verdict("HEAD", "/products"), Verdict::Allowed);
    assert_eq!(verdict("POST", "/products"), Verdict::Refused(Refused::Unauthenticated));
    assert_eq!(verdict("PUT", "/products"), Verdict::WrongMethod);
    assert_eq!(verdict("BREW", "/products"), Verdict::WrongMethod);
    for path in ["/", "/product", "/products/", "/products/1/2", "/Products", "//products", ""] {
        assert_eq!(verdict("GET", path), Verdict::Unknown, "{path}");
    }
}

#[test]
fn where_two_templates_fit_both_must_let_the_caller_in() {
    let mut routes = ROUTES.to_vec();
    for _ in 0..2 {
        let table = AccessTable::new(&routes);
        let verdict = |path, caller: &Caller| table.check(Some(Method::Get), path, caller).verdict;
        assert_eq!(verdict("/products/1", &Caller::Anonymous), Verdict::Allowed);
        assert_eq!(verdict("/products/exports", &user(Role::Customer)), Verdict::Refused(Refused::Forbidden));
        assert_eq!(verdict("/products/exports", &user(Role::Staff)), Verdict::Allowed);
        routes.reverse();
    }
}

#[test]
fn allow_lists_what_a_path_has_and_what_comes_with_it() {
    let table = AccessTable::new(ROUTES);
    assert_eq!(table.allow("/products").as_deref(), Some("GET, HEAD, POST, OPTIONS"));
    assert_eq!(table.allow("/products/1").as_deref(), Some("GET, HEAD, DELETE, OPTIONS"));
    // It fits the template with a parameter, too.
    assert_eq!(table.allow("/products/exports").as_deref(), Some("GET, HEAD, OPTIONS"));
    assert_eq!(table.allow("/elsewhere"), None);
}

#[test]
fn a_table_that_equals_the_served_routes_has_no_differences() {
    let routes = &ROUTES[..2];
    let served = served(&[(HttpMethod::Get, "/products"), (HttpMethod::Post, "/products")]);
    assert_eq!(AccessTable::new(routes).differences(&served), Vec::<String>::new());
}

#[test]
fn every_difference_is_named() {
    let table = AccessTable::new(&[
        (Method::Get, "/both", Access::PUBLIC),
        (Method::Get, "/both", Access::ADMIN),
        (Method::Get, "/listed", Access::PUBLIC),
    ]);
    let served = served(&[(HttpMethod::Get, "/both"), (HttpMethod::Put, "/served"), (HttpMethod::Trace, "/served")]);
    let differences = table.differences(&served);
    assert_eq!(
        differences,
        [
            "GET /both is in the access table twice",
            "PUT /served is served but not in the access table",
            "TRACE /served is served but not in the access table",
            "GET /listed is in the access table but not served",
        ]
    );
}

#[test]
fn only_guarded_routes_fall_under_the_stricter_limit() {
    let table = AccessTable::new(&[
        (Method::Post, "/login", Access::PUBLIC.guarded_against_guessing()),
        (Method::Get, "/login", Access::PUBLIC),
        (Method::Post, "/{any}", Access::PUBLIC),
        (Method::Post, "/hooks/{sender}", Access::PUBLIC.uncounted()),
    ]);
    let limit = |method, path| table.check(Method::from_wire(method), path, &Caller::Anonymous).limit;
    assert_eq!(limit("POST", "/login"), Some(Kind::Authentication));
    assert_eq!(limit("POST", "/hooks/psp"), None);
    for (method, path) in
        [("GET", "/login"), ("HEAD", "/login"), ("DELETE", "/login"), ("POST", "/other"), ("GET", "/no/way")]
    {
        assert_eq!(limit(method, path), Some(Kind::General), "{method} {path}");
    }
}

#[test]
fn paths_fit_templates_as_the_router_has_it() {
    let templates = ["/", "/a", "/a/", "/a/{id}", "/a/{id}/b", "/a/{id}/{name}", "/{id}", "/a/b/{id}"];
    let paths = [
        "/", "", "/a", "/a/", "/a//", "/a/b", "/a/b/", "/a/b/b", "/a/b/c", "/a//b", "/a/{id}", "/a/%2F", "/a/\n/b",
        "/é",
    ];
    for template in templates {
        let router = actix_web::dev::ResourceDef::new(template);
        for path in paths {
            assert_eq!(is_of(template, path), router.is_match(path), "{template} {path:?}");
        }
    }
}

#[test]
fn a_parameter_that_is_not_a_whole_segment_is_a_difference() {
    let template = "/files/{name}.json";
    let table = AccessTable::new(&[(Method::Get, template, Access::PUBLIC)]);
    let differences = table.differences(&served(&[(HttpMethod::Get, template)]));
    assert_eq!(differences, ["GET /files/{name}.json has a parameter that is not a whole segment"]);
}

//! The compatibility aliases of this service: older names of its routes, for clients of other shops. Thin: each reads the
//! older spelling, calls what the canonical handler calls, and answers in the older shape.

mod body;
mod people;
mod sessions;

use shop_http::{Access, Alias, Method};
use utoipa_actix_web::scope::scope;
use utoipa_actix_web::service_config::ServiceConfig;

/// Routes that check or set a password have the stricter limit, under every name.
const CHECKED: Access = Access::PUBLIC.guarded_against_guessing();

/// Who may call each alias.
pub(crate) const ACCESS: &[Alias] = &[
    Alias::new(Method::Post, "/user", CHECKED, "/api/v1/auth/register"),
    Alias::new(Method::Get, "/user/{id}", Access::LOGGED_IN, "/api/v1/users"),
    Alias::new(Method::Put, "/user/{id}", Access::CUSTOMER, "/api/v1/me"),
    Alias::new(Method::Delete, "/user/{id}", Access::CUSTOMER.guarded_against_guessing(), "/api/v1/me"),
    Alias::new(Method::Post, "/users/register", CHECKED, "/api/v1/auth/register"),
    Alias::new(Method::Get, "/users", Access::ADMIN, "/api/v1/users").open(),
    Alias::new(Method::Get, "/users/{id}", Access::LOGGED_IN, "/api/v1/users").open(),
    Alias::new(Method::Post, "/auth/register", CHECKED, "/api/v1/auth/register"),
    Alias::new(Method::Post, "/auth/login", CHECKED, "/api/v1/auth/login"),
    Alias::new(Method::Get, "/auth/profile", Access::CUSTOMER, "/api/v1/me"),
    Alias::new(Method::Put, "/auth/profile", Access::CUSTOMER, "/api/v1/me"),
    Alias::new(Method::Post, "/auth/logout", Access::CUSTOMER, "/api/v1/auth/logout"),
    Alias::new(Method::Post, "/api/auth/register", CHECKED, "/api/v1/auth/register"),
    Alias::new(Method::Post, "/api/auth/login", CHECKED, "/api/v1/auth/login"),
    Alias::new(Method::Get, "/api/auth/profile", Access::CUSTOMER, "/api/v1/me"),
    Alias::new(Method::Put, "/api/auth/profile", Access::CUSTOMER, "/api/v1/me"),
    Alias::new(Method::Post, "/api/auth/logout", Access::CUSTOMER, "/api/v1/auth/logout"),
];

pub(crate) fn configure(routes: &mut ServiceConfig<'_>) {
    routes.service(scope("/user").configure(people::one));
    routes.service(scope("/users").configure(people::all));
    for prefix in ["/auth", "/api/auth"] {
        routes.service(scope(prefix).configure(sessions::configure));
    }
}

//! HTTP in: parse, call [`App`], respond. `configure` at the bottom is the URL table, [`ACCESS`] says who may call.

mod auth;
mod body;
mod keys;
mod me;

use shop_http::{Access, Code, Method, Route};
use utoipa_actix_web::service_config::ServiceConfig;

#[cfg(doc)]
use crate::app::App;

/// Who may call each route.
pub(crate) const ACCESS: &[Route] = &[
    (Method::Post, "/api/v1/auth/register", Access::PUBLIC),
    (Method::Post, "/api/v1/auth/login", Access::PUBLIC),
    (Method::Post, "/api/v1/auth/refresh", Access::PUBLIC),
    (Method::Post, "/api/v1/auth/logout", Access::CUSTOMER),
    (Method::Get, "/api/v1/me", Access::CUSTOMER),
    (Method::Patch, "/api/v1/me", Access::CUSTOMER),
    (Method::Get, "/.well-known/jwks.json", Access::PUBLIC),
];

/// The codes of this service beside the shared ones.
pub(crate) const CODES: &[Code] = &[
    ("wrong_credentials", 401, "E-mail address or password is wrong."),
    (
        "invalid_refresh_token",
        401,
        "The refresh token does not count: expired, revoked, used before, or not ours. Log in again.",
    ),
    ("email_taken", 409, "Another account has this e-mail address."),
    ("busy", 503, "Too many passwords are being checked; try again."),
];

/// Mounts the routes.
pub(crate) fn configure(routes: &mut ServiceConfig<'_>) {
    routes
        .service(auth::register)
        .service(auth::login)
        .service(auth::refresh)
        .service(auth::logout)
        .service(me::get_me)
        .service(me::change_me)
        .service(keys::key_set);
}

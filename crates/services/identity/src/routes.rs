//! HTTP in: parse, call [`App`], respond. `configure` at the bottom is the URL table, [`ACCESS`] says who may call.

mod addresses;
mod api_keys;
mod audit;
mod auth;
pub(crate) mod body;
mod customer_orders;
mod exports;
mod keys;
mod me;
mod sessions;
mod users;

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderName, HeaderValue, RETRY_AFTER};
use shop_http::{Access, Code, HttpError, Method, Route};
use utoipa_actix_web::service_config::ServiceConfig;

#[cfg(doc)]
use crate::app::App;
use crate::app::Error;

/// Who may call each route.
pub(crate) const ACCESS: &[Route] = &[
    (Method::Post, "/api/v1/auth/register", Access::PUBLIC.guarded_against_guessing()),
    (Method::Post, "/api/v1/auth/login", Access::PUBLIC.guarded_against_guessing()),
    (Method::Post, "/api/v1/auth/refresh", Access::PUBLIC),
    (Method::Post, "/api/v1/auth/logout", Access::CUSTOMER),
    (Method::Post, "/api/v1/auth/token", Access::PUBLIC.guarded_against_guessing()),
    (Method::Post, "/api/v1/auth/password/forgot", Access::PUBLIC.guarded_against_guessing()),
    (Method::Post, "/api/v1/auth/password/reset", Access::PUBLIC.guarded_against_guessing()),
    (Method::Post, "/api/v1/auth/email/verify", Access::PUBLIC.guarded_against_guessing()),
    (Method::Get, "/api/v1/me", Access::CUSTOMER),
    (Method::Patch, "/api/v1/me", Access::CUSTOMER),
    (Method::Delete, "/api/v1/me", Access::CUSTOMER.guarded_against_guessing()),
    (Method::Put, "/api/v1/me/password", Access::CUSTOMER.guarded_against_guessing()),
    (Method::Put, "/api/v1/me/email", Access::CUSTOMER.guarded_against_guessing()),
    (Method::Post, "/api/v1/me/email/verification", Access::CUSTOMER.guarded_against_guessing()),
    (Method::Get, "/api/v1/me/sessions", Access::CUSTOMER),
    (Method::Delete, "/api/v1/me/sessions", Access::CUSTOMER),
    (Method::Delete, "/api/v1/me/sessions/{id}", Access::CUSTOMER),
    (Method::Get, "/api/v1/me/addresses", Access::CUSTOMER),
    (Method::Post, "/api/v1/me/addresses", Access::CUSTOMER),
    (Method::Get, "/api/v1/me/addresses/{id}", Access::CUSTOMER),
    (Method::Patch, "/api/v1/me/addresses/{id}", Access::CUSTOMER),
    (Method::Delete, "/api/v1/me/addresses/{id}", Access::CUSTOMER),
    (Method::Post, "/api/v1/me/export", Access::CUSTOMER),
    (Method::Get, "/api/v1/me/export/{job}", Access::CUSTOMER),
    (Method::Get, "/api/v1/users", Access::ADMIN),
    (Method::Post, "/api/v1/users", Access::ADMIN),
    (Method::Get, "/api/v1/users/{id}", Access::STAFF_OR_SERVICE),
    (Method::Patch, "/api/v1/users/{id}", Access::ADMIN),
    (Method::Delete, "/api/v1/users/{id}", Access::ADMIN),
    (Method::Put, "/api/v1/users/{id}/roles", Access::ADMIN),
    (Method::Post, "/api/v1/users/{id}/deactivate", Access::ADMIN),
    (Method::Post, "/api/v1/users/{id}/activate", Access::ADMIN),
    (Method::Get, "/api/v1/customers/{id}/orders", Access::CUSTOMER),
    (Method::Put, "/api/v1/customers/{id}/orders/{orderId}", Access::SERVICE),
    (Method::Get, "/api/v1/api-keys", Access::ADMIN),
    (Method::Post, "/api/v1/api-keys", Access::ADMIN),
    (Method::Get, "/api/v1/api-keys/{id}", Access::ADMIN),
    (Method::Delete, "/api/v1/api-keys/{id}", Access::ADMIN),
    (Method::Get, "/api/v1/audit", Access::ADMIN),
    (Method::Get, "/.well-known/jwks.json", Access::PUBLIC),
];

/// The codes of this service beside the shared ones.
pub(crate) const CODES: &[Code] = &[
    ("invalid_request", 400, "A parameter of the request for a token is missing or was sent twice."),
    ("unsupported_grant_type", 400, "The grant_type of a request for a token must be client_credentials."),
    ("invalid_scope", 400, "The scope of a request for a token must be left out, or be the role of the API key."),
    ("wrong_credentials", 401, "E-mail address or password is wrong."),
    ("invalid_client", 401, "The id and secret do not name an API key that counts: unknown, wrong, removed or over."),
    (
        "invalid_refresh_token",
        401,
        "The refresh token does not count: expired, revoked, used before, or not ours. Log in again.",
    ),
    ("wrong_password", 403, "The password that was sent to prove who you are is wrong."),
    ("account_deactivated", 403, "An admin has closed this account."),
    ("own_account", 409, "Admins do not give themselves another role, nor change, close or delete their own account."),
    ("no_session", 409, "The tokens of an API key have no session; they end when an admin removes the key."),
    ("order_of_another", 409, "The order is known as another person's."),
    ("too_many_addresses", 409, "There are as many addresses as there may be: 20."),
    ("idempotency_key_reused", 422, "This Idempotency-Key was used for another request."),
    ("email_taken", 409, "Another account has this e-mail address."),
    ("export_failed", 410, "The export could not be finished within an hour: ask for another one."),
    ("token_spent", 410, "The token of the letter does not count: used, expired, not ours, or of an earlier address."),
    ("busy", 503, "Too many passwords are being checked, or letters written; try again."),
];

/// Says that the answer is of an earlier request with the same key.
fn said_before(mut response: HttpResponse) -> HttpResponse {
    let name = HeaderName::from_static("idempotency-replayed");
    response.headers_mut().insert(name, HeaderValue::from_static("true"));
    response
}

/// The refusal of a call that looks at a password, with when to come again where that is known.
pub(crate) fn refusal(error: Error) -> HttpError {
    let seconds = error.retry_after();
    let refused = HttpError::from(error);
    match seconds {
        Some(seconds) => refused.with_header(RETRY_AFTER, HeaderValue::from(seconds)),
        None => refused,
    }
}

/// Mounts the routes.
pub(crate) fn configure(routes: &mut ServiceConfig<'_>) {
    routes
        .service(auth::register)
        .service(auth::login)
        .service(auth::refresh)
        .service(auth::logout)
        .service(api_keys::exchange_api_key)
        .service(auth::forgot_password)
        .service(auth::reset_password)
        .service(auth::verify_email)
        .service(me::get_me)
        .service(me::change_me)
        .service(me::delete_me)
        .service(me::change_password)
        .service(me::change_email)
        .service(me::verify_again)
        .service(sessions::list_sessions)
        .service(sessions::end_session)
        .service(sessions::end_other_sessions)
        .service(addresses::list_addresses)
        .service(addresses::add_address)
        .service(addresses::get_address)
        .service(addresses::change_address)
        .service(addresses::remove_address)
        .service(exports::begin_export)
        .service(exports::get_export)
        .service(users::list_users)
        .service(users::create_user)
        .service(users::get_user)
        .service(users::change_user)
        .service(users::delete_user)
        .service(users::set_role)
        .service(users::deactivate_user)
        .service(users::activate_user)
        .service(customer_orders::list_customer_orders)
        .service(customer_orders::link_order)
        .service(api_keys::list_api_keys)
        .service(api_keys::create_api_key)
        .service(api_keys::get_api_key)
        .service(api_keys::remove_api_key)
        .service(audit::list_audit)
        .service(keys::key_set);
}

//! One's own account.

use actix_web::web::Data;
use actix_web::{HttpResponse, get, patch};
use shop_http::{Body, ErrorBody, HttpError, IfMatch, LoggedIn, MaybeIfNoneMatch, reply};

use super::body::{MeChangeBody, UserBody};
use crate::app::App;

/// Reads one's own account.
#[utoipa::path(tag = "identity", responses(
    (status = 200, description = "The account", body = UserBody),
    (status = 304, description = "The version in If-None-Match is the present one"),
    (status = 401, description = "No token, or one that does not hold", body = ErrorBody),
    (status = 404, description = "The account is gone", body = ErrorBody),
))]
#[get("/api/v1/me")]
pub(crate) async fn get_me(
    app: Data<App>,
    LoggedIn(id, ..): LoggedIn,
    known: MaybeIfNoneMatch,
) -> Result<HttpResponse, HttpError> {
    let user = app.user(id).await?;
    if known.matches(user.version) {
        return Ok(reply::not_modified(user.version));
    }
    Ok(reply::with_etag(user.version, &UserBody::from(user)))
}

/// Changes the name of one's own account; its version must be sent in If-Match.
#[utoipa::path(tag = "identity", request_body = MeChangeBody, params(("If-Match" = String, Header)), responses(
    (status = 200, description = "The account after the change", body = UserBody),
    (status = 401, description = "No token, or one that does not hold", body = ErrorBody),
    (status = 412, description = "It has changed meanwhile", body = ErrorBody),
    (status = 422, description = "A value breaks its rule", body = ErrorBody),
    (status = 428, description = "If-Match is missing", body = ErrorBody),
))]
#[patch("/api/v1/me")]
pub(crate) async fn change_me(
    app: Data<App>,
    LoggedIn(id, ..): LoggedIn,
    version: IfMatch,
    body: Body<MeChangeBody>,
) -> Result<HttpResponse, HttpError> {
    let user = app.rename(id, version.0, &body.name).await?;
    Ok(reply::with_etag(user.version, &UserBody::from(user)))
}

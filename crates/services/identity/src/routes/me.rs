//! One's own account.

use actix_web::web::Data;
use actix_web::{HttpResponse, delete, get, patch, post, put};
use shop_http::{Body, ErrorBody, HttpError, IfMatch, LoggedIn, MaybeIfNoneMatch, NoBody, reply};

use super::body::{DeletionBody, EmailChangeBody, MeChangeBody, PasswordChangeBody, UserBody};
use super::refusal;
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

/// Deletes one's own account, for good: name, address, addresses and sessions go at once, and other services forget the
/// person as soon as they hear of it. Orders stay in the books, under an id that means nobody. The password is asked for.
#[utoipa::path(tag = "identity", request_body = DeletionBody, responses(
    (status = 204, description = "The account is gone"),
    (status = 401, description = "No token, or one that does not hold", body = ErrorBody),
    (status = 403, description = "The password is wrong", body = ErrorBody),
    (status = 404, description = "The account is gone", body = ErrorBody),
    (status = 409, description = "An admin's account: another admin deletes it", body = ErrorBody),
    (status = 429, description = "The password was wrong too often; also for the right one", body = ErrorBody),
    (status = 503, description = "Too many passwords are being checked", body = ErrorBody),
))]
#[delete("/api/v1/me")]
pub(crate) async fn delete_me(
    app: Data<App>,
    LoggedIn(id, ..): LoggedIn,
    body: Body<DeletionBody>,
) -> Result<HttpResponse, HttpError> {
    app.delete_me(id, body.into_inner().password).await.map_err(refusal)?;
    Ok(reply::no_content())
}

/// Changes one's own password and ends one's other sessions. The present password is asked for: a stolen token does not do.
#[utoipa::path(tag = "identity", request_body = PasswordChangeBody, responses(
    (status = 204, description = "The new password counts, and the other sessions have ended"),
    (status = 401, description = "No token, or one that does not hold", body = ErrorBody),
    (status = 403, description = "The present password is wrong", body = ErrorBody),
    (status = 422, description = "The new password breaks a rule", body = ErrorBody),
    (status = 429, description = "The password was wrong too often; also for the right one", body = ErrorBody),
    (status = 503, description = "Too many passwords are being checked", body = ErrorBody),
))]
#[put("/api/v1/me/password")]
pub(crate) async fn change_password(
    app: Data<App>,
    LoggedIn(id, _, here): LoggedIn,
    body: Body<PasswordChangeBody>,
) -> Result<HttpResponse, HttpError> {
    let PasswordChangeBody { current_password, new_password } = body.into_inner();
    app.change_password(id, here, current_password, new_password).await.map_err(refusal)?;
    Ok(reply::no_content())
}

/// Changes one's own e-mail address; the password is asked for, and the version must be sent in If-Match.
#[utoipa::path(tag = "identity", request_body = EmailChangeBody, params(("If-Match" = String, Header)), responses(
    (status = 200, description = "The account with its new address", body = UserBody),
    (status = 401, description = "No token, or one that does not hold", body = ErrorBody),
    (status = 403, description = "The password is wrong", body = ErrorBody),
    (status = 409, description = "Another account has the address", body = ErrorBody),
    (status = 412, description = "The account has changed meanwhile", body = ErrorBody),
    (status = 422, description = "Not an address", body = ErrorBody),
    (status = 428, description = "If-Match is missing", body = ErrorBody),
    (status = 429, description = "The password was wrong too often; also for the right one", body = ErrorBody),
    (status = 503, description = "Too many passwords are being checked", body = ErrorBody),
))]
#[put("/api/v1/me/email")]
pub(crate) async fn change_email(
    app: Data<App>,
    LoggedIn(id, ..): LoggedIn,
    version: IfMatch,
    body: Body<EmailChangeBody>,
) -> Result<HttpResponse, HttpError> {
    let EmailChangeBody { email, password } = body.into_inner();
    let user = app.change_email(id, version.0, email, password).await.map_err(refusal)?;
    Ok(reply::with_etag(user.version, &UserBody::from(user)))
}

/// Sends another letter to one's own address to verify it, unless it is verified or enough letters are on their way.
#[utoipa::path(tag = "identity", responses(
    (status = 202, description = "A letter is on its way, or none is needed"),
    (status = 401, description = "No token, or one that does not hold", body = ErrorBody),
    (status = 404, description = "The account is gone", body = ErrorBody),
))]
#[post("/api/v1/me/email/verification")]
pub(crate) async fn verify_again(
    app: Data<App>,
    LoggedIn(id, ..): LoggedIn,
    _: NoBody,
) -> Result<HttpResponse, HttpError> {
    app.verify_again(id).await?;
    Ok(HttpResponse::Accepted().finish())
}

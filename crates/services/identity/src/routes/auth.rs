//! Opening accounts and sessions, going on with them, ending them.

use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use shop_http::{Body, ErrorBody, HttpError, LoggedIn, MaybeKey, NoBody, reply};

use super::body::{
    ForgottenBody, LoginBody, RefreshBody, RegisterBody, ResetBody, SessionBody, TokensBody, VerificationBody,
};
use super::refusal;
use crate::app::{App, Register};

/// Opens an account and a session for it. Tells whether an address has an account, as every registration that answers at
/// once does. With an Idempotency-Key, a repeat of the same call opens another session instead of failing.
#[utoipa::path(tag = "identity", request_body = RegisterBody, params(("Idempotency-Key" = Option<String>, Header)), responses(
    (status = 201, description = "The account, with a session", body = SessionBody),
    (status = 409, description = "The address has an account", body = ErrorBody),
    (status = 422, description = "A value breaks its rule", body = ErrorBody),
    (status = 503, description = "Too many passwords are being checked", body = ErrorBody),
))]
#[post("/api/v1/auth/register")]
pub(crate) async fn register(
    app: Data<App>,
    key: MaybeKey,
    body: Body<RegisterBody>,
) -> Result<HttpResponse, HttpError> {
    let RegisterBody { email, password, name } = body.into_inner();
    let opened = app.register(Register { email, password, name, key: key.0 }).await.map_err(refusal)?;
    Ok(reply::created("/api/v1/me", None, &SessionBody::from(opened)))
}

/// Opens a session for whoever knows the password. A wrong password and an unknown address are answered the same.
#[utoipa::path(tag = "identity", request_body = LoginBody, responses(
    (status = 200, description = "A session", body = SessionBody),
    (status = 401, description = "Address or password is wrong", body = ErrorBody),
    (status = 403, description = "The password is right, but an admin has closed the account", body = ErrorBody),
    (status = 422, description = "Not an address", body = ErrorBody),
    (status = 429, description = "Too many wrong passwords for this address; also for the right one", body = ErrorBody),
    (status = 503, description = "Too many passwords are being checked", body = ErrorBody),
))]
#[post("/api/v1/auth/login")]
pub(crate) async fn login(app: Data<App>, body: Body<LoginBody>) -> Result<HttpResponse, HttpError> {
    let LoginBody { email, password } = body.into_inner();
    let opened = app.login(&email, password).await.map_err(refusal)?;
    Ok(reply::ok(&SessionBody::from(opened)))
}

/// Exchanges a refresh token for a new pair; the old one no longer counts. Should the reply be lost, the same call within
/// 10 s brings the same refresh token again; used later, an old token ends the session.
#[utoipa::path(tag = "identity", request_body = RefreshBody, responses(
    (status = 200, description = "A new pair", body = TokensBody),
    (status = 401, description = "The token does not count: log in again", body = ErrorBody),
))]
#[post("/api/v1/auth/refresh")]
pub(crate) async fn refresh(app: Data<App>, body: Body<RefreshBody>) -> Result<HttpResponse, HttpError> {
    let tokens = app.refresh(&body.refresh_token).await?;
    Ok(reply::ok(&TokensBody::from(tokens)))
}

/// Ends the session of the access token: here at once, in every other pod as soon as it hears of it.
#[utoipa::path(tag = "identity", responses(
    (status = 204, description = "The session has ended"),
    (status = 401, description = "No token, or one that does not hold", body = ErrorBody),
    (status = 409, description = "The token is one of an API key", body = ErrorBody),
))]
#[post("/api/v1/auth/logout")]
pub(crate) async fn logout(app: Data<App>, caller: LoggedIn, _: NoBody) -> Result<HttpResponse, HttpError> {
    let LoggedIn(user, _, session) = caller;
    app.logout(user, session).await?;
    Ok(reply::no_content())
}

/// Sends a letter to an address with which its owner can choose another password. The answer is the same whether the address
/// has an account or not.
#[utoipa::path(tag = "identity", request_body = ForgottenBody, responses(
    (status = 202, description = "If the address has an account, a letter is on its way"),
    (status = 422, description = "Not an address", body = ErrorBody),
    (status = 503, description = "Too many letters are being written", body = ErrorBody),
))]
#[post("/api/v1/auth/password/forgot")]
pub(crate) async fn forgot_password(app: Data<App>, body: Body<ForgottenBody>) -> Result<HttpResponse, HttpError> {
    app.into_inner().forgot_password(body.into_inner().email)?;
    Ok(HttpResponse::Accepted().finish())
}

/// Chooses another password with the token of a letter, which counts once and for 15 minutes. All sessions end.
#[utoipa::path(tag = "identity", request_body = ResetBody, responses(
    (status = 204, description = "The new password counts"),
    (status = 410, description = "The token does not count: used, expired, or not ours", body = ErrorBody),
    (status = 422, description = "The password breaks a rule", body = ErrorBody),
    (status = 503, description = "Too many passwords are being checked", body = ErrorBody),
))]
#[post("/api/v1/auth/password/reset")]
pub(crate) async fn reset_password(app: Data<App>, body: Body<ResetBody>) -> Result<HttpResponse, HttpError> {
    let ResetBody { token, password } = body.into_inner();
    app.reset_password(&token, password).await?;
    Ok(reply::no_content())
}

/// Verifies the address of an account with the token of a letter, which counts once and for 15 minutes.
#[utoipa::path(tag = "identity", request_body = VerificationBody, responses(
    (status = 204, description = "The address is verified"),
    (status = 410, description = "The token does not count: used, expired, not ours, or of an earlier address", body = ErrorBody),
))]
#[post("/api/v1/auth/email/verify")]
pub(crate) async fn verify_email(app: Data<App>, body: Body<VerificationBody>) -> Result<HttpResponse, HttpError> {
    app.verify_email(&body.token).await?;
    Ok(reply::no_content())
}

//! Aliases below `/auth` and `/api/auth`: accounts and sessions.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpResponse, get, post, put};
use shop_http::alias::LooseBody;
use shop_http::{ErrorBody, HttpError, LoggedIn, MaybeKey, reply};
use utoipa_actix_web::service_config::ServiceConfig;

use super::body::{
    FoundUserAlias, LoginAlias, MessageAlias, ProfileChangeAlias, RegisterAlias, SessionAlias, WrittenUserAlias,
};
use crate::app::{App, Register};
use crate::routes::refusal;

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes.service(register).service(login).service(profile).service(change_profile).service(logout);
}

/// Opens an account, always of a customer, and a session for it.
pub(super) async fn registered(
    app: &App,
    key: MaybeKey,
    sent: LooseBody<RegisterAlias>,
) -> Result<HttpResponse, HttpError> {
    let RegisterAlias { email, password, name } = sent.into_inner();
    let opened = app.register(Register { email, password, name, key: key.0 }).await.map_err(refusal)?;
    let session = SessionAlias::new("User registered successfully", opened);
    Ok(reply::with_status(StatusCode::CREATED, None, &session))
}

/// Opens an account and a session for it.
#[utoipa::path(tag = "identity", request_body = RegisterAlias, params(("Idempotency-Key" = Option<String>, Header)), responses(
    (status = 201, description = "The account, with a session", body = SessionAlias),
    (status = 409, description = "The address has an account", body = ErrorBody),
    (status = 422, description = "A value breaks its rule", body = ErrorBody),
))]
#[post("/register")]
pub(crate) async fn register(
    app: Data<App>,
    key: MaybeKey,
    sent: LooseBody<RegisterAlias>,
) -> Result<HttpResponse, HttpError> {
    registered(&app, key, sent).await
}

/// Opens a session for whoever knows the password.
#[utoipa::path(tag = "identity", request_body = LoginAlias, responses(
    (status = 200, description = "A session", body = SessionAlias),
    (status = 401, description = "Address or password is wrong", body = ErrorBody),
    (status = 429, description = "Too many wrong passwords for this address; also for the right one", body = ErrorBody),
))]
#[post("/login")]
pub(crate) async fn login(app: Data<App>, sent: LooseBody<LoginAlias>) -> Result<HttpResponse, HttpError> {
    let LoginAlias { email, password } = sent.into_inner();
    let opened = app.login(&email, password).await.map_err(refusal)?;
    Ok(reply::ok(&SessionAlias::new("Login successful", opened)))
}

/// Reads one's own account.
#[utoipa::path(tag = "identity", responses(
    (status = 200, description = "The account", body = FoundUserAlias),
    (status = 404, description = "The account is gone", body = ErrorBody),
))]
#[get("/profile")]
pub(crate) async fn profile(app: Data<App>, LoggedIn(id, ..): LoggedIn) -> Result<HttpResponse, HttpError> {
    let user = app.user(id).await?.into();
    Ok(reply::ok(&FoundUserAlias { user, cached: false }))
}

/// Changes the name of one's own account.
#[utoipa::path(tag = "identity", request_body = ProfileChangeAlias, responses(
    (status = 200, description = "The account after the change", body = WrittenUserAlias),
    (status = 404, description = "The account is gone", body = ErrorBody),
    (status = 422, description = "A value breaks its rule", body = ErrorBody),
))]
#[put("/profile")]
pub(crate) async fn change_profile(
    app: Data<App>,
    LoggedIn(id, ..): LoggedIn,
    sent: LooseBody<ProfileChangeAlias>,
) -> Result<HttpResponse, HttpError> {
    let user = app.rename_present(id, &sent.into_inner().name).await?.into();
    Ok(reply::ok(&WrittenUserAlias { message: "Profile updated successfully", user }))
}

/// Ends the session of the access token.
#[utoipa::path(tag = "identity", responses((status = 200, description = "The session has ended", body = MessageAlias)))]
#[post("/logout")]
pub(crate) async fn logout(app: Data<App>, caller: LoggedIn) -> Result<HttpResponse, HttpError> {
    let LoggedIn(user, _, session) = caller;
    app.logout(user, session).await?;
    Ok(reply::ok(&MessageAlias { message: "Logged out successfully" }))
}

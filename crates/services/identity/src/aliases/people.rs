//! Aliases below `/user` and `/users`: accounts by id, or by the number that people use.

use actix_web::web::Data;
use actix_web::{HttpResponse, get, post, put};
use shop_http::alias::{Limits, LooseBody, LooseQuery};
use shop_http::{ErrorBody, HttpError, LoggedIn, MaybeKey, PathText, Who, reply};
use shop_types::id::UserKind;
use shop_types::{Caller, Named, Page, Role};
use utoipa_actix_web::service_config::ServiceConfig;

use super::body::{ProfileChangeAlias, RegisterAlias, SessionAlias, UserAlias, UsersAlias};
use super::sessions::registered;
use crate::app::App;
use crate::domain::User;

/// The routes below `/user`.
pub(super) fn one(routes: &mut ServiceConfig<'_>) {
    routes.service(register_user).service(get_user).service(change_user);
}

/// The routes below `/users`; the fixed one first (C19).
pub(super) fn all(routes: &mut ServiceConfig<'_>) {
    routes.service(register_users).service(list_users).service(get_user);
}

/// The account, if the caller may see it: customers see their own, staff and programs all. Who has no token got here
/// because the aliases are open.
async fn visible(app: &App, caller: &Caller, named: Named<UserKind>) -> Result<User, HttpError> {
    let user = match named {
        Named::Id(id) => app.user(id).await?,
        Named::Number(number) => app.user_of_number(number).await?,
    };
    match caller.role() {
        Some(Role::Customer) if caller.user() != Some(user.id) => Err(HttpError::not_found()),
        Some(Role::Customer | Role::Staff | Role::Admin | Role::Service) | None => Ok(user),
    }
}

/// Opens an account and a session for it.
#[utoipa::path(tag = "identity", request_body = RegisterAlias, params(("Idempotency-Key" = Option<String>, Header)), responses(
    (status = 201, description = "The account, with a session", body = SessionAlias),
    (status = 409, description = "The address has an account", body = ErrorBody),
    (status = 422, description = "A value breaks its rule", body = ErrorBody),
))]
#[post("")]
pub(crate) async fn register_user(
    app: Data<App>,
    key: MaybeKey,
    sent: LooseBody<RegisterAlias>,
) -> Result<HttpResponse, HttpError> {
    registered(&app, key, sent).await
}

/// Opens an account and a session for it.
#[utoipa::path(tag = "identity", request_body = RegisterAlias, params(("Idempotency-Key" = Option<String>, Header)), responses(
    (status = 201, description = "The account, with a session", body = SessionAlias),
    (status = 409, description = "The address has an account", body = ErrorBody),
    (status = 422, description = "A value breaks its rule", body = ErrorBody),
))]
#[post("/register")]
pub(crate) async fn register_users(
    app: Data<App>,
    key: MaybeKey,
    sent: LooseBody<RegisterAlias>,
) -> Result<HttpResponse, HttpError> {
    registered(&app, key, sent).await
}

/// Reads one account: one's own, or for staff and programs anybody's.
#[utoipa::path(tag = "identity", params(("id" = String, Path)), responses(
    (status = 200, description = "The account", body = UserAlias),
    (status = 404, description = "No such account, or not yours", body = ErrorBody),
))]
#[get("/{id}")]
pub(crate) async fn get_user(
    app: Data<App>,
    who: Who,
    named: PathText<Named<UserKind>>,
) -> Result<HttpResponse, HttpError> {
    Ok(reply::ok(&UserAlias::from(visible(&app, &who.0, named.0).await?)))
}

/// Changes the name of one's own account.
#[utoipa::path(tag = "identity", request_body = ProfileChangeAlias, params(("id" = String, Path)), responses(
    (status = 200, description = "The account after the change", body = UserAlias),
    (status = 404, description = "No such account, or not yours", body = ErrorBody),
    (status = 422, description = "A value breaks its rule", body = ErrorBody),
))]
#[put("/{id}")]
pub(crate) async fn change_user(
    app: Data<App>,
    LoggedIn(own, ..): LoggedIn,
    who: Who,
    named: PathText<Named<UserKind>>,
    sent: LooseBody<ProfileChangeAlias>,
) -> Result<HttpResponse, HttpError> {
    let user = visible(&app, &who.0, named.0).await?;
    // Nobody else changes what somebody is called, also staff.
    if user.id != own {
        return Err(HttpError::not_found());
    }
    let user = app.rename_present(own, &sent.into_inner().name).await?;
    Ok(reply::ok(&UserAlias::from(user)))
}

/// Lists accounts, newest first.
#[utoipa::path(tag = "identity", params(Limits), responses(
    (status = 200, description = "A page of accounts", body = UsersAlias),
    (status = 403, description = "Not an admin", body = ErrorBody),
))]
#[get("")]
pub(crate) async fn list_users(app: Data<App>, limits: LooseQuery<Limits>) -> Result<HttpResponse, HttpError> {
    let Page { items, page } = app.users(None, None, limits.0.at_most(100)).await?;
    let users = items.into_iter().map(UserAlias::from).collect();
    Ok(reply::ok(&UsersAlias { users, pagination: (&page).into(), cached: false }))
}

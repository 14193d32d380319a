//! Aliases below `/user` and `/users`: accounts by id, or by the number that people use.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, delete, get, post, put};
use serde_json::json;
use shop_http::alias::{Limits, LooseBody, LooseQuery};
use shop_http::{ErrorBody, HttpError, LoggedIn, MaybeKey, PathText, Who, reply};
use shop_types::id::UserKind;
use shop_types::{Caller, Named, Page, Role};
use utoipa_actix_web::service_config::ServiceConfig;

use super::body::{
    DeletionAlias, MessageAlias, ProfileChangeAlias, RegisterAlias, SessionAlias, UserAlias, UsersAlias,
};
use super::sessions::registered;
use crate::app::App;
use crate::domain::User;
use crate::routes::refusal;

/// The routes below `/user`.
pub(super) fn one(routes: &mut ServiceConfig<'_>) {
    routes.service(register_user).service(get_user).service(change_user).service(delete_user);
}

/// The routes below `/users`; the fixed one first (C19 of `docs/reference/promises.md`).
pub(super) fn all(routes: &mut ServiceConfig<'_>) {
    routes.service(register_users).service(list_users).service(get_user);
}

/// The account, if the caller may see it: customers see their own, staff and programs the one whose id they know. Numbers
/// follow each other, so by number admins alone find others: else whoever counts had the list of all accounts, which is theirs.
/// Who has no token got here because the aliases are open.
async fn visible(app: &App, caller: &Caller, named: Named<UserKind>) -> Result<User, HttpError> {
    let user = match named {
        Named::Id(id) => app.user(id).await?,
        Named::Number(number) => app.user_of_number(number).await?,
    };
    let may_see = match caller.role() {
        Some(Role::Staff | Role::Service) => matches!(named, Named::Id(_)),
        Some(Role::Admin) | None => true,
        Some(Role::Customer) => false,
    };
    if may_see || caller.user() == Some(user.id) { Ok(user) } else { Err(HttpError::not_found()) }
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

/// Reads one account: one's own, or for staff and programs that of an id, for admins also of a number.
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

/// Changes the name of an account: one's own, or as an admin somebody else's, which is written down.
#[utoipa::path(tag = "identity", request_body = ProfileChangeAlias, params(("id" = String, Path)), responses(
    (status = 200, description = "The account after the change", body = UserAlias),
    (status = 403, description = "Not an admin any more", body = ErrorBody),
    (status = 404, description = "No such account, or not yours", body = ErrorBody),
    (status = 422, description = "A value breaks its rule", body = ErrorBody),
))]
#[put("/{id}")]
pub(crate) async fn change_user(
    app: Data<App>,
    LoggedIn(caller, role, _): LoggedIn,
    who: Who,
    named: PathText<Named<UserKind>>,
    sent: LooseBody<ProfileChangeAlias>,
) -> Result<HttpResponse, HttpError> {
    let user = visible(&app, &who.0, named.0).await?;
    let name = sent.into_inner().name;
    let user = match role {
        _ if user.id == caller => app.rename_present(caller, &name).await?,
        Role::Admin => app.rename_other(caller, user.id, &name).await?,
        // Staff sees everybody, and changes nobody else.
        Role::Customer | Role::Staff | Role::Service => return Err(HttpError::not_found()),
    };
    Ok(reply::ok(&UserAlias::from(user)))
}

/// Deletes an account, for good: one's own by its password, or as an admin somebody else's, without a body.
#[utoipa::path(tag = "identity",
    request_body(content = Option<DeletionAlias>, description = "Of the owner. An admin sends none; one that is sent must be whole, and proves nothing"),
    params(("id" = String, Path)), responses(
    (status = 200, description = "The account is gone", body = MessageAlias),
    (status = 403, description = "The password is wrong", body = ErrorBody),
    (status = 404, description = "No such account, or not yours", body = ErrorBody),
    (status = 409, description = "An admin's own account: another admin deletes it", body = ErrorBody),
    (status = 422, description = "The password is missing", body = ErrorBody),
    (status = 429, description = "The password was wrong too often; also for the right one", body = ErrorBody),
    (status = 503, description = "Too many passwords are being checked", body = ErrorBody),
))]
#[delete("/{id}")]
pub(crate) async fn delete_user(
    app: Data<App>,
    LoggedIn(caller, role, _): LoggedIn,
    who: Who,
    named: PathText<Named<UserKind>>,
    request: HttpRequest,
    body: Payload,
) -> Result<HttpResponse, HttpError> {
    let user = visible(&app, &who.0, named.0).await?;
    let sent = LooseBody::<DeletionAlias>::if_sent(&request, body.into_inner()).await?;
    match role {
        Role::Admin => app.delete_user(caller, user.id).await?,
        Role::Customer | Role::Staff if user.id == caller => {
            // Without a body its field is what is missing.
            let proof = sent.map_or_else(|| shop_http::body::decode(&json!({})), |sent| Ok(sent.into_inner()))?;
            app.delete_me(caller, proof.password).await.map_err(refusal)?;
        }
        // Staff sees everybody, and deletes nobody else; programs delete nobody.
        Role::Customer | Role::Staff | Role::Service => return Err(HttpError::not_found()),
    }
    Ok(reply::ok(&MessageAlias { message: "User deleted successfully" }))
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

//! Other people's accounts, for staff and admins.

use std::str::FromStr;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, put};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use shop_http::{
    Body, ErrorBody, HttpError, IfMatch, LoggedIn, MaybeIfNoneMatch, MaybeKey, NoBody, PathId, PlainPageQuery,
    PlainPaged, reply,
};
use shop_mongo::Claim;
use shop_types::caller::Subject;
use shop_types::id::UserKind;
use shop_types::{Email, Page, Role};
use utoipa::{IntoParams, ToSchema};

use super::body::{UserBody, name};
use super::said_before;
use crate::app::{App, NewUser};
use crate::domain::{Name, Search, User};

/// An account as staff reads it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccountBody {
    #[serde(flatten)]
    user: UserBody,
    /// Whether its owner may log in.
    active: bool,
}

impl From<User> for AccountBody {
    fn from(user: User) -> Self {
        Self { active: user.is_active(), user: user.into() }
    }
}

/// Which accounts a list shows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UserFilter {
    /// Accounts with this role: customer, staff or admin.
    #[serde(default, deserialize_with = "maybe_role")]
    #[param(value_type = Option<String>)]
    role: Option<Role>,
    /// A whole e-mail address, a number, or how a name begins.
    #[serde(default, deserialize_with = "search")]
    #[param(value_type = Option<String>, max_length = 254)]
    search: Option<Search>,
}

/// The role that an account gets.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"role": "staff"}))]
pub(crate) struct RoleBody {
    /// customer, staff or admin.
    #[serde(deserialize_with = "role")]
    #[schema(value_type = String)]
    role: Role,
}

/// An account to open for somebody.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "grace@example.org", "name": "Grace Hopper", "role": "staff"}))]
pub(crate) struct NewUserBody {
    /// Unique in the shop; upper and lower case are the same.
    email: Email,
    /// What to call them.
    #[serde(deserialize_with = "name")]
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    name: Name,
    /// customer, staff or admin.
    #[serde(default = "customer", deserialize_with = "role")]
    #[schema(value_type = String, default = "customer")]
    role: Role,
}

/// What to change of somebody else's account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Grace Murray"}))]
pub(crate) struct UserChangeBody {
    #[serde(default, deserialize_with = "maybe_name")]
    #[schema(value_type = Option<String>, nullable = false, min_length = 1, max_length = 100)]
    name: Option<Name>,
    /// Unique in the shop; its owner gets a letter to verify it.
    #[serde(default, deserialize_with = "maybe_email")]
    #[schema(value_type = Option<String>, nullable = false)]
    email: Option<Email>,
}

/// The role of a person: programs get theirs by an API key.
fn role<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Role, D::Error> {
    let known = [Role::Customer, Role::Staff, Role::Admin];
    let word = String::deserialize(deserializer)?;
    let found = known.into_iter().find(|role| role.as_str() == word);
    found.ok_or_else(|| D::Error::custom("must be customer, staff or admin"))
}

const fn customer() -> Role {
    Role::Customer
}

fn maybe_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Name>, D::Error> {
    name(deserializer).map(Some)
}

fn maybe_email<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Email>, D::Error> {
    Email::deserialize(deserializer).map(Some)
}

fn maybe_role<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Role>, D::Error> {
    role(deserializer).map(Some)
}

fn search<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Search>, D::Error> {
    Search::from_str(&String::deserialize(deserializer)?).map(Some).map_err(D::Error::custom)
}

/// Lists accounts, newest first, or finds them by name, in the order of names.
#[utoipa::path(tag = "identity", params(PlainPageQuery, UserFilter), responses(
    (status = 200, description = "A page of accounts", body = Page<AccountBody>),
    (status = 403, description = "Not an admin", body = ErrorBody),
    (status = 422, description = "A parameter breaks its rule", body = ErrorBody),
))]
#[get("/api/v1/users")]
pub(crate) async fn list_users(app: Data<App>, list: PlainPaged<UserFilter>) -> Result<HttpResponse, HttpError> {
    let PlainPaged(page, UserFilter { role, search }) = list;
    let users = app.users(role, search.as_ref(), (page.page, page.size)).await?;
    Ok(reply::ok(&users.map(AccountBody::from)))
}

/// Opens an account for somebody. They get a letter with which they choose a password. With an Idempotency-Key the same call
/// again answers the same account, as it is then.
#[utoipa::path(tag = "identity", request_body = NewUserBody, params(("Idempotency-Key" = Option<String>, Header)), responses(
    (status = 201, description = "The account", body = AccountBody),
    (status = 403, description = "Not an admin", body = ErrorBody),
    (status = 404, description = "It was opened before and is gone", body = ErrorBody),
    (status = 409, description = "The address has an account", body = ErrorBody),
    (status = 422, description = "A value breaks its rule, or the key was used for another request", body = ErrorBody),
    (status = 503, description = "Too many passwords are being checked", body = ErrorBody),
))]
#[post("/api/v1/users")]
pub(crate) async fn create_user(
    app: Data<App>,
    LoggedIn(admin, ..): LoggedIn,
    MaybeKey(key): MaybeKey,
    request: HttpRequest,
    body: Body<NewUserBody>,
) -> Result<HttpResponse, HttpError> {
    let fingerprint = body.fingerprint(&request);
    let claim = key.map(|key| Claim::new(Subject::User(admin), "create_user", &key, fingerprint));
    let NewUserBody { email, name, role } = body.into_inner();
    let (user, replayed) = app.create_user(admin, &NewUser { email, name, role }, claim.as_ref()).await?;
    let location = format!("/api/v1/users/{}", user.id);
    let response = reply::created(&location, user.version, &AccountBody::from(user));
    Ok(if replayed { said_before(response) } else { response })
}

/// Changes name or e-mail address of an account; its version must be sent in If-Match.
#[utoipa::path(tag = "identity", request_body = UserChangeBody,
    params(("id" = String, Path), ("If-Match" = String, Header)), responses(
    (status = 200, description = "The account after the change", body = AccountBody),
    (status = 403, description = "Not an admin", body = ErrorBody),
    (status = 404, description = "No such account", body = ErrorBody),
    (status = 409, description = "Your own account, or another one has the address", body = ErrorBody),
    (status = 412, description = "It was changed since you read it", body = ErrorBody),
    (status = 422, description = "A value breaks its rule", body = ErrorBody),
    (status = 428, description = "If-Match is missing", body = ErrorBody),
))]
#[patch("/api/v1/users/{id}")]
pub(crate) async fn change_user(
    app: Data<App>,
    LoggedIn(admin, ..): LoggedIn,
    id: PathId<UserKind>,
    seen: IfMatch,
    body: Body<UserChangeBody>,
) -> Result<HttpResponse, HttpError> {
    let UserChangeBody { name, email } = body.into_inner();
    let user = app.change_details(admin, (id.0, seen.0), name, email).await?;
    Ok(reply::with_etag(user.version, &AccountBody::from(user)))
}

/// Reads one account.
#[utoipa::path(tag = "identity", params(("id" = String, Path)), responses(
    (status = 200, description = "The account", body = AccountBody),
    (status = 304, description = "The version in If-None-Match is the present one"),
    (status = 403, description = "Neither staff nor a program", body = ErrorBody),
    (status = 404, description = "No such account", body = ErrorBody),
))]
#[get("/api/v1/users/{id}")]
pub(crate) async fn get_user(
    app: Data<App>,
    id: PathId<UserKind>,
    known: MaybeIfNoneMatch,
) -> Result<HttpResponse, HttpError> {
    let user = app.user(id.0).await?;
    if known.matches(user.version) {
        return Ok(reply::not_modified(user.version));
    }
    Ok(reply::with_etag(user.version, &AccountBody::from(user)))
}

/// Deletes an account, for good, as its owner could.
#[utoipa::path(tag = "identity", params(("id" = String, Path)), responses(
    (status = 204, description = "The account is gone"),
    (status = 403, description = "Not an admin", body = ErrorBody),
    (status = 404, description = "No such account", body = ErrorBody),
    (status = 409, description = "Your own account", body = ErrorBody),
))]
#[delete("/api/v1/users/{id}")]
pub(crate) async fn delete_user(
    app: Data<App>,
    LoggedIn(admin, ..): LoggedIn,
    id: PathId<UserKind>,
) -> Result<HttpResponse, HttpError> {
    app.delete_user(admin, id.0).await?;
    Ok(reply::no_content())
}

/// Gives an account another role. Its sessions end, since their tokens name the old one.
#[utoipa::path(tag = "identity", request_body = RoleBody, params(("id" = String, Path), ("If-Match" = String, Header)),
    responses(
    (status = 200, description = "The account with its role", body = AccountBody),
    (status = 403, description = "Not an admin", body = ErrorBody),
    (status = 404, description = "No such account", body = ErrorBody),
    (status = 409, description = "Your own account", body = ErrorBody),
    (status = 412, description = "It was changed since you read it", body = ErrorBody),
    (status = 422, description = "Not a role", body = ErrorBody),
    (status = 428, description = "If-Match is missing", body = ErrorBody),
))]
#[put("/api/v1/users/{id}/roles")]
pub(crate) async fn set_role(
    app: Data<App>,
    LoggedIn(admin, ..): LoggedIn,
    id: PathId<UserKind>,
    seen: IfMatch,
    body: Body<RoleBody>,
) -> Result<HttpResponse, HttpError> {
    let user = app.set_role(admin, id.0, seen.0, body.role).await?;
    Ok(reply::with_etag(user.version, &AccountBody::from(user)))
}

/// Closes an account: its sessions end, and its owner cannot log in. Again changes nothing.
#[utoipa::path(tag = "identity", params(("id" = String, Path)), responses(
    (status = 200, description = "The account, closed", body = AccountBody),
    (status = 403, description = "Not an admin", body = ErrorBody),
    (status = 404, description = "No such account", body = ErrorBody),
    (status = 409, description = "Your own account", body = ErrorBody),
))]
#[post("/api/v1/users/{id}/deactivate")]
pub(crate) async fn deactivate_user(
    app: Data<App>,
    LoggedIn(admin, ..): LoggedIn,
    id: PathId<UserKind>,
    _: NoBody,
) -> Result<HttpResponse, HttpError> {
    let user = app.deactivate(admin, id.0).await?;
    Ok(reply::with_etag(user.version, &AccountBody::from(user)))
}

/// Opens an account that was closed. Again changes nothing.
#[utoipa::path(tag = "identity", params(("id" = String, Path)), responses(
    (status = 200, description = "The account, open", body = AccountBody),
    (status = 403, description = "Not an admin", body = ErrorBody),
    (status = 404, description = "No such account", body = ErrorBody),
    (status = 409, description = "Your own account", body = ErrorBody),
))]
#[post("/api/v1/users/{id}/activate")]
pub(crate) async fn activate_user(
    app: Data<App>,
    LoggedIn(admin, ..): LoggedIn,
    id: PathId<UserKind>,
    _: NoBody,
) -> Result<HttpResponse, HttpError> {
    let user = app.activate(admin, id.0).await?;
    Ok(reply::with_etag(user.version, &AccountBody::from(user)))
}

//! API keys, for admins, and the exchange of one for an access token, for programs.

use actix_web::http::header::{HeaderValue, PRAGMA};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, post};
use jiff::Timestamp;
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};
use shop_http::{Body, ErrorBody, FormFields, HttpError, LoggedIn, MaybeKey, PathId, PlainPageQuery, Query, reply};
use shop_mongo::Claim;
use shop_types::caller::Subject;
use shop_types::id::UserKind;
use shop_types::{Page, Role, UserId};
use utoipa::ToSchema;

use super::body::name;
use super::said_before;
use crate::app::{App, Error, Grant, NewKey};
use crate::domain::secret::Secret;
use crate::domain::token_request::TokenRequest;
use crate::domain::{ApiKey, Name, ProgramRole};

/// An API key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"name": "Customer desk", "role": "service", "expiresAt": "2031-01-01T00:00:00Z"}))]
pub(crate) struct NewKeyBody {
    /// What it is for.
    #[serde(deserialize_with = "name")]
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    name: Name,
    /// What its tokens may do: `service`, what is made for programs, or `staff`.
    #[serde(default = "service", deserialize_with = "program_role")]
    #[schema(value_type = String, default = "service")]
    role: ProgramRole,
    /// When it ends by itself; without it, when it is removed.
    #[serde(default, deserialize_with = "maybe_time")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// An API key as admins read it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyBody {
    /// Also the `client_id`, and the user that its tokens name.
    id: UserId,
    name: String,
    role: Role,
    /// The admin who made it.
    created_by: UserId,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// When it last brought a token; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
}

/// A new API key.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeKeyBody {
    #[serde(flatten)]
    key: KeyBody,
    /// The `client_secret`, shown this once; absent when the call was repeated with its Idempotency-Key.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// A request for a token (RFC 6749 section 4.4.2). Read by rules of its own; here for the document.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "grant_type": "client_credentials",
    "client_id": "0197b0b6-6d4c-7a53-9d62-0f4b4f0e5a11",
    "client_secret": "bm90IGEgc2VjcmV0IG5vdCBhIHNlY3JldCBub3QgYSA"
}))]
pub(crate) struct TokenForm {
    /// `client_credentials`.
    #[schema(pattern = "^client_credentials$")]
    grant_type: String,
    /// The id of the API key.
    #[schema(min_length = 1)]
    client_id: String,
    /// Its secret.
    #[schema(min_length = 1)]
    client_secret: String,
    /// The role of the API key, or nothing.
    scope: Option<String>,
}

/// An access token (RFC 6749 section 5.1).
#[derive(Serialize, ToSchema)]
pub(crate) struct GrantBody {
    /// For the header `Authorization: Bearer`.
    access_token: String,
    token_type: &'static str,
    /// Seconds until it expires; then ask again.
    expires_in: u64,
    /// The role of the API key.
    scope: Role,
}

const fn service() -> ProgramRole {
    ProgramRole::Service
}

fn program_role<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ProgramRole, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "service" => Ok(ProgramRole::Service),
        "staff" => Ok(ProgramRole::Staff),
        _ => Err(de::Error::custom("must be service or staff")),
    }
}

fn maybe_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let read =
        |text: String| text.parse().map_err(|_| de::Error::custom("must be a time such as 2031-01-01T00:00:00Z"));
    Option::<String>::deserialize(deserializer)?.map(read).transpose()
}

impl From<ApiKey> for KeyBody {
    fn from(key: ApiKey) -> Self {
        let ApiKey { id, name, role, created_by, created_at, expires_at, last_used_at, tokens_until: _ } = key;
        let name = name.as_str().to_owned();
        Self { id, name, role: role.into(), created_by, created_at, expires_at, last_used_at }
    }
}

impl From<Grant> for GrantBody {
    fn from(grant: Grant) -> Self {
        let Grant { token, expires_in, role } = grant;
        Self { access_token: token, token_type: "Bearer", expires_in: expires_in.as_secs(), scope: role }
    }
}

/// Exchanges an API key for an access token: OAuth 2.0 with client credentials in the form. Errors have the words of RFC
/// 6749 section 5.2 in `error` and `code`, and a sentence in `error_description`.
#[utoipa::path(tag = "identity",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 200, description = "An access token", body = GrantBody),
    (status = 400, description = "invalid_request, unsupported_grant_type or invalid_scope", body = ErrorBody),
    (status = 401, description = "invalid_client: no such API key, a wrong secret, or one that is over", body = ErrorBody),
    (status = 415, description = "Not a form", body = ErrorBody),
))]
#[post("/api/v1/auth/token")]
pub(crate) async fn exchange_api_key(app: Data<App>, FormFields(form): FormFields) -> Result<HttpResponse, HttpError> {
    let request = TokenRequest::read(&form).map_err(Error::from)?;
    let mut response = reply::ok(&GrantBody::from(app.exchange_api_key(request).await?));
    // RFC 6749 section 5.1 wants it beside Cache-Control.
    response.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// Lists the API keys that were not removed, the newest first.
#[utoipa::path(tag = "identity", params(PlainPageQuery), responses(
    (status = 200, description = "A page of API keys", body = Page<KeyBody>),
    (status = 403, description = "Not an admin", body = ErrorBody),
    (status = 422, description = "A parameter breaks its rule", body = ErrorBody),
))]
#[get("/api/v1/api-keys")]
pub(crate) async fn list_api_keys(
    app: Data<App>,
    Query(page): Query<PlainPageQuery>,
) -> Result<HttpResponse, HttpError> {
    Ok(reply::ok(&app.api_keys(page.page, page.size).await?.map(KeyBody::from)))
}

/// Makes an API key. The secret is shown this once. With an Idempotency-Key the same call again answers the same key,
/// without its secret.
#[utoipa::path(tag = "identity", request_body = NewKeyBody, params(("Idempotency-Key" = Option<String>, Header)), responses(
    (status = 201, description = "The API key, with its secret", body = MadeKeyBody),
    (status = 403, description = "Not an admin", body = ErrorBody),
    (status = 404, description = "It was made before and removed since", body = ErrorBody),
    (status = 422, description = "A value breaks its rule, or the key was used for another request", body = ErrorBody),
))]
#[post("/api/v1/api-keys")]
pub(crate) async fn create_api_key(
    app: Data<App>,
    LoggedIn(admin, ..): LoggedIn,
    MaybeKey(key): MaybeKey,
    request: HttpRequest,
    body: Body<NewKeyBody>,
) -> Result<HttpResponse, HttpError> {
    let fingerprint = body.fingerprint(&request);
    let claim = key.map(|key| Claim::new(Subject::User(admin), "create_api_key", &key, fingerprint));
    let NewKeyBody { name, role, expires_at } = body.into_inner();
    let (key, secret) = app.create_api_key(admin, NewKey { name, role, expires_at }, claim).await?;
    let (location, is_repeat) = (format!("/api/v1/api-keys/{}", key.id), secret.is_none());
    let made = MadeKeyBody { key: key.into(), secret: secret.as_ref().map(Secret::expose) };
    let response = reply::created(&location, None, &made);
    Ok(if is_repeat { said_before(response) } else { response })
}

/// Reads an API key, without its secret.
#[utoipa::path(tag = "identity", params(("id" = String, Path)), responses(
    (status = 200, description = "The API key", body = KeyBody),
    (status = 403, description = "Not an admin", body = ErrorBody),
    (status = 404, description = "No such API key", body = ErrorBody),
))]
#[get("/api/v1/api-keys/{id}")]
pub(crate) async fn get_api_key(app: Data<App>, id: PathId<UserKind>) -> Result<HttpResponse, HttpError> {
    Ok(reply::ok(&KeyBody::from(app.api_key(id.0).await?)))
}

/// Removes an API key: it brings no more tokens, and those that it brought count no longer, in every pod as soon as it hears
/// of it.
#[utoipa::path(tag = "identity", params(("id" = String, Path)), responses(
    (status = 204, description = "It is gone"),
    (status = 403, description = "Not an admin", body = ErrorBody),
    (status = 404, description = "No such API key", body = ErrorBody),
))]
#[delete("/api/v1/api-keys/{id}")]
pub(crate) async fn remove_api_key(
    app: Data<App>,
    LoggedIn(admin, ..): LoggedIn,
    id: PathId<UserKind>,
) -> Result<HttpResponse, HttpError> {
    app.remove_api_key(admin, id.0).await?;
    Ok(reply::no_content())
}

//! Locations over HTTP.

use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, web};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use shop_http::{Body, ErrorBody, HttpError, IfMatch, LoggedIn, MaybeIfNoneMatch, MaybeKey, PathText, reply};
use shop_mongo::Claim;
use shop_types::Page;
use shop_types::caller::Subject;

use crate::app::App;
use crate::domain::location::{Location, LocationId, LocationName};

/// A location.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct LocationReply {
    /// Names it in stock and movements.
    #[schema(example = "berlin")]
    id: String,
    /// What people call it.
    #[schema(example = "Berlin, Lehrter Str.")]
    name: String,
    /// Grows with every change; also the `ETag`.
    version: i64,
}

impl From<&Location> for LocationReply {
    fn from(Location { id, name, version }: &Location) -> Self {
        Self { id: id.to_string(), name: name.as_str().to_owned(), version: *version }
    }
}

/// A location to add.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewLocationBody {
    /// Names it for ever: 1 to 32 lower-case letters, digits and hyphens.
    #[serde(deserialize_with = "id")]
    #[schema(value_type = String, pattern = "^[a-z0-9-]{1,32}$", example = "berlin")]
    id: LocationId,
    /// What people call it.
    #[serde(deserialize_with = "name")]
    #[schema(value_type = String, min_length = 1, max_length = 100, example = "Berlin, Lehrter Str.")]
    name: LocationName,
}

/// Another name of a location.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct RenameBody {
    /// What people call it from now on.
    #[serde(deserialize_with = "name")]
    #[schema(value_type = String, min_length = 1, max_length = 100, example = "Berlin, Lehrter Str.")]
    name: LocationName,
}

/// Reads the id of a location in a body.
pub(super) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LocationId, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LocationName, D::Error> {
    LocationName::new(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// Lists all locations by id, at most 100. Orders are served from `main` first, then from the others by id.
#[utoipa::path(
    tag = "inventory",
    responses(
        (status = 200, description = "All locations by id, at most 100, in one page", body = Page<LocationReply>), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    ),
)]
#[get("/api/v1/locations")]
pub(super) async fn list_locations(app: web::Data<App>) -> Result<HttpResponse, HttpError> {
    let items = app.locations().await?.iter().map(LocationReply::from).collect();
    Ok(reply::ok(&Page::whole(items)))
}

/// Adds a location. With an Idempotency-Key a repeated call gets it as it is then.
#[utoipa::path(
    tag = "inventory",
    params(("Idempotency-Key" = Option<String>, Header, description = "Names this request")),
    request_body = NewLocationBody,
    responses(
        (status = 201, body = LocationReply, headers(
            ("ETag" = String, description = "The version"), ("Location" = String, description = "Of the location"))),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody, description = "The key is that of a location which has been removed since"),
        (status = 409, body = ErrorBody, description = "The id is in use, or there are 100 already"),
        (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 422, body = ErrorBody),
    ),
)]
#[post("/api/v1/locations")]
pub(super) async fn add_location(
    app: web::Data<App>,
    request: HttpRequest,
    LoggedIn(by, ..): LoggedIn,
    key: MaybeKey,
    body: Body<NewLocationBody>,
) -> Result<HttpResponse, HttpError> {
    let claim = key.0.map(|key| Claim::new(Subject::User(by), "add_location", &key, body.fingerprint(&request)));
    let NewLocationBody { id, name } = body.into_inner();
    let location = app.add_location(claim, id, name).await?;
    let path = format!("/api/v1/locations/{}", location.id);
    Ok(reply::created(&path, location.version, &LocationReply::from(&location)))
}

/// Shows a location.
#[utoipa::path(
    tag = "inventory",
    params(("id" = String, Path), ("If-None-Match" = Option<String>, Header)),
    responses(
        (status = 200, body = LocationReply, headers(("ETag" = String, description = "The version"))),
        (status = 304, description = "You have this version"),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
    ),
)]
#[get("/api/v1/locations/{id}")]
pub(super) async fn get_location(
    app: web::Data<App>,
    id: PathText<LocationId>,
    known: MaybeIfNoneMatch,
) -> Result<HttpResponse, HttpError> {
    let location = app.location(&id.0).await?;
    if known.matches(location.version) {
        return Ok(reply::not_modified(location.version));
    }
    Ok(reply::with_etag(location.version, &LocationReply::from(&location)))
}

/// Gives a location another name.
#[utoipa::path(
    tag = "inventory",
    params(("id" = String, Path), ("If-Match" = String, Header, description = "The version you read")),
    request_body = RenameBody,
    responses(
        (status = 200, body = LocationReply, headers(("ETag" = String, description = "The version"))),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 412, body = ErrorBody), (status = 413, body = ErrorBody),
        (status = 415, body = ErrorBody), (status = 422, body = ErrorBody), (status = 428, body = ErrorBody),
    ),
)]
#[patch("/api/v1/locations/{id}")]
pub(super) async fn rename_location(
    app: web::Data<App>,
    id: PathText<LocationId>,
    seen: IfMatch,
    body: Body<RenameBody>,
) -> Result<HttpResponse, HttpError> {
    let location = app.rename_location(&id.0, seen.0, &body.name).await?;
    Ok(reply::with_etag(location.version, &LocationReply::from(&location)))
}

/// Removes a location where nothing lies and from where nothing was sold; never `main`.
#[utoipa::path(
    tag = "inventory",
    params(("id" = String, Path), ("If-Match" = String, Header, description = "The version you read")),
    responses(
        (status = 204), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody, description = "It is main, or not empty"),
        (status = 412, body = ErrorBody), (status = 428, body = ErrorBody),
    ),
)]
#[delete("/api/v1/locations/{id}")]
pub(super) async fn remove_location(
    app: web::Data<App>,
    id: PathText<LocationId>,
    seen: IfMatch,
) -> Result<HttpResponse, HttpError> {
    app.remove_location(&id.0, seen.0).await?;
    Ok(reply::no_content())
}

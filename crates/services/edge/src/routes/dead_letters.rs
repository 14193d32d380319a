//! HTTP in, for admins: events that services have given up.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, post};
use serde::{Deserialize, Serialize};
use shop_http::extract::path_parameter;
use shop_http::{ErrorBody, HttpError, NoBody, Query, reply};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::domain::{Letter, Letters};

/// Letters of one page.
const PAGE: u32 = 20;

/// Which letters.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LetterQuery {
    /// The service that has given them up.
    service: String,
    /// The `nextCursor` of an earlier page.
    #[serde(default)]
    cursor: Option<String>,
}

/// Some dead letters, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LetterListBody {
    items: Vec<LetterBody>,
    page: LetterPageBody,
}

/// Where a page stands among all letters of a service.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LetterPageBody {
    /// The most letters of one page; large ones make it shorter.
    size: u32,
    /// Letters in all.
    total: u64,
    /// Send it back as `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// An event that a service has given up.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LetterBody {
    /// The event's id, or its place in the stream when it has none.
    id: String,
    /// The service that has given it up.
    service: String,
    /// The service that told of it.
    producer: String,
    topic: String,
    /// Why it was given up the last time.
    reason: String,
    /// How often it was tried.
    deliveries: u32,
    /// When it was given up at first.
    #[schema(format = DateTime)]
    at: String,
    /// The event as it stood in the stream: JSON, unless that is what is wrong with it.
    body: String,
}

impl LetterBody {
    fn of(service: &str, letter: Letter) -> Self {
        let Letter { id, producer, topic, reason, deliveries, at, body } = letter;
        Self { id, service: service.to_owned(), producer, topic, reason, deliveries, at, body }
    }
}

/// Lists the events that a service has given up, the oldest first.
#[utoipa::path(tag = "edge", params(LetterQuery), responses(
    (status = 200, description = "A page of letters", body = LetterListBody),
    (status = 422, description = "No such service, or a cursor that no page named", body = ErrorBody),
))]
#[get("/api/v1/admin/dead-letters")]
pub(crate) async fn list_dead_letters(app: Data<App>, query: Query<LetterQuery>) -> Result<HttpResponse, HttpError> {
    let LetterQuery { service, cursor } = query.0;
    let Letters { items, next, total } = app.letters(&service, PAGE, cursor).await?;
    let items = items.into_iter().map(|letter| LetterBody::of(&service, letter)).collect();
    Ok(reply::ok(&LetterListBody { items, page: LetterPageBody { size: PAGE, total, next_cursor: next } }))
}

/// Has a dead letter handled now. When it takes long, 503 comes first and the letter is gone later.
#[utoipa::path(tag = "edge", params(
    ("service" = String, Path, description = "The service that has given it up"),
    ("id" = String, Path, description = "The letter's id"),
), responses(
    (status = 204, description = "It was handled, and the letter is gone"),
    (status = 404, description = "There is no such letter", body = ErrorBody),
    (status = 409, description = "It failed again, and the letter stays", body = ErrorBody),
    (status = 503, description = "Something it needs is away, or it is still at work", body = ErrorBody),
))]
#[post("/api/v1/admin/dead-letters/{service}/{id}/retry")]
pub(crate) async fn retry_dead_letter(
    app: Data<App>,
    request: HttpRequest,
    _: NoBody,
) -> Result<HttpResponse, HttpError> {
    let (service, id) = names(&request)?;
    app.retry_letter(&service, id).await?;
    Ok(reply::no_content())
}

/// Throws a dead letter away for good: its event is never handled.
#[utoipa::path(tag = "edge", params(
    ("service" = String, Path, description = "The service that has given it up"),
    ("id" = String, Path, description = "The letter's id"),
), responses(
    (status = 204, description = "It is gone"),
    (status = 404, description = "There is no such letter", body = ErrorBody),
))]
#[delete("/api/v1/admin/dead-letters/{service}/{id}")]
pub(crate) async fn discard_dead_letter(app: Data<App>, request: HttpRequest) -> Result<HttpResponse, HttpError> {
    let (service, id) = names(&request)?;
    app.discard_letter(&service, id).await?;
    Ok(reply::no_content())
}

fn names(request: &HttpRequest) -> Result<(String, String), HttpError> {
    Ok((path_parameter(request, "service")?, path_parameter(request, "id")?))
}

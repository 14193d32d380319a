//! HTTP in, for returns of whole orders. Who may call them stands in [`super::ACCESS`].

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get, patch, post};
use serde::Deserialize;
use shop_http::{Body, ErrorBody, HttpError, IfMatch, Key, MaybeIfNoneMatch, PageQuery, Paged, PathId, Who, reply};
use shop_types::Page;
use shop_types::id::OrderKind;
use utoipa::IntoParams;

use super::body::{DecisionBody, NewReturnBody, ReturnBody, ReturnWord};
use super::{keyed, newest_first, said_before, viewer};
use crate::app::{App, Error};
use crate::domain::ReturnKind;

/// Asks for a return of a whole order that was shipped. The same key again gives the same answer.
#[utoipa::path(tag = "order", request_body = NewReturnBody,
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)), responses(
    (status = 201, description = "Written down; staff decides", body = ReturnBody),
    (status = 404, description = "No such order, or not yours", body = ErrorBody),
    (status = 409, description = "It was not shipped, or a return of it is open", body = ErrorBody),
))]
#[post("/api/v1/orders/{id}/returns")]
pub(crate) async fn request_return(
    app: Data<App>,
    who: Who,
    id: PathId<OrderKind>,
    key: Key,
    request: HttpRequest,
    body: Body<NewReturnBody>,
) -> Result<HttpResponse, HttpError> {
    let keyed = keyed(who.0, key, body.fingerprint(&request))?;
    let reason = body.into_inner().read().map_err(Error::from)?;
    let (asked, replayed) = app.request_return(id.0, reason, keyed).await?;
    let response = reply::created(&format!("/api/v1/returns/{}", asked.id), asked.version, &ReturnBody::from(asked));
    Ok(if replayed { said_before(response) } else { response })
}

/// What a list of returns is narrowed to.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReturnFilter {
    /// Returns in this state: requested, accepted or refused.
    #[param(value_type = Option<String>)]
    status: Option<ReturnWord>,
}

/// Lists returns, newest first.
#[utoipa::path(tag = "order", params(PageQuery, ReturnFilter), responses(
    (status = 200, description = "A page of returns", body = Page<ReturnBody>),
))]
#[get("/api/v1/returns")]
pub(crate) async fn list_returns(app: Data<App>, list: Paged<ReturnFilter>) -> Result<HttpResponse, HttpError> {
    let Paged(page, ReturnFilter { status }) = list;
    newest_first(&page)?;
    let found = app.returns(status.map(|word| word.0), (page.page, page.size)).await?;
    Ok(reply::ok(&found.map(ReturnBody::from)))
}

/// Reads one return; other people's do not exist.
#[utoipa::path(tag = "order", params(("id" = String, Path)), responses(
    (status = 200, description = "The return", body = ReturnBody),
    (status = 304, description = "The version in If-None-Match is the present one"),
    (status = 404, description = "No such return, or not yours", body = ErrorBody),
))]
#[get("/api/v1/returns/{id}")]
pub(crate) async fn get_return(
    app: Data<App>,
    who: Who,
    id: PathId<ReturnKind>,
    known: MaybeIfNoneMatch,
) -> Result<HttpResponse, HttpError> {
    let asked = app.found_return(&viewer(who.0)?, id.0).await?;
    if known.matches(asked.version) {
        return Ok(reply::not_modified(asked.version));
    }
    Ok(reply::with_etag(asked.version, &ReturnBody::from(asked)))
}

/// Accepts or refuses a return. Accepted, the order goes back: its money is refunded, its stock restocked.
#[utoipa::path(tag = "order", request_body = DecisionBody, params(("id" = String, Path), ("If-Match" = String, Header)),
    responses(
    (status = 200, description = "The return as it was decided", body = ReturnBody),
    (status = 404, description = "No such return", body = ErrorBody),
    (status = 409, description = "It was decided before", body = ErrorBody),
    (status = 412, description = "It was changed since you read it", body = ErrorBody),
    (status = 428, description = "If-Match is missing", body = ErrorBody),
))]
#[patch("/api/v1/returns/{id}")]
pub(crate) async fn decide_return(
    app: Data<App>,
    id: PathId<ReturnKind>,
    seen: IfMatch,
    body: Body<DecisionBody>,
) -> Result<HttpResponse, HttpError> {
    let decided = app.decide_return(id.0, body.into_inner().read(), seen.0).await?;
    Ok(reply::with_etag(decided.version, &ReturnBody::from(decided)))
}

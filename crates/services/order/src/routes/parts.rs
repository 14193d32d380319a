//! HTTP in, for parts of one order: its lines, its history, its address. Who may call them stands in [`super::ACCESS`].

use actix_web::web::Data;
use actix_web::{HttpResponse, get, patch};
use shop_http::{Body, ErrorBody, HttpError, IfMatch, MaybeIfNoneMatch, PathId, Who, reply};
use shop_types::Page;
use shop_types::id::OrderKind;

use super::body::{EntryBody, LineBody, OrderBody, OrderChangeBody, entries, lines};
use super::viewer;
use crate::app::{App, Error};

/// Reads the lines of an order, at most 100; they never change.
#[utoipa::path(tag = "order", params(("id" = String, Path)), responses(
    (status = 200, description = "The lines, in one page", body = Page<LineBody>),
    (status = 304, description = "The version of the order in If-None-Match is the present one"),
    (status = 404, description = "No such order, or not yours", body = ErrorBody),
))]
#[get("/api/v1/orders/{id}/items")]
pub(crate) async fn list_order_items(
    app: Data<App>,
    who: Who,
    id: PathId<OrderKind>,
    known: MaybeIfNoneMatch,
) -> Result<HttpResponse, HttpError> {
    let order = app.order(&viewer(who.0)?, id.0).await?;
    if known.matches(order.version) {
        return Ok(reply::not_modified(order.version));
    }
    Ok(reply::with_etag(order.version, &lines(order)))
}

/// Reads what became of an order, the oldest first.
#[utoipa::path(tag = "order", params(("id" = String, Path)), responses(
    (status = 200, description = "One entry for each version of the order, in one page", body = Page<EntryBody>),
    (status = 304, description = "The version of the order in If-None-Match is the present one"),
    (status = 404, description = "No such order, or not yours", body = ErrorBody),
))]
#[get("/api/v1/orders/{id}/history")]
pub(crate) async fn list_order_history(
    app: Data<App>,
    who: Who,
    id: PathId<OrderKind>,
    known: MaybeIfNoneMatch,
) -> Result<HttpResponse, HttpError> {
    let order = app.order(&viewer(who.0)?, id.0).await?;
    if known.matches(order.version) {
        return Ok(reply::not_modified(order.version));
    }
    Ok(reply::with_etag(order.version, &entries(order)))
}

/// Sends an order somewhere else, after it was confirmed and before it is shipped.
#[utoipa::path(tag = "order", request_body = OrderChangeBody, params(("id" = String, Path), ("If-Match" = String, Header)),
    responses(
    (status = 200, description = "The order with its address", body = OrderBody),
    (status = 404, description = "No such order, or not yours", body = ErrorBody),
    (status = 409, description = "Not confirmed yet, or too late: the body says its state; or it has changed too often",
        body = ErrorBody),
    (status = 412, description = "It was changed since you read it", body = ErrorBody),
    (status = 422, description = "A part of the address breaks its rule", body = ErrorBody),
    (status = 428, description = "If-Match is missing", body = ErrorBody),
))]
#[patch("/api/v1/orders/{id}")]
pub(crate) async fn change_order(
    app: Data<App>,
    who: Who,
    id: PathId<OrderKind>,
    seen: IfMatch,
    body: Body<OrderChangeBody>,
) -> Result<HttpResponse, HttpError> {
    let viewer = viewer(who.0)?;
    let address = body.into_inner().read().map_err(Error::from)?;
    let order = app.readdress(&viewer, id.0, address, seen.0).await?;
    Ok(reply::with_etag(order.version, &OrderBody::from(order)))
}

//! Aliases that change what becomes of an order.

use actix_web::web::Data;
use actix_web::{HttpResponse, delete, patch, put};
use shop_http::alias::LooseBody;
use shop_http::{ErrorBody, HttpError, PathText, Who, reply};
use shop_types::Named;
use shop_types::id::OrderKind;

use super::body::{StatusAlias, StatusWord, WrittenOrderAlias};
use super::eyes;
use crate::app::{App, Error, Viewer};
use crate::domain::{self, Order, State};

const CANCELLED: &str = "Order cancelled successfully";
const UPDATED: &str = "Order status updated successfully";

async fn cancelled(app: &App, who: Who, named: Named<OrderKind>) -> Result<HttpResponse, HttpError> {
    let viewer = eyes(who.0)?;
    let order = app.named_order(&viewer, named).await?;
    let order = app.cancel(&viewer, order.id).await?.into();
    Ok(reply::ok(&WrittenOrderAlias { message: CANCELLED, order }))
}

/// Only what the states of an order allow (ruling 20); the state that it has is allowed, and changes nothing.
async fn set(app: &App, named: Named<OrderKind>, word: StatusWord) -> Result<HttpResponse, HttpError> {
    let order = app.named_order(&Viewer::Staff, named).await?;
    let order = changed(app, order, word).await?.into();
    Ok(reply::ok(&WrittenOrderAlias { message: UPDATED, order }))
}

async fn changed(app: &App, order: Order, word: StatusWord) -> Result<Order, Error> {
    match word {
        same if same == StatusWord::of(order.state) => Ok(order),
        StatusWord::Shipped => app.advance_present(order.id, State::Shipped).await,
        StatusWord::Delivered => app.advance_present(order.id, State::Delivered).await,
        StatusWord::Cancelled => app.cancel(&Viewer::Staff, order.id).await,
        StatusWord::Pending | StatusWord::Confirmed => {
            let allowed = order.state.next_by_staff().to_vec();
            Err(domain::Error::Illegal { from: order.state, wanted: "set to that by hand", allowed }.into())
        }
    }
}

/// Takes an order further by hand, or cancels it.
#[utoipa::path(tag = "order", request_body = StatusAlias, params(("id" = String, Path)), responses(
    (status = 200, description = "The order in its new state", body = WrittenOrderAlias),
    (status = 404, description = "No such order", body = ErrorBody),
    (status = 409, description = "Its state does not allow it; the body lists what it allows", body = ErrorBody),
))]
#[put("/{id}/status")]
pub(crate) async fn put_status(
    app: Data<App>,
    named: PathText<Named<OrderKind>>,
    sent: LooseBody<StatusAlias>,
) -> Result<HttpResponse, HttpError> {
    set(&app, named.0, sent.into_inner().status).await
}

/// Takes an order further by hand, or cancels it.
#[utoipa::path(tag = "order", request_body = StatusAlias, params(("id" = String, Path)), responses(
    (status = 200, description = "The order in its new state", body = WrittenOrderAlias),
    (status = 404, description = "No such order", body = ErrorBody),
    (status = 409, description = "Its state does not allow it; the body lists what it allows", body = ErrorBody),
))]
#[patch("/{id}/status")]
pub(crate) async fn patch_status(
    app: Data<App>,
    named: PathText<Named<OrderKind>>,
    sent: LooseBody<StatusAlias>,
) -> Result<HttpResponse, HttpError> {
    set(&app, named.0, sent.into_inner().status).await
}

/// Cancels an order that is not shipped yet; its record stays.
#[utoipa::path(tag = "order", params(("id" = String, Path)), responses(
    (status = 200, description = "The order, cancelled", body = WrittenOrderAlias),
    (status = 404, description = "No such order, or not yours", body = ErrorBody),
    (status = 409, description = "Too late", body = ErrorBody),
))]
#[delete("/{id}")]
pub(crate) async fn cancel(
    app: Data<App>,
    who: Who,
    named: PathText<Named<OrderKind>>,
) -> Result<HttpResponse, HttpError> {
    cancelled(&app, who, named.0).await
}

/// Cancels an order that is not shipped yet. Here the key names an order.
#[utoipa::path(tag = "order", params(("key" = String, Path, description = "An order")), responses(
    (status = 200, description = "The order, cancelled", body = WrittenOrderAlias),
    (status = 404, description = "No such order, or not yours", body = ErrorBody),
    (status = 409, description = "Too late", body = ErrorBody),
))]
#[delete("/{key}")]
pub(crate) async fn cancel_of_key(
    app: Data<App>,
    who: Who,
    named: PathText<Named<OrderKind>>,
) -> Result<HttpResponse, HttpError> {
    cancelled(&app, who, named.0).await
}

//! Aliases that read orders.

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use serde::Deserialize;
use shop_http::alias::{Limits, LooseQuery};
use shop_http::{ErrorBody, HttpError, PathText, Who, reply};
use shop_types::id::{OrderKind, UserKind};
use shop_types::{Caller, Named, Page, UserId};
use utoipa::IntoParams;

use super::body::{FoundOrderAlias, ItemsAlias, OrderAlias, OrderLineAlias, OrdersAlias, StatusWord};
use super::{eyes, named_user};
use crate::app::{App, Filter};

/// Orders of one user per page, at most.
const MOST_OF_USER: u32 = 50;

/// What a list is narrowed to.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct Narrowed {
    /// pending, confirmed, processing, shipped, delivered or cancelled.
    #[param(value_type = Option<String>)]
    status: Option<StatusWord>,
    /// Orders of this user, by id or number.
    #[param(value_type = Option<String>)]
    user_id: Option<Named<UserKind>>,
}

async fn page(
    app: &App,
    caller: Caller,
    (filter, asked): (Filter, Option<UserId>),
    (number, size): (u32, u32),
) -> Result<HttpResponse, HttpError> {
    let Page { items, page } = app.orders(&eyes(caller)?, &filter, (number, size)).await?;
    let orders = items.into_iter().map(OrderAlias::from).collect();
    Ok(reply::ok(&OrdersAlias { orders, user_id: asked, pagination: (&page).into(), cached: false }))
}

async fn of_user(app: &App, caller: Caller, named: Named<UserKind>, limits: Limits) -> Result<HttpResponse, HttpError> {
    let user = named_user(app, &caller, named).await?.ok_or_else(HttpError::not_found)?;
    let filter = Filter { user: Some(user), ..Filter::default() };
    page(app, caller, (filter, Some(user)), limits.at_most(MOST_OF_USER)).await
}

/// Lists orders, newest first: customers see their own, staff see all.
#[utoipa::path(tag = "order", params(Limits, Narrowed), responses(
    (status = 200, description = "A page of orders", body = OrdersAlias),
    (status = 422, description = "A parameter breaks its rule", body = ErrorBody),
))]
#[get("")]
pub(crate) async fn list_orders(
    app: Data<App>,
    who: Who,
    limits: LooseQuery<Limits>,
    asked: LooseQuery<Narrowed>,
) -> Result<HttpResponse, HttpError> {
    let Narrowed { status, user_id } = asked.0;
    let user = match user_id {
        None => None,
        Some(named) => Some(named_user(&app, &who.0, named).await?),
    };
    let (number, size) = limits.0.at_most(100);
    let user = match user {
        None => None,
        Some(Some(user)) => Some(user),
        // Nobody, or somebody else: there is nothing to see.
        Some(None) => {
            let pagination = (&Page::<()>::new(Vec::new(), number, size, 0).page).into();
            return Ok(reply::ok(&OrdersAlias { orders: Vec::new(), user_id: None, pagination, cached: false }));
        }
    };
    let filter = Filter { states: status.map(StatusWord::states).unwrap_or_default(), user, from: None, to: None };
    page(&app, who.0, (filter, None), (number, size)).await
}

/// Lists the orders of a user, newest first. Customers see their own.
#[utoipa::path(tag = "order", params(("user" = String, Path), Limits), responses(
    (status = 200, description = "A page of orders", body = OrdersAlias),
    (status = 404, description = "No such user, or not you", body = ErrorBody),
))]
#[get("/user/{user}")]
pub(crate) async fn list_of_user(
    app: Data<App>,
    who: Who,
    user: PathText<Named<UserKind>>,
    limits: LooseQuery<Limits>,
) -> Result<HttpResponse, HttpError> {
    of_user(&app, who.0, user.0, limits.0).await
}

/// Lists the orders of a user, newest first. Here the key names a user.
#[utoipa::path(tag = "order", params(("key" = String, Path, description = "A user"), Limits), responses(
    (status = 200, description = "A page of orders", body = OrdersAlias),
    (status = 404, description = "No such user, or not you", body = ErrorBody),
))]
#[get("/{key}")]
pub(crate) async fn list_of_key(
    app: Data<App>,
    who: Who,
    user: PathText<Named<UserKind>>,
    limits: LooseQuery<Limits>,
) -> Result<HttpResponse, HttpError> {
    of_user(&app, who.0, user.0, limits.0).await
}

/// Reads one order.
#[utoipa::path(tag = "order", params(("id" = String, Path)), responses(
    (status = 200, description = "The order", body = FoundOrderAlias),
    (status = 404, description = "No such order, or not yours", body = ErrorBody),
))]
#[get("/{id}")]
pub(crate) async fn get_order(
    app: Data<App>,
    who: Who,
    named: PathText<Named<OrderKind>>,
) -> Result<HttpResponse, HttpError> {
    let order = app.named_order(&eyes(who.0)?, named.0).await?.into();
    Ok(reply::ok(&FoundOrderAlias { order, cached: false }))
}

/// Reads the lines of an order, at most 100.
#[utoipa::path(tag = "order", params(("id" = String, Path)), responses(
    (status = 200, description = "The lines", body = ItemsAlias),
    (status = 404, description = "No such order, or not yours", body = ErrorBody),
))]
#[get("/{id}/items")]
pub(crate) async fn get_order_items(
    app: Data<App>,
    who: Who,
    named: PathText<Named<OrderKind>>,
) -> Result<HttpResponse, HttpError> {
    let order = app.named_order(&eyes(who.0)?, named.0).await?;
    let items = order.lines.into_iter().map(OrderLineAlias::from).collect();
    Ok(reply::ok(&ItemsAlias { items, cached: false }))
}

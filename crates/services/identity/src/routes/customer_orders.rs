//! Which orders are whose: for the person and staff to read, for programs to tell.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get, put};
use jiff::Timestamp;
use serde::Serialize;
use shop_http::extract::path_parameter;
use shop_http::{ErrorBody, HttpError, LoggedIn, NoBody, PathId, PlainPageQuery, Query, reply};
use shop_types::id::UserKind;
use shop_types::{OrderId, Page, Role};
use utoipa::ToSchema;

use crate::app::{App, Error};
use crate::domain::CustomerOrder;

/// An order of a person. What it is about, the order service tells.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CustomerOrderBody {
    order_id: OrderId,
    /// The number that people use; absent when a program told of the order and its event has not come yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<i64>,
    /// When it was placed.
    #[schema(value_type = String, format = DateTime)]
    placed_at: Timestamp,
}

impl From<CustomerOrder> for CustomerOrderBody {
    fn from(order: CustomerOrder) -> Self {
        let CustomerOrder { order, user: _, number, at } = order;
        Self { order_id: order, number, placed_at: at }
    }
}

/// Lists the orders of a person, the latest first: one's own, or anybody's for staff.
#[utoipa::path(tag = "identity", params(("id" = String, Path), PlainPageQuery), responses(
    (status = 200, description = "A page of orders", body = Page<CustomerOrderBody>),
    (status = 401, description = "No token, or one that does not hold", body = ErrorBody),
    (status = 404, description = "No such person, or not you", body = ErrorBody),
    (status = 422, description = "A parameter breaks its rule", body = ErrorBody),
))]
#[get("/api/v1/customers/{id}/orders")]
pub(crate) async fn list_customer_orders(
    app: Data<App>,
    LoggedIn(caller, role, _): LoggedIn,
    id: PathId<UserKind>,
    Query(page): Query<PlainPageQuery>,
) -> Result<HttpResponse, HttpError> {
    // Other people do not exist for a customer.
    if caller != id.0 && role == Role::Customer {
        return Err(Error::NoSuchUser.into());
    }
    let orders = app.customer_orders(id.0, (page.page, page.size)).await?;
    Ok(reply::ok(&orders.map(CustomerOrderBody::from)))
}

/// Tells that an order is a person's, for programs that take orders elsewhere. Again changes nothing.
#[utoipa::path(tag = "identity", params(("id" = String, Path), ("orderId" = String, Path)), responses(
    (status = 204, description = "It is known"),
    (status = 403, description = "Not a program", body = ErrorBody),
    (status = 404, description = "No such person", body = ErrorBody),
    (status = 409, description = "The order is another person's", body = ErrorBody),
))]
#[put("/api/v1/customers/{id}/orders/{orderId}")]
pub(crate) async fn link_order(
    app: Data<App>,
    LoggedIn(program, ..): LoggedIn,
    id: PathId<UserKind>,
    request: HttpRequest,
    _: NoBody,
) -> Result<HttpResponse, HttpError> {
    let order: OrderId = path_parameter(&request, "orderId")?;
    app.link_order(program, id.0, order).await?;
    Ok(reply::no_content())
}

//! HTTP in: parse, call [`App`], respond. `configure()` at the bottom is the URL table, [`ACCESS`] says who may call.

pub(crate) mod body;
mod parts;
mod returns;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get, patch, post};
use jiff::Timestamp;
use serde::Deserialize;
use shop_http::access::{Access, Method, Route};
use shop_http::{
    Body, Code, ErrorBody, HttpError, IfMatch, Key, MaybeIfNoneMatch, NoBody, PageQuery, Paged, PathId, Who, reply,
};
use shop_mongo::Claim;
use shop_types::caller::Subject;
use shop_types::event::CartFact;
use shop_types::id::OrderKind;
use shop_types::{Caller, Fingerprint, Page, UserId};
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;

use self::body::{NewOrderBody, NewPaymentBody, StatusBody, StatusWord};
pub(crate) use self::body::{OrderBody, ReturnBody};
use crate::app::{App, Buyer, Error, Filter, Keyed, Outcome, PlaceOrder, Placement, Source, Viewer};
use crate::domain::{self, Order};
use crate::peers::Cart;

/// Who may call each route.
pub(crate) const ACCESS: &[Route] = &[
    (Method::Get, "/api/v1/orders", Access::CUSTOMER),
    (Method::Post, "/api/v1/orders", Access::GUEST),
    (Method::Get, "/api/v1/orders/{id}", Access::GUEST),
    (Method::Patch, "/api/v1/orders/{id}", Access::GUEST),
    (Method::Get, "/api/v1/orders/{id}/items", Access::GUEST),
    (Method::Get, "/api/v1/orders/{id}/history", Access::GUEST),
    (Method::Post, "/api/v1/orders/{id}/cancel", Access::CUSTOMER),
    (Method::Post, "/api/v1/orders/{id}/payments", Access::GUEST),
    (Method::Patch, "/api/v1/orders/{id}/status", Access::STAFF),
    (Method::Post, "/api/v1/orders/{id}/returns", Access::GUEST),
    (Method::Get, "/api/v1/returns", Access::STAFF),
    (Method::Get, "/api/v1/returns/{id}", Access::GUEST),
    (Method::Patch, "/api/v1/returns/{id}", Access::STAFF),
];

/// Codes that this service alone answers with.
pub(crate) const CODES: &[Code] = &[
    ("payment_declined", 402, "The payment was declined; the order keeps its stock until its deadline."),
    ("sold_out", 409, "There is not enough in stock; nothing was taken. The body lists the short lines."),
    ("not_sold", 409, "The catalog does not sell this, or no longer."),
    ("price_changed", 409, "Prices have changed since the cart was last shown; both totals are in the body."),
    (
        "illegal_transition",
        409,
        "It is in a state that does not allow it; the body says which, and lists what may follow.",
    ),
    ("too_many_attempts", 409, "The order has had all its attempts to pay."),
    ("too_many_address_changes", 409, "The address of the order has changed as often as it may: 20 times."),
    ("return_open", 409, "A return of the order waits to be decided."),
    ("order_rejected", 409, "The order was not placed; the reason is in the body."),
    ("request_in_progress", 409, "The first request with this Idempotency-Key is still at work."),
    ("idempotency_key_reused", 422, "This Idempotency-Key was used for another request."),
    ("cart_empty", 422, "There is nothing to order."),
    ("nothing_to_pay", 422, "The order costs nothing: there is no payment that could confirm it."),
    ("total_too_large", 409, "The total does not fit into an amount of money."),
];

/// Says that the answer was given before.
const REPLAYED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("idempotency-replayed"), HeaderValue::from_static("true"));

/// What a list of orders is narrowed to.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OrderFilter {
    /// Orders in this state.
    #[param(value_type = Option<String>)]
    status: Option<StatusWord>,
    /// Orders of this user; customers see their own in any case.
    user_id: Option<UserId>,
    /// Placed at or after this time.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Placed before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
}

pub(crate) fn viewer(caller: Caller) -> Result<Viewer, HttpError> {
    match caller {
        caller if caller.is_staff() => Ok(Viewer::Staff),
        Caller::User { id, .. } => Ok(Viewer::User(id)),
        Caller::Guest { token } => Ok(Viewer::Guest(token.hash())),
        Caller::Anonymous => Err(HttpError::not_found()),
    }
}

/// Places an order from a cart, or from items named one by one. The same key again gives the same answer.
#[utoipa::path(tag = "order", request_body = NewOrderBody, params(("Idempotency-Key" = String, Header)), responses(
    (status = 201, description = "Confirmed: stock and money are held", body = OrderBody),
    (status = 202, description = "Written down for good; the verdict takes longer: look at Location", body = OrderBody),
    (status = 402, description = "The payment was declined", body = ErrorBody),
    (status = 409, description = "Sold out, not for sale, or the price has changed", body = ErrorBody),
    (status = 422, description = "A value breaks its rule, or the key was used for another request", body = ErrorBody),
    (status = 503, description = "Outcome unknown: send the same key again", body = ErrorBody),
))]
#[post("/api/v1/orders")]
pub(crate) async fn place_order(
    app: Data<App>,
    who: Who,
    key: Key,
    request: HttpRequest,
    body: Body<NewOrderBody>,
) -> Result<HttpResponse, HttpError> {
    let fingerprint = body.fingerprint(&request);
    let (source, payment_method, address) = body.into_inner().read().map_err(Error::from)?;
    let (buyer, subject) = buyer(who.0, &source)?;
    let claim = Claim::new(subject, "place_order", &key.0, fingerprint);
    let request = PlaceOrder { buyer, source, payment_method, address, claim };
    answer(app.into_inner().place_order(request).await.map_err(refusal)?)
}

/// Who buys, and on whose behalf the key counts: a guest's is the cart's (ruling 23).
pub(crate) fn buyer(caller: Caller, source: &Source) -> Result<(Buyer, Subject), HttpError> {
    match (caller, source) {
        (Caller::User { id, .. }, _) => Ok((Buyer::User(id), Subject::User(id))),
        (Caller::Guest { token }, Source::Cart(cart) | Source::Seen(Cart { fact: CartFact { id: cart, .. }, .. })) => {
            Ok((Buyer::Guest { cart: *cart, token }, Subject::Cart(*cart)))
        }
        (Caller::Guest { .. }, Source::Items(_) | Source::Numbered(_)) => {
            let rule = domain::Error::Invalid { field: "cartId".into(), rule: "must be given by guests" };
            Err(Error::from(rule).into())
        }
        (Caller::Anonymous, _) => Err(HttpError::not_found()),
    }
}

fn answer(placed: Placement) -> Result<HttpResponse, HttpError> {
    let (status, order, replayed) = decided(placed)?;
    let location = HeaderValue::try_from(format!("/api/v1/orders/{}", order.id)).map_err(HttpError::internal)?;
    let mut response = reply::with_status(status, order.version, &OrderBody::from(order));
    response.headers_mut().insert(LOCATION, location);
    Ok(if replayed { said_before(response) } else { response })
}

/// The status of good news, the order, and whether it was told before; bad news is an error.
pub(crate) fn decided(placed: Placement) -> Result<(StatusCode, Order, bool), HttpError> {
    let Placement { order, outcome, replayed } = placed;
    let refused = match outcome {
        Outcome::Confirmed => return Ok((StatusCode::CREATED, *order, replayed)),
        Outcome::Pending => return Ok((StatusCode::ACCEPTED, *order, replayed)),
        Outcome::Declined => Error::PaymentDeclined { order },
        Outcome::SoldOut => Error::SoldOut { order },
        Outcome::Rejected => Error::Rejected { order },
    };
    let refused = HttpError::from(refused);
    Err(if replayed { refused.with_header(REPLAYED.0, REPLAYED.1) } else { refused })
}

pub(crate) fn said_before(mut response: HttpResponse) -> HttpResponse {
    response.headers_mut().insert(REPLAYED.0, REPLAYED.1);
    response
}

/// How a request with a key was refused; one that is still at work is worth asking for again.
pub(crate) fn refusal(error: Error) -> HttpError {
    let at_work = matches!(error, Error::InProgress { .. });
    let refused = HttpError::from(error);
    if at_work { refused.with_header(RETRY_AFTER, HeaderValue::from_static("1")) } else { refused }
}

fn keyed(caller: Caller, key: Key, fingerprint: Fingerprint) -> Result<Keyed, HttpError> {
    let user = caller.user();
    Ok(Keyed { viewer: viewer(caller)?, user, key: key.0, fingerprint })
}

/// Lists orders, newest first: customers see their own, staff see all.
#[utoipa::path(tag = "order", params(PageQuery, OrderFilter), responses(
    (status = 200, description = "A page of orders", body = Page<OrderBody>),
))]
#[get("/api/v1/orders")]
pub(crate) async fn list_orders(app: Data<App>, who: Who, list: Paged<OrderFilter>) -> Result<HttpResponse, HttpError> {
    let Paged(page, OrderFilter { status, user_id, from, to }) = list;
    let states = status.map(|word| word.0).into_iter().collect();
    let filter = Filter { states, user: user_id, from, to };
    newest_first(&page)?;
    let found = app.orders(&viewer(who.0)?, &filter, (page.page, page.size)).await?;
    Ok(reply::ok(&found.map(OrderBody::from)))
}

/// There is no other sequence.
fn newest_first(page: &PageQuery) -> Result<(), HttpError> {
    let other = page.sort.as_deref().is_some_and(|sort| sort != "-createdAt");
    if other { Err(Error::from(domain::Error::Sort).into()) } else { Ok(()) }
}

/// Reads one order; other people's do not exist.
#[utoipa::path(tag = "order", params(("id" = String, Path)), responses(
    (status = 200, description = "The order", body = OrderBody),
    (status = 304, description = "The version in If-None-Match is the present one"),
    (status = 404, description = "No such order, or not yours", body = ErrorBody),
))]
#[get("/api/v1/orders/{id}")]
pub(crate) async fn get_order(
    app: Data<App>,
    who: Who,
    id: PathId<OrderKind>,
    known: MaybeIfNoneMatch,
) -> Result<HttpResponse, HttpError> {
    let order = app.order(&viewer(who.0)?, id.0).await?;
    if known.matches(order.version) {
        return Ok(reply::not_modified(order.version));
    }
    Ok(reply::with_etag(order.version, &OrderBody::from(order)))
}

/// Cancels an order that is not shipped yet: stock and money go back.
#[utoipa::path(tag = "order", params(("id" = String, Path)), responses(
    (status = 200, description = "The order: rejected, cancelling or cancelled", body = OrderBody),
    (status = 404, description = "No such order, or not yours", body = ErrorBody),
    (status = 409, description = "Too late", body = ErrorBody),
))]
#[post("/api/v1/orders/{id}/cancel")]
pub(crate) async fn cancel_order(
    app: Data<App>,
    who: Who,
    id: PathId<OrderKind>,
    _: NoBody,
) -> Result<HttpResponse, HttpError> {
    let order = app.cancel(&viewer(who.0)?, id.0).await?;
    Ok(reply::with_etag(order.version, &OrderBody::from(order)))
}

/// Pays an order whose payment was declined by another attempt. The same key again gives the same answer.
#[utoipa::path(tag = "order", request_body = NewPaymentBody,
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)), responses(
    (status = 201, description = "Confirmed: stock and money are held", body = OrderBody),
    (status = 202, description = "The verdict takes longer, or the buyer must act first: look at Location", body = OrderBody),
    (status = 402, description = "The payment was declined once more", body = ErrorBody),
    (status = 404, description = "No such order, or not yours", body = ErrorBody),
    (status = 409, description = "The order does not wait for another attempt", body = ErrorBody),
    (status = 503, description = "Outcome unknown: send the same key again", body = ErrorBody),
))]
#[post("/api/v1/orders/{id}/payments")]
pub(crate) async fn pay_order(
    app: Data<App>,
    who: Who,
    id: PathId<OrderKind>,
    key: Key,
    request: HttpRequest,
    body: Body<NewPaymentBody>,
) -> Result<HttpResponse, HttpError> {
    let keyed = keyed(who.0, key, body.fingerprint(&request))?;
    let method = body.into_inner().read().map_err(Error::from)?;
    answer(app.into_inner().pay_again(id.0, method, keyed).await.map_err(refusal)?)
}

/// Takes an order further by hand: paid to shipped, shipped to delivered.
#[utoipa::path(tag = "order", request_body = StatusBody, params(("id" = String, Path), ("If-Match" = String, Header)),
    responses(
    (status = 200, description = "The order in its new state", body = OrderBody),
    (status = 404, description = "No such order", body = ErrorBody),
    (status = 409, description = "Its state does not allow it; the body lists what it allows", body = ErrorBody),
    (status = 412, description = "It was changed since you read it", body = ErrorBody),
    (status = 428, description = "If-Match is missing", body = ErrorBody),
))]
#[patch("/api/v1/orders/{id}/status")]
pub(crate) async fn set_status(
    app: Data<App>,
    id: PathId<OrderKind>,
    seen: IfMatch,
    body: Body<StatusBody>,
) -> Result<HttpResponse, HttpError> {
    let order = app.advance(id.0, body.status.0, seen.0).await?;
    Ok(reply::with_etag(order.version, &OrderBody::from(order)))
}

pub(crate) fn configure(routes: &mut ServiceConfig<'_>) {
    routes.service(list_orders).service(place_order).service(get_order).service(cancel_order);
    routes.service(pay_order).service(set_status);
    routes.service(parts::change_order).service(parts::list_order_items).service(parts::list_order_history);
    routes.service(returns::request_return).service(returns::list_returns);
    routes.service(returns::get_return).service(returns::decide_return);
}

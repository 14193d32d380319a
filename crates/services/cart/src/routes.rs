//! HTTP in: parse, call the [`App`], respond. `configure` at the bottom is the URL table; bodies stand in `bodies`.

mod bodies;

use actix_web::http::StatusCode;
use actix_web::http::header::IF_MATCH;
use actix_web::{FromRequest as _, HttpRequest, HttpResponse, delete, get, patch, post, web};
use shop_http::extract::path_parameter;
use shop_http::{
    Access, Body, Code, ErrorBody, HttpError, IfMatch, MaybeGuest, MaybeIfNoneMatch, MaybeKey, Method, NoBody, PathId,
    Route, Who, reply,
};
use shop_types::id::CartKind;
use utoipa_actix_web::service_config::ServiceConfig;

pub(crate) use self::bodies::CartReply;
use self::bodies::{ItemBody, MergeBody, OpenedReply, QuantityBody};
use crate::app::{AddItem, App, Error, MergeCarts, Opened};
use crate::domain::Cart;

/// Who may call what; whose cart it is, the query decides.
pub const ACCESS: &[Route] = &[
    (Method::Post, "/api/v1/carts", Access::GUEST.or_anybody()),
    (Method::Get, "/api/v1/carts/{id}", Access::GUEST),
    (Method::Delete, "/api/v1/carts/{id}", Access::GUEST),
    (Method::Post, "/api/v1/carts/{id}/items", Access::GUEST),
    (Method::Patch, "/api/v1/carts/{id}/items/{sku}", Access::GUEST),
    (Method::Delete, "/api/v1/carts/{id}/items/{sku}", Access::GUEST),
    (Method::Post, "/api/v1/carts/{id}/merge", Access::CUSTOMER),
    (Method::Get, "/api/v1/me/cart", Access::GUEST),
];

/// The codes of this service beside the shared ones.
pub const CODES: &[Code] = &[
    ("not_sold", 409, "The catalog does not sell this, or no longer."),
    ("sold_out", 409, "There is not enough in stock; nothing was taken. The body lists the short lines."),
    ("cart_full", 409, "A cart has at most 100 lines."),
    ("quantity_too_large", 409, "A line has at most 1,000,000 pieces."),
    ("total_too_large", 409, "The total does not fit into an amount of money."),
    ("idempotency_key_reused", 422, "This Idempotency-Key was used for another request."),
];

/// Opens a cart. Without a token it is a guest's, and the answer holds its secret, this once; send it as `X-Guest-Token`.
/// A user has one cart: 200 answers the one they have, 201 a new one. Repeating the call is safe with and without an
/// Idempotency-Key: a user gets the same cart, a guest another empty one.
#[utoipa::path(
    tag = "cart",
    params(("Idempotency-Key" = Option<String>, Header, description = "Accepted; changes nothing here")),
    responses(
        (status = 200, body = OpenedReply, description = "The cart that the user has",
            headers(("ETag" = String, description = "The version"))),
        (status = 201, body = OpenedReply, headers(
            ("ETag" = String, description = "The version"), ("Location" = String, description = "Of the cart"))),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 422, body = ErrorBody),
    ),
)]
#[post("/api/v1/carts")]
async fn open_cart(app: web::Data<App>, who: Who, _key: MaybeKey, _: NoBody) -> Result<HttpResponse, HttpError> {
    let (status, cart, token) = match app.open(&who.0).await? {
        Opened::ForGuest(cart, token) => (StatusCode::CREATED, cart, Some(token)),
        Opened::ForUser(cart) => (StatusCode::CREATED, cart, None),
        Opened::Present(cart) => (StatusCode::OK, cart, None),
    };
    let body = OpenedReply::new(&cart, token.as_ref()).map_err(Error::Rule)?;
    if status == StatusCode::OK {
        return Ok(reply::with_etag(cart.version, &body));
    }
    Ok(reply::created(&format!("/api/v1/carts/{}", cart.id), cart.version, &body))
}

/// Shows a cart at prices that are at most a minute old.
#[utoipa::path(
    tag = "cart",
    params(("id" = String, Path, format = Uuid), ("X-Guest-Token" = Option<String>, Header),
        ("If-None-Match" = Option<String>, Header)),
    responses(
        (status = 200, body = CartReply, headers(("ETag" = String, description = "The version"))),
        (status = 304, description = "You have this version"),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
    ),
)]
#[get("/api/v1/carts/{id}")]
async fn get_cart(
    app: web::Data<App>,
    who: Who,
    id: PathId<CartKind>,
    known: MaybeIfNoneMatch,
) -> Result<HttpResponse, HttpError> {
    let cart = app.cart(&who.0, id.0).await?;
    if known.matches(cart.version) { Ok(reply::not_modified(cart.version)) } else { shown(&cart) }
}

/// Shows the caller's own cart, as `GET /api/v1/carts/{id}` does: that of the account or of the guest token; 404 before the
/// first was opened. Always whole: it may be another cart than the last time, at the same version.
#[utoipa::path(
    tag = "cart",
    params(("X-Guest-Token" = Option<String>, Header)),
    responses(
        (status = 200, body = CartReply, headers(("ETag" = String, description = "The version"))),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
    ),
)]
#[get("/api/v1/me/cart")]
async fn get_own_cart(app: web::Data<App>, who: Who) -> Result<HttpResponse, HttpError> {
    shown(&app.own_cart(&who.0).await?)
}

/// Throws a cart away, with everything in it.
#[utoipa::path(
    tag = "cart",
    params(("id" = String, Path, format = Uuid), ("X-Guest-Token" = Option<String>, Header)),
    responses(
        (status = 204), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
    ),
)]
#[delete("/api/v1/carts/{id}")]
async fn discard_cart(app: web::Data<App>, who: Who, id: PathId<CartKind>) -> Result<HttpResponse, HttpError> {
    app.discard(&who.0, id.0).await?;
    Ok(reply::no_content())
}

/// Puts pieces into a cart, at the price of now; a SKU that is there already gets more pieces. `productId` means the
/// default variant. More than there is in stock is refused; nothing is held before the order. With an Idempotency-Key it
/// counts once; repeated, it answers the cart as it is then.
#[utoipa::path(
    tag = "cart",
    params(("id" = String, Path, format = Uuid), ("X-Guest-Token" = Option<String>, Header),
        ("Idempotency-Key" = Option<String>, Header, description = "Names this request")),
    request_body = ItemBody,
    responses(
        (status = 200, body = CartReply, headers(("ETag" = String, description = "The version"))),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody, description = "Not sold, not in stock, or too much"),
        (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 422, body = ErrorBody),
        (status = 503, body = ErrorBody, description = "The catalog is away"),
    ),
)]
#[post("/api/v1/carts/{id}/items")]
async fn add_cart_item(
    app: web::Data<App>,
    request: HttpRequest,
    who: Who,
    id: PathId<CartKind>,
    MaybeKey(key): MaybeKey,
    body: Body<ItemBody>,
) -> Result<HttpResponse, HttpError> {
    let fingerprint = body.fingerprint(&request);
    let (item, quantity) = (body.item()?, body.quantity);
    let add = AddItem { cart: id.0, item, quantity, key: key.map(|key| (key, fingerprint)) };
    shown(&app.add_item(&who.0, add).await?)
}

/// Changes the quantity of a line. More than before and than there is in stock is refused; less never is.
#[utoipa::path(
    tag = "cart",
    params(("id" = String, Path, format = Uuid), ("sku" = shop_types::Sku, Path),
        ("X-Guest-Token" = Option<String>, Header), ("If-Match" = String, Header, description = "The version you read")),
    request_body = QuantityBody,
    responses(
        (status = 200, body = CartReply, headers(("ETag" = String, description = "The version"))),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody, description = "Not in stock, or too much"),
        (status = 412, body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 422, body = ErrorBody),
        (status = 428, body = ErrorBody),
    ),
)]
#[patch("/api/v1/carts/{id}/items/{sku}")]
async fn change_cart_item(
    app: web::Data<App>,
    request: HttpRequest,
    who: Who,
    id: PathId<CartKind>,
    seen: IfMatch,
    body: Body<QuantityBody>,
) -> Result<HttpResponse, HttpError> {
    let sku = path_parameter(&request, "sku")?;
    shown(&app.set_quantity(&who.0, id.0, seen.0, (sku, body.into_inner().quantity)).await?)
}

/// Takes a line out of a cart.
#[utoipa::path(
    tag = "cart",
    params(("id" = String, Path, format = Uuid), ("sku" = shop_types::Sku, Path),
        ("X-Guest-Token" = Option<String>, Header), ("If-Match" = String, Header, description = "The version you read")),
    responses(
        (status = 200, body = CartReply, headers(("ETag" = String, description = "The version"))),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 412, body = ErrorBody), (status = 428, body = ErrorBody),
    ),
)]
#[delete("/api/v1/carts/{id}/items/{sku}")]
async fn remove_cart_item(
    app: web::Data<App>,
    request: HttpRequest,
    who: Who,
    id: PathId<CartKind>,
    seen: IfMatch,
) -> Result<HttpResponse, HttpError> {
    let sku = path_parameter(&request, "sku")?;
    shown(&app.remove_item(&who.0, id.0, seen.0, sku).await?)
}

/// Takes a guest's cart over into the caller's own, after login; `X-Guest-Token` proves the guest's. `merge` keeps the
/// lines of both (pieces of one SKU add up), `keep_guest` and `keep_account` those of one; whatever is in stock, no line is
/// lost. The guest's cart is gone then,
/// so repeating the call is safe with and without an Idempotency-Key: it answers the cart as it is.
#[utoipa::path(
    tag = "cart",
    params(("id" = String, Path, format = Uuid), ("X-Guest-Token" = String, Header, description = "Of the cart in `from`"),
        ("If-Match" = Option<String>, Header, description = "Takes over into this version alone"),
        ("Idempotency-Key" = Option<String>, Header, description = "Accepted; changes nothing here")),
    request_body = MergeBody,
    responses(
        (status = 200, body = CartReply, headers(("ETag" = String, description = "The version"))),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody, description = "One of the carts is not there, or not yours"),
        (status = 409, body = ErrorBody, description = "Both together are too much for one cart"),
        (status = 412, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
        (status = 422, body = ErrorBody),
    ),
)]
#[post("/api/v1/carts/{id}/merge")]
async fn merge_carts(
    app: web::Data<App>,
    request: HttpRequest,
    who: Who,
    id: PathId<CartKind>,
    guest: MaybeGuest,
    _key: MaybeKey,
    body: Body<MergeBody>,
) -> Result<HttpResponse, HttpError> {
    let missing = Error::Request { field: "X-Guest-Token", message: "is required: it proves the cart in from" };
    let token = guest.0.ok_or(missing)?;
    let seen = if request.headers().contains_key(IF_MATCH) { Some(IfMatch::extract(&request).await?.0) } else { None };
    let (fingerprint, from, policy) = (body.fingerprint(&request), body.from, body.policy());
    shown(&app.merge(&who.0, MergeCarts { into: id.0, from, token, policy, seen, fingerprint }).await?)
}

fn shown(cart: &Cart) -> Result<HttpResponse, HttpError> {
    Ok(reply::with_etag(cart.version, &CartReply::new(cart).map_err(Error::Rule)?))
}

/// Mounts the routes.
pub fn configure(config: &mut ServiceConfig<'_>) {
    config
        .service(open_cart)
        .service(get_cart)
        .service(discard_cart)
        .service(add_cart_item)
        .service(change_cart_item)
        .service(remove_cart_item)
        .service(merge_carts)
        .service(get_own_cart);
}

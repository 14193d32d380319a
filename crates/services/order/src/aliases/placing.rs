//! Aliases that place orders. One decoder for the three shapes that older clients send (C3).

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, post};
use shop_http::alias::LooseBody;
use shop_http::{ErrorBody, HttpError, MaybeKey, Who, reply};
use shop_mongo::Claim;
use shop_types::caller::Subject;
use shop_types::event::CartFact;
use shop_types::{Caller, Named, Quantity, UserId};

use super::body::{NewOrderAlias, OrderAlias, OrderItemAlias, WrittenOrderAlias};
use super::named_user;
use crate::app::{App, Buyer, Error, Item, PlaceOrder, Placement, Source};
use crate::domain::{self, Address};
use crate::routes::body::{OrderAddressBody, PaymentBody};
use crate::routes::{buyer, decided, refusal, said_before};

const PLACED: &str = "Order created successfully";
/// A good card of the sandbox, the only provider that there is: older clients say nothing about payment.
const USUAL_METHOD: &str = "tok_visa";

/// Places an order in one of the three shapes: a cart, one product, or items.
#[utoipa::path(tag = "order", request_body = NewOrderAlias, params(("Idempotency-Key" = Option<String>, Header)), responses(
    (status = 201, description = "Confirmed: stock and money are held", body = OrderAlias),
    (status = 202, description = "Written down for good; the verdict takes longer", body = OrderAlias),
    (status = 402, description = "The payment was declined", body = ErrorBody),
    (status = 409, description = "Sold out, or not for sale", body = ErrorBody),
    (status = 422, description = "A value breaks its rule", body = ErrorBody),
))]
#[post("")]
pub(crate) async fn place_bare(
    app: Data<App>,
    who: Who,
    key: MaybeKey,
    request: HttpRequest,
    sent: LooseBody<NewOrderAlias>,
) -> Result<HttpResponse, HttpError> {
    let (status, order, replayed) = decided(placed(app, who.0, key, &request, sent).await?)?;
    let response = reply::with_status(status, None, &OrderAlias::from(order));
    Ok(if replayed { said_before(response) } else { response })
}

/// Places an order in one of the three shapes: a cart, one product, or items.
#[utoipa::path(tag = "order", request_body = NewOrderAlias, params(("Idempotency-Key" = Option<String>, Header)), responses(
    (status = 201, description = "Confirmed: stock and money are held", body = WrittenOrderAlias),
    (status = 202, description = "Written down for good; the verdict takes longer", body = WrittenOrderAlias),
    (status = 402, description = "The payment was declined", body = ErrorBody),
    (status = 409, description = "Sold out, or not for sale", body = ErrorBody),
    (status = 422, description = "A value breaks its rule", body = ErrorBody),
))]
#[post("")]
pub(crate) async fn place(
    app: Data<App>,
    who: Who,
    key: MaybeKey,
    request: HttpRequest,
    sent: LooseBody<NewOrderAlias>,
) -> Result<HttpResponse, HttpError> {
    wrapped(placed(app, who.0, key, &request, sent).await?)
}

/// Places an order of one product, or in one of the other shapes.
#[utoipa::path(tag = "order", request_body = NewOrderAlias, params(("Idempotency-Key" = Option<String>, Header)), responses(
    (status = 201, description = "Confirmed: stock and money are held", body = WrittenOrderAlias),
    (status = 202, description = "Written down for good; the verdict takes longer", body = WrittenOrderAlias),
    (status = 402, description = "The payment was declined", body = ErrorBody),
    (status = 409, description = "Sold out, or not for sale", body = ErrorBody),
    (status = 422, description = "A value breaks its rule", body = ErrorBody),
))]
#[post("/create")]
pub(crate) async fn place_one(
    app: Data<App>,
    who: Who,
    key: MaybeKey,
    request: HttpRequest,
    sent: LooseBody<NewOrderAlias>,
) -> Result<HttpResponse, HttpError> {
    wrapped(placed(app, who.0, key, &request, sent).await?)
}

/// Places an order of a cart, or in one of the other shapes.
#[utoipa::path(tag = "order", request_body = NewOrderAlias, params(("Idempotency-Key" = Option<String>, Header)), responses(
    (status = 201, description = "Confirmed: stock and money are held", body = WrittenOrderAlias),
    (status = 202, description = "Written down for good; the verdict takes longer", body = WrittenOrderAlias),
    (status = 402, description = "The payment was declined", body = ErrorBody),
    (status = 409, description = "Sold out, or not for sale", body = ErrorBody),
    (status = 422, description = "A value breaks its rule", body = ErrorBody),
))]
#[post("/request")]
pub(crate) async fn place_of_cart(
    app: Data<App>,
    who: Who,
    key: MaybeKey,
    request: HttpRequest,
    sent: LooseBody<NewOrderAlias>,
) -> Result<HttpResponse, HttpError> {
    wrapped(placed(app, who.0, key, &request, sent).await?)
}

fn wrapped(placed: Placement) -> Result<HttpResponse, HttpError> {
    let (status, order, replayed) = decided(placed)?;
    let response = reply::with_status(status, None, &WrittenOrderAlias { message: PLACED, order: order.into() });
    Ok(if replayed { said_before(response) } else { response })
}

fn invalid(field: &str, rule: &'static str) -> HttpError {
    Error::from(domain::Error::Invalid { field: field.to_owned(), rule }).into()
}

async fn placed(
    app: Data<App>,
    caller: Caller,
    key: MaybeKey,
    request: &HttpRequest,
    sent: LooseBody<NewOrderAlias>,
) -> Result<Placement, HttpError> {
    let fingerprint = sent.fingerprint(request);
    let mut sent = sent.into_inner();
    let (address, payment_method) = terms(&mut sent)?;
    let user = match sent.user_id {
        None => None,
        Some(named) => {
            let user = named_user(&app, &caller, named).await?;
            Some(user.ok_or_else(|| invalid("userId", "must be somebody for whom you may order"))?)
        }
    };
    let is_account = user.is_some() || matches!(caller, Caller::User { .. });
    let (source, seen) = source(&app, sent, key.0.is_some(), is_account).await?;
    let (buyer, subject) = match (caller, user) {
        (Caller::Anonymous, None) => return Err(invalid("userId", "must say who buys")),
        (Caller::Anonymous | Caller::User { .. }, Some(user)) => by(user),
        (caller @ (Caller::User { .. } | Caller::Guest { .. }), _) => buyer(caller, &source)?,
    };
    let claim = match (key.0, seen) {
        (Some(key), _) => Claim::new(subject, "place_order", &key, fingerprint),
        (None, Some(cart)) => app.claim_of_cart(subject, &buyer, cart).await?,
        (None, None) => Claim::new(subject, "place_order", &app.fresh_key()?, fingerprint),
    };
    let request = PlaceOrder { buyer, source, payment_method, address, claim };
    app.into_inner().place_order(request).await.map_err(refusal)
}

const fn by(user: UserId) -> (Buyer, Subject) {
    (Buyer::User(user), Subject::User(user))
}

/// Where it is sent and how it is paid.
fn terms(sent: &mut NewOrderAlias) -> Result<(Option<Address>, String), HttpError> {
    let address = sent.address.take().map(OrderAddressBody::read).transpose().map_err(Error::from)?;
    let method = sent.payment.take().map(PaymentBody::read).transpose().map_err(Error::from)?;
    Ok((address, method.unwrap_or_else(|| USUAL_METHOD.to_owned())))
}

/// What is ordered, and the cart as it was seen: one is ordered once also without a key, items each time. With a key it is not
/// looked at here: what the key was answered before holds also when the cart has gone. But a guest's key is one of their cart,
/// which its number alone does not name.
async fn source(
    app: &App,
    sent: NewOrderAlias,
    is_keyed: bool,
    is_account: bool,
) -> Result<(Source, Option<CartFact>), HttpError> {
    let NewOrderAlias { cart_id, shopping_cart_id, product_id, sku, quantity, items, .. } = sent;
    let single = product_id.is_some() || sku.is_some();
    match (cart_id.or(shopping_cart_id), single, items) {
        (Some(Named::Id(cart)), false, None) if is_keyed => Ok((Source::Cart(cart), None)),
        (Some(Named::Number(cart)), false, None) if is_keyed && is_account => Ok((Source::Numbered(cart), None)),
        (Some(cart), false, None) => {
            let cart = app.cart(cart).await?;
            let fact = cart.fact;
            Ok((Source::Seen(cart), Some(fact)))
        }
        (None, true, None) => {
            let one = || Quantity::new(1).map_err(HttpError::internal);
            let quantity = quantity.map_or_else(one, Ok)?;
            let item = item("productId", OrderItemAlias { product_id, sku, quantity })?;
            Ok((Source::Items(vec![item]), None))
        }
        (None, false, Some(items)) if (1..=100).contains(&items.len()) => {
            let items = items.into_iter().enumerate().map(|(n, line)| item(&format!("items[{n}]"), line));
            Ok((Source::Items(items.collect::<Result<_, _>>()?), None))
        }
        (None, false, Some(_)) => Err(invalid("items", "must be 1 to 100")),
        _ => Err(invalid("items", "must be given, or productId, or cartId, but only one of them")),
    }
}

fn item(field: &str, line: OrderItemAlias) -> Result<(Item, Quantity), HttpError> {
    match (line.sku, line.product_id) {
        (Some(sku), None) => Ok((Item::Sku(sku), line.quantity)),
        (None, Some(product)) => Ok((Item::Product(product), line.quantity)),
        (Some(_), Some(_)) | (None, None) => Err(invalid(field, "must have either sku or productId")),
    }
}

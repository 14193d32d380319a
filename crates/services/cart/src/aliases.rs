//! The compatibility aliases of this service: a cart by the user whose it is, for clients of other shops. Thin: each reads
//! the older spelling, calls what the canonical handler calls, and answers in the older shape.

mod body;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, post};
use shop_http::alias::LooseBody;
use shop_http::{Access, Alias, ErrorBody, HttpError, LoggedIn, MaybeKey, Method, PathText, Who, reply};
use shop_types::id::UserKind;
use shop_types::{Caller, Named};
use utoipa_actix_web::scope::scope;
use utoipa_actix_web::service_config::ServiceConfig;

use self::body::{CartAlias, FilledCartAlias, MessageAlias};
use crate::app::{App, Error, FillCart};

/// Who may call each alias.
pub(crate) const ACCESS: &[Alias] = &[
    Alias::new(Method::Post, "/cart", Access::CUSTOMER, "/api/v1/me/cart"),
    Alias::new(Method::Get, "/cart/{user}", Access::CUSTOMER, "/api/v1/me/cart"),
    Alias::new(Method::Delete, "/cart/{user}", Access::CUSTOMER, "/api/v1/me/cart"),
];

pub(crate) fn configure(routes: &mut ServiceConfig<'_>) {
    routes.service(scope("/cart").configure(|routes| {
        routes.service(fill_cart).service(get_cart_of_user).service(empty_cart_of_user);
    }));
}

/// In whose place the caller acts: their own, or for staff that of anybody who has an account. Everybody else does not
/// exist.
async fn in_place_of(app: &App, caller: Caller, named: Option<Named<UserKind>>) -> Result<Caller, HttpError> {
    let (Caller::User { id: own, role, session }, Some(named)) = (&caller, named) else { return Ok(caller) };
    if named == Named::Id(*own) {
        return Ok(caller);
    }
    let others = matches!(named, Named::Id(_));
    if others && !caller.is_staff() {
        return Err(HttpError::not_found());
    }
    let user = app.user(named).await?.filter(|user| user == own || caller.is_staff());
    let id = user.ok_or_else(HttpError::not_found)?;
    Ok(Caller::User { id, role: *role, session: *session })
}

/// Puts pieces into the cart of a user, at the prices of now: one product, or several items. With an Idempotency-Key it
/// counts once; repeated, it answers the cart as it is then.
#[utoipa::path(tag = "cart", request_body = FilledCartAlias, params(("Idempotency-Key" = Option<String>, Header)), responses(
    (status = 201, description = "The whole cart", body = CartAlias),
    (status = 404, description = "No such user, or not you; or it was done before and the cart is gone", body = ErrorBody),
    (status = 409, description = "Not sold, not in stock, or too much", body = ErrorBody),
    (status = 422, description = "A value breaks its rule, or the key was used for another request", body = ErrorBody),
))]
#[post("")]
async fn fill_cart(
    app: Data<App>,
    LoggedIn(by, ..): LoggedIn,
    who: Who,
    MaybeKey(key): MaybeKey,
    request: HttpRequest,
    sent: LooseBody<FilledCartAlias>,
) -> Result<HttpResponse, HttpError> {
    let fingerprint = sent.fingerprint(&request);
    let sent = sent.into_inner();
    let user = sent.user();
    let items = sent.read()?;
    let user = in_place_of(&app, who.0, user).await?;
    let cart = app.fill(&user, FillCart { by, items, key: key.map(|key| (key, fingerprint)) }).await?;
    Ok(reply::with_status(StatusCode::CREATED, None, &CartAlias::new(&cart).map_err(Error::Rule)?))
}

/// Shows the cart of a user at prices that are at most a minute old.
#[utoipa::path(tag = "cart", params(("user" = String, Path)), responses(
    (status = 200, description = "The cart", body = CartAlias),
    (status = 404, description = "No such user, not you, or there is no cart", body = ErrorBody),
))]
#[get("/{user}")]
async fn get_cart_of_user(
    app: Data<App>,
    who: Who,
    user: PathText<Named<UserKind>>,
) -> Result<HttpResponse, HttpError> {
    let caller = in_place_of(&app, who.0, Some(user.0)).await?;
    Ok(reply::ok(&CartAlias::new(&app.own_cart(&caller).await?).map_err(Error::Rule)?))
}

/// Takes everything out of the cart of a user, which stays, with its number. Repeating the call is safe.
#[utoipa::path(tag = "cart", params(("user" = String, Path)), responses(
    (status = 200, description = "It is empty", body = MessageAlias),
    (status = 404, description = "No such user, not you, or there is no cart", body = ErrorBody),
))]
#[delete("/{user}")]
async fn empty_cart_of_user(
    app: Data<App>,
    who: Who,
    user: PathText<Named<UserKind>>,
) -> Result<HttpResponse, HttpError> {
    let caller = in_place_of(&app, who.0, Some(user.0)).await?;
    app.empty(&caller).await?;
    Ok(reply::ok(&MessageAlias { message: "Cart emptied successfully" }))
}

//! HTTP in: parse, call [`App`], respond. `configure()` at the bottom is the URL table, [`ACCESS`] says who may call.

mod body;
mod reconciliation;
mod refunds;
mod webhooks;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpResponse, get, post};
use shop_http::{
    Access, Code, ErrorBody, HttpError, LoggedIn, MaybeIfNoneMatch, Method, NoBody, PathText, Route, Who, reply,
};
use shop_types::Role;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::{App, Reader};
use crate::domain::{Payment, PaymentId};
pub(crate) use body::PaymentBody;

/// Who may call each route.
pub(crate) const ACCESS: &[Route] = &[
    (Method::Get, "/api/v1/payments/reconciliation", Access::STAFF),
    (Method::Post, "/api/v1/payments/webhooks/{provider}", Access::PUBLIC.uncounted()),
    (Method::Get, "/api/v1/payments/{id}", Access::LOGGED_IN),
    (Method::Post, "/api/v1/payments/{id}/capture", Access::STAFF_OR_SERVICE),
    (Method::Post, "/api/v1/payments/{id}/void", Access::STAFF_OR_SERVICE),
    (Method::Post, "/api/v1/payments/{id}/refunds", Access::STAFF_OR_SERVICE),
];

/// The error codes of this service alone.
pub(crate) const CODES: &[Code] = &[
    ("invalid_signature", 400, "The webhook is not signed by the provider, or not within 300 s."),
    (
        "payment_state",
        409,
        "The payment's state does not allow it; `state` is the present one, `allowed` are those that would do.",
    ),
    ("over_refund", 409, "Refunds would add up to more than was captured; `left` can still be refunded."),
    ("too_many_refunds", 409, "A payment has at most 100 refunds, those that were refused included."),
    ("idempotency_key_reused", 422, "This Idempotency-Key was used for another request."),
];

/// Reads a payment: staff and programs any, customers their own.
#[utoipa::path(tag = "payment", params(("id" = String, Path)), responses(
    (status = 200, description = "The payment", body = PaymentBody),
    (status = 304, description = "The version in If-None-Match is the present one"),
    (status = 404, description = "No such payment, or somebody else's", body = ErrorBody),
))]
#[get("/api/v1/payments/{id}")]
pub(crate) async fn get_payment(
    app: Data<App>,
    Who(caller): Who,
    LoggedIn(user, role, _): LoggedIn,
    id: PathText<PaymentId>,
    known: MaybeIfNoneMatch,
) -> Result<HttpResponse, HttpError> {
    let reader = if caller.is_staff() || role == Role::Service { Reader::All } else { Reader::Owner(user) };
    let payment = app.payment(id.0, reader).await?;
    if known.matches(payment.version) {
        return Ok(reply::not_modified(payment.version));
    }
    Ok(reply::with_etag(payment.version, &PaymentBody::from(&payment)))
}

/// Takes the held money now; repeating it changes nothing.
#[utoipa::path(tag = "payment", params(("id" = String, Path)), responses(
    (status = 200, description = "The money was taken, or the provider refuses it for good", body = PaymentBody),
    (status = 202, description = "The provider has not answered yet; it is asked again", body = PaymentBody),
    (status = 404, description = "No such payment", body = ErrorBody),
    (status = 409, description = "Nothing is held", body = ErrorBody),
))]
#[post("/api/v1/payments/{id}/capture")]
pub(crate) async fn capture_payment(
    app: Data<App>,
    id: PathText<PaymentId>,
    _: NoBody,
) -> Result<HttpResponse, HttpError> {
    Ok(answer(&app.into_inner().capture(id.0).await?))
}

/// Gives the hold back; repeating it changes nothing.
#[utoipa::path(tag = "payment", params(("id" = String, Path)), responses(
    (status = 200, description = "Nothing is held any more", body = PaymentBody),
    (status = 202, description = "The provider has not answered yet; it is asked again", body = PaymentBody),
    (status = 404, description = "No such payment", body = ErrorBody),
    (status = 409, description = "The money was taken already, or nothing was ever held", body = ErrorBody),
))]
#[post("/api/v1/payments/{id}/void")]
pub(crate) async fn void_payment(
    app: Data<App>,
    id: PathText<PaymentId>,
    _: NoBody,
) -> Result<HttpResponse, HttpError> {
    Ok(answer(&app.into_inner().void(id.0).await?))
}

fn answer(payment: &Payment) -> HttpResponse {
    let status = if payment.is_moving_the_hold() { StatusCode::ACCEPTED } else { StatusCode::OK };
    reply::with_status(status, payment.version, &PaymentBody::from(payment))
}

pub(crate) fn configure(routes: &mut ServiceConfig<'_>) {
    // The fixed path before the one with a name in its place.
    routes.service(reconciliation::list_differences).service(webhooks::receive_webhook);
    routes.service(get_payment).service(capture_payment).service(void_payment).service(refunds::refund_payment);
}

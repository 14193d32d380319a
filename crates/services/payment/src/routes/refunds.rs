//! Giving money back.

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, post};
use shop_http::{Body, ErrorBody, HttpError, Key as KeyHeader, LoggedIn, PathText, reply};
use shop_mongo::idempotency::row_id;
use shop_types::caller::Subject;

use super::body::{NewRefundBody, RefundBody};
use crate::app::{App, Refunded};
use crate::domain::PaymentId;
use crate::domain::batch::{Key, RefundRequest};

/// Names the operation in idempotency rows.
const REFUND: &str = "refund_payment";

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Gives captured money back: a part of it, or without an amount all that is left. It is written down before the provider is
/// asked; PENDING in the answer means that the provider has not answered yet and is asked again. The same key gives the
/// same answer; GET of the payment tells what has become of the refund.
#[utoipa::path(
    tag = "payment",
    params(("id" = String, Path), ("Idempotency-Key" = String, Header, description = "Names this refund")),
    request_body = NewRefundBody,
    responses(
        (status = 201, description = "The refund", body = RefundBody),
        (status = 400, description = "No Idempotency-Key, or a body that cannot be read", body = ErrorBody),
        (status = 404, description = "No such payment", body = ErrorBody),
        (status = 409, description = "Nothing was captured, or more is asked for than is left", body = ErrorBody),
        (status = 422, description = "A value breaks its rule, or the key was used for another request", body = ErrorBody),
        (status = 503, description = "The database is away; the same key finds out", body = ErrorBody),
    ),
)]
#[post("/api/v1/payments/{id}/refunds")]
pub(crate) async fn refund_payment(
    app: Data<App>,
    request: HttpRequest,
    id: PathText<PaymentId>,
    LoggedIn(by, ..): LoggedIn,
    KeyHeader(key): KeyHeader,
    body: Body<NewRefundBody>,
) -> Result<HttpResponse, HttpError> {
    let fingerprint = body.fingerprint(&request);
    let key = Key { id: row_id(&Subject::User(by).to_string(), REFUND, &key), fingerprint };
    let NewRefundBody { amount, reason } = body.into_inner();
    let refunded = app.into_inner().refund(RefundRequest { id: id.0, amount, reason, key }).await?;
    let Refunded { payment, refund, replayed } = refunded;
    let location = format!("/api/v1/payments/{}", payment.id);
    let mut answer = reply::created(&location, None, &RefundBody::of(&payment, &refund));
    if replayed {
        answer.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(answer)
}

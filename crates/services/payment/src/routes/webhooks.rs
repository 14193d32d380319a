//! What the payment provider tells by itself.

use actix_web::web::{Bytes, Data, Payload};
use actix_web::{HttpRequest, HttpResponse, post};
use serde::Serialize;
use shop_http::{ErrorBody, HttpError, PathText, reply};
use utoipa::ToSchema;

use crate::app::{App, Error};
use crate::peers::Webhook;

/// Bytes of a webhook, at most.
const BODY_BYTES: usize = 64 * 1024;

/// The event is remembered.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReceivedBody {
    /// Always true.
    received: bool,
}

/// Takes a webhook of a payment provider. It counts only with the provider's signature of the last 300 s, once, and as a
/// hint: the payment is looked up at the provider.
#[utoipa::path(
    tag = "payment",
    params(("provider" = String, Path, description = "The provider's name, such as sandbox")),
    request_body(content = String, description = "The event, as the provider signed it", content_type = "application/json"),
    responses(
        (status = 200, description = "The event is remembered, now or from before", body = ReceivedBody),
        (status = 400, description = "The signature does not hold, or the body is no event", body = ErrorBody),
        (status = 404, description = "This shop does not use that provider", body = ErrorBody),
        (status = 413, description = "More than 64 KiB", body = ErrorBody),
        (status = 503, description = "The database is away: tell it again", body = ErrorBody),
    ),
)]
#[post("/api/v1/payments/webhooks/{provider}")]
pub(crate) async fn receive_webhook(
    app: Data<App>,
    request: HttpRequest,
    provider: PathText<String>,
    payload: Payload,
) -> Result<HttpResponse, HttpError> {
    let body = read(payload).await?;
    app.hear(&provider.0, Webhook { header: &|name| only(&request, name), body: &body }).await?;
    Ok(reply::ok(&ReceivedBody { received: true }))
}

/// The value of a header that was sent once, as text.
fn only<'r>(request: &'r HttpRequest, name: &str) -> Option<&'r str> {
    let mut values = request.headers().get_all(name);
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        (None | Some(_), _) => None,
    }
}

async fn read(payload: Payload) -> Result<Bytes, Error> {
    match payload.to_bytes_limited(BODY_BYTES).await {
        Err(_) => Err(Error::TooLarge),
        Ok(Err(_)) => Err(Error::BrokenBody),
        Ok(Ok(bytes)) => Ok(bytes),
    }
}

//! A form as a browser or a client of OAuth sends it. For the few calls whose body is not ours to choose; everything else
//! takes JSON (`body`).

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Query;
use actix_web::{FromRequest, HttpRequest};
use futures::future::LocalBoxFuture;

use crate::HttpError;
use crate::body;
use crate::strict::parameters::Pairs;

const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

/// Name and value of every field, decoded, in the order sent. What must be there, and how often, its taker says.
///
/// Refusals: 415 `unsupported_media_type` for another media type or a compressed body; 413 `body_too_large` for more than 64
/// KiB; 400 `malformed_body` for what is no form.
#[derive(Clone)]
pub struct FormFields(pub Vec<(String, String)>);

/// Forms hold secrets.
impl std::fmt::Debug for FormFields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FormFields").field("fields", &self.0.len()).finish_non_exhaustive()
    }
}

impl FromRequest for FormFields {
    type Error = HttpError;
    type Future = LocalBoxFuture<'static, Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let acceptable = check_head(request);
        let payload = payload.take();
        Box::pin(async move {
            acceptable?;
            let bytes = body::collect_in_time(payload).await?;
            let text = std::str::from_utf8(&bytes).map_err(|_| not_a_form())?;
            Query::<Pairs>::from_query(text).map(|pairs| Self(pairs.into_inner())).map_err(|_| not_a_form())
        })
    }
}

fn check_head(request: &HttpRequest) -> Result<(), HttpError> {
    let media = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case(MEDIA_TYPE) {
        let message = "The body must be a form, application/x-www-form-urlencoded.";
        return Err(HttpError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message)
            .with_detail("Content-Type", "must be application/x-www-form-urlencoded"));
    }
    body::check_size_and_coding(request)
}

fn not_a_form() -> HttpError {
    HttpError::new(StatusCode::BAD_REQUEST, "malformed_body", "The body cannot be read: it is not a form in UTF-8.")
}

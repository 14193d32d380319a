//! Reading requests strictly.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// Largest body taken.
const BODY_BYTES: usize = 16 * 1024;

pub(super) fn idempotency_key(request: &HttpRequest) -> Result<String, Problem> {
    let key = request.headers().get("Idempotency-Key").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if (1..=255).contains(&key.len()) && visible(key) {
        return Ok(key.to_owned());
    }
    let text = "send an Idempotency-Key of 1 to 255 visible characters";
    Err(Problem::new(StatusCode::BAD_REQUEST, "idempotency_key_required", text))
}

pub(super) async fn read_body<T: DeserializeOwned>(payload: web::Payload) -> Result<T, Problem> {
    let malformed = |text: String| Problem::new(StatusCode::BAD_REQUEST, "malformed_body", text);
    let bytes = payload
        .to_bytes_limited(BODY_BYTES)
        .await
        .map_err(|_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "at most 16384 bytes are taken"))?
        .map_err(|_| malformed("the body broke off".into()))?;
    serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))
}

pub(super) fn read_query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, Problem> {
    web::Query::<T>::from_query(request.query_string())
        .map(web::Query::into_inner)
        .map_err(|error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", error.to_string()))
}

pub(super) fn check(good: bool, rule: &'static str) -> Result<(), Problem> {
    if good { Ok(()) } else { Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", rule)) }
}

pub(super) fn visible(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic())
}

/// A caller's own name for something.
pub(super) fn check_reference(text: &str) -> Result<(), Problem> {
    check((1..=200).contains(&text.len()) && visible(text), "reference must be 1 to 200 visible characters")
}

//! What handlers answer with when a call succeeds. JSON bodies; the version of a thing is its strong entity tag.

use actix_web::http::StatusCode;
use actix_web::http::header::{ETAG, LOCATION};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;

use crate::HttpError;

/// 200 with a body that has no version.
pub fn ok(body: &impl Serialize) -> HttpResponse {
    with_status(StatusCode::OK, None, body)
}

/// 200 with a body and its version.
pub fn with_etag(version: i64, body: &impl Serialize) -> HttpResponse {
    with_status(StatusCode::OK, version, body)
}

/// 201: where the new thing is, its version if it has one, and the thing itself.
pub fn created(location: &str, version: impl Into<Option<i64>>, body: &impl Serialize) -> HttpResponse {
    let mut builder = HttpResponse::Created();
    builder.insert_header((LOCATION, location));
    json(builder, version.into(), body)
}

/// Any status with a body and, if it has one, its version: 202 for what goes on, 402 for a declined order.
pub fn with_status(status: StatusCode, version: impl Into<Option<i64>>, body: &impl Serialize) -> HttpResponse {
    json(HttpResponse::build(status), version.into(), body)
}

/// 204: done, nothing to say.
#[must_use]
pub fn no_content() -> HttpResponse {
    HttpResponse::NoContent().finish()
}

/// 304: the caller already has this version.
#[must_use]
pub fn not_modified(version: i64) -> HttpResponse {
    HttpResponse::NotModified().insert_header((ETAG, etag(version))).finish()
}

/// The strong entity tag of a version.
#[must_use]
pub fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

fn json(mut builder: HttpResponseBuilder, version: Option<i64>, body: &impl Serialize) -> HttpResponse {
    if let Some(version) = version {
        builder.insert_header((ETAG, etag(version)));
    }
    match serde_json::to_vec(body) {
        Ok(bytes) => builder.content_type("application/json").body(bytes),
        Err(error) => HttpResponse::from_error(HttpError::internal(error)),
    }
}

//! The JSON body of a request, read strictly (ruling 27).

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use actix_web::{FromRequest, HttpRequest};
use bytes::BytesMut;
use futures::StreamExt;
use futures::future::LocalBoxFuture;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use shop_types::Fingerprint;

use crate::HttpError;
use crate::strict::parse::{NotJson, parse};
use crate::strict::{self, Fault, Kind};

/// Bytes of a body, at most.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// How long a body may take to arrive once its request is being answered.
const BODY_TIMEOUT: Duration = Duration::from_secs(4);

/// A JSON body as a typed value.
///
/// Refusals, each with the field at fault where there is one:
/// - 415 `unsupported_media_type`: not `application/json` in UTF-8, or compressed;
/// - 413 `body_too_large`: more than 64 KiB;
/// - 400 `malformed_body`: not JSON, deeper than 32, a field twice, or a value of another JSON type;
/// - 422 `unknown_field`; 422 `invalid_field`: a field is missing, or a value breaks the rule of its type (out of the
///   range of an integer, not a SKU, an array of more than 200 items, a string with a NUL, ...).
///
/// `T` derives `Deserialize` with `#[serde(deny_unknown_fields)]`. Do not take `Option<Body<T>>`: actix-web turns every
/// refusal into `None`.
#[derive(Debug, Clone)]
pub struct Body<T> {
    value: T,
    json: Value,
}

impl<T> Body<T> {
    /// The typed value.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.value
    }

    /// What an idempotency key is bound to: method, path with its ids, and body.
    #[must_use]
    pub fn fingerprint(&self, request: &HttpRequest) -> Fingerprint {
        fingerprint(request, &self.json)
    }
}

impl<T> std::ops::Deref for Body<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// The fingerprint of a request with this body; `Value::Null` for a call without one.
///
/// It covers the path as sent and not its template: one key for two carts is two intents.
#[must_use]
pub fn fingerprint(request: &HttpRequest, body: &Value) -> Fingerprint {
    Fingerprint::of(request.method().as_str(), request.match_info().as_str(), body)
}

/// Reads JSON as strictly as that of a body: for what holds many such texts, as the lines of a file do.
///
/// # Errors
/// 400 `malformed_body`, as [`Body`].
pub fn read_json(text: &[u8]) -> Result<Value, HttpError> {
    parse(text).map_err(|error| not_json(&error))
}

/// Takes JSON as strictly as that of a body.
///
/// # Errors
/// 400 `malformed_body`, 422 `unknown_field` and `invalid_field`, as [`Body`].
pub fn decode<T: DeserializeOwned>(json: &Value) -> Result<T, HttpError> {
    strict::decode(json).map_err(|fault| not_decoded(&fault))
}

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = HttpError;
    type Future = LocalBoxFuture<'static, Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let acceptable = check_head(request);
        let payload = payload.take();
        Box::pin(async move {
            acceptable?;
            let bytes = collect_in_time(payload).await?;
            let json = read_json(&bytes)?;
            let value = decode(&json)?;
            Ok(Self { value, json })
        })
    }
}

/// Nothing to say: no body, or an empty object. For calls that take none, so that what somebody says there (an amount, say, or
/// a reason) is not overlooked: 422 `unknown_field`. What is no JSON object is refused as [`Body`] refuses it.
#[derive(Debug, Clone, Copy)]
pub struct NoBody;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Empty {}

impl FromRequest for NoBody {
    type Error = HttpError;
    type Future = LocalBoxFuture<'static, Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let acceptable = check_head(request);
        let payload = payload.take();
        Box::pin(async move {
            let bytes = collect_in_time(payload).await?;
            if !bytes.is_empty() {
                acceptable?;
                let Empty {} = decode(&read_json(&bytes)?)?;
            }
            Ok(Self)
        })
    }
}

pub(crate) fn check_head(request: &HttpRequest) -> Result<(), HttpError> {
    if !header(request, CONTENT_TYPE).is_some_and(is_json) {
        let message = "The body must be application/json in UTF-8, not compressed.";
        return Err(HttpError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message)
            .with_detail("Content-Type", "must be application/json"));
    }
    check_size_and_coding(request)
}

fn header(request: &HttpRequest, name: HeaderName) -> Option<&str> {
    request.headers().get(name).map(|value| value.to_str().unwrap_or_default())
}

/// What the head says of any body: that it is not compressed, and not too large.
pub(crate) fn check_size_and_coding(request: &HttpRequest) -> Result<(), HttpError> {
    if !header(request, CONTENT_ENCODING).is_none_or(|coding| coding.eq_ignore_ascii_case("identity")) {
        let message = "The body must not be compressed.";
        return Err(HttpError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message)
            .with_detail("Content-Encoding", "must be absent"));
    }
    let announced = header(request, CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_BODY_BYTES as u64) { Err(too_large()) } else { Ok(()) }
}

/// `application/json`, alone or with `charset=utf-8` (which RFC 8259 makes the only one).
fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    essence.eq_ignore_ascii_case("application/json")
        && parts.filter(|part| !part.is_empty()).all(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            !name.trim().eq_ignore_ascii_case("charset") || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
}

/// The bytes of a body, of which there are at most [`MAX_BODY_BYTES`].
pub(crate) async fn collect_in_time(payload: Payload) -> Result<BytesMut, HttpError> {
    let late = |_| HttpError::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", "The body did not arrive in time.");
    tokio::time::timeout(BODY_TIMEOUT, collect(payload)).await.map_err(late)?
}

async fn collect(mut payload: Payload) -> Result<BytesMut, HttpError> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| {
            HttpError::new(StatusCode::BAD_REQUEST, "bad_request", "The body broke off.")
                .with_source(error.to_string().into())
        })?;
        if bytes.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn too_large() -> HttpError {
    let message = format!("The body must not be larger than {} KiB.", MAX_BODY_BYTES / 1024);
    HttpError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
}

pub(crate) fn not_json(error: &NotJson) -> HttpError {
    let field = match error {
        NotJson::Repeated { field } => field.as_str(),
        NotJson::Empty | NotJson::Syntax { .. } | NotJson::TooDeep => WHOLE,
    };
    let fault = Fault::new(Kind::Type, error.to_string()).inside(field);
    HttpError::new(StatusCode::BAD_REQUEST, "malformed_body", format!("The body cannot be read: {fault}."))
        .with_detail(fault.field(WHOLE), &fault.message)
}

/// Names the body itself where no single field is at fault.
const WHOLE: &str = "body";

pub(crate) fn not_decoded(fault: &Fault) -> HttpError {
    let (status, code) = match fault.kind {
        Kind::Type => (StatusCode::BAD_REQUEST, "malformed_body"),
        Kind::Unknown => (StatusCode::UNPROCESSABLE_ENTITY, "unknown_field"),
        Kind::Rule | Kind::Missing => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_field"),
    };
    let field = fault.field(WHOLE);
    HttpError::new(status, code, format!("Field {field} {fault}.")).with_detail(field, &fault.message)
}

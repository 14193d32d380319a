//! One error for HTTP: made from any service's error, rendered in one place. What belongs here: the match from kind to
//! status and the two bodies. Who renders it, with request id and time, is the guard.

use std::error::Error as StdError;
use std::fmt;

use actix_web::ResponseError;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use shop_types::{Detail, ErrorKind, ServiceError};

// C12 of docs/reference/promises.md; what stands below is told to clients.
/// The error body of every call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// What went wrong, for people.
    pub error: String,
    /// What went wrong, for programs: a stable `snake_case` word, listed at `/errors`.
    pub code: String,
    /// The HTTP status.
    #[schema(example = 422)]
    pub status: u16,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Timestamp,
    /// Names the request in our logs; the same as the header `X-Request-Id`.
    pub request_id: String,
    /// The fields at fault; empty when no single field is.
    pub details: Vec<Detail>,
    /// Further fields that belong to the code.
    #[serde(flatten)]
    #[schema(ignore)]
    pub extra: Map<String, Value>,
}

/// The same in the form of RFC 9457, for clients that accept `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Where the code is explained.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code in words; the same for every occurrence.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong this time.
    pub detail: String,
    /// The stable code.
    pub code: String,
    /// Names the request in our logs.
    pub request_id: String,
    /// The fields at fault.
    pub details: Vec<Detail>,
    /// Further fields that belong to the code.
    #[serde(flatten)]
    #[schema(ignore)]
    pub extra: Map<String, Value>,
}

/// How a call failed. Made by `?` from every [`ServiceError`]; handlers return it and never render it.
pub struct HttpError(Box<Inner>);

struct Inner {
    status: StatusCode,
    code: &'static str,
    message: String,
    details: Vec<Detail>,
    extra: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The status of each kind.
#[must_use]
pub const fn status_of(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Malformed => StatusCode::BAD_REQUEST,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::PaymentDeclined => StatusCode::PAYMENT_REQUIRED,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::Gone => StatusCode::GONE,
        ErrorKind::Stale => StatusCode::PRECONDITION_FAILED,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::UnsupportedMedia => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::PreconditionRequired => StatusCode::PRECONDITION_REQUIRED,
        ErrorKind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl HttpError {
    /// An error without fields at fault.
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let mut headers = Vec::new();
        if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE {
            headers.push((header::RETRY_AFTER, HeaderValue::from_static("1")));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.push((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        }
        Self(Box::new(Inner {
            status,
            code,
            message: message.into(),
            details: Vec::new(),
            extra: Map::new(),
            headers,
            source: None,
        }))
    }

    /// There is no such thing, or it is not the caller's.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "There is no such thing.")
    }

    /// A defect of ours. The client reads a fixed sentence; the source is logged.
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let error = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", INTERNAL_MESSAGE);
        error.with_source(source.into())
    }

    /// Something needed is away for now, or took too long. The client reads a fixed sentence; the source is logged.
    pub fn unavailable(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let error = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", UNAVAILABLE_MESSAGE);
        error.with_source(source.into())
    }

    /// More is asked of this process than it can answer in time; nothing was done.
    pub(crate) fn overloaded() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, OVERLOADED, OVERLOADED_MESSAGE)
    }

    /// The same with a field at fault.
    #[must_use]
    pub fn with_detail(mut self, field: impl Into<String>, message: impl Into<String>) -> Self {
        self.0.details.push(Detail::new(field, message));
        self
    }

    /// The same with a header of the answer, such as `Retry-After`; one of the same name that was set before is replaced.
    /// Headers that the guard writes (media type, request id, security) stay the guard's.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// The same with a further field of the body.
    pub(crate) fn with_extra(mut self, name: &str, value: Value) -> Self {
        self.0.extra.insert(name.to_owned(), value);
        self
    }

    pub(crate) fn with_source(mut self, source: Box<dyn StdError + Send + Sync>) -> Self {
        self.0.source = Some(source);
        self
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// The fields at fault.
    #[must_use]
    pub fn details(&self) -> &[Detail] {
        &self.0.details
    }

    pub(crate) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.0.headers
    }

    /// The causes, outermost first, in one line for the log.
    pub(crate) fn chain(&self) -> String {
        let mut text = String::new();
        let mut next = self.0.source.as_deref().map(|source| source as &dyn StdError);
        while let Some(error) = next {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&error.to_string());
            next = error.source();
        }
        text
    }

    /// The body, as plain JSON.
    pub(crate) fn body(&self, request_id: &str, timestamp: Timestamp) -> ErrorBody {
        ErrorBody {
            error: self.0.message.clone(),
            code: self.0.code.to_owned(),
            status: self.0.status.as_u16(),
            timestamp,
            request_id: request_id.to_owned(),
            details: self.0.details.clone(),
            extra: self.extra(&["error", "code", "status", "timestamp", "requestId", "details"]),
        }
    }

    /// The body, as a problem of RFC 9457.
    pub(crate) fn problem(&self, request_id: &str) -> Problem {
        Problem {
            kind: format!("/errors#{}", self.0.code),
            title: title(self.0.code),
            status: self.0.status.as_u16(),
            detail: self.0.message.clone(),
            code: self.0.code.to_owned(),
            request_id: request_id.to_owned(),
            details: self.0.details.clone(),
            extra: self.extra(&["type", "title", "status", "detail", "code", "requestId", "details"]),
        }
    }

    /// The further fields, minus those that would stand twice in the body.
    fn extra(&self, taken: &[&str]) -> Map<String, Value> {
        let free = self.0.extra.iter().filter(|(key, _)| !taken.contains(&key.as_str()));
        free.map(|(key, value)| (key.clone(), value.clone())).collect()
    }
}

/// The code of [`HttpError::overloaded`].
pub(crate) const OVERLOADED: &str = "overloaded";

const INTERNAL_MESSAGE: &str = "Something went wrong on our side; it has been logged.";
const OVERLOADED_MESSAGE: &str = "Too much is asked at once; nothing was done. Try again in a moment.";
const UNAVAILABLE_MESSAGE: &str = "Something needed is away for now; try again.";

/// `version_conflict` as `Version conflict`.
fn title(code: &str) -> String {
    let words = code.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

impl<E: ServiceError> From<E> for HttpError {
    fn from(error: E) -> Self {
        let kind = error.kind();
        let message = match kind {
            ErrorKind::Internal => INTERNAL_MESSAGE.to_owned(),
            ErrorKind::Unavailable => UNAVAILABLE_MESSAGE.to_owned(),
            ErrorKind::Malformed
            | ErrorKind::Unauthenticated
            | ErrorKind::PaymentDeclined
            | ErrorKind::Forbidden
            | ErrorKind::NotFound
            | ErrorKind::Conflict
            | ErrorKind::Gone
            | ErrorKind::Stale
            | ErrorKind::TooLarge
            | ErrorKind::UnsupportedMedia
            | ErrorKind::Invalid
            | ErrorKind::PreconditionRequired
            | ErrorKind::RateLimited => error.client_message(),
        };
        let mut http = Self::new(status_of(kind), error.code(), message);
        http.0.details = error.details();
        http.0.extra = error.extra();
        http.with_source(Box::new(error))
    }
}

impl fmt::Debug for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { status, code, message, details, extra: _, headers: _, source } = &*self.0;
        f.debug_struct("HttpError")
            .field("status", &status.as_u16())
            .field("code", code)
            .field("message", message)
            .field("details", details)
            .field("source", source)
            .finish()
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0.message, self.0.code)
    }
}

/// The status alone: the guard writes body and headers, since it knows the request.
impl ResponseError for HttpError {
    fn status_code(&self) -> StatusCode {
        self.0.status
    }
}

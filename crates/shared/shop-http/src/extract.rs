//! What handlers take from path and headers: the caller, ids, idempotency key, version. Each refusal is made here.

use std::future::{Ready, ready};
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{IF_MATCH, IF_NONE_MATCH};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use percent_encoding::percent_decode_str;
use shop_types::caller::{GuestToken, Role};
use shop_types::{Caller, Id, IdempotencyKey, SessionId, UserId};

use crate::{HttpError, Refused};

/// The header that names a client's intent.
pub(crate) const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
/// The header with the secret of a guest cart.
pub(crate) const GUEST_TOKEN: &str = "x-guest-token";

type Extracted<T> = Ready<Result<T, HttpError>>;

/// Who sent the request.
#[derive(Debug, Clone)]
pub struct Who(pub Caller);

impl FromRequest for Who {
    type Error = HttpError;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(caller(request).map(Self))
    }
}

/// What the guard found. Without a guard in front nobody is let in.
fn caller(request: &HttpRequest) -> Result<Caller, HttpError> {
    let found = request.extensions().get::<Caller>().cloned();
    found.ok_or_else(|| HttpError::internal("a handler that asks for its caller was mounted without the guard"))
}

/// A logged-in person or program; 401 `unauthenticated` for everybody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoggedIn(pub UserId, pub Role, pub SessionId);

impl FromRequest for LoggedIn {
    type Error = HttpError;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(caller(request).and_then(|caller| match caller {
            Caller::User { id, role, session } => Ok(Self(id, role, session)),
            Caller::Anonymous | Caller::Guest { .. } => Err(Refused::Unauthenticated.into()),
        }))
    }
}

/// The guest token as sent, also beside a bearer token: so that a cart can be merged after login.
#[derive(Debug, Clone)]
pub struct MaybeGuest(pub Option<GuestToken>);

impl FromRequest for MaybeGuest {
    type Error = HttpError;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(request.extensions().get::<GuestToken>().cloned())))
    }
}

/// The id in the path segment `{id}`. One that is malformed names nothing: 404 `not_found`.
#[derive(Debug)]
pub struct PathId<K>(pub Id<K>);

impl<K: 'static> FromRequest for PathId<K> {
    type Error = HttpError;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(segment(request, Some("id")).map(Self))
    }
}

/// The only parameter of the path, decoded and read as `T`: a SKU, a slug, a name. One that `T` refuses names nothing: 404
/// `not_found`.
#[derive(Debug, Clone)]
pub struct PathText<T>(pub T);

impl<T: FromStr + 'static> FromRequest for PathText<T> {
    type Error = HttpError;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(segment(request, None).map(Self))
    }
}

/// Reads one parameter of the path, by its name, decoded; for routes that have several.
///
/// # Errors
/// 404 `not_found` when `T` refuses it; 500 when the route has no such parameter.
pub fn path_parameter<T: FromStr>(request: &HttpRequest, name: &str) -> Result<T, HttpError> {
    segment(request, Some(name))
}

fn segment<T: FromStr>(request: &HttpRequest, name: Option<&str>) -> Result<T, HttpError> {
    let parameters = request.match_info();
    let text = match name {
        Some(name) => parameters.get(name),
        None => parameters.iter().next().map(|(_, text)| text),
    };
    let text =
        text.ok_or_else(|| HttpError::internal("a handler asks for a path parameter that its route does not have"))?;
    // actix-web leaves `%2B`, `%2F` and `%25` as they were sent, so that a slash in a name does not part the path.
    let text = percent_decode_str(text).decode_utf8().map_err(|_| HttpError::not_found())?;
    text.parse().map_err(|_| HttpError::not_found())
}

/// The idempotency key; 400 `idempotency_key_required` without one.
#[derive(Debug, Clone)]
pub struct Key(pub IdempotencyKey);

impl FromRequest for Key {
    type Error = HttpError;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let required = || {
            let message = "This call needs the header Idempotency-Key.";
            HttpError::new(StatusCode::BAD_REQUEST, "idempotency_key_required", message)
                .with_detail(IDEMPOTENCY_KEY, "is required")
        };
        ready(key(request).and_then(|key| key.ok_or_else(required)).map(Self))
    }
}

/// The idempotency key, when there is one.
#[derive(Debug, Clone)]
pub struct MaybeKey(pub Option<IdempotencyKey>);

impl FromRequest for MaybeKey {
    type Error = HttpError;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(key(request).map(Self))
    }
}

fn key(request: &HttpRequest) -> Result<Option<IdempotencyKey>, HttpError> {
    let invalid = || {
        let message = "Idempotency-Key must be sent once, as 1 to 255 visible ASCII characters.";
        HttpError::new(StatusCode::BAD_REQUEST, "invalid_idempotency_key", message)
            .with_detail(IDEMPOTENCY_KEY, "must be 1 to 255 visible ASCII characters")
    };
    let mut sent = request.headers().get_all(IDEMPOTENCY_KEY);
    let Some(first) = sent.next() else { return Ok(None) };
    if sent.next().is_some() {
        return Err(invalid());
    }
    let text = first.to_str().map_err(|_| invalid())?;
    IdempotencyKey::parse(text).map(Some).map_err(|_| invalid())
}

/// The version that the caller has read, from `If-Match`. Absent: 428 `if_match_required`. Anything but one strong entity tag
/// of ours cannot match: 412 `version_conflict`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IfMatch(pub i64);

impl FromRequest for IfMatch {
    type Error = HttpError;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut sent = request.headers().get_all(IF_MATCH);
        let version = match (sent.next(), sent.next()) {
            (None, _) => {
                let message = "This call needs the header If-Match with the ETag that you read.";
                return ready(Err(HttpError::new(StatusCode::PRECONDITION_REQUIRED, "if_match_required", message)
                    .with_detail("If-Match", "is required")));
            }
            (Some(one), None) => one.to_str().ok().and_then(version_of),
            (Some(_), Some(_)) => None,
        };
        let stale = || {
            let message = "If-Match does not name the present version: read it again.";
            HttpError::new(StatusCode::PRECONDITION_FAILED, "version_conflict", message)
                .with_detail("If-Match", "must be the ETag of the present version, in double quotes")
        };
        ready(version.map(Self).ok_or_else(stale))
    }
}

/// The version in a strong entity tag of ours; `None` for everything else.
fn version_of(tag: &str) -> Option<i64> {
    let digits = tag.trim().strip_prefix('"')?.strip_suffix('"')?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) { None } else { digits.parse().ok() }
}

/// The versions that the caller has in store, from `If-None-Match`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaybeIfNoneMatch {
    any: bool,
    versions: Vec<i64>,
}

impl MaybeIfNoneMatch {
    /// Whether the caller already has this version, so that 304 answers a read (RFC 9110 13.1.2, weak comparison).
    #[must_use]
    pub fn matches(&self, version: i64) -> bool {
        self.any || self.versions.contains(&version)
    }
}

impl FromRequest for MaybeIfNoneMatch {
    type Error = HttpError;
    type Future = Extracted<Self>;

    /// Never refuses: tags that are not ours match nothing.
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let sent = request.headers().get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
        let tags: Vec<&str> = sent.flat_map(|list| list.split(',')).map(str::trim).collect();
        let versions = tags.iter().filter_map(|tag| version_of(tag.strip_prefix("W/").unwrap_or(tag))).collect();
        ready(Ok(Self { any: tags.contains(&"*"), versions }))
    }
}

//! Which web pages of other origins may call the shop (the Fetch standard's CORS protocol). Off unless origins are named.
//!
//! An origin is compared as a whole, and never sent back unless it is on the list. What pages may send and read is the same
//! for all: the methods of the path, and the headers that the API knows.

use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    ALLOW, HeaderMap, HeaderValue, ORIGIN, VARY,
};

/// What a page may send beyond what it always may.
const REQUEST_HEADERS: &str =
    "authorization, content-type, idempotency-key, if-match, if-none-match, traceparent, x-guest-token, x-request-id";

/// What a page may read beyond what it always may.
const ANSWER_HEADERS: &str = "age, deprecation, etag, idempotency-replayed, link, location, ratelimit-limit, \
     ratelimit-policy, ratelimit-remaining, ratelimit-reset, retry-after, x-cache, x-ratelimit-limit, \
     x-ratelimit-remaining, x-ratelimit-reset, x-request-id";

/// Which pages may call, and how.
#[derive(Debug, Clone)]
pub struct Cors {
    origins: Vec<String>,
    credentials: bool,
    max_age: HeaderValue,
}

/// What a request is to the protocol, and whose page sent it.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    /// The origin that may read the answer; `None` when the page's own is not on the list.
    allowed: Option<HeaderValue>,
    credentials: bool,
    /// For how long the answer may be kept, if the browser asks before it sends the request itself.
    preflight: Option<HeaderValue>,
}

impl Cors {
    /// Lets pages of these origins call: `https://shop.example`, with a port if it is not the usual one, or `*` for
    /// all. With `credentials` browsers send cookies and client certificates along. Answers to preflights may be kept
    /// for `max_age_seconds`.
    #[must_use]
    pub fn new(origins: Vec<String>, credentials: bool, max_age_seconds: u32) -> Self {
        Self { origins, credentials, max_age: HeaderValue::from(max_age_seconds) }
    }

    /// What a request is to the protocol; `None` when no page of another origin may call at all.
    pub(crate) fn visit(&self, headers: &HeaderMap, is_options: bool) -> Option<Visit> {
        if self.origins.is_empty() {
            return None;
        }
        let origin = headers.get(ORIGIN);
        let allowed = origin.and_then(|origin| {
            let is_listed = self.origins.iter().any(|listed| origin.as_bytes() == listed.as_bytes());
            // With credentials a wildcard would let every page act as the person who reads it.
            let is_any = !self.credentials && self.origins.iter().any(|listed| listed == "*");
            match (is_listed, is_any) {
                (true, _) => Some(origin.clone()),
                (false, true) => Some(HeaderValue::from_static("*")),
                (false, false) => None,
            }
        });
        let is_preflight = is_options && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        let preflight = is_preflight.then(|| self.max_age.clone());
        Some(Visit { allowed, credentials: self.credentials, preflight })
    }
}

impl Visit {
    /// Writes what the answer allows. That of a preflight lists the methods of the path in `Allow` already.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        // Caches must not give one origin what was meant for another, or for none.
        headers.append(VARY, HeaderValue::from_static("Origin"));
        let Some(origin) = &self.allowed else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if self.credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        let Some(max_age) = &self.preflight else {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(ANSWER_HEADERS));
            return;
        };
        if let Some(methods) = headers.get(ALLOW).cloned() {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(REQUEST_HEADERS));
            headers.insert(ACCESS_CONTROL_MAX_AGE, max_age.clone());
        }
    }
}

//! Where a client stands, as it is told: two families of headers, and the refusal.
//!
//! `X-RateLimit-*` is what most shops send, with the moment of the reset in seconds since 1970. `RateLimit-*` and
//! `RateLimit-Policy` are those of draft-ietf-httpapi-ratelimit-headers-06, with the seconds until then.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use jiff::Timestamp;
use serde_json::json;
use shop_types::Rate;

use super::bucket::Count;
use crate::HttpError;

const X_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The stable code of a refusal.
const RATE_LIMITED: &str = "rate_limited";

/// What is told of a limit, whoever asks.
#[derive(Debug)]
pub(super) struct Told {
    limit: HeaderValue,
    policy: HeaderValue,
}

/// Where a client stands under the limit that its request fell under.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    name: &'static str,
    limit: HeaderValue,
    policy: HeaderValue,
    remaining: u32,
    whole_in_seconds: u64,
    retry_in_seconds: Option<u64>,
}

impl Told {
    pub(super) fn new(rate: Rate) -> Self {
        let (requests, seconds) = (rate.requests(), rate.window().as_secs());
        let policy = HeaderValue::try_from(format!("{requests};w={seconds}"));
        // Digits and ASCII signs always make a value.
        let policy = policy.unwrap_or_else(|_| HeaderValue::from(requests));
        Self { limit: HeaderValue::from(requests), policy }
    }

    pub(super) fn standing(&self, name: &'static str, count: Count) -> Standing {
        Standing {
            name,
            limit: self.limit.clone(),
            policy: self.policy.clone(),
            remaining: count.remaining,
            whole_in_seconds: seconds(count.whole_in),
            retry_in_seconds: count.retry_in.map(|retry_in| seconds(retry_in).max(1)),
        }
    }
}

impl Standing {
    /// The refusal, if the request is one too many.
    pub(crate) fn refusal(&self) -> Option<HttpError> {
        let (name, retry) = (self.name, self.retry_in_seconds?);
        let message = format!("Too many requests under the limit `{name}`: try again in {retry} s.");
        let error = HttpError::new(StatusCode::TOO_MANY_REQUESTS, RATE_LIMITED, message)
            .with_extra("limit", json!(name))
            .with_extra("retryAfter", json!(retry));
        Some(error.with_header(RETRY_AFTER, HeaderValue::from(retry)))
    }

    /// Writes both families.
    pub(crate) fn write(&self, headers: &mut HeaderMap, now: Timestamp) {
        let whole_at = now.as_second().saturating_add(i64::try_from(self.whole_in_seconds).unwrap_or(i64::MAX));
        headers.insert(X_LIMIT, self.limit.clone());
        headers.insert(X_REMAINING, HeaderValue::from(self.remaining));
        headers.insert(X_RESET, HeaderValue::from(whole_at));
        headers.insert(LIMIT, self.limit.clone());
        headers.insert(REMAINING, HeaderValue::from(self.remaining));
        headers.insert(RESET, HeaderValue::from(self.whole_in_seconds));
        headers.insert(POLICY, self.policy.clone());
    }
}

fn seconds(micros: u64) -> u64 {
    micros.div_ceil(1_000_000)
}

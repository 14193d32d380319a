//! The metadata that travels with a call, by name, and the text form of its deadline.

use std::time::Duration;

use http::HeaderMap;
use http::header::HeaderName;

/// The request's id.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The caller's span (W3C Trace Context).
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static(shop_telemetry::context::TRACEPARENT);
/// The secret of a guest cart.
pub(crate) const GUEST_TOKEN: HeaderName = HeaderName::from_static("x-guest-token");
/// How long the caller waits.
pub(crate) const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// How many tries of this call failed before (gRFC A6).
pub(crate) const PREVIOUS_ATTEMPTS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");
/// The outcome of a call, in headers or trailers.
pub(crate) const STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// The error's kind, in `snake_case`.
pub(crate) const ERROR_KIND: &str = "x-error-kind";
/// The error's stable code.
pub(crate) const ERROR_CODE: &str = "x-error-code";
/// The fields at fault, as JSON.
pub(crate) const ERROR_DETAILS: &str = "x-error-details-bin";

/// A header as text; one that is not ASCII counts as absent.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Reads `grpc-timeout`; a value that breaks the gRPC specification counts as absent.
pub(crate) fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let (digits, unit) = text(headers, &TIMEOUT)?.split_at_checked(headers.get(&TIMEOUT)?.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(value * 3600)),
        "M" => Some(Duration::from_secs(value * 60)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

/// Writes `grpc-timeout`: microseconds as long as eight digits hold them (99 s), else milliseconds.
pub(crate) fn timeout_text(timeout: Duration) -> String {
    const MOST: u128 = 99_999_999;
    match timeout.as_micros() {
        micros @ ..=MOST => format!("{micros}u"),
        _ => format!("{}m", timeout.as_millis().min(MOST)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Option<Duration> {
        timeout(&HeaderMap::from_iter([(TIMEOUT, value.parse().unwrap())]))
    }

    #[test]
    fn a_timeout_survives_its_text() {
        for micros in [0, 1, 1_999_000, 99_999_999] {
            let timeout = Duration::from_micros(micros);
            assert_eq!(read(&timeout_text(timeout)), Some(timeout));
        }
        assert_eq!(read(&timeout_text(Duration::from_secs(100))), Some(Duration::from_secs(100)));
    }

    #[test]
    fn what_breaks_the_specification_is_no_timeout() {
        for text in ["", "m", "1", "1x", "-1S", "+1S", "1.5S", "123456789m", "1 S"] {
            assert_eq!(read(text), None, "{text:?}");
        }
        assert_eq!(read("5S"), Some(Duration::from_secs(5)));
    }
}

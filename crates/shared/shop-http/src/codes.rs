//! The error codes that every service can answer with. Codes of one service stand in its `routes.rs`; edge prints all.

/// A stable code, its HTTP status, and what it means for the client.
pub type Code = (&'static str, u16, &'static str);

/// The shared codes, by status.
pub const CODES: &[Code] = &[
    (
        "malformed_body",
        400,
        "The body is not JSON, nests deeper than 32, repeats a field, or has a value of a wrong type.",
    ),
    ("idempotency_key_required", 400, "This call needs the header Idempotency-Key."),
    ("invalid_idempotency_key", 400, "Idempotency-Key must be sent once, as 1 to 255 visible ASCII characters."),
    ("bad_request", 400, "The request cannot be read."),
    ("unauthenticated", 401, "This call needs a token: log in, or send the guest token of the cart."),
    ("invalid_token", 401, "The token does not hold: malformed, forged, revoked, or meant for another shop."),
    ("token_expired", 401, "The token has expired: refresh it."),
    ("forbidden", 403, "You are known, but your role may not do this."),
    ("not_found", 404, "There is no such thing, or it is not yours."),
    ("method_not_allowed", 405, "The path exists, but not with this method; the header Allow lists those it has."),
    ("request_timeout", 408, "The body did not arrive in time."),
    ("version_conflict", 412, "It was changed since you read it: read it again."),
    ("body_too_large", 413, "The body is larger than the call takes: 64 KiB, but for uploads."),
    (
        "unsupported_media_type",
        415,
        "The body must be application/json unless the call says otherwise, and not compressed.",
    ),
    ("unknown_field", 422, "The body has a field that this call does not know."),
    ("invalid_field", 422, "A field is missing, or its value breaks a rule."),
    ("unknown_parameter", 422, "The query has a parameter that this call does not know."),
    ("invalid_parameter", 422, "A query parameter is missing, sent twice, or its value breaks a rule."),
    ("if_match_required", 428, "This call needs the header If-Match with the ETag that you read."),
    (
        "rate_limited",
        429,
        "More requests than the limit that `limit` names lets through: try again after Retry-After. Every answer tells \
         what is left in X-RateLimit-Remaining.",
    ),
    ("internal", 500, "A defect of ours; it has been logged under the request id."),
    ("overloaded", 503, "Too much is asked at once, and nothing was done: try again after Retry-After."),
    ("unavailable", 503, "Something needed is away for now; try again, with the same Idempotency-Key if you sent one."),
];

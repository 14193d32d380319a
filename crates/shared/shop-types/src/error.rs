//! How an operation can fail, told without HTTP or gRPC: a kind, a stable code, and the fields at fault.

use serde::{Deserialize, Serialize};

/// What a failure means for the caller. shop-http and shop-mesh each own one match from kind to status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The request cannot be read at all: broken JSON, wrong type, too deep (400).
    Malformed,
    /// No token, or one that does not hold (401).
    Unauthenticated,
    /// The payment was declined (402).
    PaymentDeclined,
    /// Known caller, but not allowed to do this (403).
    Forbidden,
    /// Not there, not yours, or a malformed id: all three look the same (404).
    NotFound,
    /// The rules of the present state forbid it (409).
    Conflict,
    /// It was there once and is spent or expired (410).
    Gone,
    /// The version sent is not the present one (412).
    Stale,
    /// The body is larger than allowed (413).
    TooLarge,
    /// The body has the wrong media type (415).
    UnsupportedMedia,
    /// A value breaks a rule that does not depend on state (422).
    Invalid,
    /// A condition header is missing (428).
    PreconditionRequired,
    /// Too many requests (429); carries `Retry-After`.
    RateLimited,
    /// Something needed is away for now (503); carries `Retry-After`. The outcome of a write may be unknown.
    Unavailable,
    /// A defect of ours (500). The only kind that is logged as an error.
    Internal,
}

/// One field at fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Detail {
    /// Where: a path into the body such as `lines[0].quantity`, or a header or query name.
    pub field: String,
    /// What is wrong with it, for people; names the limit, never the rejected value.
    pub message: String,
}

impl Detail {
    /// Names a field and what is wrong with it.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// An operation's error as every transport needs it. Implemented by the one `app::Error` of each service.
pub trait ServiceError: std::error::Error + Send + Sync + 'static {
    /// What it means for the caller.
    fn kind(&self) -> ErrorKind;

    /// A stable `snake_case` word that programs may match on; listed at `/errors`.
    fn code(&self) -> &'static str;

    /// The fields at fault, if any.
    fn details(&self) -> Vec<Detail> {
        Vec::new()
    }

    /// What the client reads. Defaults to `Display`; kinds [`ErrorKind::Internal`] and [`ErrorKind::Unavailable`] are
    /// replaced by a fixed sentence at the transport, so that no host, query or stack leaves the pod.
    fn client_message(&self) -> String {
        self.to_string()
    }

    /// Further fields of the error body, e.g. `orderId` or the allowed states. Empty by default.
    fn extra(&self) -> serde_json::Map<String, serde_json::Value> {
        serde_json::Map::new()
    }
}

//! Errors across the wire: a service's error to a gRPC status, and back to what the caller can match on.

use std::error::Error;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as ValueError, StrDeserializer};
use shop_types::{Detail, ErrorKind, ServiceError};
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};

use crate::metadata::{ERROR_CODE, ERROR_DETAILS, ERROR_KIND};

/// More fields at fault than this are cut off, so that they fit into the trailers.
const MAX_DETAILS: usize = 20;

/// What a peer answered instead of a reply.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{peer} answered {code}: {message}")]
pub struct PeerError {
    /// The service that was called.
    pub peer: &'static str,
    /// What it means. [`ErrorKind::Unavailable`] for everything that leaves the outcome unknown.
    pub kind: ErrorKind,
    /// The peer's stable code; for failures on the way `unavailable`, `deadline_exceeded` or `internal`.
    pub code: String,
    /// The peer's sentence.
    pub message: String,
    /// The fields at fault, in the peer's words.
    pub details: Vec<Detail>,
    /// What went wrong on the way, if the peer itself did not answer.
    source: Option<Status>,
}

impl PeerError {
    /// An answer of a peer, as a stand-in for it would give.
    #[must_use]
    pub fn new(peer: &'static str, kind: ErrorKind, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { peer, kind, code: code.into(), message: message.into(), details: Vec::new(), source: None }
    }

    /// Reads the answer of a peer.
    #[must_use]
    pub fn from_status(peer: &'static str, status: Status) -> Self {
        let word = |name| status.metadata().get(name).and_then(|value| value.to_str().ok());
        let Some(kind) = word(ERROR_KIND).and_then(parse_kind) else {
            let (kind, code) = kind_of_code(status.code());
            let message = status.message().to_owned();
            return Self { source: Some(status), ..Self::new(peer, kind, code, message) };
        };
        let code = word(ERROR_CODE).unwrap_or("unknown").to_owned();
        let details = status
            .metadata()
            .get_bin(ERROR_DETAILS)
            .and_then(|value| value.to_bytes().ok())
            .and_then(|json| serde_json::from_slice(&json).ok())
            .unwrap_or_default();
        Self { details, ..Self::new(peer, kind, code, status.message()) }
    }
}

impl From<(&'static str, Status)> for PeerError {
    fn from((peer, status): (&'static str, Status)) -> Self {
        Self::from_status(peer, status)
    }
}

/// The gRPC status of a service's error. Errors of kind [`ErrorKind::Internal`] are logged here with their causes, and
/// only here; like [`ErrorKind::Unavailable`] they reach the caller as a fixed sentence.
#[must_use]
pub fn status(error: &dyn ServiceError) -> Status {
    let kind = error.kind();
    let message = match kind {
        ErrorKind::Internal => {
            tracing::error!(error = error as &(dyn Error + 'static), "Failed to answer a call");
            "the service failed".to_owned()
        }
        ErrorKind::Unavailable => "the service cannot do this at the moment".to_owned(),
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
    let mut status = Status::new(code_of_kind(kind), message);
    let metadata = status.metadata_mut();
    if let Ok(serde_json::Value::String(word)) = serde_json::to_value(kind)
        && let Ok(value) = MetadataValue::try_from(word)
    {
        metadata.insert(ERROR_KIND, value);
    }
    metadata.insert(ERROR_CODE, MetadataValue::from_static(error.code()));
    let mut details = error.details();
    details.truncate(MAX_DETAILS);
    if !details.is_empty()
        && let Ok(json) = serde_json::to_vec(&details)
    {
        metadata.insert_bin(ERROR_DETAILS, MetadataValue::from_bytes(&json));
    }
    status
}

fn parse_kind(word: &str) -> Option<ErrorKind> {
    let word: StrDeserializer<'_, ValueError> = word.into_deserializer();
    ErrorKind::deserialize(word).ok()
}

/// The one match from kind to gRPC code.
fn code_of_kind(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::Malformed | ErrorKind::UnsupportedMedia | ErrorKind::Invalid => Code::InvalidArgument,
        ErrorKind::Unauthenticated => Code::Unauthenticated,
        ErrorKind::Forbidden => Code::PermissionDenied,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::PaymentDeclined | ErrorKind::Conflict | ErrorKind::Gone | ErrorKind::PreconditionRequired => {
            Code::FailedPrecondition
        }
        ErrorKind::Stale => Code::Aborted,
        ErrorKind::TooLarge => Code::OutOfRange,
        ErrorKind::RateLimited => Code::ResourceExhausted,
        ErrorKind::Unavailable => Code::Unavailable,
        ErrorKind::Internal => Code::Internal,
    }
}

/// What a status means that no service of ours wrote: it comes from the way there, or from the framework over there.
fn kind_of_code(code: Code) -> (ErrorKind, &'static str) {
    match code {
        Code::DeadlineExceeded => (ErrorKind::Unavailable, "deadline_exceeded"),
        Code::Unavailable | Code::Cancelled | Code::Unknown | Code::ResourceExhausted | Code::Aborted => {
            (ErrorKind::Unavailable, "unavailable")
        }
        Code::Unauthenticated => (ErrorKind::Unauthenticated, "unauthenticated"),
        Code::PermissionDenied => (ErrorKind::Forbidden, "forbidden"),
        Code::NotFound => (ErrorKind::NotFound, "not_found"),
        // `Ok` cannot be an error; the others mean that the two sides disagree about the contract.
        Code::Ok
        | Code::InvalidArgument
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Internal
        | Code::DataLoss => (ErrorKind::Internal, "internal"),
    }
}

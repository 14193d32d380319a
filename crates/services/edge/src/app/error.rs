//! How an operation of an admin can fail.

use shop_mesh::PeerError;
use shop_types::{Detail, ErrorKind, ServiceError};

/// Nobody to ask, or what the asked one said.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("no service of this name consumes events")]
    NoSuchConsumer,
    #[error("there is no such dead letter")]
    NoSuchLetter,
    #[error("{}", .0.message)]
    Peer(PeerError),
}

impl From<PeerError> for Error {
    fn from(error: PeerError) -> Self {
        Self::Peer(error)
    }
}

impl ServiceError for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSuchConsumer => ErrorKind::Invalid,
            Self::NoSuchLetter => ErrorKind::NotFound,
            Self::Peer(_) if self.code() == "internal" => ErrorKind::Internal,
            Self::Peer(error) => error.kind,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NoSuchConsumer => "invalid_parameter",
            Self::NoSuchLetter => "not_found",
            Self::Peer(error) => code(error),
        }
    }

    fn details(&self) -> Vec<Detail> {
        match self {
            Self::NoSuchConsumer => vec![Detail::new("service", "must be a service that consumes events")],
            Self::NoSuchLetter => Vec::new(),
            Self::Peer(error) => error.details.clone(),
        }
    }
}

/// The codes that a pod may answer with; any other one is a defect of ours.
fn code(error: &PeerError) -> &'static str {
    match error.kind {
        ErrorKind::Conflict if error.code == "dead_letter_unreadable" => "dead_letter_unreadable",
        ErrorKind::Conflict if error.code == "dead_letter_failed_again" => "dead_letter_failed_again",
        ErrorKind::NotFound => "not_found",
        ErrorKind::Invalid => "invalid_parameter",
        ErrorKind::Unavailable => "unavailable",
        // The token ended between our look at it and the pod's.
        ErrorKind::Unauthenticated => "invalid_token",
        ErrorKind::Forbidden => "forbidden",
        ErrorKind::Conflict
        | ErrorKind::Malformed
        | ErrorKind::PaymentDeclined
        | ErrorKind::Gone
        | ErrorKind::Stale
        | ErrorKind::TooLarge
        | ErrorKind::UnsupportedMedia
        | ErrorKind::PreconditionRequired
        | ErrorKind::RateLimited
        | ErrorKind::Internal => "internal",
    }
}

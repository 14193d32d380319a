//! How an operation on MongoDB can end badly, sorted by what the caller can do about it.
//!
//! What belongs here: what an error means. How errors of the driver are sorted into it stands in `driver`, and what a
//! validator says in `validation`.

mod driver;
mod validation;

use std::sync::Arc;

use shop_faults::Injected;
use shop_types::{ErrorKind, ServiceError};

pub(crate) use driver::{commit_is_unknown, is_duplicate};

/// The error behind an error; shared, because every member of a group gets the same one.
pub type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// What went wrong with an operation; `what` names the operation as in the metrics.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// MongoDB cannot be reached, has no primary, or the process is stopping or overloaded. A write may have happened.
    #[error("MongoDB is not available for '{what}'")]
    Unavailable {
        /// The operation.
        what: &'static str,
        /// Why.
        #[source]
        source: Cause,
    },
    /// There was no answer in time. A write may have happened, or may still happen.
    #[error("MongoDB gave no answer in time to '{what}'")]
    Timeout {
        /// The operation.
        what: &'static str,
    },
    /// A unique key is taken; nothing was written.
    #[error("'{what}' needs a key of index '{index}' that is taken")]
    Duplicate {
        /// The operation.
        what: &'static str,
        /// The unique index, `_id_` for the id.
        index: String,
    },
    /// Other transactions held the same documents until the deadline; nothing was written.
    #[error("'{what}' met other transactions on the same documents")]
    Conflict {
        /// The operation.
        what: &'static str,
    },
    /// A guarded write found fewer documents than it must, and was taken back. A defect: inside a transaction the guards
    /// repeat what the same transaction has read.
    #[error("'{what}' matched {matched} of {expected} documents")]
    GuardFailed {
        /// The operation.
        what: &'static str,
        /// How many writes there were.
        expected: usize,
        /// How many found their document.
        matched: usize,
    },
    /// A stored document does not have the shape that this version reads.
    #[error("'{what}' read a document of an unknown shape")]
    Corrupt {
        /// The operation.
        what: &'static str,
        /// What does not fit.
        #[source]
        source: Cause,
    },
    /// Anything else: a defect of ours or a setting of the server that does not fit.
    #[error("'{what}' failed")]
    Failed {
        /// The operation.
        what: &'static str,
        /// Why.
        #[source]
        source: Cause,
    },
}

impl Error {
    /// What it means for the caller.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Unavailable { .. } | Self::Timeout { .. } | Self::Conflict { .. } => ErrorKind::Unavailable,
            Self::Duplicate { .. } => ErrorKind::Conflict,
            Self::GuardFailed { .. } | Self::Corrupt { .. } | Self::Failed { .. } => ErrorKind::Internal,
        }
    }

    /// Whether a unique key was taken.
    #[must_use]
    pub const fn is_duplicate(&self) -> bool {
        matches!(self, Self::Duplicate { .. })
    }

    /// Whether the key of this unique index was taken.
    #[must_use]
    pub fn is_duplicate_of(&self, name: &str) -> bool {
        matches!(self, Self::Duplicate { index, .. } if index == name)
    }

    /// An error that no driver error is behind.
    pub(crate) fn failed(what: &'static str, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Failed { what, source: Arc::from(why.into()) }
    }

    /// A refusal before anything was sent.
    pub(crate) fn refused(what: &'static str, why: &'static str) -> Self {
        Self::Unavailable { what, source: Arc::from(Box::<dyn std::error::Error + Send + Sync>::from(why)) }
    }

    /// The transaction did not even begin; it may be run again.
    pub(crate) fn not_begun(what: &'static str, source: Self) -> Self {
        Self::Unavailable { what, source: Arc::new(NotBegun(source)) }
    }

    /// A stored document that does not fit.
    #[must_use]
    pub fn corrupt(what: &'static str, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Corrupt { what, source: Arc::new(source) }
    }

    /// Whether the whole transaction certainly did not happen and may succeed when it is run again.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Conflict { .. } => true,
            Self::Unavailable { source, .. } => source.is::<NotBegun>() || driver::is_transient(&**source),
            Self::Timeout { .. }
            | Self::Duplicate { .. }
            | Self::GuardFailed { .. }
            | Self::Corrupt { .. }
            | Self::Failed { .. } => false,
        }
    }

    /// Whether MongoDB was away just then, and not we who refused: what is safe to repeat may be repeated.
    pub(crate) fn is_away(&self) -> bool {
        matches!(self, Self::Unavailable { source, .. } if driver::is_of_driver(&**source))
    }

    /// Whether the server does not let this user kill sessions.
    pub(crate) fn is_refusal_to_kill(&self) -> bool {
        matches!(self, Self::Failed { source, .. } if driver::is_refusal_to_kill(&**source))
    }

    /// The word of this error in metrics.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "unavailable",
            Self::Timeout { .. } => "timeout",
            Self::Duplicate { .. } => "duplicate",
            Self::Conflict { .. } => "conflict",
            Self::GuardFailed { .. } => "guard_failed",
            Self::Corrupt { .. } => "corrupt",
            Self::Failed { .. } => "failed",
        }
    }
}

/// Why a transaction did not begin.
#[derive(Debug, thiserror::Error)]
#[error("the session of the transaction could not be registered")]
struct NotBegun(#[source] Error);

/// Whether the write before the failpoint happened is unknown, as after a lost reply.
impl From<Injected> for Error {
    fn from(injected: Injected) -> Self {
        Self::Unavailable { what: injected.0, source: Arc::new(injected) }
    }
}

impl ServiceError for Error {
    fn kind(&self) -> ErrorKind {
        self.kind()
    }

    fn code(&self) -> &'static str {
        match self.kind() {
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::Conflict => "conflict",
            ErrorKind::Malformed
            | ErrorKind::Unauthenticated
            | ErrorKind::PaymentDeclined
            | ErrorKind::Forbidden
            | ErrorKind::NotFound
            | ErrorKind::Gone
            | ErrorKind::Stale
            | ErrorKind::TooLarge
            | ErrorKind::UnsupportedMedia
            | ErrorKind::Invalid
            | ErrorKind::PreconditionRequired
            | ErrorKind::RateLimited
            | ErrorKind::Internal => "internal",
        }
    }

    fn client_message(&self) -> String {
        match self {
            Self::Duplicate { .. } => "this already exists".to_owned(),
            Self::Unavailable { .. }
            | Self::Timeout { .. }
            | Self::Conflict { .. }
            | Self::GuardFailed { .. }
            | Self::Corrupt { .. }
            | Self::Failed { .. } => "the store could not do this".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_failpoint_nobody_knows_and_nothing_is_repeated() {
        let error = Error::from(Injected("W6"));
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::Unavailable, "MongoDB is not available for 'W6'")
        );
        assert!(!error.is_transient() && !error.is_away());
    }
}

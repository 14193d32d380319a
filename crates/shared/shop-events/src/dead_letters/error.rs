//! How something with a dead letter can end badly.

use shop_types::{Detail, ErrorKind, ServiceError};

/// Why something could not be done with a dead letter.
#[derive(Debug, thiserror::Error)]
pub enum LetterError {
    /// It never was, or somebody has retried or discarded it.
    #[error("there is no such dead letter")]
    NoSuchLetter,
    /// A page was asked for that no page has named.
    #[error("this cursor was given out by no page")]
    Cursor,
    /// This version of the service cannot make an event of it. It stays.
    #[error("the dead letter cannot be handled: {0}")]
    Unreadable(String),
    /// It was handed over and failed again. It stays.
    #[error("the event failed again: {0}")]
    FailedAgain(String),
    /// Something that its handling needs is away. It stays.
    #[error("something that the event needs is away: {0}")]
    Away(String),
    /// The database did not do it. After a retry the letter may still be there although its effect has happened; the next
    /// retry finds that out.
    #[error("the database of dead letters did not do it")]
    Store(#[from] shop_mongo::Error),
    /// The process is stopping.
    #[error("the retry was interrupted")]
    Interrupted(#[source] tokio::task::JoinError),
}

impl ServiceError for LetterError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSuchLetter => ErrorKind::NotFound,
            Self::Cursor => ErrorKind::Invalid,
            Self::Unreadable(_) | Self::FailedAgain(_) => ErrorKind::Conflict,
            Self::Away(_) | Self::Interrupted(_) => ErrorKind::Unavailable,
            Self::Store(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NoSuchLetter => "not_found",
            Self::Cursor => "invalid_parameter",
            Self::Unreadable(_) => "dead_letter_unreadable",
            Self::FailedAgain(_) => "dead_letter_failed_again",
            Self::Away(_) | Self::Interrupted(_) => "unavailable",
            Self::Store(error) => error.code(),
        }
    }

    fn details(&self) -> Vec<Detail> {
        match self {
            Self::Cursor => vec![Detail::new("cursor", "must be the nextCursor of a page")],
            Self::NoSuchLetter
            | Self::Unreadable(_)
            | Self::FailedAgain(_)
            | Self::Away(_)
            | Self::Store(_)
            | Self::Interrupted(_) => Vec::new(),
        }
    }
}

//! What a service does with events, and how that can end. What belongs here: the types between a consumer and a service.

use std::sync::Arc;

use futures::future::BoxFuture;
use shop_types::{Envelope, ErrorKind, ServiceError};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Takes a batch of events, in the order of the stream, and answers each in its place.
///
/// An event may come again, also together with others or beside another batch: the handler claims it in the inbox, in the
/// transaction of its effect. It has ten seconds; the context of its task says so.
pub type Handler = Arc<dyn Fn(Vec<Envelope>) -> BoxFuture<'static, Vec<Result<(), HandleError>>> + Send + Sync>;

/// Why an event was not handled. Nothing of it has happened, or what has will be recognised next time.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// It may succeed the next time. After five deliveries it is a dead letter, unless the cause is that MongoDB is away:
    /// that counts as [`Self::Away`].
    #[error("failed to handle an event")]
    Retry(#[source] BoxError),
    /// Something that it needs is away. It comes again until that is back, and this time does not count.
    #[error("failed to handle an event for now")]
    Away(#[source] BoxError),
    /// It will never succeed: a dead letter at once.
    #[error("an event cannot be handled: {0}")]
    Poison(String),
}

impl HandleError {
    /// What the kind of an error says. What a rule forbids stays forbidden (not found, conflict, invalid): a dead letter at
    /// once. What is away comes again without counting. Everything else may succeed when it is delivered again.
    #[must_use]
    pub fn of<E: ServiceError>(error: E) -> Self {
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::Conflict | ErrorKind::Invalid => Self::Poison(chain(&error)),
            ErrorKind::Unavailable => Self::Away(Box::new(error)),
            ErrorKind::Malformed
            | ErrorKind::Unauthenticated
            | ErrorKind::PaymentDeclined
            | ErrorKind::Forbidden
            | ErrorKind::Gone
            | ErrorKind::Stale
            | ErrorKind::TooLarge
            | ErrorKind::UnsupportedMedia
            | ErrorKind::PreconditionRequired
            | ErrorKind::RateLimited
            | ErrorKind::Internal => Self::Retry(Box::new(error)),
        }
    }

    /// Tries again: without counting when the kind is [`ErrorKind::Unavailable`], else up to five times in all. For one
    /// error that several events share; its whole chain is kept as text.
    #[must_use]
    pub fn retry<E: ServiceError>(error: &E) -> Self {
        let text = chain(error).into();
        if error.kind() == ErrorKind::Unavailable { Self::Away(text) } else { Self::Retry(text) }
    }

    /// What happens next.
    pub(crate) fn verdict(&self) -> Verdict {
        match self {
            Self::Retry(error) if database_is_away(&**error) => Verdict::Away(chain(&**error)),
            Self::Retry(error) => Verdict::Retry(chain(&**error)),
            Self::Away(error) => Verdict::Away(chain(&**error)),
            Self::Poison(reason) => Verdict::Poison(reason.clone()),
        }
    }
}

/// How the handling of one event ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Handled,
    Retry(String),
    Away(String),
    Poison(String),
}

fn database_is_away(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<shop_mongo::Error>() {
            return error.kind() == ErrorKind::Unavailable;
        }
        next = error.source();
    }
    false
}

/// An error with all its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text.push_str(": ");
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("failed to take stock")]
    struct Failure(#[source] shop_mongo::Error);

    impl ServiceError for Failure {
        fn kind(&self) -> ErrorKind {
            self.0.kind()
        }

        fn code(&self) -> &'static str {
            "failed"
        }
    }

    #[test]
    fn a_database_that_is_away_never_counts_against_an_event() {
        let away = || Failure(shop_mongo::Error::Timeout { what: "take" });
        let text = "failed to take stock: MongoDB gave no answer in time to 'take'".to_owned();

        assert_eq!(HandleError::Retry(away().into()).verdict(), Verdict::Away(text.clone()));
        assert_eq!(HandleError::retry(&away()).verdict(), Verdict::Away(text));
    }

    #[test]
    fn other_failures_count() {
        let failed = || Failure(shop_mongo::Error::Duplicate { what: "take", index: "number".into() });

        assert!(matches!(HandleError::Retry(failed().into()).verdict(), Verdict::Retry(_)));
        assert!(matches!(HandleError::retry(&failed()).verdict(), Verdict::Retry(_)));
        assert_eq!(HandleError::Poison("odd".into()).verdict(), Verdict::Poison("odd".into()));
    }

    #[test]
    fn the_kind_of_an_error_says_what_becomes_of_its_event() {
        let of = |error: shop_mongo::Error| HandleError::of(Failure(error)).verdict();

        assert!(matches!(of(shop_mongo::Error::Timeout { what: "take" }), Verdict::Away(_)));
        let stale = shop_mongo::Error::GuardFailed { what: "take", expected: 1, matched: 0 };
        assert!(matches!(of(stale), Verdict::Retry(_)));
        assert_eq!(HandleError::of(Forbidden).verdict(), Verdict::Poison("it was cancelled".into()));
    }

    #[derive(Debug, thiserror::Error)]
    #[error("it was cancelled")]
    struct Forbidden;

    impl ServiceError for Forbidden {
        fn kind(&self) -> ErrorKind {
            ErrorKind::Conflict
        }

        fn code(&self) -> &'static str {
            "cancelled"
        }
    }
}

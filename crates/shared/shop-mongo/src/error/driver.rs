//! Errors of the driver, sorted into ours, and shown without the documents that they carry.
#![expect(clippy::wildcard_enum_match_arm, reason = "the driver's enums are non-exhaustive")]

use std::fmt;
use std::sync::Arc;

use bson::Document;
use mongodb::error::{
    ErrorKind as Driver, TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT, WriteFailure,
};

use super::Error;
use super::validation::Refusal;

impl Error {
    /// Sorts an error of the driver; for operations on [`crate::Txn::session`].
    #[must_use]
    pub fn of(what: &'static str, error: mongodb::error::Error) -> Self {
        Self::of_collection(what, None, error)
    }

    /// [`Self::of`] for an operation on a known collection.
    pub(crate) fn of_collection(what: &'static str, collection: Option<&str>, error: mongodb::error::Error) -> Self {
        let code = code_of(&error);
        let transient = error.contains_label(TRANSIENT_TRANSACTION_ERROR);
        if let Some(index) = taken_index(&error) {
            return Self::Duplicate { what, index };
        }
        match (&*error.kind, code) {
            (_, Some(WRITE_CONFLICT | LOCK_TIMEOUT)) => Self::Conflict { what },
            (_, Some(VALIDATION_FAILED)) => Self::refused_by_validator(what, collection, details_of(&error).as_ref()),
            (_, Some(MAX_TIME_EXPIRED | WRITE_CONCERN_TIMEOUT)) if !transient => Self::Timeout { what },
            (Driver::Bson(_) | Driver::BsonDeserialization(_), _) => {
                Self::Corrupt { what, source: Arc::new(Shown(error)) }
            }
            _ if transient || is_away(&error.kind, code) => Self::Unavailable { what, source: Arc::new(Shown(error)) },
            _ => Self::Failed { what, source: Arc::new(Shown(error)) },
        }
    }

    /// Sorts an entry of `writeErrors`, as far as code, message and details tell.
    pub(crate) fn of_write(
        what: &'static str,
        collection: &str,
        code: i32,
        message: &str,
        details: Option<&Document>,
    ) -> Self {
        match code {
            DUPLICATE_KEY => Self::Duplicate { what, index: index_in(message) },
            WRITE_CONFLICT | LOCK_TIMEOUT => Self::Conflict { what },
            VALIDATION_FAILED => Self::refused_by_validator(what, Some(collection), details),
            _ => Self::failed(what, format!("code {code}: {message}")),
        }
    }

    /// A defect of ours that the backstop has caught: the same write would be refused again.
    fn refused_by_validator(what: &'static str, collection: Option<&str>, details: Option<&Document>) -> Self {
        Self::Failed { what, source: Arc::new(Refusal::new(collection, details)) }
    }
}

/// Whether the server says that the transaction did not happen and may be run again. A statement that was interrupted
/// because its session was killed has no label of that, but only the statements before a commit are asked here, and what
/// one of them did ends with its transaction.
pub(super) fn is_transient(cause: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    cause.downcast_ref::<Shown>().is_some_and(|Shown(error)| {
        error.contains_label(TRANSIENT_TRANSACTION_ERROR) || code_of(error) == Some(INTERRUPTED)
    })
}

/// Whether the cause came from the driver.
pub(super) fn is_of_driver(cause: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    cause.is::<Shown>()
}

/// Whether nobody knows what a commit did, so that it must be asked again. The driver's label leaves out a session that was
/// killed while it committed.
pub(crate) fn commit_is_unknown(error: &mongodb::error::Error) -> bool {
    let transient = error.contains_label(TRANSIENT_TRANSACTION_ERROR);
    error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) || (!transient && code_of(error) == Some(INTERRUPTED))
}

/// Whether the server does not let this user kill sessions: a missing right, an Atlas tier that has no such command, a
/// stand-in that does not know it.
pub(super) fn is_refusal_to_kill(cause: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    let code = cause.downcast_ref::<Shown>().and_then(|Shown(error)| code_of(error));
    matches!(code, Some(UNAUTHORIZED | ATLAS | COMMAND_NOT_FOUND))
}

/// Whether a unique key was taken.
pub(crate) fn is_duplicate(error: &mongodb::error::Error) -> bool {
    taken_index(error).is_some()
}

// https://github.com/mongodb/mongo/blob/r6.0.5/src/mongo/base/error_codes.yml
const UNAUTHORIZED: i32 = 13;
const LOCK_TIMEOUT: i32 = 24;
const MAX_TIME_EXPIRED: i32 = 50;
const COMMAND_NOT_FOUND: i32 = 59;
const WRITE_CONCERN_TIMEOUT: i32 = 64;
const WRITE_CONFLICT: i32 = 112;
const VALIDATION_FAILED: i32 = 121;
const ATLAS: i32 = 8000;
const DUPLICATE_KEY: i32 = 11000;
/// By `killSessions`, or by an administrator.
const INTERRUPTED: i32 = 11601;
/// The same call may succeed in a moment.
const AWAY: [i32; 20] = [
    6,
    7,
    89,
    202,
    9001, // hosts that cannot be reached: the network, or a member that is away
    10058,
    10107,
    13435,
    13436, // the node is no primary (any more)
    189,
    11602, // it steps down just now
    91,
    11600, // it shuts down
    134,
    262, // it has not caught up, or ran out of its own time
    43,
    175,
    237, // a cursor or a plan that went away with the node's state
    388,
    INTERRUPTED, // out of cache for the moment; told to stop
];

fn code_of(error: &mongodb::error::Error) -> Option<i32> {
    let own = match &*error.kind {
        Driver::Command(command) => Some(command.code),
        Driver::Write(WriteFailure::WriteError(write)) => Some(write.code),
        Driver::Write(WriteFailure::WriteConcernError(concern)) => Some(concern.code),
        Driver::InsertMany(many) => {
            let first = many.write_errors.as_ref().and_then(|errors| errors.first()).map(|write| write.code);
            first.or_else(|| many.write_concern_error.as_ref().map(|concern| concern.code))
        }
        _ => None,
    };
    own.or_else(|| source_of(error).and_then(code_of))
}

fn source_of(error: &mongodb::error::Error) -> Option<&mongodb::error::Error> {
    std::error::Error::source(error).and_then(|source| source.downcast_ref())
}

fn taken_index(error: &mongodb::error::Error) -> Option<String> {
    let message = match &*error.kind {
        Driver::Command(command) if command.code == DUPLICATE_KEY => &command.message,
        Driver::Write(WriteFailure::WriteError(write)) if write.code == DUPLICATE_KEY => &write.message,
        Driver::InsertMany(many) => {
            &many.write_errors.as_ref()?.iter().find(|write| write.code == DUPLICATE_KEY)?.message
        }
        _ => return None,
    };
    Some(index_in(message))
}

/// The index in `E11000 duplicate key error collection: shop.users index: email_1 dup key: { email: "..." }`. The server
/// sends the key's fields apart, but its name only in this text.
fn index_in(message: &str) -> String {
    let name = message.split(" index: ").nth(1).and_then(|rest| rest.split(' ').next());
    name.unwrap_or("unknown").to_owned()
}

/// What the server says in `errInfo`.
fn details_of(error: &mongodb::error::Error) -> Option<Document> {
    match &*error.kind {
        Driver::Write(WriteFailure::WriteError(write)) => write.details.clone(),
        Driver::InsertMany(many) => many.write_errors.as_ref()?.first()?.details.clone(),
        _ => {
            let reply = Document::try_from(error.server_response()?.as_ref()).ok()?;
            reply.get_document("errInfo").ok().cloned()
        }
    }
}

fn is_away(kind: &Driver, code: Option<i32>) -> bool {
    code.is_some_and(|code| AWAY.contains(&code))
        || matches!(
            kind,
            Driver::Io(_)
                | Driver::ConnectionPoolCleared { .. }
                | Driver::ServerSelection { .. }
                | Driver::DnsResolve { .. }
                | Driver::Authentication { .. }
                | Driver::SessionsNotSupported
                | Driver::Shutdown
        )
}

/// A driver error whose text holds no document: the driver's own prints the server's whole reply, with the values in it.
#[derive(Clone)]
struct Shown(mongodb::error::Error);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0.kind {
            Driver::Write(WriteFailure::WriteError(write)) => write!(f, "code {}: {}", write.code, write.message),
            Driver::Write(WriteFailure::WriteConcernError(concern)) => {
                write!(f, "write concern, code {}: {}", concern.code, concern.message)
            }
            Driver::InsertMany(_) | Driver::BulkWrite(_) => match code_of(&self.0) {
                Some(code) => write!(f, "a batch failed with code {code}"),
                None => f.write_str("a batch failed"),
            },
            kind => write!(f, "{kind}"),
        }
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Shown {}

#[cfg(test)]
mod tests {
    use shop_types::ErrorKind;

    use super::*;

    #[test]
    fn the_taken_index_is_found_in_the_servers_text() {
        let text =
            r#"E11000 duplicate key error collection: t.users index: email_1 dup key: { email: "a index: b@c.de" }"#;
        assert_eq!(index_in(text), "email_1");
        assert_eq!(index_in("something new"), "unknown");
    }

    #[test]
    fn a_lost_connection_is_unavailable_and_not_a_reason_to_run_the_transaction_again() {
        let error = Error::of("find", std::io::Error::from(std::io::ErrorKind::ConnectionReset).into());
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(!error.is_transient(), "without the server's label nobody knows what happened");
    }

    #[test]
    fn the_text_of_an_error_holds_neither_its_source_nor_a_document() {
        let error = Error::of("insert", mongodb::error::Error::custom("ada@example.org".to_owned()));
        assert_eq!(error.to_string(), "'insert' failed");
    }
}

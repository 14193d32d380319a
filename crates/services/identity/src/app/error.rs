//! How an operation of identity can end badly.

use std::time::Duration;

use serde_json::{Map, Value};
use shop_mesh::PeerError;
use shop_types::{Detail, ErrorKind, ServiceError};

use super::hashing;
use crate::domain::token_request::Refused;

/// A refusal, the store, or a part of the process. No text here names an address, a password or a token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("another account has this e-mail address")]
    EmailTaken,
    #[error("e-mail address or password is wrong")]
    WrongCredentials,
    #[error("the token does not count: used, expired, or not ours")]
    SpentToken,
    #[error("too many letters are being written")]
    Busy,
    #[error("the password is wrong")]
    WrongPassword,
    #[error("too many wrong passwords for this address: try again in {} s", seconds(.retry_in))]
    TooManyMisses { retry_in: Duration },
    #[error("the refresh token does not count; log in again")]
    InvalidRefreshToken,
    #[error("this account was closed by an admin")]
    Deactivated,
    #[error("there is no such account")]
    NoSuchUser,
    #[error("there is no such session")]
    NoSuchSession,
    #[error("there is no such address")]
    NoSuchAddress,
    #[error("there is no such API key")]
    NoSuchKey,
    #[error("there is no such export")]
    NoSuchExport,
    #[error("the export could not be finished in time; ask for another one")]
    ExportFailed,
    #[error("another service did not do it")]
    Peer(#[from] PeerError),
    #[error("a record of an export is not JSON")]
    Record(#[source] serde_json::Error),
    #[error("the order is known as another person's")]
    OrderOfAnother,
    #[error("an API key cannot end before it begins")]
    PastExpiry,
    #[error("the tokens of an API key have no session; they end when an admin removes the key")]
    NoSession,
    #[error("there is no token for this request")]
    Token(#[from] Refused),
    #[error("there are as many addresses as there may be")]
    TooManyAddresses,
    #[error("this Idempotency-Key was used for another request")]
    KeyReused,
    #[error("admins do not give themselves another role, nor change, close or delete their own account")]
    OwnAccount,
    #[error("your account is not an admin's any more")]
    NoLongerAdmin,
    #[error("the version sent is not the present one, which is {current}")]
    Stale { current: i64 },
    #[error("failed to hash a password")]
    Hashing(#[from] hashing::Error),
    #[error("failed to sign an access token")]
    Sign(#[source] shop_auth::Error),
    #[error("failed to get random bytes")]
    Random(#[source] getrandom::Error),
    #[error("identity's database did not do it")]
    Store(#[from] shop_mongo::Error),
}

impl ServiceError for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::EmailTaken | Self::OwnAccount | Self::TooManyAddresses | Self::NoSession | Self::OrderOfAnother => {
                ErrorKind::Conflict
            }
            Self::WrongPassword | Self::Deactivated | Self::NoLongerAdmin => ErrorKind::Forbidden,
            Self::TooManyMisses { .. } => ErrorKind::RateLimited,
            Self::KeyReused | Self::PastExpiry => ErrorKind::Invalid,
            Self::Token(Refused::Parameter(_) | Refused::Grant | Refused::Scope) => ErrorKind::Malformed,
            Self::SpentToken | Self::ExportFailed => ErrorKind::Gone,
            Self::Peer(error) if error.kind == ErrorKind::Unavailable => ErrorKind::Unavailable,
            Self::WrongCredentials | Self::InvalidRefreshToken | Self::Token(Refused::Client) => {
                ErrorKind::Unauthenticated
            }
            Self::NoSuchUser | Self::NoSuchSession | Self::NoSuchAddress | Self::NoSuchKey | Self::NoSuchExport => {
                ErrorKind::NotFound
            }
            Self::Stale { .. } => ErrorKind::Stale,
            Self::Busy | Self::Hashing(hashing::Error::Busy) => ErrorKind::Unavailable,
            Self::Hashing(hashing::Error::Failed(_))
            | Self::Sign(_)
            | Self::Random(_)
            | Self::Peer(_)
            | Self::Record(_) => ErrorKind::Internal,
            // The one unique key that a caller chooses is the e-mail address, which is sorted out before.
            Self::Store(error) if error.is_duplicate() => ErrorKind::Internal,
            Self::Store(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::EmailTaken => "email_taken",
            Self::WrongCredentials => "wrong_credentials",
            Self::WrongPassword => "wrong_password",
            Self::TooManyMisses { .. } => "rate_limited",
            Self::InvalidRefreshToken => "invalid_refresh_token",
            Self::Deactivated => "account_deactivated",
            Self::NoSuchUser | Self::NoSuchSession | Self::NoSuchAddress | Self::NoSuchKey | Self::NoSuchExport => {
                "not_found"
            }
            Self::ExportFailed => "export_failed",
            Self::PastExpiry => "invalid_field",
            Self::NoSession => "no_session",
            Self::OrderOfAnother => "order_of_another",
            Self::Token(refused) => refused.word(),
            Self::TooManyAddresses => "too_many_addresses",
            Self::KeyReused => "idempotency_key_reused",
            Self::OwnAccount => "own_account",
            Self::NoLongerAdmin => "forbidden",
            Self::Stale { .. } => "version_conflict",
            Self::Busy | Self::Hashing(hashing::Error::Busy) => "busy",
            Self::SpentToken => "token_spent",
            Self::Store(_) | Self::Peer(_) if self.kind() == ErrorKind::Unavailable => "unavailable",
            Self::Hashing(hashing::Error::Failed(_))
            | Self::Sign(_)
            | Self::Random(_)
            | Self::Store(_)
            | Self::Peer(_)
            | Self::Record(_) => "internal",
        }
    }

    fn details(&self) -> Vec<Detail> {
        match self {
            Self::EmailTaken => vec![Detail::new("email", "is taken")],
            Self::Stale { .. } => vec![Detail::new("If-Match", "must be the ETag of the present version")],
            Self::PastExpiry => vec![Detail::new("expiresAt", "must lie in the future")],
            Self::WrongCredentials
            | Self::SpentToken
            | Self::Busy
            | Self::WrongPassword
            | Self::TooManyMisses { .. }
            | Self::InvalidRefreshToken
            | Self::Deactivated
            | Self::NoSuchUser
            | Self::NoSuchSession
            | Self::NoSuchAddress
            | Self::NoSuchKey
            | Self::NoSuchExport
            | Self::ExportFailed
            | Self::Peer(_)
            | Self::Record(_)
            | Self::NoSession
            | Self::OrderOfAnother
            | Self::Token(_)
            | Self::TooManyAddresses
            | Self::KeyReused
            | Self::OwnAccount
            | Self::NoLongerAdmin
            | Self::Hashing(_)
            | Self::Sign(_)
            | Self::Random(_)
            | Self::Store(_) => Vec::new(),
        }
    }

    /// Clients of OAuth read a word where others read a sentence (RFC 6749 section 5.2).
    fn client_message(&self) -> String {
        if let Self::Token(refused) = self {
            refused.word().to_owned()
        } else if self.kind() == ErrorKind::NotFound {
            // The same for what there is not and for what is somebody else's.
            "There is no such thing.".to_owned()
        } else {
            self.to_string()
        }
    }

    fn extra(&self) -> Map<String, Value> {
        let mut extra = Map::new();
        if let Self::Token(refused) = self {
            extra.insert("error_description".to_owned(), refused.to_string().into());
        }
        if let Some(seconds) = self.retry_after() {
            // As the limits on requests say it.
            extra.insert("limit".to_owned(), "misses".into());
            extra.insert("retryAfter".to_owned(), seconds.into());
        }
        extra
    }
}

impl Error {
    /// In how many seconds the same may be let in, when that is known.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        if let Self::TooManyMisses { retry_in } = self { Some(seconds(retry_in)) } else { None }
    }
}

/// Whole seconds, rounded up.
fn seconds(wait: &Duration) -> u64 {
    wait.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX).max(1)
}

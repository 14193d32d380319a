//! Why keys cannot be used, and why a token is refused.

use std::path::PathBuf;

use shop_types::{ErrorKind, ServiceError};

/// The keys of this process cannot be used. Meets whoever deploys, never a caller.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key set cannot be read.
    #[error("failed to read the key set {}", file.display())]
    Read {
        /// The mounted file.
        file: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The key set is not a JWKS.
    #[error("the key set {} is not a JSON Web Key Set", file.display())]
    NotAKeySet {
        /// The mounted file.
        file: PathBuf,
        /// Where it goes wrong.
        source: serde_json::Error,
    },
    /// A key of the set is not one that may be there.
    #[error("key {number} of the key set {} {rule}", file.display())]
    Key {
        /// The mounted file.
        file: PathBuf,
        /// Which one, counted from 1.
        number: usize,
        /// What it must be.
        rule: &'static str,
    },
    /// No key is left to verify with.
    #[error("the key set {} holds no Ed25519 key", file.display())]
    Empty {
        /// The mounted file.
        file: PathBuf,
    },
    /// The private key is not one.
    #[error("the signing key is not an Ed25519 private key in PKCS #8 PEM")]
    SigningKey(#[source] jsonwebtoken::errors::Error),
    /// A token could not be made.
    #[error("failed to sign an access token")]
    Sign(#[source] jsonwebtoken::errors::Error),
    /// The claims could not be written, or the expiry is beyond the calendar.
    #[error("failed to write the claims of an access token")]
    Claims(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Why a token does not hold. Callers get 401 for each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not three parts, other headers than ours, another algorithm, missing or mistyped claims.
    #[error("the access token is malformed")]
    Malformed,
    /// Past its `exp`.
    #[error("the access token has expired")]
    Expired,
    /// Not signed by the key that it names.
    #[error("the signature of the access token does not hold")]
    BadSignature,
    /// Names a key that is not in the set.
    #[error("the access token was signed with an unknown key")]
    UnknownKey,
    /// Made by somebody else.
    #[error("the access token has another issuer")]
    WrongIssuer,
    /// Made for somebody else.
    #[error("the access token is for another audience")]
    WrongAudience,
    /// Its session ended by logout, password change or a lock.
    #[error("the session of the access token has ended")]
    Revoked,
    /// `nbf` or `iat` lies in the future.
    #[error("the access token is not valid yet")]
    NotYet,
}

impl ServiceError for Refusal {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Unauthenticated
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Expired => "token_expired",
            Self::Malformed
            | Self::BadSignature
            | Self::UnknownKey
            | Self::WrongIssuer
            | Self::WrongAudience
            | Self::Revoked
            | Self::NotYet => "invalid_token",
        }
    }
}

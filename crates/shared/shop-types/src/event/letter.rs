//! Letters that somebody shall get at the address of their account.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::UserId;

/// A letter to the address of an account. The address is not in it: whoever sends the letter asks identity for it then, so
/// that it stands in no stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LetterFact {
    /// Whose account.
    pub user_id: UserId,
    /// What the letter holds and its reader sends back, once.
    pub token: LetterSecret,
    /// Until when it counts.
    pub expires_at: Timestamp,
}

/// The token of a letter. Never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LetterSecret(String);

impl LetterSecret {
    /// Takes a token as text.
    #[must_use]
    pub const fn new(token: String) -> Self {
        Self(token)
    }

    /// The text, for the letter alone.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for LetterSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LetterSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_survives_json_and_its_token_is_never_printed() {
        let letter = LetterFact {
            user_id: UserId::from_uuid(uuid::Uuid::from_u128(1)),
            token: LetterSecret::new("secret".into()),
            expires_at: Timestamp::UNIX_EPOCH,
        };
        let json = serde_json::to_string(&letter).unwrap();
        assert_eq!(serde_json::from_str::<LetterFact>(&json).unwrap(), letter);
        assert!(!format!("{letter:?}").contains("secret\""), "{letter:?}");
    }
}

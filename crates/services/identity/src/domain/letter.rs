//! Letters: what is sent to somebody's address to prove that they read it. The token in a letter counts once and soon ends.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use shop_types::{Email, UserId};

use super::session::later;

/// How long a token counts.
pub(crate) const LIFE: SignedDuration = SignedDuration::from_mins(15);
/// Letters of one kind whose tokens count at the same time: more are not sent, so that nobody's mailbox is flooded.
pub(crate) const AT_ONCE: u64 = 3;

const BYTES: usize = 32;

/// What stands in a letter: 256 random bits. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct LetterToken([u8; BYTES]);

/// What the database keeps of a token. It has 256 bits that nobody can guess, so no salt and no slow hash is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LetterDigest(pub(crate) [u8; BYTES]);

/// A text is not a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a token of a letter")]
pub(crate) struct Malformed;

/// What a token brings its holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Another password.
    Reset,
    /// The address of the letter is verified.
    Verification,
}

/// A letter as the database keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) digest: LetterDigest,
    pub(crate) purpose: Purpose,
    pub(crate) user: UserId,
    /// The address that it is sent to.
    pub(crate) email: Email,
    pub(crate) expires_at: Timestamp,
}

impl Purpose {
    /// Its word in the store.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Verification => "verification",
        }
    }
}

impl LetterToken {
    /// Takes random bytes.
    pub(crate) const fn new(random: [u8; BYTES]) -> Self {
        Self(random)
    }

    /// Reads a token as its holder sent it.
    ///
    /// # Errors
    /// [`Malformed`] for any text that [`Self::expose`] does not give.
    pub(crate) fn parse(text: &str) -> Result<Self, Malformed> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Malformed)?;
        bytes.try_into().map(Self).map_err(|_| Malformed)
    }

    /// The token as text, for the letter alone: 43 characters of URL-safe base64.
    pub(crate) fn expose(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What the database keeps of it.
    pub(crate) fn digest(&self) -> LetterDigest {
        LetterDigest(Sha256::digest(self.0).into())
    }
}

impl std::fmt::Debug for LetterToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LetterToken(..)")
    }
}

impl Letter {
    /// A letter with this token to an account's address.
    pub(crate) fn new(token: &LetterToken, purpose: Purpose, user: UserId, email: Email, now: Timestamp) -> Self {
        Self { digest: token.digest(), purpose, user, email, expires_at: later(now, LIFE) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_text_and_is_never_printed() {
        let token = LetterToken::new([7; BYTES]);
        assert_eq!(token.expose().len(), 43);
        assert_eq!(LetterToken::parse(&token.expose()), Ok(token.clone()));
        assert_eq!(format!("{token:?}"), "LetterToken(..)");
        assert_ne!(token.digest().0, token.0);
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let good = LetterToken::new([7; BYTES]).expose();
        for text in [String::new(), good[1..].into(), format!("{good}A"), format!("{good}="), "é".repeat(21)] {
            assert_eq!(LetterToken::parse(&text), Err(Malformed), "{text}");
        }
    }

    #[test]
    fn a_letter_counts_for_fifteen_minutes() {
        let (token, user) = (LetterToken::new([1; BYTES]), UserId::from_uuid(uuid::Uuid::from_u128(1)));
        let email = "ada@example.org".parse().unwrap();
        let letter = Letter::new(&token, Purpose::Reset, user, email, Timestamp::UNIX_EPOCH);
        assert_eq!(letter.expires_at, Timestamp::from_second(900).unwrap());
    }
}

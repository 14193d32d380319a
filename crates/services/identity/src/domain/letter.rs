//! Letters: what is sent to somebody's address to prove that they read it. The token in a letter counts once and soon ends.

use jiff::{SignedDuration, Timestamp};
use shop_types::{Email, UserId};

use super::secret::{Secret, SecretDigest};
use super::session::later;

/// How long a token counts.
pub(crate) const LIFE: SignedDuration = SignedDuration::from_mins(15);
/// Letters of one kind to an address in [`LIFE`]: more are not sent, so that nobody's mailbox is flooded.
pub(crate) const AT_ONCE: u8 = 3;

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
    pub(crate) digest: SecretDigest,
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

impl Letter {
    /// A letter with this token to an account's address.
    pub(crate) fn new(token: &Secret, purpose: Purpose, user: UserId, email: Email, now: Timestamp) -> Self {
        Self { digest: token.digest(), purpose, user, email, expires_at: later(now, LIFE) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_counts_for_fifteen_minutes() {
        let (token, user) = (Secret::new([1; 32]), UserId::from_uuid(uuid::Uuid::from_u128(1)));
        let email = "ada@example.org".parse().unwrap();
        let letter = Letter::new(&token, Purpose::Reset, user, email, Timestamp::UNIX_EPOCH);
        assert_eq!(letter.expires_at, Timestamp::from_second(900).unwrap());
    }
}

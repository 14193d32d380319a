//! Secrets that we make and somebody else keeps: what stands in a letter, what a program proves itself with.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

pub(crate) const BYTES: usize = 32;

/// 256 random bits. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret([u8; BYTES]);

/// What the database keeps of a secret. It has 256 bits that nobody can guess, so no salt and no slow hash is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SecretDigest(pub(crate) [u8; BYTES]);

/// A text is not a secret of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a secret")]
pub(crate) struct Malformed;

impl Secret {
    /// Takes random bytes.
    pub(crate) const fn new(random: [u8; BYTES]) -> Self {
        Self(random)
    }

    /// Reads a secret as its holder sent it.
    ///
    /// # Errors
    /// [`Malformed`] for any text that [`Self::expose`] does not give.
    pub(crate) fn parse(text: &str) -> Result<Self, Malformed> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Malformed)?;
        bytes.try_into().map(Self).map_err(|_| Malformed)
    }

    /// The secret as text, for its holder alone: 43 characters of URL-safe base64.
    pub(crate) fn expose(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What the database keeps of it.
    pub(crate) fn digest(&self) -> SecretDigest {
        SecretDigest(Sha256::digest(self.0).into())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_survives_text_and_is_never_printed() {
        let secret = Secret::new([7; BYTES]);
        assert_eq!(secret.expose().len(), 43);
        assert_eq!(Secret::parse(&secret.expose()), Ok(secret.clone()));
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        assert_ne!(secret.digest().0, secret.0);
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        let good = Secret::new([7; BYTES]).expose();
        for text in [String::new(), good[1..].into(), format!("{good}A"), format!("{good}="), "é".repeat(21)] {
            assert_eq!(Secret::parse(&text), Err(Malformed), "{text}");
        }
    }
}

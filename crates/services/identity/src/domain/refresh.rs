//! Refresh tokens: how they are made and written. When one counts stands in `session`.
//!
//! A token names its session and its place in the session's chain, and carries a MAC over both, the session's salt and a
//! key that only identity has. So the successor of a token can be made again when its reply was lost, and any older token
//! of a chain is told from an invented one, while the database keeps nothing but two digests.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};
use shop_types::SessionId;
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// Bytes of a salt, a MAC and a digest.
pub(crate) const BYTES: usize = 32;
const ID_BYTES: usize = 16;
const COUNTER_BYTES: usize = 4;
const TOKEN_BYTES: usize = ID_BYTES + COUNTER_BYTES + BYTES;
/// Bytes that SHA-256 works on at once, which HMAC fills its key up to.
const BLOCK_BYTES: usize = 64;

/// The key of all refresh tokens, made from the signing key. After a new signing key the tokens that are out there still
/// count once, by their digests; the chain goes on with the new key.
#[derive(Clone)]
pub(crate) struct RefreshKey([u8; BLOCK_BYTES]);

/// What a holder shows to go on with a session. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RefreshToken {
    pub(crate) session: SessionId,
    pub(crate) counter: u32,
    mac: [u8; BYTES],
}

/// What the database keeps of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digest(pub(crate) [u8; BYTES]);

/// A text is not a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a refresh token")]
pub(crate) struct Malformed;

impl RefreshKey {
    /// Makes the key from the text of the signing key.
    pub(crate) fn derive(signing_key_pem: &str) -> Self {
        let seed = Self::from_bytes(Sha256::digest(signing_key_pem.trim()).into());
        Self::from_bytes(seed.mac(&[b"shopmesh refresh tokens, version 1"]))
    }

    fn from_bytes(bytes: [u8; BYTES]) -> Self {
        let mut block = [0; BLOCK_BYTES];
        block[..BYTES].copy_from_slice(&bytes);
        Self(block)
    }

    fn mac(&self, parts: &[&[u8]]) -> [u8; BYTES] {
        let mut mac = Hmac::<Sha256>::new(&self.0.into());
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl RefreshToken {
    /// Makes the token at a place of a session's chain: the same one every time.
    pub(crate) fn derive(key: &RefreshKey, salt: &[u8; BYTES], session: SessionId, counter: u32) -> Self {
        // All parts have a fixed length, so that no two inputs read the same.
        let mac = key.mac(&[salt, session.as_uuid().as_bytes(), &counter.to_be_bytes()]);
        Self { session, counter, mac }
    }

    /// Reads a token as its holder sent it.
    ///
    /// # Errors
    /// [`Malformed`] for any text that [`Self::expose`] does not give.
    pub(crate) fn parse(text: &str) -> Result<Self, Malformed> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Malformed)?;
        let bytes = <[u8; TOKEN_BYTES]>::try_from(bytes).map_err(|_| Malformed)?;
        let (id, rest) = bytes.split_first_chunk::<ID_BYTES>().ok_or(Malformed)?;
        let (counter, rest) = rest.split_first_chunk::<COUNTER_BYTES>().ok_or(Malformed)?;
        let (mac, _) = rest.split_first_chunk::<BYTES>().ok_or(Malformed)?;
        let session = SessionId::from_uuid(Uuid::from_bytes(*id));
        Ok(Self { session, counter: u32::from_be_bytes(*counter), mac: *mac })
    }

    /// The token as text, for its holder alone: 70 characters of URL-safe base64.
    pub(crate) fn expose(&self) -> String {
        let mut bytes = Vec::with_capacity(TOKEN_BYTES);
        bytes.extend_from_slice(self.session.as_uuid().as_bytes());
        bytes.extend_from_slice(&self.counter.to_be_bytes());
        bytes.extend_from_slice(&self.mac);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What the database keeps of it. The MAC has 256 bits that nobody can guess, so no salt and no slow hash is needed.
    pub(crate) fn digest(&self) -> Digest {
        Digest(Sha256::digest(self.mac).into())
    }

    /// Whether two tokens have the same MAC, in constant time.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.mac.ct_eq(&other.mac).into()
    }
}

impl Digest {
    /// Whether it is the digest of this token, in constant time.
    pub(crate) fn is_of(&self, token: &RefreshToken) -> bool {
        self.0.ct_eq(&token.digest().0).into()
    }
}

impl std::fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RefreshToken")
            .field("session", &self.session)
            .field("counter", &self.counter)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(counter: u32) -> RefreshToken {
        let session = SessionId::from_uuid(Uuid::from_u128(7));
        RefreshToken::derive(&RefreshKey::derive("pem"), &[1; BYTES], session, counter)
    }

    #[test]
    fn a_token_survives_text() {
        let text = token(3).expose();
        assert_eq!(text.len(), 70);
        assert_eq!(RefreshToken::parse(&text), Ok(token(3)));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let good = token(3).expose();
        let texts =
            [String::new(), "x".into(), good[1..].into(), format!("{good}A"), format!("{good}="), "é".repeat(35)];
        for text in texts {
            assert_eq!(RefreshToken::parse(&text), Err(Malformed), "{text}");
        }
    }

    #[test]
    fn tokens_differ_by_key_salt_session_and_place() {
        let session = SessionId::from_uuid(Uuid::from_u128(7));
        let other = SessionId::from_uuid(Uuid::from_u128(8));
        let key = RefreshKey::derive("pem");
        let base = RefreshToken::derive(&key, &[1; BYTES], session, 3);
        for different in [
            RefreshToken::derive(&RefreshKey::derive("other"), &[1; BYTES], session, 3),
            RefreshToken::derive(&key, &[2; BYTES], session, 3),
            RefreshToken::derive(&key, &[1; BYTES], other, 3),
            RefreshToken::derive(&key, &[1; BYTES], session, 4),
        ] {
            assert!(!base.is_same(&different));
            assert!(!base.digest().is_of(&different));
        }
        assert!(base.digest().is_of(&base));
    }

    #[test]
    fn a_token_is_never_printed() {
        let printed = format!("{:?}", token(3));
        assert!(printed.contains("00000007") && printed.len() < 100, "{printed}");
    }
}

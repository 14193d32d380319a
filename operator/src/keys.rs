//! Secrets that the operator makes: the key that signs access tokens, and passwords. Each is made once and then kept.
//!
//! What does not belong here: where they are stored (`build`), and whether they are there already (`observe`).

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{KeyPair, PKCS_ED25519};
use serde_json::json;
use sha2::{Digest, Sha256};
use shop_config::Secret;

use crate::error::Error;

/// Makes an Ed25519 key, as PKCS #8 PEM.
///
/// # Errors
/// [`Error::Internal`] when the system gives no random bytes.
pub fn signing_key() -> Result<Secret, Error> {
    let key = KeyPair::generate_for(&PKCS_ED25519).map_err(Error::internal("make a signing key"))?;
    Ok(Secret::new(key.serialize_pem()))
}

/// The public half of a signing key as a JWKS document (RFC 7517, RFC 8037); the key id is its thumbprint (RFC 7638).
/// `None` if the text is no Ed25519 key.
#[must_use]
pub fn key_set(signing_key: &Secret) -> Option<String> {
    let key = KeyPair::from_pkcs8_pem_and_sign_algo(signing_key.expose(), &PKCS_ED25519).ok()?;
    let x = URL_SAFE_NO_PAD.encode(key.public_key_raw());
    // RFC 7638: the required members in alphabetical order, without white space.
    let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    let kid = URL_SAFE_NO_PAD.encode(Sha256::digest(members));
    let keys = json!([{ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "alg": "EdDSA", "use": "sig" }]);
    Some(json!({ "keys": keys }).to_string())
}

/// A key that is no secret, for manifests that are only shown: its seed is all zeros.
#[must_use]
pub fn placeholder() -> Secret {
    // PKCS #8 of an Ed25519 seed (RFC 8410, section 7).
    const HEAD: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let mut der = [0_u8; 48];
    der[..HEAD.len()].copy_from_slice(&HEAD);
    let kind = "PRIVATE KEY";
    Secret::new(format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", STANDARD.encode(der)))
}

/// Makes a password of 43 letters, digits, `-` and `_`: 256 random bits.
///
/// # Errors
/// [`Error::Internal`] when the system gives no random bytes.
pub fn password() -> Result<Secret, Error> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(Error::internal("make a password"))?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
}

/// A random number, if the system gives one.
#[must_use]
pub fn random_u32() -> Option<u32> {
    getrandom::u32().ok()
}

/// A digest of texts, for annotations: salted, so that whoever may read annotations cannot try out weak passwords.
#[must_use]
pub fn digest<'a>(salt: &'a str, texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for text in std::iter::once(salt).chain(texts) {
        hash.update(text.len().to_be_bytes());
        hash.update(text);
    }
    hex(&hash.finalize()[..8])
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_id_is_the_thumbprint_of_rfc_8037() {
        // Appendix A.3 of RFC 8037.
        let members = r#"{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        assert_eq!(URL_SAFE_NO_PAD.encode(Sha256::digest(members)), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn the_key_set_holds_the_public_half_alone_and_never_changes_for_one_key() {
        let key = signing_key().unwrap();
        let set = key_set(&key).unwrap();
        assert_eq!(key_set(&key), Some(set.clone()));
        let document: serde_json::Value = serde_json::from_str(&set).unwrap();
        assert_eq!(document["keys"][0]["alg"], "EdDSA");
        assert_eq!(document["keys"][0]["d"], serde_json::Value::Null);
        assert_ne!(key_set(&signing_key().unwrap()), Some(set));
    }

    #[test]
    fn the_placeholder_is_the_key_of_the_zero_seed() {
        let set = key_set(&placeholder()).unwrap();
        assert!(set.contains("O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik"), "{set}");
    }

    #[test]
    fn what_is_no_key_gives_no_key_set() {
        assert_eq!(key_set(&Secret::new("")), None);
        assert_eq!(key_set(&Secret::new("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")), None);
    }

    #[test]
    fn passwords_differ_and_need_no_escaping_in_a_url() {
        let (one, two) = (password().unwrap(), password().unwrap());
        assert!(one != two && one.expose().len() == 43);
        assert!(one.expose().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    }

    #[test]
    fn a_digest_tells_texts_apart_that_join_alike() {
        assert_ne!(digest("s", ["ab", "c"]), digest("s", ["a", "bc"]));
        assert_ne!(digest("s", ["ab"]), digest("t", ["ab"]));
    }
}

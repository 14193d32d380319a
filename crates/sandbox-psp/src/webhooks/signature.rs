//! How webhooks are signed: `Sandbox-Signature: t=<unix seconds>,v1=<hex of HMAC-SHA-256 of "t.body">`.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The header.
pub const HEADER: &str = "Sandbox-Signature";

/// The header's value for a body that is sent at a time.
///
/// # Errors
/// Never: HMAC takes keys of any length.
pub fn header(secret: &[u8], unix_seconds: i64, body: &[u8]) -> anyhow::Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret)?;
    mac.update(unix_seconds.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    let mut text = format!("t={unix_seconds},v1=");
    for byte in mac.finalize().into_bytes() {
        write!(text, "{byte:02x}")?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_covers_time_and_body_and_needs_the_secret() {
        // From `printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac key`.
        let known = "t=1700000000,v1=a438e398bfafc57e4396bb7fc2304422f0f768e965d073ca313cb52e22e6ad03";
        assert_eq!(header(b"key", 1_700_000_000, br#"{"a":1}"#).unwrap(), known);
        for other in [
            header(b"key2", 1_700_000_000, br#"{"a":1}"#),
            header(b"key", 1_700_000_001, br#"{"a":1}"#),
            header(b"key", 1_700_000_000, br#"{"a":2}"#),
        ] {
            assert_ne!(other.unwrap().split_once(",v1=").unwrap().1, known.split_once(",v1=").unwrap().1);
        }
    }
}

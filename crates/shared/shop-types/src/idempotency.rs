//! Idempotency keys and request fingerprints (draft-ietf-httpapi-idempotency-key-header; orders 1.5).

use serde_json::Value;
use sha2::{Digest, Sha256};

/// A client's name for one intent: 1 to 255 visible ASCII characters, sent quoted or bare.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

/// A key has the wrong shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 255 visible ASCII characters")]
pub struct MalformedKey;

impl IdempotencyKey {
    /// Takes the header's value, with or without the double quotes of a structured field.
    ///
    /// # Errors
    /// [`MalformedKey`] when it is empty, longer than 255 characters or holds anything but visible ASCII.
    pub fn parse(header: &str) -> Result<Self, MalformedKey> {
        let bare = header.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(header);
        let good = (1..=255).contains(&bare.len()) && bare.bytes().all(|b| (0x20..0x7f).contains(&b) && b != b'"');
        if good { Ok(Self(bare.to_owned())) } else { Err(MalformedKey) }
    }

    /// The bare key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// SHA-256 of what was asked, so that one key cannot be used for two different requests.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Hashes method, route template and the body in canonical form: object keys sorted, no white space.
    #[must_use]
    pub fn of(method: &str, route: &str, body: &Value) -> Self {
        let mut hash = Sha256::new();
        for part in [method, route] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        let mut text = String::new();
        write_canonical(body, &mut text);
        hash.update(text.as_bytes());
        Self(hex(&hash.finalize()))
    }

    /// Takes back what [`Self::as_str`] gave, from our own store.
    #[must_use]
    pub fn from_stored(hex: String) -> Self {
        Self(hex)
    }

    /// 64 lower-case hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Lower-case hexadecimal of some bytes.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]).map(char::from).collect()
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (n, (key, value)) in keys.into_iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write_canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => out.push_str(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn quoted_and_bare_keys_are_the_same_key() {
        assert_eq!(IdempotencyKey::parse("\"abc\""), IdempotencyKey::parse("abc"));
    }

    #[test]
    fn keys_are_1_to_255_visible_characters() {
        assert!(IdempotencyKey::parse("").is_err());
        assert!(IdempotencyKey::parse("\"\"").is_err());
        assert!(IdempotencyKey::parse(&"k".repeat(255)).is_ok());
        assert!(IdempotencyKey::parse(&"k".repeat(256)).is_err());
        assert!(IdempotencyKey::parse("a\u{7f}").is_err());
        assert!(IdempotencyKey::parse("ä").is_err());
    }

    #[test]
    fn fingerprints_ignore_the_order_of_fields_and_nothing_else() {
        let one = Fingerprint::of("POST", "/orders", &json!({"a": 1, "b": [1, {"c": 2, "d": 3}]}));
        let two = Fingerprint::of("POST", "/orders", &json!({"b": [1, {"d": 3, "c": 2}], "a": 1}));
        assert_eq!(one, two);
        assert_ne!(one, Fingerprint::of("POST", "/orders", &json!({"a": 2, "b": [1, {"c": 2, "d": 3}]})));
        assert_ne!(one, Fingerprint::of("PUT", "/orders", &json!({"a": 1, "b": [1, {"c": 2, "d": 3}]})));
    }
}

//! The JSON Web Key Set (RFC 7517) of Ed25519 public keys (RFC 8037): reading the mounted file, and writing it.

use std::collections::HashMap;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::Error;

/// Bytes of an Ed25519 public key.
const PUBLIC_KEY_BYTES: usize = 32;

/// The keys that tokens may be signed with, and the text that they were read from.
pub(crate) struct KeySet {
    text: Vec<u8>,
    keys: HashMap<String, DecodingKey>,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Map<String, Value>>,
}

impl KeySet {
    pub(crate) async fn read(file: &Path) -> Result<Vec<u8>, Error> {
        tokio::fs::read(file).await.map_err(|source| Error::Read { file: file.to_owned(), source })
    }

    pub(crate) fn parse(text: Vec<u8>, file: &Path) -> Result<Self, Error> {
        let document: Document =
            serde_json::from_slice(&text).map_err(|source| Error::NotAKeySet { file: file.to_owned(), source })?;
        let mut keys = HashMap::new();
        for (index, jwk) in document.keys.iter().enumerate() {
            let wrong = |rule| Error::Key { file: file.to_owned(), number: index + 1, rule };
            if let Some((kid, key)) = ed25519(jwk).map_err(wrong)?
                && keys.insert(kid, key).is_some()
            {
                return Err(wrong("has the key id of another one"));
            }
        }
        if keys.is_empty() {
            return Err(Error::Empty { file: file.to_owned() });
        }
        Ok(Self { text, keys })
    }

    pub(crate) fn is_read_from(&self, text: &[u8]) -> bool {
        self.text == text
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn get(&self, kid: &str) -> Option<&DecodingKey> {
        self.keys.get(kid)
    }
}

/// One key of the set; `None` for a kind that is not ours, which RFC 7517 section 5 tells readers to pass over.
fn ed25519(jwk: &Map<String, Value>) -> Result<Option<(String, DecodingKey)>, &'static str> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    if jwk.contains_key("d") {
        return Err("is a private key; only public keys may be mounted here");
    }
    if (text("kty"), text("crv")) != (Some("OKP"), Some("Ed25519")) {
        return Ok(None);
    }
    if text("use").is_some_and(|usage| usage != "sig") {
        return Ok(None);
    }
    let kid = text("kid").filter(|kid| !kid.is_empty()).ok_or("has no key id (kid)")?;
    let raw = text("x").and_then(|x| URL_SAFE_NO_PAD.decode(x).ok()).ok_or("has no public key (x) in base64url")?;
    if raw.len() != PUBLIC_KEY_BYTES {
        return Err("must be 32 bytes long");
    }
    Ok(Some((kid.to_owned(), DecodingKey::from_ed_der(&raw))))
}

/// The public JWK of an Ed25519 key; its key id is the thumbprint of RFC 7638.
#[must_use]
pub fn jwk_from_public(raw: &[u8; PUBLIC_KEY_BYTES]) -> Value {
    let x = URL_SAFE_NO_PAD.encode(raw);
    json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": thumbprint(&x), "use": "sig", "alg": crate::claims::ALGORITHM })
}

/// RFC 7638: the SHA-256 of the required members in lexical order, without white space.
pub(crate) fn thumbprint(x: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)))
}

/// The text of a key set file.
#[must_use]
pub fn key_set_json(jwks: &[Value]) -> String {
    json!({ "keys": jwks }).to_string()
}

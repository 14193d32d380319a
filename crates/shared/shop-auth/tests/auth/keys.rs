//! A key pair with its mounted key set, and what a good token of it says. Fixed time and ids.

use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};
use shop_auth::{Signer, key_set_json};
use shop_config::AuthConfig;
use shop_types::{Role, SessionId, UserId};
use tempfile::TempDir;
use uuid::Uuid;

pub(crate) struct Keys {
    pub(crate) auth: AuthConfig,
    pub(crate) signer: Signer,
    pem: String,
    directory: TempDir,
}

pub(crate) fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

pub(crate) fn user() -> UserId {
    UserId::from_uuid(Uuid::from_u128(1))
}

pub(crate) fn session() -> SessionId {
    SessionId::from_uuid(Uuid::from_u128(2))
}

impl Keys {
    /// A fresh key pair whose public key is mounted.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let auth = AuthConfig {
            key_set_file: directory.path().join("jwks.json"),
            issuer: "shopmesh".into(),
            audience: "shopmesh".into(),
        };
        let pem = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap().serialize_pem();
        let signer = Signer::from_pem(&pem, &auth).unwrap();
        let keys = Self { auth, signer, pem, directory };
        keys.mount(&key_set_json(&[keys.signer.jwk()]));
        keys
    }

    /// Replaces the key set at once, as a kubelet does.
    pub(crate) fn mount(&self, text: &str) {
        let next = self.directory.path().join("next");
        std::fs::write(&next, text).unwrap();
        std::fs::rename(next, &self.auth.key_set_file).unwrap();
    }

    /// A good token of 600 s.
    pub(crate) fn token(&self, now: Timestamp) -> String {
        let ttl = Duration::from_secs(600);
        self.signer.sign(user(), session(), Role::Staff, now, ttl, Uuid::from_u128(3)).unwrap()
    }

    /// The header of a good token.
    pub(crate) fn header(&self) -> Value {
        json!({ "typ": "at+jwt", "alg": "EdDSA", "kid": self.signer.kid() })
    }

    /// The claims of a good token of 600 s.
    pub(crate) fn claims(&self) -> Value {
        json!({
            "iss": self.auth.issuer, "aud": self.auth.audience, "sub": user(), "sid": session(), "role": "staff",
            "iat": now().as_second(), "exp": now().as_second() + 600, "jti": Uuid::from_u128(3),
        })
    }

    /// The signature of this key over a text.
    pub(crate) fn signature(&self, message: &str) -> String {
        let key = EncodingKey::from_ed_pem(self.pem.as_bytes()).unwrap();
        jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::EdDSA).unwrap()
    }
}

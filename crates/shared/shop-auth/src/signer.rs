//! Makes access tokens. Only identity holds the private key and uses this.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use jsonwebtoken::jwk::EllipticCurve;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::Value;
use shop_config::AuthConfig;
use shop_types::{Role, SessionId, UserId};
use uuid::Uuid;

use crate::claims::{ALGORITHM, Header, TYPE, encode};
use crate::key_set::{jwk_from_public, thumbprint};
use crate::{Claims, Error};

/// A private key with the issuer and audience that it signs for.
pub struct Signer {
    key: EncodingKey,
    public: [u8; 32],
    kid: String,
    issuer: String,
    audience: String,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl Signer {
    /// Takes an Ed25519 private key, PKCS #8 in PEM.
    ///
    /// # Errors
    /// [`Error::SigningKey`] for any other text; it never shows the text.
    pub fn from_pem(pem: &str, auth: &AuthConfig) -> Result<Self, Error> {
        let key = EncodingKey::from_ed_pem(pem.as_bytes()).map_err(Error::SigningKey)?;
        let public =
            (DEFAULT_PROVIDER.key_utils.ed_pub_components_from_private_key)(key.as_bytes(), &EllipticCurve::Ed25519)
                .map_err(Error::SigningKey)?;
        let public = <[u8; 32]>::try_from(public)
            .map_err(|_| Error::SigningKey(jsonwebtoken::errors::ErrorKind::InvalidEddsaKey.into()))?;
        let kid = thumbprint(&URL_SAFE_NO_PAD.encode(public));
        Ok(Self { key, public, kid, issuer: auth.issuer.clone(), audience: auth.audience.clone() })
    }

    /// Makes a token that names a user for `ttl` from `now`.
    ///
    /// # Errors
    /// [`Error::Claims`] when the expiry is beyond the calendar, [`Error::Sign`] when the key refuses.
    pub fn sign(
        &self,
        user: UserId,
        session: SessionId,
        role: Role,
        now: Timestamp,
        ttl: Duration,
        jti: Uuid,
    ) -> Result<String, Error> {
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: user,
            sid: session,
            role,
            iat: now,
            exp: now.checked_add(ttl).map_err(|error| Error::Claims(error.into()))?,
            nbf: None,
            jti,
        };
        let header = Header { typ: TYPE.to_owned(), alg: ALGORITHM.to_owned(), kid: self.kid.clone() };
        let header = encode(&header).map_err(|error| Error::Claims(error.into()))?;
        let payload = encode(&claims).map_err(|error| Error::Claims(error.into()))?;
        let message = format!("{header}.{payload}");
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &self.key, Algorithm::EdDSA).map_err(Error::Sign)?;
        Ok(format!("{message}.{signature}"))
    }

    /// The public key, for the key set.
    #[must_use]
    pub fn jwk(&self) -> Value {
        jwk_from_public(&self.public)
    }

    /// The key id: the thumbprint of RFC 7638.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }
}

//! What stands in a token: its header and claims, and how the three parts are told apart. No keys here.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use shop_types::{Role, SessionId, UserId};
use uuid::Uuid;

use crate::Refusal;

/// The media type of access tokens (RFC 9068), so that no other kind of token passes for one.
pub(crate) const TYPE: &str = "at+jwt";
/// The JWS name of Ed25519 signatures (RFC 8037).
pub(crate) const ALGORITHM: &str = "EdDSA";
/// Longer texts are not tokens of ours (about 600 bytes) and are not worth decoding.
const MAX_BYTES: usize = 4096;

/// The claims of an access token. Times are whole seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who made it.
    pub iss: String,
    /// For whom it was made.
    pub aud: String,
    /// Whom it names.
    pub sub: UserId,
    /// The session that it belongs to.
    pub sid: SessionId,
    /// What they may do.
    pub role: Role,
    /// When it was made.
    #[serde(with = "jiff::fmt::serde::timestamp::second::required")]
    pub iat: Timestamp,
    /// When it ends.
    #[serde(with = "jiff::fmt::serde::timestamp::second::required")]
    pub exp: Timestamp,
    /// When it begins, if later than at once. We never set it, and honour it.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "jiff::fmt::serde::timestamp::second::optional")]
    pub nbf: Option<Timestamp>,
    /// Its own id.
    pub jti: Uuid,
}

/// The protected header. Unknown fields are refused: that is what keeps `jku`, `x5u`, `jwk` and `crit` out.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    pub(crate) typ: String,
    pub(crate) alg: String,
    pub(crate) kid: String,
}

/// A token in its parts; nothing is believed yet but the shape.
pub(crate) struct Parts<'a> {
    pub(crate) header: Header,
    /// What was signed: header and payload as sent.
    pub(crate) message: &'a [u8],
    pub(crate) payload: &'a str,
    pub(crate) signature: &'a str,
}

impl<'a> Parts<'a> {
    pub(crate) fn of(token: &'a str) -> Result<Self, Refusal> {
        if token.len() > MAX_BYTES {
            return Err(Refusal::Malformed);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(Refusal::Malformed)?;
        if payload.contains('.') {
            return Err(Refusal::Malformed);
        }
        let header: Header = decode(header)?;
        if header.typ != TYPE || header.alg != ALGORITHM {
            return Err(Refusal::Malformed);
        }
        Ok(Self { header, message: message.as_bytes(), payload, signature })
    }
}

/// Reads one part: JSON in URL-safe base64 without padding.
pub(crate) fn decode<T: DeserializeOwned>(part: &str) -> Result<T, Refusal> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| Refusal::Malformed)
}

/// Writes one part.
pub(crate) fn encode<T: Serialize>(part: &T) -> Result<String, serde_json::Error> {
    serde_json::to_vec(part).map(|json| URL_SAFE_NO_PAD.encode(json))
}

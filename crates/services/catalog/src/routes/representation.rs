//! A product, a category or a list as one client reads it: bytes with an entity tag, so that a cache may keep them and ask
//! whether they still hold.
//!
//! The tag is made of the bytes. Of things that have a version it also tells the version, and `If-Match` takes that alone:
//! stock that went down meanwhile does not stand in the way of a change of the name.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING, ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION};
use actix_web::{FromRequest, HttpRequest, HttpResponse, HttpResponseBuilder};
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use shop_http::extract::IfMatch;
use shop_http::{HttpError, packed};
use shop_redis::Bytes;
use shop_types::idempotency::hex;

/// Anybody may keep it, and asks each time whether it still holds.
const ASK_EACH_TIME: &str = "public, no-cache";
/// Bytes of the digest that stand in a tag.
const DIGEST: usize = 12;

/// Bytes in what is kept beside the tag and the two forms: the time, and the lengths of tag and plain form.
const KEPT_HEAD: usize = 13;

/// What is sent, and its tag.
pub(crate) struct Representation {
    bytes: Bytes,
    /// The same in gzip, of what is kept and long enough.
    packed: Option<Bytes>,
    tag: String,
}

impl Representation {
    /// Something that has a version.
    pub(super) fn of(version: i64, body: &impl Serialize) -> Result<Self, HttpError> {
        Self::tagged(&format!("{version}-"), body)
    }

    /// A list, which has none.
    pub(super) fn of_list(body: &impl Serialize) -> Result<Self, HttpError> {
        Self::tagged("", body)
    }

    fn tagged(prefix: &str, body: &impl Serialize) -> Result<Self, HttpError> {
        let bytes = Bytes::from(serde_json::to_vec(body).map_err(HttpError::internal)?);
        let digest = Sha256::digest(&bytes);
        let digest = hex(digest.get(..DIGEST).unwrap_or(&digest));
        Ok(Self { tag: format!("\"{prefix}{digest}\""), packed: None, bytes })
    }

    /// What is sent, as it is.
    pub(crate) const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The form that is kept: when it was made, its tag, its bytes as they are and in gzip.
    ///
    /// # Errors
    /// When it cannot be compressed.
    pub(super) fn keep(&self, made: Timestamp) -> Result<Bytes, HttpError> {
        let packed = packed::pack(&self.bytes).map_err(HttpError::internal)?.unwrap_or_default();
        let length = u32::try_from(self.bytes.len()).map_err(HttpError::internal)?;
        let mut kept = Vec::with_capacity(KEPT_HEAD + self.tag.len() + self.bytes.len() + packed.len());
        kept.extend_from_slice(&made.as_millisecond().to_be_bytes());
        // Tags of ours are shorter than 64 bytes.
        kept.push(u8::try_from(self.tag.len()).unwrap_or(u8::MAX));
        kept.extend_from_slice(self.tag.as_bytes());
        kept.extend_from_slice(&length.to_be_bytes());
        kept.extend_from_slice(&self.bytes);
        kept.extend_from_slice(&packed);
        Ok(kept.into())
    }

    /// What was kept, and when it was made; `None` for what [`Self::keep`] did not write.
    pub(super) fn kept(kept: &Bytes) -> Option<(Self, Timestamp)> {
        let (made, rest) = kept.split_first_chunk::<8>()?;
        let made = Timestamp::from_millisecond(i64::from_be_bytes(*made)).ok()?;
        let (length, rest) = rest.split_first()?;
        let (tag, rest) = rest.split_at_checked(usize::from(*length))?;
        let tag = std::str::from_utf8(tag).ok().filter(|tag| tag.starts_with('"') && tag.ends_with('"'))?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (bytes, packed) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        let packed = Some(kept.slice_ref(packed)).filter(|packed| !packed.is_empty());
        Some((Self { tag: tag.to_owned(), bytes: kept.slice_ref(bytes), packed }, made))
    }

    /// 200, or 304 when the caller has it already.
    pub(super) fn read(mut self, request: &HttpRequest) -> HttpResponse {
        let known = self.is_known_to(request);
        let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response.insert_header((CACHE_CONTROL, ASK_EACH_TIME));
        if known {
            return response.insert_header((ETAG, self.tag)).finish();
        }
        if let Some(packed) = self.packed.take().filter(|_| packed::is_wanted(request)) {
            self.bytes = packed;
            response.insert_header((CONTENT_ENCODING, "gzip"));
        }
        self.fill(response)
    }

    /// 200 after a change.
    pub(super) fn changed(self) -> HttpResponse {
        self.fill(HttpResponse::Ok())
    }

    /// 201.
    pub(super) fn created(self, location: &str) -> HttpResponse {
        let mut response = HttpResponse::Created();
        response.insert_header((LOCATION, location));
        self.fill(response)
    }

    fn fill(self, mut response: HttpResponseBuilder) -> HttpResponse {
        response.insert_header((ETAG, self.tag)).content_type("application/json").body(self.bytes)
    }

    /// Weak comparison, as RFC 9110 13.1.2 wants it.
    fn is_known_to(&self, request: &HttpRequest) -> bool {
        let sent = request.headers().get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
        let mut tags = sent.flat_map(|list| list.split(',')).map(str::trim);
        tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.tag)
    }
}

/// The version that the caller has read, from `If-Match`: a tag of [`Representation::of`], or the version alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReadVersion(pub(crate) i64);

impl FromRequest for ReadVersion {
    type Error = HttpError;
    type Future = Ready<Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let mut sent = request.headers().get_all(IF_MATCH);
        if let (Some(one), None) = (sent.next(), sent.next())
            && let Some(version) = one.to_str().ok().and_then(version_of)
        {
            return ready(Ok(Self(version)));
        }
        let plain = IfMatch::from_request(request, payload).into_inner();
        ready(plain.map(|version| Self(version.0)))
    }
}

/// The version in a tag of ours that also has a digest.
fn version_of(tag: &str) -> Option<i64> {
    let (version, digest) = tag.trim().strip_prefix('"')?.strip_suffix('"')?.split_once('-')?;
    let ours = digest.len() == 2 * DIGEST
        && digest.bytes().all(|b| b.is_ascii_hexdigit())
        && !version.is_empty()
        && version.bytes().all(|b| b.is_ascii_digit());
    if ours { version.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_tells_its_version() {
        let representation = Representation::of(7, &serde_json::json!({ "stock": 3 })).unwrap();
        assert_eq!(version_of(&representation.tag), Some(7));
        let other = Representation::of(7, &serde_json::json!({ "stock": 2 })).unwrap();
        assert_ne!(representation.tag, other.tag);
    }

    #[test]
    fn what_is_kept_is_what_is_sent() {
        let made = Timestamp::from_millisecond(1_700_000_000_123).unwrap();
        for (text, is_packed) in [("mug".to_owned(), false), ("mug ".repeat(1_000), true)] {
            let representation = Representation::of(7, &serde_json::json!({ "text": text })).unwrap();
            let kept = representation.keep(made).unwrap();
            let (again, when) = Representation::kept(&kept).unwrap();
            assert_eq!((again.tag, again.bytes, when), (representation.tag, representation.bytes, made));
            let packed = packed::pack(text.as_bytes()).unwrap();
            assert_eq!((again.packed.is_some(), packed.is_some()), (is_packed, is_packed));
            assert!(again.packed.is_none_or(|again| again.starts_with(&[0x1f, 0x8b])), "gzip begins so");
        }
    }

    #[test]
    fn what_was_kept_by_somebody_else_is_not_taken() {
        for foreign in
            [&b""[..], b"{\"id\":1}", b"\0\0\0\0\0\0\0\0", b"\0\0\0\0\0\0\0\0\xff\"x\"", b"\0\0\0\0\0\0\0\0\x01x"]
        {
            assert!(Representation::kept(&Bytes::from_static(foreign)).is_none(), "{foreign:?}");
        }
    }

    #[test]
    fn foreign_tags_tell_none() {
        let digest = "0".repeat(24);
        for tag in ["7", "\"7\"", "\"7-\"", "W/\"7-0\"", "*", &format!("\"-{digest}\""), &format!("\"+7-{digest}\"")] {
            assert_eq!(version_of(tag), None, "{tag}");
        }
    }
}

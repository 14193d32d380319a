//! Answers in gzip, for clients that take it: whole bodies and streams alike, from 1 KiB up. Those that a handler has packed
//! already (`packed`) are left as they are.
//!
//! A strong entity tag names bytes, and those of the two forms differ (RFC 9110, 8.8.3). So the tag of the compressed form
//! ends in `-gzip`, and loses that on its way in, before any handler compares it.

use actix_http::encoding::Encoder;
use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody as _};
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, ContentEncoding, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_MATCH, IF_NONE_MATCH, VARY,
};

use super::request::names;
use crate::packed::LEAST;

/// The end of the tags of compressed bodies.
const MARKED: &str = "-gzip\"";
const PLAIN: &str = "\"";

/// What a client said about compressed forms.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wish {
    is_accepted: bool,
    /// It has a compressed form already.
    has_form: bool,
}

impl Wish {
    /// Reads it, and takes the marks from the tags that the client sent.
    pub(super) fn of(headers: &mut HeaderMap) -> Self {
        let is_accepted = takes_gzip(headers);
        unmark(headers, &IF_MATCH);
        Self { is_accepted, has_form: unmark(headers, &IF_NONE_MATCH) }
    }
}

/// Whether a client takes compressed bodies.
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT_ENCODING).any(|value| names(value, "gzip"))
}

/// Compresses an answer if its client takes it and it is worth it.
pub(super) fn encode(mut response: ServiceResponse<BoxBody>, wish: Wish) -> ServiceResponse<BoxBody> {
    if response.status() == StatusCode::NOT_MODIFIED {
        if wish.has_form {
            mark(response.headers_mut());
        }
        // RFC 9110 15.4.5: as the 200 would.
        response.headers_mut().append(VARY, HeaderValue::from_static("accept-encoding"));
    }
    if !has_two_forms(response.response()) {
        return response;
    }
    let is_encoded = response.headers().contains_key(CONTENT_ENCODING);
    if is_encoded || wish.is_accepted {
        mark(response.headers_mut());
    }
    if is_encoded || !wish.is_accepted {
        response.headers_mut().append(VARY, HeaderValue::from_static("accept-encoding"));
        return response;
    }
    // The encoder writes Vary and Content-Encoding.
    response.map_body(|head, body| BoxBody::new(Encoder::response(ContentEncoding::Gzip, head, body)))
}

/// Whether there is a compressed form beside the plain one.
fn has_two_forms(response: &HttpResponse) -> bool {
    let status = response.status();
    if status == StatusCode::PARTIAL_CONTENT || status == StatusCode::NOT_MODIFIED {
        return false;
    }
    let is_long = match response.body().size() {
        BodySize::None => false,
        BodySize::Sized(bytes) => bytes >= LEAST as u64 || response.headers().contains_key(CONTENT_ENCODING),
        BodySize::Stream => true,
    };
    is_long && response.headers().get(CONTENT_TYPE).is_some_and(is_text)
}

/// Images and archives are compressed by themselves.
fn is_text(media: &HeaderValue) -> bool {
    let media = media.to_str().unwrap_or_default();
    let essence = media.split(';').next().unwrap_or_default().trim();
    essence.starts_with("text/")
        || essence.ends_with("+json")
        || essence.ends_with("+xml")
        || matches!(essence, "application/json" | "application/x-ndjson" | "application/javascript")
}

/// Marks a strong tag; a weak one says nothing about bytes.
fn mark(headers: &mut HeaderMap) {
    let marked = headers.get(ETAG).and_then(|tag| tag.to_str().ok()).and_then(|tag| {
        let open = tag.strip_suffix(PLAIN).filter(|_| tag.starts_with(PLAIN) && !tag.ends_with(MARKED))?;
        HeaderValue::try_from(format!("{open}{MARKED}")).ok()
    });
    if let Some(marked) = marked {
        headers.insert(ETAG, marked);
    }
}

/// Takes the marks from the tags of a condition; says whether there were any.
fn unmark(headers: &mut HeaderMap, name: &HeaderName) -> bool {
    let is_marked = |value: &HeaderValue| value.to_str().is_ok_and(|tags| tags.contains(MARKED));
    if !headers.get_all(name).any(is_marked) {
        return false;
    }
    let sent: Vec<HeaderValue> = headers.remove(name).collect();
    for value in sent {
        let plain = value.to_str().ok().map(|tags| tags.replace(MARKED, PLAIN));
        let plain = plain.and_then(|tags| HeaderValue::try_from(tags).ok());
        headers.append(name.clone(), plain.unwrap_or(value));
    }
    true
}

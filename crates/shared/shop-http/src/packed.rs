//! Bodies that are sent many times: compressed once, when they are made, and not for each client.

use std::io::{self, Write as _};

use actix_web::HttpRequest;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::guard;

/// Below so many bytes the compressed form is hardly shorter.
pub(crate) const LEAST: usize = 1_024;

/// The body in gzip; `None` for one that is sent as it is to everybody.
///
/// # Errors
/// When it cannot be compressed.
pub fn pack(plain: &[u8]) -> io::Result<Option<Bytes>> {
    if plain.len() < LEAST {
        return Ok(None);
    }
    let mut packed = GzEncoder::new(Vec::with_capacity(plain.len() / 2), Compression::default());
    packed.write_all(plain)?;
    packed.finish().map(|packed| Some(packed.into()))
}

/// Whether the client takes a body in gzip. One that does is sent it with `Content-Encoding: gzip`; the guard writes the
/// headers that belong to that.
#[must_use]
pub fn is_wanted(request: &HttpRequest) -> bool {
    guard::takes_gzip(request.headers())
}

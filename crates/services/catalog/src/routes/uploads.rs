//! Bodies that are files: what their headers say of them, and what is left of those that are refused.

use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderName};
use actix_web::web::Payload;
use futures::StreamExt as _;

/// Bytes of a refused body that are still read.
const MOST_DRAINED: usize = 64 * 1024 * 1024;

/// A header, empty when it is not text.
pub(super) fn header(request: &HttpRequest, name: HeaderName) -> Option<&str> {
    request.headers().get(name).map(|value| value.to_str().unwrap_or_default())
}

/// Whether the body is announced to be larger than `most` bytes.
pub(super) fn is_announced_beyond(request: &HttpRequest, most: u64) -> bool {
    let announced = header(request, CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    announced.is_some_and(|length| length > most)
}

/// Whether the body is sent as it is.
pub(super) fn is_plain(request: &HttpRequest) -> bool {
    header(request, CONTENT_ENCODING).is_none_or(|coding| coding.eq_ignore_ascii_case("identity"))
}

/// Reads what is left of a body that is refused: a client that is cut off while it sends does not hear why.
pub(super) async fn drain(payload: &mut Payload) {
    let mut drained = 0;
    while let Some(Ok(bytes)) = payload.next().await {
        drained += bytes.len();
        if drained > MOST_DRAINED {
            return;
        }
    }
}

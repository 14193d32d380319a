//! Answers to reads that are kept ready: `X-Cache` says whether this one was, `Age` for how many seconds.

use actix_web::http::header::{AGE, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use shop_http::HttpError;
use shop_redis::Hit;

use super::representation::Representation;
use crate::app::{App, Reading};

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// A reading: what is sent, when it was made, and where it was found.
pub(crate) struct Found {
    pub(crate) representation: Representation,
    made: Timestamp,
    hit: Hit,
}

impl Found {
    /// Whether it was made for an earlier request.
    pub(crate) const fn is_kept(&self) -> bool {
        match self.hit {
            Hit::Process | Hit::Redis => true,
            Hit::Miss => false,
        }
    }
}

/// Finds a reading among what is kept, or else makes it by `load`.
pub(super) async fn find(
    app: &App,
    reading: Reading<'_>,
    load: impl AsyncFn() -> Result<Representation, HttpError>,
) -> Result<Found, HttpError> {
    let (bytes, hit) = app.kept(reading, async || load().await?.keep(app.now())).await?;
    Ok(match Representation::kept(&bytes) {
        Some((representation, made)) => Found { representation, made, hit },
        // What was kept is none of ours: another version of this program may have written it.
        None => Found { representation: load().await?, made: app.now(), hit: Hit::Miss },
    })
}

/// Answers with what was found.
pub(super) fn answer(app: &App, request: &HttpRequest, found: Found) -> HttpResponse {
    let Found { representation, made, hit } = found;
    let age = app.now().duration_since(made).as_secs().max(0);
    let cache = match hit {
        Hit::Process | Hit::Redis => "HIT",
        Hit::Miss => "MISS",
    };
    let mut response = representation.read(request);
    response.headers_mut().insert(X_CACHE, HeaderValue::from_static(cache));
    response.headers_mut().insert(AGE, HeaderValue::from(age));
    response
}

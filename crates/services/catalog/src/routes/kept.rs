//! Answers to reads that are kept ready: `X-Cache` says whether this one was, `Age` for how many seconds.

use actix_web::http::header::{AGE, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use shop_http::HttpError;
use shop_redis::Hit;

use super::representation::Representation;
use crate::app::{App, Reading};

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// Answers a reading, from what is kept or else from `load`.
pub(super) async fn answer(
    app: &App,
    request: &HttpRequest,
    reading: Reading<'_>,
    load: impl AsyncFn() -> Result<Representation, HttpError>,
) -> Result<HttpResponse, HttpError> {
    let (bytes, hit) = app.kept(reading, async || Ok::<_, HttpError>(load().await?.keep(app.now()))).await?;
    let (representation, made, hit) = match Representation::kept(&bytes) {
        Some((representation, made)) => (representation, made, hit),
        // What was kept is none of ours: another version of this program may have written it.
        None => (load().await?, app.now(), Hit::Miss),
    };
    let age = app.now().duration_since(made).as_secs().max(0);
    let cache = match hit {
        Hit::Process | Hit::Redis => "HIT",
        Hit::Miss => "MISS",
    };
    let mut response = representation.read(request);
    response.headers_mut().insert(X_CACHE, HeaderValue::from_static(cache));
    response.headers_mut().insert(AGE, HeaderValue::from(age));
    Ok(response)
}

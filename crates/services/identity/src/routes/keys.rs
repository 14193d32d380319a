//! The public keys of access tokens.

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use shop_http::{HttpError, reply};

use crate::app::App;

/// Publishes the keys that access tokens are signed with, for verifiers outside of the shop (RFC 7517). Services of the
/// shop take theirs from a mounted file.
#[utoipa::path(tag = "identity", responses((status = 200, description = "A JSON Web Key Set", body = serde_json::Value)))]
#[get("/.well-known/jwks.json")]
pub(crate) async fn key_set(app: Data<App>) -> Result<HttpResponse, HttpError> {
    let keys = app.key_set().await.map_err(HttpError::internal)?;
    let mut response = reply::ok(&keys);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    Ok(response)
}

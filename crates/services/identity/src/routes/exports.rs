//! A copy of what is kept of oneself.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_DISPOSITION, HeaderValue, LOCATION};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse, get, post};
use futures::TryStreamExt as _;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use shop_http::extract::path_parameter;
use shop_http::{ErrorBody, HttpError, LoggedIn, MaybeKey, NoBody, fingerprint, reply};
use shop_mongo::Claim;
use shop_types::caller::Subject;
use utoipa::ToSchema;

use super::said_before;
use crate::app::{App, Error};
use crate::domain::export::{Export, ExportId, ExportState};

/// An export on its way.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExportBody {
    #[schema(value_type = String)]
    id: ExportId,
    /// running, done or failed.
    status: &'static str,
    /// The service that is asked now, or was last.
    service: &'static str,
    /// How many records were copied so far.
    records: u32,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<&Export> for ExportBody {
    fn from(export: &Export) -> Self {
        let Export { id, state, keeper, records, created_at, .. } = export;
        Self { id: *id, status: state.word(), service: keeper.word(), records: *records, created_at: *created_at }
    }
}

/// Asks for a copy of what all services keep of oneself. While one is on its way it is that one; an earlier one that is done
/// is replaced.
#[utoipa::path(tag = "identity", params(("Idempotency-Key" = Option<String>, Header)), responses(
    (status = 202, description = "It is on its way: ask at Location", body = ExportBody),
    (status = 401, description = "No token, or one that does not hold", body = ErrorBody),
    (status = 404, description = "The account is gone, or the export of this key was replaced", body = ErrorBody),
    (status = 422, description = "The key was used for another request", body = ErrorBody),
))]
#[post("/api/v1/me/export")]
pub(crate) async fn begin_export(
    app: Data<App>,
    LoggedIn(user, ..): LoggedIn,
    MaybeKey(key): MaybeKey,
    request: HttpRequest,
    _: NoBody,
) -> Result<HttpResponse, HttpError> {
    let fingerprint = fingerprint(&request, &Value::Null);
    let claim = key.map(|key| Claim::new(Subject::User(user), "begin_export", &key, fingerprint));
    let (export, replayed) = app.begin_export(user, claim).await?;
    let mut response = reply::with_status(StatusCode::ACCEPTED, None, &ExportBody::from(&export));
    let location = HeaderValue::try_from(format!("/api/v1/me/export/{}", export.id)).map_err(HttpError::internal)?;
    response.headers_mut().insert(LOCATION, location);
    Ok(if replayed { said_before(response) } else { response })
}

/// Reads a copy of what all services keep of oneself: one JSON object for each line. It is kept for a week.
#[utoipa::path(tag = "identity", params(("job" = String, Path)), responses(
    (status = 200, description = "The copy: lines of {service, kind, data}", body = String, content_type = "application/x-ndjson"),
    (status = 202, description = "It is still on its way", body = ExportBody),
    (status = 401, description = "No token, or one that does not hold", body = ErrorBody),
    (status = 404, description = "No such export, or not yours", body = ErrorBody),
    (status = 410, description = "It could not be finished in time", body = ErrorBody),
))]
#[get("/api/v1/me/export/{job}")]
pub(crate) async fn get_export(
    app: Data<App>,
    LoggedIn(user, ..): LoggedIn,
    request: HttpRequest,
) -> Result<HttpResponse, HttpError> {
    let id: ExportId = path_parameter(&request, "job")?;
    let export = app.export(user, id).await?;
    match export.state {
        ExportState::Running => Ok(reply::with_status(StatusCode::ACCEPTED, None, &ExportBody::from(&export))),
        ExportState::Failed => Err(Error::ExportFailed.into()),
        ExportState::Done => {
            let text = app.into_inner().archive(&export).map_ok(Bytes::from);
            Ok(HttpResponse::Ok()
                .content_type("application/x-ndjson")
                .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"export.ndjson\""))
                .streaming(text))
        }
    }
}

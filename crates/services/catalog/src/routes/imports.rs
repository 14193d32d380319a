//! Imports and exports of products over HTTP.

use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue, LOCATION};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, get, post};
use futures::{StreamExt as _, TryStreamExt as _};
use serde::Deserialize;
use serde_json::json;
use shop_http::extract::{LoggedIn, MaybeKey, PathId};
use shop_http::{ErrorBody, HttpError, Query, reply};
use shop_mongo::Claim;
use shop_types::caller::Subject;
use shop_types::id::ImportKind;
use utoipa::IntoParams;

use super::body::ImportBody;
use super::uploads::{drain, header, is_announced_beyond, is_plain};
use crate::app::{App, Error, Upload};
use crate::domain::import::Format;
use crate::domain::import::job::MAX_BYTES;

const CSV: &str = "text/csv";
const NDJSON: &str = "application/x-ndjson";

/// How an import is to be done.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportQuery {
    /// Whether to say only what would become of the rows: each is compared with the products as they are, and with the rows
    /// before it in its batch. A batch ends with its 100th row, and before that with 1,000 variants or 1 MiB: what rows of
    /// earlier batches would make or change is not known to later ones, though an import would have written it.
    #[serde(default)]
    #[param(default = false, required = false)]
    dry_run: bool,
}

/// Imports products in the background, from CSV or from NDJSON of the same fields, at most 16 MiB and 1 MiB a row. A row
/// names its product by the `sku` of the default variant or by `slug`; what it does not say stays as it is, of variants too.
#[utoipa::path(tag = "catalog",
    request_body(description = "Rows", content((String = "text/csv"), (String = "application/x-ndjson"))),
    params(ImportQuery, ("Idempotency-Key" = Option<String>, Header)), responses(
    (status = 202, description = "It was begun; see Location", body = ImportBody),
    (status = 413, description = "More than 16 MiB", body = ErrorBody),
    (status = 415, description = "Neither text/csv nor application/x-ndjson", body = ErrorBody),
    (status = 422, description = "The key was used for another upload", body = ErrorBody),
))]
#[post("/api/v1/products/imports")]
pub(crate) async fn import_products(
    app: Data<App>,
    LoggedIn(user, ..): LoggedIn,
    key: MaybeKey,
    Query(query): Query<ImportQuery>,
    request: HttpRequest,
    mut payload: Payload,
) -> Result<HttpResponse, HttpError> {
    let uploaded = take_up(&app, &request, query.dry_run, &mut payload).await;
    if uploaded.is_err() {
        drain(&mut payload).await;
    }
    let (format, upload) = uploaded?;
    let said = json!({ "dryRun": query.dry_run, "type": media(format), "sha256": upload.digest() });
    let fingerprint = shop_http::fingerprint(&request, &said);
    let claim = key.0.map(|key| Claim::new(Subject::User(user), "import_products", &key, fingerprint));
    let body = ImportBody::from(app.begin_import(upload, claim).await?);
    let location = HeaderValue::try_from(format!("/api/v1/products/imports/{}", body.id()));
    let mut response = reply::with_status(StatusCode::ACCEPTED, None, &body);
    response.headers_mut().insert(LOCATION, location.map_err(HttpError::internal)?);
    Ok(response)
}

/// Shows how far an import has come, and the first 100 rows that failed.
#[utoipa::path(tag = "catalog", params(("id" = String, Path, format = Uuid)), responses(
    (status = 200, description = "The import as it is now; kept for 30 days", body = ImportBody),
    (status = 404, description = "No such import", body = ErrorBody),
))]
#[get("/api/v1/products/imports/{id}")]
pub(crate) async fn get_import(app: Data<App>, id: PathId<ImportKind>) -> Result<HttpResponse, HttpError> {
    Ok(reply::ok(&ImportBody::from(app.import(id.0).await?)))
}

/// Exports all products for sale, as CSV or as NDJSON (`Accept: application/x-ndjson`), in the form that can be imported.
/// An answer that breaks off is not whole.
#[utoipa::path(tag = "catalog", responses(
    (status = 200, description = "Rows", content((String = "text/csv"), (String = "application/x-ndjson"))),
))]
#[get("/api/v1/products/exports")]
pub(crate) async fn export_products(app: Data<App>, request: HttpRequest) -> HttpResponse {
    let format = wanted(&request);
    let name = match format {
        Format::Csv => "attachment; filename=\"products.csv\"",
        Format::Ndjson => "attachment; filename=\"products.ndjson\"",
    };
    let rows = app.into_inner().export(format).inspect_err(|error| {
        tracing::warn!(error = error as &dyn std::error::Error, "An export broke off");
    });
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, media(format)))
        .insert_header((CONTENT_DISPOSITION, name))
        .streaming(rows)
}

fn media(format: Format) -> &'static str {
    match format {
        Format::Csv => CSV,
        Format::Ndjson => NDJSON,
    }
}

async fn take_up(
    app: &App,
    request: &HttpRequest,
    dry_run: bool,
    payload: &mut Payload,
) -> Result<(Format, Upload), Error> {
    let format = format_of(request)?;
    if is_announced_beyond(request, MAX_BYTES) {
        return Err(Error::ImportTooLarge);
    }
    let mut upload = app.open_upload(format, dry_run);
    while let Some(bytes) = payload.next().await {
        app.take_up(&mut upload, &bytes.map_err(|_| Error::BrokeOff)?).await?;
    }
    Ok((format, upload))
}

/// How the upload is written, if it is in one of the two ways.
fn format_of(request: &HttpRequest) -> Result<Format, Error> {
    let plain = is_plain(request);
    let media = header(request, CONTENT_TYPE).unwrap_or_default();
    let (essence, parameters) = media.split_once(';').unwrap_or((media, ""));
    let utf8 = parameters.split(';').filter_map(|one| one.split_once('=')).all(|(name, value)| {
        !name.trim().eq_ignore_ascii_case("charset") || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
    });
    let is = |name: &str| essence.trim().eq_ignore_ascii_case(name);
    match (is(CSV), is(NDJSON) || is("application/ndjson")) {
        (true, _) if plain && utf8 => Ok(Format::Csv),
        (_, true) if plain && utf8 => Ok(Format::Ndjson),
        (true | false, true | false) => Err(Error::ImportMedia),
    }
}

/// CSV, unless NDJSON is asked for.
fn wanted(request: &HttpRequest) -> Format {
    let accepted = header(request, ACCEPT).unwrap_or_default();
    let asked = accepted.split(',').filter_map(|range| range.split(';').next()).map(str::trim);
    let json = |media: &str| media.eq_ignore_ascii_case(NDJSON) || media.eq_ignore_ascii_case("application/ndjson");
    if asked.into_iter().any(json) { Format::Ndjson } else { Format::Csv }
}

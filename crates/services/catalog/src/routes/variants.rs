//! Variants over HTTP. Their version is that of their product.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post};
use shop_http::extract::{LoggedIn, MaybeKey, PathId, path_parameter};
use shop_http::{Body, ErrorBody, HttpError, reply};
use shop_mongo::Claim;
use shop_types::caller::Subject;
use shop_types::id::ProductKind;
use shop_types::{Page, ProductId, Sku};

use super::body::{NewVariantBody, ProductBody, VariantBody, VariantChangeBody};
use super::products::key_of;
use super::representation::{ReadVersion, Representation};
use crate::app::App;
use crate::domain::Listing;

fn represent(listing: Listing, sku: &Sku) -> Result<Representation, HttpError> {
    let version = listing.product.version;
    let body = ProductBody::from(listing).into_variant(sku).ok_or_else(HttpError::not_found)?;
    Representation::of(version, &body)
}

/// Lists the variants of a product, the default one first.
#[utoipa::path(tag = "catalog", params(("id" = String, Path, description = "Id or slug of the product")), responses(
    (status = 200, description = "All variants, at most 100, in one page", body = Page<VariantBody>),
    (status = 304, description = "If-None-Match names what would be answered"),
    (status = 404, description = "No such product", body = ErrorBody),
))]
#[get("/api/v1/products/{id}/variants")]
pub(crate) async fn list_variants(app: Data<App>, request: HttpRequest) -> Result<HttpResponse, HttpError> {
    let listing = app.product(&key_of(path_parameter(&request, "id")?)).await?;
    let version = listing.product.version;
    Ok(Representation::of(version, &Page::whole(ProductBody::from(listing).into_variants()))?.read(&request))
}

/// Adds a variant to a product.
#[utoipa::path(tag = "catalog", request_body = NewVariantBody, params(("id" = String, Path), ("Idempotency-Key" = Option<String>, Header)), responses(
    (status = 201, description = "The variant", body = VariantBody),
    (status = 404, description = "No such product", body = ErrorBody),
    (status = 409, description = "The SKU is in use, the product is archived or full", body = ErrorBody),
    (status = 422, description = "A value breaks its rule", body = ErrorBody),
))]
#[post("/api/v1/products/{id}/variants")]
pub(crate) async fn add_variant(
    app: Data<App>,
    LoggedIn(user, ..): LoggedIn,
    id: PathId<ProductKind>,
    key: MaybeKey,
    request: HttpRequest,
    body: Body<NewVariantBody>,
) -> Result<HttpResponse, HttpError> {
    let claim = key.0.map(|key| Claim::new(Subject::User(user), "add_variant", &key, body.fingerprint(&request)));
    let body = body.into_inner();
    let sku = body.sku().clone();
    let listing = app.add_variant(claim, id.0, body.into()).await?;
    let location = format!("/api/v1/products/{}/variants/{sku}", listing.product.id);
    Ok(represent(listing, &sku)?.created(&location))
}

/// Reads one variant.
#[utoipa::path(tag = "catalog", params(("id" = String, Path, description = "Id or slug of the product"), ("sku" = String, Path)), responses(
    (status = 200, description = "The variant", body = VariantBody),
    (status = 304, description = "If-None-Match names what would be answered"),
    (status = 404, description = "No such product or variant", body = ErrorBody),
))]
#[get("/api/v1/products/{id}/variants/{sku}")]
pub(crate) async fn get_variant(app: Data<App>, request: HttpRequest) -> Result<HttpResponse, HttpError> {
    let sku: Sku = path_parameter(&request, "sku")?;
    let listing = app.variant(&key_of(path_parameter(&request, "id")?), &sku).await?;
    Ok(represent(listing, &sku)?.read(&request))
}

/// Changes a variant; the version of the product must be sent in If-Match.
#[utoipa::path(tag = "catalog", request_body = VariantChangeBody, params(("id" = String, Path), ("sku" = String, Path), ("If-Match" = String, Header)), responses(
    (status = 200, description = "The variant after the change", body = VariantBody),
    (status = 404, description = "No such product or variant", body = ErrorBody),
    (status = 409, description = "The product is archived", body = ErrorBody),
    (status = 412, description = "The product has changed meanwhile", body = ErrorBody),
    (status = 428, description = "If-Match is missing", body = ErrorBody),
))]
#[patch("/api/v1/products/{id}/variants/{sku}")]
pub(crate) async fn change_variant(
    app: Data<App>,
    version: ReadVersion,
    request: HttpRequest,
    body: Body<VariantChangeBody>,
) -> Result<HttpResponse, HttpError> {
    let (id, sku) = (path_parameter::<ProductId>(&request, "id")?, path_parameter(&request, "sku")?);
    let listing = app.change_variant(id, &sku, version.0, body.into_inner().into()).await?;
    Ok(represent(listing, &sku)?.changed())
}

/// Takes a variant off sale; never the default one.
#[utoipa::path(tag = "catalog", params(("id" = String, Path), ("sku" = String, Path), ("If-Match" = String, Header)), responses(
    (status = 204, description = "Removed"),
    (status = 404, description = "No such product or variant", body = ErrorBody),
    (status = 409, description = "It is the default variant, or the product is archived", body = ErrorBody),
    (status = 412, description = "The product has changed meanwhile", body = ErrorBody),
    (status = 428, description = "If-Match is missing", body = ErrorBody),
))]
#[delete("/api/v1/products/{id}/variants/{sku}")]
pub(crate) async fn remove_variant(
    app: Data<App>,
    version: ReadVersion,
    request: HttpRequest,
) -> Result<HttpResponse, HttpError> {
    let (id, sku) = (path_parameter::<ProductId>(&request, "id")?, path_parameter(&request, "sku")?);
    app.remove_variant(id, &sku, version.0).await?;
    Ok(reply::no_content())
}

//! Products over HTTP.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post};
use serde::Deserialize;
use shop_http::extract::{LoggedIn, MaybeKey, PathId, PathText};
use shop_http::query::Paged;
use shop_http::{Body, ErrorBody, HttpError, PageQuery, reply};
use shop_mongo::Claim;
use shop_types::caller::Subject;
use shop_types::id::ProductKind;
use shop_types::{CategoryId, Page};
use utoipa::IntoParams;

use super::body::{NewProductBody, ProductBody, ProductChangeBody};
use super::representation::{ReadVersion, Representation};
use crate::app::{App, ProductKey};
use crate::domain::{Listing, Search, Sort};

fn represent(listing: Listing) -> Result<Representation, HttpError> {
    Representation::of(listing.product.version, &ProductBody::from(listing))
}

/// What a list of products is narrowed to.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ProductFilter {
    /// Words that name or description must hold, all of them; 1 to 64 characters.
    search: Option<String>,
    /// Products of this category.
    category: Option<CategoryId>,
    /// Least price of the default variant, minor units.
    min_price: Option<i64>,
    /// Highest price of the default variant, minor units.
    max_price: Option<i64>,
    /// Only products of which at least one piece can be sold.
    #[serde(default)]
    in_stock: bool,
}

/// Lists the products for sale, newest first unless `sort` says otherwise (createdAt, price, name; - for descending).
#[utoipa::path(tag = "catalog", params(PageQuery, ProductFilter), responses(
    (status = 200, description = "A page of products", body = Page<ProductBody>),
    (status = 304, description = "If-None-Match names what would be answered"),
    (status = 422, description = "A parameter breaks its rule", body = ErrorBody),
))]
#[get("/api/v1/products")]
pub(crate) async fn list_products(
    app: Data<App>,
    Paged(page, filter): Paged<ProductFilter>,
    request: HttpRequest,
) -> Result<HttpResponse, HttpError> {
    let ProductFilter { search, category, min_price, max_price, in_stock } = filter;
    let sort = page.sort.as_deref().map(Sort::parse).transpose().map_err(crate::app::Error::from)?.unwrap_or_default();
    let search = Search { words: search, category, min_price, max_price, in_stock, sort };
    let found = app.products(search, page.page, page.size).await?;
    Ok(Representation::of_list(&found.map(ProductBody::from))?.read(&request))
}

/// Creates a product with at least one variant.
#[utoipa::path(tag = "catalog", request_body = NewProductBody, params(("Idempotency-Key" = Option<String>, Header)), responses(
    (status = 201, description = "The product", body = ProductBody),
    (status = 409, description = "SKU or slug in use", body = ErrorBody),
    (status = 422, description = "A value breaks its rule", body = ErrorBody),
    (status = 503, description = "Inventory or the database is away; the same key completes it", body = ErrorBody),
))]
#[post("/api/v1/products")]
pub(crate) async fn create_product(
    app: Data<App>,
    LoggedIn(user, ..): LoggedIn,
    key: MaybeKey,
    request: HttpRequest,
    body: Body<NewProductBody>,
) -> Result<HttpResponse, HttpError> {
    let claim = key.0.map(|key| Claim::new(Subject::User(user), "create_product", &key, body.fingerprint(&request)));
    let listing = app.create_product(claim, body.into_inner().into()).await?;
    let location = format!("/api/v1/products/{}", listing.product.id);
    Ok(represent(listing)?.created(&location))
}

/// Reads one product by id or slug.
#[utoipa::path(tag = "catalog", params(("id" = String, Path, description = "Id or slug")), responses(
    (status = 200, description = "The product", body = ProductBody),
    (status = 304, description = "If-None-Match names what would be answered"),
    (status = 404, description = "No such product", body = ErrorBody),
))]
#[get("/api/v1/products/{id}")]
pub(crate) async fn get_product(
    app: Data<App>,
    path: PathText<String>,
    request: HttpRequest,
) -> Result<HttpResponse, HttpError> {
    let key = path.0.parse().map_or_else(|_| ProductKey::Slug(path.0), ProductKey::Id);
    Ok(represent(app.product(&key).await?)?.read(&request))
}

/// Changes a product; its version must be sent in If-Match.
#[utoipa::path(tag = "catalog", request_body = ProductChangeBody, params(("id" = String, Path), ("If-Match" = String, Header)), responses(
    (status = 200, description = "The product after the change", body = ProductBody),
    (status = 409, description = "The product is archived", body = ErrorBody),
    (status = 412, description = "It has changed meanwhile", body = ErrorBody),
    (status = 428, description = "If-Match is missing", body = ErrorBody),
))]
#[patch("/api/v1/products/{id}")]
pub(crate) async fn change_product(
    app: Data<App>,
    id: PathId<ProductKind>,
    version: ReadVersion,
    body: Body<ProductChangeBody>,
) -> Result<HttpResponse, HttpError> {
    let listing = app.change_product(id.0, version.0, body.into_inner().into()).await?;
    Ok(represent(listing)?.changed())
}

/// Takes a product off sale for good; orders go on naming it.
#[utoipa::path(tag = "catalog", params(("id" = String, Path), ("If-Match" = String, Header)), responses(
    (status = 204, description = "Archived"),
    (status = 409, description = "Archived already", body = ErrorBody),
    (status = 412, description = "It has changed meanwhile", body = ErrorBody),
    (status = 428, description = "If-Match is missing", body = ErrorBody),
))]
#[delete("/api/v1/products/{id}")]
pub(crate) async fn archive_product(
    app: Data<App>,
    id: PathId<ProductKind>,
    version: ReadVersion,
) -> Result<HttpResponse, HttpError> {
    app.archive_product(id.0, version.0).await?;
    Ok(reply::no_content())
}

//! Products over HTTP.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post};
use shop_http::extract::{LoggedIn, MaybeKey, PathId, PathText};
use shop_http::query::Paged;
use shop_http::{Body, ErrorBody, HttpError, PageQuery, reply};
use shop_mongo::Claim;
use shop_types::caller::Subject;
use shop_types::id::ProductKind;

use super::body::{BatchGetBody, NewProductBody, OfferList, ProductBody, ProductChangeBody, ProductList};
use super::filter::{ListQuery, ProductFilter};
use super::kept::{self, Found};
use super::representation::{ReadVersion, Representation};
use crate::app::{App, ProductKey, Reading};
use crate::domain::{Listing, Place, Search};

pub(crate) fn represent(listing: Listing) -> Result<Representation, HttpError> {
    Representation::of(listing.product.version, &ProductBody::from(listing))
}

/// What a path segment names: an id, or else a slug.
pub(crate) fn key_of(segment: String) -> ProductKey {
    segment.parse().map_or_else(|_| ProductKey::Slug(segment), ProductKey::Id)
}

/// Lists the products for sale, newest first unless `sort` says otherwise (createdAt, price, name; - for descending), and
/// tells what the list could be narrowed to.
#[utoipa::path(tag = "catalog", params(
    PageQuery,
    ProductFilter,
    ("attr.name" = Option<String>, Query, description = "Products with this value of the attribute or option `name`; \
        any other name may stand there, up to 5 of them"),
), responses(
    (status = 200, description = "A page of products", body = ProductList),
    (status = 304, description = "If-None-Match names what would be answered"),
    (status = 422, description = "A parameter breaks its rule", body = ErrorBody),
))]
#[get("/api/v1/products")]
pub(crate) async fn list_products(
    app: Data<App>,
    Paged(page, query): Paged<ListQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, HttpError> {
    let (search, place) = query.understand(page.page, page.sort.as_deref()).map_err(crate::app::Error::from)?;
    Ok(kept::answer(&app, &request, find_products(&app, &search, &place, page.size).await?))
}

/// A page of products as it is kept for every reader.
pub(crate) async fn find_products(app: &App, search: &Search, place: &Place, size: u32) -> Result<Found, HttpError> {
    let load = async || {
        let (found, facets) = app.products(search.clone(), place.clone(), size).await?;
        Representation::of_list(&ProductList::new(found, facets))
    };
    kept::find(app, Reading::Products { search, place, size }, load).await
}

/// Looks up what is sold under SKUs and as default variants of products, at which price and version.
#[utoipa::path(tag = "catalog", request_body = BatchGetBody, responses(
    (status = 200, description = "What is sold; what nobody sells is absent", body = OfferList),
    (status = 422, description = "More than 200, or a value breaks its rule", body = ErrorBody),
))]
#[post("/api/v1/products/batch-get")]
pub(crate) async fn batch_get_products(app: Data<App>, body: Body<BatchGetBody>) -> Result<HttpResponse, HttpError> {
    let BatchGetBody { skus, product_ids } = body.into_inner();
    Ok(reply::ok(&OfferList::new(app.offers(&skus, &product_ids).await?)))
}

/// Creates a product with at least one variant.
#[utoipa::path(tag = "catalog", request_body = NewProductBody, params(("Idempotency-Key" = Option<String>, Header)), responses(
    (status = 201, description = "The product", body = ProductBody),
    (status = 409, description = "SKU or slug in use, or orders hold more of it than `stock`", body = ErrorBody),
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
    Ok(kept::answer(&app, &request, find_product(&app, &key_of(path.0)).await?))
}

/// One product as it is kept for every reader.
pub(crate) async fn find_product(app: &App, key: &ProductKey) -> Result<Found, HttpError> {
    let found = kept::find(app, Reading::Product(key), async || represent(app.product(key).await?)).await?;
    app.count_view();
    Ok(found)
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

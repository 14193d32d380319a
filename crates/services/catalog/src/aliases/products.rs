//! Aliases of products: bare ones below `/product`, and in an envelope below `/products` and `/api/products`.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, post, put};
use serde::Deserialize;
use shop_http::alias::{Limits, LooseQuery, PricedBody};
use shop_http::{ErrorBody, HttpError, MaybeKey, PathId, PathText, Who, reply};
use shop_mongo::Claim;
use shop_types::caller::Subject;
use shop_types::id::ProductKind;
use shop_types::{CategoryId, Page, ProductId};
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;

use super::body::{
    self, FoundProductAlias, MessageAlias, Names, NewProductAlias, ProductAlias, ProductChangeAlias, ProductsAlias,
    WrittenProductAlias, money,
};
use super::seen;
use crate::app::{App, Error, ProductKey};
use crate::domain::{self, Listing, NewProduct, Place, ProductChange, Search, Status};
use crate::routes::categories::find_categories;
use crate::routes::products::{find_product, find_products, key_of, represent};

const CREATED: &str = "Product created successfully";
const UPDATED: &str = "Product updated successfully";
const DELETED: &str = "Product deleted successfully";

/// The routes below `/product`.
pub(super) fn bare(routes: &mut ServiceConfig<'_>) {
    routes.service(create_bare).service(get_bare).service(change_bare).service(delete_product);
}

/// The routes below `/products`.
pub(super) fn wrapped(routes: &mut ServiceConfig<'_>) {
    routes.service(list_products).service(create_product).service(list_of_category).service(get_product);
    routes.service(change_product).service(delete_product);
}

/// What a list is narrowed to.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Narrowed {
    /// Words that name or description must hold, all of them.
    search: Option<String>,
    /// The name of a category, or its id; none when empty.
    category: Option<String>,
    /// So many products are left out, 10,000 at most; counts without `page`, or beside `page=1`.
    #[param(maximum = 10_000)]
    offset: Option<u32>,
}

async fn names(app: &App) -> Result<Names, HttpError> {
    body::names(find_categories(app).await?.representation.bytes())
}

fn shown(listing: Listing, names: &Names) -> Result<ProductAlias, HttpError> {
    body::product(represent(listing)?.bytes(), names)?.ok_or_else(|| Error::NoSuchProduct.into())
}

/// A product for sale: by older names, what was deleted is gone.
async fn found(app: &App, segment: String) -> Result<FoundProductAlias, HttpError> {
    let found = find_product(app, &key_of(segment)).await?;
    let product = body::product(found.representation.bytes(), &names(app).await?)?;
    Ok(FoundProductAlias { product: product.ok_or(Error::NoSuchProduct)?, cached: found.is_kept() })
}

/// Refuses what was deleted, before anything of the change is done.
async fn for_sale(app: &App, id: ProductId) -> Result<(), Error> {
    match app.product(&ProductKey::Id(id)).await?.product.status {
        Status::Active => Ok(()),
        Status::Draft | Status::Archived => Err(Error::NoSuchProduct),
    }
}

/// What was deleted in the meantime is gone as well.
fn gone(error: Error) -> Error {
    if matches!(error, Error::Domain(domain::Error::Archived)) { Error::NoSuchProduct } else { error }
}

/// A page of products; of a category that is not there, an empty one.
async fn page(app: &App, limits: Limits, asked: &Narrowed) -> Result<ProductsAlias, HttpError> {
    let (names, (number, size)) = (names(app).await?, limits.at_most(100));
    asked.offset.map_or(Ok(0), domain::search::offset).map_err(Error::from)?;
    let place = match asked.offset {
        Some(offset) if number == 1 => Place::Beyond(offset),
        Some(_) | None => Place::Page(number),
    };
    let named = asked.category.as_deref().filter(|word| !word.trim().is_empty());
    let category = named.map(|word| category_of(word, &names));
    if category == Some(None) {
        let pagination = (&Page::<()>::new(Vec::new(), place.number(size), size, 0).page).into();
        return Ok(ProductsAlias { products: Vec::new(), category: None, pagination, cached: false });
    }
    let words = asked.search.clone().filter(|words| !words.trim().is_empty());
    let search = Search { words, categories: category.flatten().into_iter().collect(), ..Search::default() };
    let found = find_products(app, &search, &place, size).await?;
    let (products, pagination) = body::products(found.representation.bytes(), &names)?;
    Ok(ProductsAlias { products, category: None, pagination, cached: found.is_kept() })
}

fn category_of(word: &str, names: &Names) -> Option<CategoryId> {
    let by_id = word.parse().ok().filter(|id| names.contains_key(id));
    by_id.or_else(|| names.iter().find(|(_, name)| *name == word).map(|(id, _)| *id))
}

/// Creates a product. A key counts for the caller, and where aliases are open for all who have no token together.
async fn created(
    app: &App,
    who: Who,
    key: MaybeKey,
    request: &HttpRequest,
    sent: PricedBody<NewProductAlias>,
) -> Result<ProductAlias, HttpError> {
    let subject = who.0.user().map_or(Subject::Anybody, Subject::User);
    let claim = key.0.map(|key| Claim::new(subject, "create_product", &key, sent.fingerprint(request)));
    let NewProductAlias { name, description, price, category, stock, sku } = sent.into_inner();
    let price = money(&price, app.currency())?;
    let stock = Some(stock.unwrap_or(0));
    let new = NewProduct {
        name,
        slug: None,
        description,
        category: None,
        category_name: category,
        attributes: BTreeMap::new(),
        price,
        sku,
        variants: Vec::new(),
        stock,
    };
    let listing = app.create_product(claim, new).await?;
    Ok(shown(listing, &names(app).await?)?.with_stock(stock))
}

async fn changed(
    app: &App,
    id: ProductId,
    request: &HttpRequest,
    sent: PricedBody<ProductChangeAlias>,
) -> Result<ProductAlias, HttpError> {
    let seen = seen(request)?;
    let ProductChangeAlias { name, description, price, category, stock } = sent.into_inner();
    let price = price.map(|price| money(&price, app.currency())).transpose()?;
    let change = ProductChange { name, description, price, ..ProductChange::default() };
    let listing = app.change_product_in(category, stock, id, seen, change).await.map_err(gone)?;
    Ok(shown(listing, &names(app).await?)?.with_stock(stock))
}

/// Creates a product.
#[utoipa::path(tag = "catalog", request_body = NewProductAlias, params(("Idempotency-Key" = Option<String>, Header)), responses(
    (status = 201, description = "The product", body = ProductAlias),
    (status = 404, description = "The key is that of a product which has been deleted since", body = ErrorBody),
    (status = 409, description = "SKU in use, or orders hold more of it than the stock sent", body = ErrorBody),
    (status = 422, description = "A value breaks its rule", body = ErrorBody),
))]
#[post("")]
pub(crate) async fn create_bare(
    app: Data<App>,
    who: Who,
    key: MaybeKey,
    request: HttpRequest,
    sent: PricedBody<NewProductAlias>,
) -> Result<HttpResponse, HttpError> {
    let product = created(&app, who, key, &request, sent).await?;
    Ok(reply::with_status(StatusCode::CREATED, None, &product))
}

/// Reads one product by id or slug.
#[utoipa::path(tag = "catalog", params(("id" = String, Path, description = "Id or slug")), responses(
    (status = 200, description = "The product", body = ProductAlias),
    (status = 404, description = "No such product", body = ErrorBody),
))]
#[get("/{id}")]
pub(crate) async fn get_bare(app: Data<App>, path: PathText<String>) -> Result<HttpResponse, HttpError> {
    Ok(reply::ok(&found(&app, path.0).await?.product))
}

/// Changes a product; what is absent stays. `If-Match` may be sent.
#[utoipa::path(tag = "catalog", request_body = ProductChangeAlias, params(("id" = String, Path)), responses(
    (status = 200, description = "The product after the change", body = ProductAlias),
    (status = 404, description = "No such product, or it was deleted", body = ErrorBody),
    (status = 409, description = "Orders hold more than the stock sent", body = ErrorBody),
))]
#[put("/{id}")]
pub(crate) async fn change_bare(
    app: Data<App>,
    id: PathId<ProductKind>,
    request: HttpRequest,
    sent: PricedBody<ProductChangeAlias>,
) -> Result<HttpResponse, HttpError> {
    Ok(reply::ok(&changed(&app, id.0, &request, sent).await?))
}

/// Takes a product off sale; orders go on naming it. `If-Match` may be sent.
#[utoipa::path(tag = "catalog", params(("id" = String, Path)), responses(
    (status = 200, description = "Archived", body = MessageAlias),
    (status = 404, description = "No such product, or it was deleted", body = ErrorBody),
))]
#[delete("/{id}")]
pub(crate) async fn delete_product(
    app: Data<App>,
    id: PathId<ProductKind>,
    request: HttpRequest,
) -> Result<HttpResponse, HttpError> {
    let seen = seen(&request)?;
    for_sale(&app, id.0).await?;
    let archived = match seen {
        Some(version) => app.archive_product(id.0, version).await,
        None => app.archive_present_product(id.0).await,
    };
    archived.map_err(gone)?;
    Ok(reply::ok(&MessageAlias { message: DELETED }))
}

/// Lists the products for sale, newest first.
#[utoipa::path(tag = "catalog", params(Limits, Narrowed), responses(
    (status = 200, description = "A page of products", body = ProductsAlias),
    (status = 422, description = "A parameter breaks its rule", body = ErrorBody),
))]
#[get("")]
pub(crate) async fn list_products(
    app: Data<App>,
    limits: LooseQuery<Limits>,
    asked: LooseQuery<Narrowed>,
) -> Result<HttpResponse, HttpError> {
    Ok(reply::ok(&page(&app, limits.0, &asked.0).await?))
}

/// Lists the products of a category and of all below it, newest first.
#[utoipa::path(tag = "catalog", params(
    Limits,
    ("category" = String, Path, description = "Name or id"),
    ("offset" = Option<u32>, Query, maximum = 10_000, description = "So many products are left out, 10,000 at most; counts without `page`, or beside `page=1`"),
), responses(
    (status = 200, description = "A page of products; an empty one for a category that is not there", body = ProductsAlias),
))]
#[get("/category/{category}")]
pub(crate) async fn list_of_category(
    app: Data<App>,
    category: PathText<String>,
    limits: LooseQuery<Limits>,
    asked: LooseQuery<Narrowed>,
) -> Result<HttpResponse, HttpError> {
    let asked = Narrowed { search: None, category: Some(category.0.clone()), offset: asked.0.offset };
    let page = page(&app, limits.0, &asked).await?;
    Ok(reply::ok(&ProductsAlias { category: Some(category.0), ..page }))
}

/// Creates a product.
#[utoipa::path(tag = "catalog", request_body = NewProductAlias, params(("Idempotency-Key" = Option<String>, Header)), responses(
    (status = 201, description = "The product", body = WrittenProductAlias),
    (status = 404, description = "The key is that of a product which has been deleted since", body = ErrorBody),
    (status = 409, description = "SKU in use, or orders hold more of it than the stock sent", body = ErrorBody),
    (status = 422, description = "A value breaks its rule", body = ErrorBody),
))]
#[post("")]
pub(crate) async fn create_product(
    app: Data<App>,
    who: Who,
    key: MaybeKey,
    request: HttpRequest,
    sent: PricedBody<NewProductAlias>,
) -> Result<HttpResponse, HttpError> {
    let product = created(&app, who, key, &request, sent).await?;
    let written = WrittenProductAlias { message: CREATED, product };
    Ok(reply::with_status(StatusCode::CREATED, None, &written))
}

/// Reads one product by id or slug.
#[utoipa::path(tag = "catalog", params(("id" = String, Path, description = "Id or slug")), responses(
    (status = 200, description = "The product", body = FoundProductAlias),
    (status = 404, description = "No such product", body = ErrorBody),
))]
#[get("/{id}")]
pub(crate) async fn get_product(app: Data<App>, path: PathText<String>) -> Result<HttpResponse, HttpError> {
    Ok(reply::ok(&found(&app, path.0).await?))
}

/// Changes a product; what is absent stays. `If-Match` may be sent.
#[utoipa::path(tag = "catalog", request_body = ProductChangeAlias, params(("id" = String, Path)), responses(
    (status = 200, description = "The product after the change", body = WrittenProductAlias),
    (status = 404, description = "No such product, or it was deleted", body = ErrorBody),
    (status = 409, description = "Orders hold more than the stock sent", body = ErrorBody),
))]
#[put("/{id}")]
pub(crate) async fn change_product(
    app: Data<App>,
    id: PathId<ProductKind>,
    request: HttpRequest,
    sent: PricedBody<ProductChangeAlias>,
) -> Result<HttpResponse, HttpError> {
    let product = changed(&app, id.0, &request, sent).await?;
    Ok(reply::ok(&WrittenProductAlias { message: UPDATED, product }))
}

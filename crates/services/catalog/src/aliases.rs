//! The compatibility aliases of this service: older names of its routes, for clients of other shops. Thin: each reads the
//! older spelling, calls what the canonical handler calls, and answers in the older shape.

mod body;
mod categories;
mod products;

use actix_web::FromRequest as _;
use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::http::header::IF_MATCH;
use shop_http::{Access, Alias, HttpError, Method};
use utoipa_actix_web::scope::scope;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::routes::representation::ReadVersion;

/// Who may call each alias.
pub(crate) const ACCESS: &[Alias] = &[
    Alias::new(Method::Post, "/product", Access::STAFF, "/api/v1/products"),
    Alias::new(Method::Get, "/product/{id}", Access::PUBLIC, "/api/v1/products"),
    Alias::new(Method::Put, "/product/{id}", Access::STAFF, "/api/v1/products"),
    Alias::new(Method::Delete, "/product/{id}", Access::STAFF, "/api/v1/products"),
    Alias::new(Method::Get, "/products", Access::PUBLIC, "/api/v1/products"),
    Alias::new(Method::Post, "/products", Access::STAFF, "/api/v1/products").open(),
    Alias::new(Method::Get, "/products/{id}", Access::PUBLIC, "/api/v1/products"),
    Alias::new(Method::Put, "/products/{id}", Access::STAFF, "/api/v1/products"),
    Alias::new(Method::Delete, "/products/{id}", Access::STAFF, "/api/v1/products"),
    Alias::new(Method::Get, "/products/category/{category}", Access::PUBLIC, "/api/v1/products"),
    Alias::new(Method::Get, "/api/products", Access::PUBLIC, "/api/v1/products"),
    Alias::new(Method::Post, "/api/products", Access::STAFF, "/api/v1/products").open(),
    Alias::new(Method::Get, "/api/products/{id}", Access::PUBLIC, "/api/v1/products"),
    Alias::new(Method::Put, "/api/products/{id}", Access::STAFF, "/api/v1/products"),
    Alias::new(Method::Delete, "/api/products/{id}", Access::STAFF, "/api/v1/products"),
    Alias::new(Method::Get, "/api/products/category/{category}", Access::PUBLIC, "/api/v1/products"),
    Alias::new(Method::Get, "/categories", Access::PUBLIC, "/api/v1/categories"),
    Alias::new(Method::Post, "/categories", Access::STAFF, "/api/v1/categories").open(),
    Alias::new(Method::Get, "/categories/{id}", Access::PUBLIC, "/api/v1/categories"),
    Alias::new(Method::Put, "/categories/{id}", Access::STAFF, "/api/v1/categories"),
    Alias::new(Method::Delete, "/categories/{id}", Access::STAFF, "/api/v1/categories"),
    Alias::new(Method::Get, "/api/categories", Access::PUBLIC, "/api/v1/categories"),
    Alias::new(Method::Post, "/api/categories", Access::STAFF, "/api/v1/categories").open(),
    Alias::new(Method::Get, "/api/categories/{id}", Access::PUBLIC, "/api/v1/categories"),
    Alias::new(Method::Put, "/api/categories/{id}", Access::STAFF, "/api/v1/categories"),
    Alias::new(Method::Delete, "/api/categories/{id}", Access::STAFF, "/api/v1/categories"),
];

pub(crate) fn configure(routes: &mut ServiceConfig<'_>) {
    routes.service(scope("/product").configure(products::bare));
    for prefix in ["/products", "/api/products"] {
        routes.service(scope(prefix).configure(products::wrapped));
    }
    for prefix in ["/categories", "/api/categories"] {
        routes.service(scope(prefix).configure(categories::wrapped));
    }
}

/// The version that the caller has read, if they say so: aliases do not ask for `If-Match`, but keep to it.
fn seen(request: &HttpRequest) -> Result<Option<i64>, HttpError> {
    if request.headers().contains_key(IF_MATCH) {
        return ReadVersion::from_request(request, &mut Payload::None).into_inner().map(|version| Some(version.0));
    }
    Ok(None)
}

//! HTTP in: parse, call [`App`], respond. `configure()` at the bottom is the URL table, [`ACCESS`] says who may call.

mod body;
pub(crate) mod categories;
mod filter;
mod images;
mod imports;
pub(crate) mod kept;
pub(crate) mod products;
pub(crate) mod representation;
mod uploads;
mod variants;

use shop_http::Code;
use shop_http::access::{Access, Method, Route};
use utoipa_actix_web::service_config::ServiceConfig;

#[cfg(doc)]
use crate::app::App;

/// Who may call each route.
pub(crate) const ACCESS: &[Route] = &[
    (Method::Get, "/api/v1/products", Access::PUBLIC),
    (Method::Post, "/api/v1/products", Access::STAFF),
    (Method::Post, "/api/v1/products/batch-get", Access::SERVICE.reads()),
    (Method::Post, "/api/v1/products/imports", Access::STAFF),
    (Method::Get, "/api/v1/products/imports/{id}", Access::STAFF),
    (Method::Get, "/api/v1/products/exports", Access::STAFF),
    (Method::Get, "/api/v1/products/{id}", Access::PUBLIC),
    (Method::Patch, "/api/v1/products/{id}", Access::STAFF),
    (Method::Delete, "/api/v1/products/{id}", Access::STAFF),
    (Method::Get, "/api/v1/products/{id}/variants", Access::PUBLIC),
    (Method::Post, "/api/v1/products/{id}/variants", Access::STAFF),
    (Method::Get, "/api/v1/products/{id}/variants/{sku}", Access::PUBLIC),
    (Method::Patch, "/api/v1/products/{id}/variants/{sku}", Access::STAFF),
    (Method::Delete, "/api/v1/products/{id}/variants/{sku}", Access::STAFF),
    (Method::Get, "/api/v1/products/{id}/images", Access::PUBLIC),
    (Method::Post, "/api/v1/products/{id}/images", Access::STAFF),
    (Method::Get, "/api/v1/products/{id}/images/{image}", Access::PUBLIC),
    (Method::Patch, "/api/v1/products/{id}/images/{image}", Access::STAFF),
    (Method::Delete, "/api/v1/products/{id}/images/{image}", Access::STAFF),
    (Method::Get, "/api/v1/categories", Access::PUBLIC),
    (Method::Post, "/api/v1/categories", Access::STAFF),
    (Method::Get, "/api/v1/categories/{id}", Access::PUBLIC),
    (Method::Patch, "/api/v1/categories/{id}", Access::STAFF),
    (Method::Delete, "/api/v1/categories/{id}", Access::STAFF),
];

/// Codes that this service alone answers with.
pub(crate) const CODES: &[Code] = &[
    ("product_archived", 409, "The product is archived and does not change any more."),
    ("default_variant", 409, "The product's id stands for its default variant, which cannot be removed."),
    ("too_many_variants", 409, "The product has 100 variants already."),
    ("too_many_images", 409, "The product has 20 images already."),
    ("image_too_large", 413, "An image is at most 5 MiB."),
    ("category_cycle", 409, "A category cannot be below itself."),
    ("category_too_deep", 409, "Categories stand at most 8 levels deep."),
    ("too_many_categories", 409, "There are 1000 categories already."),
    ("sku_taken", 409, "Another product or variant is sold under this SKU."),
    ("slug_taken", 409, "Another product has this slug."),
    ("category_name_taken", 409, "Another category has this name."),
    ("category_in_use", 409, "Products or other categories are in this category."),
    ("stock_below_zero", 409, "There would be fewer pieces than orders hold; those are not free to be taken off."),
    ("import_too_large", 413, "An import is at most 16 MiB."),
    ("idempotency_key_reused", 422, "This Idempotency-Key was used for another request."),
];

pub(crate) fn configure(routes: &mut ServiceConfig<'_>) {
    routes
        .service(products::list_products)
        .service(products::create_product)
        .service(products::batch_get_products)
        .service(imports::import_products)
        .service(imports::get_import)
        .service(imports::export_products)
        .service(products::get_product)
        .service(products::change_product)
        .service(products::archive_product)
        .service(variants::list_variants)
        .service(variants::add_variant)
        .service(variants::get_variant)
        .service(variants::change_variant)
        .service(variants::remove_variant)
        .service(images::list_images)
        .service(images::add_image)
        .service(images::get_image)
        .service(images::change_image)
        .service(images::remove_image)
        .service(categories::list_categories)
        .service(categories::create_category)
        .service(categories::get_category)
        .service(categories::change_category)
        .service(categories::delete_category);
}

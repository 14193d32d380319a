//! Older names of the service's calls.

use actix_web::{HttpResponse, get};
use shop_http::alias::Alias;
use shop_http::{Access, Method, reply};
use utoipa_actix_web::service_config::ServiceConfig;

pub(crate) const ALIASES: &[Alias] = &[
    Alias::new(Method::Get, "/products", Access::PUBLIC, "/api/v1/products"),
    Alias::new(Method::Get, "/panic", Access::PUBLIC, "/api/v1/panic"),
];

#[utoipa::path(tag = "catalog", responses((status = 204)))]
#[get("/products")]
async fn list_products() -> HttpResponse {
    reply::no_content()
}

#[utoipa::path(tag = "faults", responses((status = 500)))]
#[get("/panic")]
async fn panic() -> HttpResponse {
    tokio::task::yield_now().await;
    panic!("the secret plan")
}

pub(crate) fn configure(config: &mut ServiceConfig<'_>) {
    config.service(list_products).service(panic);
}

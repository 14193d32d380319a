//! The service under test: one handler for each thing that shop-http gives, written as any service writes them.

pub(crate) mod aliases;
mod error;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderValue, RETRY_AFTER};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shop_http::{
    Access, Body, ErrorBody, HttpError, IfMatch, Key, LoggedIn, MaybeGuest, MaybeIfNoneMatch, MaybeKey, Method, NoBody,
    PageQuery, Paged, PathId, PathText, Query, Route, Who, packed, reply,
};
use shop_telemetry::context;
use shop_types::id::ProductKind;
use shop_types::{Email, Id, IdempotencyKey, Money, ProductId, Quantity, Sku, UserId};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use self::error::Error;

/// Every route of the service, as its `routes.rs` would list them.
pub(crate) const ACCESS: &[Route] = &[
    (Method::Post, "/api/v1/products", Access::CUSTOMER),
    (Method::Get, "/api/v1/products", Access::PUBLIC),
    (Method::Get, "/api/v1/products/exports", Access::STAFF),
    (Method::Get, "/api/v1/products/{id}", Access::PUBLIC),
    (Method::Patch, "/api/v1/products/{id}", Access::STAFF),
    (Method::Delete, "/api/v1/products/{id}", Access::ADMIN),
    (Method::Get, "/api/v1/stock/{sku}", Access::STAFF_OR_SERVICE),
    (Method::Post, "/api/v1/orders", Access::GUEST),
    (Method::Get, "/api/v1/search", Access::PUBLIC),
    (Method::Get, "/api/v1/me", Access::PUBLIC),
    (Method::Get, "/api/v1/fail/{kind}", Access::PUBLIC),
    (Method::Get, "/api/v1/panic", Access::PUBLIC),
    (Method::Get, "/api/v1/sleep", Access::PUBLIC),
    (Method::Get, "/api/v1/page", Access::PUBLIC),
    (Method::Get, "/api/v1/long", Access::PUBLIC),
    (Method::Get, "/api/v1/picture", Access::PUBLIC),
    (Method::Get, "/api/v1/stream", Access::PUBLIC),
    (Method::Get, "/api/v1/packed", Access::PUBLIC),
    (Method::Get, "/api/v1/names/{name}", Access::PUBLIC),
    (Method::Post, "/api/v1/rest", Access::PUBLIC),
];

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewProduct {
    name: String,
    sku: Sku,
    price: Money,
    #[serde(default)]
    contact: Option<Email>,
    #[serde(default)]
    packs: Vec<Quantity>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Product {
    id: ProductId,
    name: String,
    sku: Sku,
    price: Money,
    contact: Option<String>,
    pieces: u32,
    created_by: UserId,
    key: Option<String>,
}

/// The service's operations.
#[derive(Debug, Default)]
pub(crate) struct App {
    /// How many products were created.
    pub(crate) created: AtomicU64,
}

impl App {
    async fn create_product(
        &self,
        who: LoggedIn,
        key: Option<IdempotencyKey>,
        new: NewProduct,
    ) -> Result<Product, Error> {
        tokio::task::yield_now().await;
        let number = self.created.fetch_add(1, Ordering::SeqCst) + 1;
        let NewProduct { name, sku, price, contact, packs } = new;
        if name == "sold out" {
            return Err(Error::SoldOut);
        }
        Ok(Product {
            id: Id::from_uuid(Uuid::from_u128(number.into())),
            name,
            sku,
            price,
            contact: contact.map(|contact| contact.as_str().to_owned()),
            pieces: packs.iter().map(|pack| pack.get()).sum(),
            created_by: who.0,
            key: key.map(|key| key.as_str().to_owned()),
        })
    }
}

#[utoipa::path(tag = "catalog", request_body = NewProduct, responses((status = 201, body = Product), (status = 422, body = ErrorBody)))]
#[post("/api/v1/products")]
pub(crate) async fn create_product(
    app: Data<App>,
    who: LoggedIn,
    key: MaybeKey,
    body: Body<NewProduct>,
) -> Result<HttpResponse, HttpError> {
    let product = app.create_product(who, key.0, body.into_inner()).await?;
    Ok(reply::created(&format!("/api/v1/products/{}", product.id), 1, &product))
}

/// Filter of the product list.
#[derive(Debug, Deserialize, Serialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ProductFilter {
    /// Words.
    #[serde(default)]
    search: Option<String>,
    /// In minor units.
    #[serde(default)]
    min_price: Option<i64>,
}

#[utoipa::path(tag = "catalog", params(PageQuery, ProductFilter), responses((status = 200)))]
#[get("/api/v1/products")]
async fn list_products(Paged(page, filter): Paged<ProductFilter>) -> HttpResponse {
    let PageQuery { page: number, size, sort } = &page;
    reply::ok(&json!({"page": number, "size": size, "sort": sort, "skip": page.skip(), "filter": filter}))
}

#[utoipa::path(tag = "catalog", params(ProductFilter), responses((status = 200)))]
#[get("/api/v1/search")]
async fn search(query: Query<ProductFilter>) -> HttpResponse {
    reply::ok(&query.0)
}

#[utoipa::path(tag = "catalog", params(("id" = ProductId, Path, description = "Its id")), responses((status = 200)))]
#[get("/api/v1/products/{id}")]
async fn get_product(id: PathId<ProductKind>, have: MaybeIfNoneMatch) -> HttpResponse {
    if have.matches(7) { reply::not_modified(7) } else { reply::with_etag(7, &json!({"id": id.0})) }
}

#[utoipa::path(tag = "catalog", responses((status = 200)))]
#[get("/api/v1/products/exports")]
async fn export_products() -> HttpResponse {
    reply::ok(&json!({"secret": true}))
}

#[utoipa::path(tag = "catalog", responses((status = 200)))]
#[patch("/api/v1/products/{id}")]
async fn change_product(id: PathId<ProductKind>, version: IfMatch) -> HttpResponse {
    reply::with_etag(version.0 + 1, &json!({"id": id.0}))
}

#[utoipa::path(tag = "catalog", responses((status = 204)))]
#[delete("/api/v1/products/{id}")]
async fn archive_product(_id: PathId<ProductKind>) -> HttpResponse {
    reply::no_content()
}

#[utoipa::path(tag = "catalog", responses((status = 200)))]
#[get("/api/v1/stock/{sku}")]
async fn get_stock(sku: PathText<Sku>) -> HttpResponse {
    reply::ok(&json!({"sku": sku.0}))
}

#[utoipa::path(tag = "order", responses((status = 202)))]
#[post("/api/v1/orders")]
async fn place_order(request: HttpRequest, key: Key, guest: MaybeGuest, body: Body<Value>) -> HttpResponse {
    let fingerprint = body.fingerprint(&request);
    let status = actix_web::http::StatusCode::ACCEPTED;
    let body = json!({"key": key.0.as_str(), "fingerprint": fingerprint.as_str(), "guest": guest.0.is_some()});
    reply::with_status(status, None, &body)
}

#[utoipa::path(tag = "identity", responses((status = 200)))]
#[get("/api/v1/me")]
async fn get_me(who: Who) -> HttpResponse {
    let context = context::current();
    reply::ok(&json!({
        "role": who.0.role(),
        "caller": format!("{:?}", who.0),
        "requestId": context.as_ref().map(|context| context.request_id.to_string()),
        "authorization": context.as_ref().and_then(|context| context.authorization.as_deref()),
        "guestToken": context.as_ref().and_then(|context| context.guest_token.as_deref()),
        "traceparent": context::traceparent(),
        "remainingMs": context::remaining().map(|left| left.as_millis()),
    }))
}

#[utoipa::path(tag = "faults", responses((status = 500)))]
#[get("/api/v1/fail/{kind}")]
async fn fail(kind: PathText<String>) -> Result<HttpResponse, HttpError> {
    Err(match kind.0.as_str() {
        "internal" => Error::Store(std::io::Error::other("socket 9 of db-7.internal broke")),
        "away" => Error::Away,
        "slow" => Error::Slow,
        "later" => {
            let later = HttpError::from(Error::Slow).with_header(RETRY_AFTER, HeaderValue::from_static("7"));
            return Err(later.with_header(CONTENT_TYPE, HeaderValue::from_static("text/forged")));
        }
        _ => return Err(HttpError::not_found()),
    }
    .into())
}

#[utoipa::path(tag = "faults", responses((status = 500)))]
#[get("/api/v1/panic")]
async fn panic() -> HttpResponse {
    tokio::task::yield_now().await;
    panic!("the secret plan")
}

#[utoipa::path(tag = "faults", responses((status = 503)))]
#[get("/api/v1/sleep")]
async fn sleep() -> HttpResponse {
    tokio::time::sleep(Duration::from_secs(60)).await;
    reply::no_content()
}

#[utoipa::path(tag = "edge", responses((status = 200)))]
#[get("/api/v1/page")]
async fn landing_page() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(("Content-Security-Policy", "default-src 'self'"))
        .insert_header(("Cache-Control", "public, max-age=60"))
        .insert_header(("Server", "secret/1.0"))
        .content_type("text/html")
        .body("<p>")
}

#[utoipa::path(tag = "catalog", responses((status = 200)))]
#[get("/api/v1/long")]
async fn get_long(have: MaybeIfNoneMatch) -> HttpResponse {
    if have.matches(7) { reply::not_modified(7) } else { reply::with_etag(7, &json!({"text": "word ".repeat(1_000)})) }
}

#[utoipa::path(tag = "catalog", responses((status = 200)))]
#[get("/api/v1/picture")]
async fn get_picture() -> HttpResponse {
    HttpResponse::Ok().content_type("image/png").body(vec![0; 5_000])
}

#[utoipa::path(tag = "catalog", responses((status = 200)))]
#[get("/api/v1/stream")]
async fn stream_lines() -> HttpResponse {
    let line = |number| Ok::<_, std::convert::Infallible>(Bytes::from(format!("{{\"number\":{number}}}\n")));
    let lines = futures::stream::iter((0..1_000).map(line));
    HttpResponse::Ok().content_type("application/x-ndjson").streaming(lines)
}

#[utoipa::path(tag = "catalog", responses((status = 200)))]
#[get("/api/v1/packed")]
async fn get_packed(request: HttpRequest) -> HttpResponse {
    let plain = json!({"packed": "word ".repeat(1_000)}).to_string();
    let packed = packed::pack(plain.as_bytes()).unwrap().filter(|_| packed::is_wanted(&request));
    let mut response = HttpResponse::Ok();
    response.content_type("application/json").insert_header((ETAG, "\"7\""));
    match packed {
        Some(packed) => response.insert_header((CONTENT_ENCODING, "gzip")).body(packed),
        None => response.body(plain),
    }
}

#[utoipa::path(tag = "catalog", responses((status = 200)))]
#[get("/api/v1/names/{name}")]
async fn get_name(request: HttpRequest, name: PathText<String>) -> Result<HttpResponse, HttpError> {
    let same: String = shop_http::extract::path_parameter(&request, "name")?;
    Ok(reply::ok(&json!([name.0, same])))
}

#[utoipa::path(tag = "catalog", responses((status = 204)))]
#[post("/api/v1/rest")]
async fn rest(_: NoBody) -> HttpResponse {
    reply::no_content()
}

/// The URL table.
pub(crate) fn configure(config: &mut ServiceConfig<'_>) {
    config
        .service(create_product)
        .service(list_products)
        .service(get_product)
        .service(export_products)
        .service(change_product)
        .service(archive_product)
        .service(get_stock)
        .service(place_order)
        .service(search)
        .service(get_me)
        .service(fail)
        .service(panic)
        .service(sleep)
        .service(landing_page)
        .service(get_long)
        .service(get_picture)
        .service(stream_lines)
        .service(get_packed)
        .service(get_name)
        .service(rest);
}

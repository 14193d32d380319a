//! HTTP in. What stands here is public and says nothing that is not; what admins do stands in `routes/dead_letters`.

mod dead_letters;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, RETRY_AFTER};
use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use shop_http::access::{Access, Method, Route};
use shop_http::{Code, reply};
use shop_telemetry::metrics::resident_bytes;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::{App, HEALTH_LIFE};
use crate::domain::{self, ServiceHealth};

/// Who may call each route.
pub(crate) const ACCESS: &[Route] = &[
    (Method::Get, "/", Access::PUBLIC),
    (Method::Get, "/health", Access::PUBLIC),
    (Method::Get, "/api", Access::PUBLIC),
    (Method::Get, "/errors", Access::PUBLIC),
    (Method::Get, "/openapi.json", Access::PUBLIC),
    (Method::Get, "/swagger-2.0.json", Access::PUBLIC),
    (Method::Get, "/api-docs", Access::PUBLIC),
    (Method::Get, "/tester", Access::PUBLIC),
    (Method::Get, "/api/v1/admin/dead-letters", Access::ADMIN),
    (Method::Post, "/api/v1/admin/dead-letters/{service}/{id}/retry", Access::ADMIN),
    (Method::Delete, "/api/v1/admin/dead-letters/{service}/{id}", Access::ADMIN),
];

/// The error codes of edge alone.
pub(crate) const CODES: &[Code] = &[
    ("dead_letter_unreadable", 409, "This version of the service cannot make an event of the dead letter; it stays."),
    ("dead_letter_failed_again", 409, "The event was handed over and failed again; the dead letter stays."),
];

const PAGE: &str = include_str!("page.html");
/// The reference of all calls, which reads the document when it is opened.
const REFERENCE: &str = include_str!("reference.html");
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'";

/// How the shop is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HealthBody {
    /// `OK`, or `DEGRADED` when a service or one of its stores does not answer.
    status: &'static str,
    service: &'static str,
    version: &'static str,
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
    /// Seconds since this process started.
    uptime: u64,
    /// Absent where the system does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<MemoryBody>,
    services: Vec<ServiceBody>,
}

/// What the process that answers takes of its machine.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MemoryBody {
    /// Bytes of memory in use.
    rss: u64,
}

/// How one service is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServiceBody {
    name: &'static str,
    /// `OK`, `DEGRADED` when a store does not answer, `DOWN` when it does not answer itself.
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uptime: Option<u64>,
    /// Its stores and whether they answer.
    #[schema(value_type = Object)]
    dependencies: Value,
}

impl From<&ServiceHealth> for ServiceBody {
    fn from(health: &ServiceHealth) -> Self {
        let answer = health.answer.as_ref();
        let dependencies = answer.map(|answer| answer.dependencies.as_slice()).unwrap_or_default();
        Self {
            name: health.name,
            status: match (answer, health.is_well()) {
                (None, _) => "DOWN",
                (Some(_), true) => "OK",
                (Some(_), false) => "DEGRADED",
            },
            version: answer.map(|answer| answer.version.clone()),
            uptime: answer.map(|answer| answer.uptime_seconds),
            dependencies: dependencies
                .iter()
                .map(|(name, reachable)| (name.clone(), json!(if *reachable { "reachable" } else { "unreachable" })))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }
}

/// The landing page.
#[utoipa::path(tag = "edge", responses((status = 200, description = "The landing page", content_type = "text/html")))]
#[get("/")]
pub(crate) async fn landing_page() -> HttpResponse {
    page(PAGE)
}

/// Shows every call with its examples, and sends them.
#[utoipa::path(tag = "edge", responses((status = 200, description = "The reference", content_type = "text/html")))]
#[get("/api-docs")]
pub(crate) async fn show_reference() -> HttpResponse {
    page(REFERENCE)
}

/// The same page by the name that testers know.
#[utoipa::path(tag = "edge", responses((status = 200, description = "The reference", content_type = "text/html")))]
#[get("/tester")]
pub(crate) async fn show_tester() -> HttpResponse {
    page(REFERENCE)
}

fn page(page: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((CONTENT_SECURITY_POLICY, PAGE_POLICY))
        .insert_header((CACHE_CONTROL, "public, max-age=60"))
        .body(page)
}

/// Tells how the shop is: every service, and every store that it needs.
#[utoipa::path(tag = "edge", responses(
    (status = 200, description = "All is well", body = HealthBody),
    (status = 503, description = "A service or one of its stores does not answer", body = HealthBody,
        headers(("Retry-After" = u64, description = "Seconds until the services are asked again"))),
))]
#[get("/health")]
pub(crate) async fn get_health(app: Data<App>) -> HttpResponse {
    let services = app.health().await;
    let well = domain::is_well(&services);
    let body = HealthBody {
        status: if well { "OK" } else { "DEGRADED" },
        service: "shopmesh",
        version: shop_service::version(),
        timestamp: app.now(),
        uptime: app.uptime_seconds(),
        memory: resident_bytes().map(|rss| MemoryBody { rss }),
        services: services.iter().map(ServiceBody::from).collect(),
    };
    if well {
        return reply::ok(&body);
    }
    let mut response = reply::with_status(StatusCode::SERVICE_UNAVAILABLE, None, &body);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(HEALTH_LIFE.as_secs()));
    response
}

/// Lists the calls of all services.
#[utoipa::path(tag = "edge", responses((status = 200, description = "Version and calls", body = Object)))]
#[get("/api")]
pub(crate) async fn get_index(app: Data<App>) -> HttpResponse {
    let endpoints = domain::calls(&app.document().await);
    reply::ok(&json!({
        "message": "shopmesh API",
        "version": shop_service::version(),
        "documentation": "/openapi.json",
        "reference": "/api-docs",
        "errors": "/errors",
        "endpoints": endpoints,
    }))
}

/// Lists every error code that a call can answer with.
#[utoipa::path(tag = "edge", responses((status = 200, description = "Codes with status and meaning", body = Object)))]
#[get("/errors")]
pub(crate) async fn list_errors(app: Data<App>) -> HttpResponse {
    let shared = shop_http::CODES
        .iter()
        .map(|(code, status, meaning)| json!({ "code": code, "status": status, "meaning": meaning }));
    let mut items: Vec<Value> = shared.chain(app.service_codes().await).collect();
    items.sort_by(|a, b| (a["status"].as_u64(), a["code"].as_str()).cmp(&(b["status"].as_u64(), b["code"].as_str())));
    items.dedup();
    reply::ok(&json!({ "items": items }))
}

/// The OpenAPI 3.1 document of this service and all others that answer.
#[utoipa::path(tag = "edge", responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
#[get("/openapi.json")]
pub(crate) async fn get_openapi(app: Data<App>) -> HttpResponse {
    reply::ok(&app.document().await)
}

/// The same document in the words of Swagger 2.0, for tools that read no other.
#[utoipa::path(tag = "edge", responses((status = 200, description = "Swagger 2.0", body = Object)))]
#[get("/swagger-2.0.json")]
pub(crate) async fn get_swagger(app: Data<App>) -> HttpResponse {
    reply::ok(&app.swagger().await)
}

pub(crate) fn configure(routes: &mut ServiceConfig<'_>) {
    routes
        .service(landing_page)
        .service(get_health)
        .service(get_index)
        .service(list_errors)
        .service(get_openapi)
        .service(get_swagger)
        .service(show_reference)
        .service(show_tester)
        .service(dead_letters::list_dead_letters)
        .service(dead_letters::retry_dead_letter)
        .service(dead_letters::discard_dead_letter);
}

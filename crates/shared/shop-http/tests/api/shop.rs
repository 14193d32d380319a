//! The service under test, its keys and clock, and the client. Nothing here asserts but for what a test needs to begin.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use shop_auth::{Signer, Verifier};
use shop_config::AuthConfig;
use shop_http::{
    Access, Body, ErrorBody, Guard, HttpError, IfMatch, Key, LoggedIn, MaybeGuest, MaybeIfNoneMatch, MaybeKey, Method,
    Mount, PageQuery, Paged, PathId, PathText, Query, Route, Who, reply, server,
};
use shop_telemetry::context;
use shop_telemetry::metrics::{self, Metrics};
use shop_types::id::ProductKind;
use shop_types::{
    Clock, Detail, Email, ErrorKind, Id, IdempotencyKey, Money, ProductId, Quantity, Role, ServiceError, SessionId,
    Sku, UserId,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

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

/// How the operations of the service fail.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("there is not enough stock")]
    SoldOut,
    #[error("failed to read products from db-7.internal")]
    Store(#[source] std::io::Error),
    #[error("db-7.internal is away")]
    Away,
    #[error("too many requests")]
    Slow,
}

impl ServiceError for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::SoldOut => ErrorKind::Conflict,
            Self::Store(_) => ErrorKind::Internal,
            Self::Away => ErrorKind::Unavailable,
            Self::Slow => ErrorKind::RateLimited,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::SoldOut => "sold_out",
            Self::Store(_) => "internal",
            Self::Away => "unavailable",
            Self::Slow => "rate_limited",
        }
    }

    fn details(&self) -> Vec<Detail> {
        match self {
            Self::SoldOut => vec![Detail::new("lines[0].quantity", "only 3 are left")],
            Self::Store(_) | Self::Away | Self::Slow => Vec::new(),
        }
    }

    fn extra(&self) -> Map<String, Value> {
        match self {
            Self::SoldOut => Map::from_iter([("available".to_owned(), json!(3)), ("code".to_owned(), json!("forged"))]),
            Self::Store(_) | Self::Away | Self::Slow => Map::new(),
        }
    }
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
        .service(landing_page);
}

/// Stands still; ids count up.
#[derive(Debug, Default)]
struct StillClock(AtomicU64);

pub(crate) fn now() -> Timestamp {
    "2026-01-02T03:04:05.678901Z".parse().unwrap()
}

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        now()
    }

    fn new_id(&self) -> Uuid {
        Uuid::from_u128(self.0.fetch_add(1, Ordering::SeqCst).into())
    }
}

/// The service, running.
pub(crate) struct Shop {
    pub(crate) app: Arc<App>,
    pub(crate) client: reqwest::Client,
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) address: std::net::SocketAddr,
    metrics: Metrics,
    signer: Signer,
    handle: ServerHandle,
    _keys: tempfile::NamedTempFile,
}

impl Drop for Shop {
    fn drop(&mut self) {
        // Nobody awaits it: the sockets of a test close with its runtime.
        drop(self.handle.stop(false));
    }
}

impl Shop {
    /// Starts it with its own keys on a free port.
    pub(crate) async fn start() -> Self {
        Self::start_with(ACCESS).await
    }

    /// Starts it with another access table.
    pub(crate) async fn start_with(access: &'static [Route]) -> Self {
        let keys = tempfile::NamedTempFile::new().unwrap();
        let auth = AuthConfig {
            key_set_file: keys.path().to_owned(),
            issuer: "https://shop.example".to_owned(),
            audience: "shop".to_owned(),
        };
        let pem = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap().serialize_pem();
        let signer = Signer::from_pem(&pem, &auth).unwrap();
        std::fs::write(keys.path(), shop_auth::key_set_json(&[signer.jwk()])).unwrap();
        let verifier = Verifier::load(&auth).await.unwrap();

        let app = Arc::new(App::default());
        let metrics = Metrics::new("sample");
        let mounts = vec![Mount::new("sample", metrics.clone(), &app, access, configure)];
        let guard = Guard::new(&mounts, Arc::clone(&verifier), Arc::new(StillClock::default())).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let server = server::listen(listener, 1, mounts, guard).unwrap();
        let handle = server.handle();
        tokio::spawn(server);
        let client = reqwest::Client::builder().build().unwrap();
        Self { app, client, verifier, address, metrics, signer, handle, _keys: keys }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A token that ends `life` after now; a negative life has ended already.
    pub(crate) fn token_of(&self, role: Role, session: u128, issued: SignedDuration) -> String {
        let user = UserId::from_uuid(Uuid::from_u128(77));
        let session = SessionId::from_uuid(Uuid::from_u128(session));
        let issued = now().checked_add(issued).unwrap();
        self.signer.sign(user, session, role, issued, Duration::from_secs(600), Uuid::from_u128(1)).unwrap()
    }

    pub(crate) fn token(&self, role: Role) -> String {
        self.token_of(role, 5, SignedDuration::ZERO)
    }

    pub(crate) fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.get(self.url(path))
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method.parse().unwrap(), self.url(path))
    }

    /// A product body sent as a customer.
    pub(crate) fn post_product(&self, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
        self.client
            .post(self.url("/api/v1/products"))
            .bearer_auth(self.token(Role::Customer))
            .header("Content-Type", "application/json")
            .body(body)
    }

    pub(crate) fn metrics_text(&self) -> String {
        metrics::render(std::slice::from_ref(&self.metrics))
    }
}

/// Sends text as it is and reads until the server closes.
pub(crate) async fn raw(shop: &Shop, request: &str) -> String {
    let mut stream = TcpStream::connect(shop.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Status and JSON body of an answer.
pub(crate) async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(Value::String(text)) };
    (status, body)
}

/// Status, code and first field at fault of a refusal.
pub(crate) async fn refusal(request: reqwest::RequestBuilder) -> (u16, String, String) {
    let (status, body) = answer(request).await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (status, text(&body["code"]), text(&body["details"][0]["field"]))
}

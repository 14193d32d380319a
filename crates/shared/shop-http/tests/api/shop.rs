//! The service running on a real port, with its keys and a clock that stands still, and the client that asks it.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use shop_auth::{Signer, Verifier};
use shop_config::AuthConfig;
use shop_http::{Cors, Guard, Limiter, Limits, Mount, Route, server};
use shop_telemetry::metrics::{self, Metrics};
use shop_types::{AuditTrail, Clock, Rate, Role, SessionId, UserId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::service::{ACCESS, App, aliases, configure};

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

/// More than a test can send.
fn unlimited() -> Limits {
    let rate = Rate::new(1_000_000, Duration::from_secs(1)).unwrap();
    Limits { general: rate, authentication: rate, trusted_proxies: Vec::new() }
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
        Self::start_limited(access, unlimited()).await
    }

    /// Starts it with limits that this process counts alone.
    pub(crate) async fn start_limited(access: &'static [Route], limits: Limits) -> Self {
        Self::start_fully(access, limits, Cors::new(Vec::new(), false, 0), None).await
    }

    /// Starts it for pages of other origins.
    pub(crate) async fn start_for_pages(cors: Cors) -> Self {
        Self::start_fully(ACCESS, unlimited(), cors, None).await
    }

    /// Starts it with somewhere to write calls down.
    pub(crate) async fn start_recorded(access: &'static [Route], trail: Arc<dyn AuditTrail>) -> Self {
        Self::start_fully(access, unlimited(), Cors::new(Vec::new(), false, 0), Some(trail)).await
    }

    async fn start_fully(
        access: &'static [Route],
        limits: Limits,
        cors: Cors,
        trail: Option<Arc<dyn AuditTrail>>,
    ) -> Self {
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
        let mount = Mount::new("sample", metrics.clone(), &app, access, configure);
        let mount = match trail {
            Some(trail) => mount.recorded(trail),
            None => mount,
        };
        let older = (aliases::ALIASES, false);
        let mounts = vec![mount, Mount::aliases("sample", metrics.clone(), &app, older, aliases::configure)];
        let limiter = Limiter::new(limits, None, &metrics).unwrap();
        let guard = Guard::new(&mounts, limiter, cors, Arc::clone(&verifier), Arc::new(StillClock::default())).unwrap();
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

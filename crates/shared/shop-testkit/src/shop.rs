//! A running service with databases, Redis keys and signing keys of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use shop_config::{
    Aliases, AuthConfig, Config, CorsConfig, IdentityConfig, LimitsConfig, MongoConfig, PaymentConfig, PaymentProvider,
    RateConfig, RedisConfig, Secret, TelemetryConfig,
};
use shop_service::{Running, Service, SystemClock};
use shop_types::Clock as _;
use tempfile::TempDir;
use tonic::service::Routes;

use crate::callers::Callers;
use crate::servers::{mongodb_uri, redis_url};

/// What services call themselves, also to MongoDB; tests that look into databases have another name there.
const POD: &str = "test-0";
/// An address where nobody ever listens.
const NOBODY: ([u8; 4], u16) = ([127, 0, 0, 1], 1);

/// More than a test can send.
const UNLIMITED: RateConfig = RateConfig { requests: 1_000_000, window: Duration::from_secs(1) };

/// What stands beside the service under test.
#[derive(Default)]
pub struct Peers {
    /// Generated servers that play all other services; without them every peer is away.
    pub grpc: Option<Routes>,
    /// Base URL of the payment provider.
    pub payment_url: Option<String>,
    /// API key of the payment provider.
    pub payment_api_key: Option<String>,
    /// The secret that the provider signs webhooks with; `test-secret` by default.
    pub payment_webhook_secret: Option<String>,
}

/// One or more services in this process. Ends and drops its databases when it goes out of scope; and fails when a service
/// has asked something of MongoDB that no index answers.
pub struct TestShop {
    running: Option<Running>,
    config: Config,
    callers: Callers,
    client: reqwest::Client,
    directory: TempDir,
    peers: Option<tokio::task::JoinHandle<()>>,
}

impl TestShop {
    /// Starts one service and waits until it is ready.
    ///
    /// # Panics
    /// When a server is away or the service does not become ready within 20 s.
    pub async fn start<F>(build: impl FnOnce(Config) -> F) -> Self
    where
        F: Future<Output = anyhow::Result<Service>>,
    {
        Self::start_beside(Peers::default(), build).await
    }

    /// Starts one service with peers.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub async fn start_beside<F>(peers: Peers, build: impl FnOnce(Config) -> F) -> Self
    where
        F: Future<Output = anyhow::Result<Service>>,
    {
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::launch(peers, anywhere, NOBODY.into(), async move |config| Ok(vec![build(config).await?])).await
    }

    /// Starts several services as one process that are each other's peers.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub async fn start_all<F>(peers: Peers, build: impl FnOnce(Config) -> F) -> Self
    where
        F: Future<Output = anyhow::Result<Vec<Service>>>,
    {
        let own_grpc = free_address();
        Self::launch(peers, own_grpc, own_grpc, build).await
    }

    async fn launch<F>(
        peers: Peers,
        own_grpc: SocketAddr,
        no_peers: SocketAddr,
        build: impl FnOnce(Config) -> F,
    ) -> Self
    where
        F: Future<Output = anyhow::Result<Vec<Service>>>,
    {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let pem = write_keys(&directory);
        let (peer_address, peers_task) = match peers.grpc {
            Some(routes) => {
                let (address, task) = serve_peers(routes).await;
                (address, Some(task))
            }
            None => (no_peers, None),
        };
        let api_key_file = directory.path().join("psp-key");
        std::fs::write(&api_key_file, peers.payment_api_key.unwrap_or_else(|| "test-key".into()))
            .expect("a file can be written");
        let webhook_secret_file = directory.path().join("psp-webhook-secret");
        std::fs::write(&webhook_secret_file, peers.payment_webhook_secret.unwrap_or_else(|| "test-secret".into()))
            .expect("a file can be written");
        let mut config = base_config(&directory, own_grpc, peer_address);
        config.payment = PaymentConfig {
            provider: PaymentProvider::Sandbox,
            url: peers.payment_url.unwrap_or_else(|| "http://127.0.0.1:1".into()),
            api_key_file: Some(api_key_file),
            webhook_secret_file: Some(webhook_secret_file),
        };
        let settings = config.mongodb.as_ref().expect("test shops have a MongoDB");
        shop_mongo::watch_plans(settings, &service_names(), POD).await.expect("the tests' MongoDB can be used");
        let services =
            build(config.clone()).await.unwrap_or_else(|error| panic!("the service does not start: {error:#}"));
        let running =
            shop_service::launch(services).await.unwrap_or_else(|error| panic!("the service does not run: {error:#}"));
        let shop = Self {
            callers: Callers::new(&pem, &config.auth),
            client: reqwest::Client::builder().timeout(Duration::from_secs(20)).build().expect("a client can be made"),
            running: Some(running),
            config,
            directory,
            peers: peers_task,
        };
        shop.wait_until_ready().await;
        shop
    }

    async fn wait_until_ready(&self) {
        let url = format!("http://{}/readyz", self.running().admin);
        for _ in 0..400 {
            if self.client.get(&url).send().await.is_ok_and(|reply| reply.status().is_success()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the service is not ready after 20 s");
    }

    /// The running process: its addresses.
    ///
    /// # Panics
    /// After [`Self::stop`].
    #[must_use]
    pub fn running(&self) -> &Running {
        self.running.as_ref().expect("the shop was stopped already")
    }

    /// The settings it runs with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The URL of a path on the public port.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running().http)
    }

    /// The URL of a path on the admin port.
    #[must_use]
    pub fn admin_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running().admin)
    }

    /// Endpoint of the gRPC port.
    #[must_use]
    pub fn grpc_url(&self) -> String {
        format!("http://{}", self.running().grpc)
    }

    /// Callers whose tokens this shop accepts.
    #[must_use]
    pub fn callers(&self) -> &Callers {
        &self.callers
    }

    /// A pooled HTTP client.
    #[must_use]
    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// The folder with the test's keys; gone with the shop.
    #[must_use]
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// A handle of a service's database, for looking and for writing around the service.
    ///
    /// # Panics
    /// When the client cannot be made.
    pub async fn mongo(&self, service: &str) -> shop_mongo::Mongo {
        let settings = self.config.mongodb.as_ref().expect("test shops have a MongoDB");
        shop_mongo::Mongo::connect_from("looks", service, settings, &shop_telemetry::metrics::Metrics::new(service))
            .await
            .expect("the test's MongoDB can be used")
    }

    /// Stops the services in order, as SIGTERM does.
    pub async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }
}

impl Drop for TestShop {
    /// Ends what runs and drops the databases, on a thread of its own because a drop cannot wait.
    fn drop(&mut self) {
        if let Some(task) = self.peers.take() {
            task.abort();
        }
        if let Some(running) = self.running.take() {
            running.abort();
        }
        let Some(settings) = self.config.mongodb.clone() else { return };
        let dropping = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
            runtime.block_on(async {
                let unplanned = shop_mongo::unplanned(&settings, &service_names()).await?;
                shop_mongo::drop_databases(&settings).await?;
                Ok::<_, shop_mongo::Error>(unplanned)
            })
        });
        let dropped = dropping.join();
        if std::thread::panicking() {
            // A test that fails already shall tell its own reason.
            return;
        }
        let unplanned = dropped
            .expect("the thread that cleans up does not panic")
            .unwrap_or_else(|error| panic!("the test's databases could not be dropped: {error}"));
        assert!(unplanned.is_empty(), "asked of MongoDB without an index:\n{}", unplanned.join("\n"));
    }
}

fn service_names() -> Vec<&'static str> {
    shop_config::SERVICES.iter().map(|service| service.name).collect()
}

fn write_keys(directory: &TempDir) -> String {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key can be made");
    let pem = key.serialize_pem();
    let public: [u8; 32] = key.public_key_raw().try_into().expect("an Ed25519 key has 32 bytes");
    let jwks = shop_auth::key_set_json(&[shop_auth::jwk_from_public(&public)]);
    std::fs::write(directory.path().join("jwks.json"), jwks).expect("a file can be written");
    std::fs::write(directory.path().join("signing.pem"), &pem).expect("a file can be written");
    pem
}

fn base_config(directory: &TempDir, grpc: SocketAddr, peers: SocketAddr) -> Config {
    let id = SystemClock.new_id().simple().to_string();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let file = |name: &str| -> PathBuf { directory.path().join(name) };
    Config {
        pod: POD.into(),
        http: any,
        grpc,
        admin: any,
        peer_url: format!("http://{peers}"),
        currency: "EUR".into(),
        aliases: Aliases::On,
        mongodb: Some(MongoConfig {
            uri: Secret::new(mongodb_uri()),
            database_prefix: format!("t_{}", &id[16..]),
            owner: None,
            max_pool_size: 20,
        }),
        redis: Some(RedisConfig { url: Secret::new(redis_url()), key_prefix: format!("t:{id}:") }),
        auth: AuthConfig {
            key_set_file: file("jwks.json"),
            issuer: "shopmesh-test".into(),
            audience: "shopmesh".into(),
        },
        identity: IdentityConfig {
            signing_key_file: Some(file("signing.pem")),
            admin_email_file: None,
            admin_password_file: None,
            shop_uid: None,
            access_token_ttl: Duration::from_secs(600),
            refresh_token_ttl: Duration::from_secs(2_592_000),
            refresh_token_idle: Duration::from_secs(604_800),
        },
        payment: PaymentConfig {
            provider: PaymentProvider::Sandbox,
            url: String::new(),
            api_key_file: None,
            webhook_secret_file: None,
        },
        order_deadline: Duration::from_secs(900),
        // All requests of a test come from one address.
        limits: LimitsConfig { general: UNLIMITED, authentication: UNLIMITED, trusted_proxies: Vec::new() },
        cors: CorsConfig { origins: Vec::new(), credentials: false, max_age_seconds: 600 },
        telemetry: TelemetryConfig { log: "warn".into(), otlp_endpoint: None, sampling_percent: 0 },
        drain_delay: Duration::ZERO,
    }
}

/// A port that was free a moment ago; the service under test binds it next.
fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port can be bound");
    listener.local_addr().expect("a bound port has an address")
}

async fn serve_peers(routes: Routes) -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port can be bound");
    let address = listener.local_addr().expect("a bound port has an address");
    let task = tokio::spawn(async move {
        let served = shop_mesh::server::serve(listener, routes, tokio_util::sync::CancellationToken::new()).await;
        served.expect("the fake peers serve");
    });
    (address, task)
}

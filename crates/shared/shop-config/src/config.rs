//! The settings of one process, typed. How they are written as environment variables stands in `environment`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::Secret;

/// Everything a process is told. The same struct is filled from the environment by a pod and written by the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// This pod's name, in the register of database sessions and in logs about it.
    pub pod: String,
    /// Where public HTTP listens.
    pub http: SocketAddr,
    /// Where gRPC listens.
    pub grpc: SocketAddr,
    /// Where `/livez`, `/readyz` and `/metrics` listen.
    pub admin: SocketAddr,
    /// URL of a peer's gRPC port with `{service}` in it, e.g. `http://demo-{service}:9090`.
    pub peer_url: String,
    /// ISO 4217 code of all prices of the shop.
    pub currency: String,
    /// Which older names of calls are served.
    pub aliases: Aliases,
    /// The MongoDB deployment; absent for processes that need none.
    pub mongodb: Option<MongoConfig>,
    /// The Redis server; absent for processes that need none.
    pub redis: Option<RedisConfig>,
    /// How access tokens are verified.
    pub auth: AuthConfig,
    /// What only identity needs.
    pub identity: IdentityConfig,
    /// What only payment needs.
    pub payment: PaymentConfig,
    /// How long an order may wait for its money before it is rejected: 5 s to 24 h (a Shop takes 60 s or more),
    /// 900 s by default (ruling 13).
    pub order_deadline: Duration,
    /// How often clients may ask.
    pub limits: LimitsConfig,
    /// Which web pages of other origins may call.
    pub cors: CorsConfig,
    /// Logs and traces.
    pub telemetry: TelemetryConfig,
    /// How long after SIGTERM new requests are still taken, so that load balancers notice: 0 to 60 s, 5 s by default (ruling 36).
    pub drain_delay: Duration,
}

/// Which older names of calls are served, beside `/api/v1`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Aliases {
    /// None.
    Off,
    /// All of them, by the access rules of the calls that they stand for.
    #[default]
    On,
    /// All of them, and some of them for callers without a token: for testers and load scripts that send none.
    Open,
}

/// How to reach MongoDB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MongoConfig {
    /// Connection string; majority read and write concern are set by us, whatever it says.
    pub uri: Secret,
    /// Databases are named `<prefix>_<service>`.
    pub database_prefix: String,
    /// The Shop that owns the databases (ruling 32): `<namespace>/<name>`, so that a re-created Shop of the same name
    /// adopts its data. Only `shopmesh check-database` looks at it.
    pub owner: Option<String>,
    /// Most connections per pod, 1 to 500, 10 by default.
    pub max_pool_size: u32,
}

/// How to reach Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisConfig {
    /// `redis://:password@host:6379/0` or `rediss://`.
    pub url: Secret,
    /// Put before every key, so that tests and shops may share a server; ends with `:`.
    pub key_prefix: String,
}

/// How access tokens are verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthConfig {
    /// The mounted JWKS with the public keys (ruling 26).
    pub key_set_file: PathBuf,
    /// Expected `iss`.
    pub issuer: String,
    /// Expected `aud`.
    pub audience: String,
}

/// What only identity needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityConfig {
    /// The mounted Ed25519 private key (PKCS #8 PEM); its key id is the JWKS thumbprint (RFC 7638).
    pub signing_key_file: Option<PathBuf>,
    /// E-mail of the first admin, from a mounted Secret (ruling 24).
    pub admin_email_file: Option<PathBuf>,
    /// Password of the first admin, from the same Secret.
    pub admin_password_file: Option<PathBuf>,
    /// UID of the Shop that this process belongs to: a re-created Shop has another one (ADR 0002). `None` outside of
    /// Kubernetes.
    pub shop_uid: Option<String>,
    /// Life of an access token, 60 s to 24 h, 600 s by default.
    pub access_token_ttl: Duration,
    /// Absolute life of a session, 5 min to 90 d, 30 d by default.
    pub refresh_token_ttl: Duration,
    /// A session ends when it was not refreshed for so long; 7 d by default.
    pub refresh_token_idle: Duration,
}

/// Which payment provider is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentProvider {
    /// The sandbox: no real money.
    Sandbox,
}

/// What only payment needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentConfig {
    /// The provider.
    pub provider: PaymentProvider,
    /// Base URL of the provider's API.
    pub url: String,
    /// The mounted API key.
    pub api_key_file: Option<PathBuf>,
    /// The mounted secret that the provider signs its webhooks with; without it webhooks are refused.
    pub webhook_secret_file: Option<PathBuf>,
}

/// How often clients may ask, and whose word for who they are is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitsConfig {
    /// Of most routes: 5,000 in 900 s by default (C17 of `docs/reference/promises.md`).
    pub general: RateConfig,
    /// Of routes that check passwords or send letters: 500 in 900 s by default.
    pub authentication: RateConfig,
    /// Proxies in front of the ingress whose `X-Forwarded-For` is believed; none by default.
    pub trusted_proxies: Vec<IpNet>,
}

/// So many requests of one client in so much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateConfig {
    /// 1 to 1,000,000.
    pub requests: u32,
    /// Whole seconds, 1 s to 24 h.
    pub window: Duration,
}

/// Which web pages of other origins may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorsConfig {
    /// Origins such as `https://shop.example`, or `*` for all; none by default, which turns it off.
    pub origins: Vec<String>,
    /// Whether browsers send credentials along; never together with `*`.
    pub credentials: bool,
    /// How many seconds a browser may keep the answer to a preflight: 0 to 86,400, 600 by default.
    pub max_age_seconds: u32,
}

/// Logs and traces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TelemetryConfig {
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,order=debug`.
    pub log: String,
    /// OTLP endpoint for traces (gRPC); none: no traces are sent.
    pub otlp_endpoint: Option<String>,
    /// Share of traces that start here and are kept, 0 to 100 percent.
    pub sampling_percent: u8,
}

//! What the operator tells a pod: the service table, environment names, ports and mounted files.
//!
//! The one place where services are listed ([`SERVICES`]) and the only crate that reads the environment. Deployments,
//! routes, network policies and `shopmesh all` are derived from here. No I/O but `std::env`.

pub mod config;
pub mod environment;
pub mod secret;
pub mod table;

pub use config::{
    Aliases, AuthConfig, Config, CorsConfig, IdentityConfig, LimitsConfig, MongoConfig, PaymentConfig, PaymentProvider,
    RateConfig, RedisConfig, TelemetryConfig,
};
pub use environment::{ConfigError, names};
pub use secret::Secret;
pub use table::{ADMIN_PORT, GRPC_PORT, HTTP_PORT, SERVICES, ServiceSpec, Store, service};

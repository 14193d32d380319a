//! What the operator tells a pod: the service table, environment names, ports and mounted files.
//!
//! Services are listed here ([`SERVICES`]): Deployments, Services and NGINX locations are derived from it. And no other
//! crate reads what a service is told by environment; the operator and the sandbox payment provider have variables of
//! their own. No I/O but `std::env`.

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

//! Every name that a process of ours reads.

/// Pod name.
pub const POD: &str = "SHOPMESH_POD";
/// Address of public HTTP.
pub const HTTP_ADDRESS: &str = "SHOPMESH_HTTP_ADDRESS";
/// Address of gRPC.
pub const GRPC_ADDRESS: &str = "SHOPMESH_GRPC_ADDRESS";
/// Address of the admin port.
pub const ADMIN_ADDRESS: &str = "SHOPMESH_ADMIN_ADDRESS";
/// URL template of peers.
pub const PEER_URL: &str = "SHOPMESH_PEER_URL";
/// Currency of the shop.
pub const CURRENCY: &str = "SHOPMESH_CURRENCY";
/// Which compatibility aliases are served.
pub const ALIASES: &str = "SHOPMESH_ALIASES";
/// MongoDB connection string.
pub const MONGO_URI: &str = "MONGO_URI";
/// The same under another name (C17 of `docs/reference/promises.md`).
pub const MONGODB_URL: &str = "MONGODB_URL";
/// Prefix of database names.
pub const DATABASE_PREFIX: &str = "SHOPMESH_DATABASE_PREFIX";
/// `<namespace>/<name>` of the Shop that owns the databases; read by `shopmesh check-database` alone.
pub const DATABASE_OWNER: &str = "SHOPMESH_DATABASE_OWNER";
/// Most MongoDB connections.
pub const MONGODB_MAX_POOL_SIZE: &str = "SHOPMESH_MONGODB_MAX_POOL_SIZE";
/// Redis URL.
pub const REDIS_URL: &str = "REDIS_URL";
/// Prefix of Redis keys.
pub const REDIS_KEY_PREFIX: &str = "SHOPMESH_REDIS_KEY_PREFIX";
/// JWKS file.
pub const KEY_SET_FILE: &str = "SHOPMESH_KEY_SET_FILE";
/// Token issuer.
pub const TOKEN_ISSUER: &str = "SHOPMESH_TOKEN_ISSUER";
/// Token audience.
pub const TOKEN_AUDIENCE: &str = "SHOPMESH_TOKEN_AUDIENCE";
/// Private key file.
pub const SIGNING_KEY_FILE: &str = "SHOPMESH_SIGNING_KEY_FILE";
/// File with the first admin's e-mail.
pub const ADMIN_EMAIL_FILE: &str = "SHOPMESH_ADMIN_EMAIL_FILE";
/// File with the first admin's password.
pub const ADMIN_PASSWORD_FILE: &str = "SHOPMESH_ADMIN_PASSWORD_FILE";
/// UID of the Shop.
pub const SHOP_UID: &str = "SHOPMESH_SHOP_UID";
/// Access token life in seconds.
pub const ACCESS_TOKEN_TTL_SECONDS: &str = "SHOPMESH_ACCESS_TOKEN_TTL_SECONDS";
/// Session life in seconds.
pub const REFRESH_TOKEN_TTL_SECONDS: &str = "SHOPMESH_REFRESH_TOKEN_TTL_SECONDS";
/// Session idle life in seconds.
pub const REFRESH_TOKEN_IDLE_SECONDS: &str = "SHOPMESH_REFRESH_TOKEN_IDLE_SECONDS";
/// Payment provider.
pub const PAYMENT_PROVIDER: &str = "SHOPMESH_PAYMENT_PROVIDER";
/// Payment provider's URL.
pub const PAYMENT_URL: &str = "SHOPMESH_PAYMENT_URL";
/// File with the provider's API key.
pub const PAYMENT_API_KEY_FILE: &str = "SHOPMESH_PAYMENT_API_KEY_FILE";
/// File with the secret that the provider signs its webhooks with.
pub const PAYMENT_WEBHOOK_SECRET_FILE: &str = "SHOPMESH_PAYMENT_WEBHOOK_SECRET_FILE";
/// Order deadline in seconds.
pub const ORDER_DEADLINE_SECONDS: &str = "SHOPMESH_ORDER_DEADLINE_SECONDS";
/// Requests of one client in a window.
pub const RATE_LIMIT_REQUESTS: &str = "SHOPMESH_RATE_LIMIT_REQUESTS";
/// The window in seconds.
pub const RATE_LIMIT_WINDOW_SECONDS: &str = "SHOPMESH_RATE_LIMIT_WINDOW_SECONDS";
/// The same for routes that check passwords or send letters.
pub const AUTH_RATE_LIMIT_REQUESTS: &str = "SHOPMESH_AUTH_RATE_LIMIT_REQUESTS";
/// Their window in seconds.
pub const AUTH_RATE_LIMIT_WINDOW_SECONDS: &str = "SHOPMESH_AUTH_RATE_LIMIT_WINDOW_SECONDS";
/// Networks of proxies in front of the ingress.
pub const TRUSTED_PROXIES: &str = "SHOPMESH_TRUSTED_PROXIES";
/// Origins whose pages may call.
pub const CORS_ORIGINS: &str = "SHOPMESH_CORS_ORIGINS";
/// Whether they send credentials.
pub const CORS_CREDENTIALS: &str = "SHOPMESH_CORS_CREDENTIALS";
/// How long a preflight counts, in seconds.
pub const CORS_MAX_AGE_SECONDS: &str = "SHOPMESH_CORS_MAX_AGE_SECONDS";
/// Log filter.
pub const LOG: &str = "SHOPMESH_LOG";
/// OTLP endpoint (OpenTelemetry's own name).
pub const OTLP_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// Trace sampling in percent.
pub const SAMPLING_PERCENT: &str = "SHOPMESH_TRACE_SAMPLING_PERCENT";
/// Seconds between SIGTERM and the end of new requests.
pub const DRAIN_DELAY_SECONDS: &str = "SHOPMESH_DRAIN_DELAY_SECONDS";

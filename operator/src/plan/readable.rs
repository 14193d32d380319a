//! Whether services can read what they are told: a setting that they refuse would end every pod at its start, and the Shop
//! would not say why. The same code reads it here.

use shop_config::{Config, ConfigError, names as env};

use crate::error::Error;

/// Reads the settings of one service as it will.
pub(super) fn check(settings: &[(&'static str, String)]) -> Result<(), Error> {
    let lookup = |name: &str| match name {
        // These stand in Secrets; without them what belongs to them would not be read.
        env::MONGO_URI | env::REDIS_URL => Some("from a Secret".to_owned()),
        name => settings.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone()),
    };
    Config::from_lookup(&lookup)
        .map(|_| ())
        .map_err(|ConfigError::Invalid { name, rule }| Error::Invalid(format!("{}: {rule}", field_of(name))))
}

/// The field of the Shop that a variable is made from.
fn field_of(variable: &str) -> String {
    let field = match variable {
        env::ALIASES => "aliases",
        env::CURRENCY => "currency",
        env::MONGODB_MAX_POOL_SIZE => "mongodb.maxPoolSize",
        env::ACCESS_TOKEN_TTL_SECONDS => "auth.accessTokenTTLSeconds",
        env::REFRESH_TOKEN_TTL_SECONDS => "auth.refreshTokenTTLSeconds",
        env::REFRESH_TOKEN_IDLE_SECONDS => "auth.refreshTokenIdleSeconds",
        env::ORDER_DEADLINE_SECONDS => "order.deadlineSeconds",
        env::RATE_LIMIT_REQUESTS => "rateLimit.general.requests",
        env::RATE_LIMIT_WINDOW_SECONDS => "rateLimit.general.windowSeconds",
        env::AUTH_RATE_LIMIT_REQUESTS => "rateLimit.authentication.requests",
        env::AUTH_RATE_LIMIT_WINDOW_SECONDS => "rateLimit.authentication.windowSeconds",
        env::TRUSTED_PROXIES => "rateLimit.trustedProxies",
        env::CORS_ORIGINS => "cors.allowedOrigins",
        env::CORS_CREDENTIALS => "cors.credentials",
        env::CORS_MAX_AGE_SECONDS => "cors.maxAgeSeconds",
        env::SAMPLING_PERCENT => "observability.tracing.samplingPercent",
        // What a user cannot set.
        other => return format!("spec, from which {other} is made"),
    };
    format!("spec.{field}")
}

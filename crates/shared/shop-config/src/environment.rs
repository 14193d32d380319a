//! Environment variables: their names, how they become a [`Config`], and how a `Config` is written back as them.

mod cors;
mod limits;
pub mod names;

use std::path::PathBuf;
use std::time::Duration;

use crate::config::{
    Aliases, AuthConfig, Config, IdentityConfig, MongoConfig, PaymentConfig, PaymentProvider, RedisConfig,
    TelemetryConfig,
};
use crate::{ADMIN_PORT, GRPC_PORT, HTTP_PORT, Secret};

/// A setting is missing or wrong. Names the variable and what it must be, never its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A variable must have another value.
    #[error("{name} {rule}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// What it must be.
        rule: &'static str,
    },
}

type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Config {
    /// Reads the settings of this process.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] names the first variable whose value does not fit.
    pub fn from_env() -> Result<Self, ConfigError> {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
        Self::from_lookup(&|name| std::env::var(name).ok())
    }

    /// Reads settings from any source of name and value; an empty value counts as absent.
    ///
    /// # Errors
    /// As [`Self::from_env`].
    pub fn from_lookup(lookup: Lookup<'_>) -> Result<Self, ConfigError> {
        let source = Source(lookup);
        let mongo_uri = source.text(names::MONGO_URI);
        let mongodb_url = source.text(names::MONGODB_URL);
        if let (Some(one), Some(two)) = (&mongo_uri, &mongodb_url)
            && one != two
        {
            return Err(invalid(names::MONGODB_URL, "must be the same as MONGO_URI when both are set"));
        }
        let mongodb = match mongo_uri.or(mongodb_url) {
            None => None,
            Some(uri) => Some(MongoConfig {
                uri: Secret::new(uri),
                database_prefix: source.text(names::DATABASE_PREFIX).unwrap_or_else(|| "shopmesh".into()),
                owner: source.text(names::DATABASE_OWNER),
                max_pool_size: source.number(names::MONGODB_MAX_POOL_SIZE, 10, 1, 500, "must be 1 to 500")?,
            }),
        };
        let redis = source.text(names::REDIS_URL).map(|url| RedisConfig {
            url: Secret::new(url),
            key_prefix: source.text(names::REDIS_KEY_PREFIX).unwrap_or_else(|| "shop:".into()),
        });
        let currency = source.text(names::CURRENCY).unwrap_or_else(|| "EUR".into());
        if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(invalid(names::CURRENCY, "must be an ISO 4217 code of three upper-case letters"));
        }
        Ok(Self {
            pod: source.text(names::POD).unwrap_or_else(|| "local".into()),
            http: source.address(names::HTTP_ADDRESS, HTTP_PORT)?,
            grpc: source.address(names::GRPC_ADDRESS, GRPC_PORT)?,
            admin: source.address(names::ADMIN_ADDRESS, ADMIN_PORT)?,
            peer_url: source.text(names::PEER_URL).unwrap_or_else(|| format!("http://127.0.0.1:{GRPC_PORT}")),
            currency,
            aliases: match source.text(names::ALIASES) {
                None => Aliases::default(),
                Some(word) => {
                    Aliases::from_word(&word).ok_or_else(|| invalid(names::ALIASES, "must be Off, On or Open"))?
                }
            },
            mongodb,
            redis,
            auth: AuthConfig {
                key_set_file: source.path(names::KEY_SET_FILE).unwrap_or_else(|| "/etc/shopmesh/keys/jwks.json".into()),
                issuer: source.text(names::TOKEN_ISSUER).unwrap_or_else(|| "shopmesh".into()),
                audience: source.text(names::TOKEN_AUDIENCE).unwrap_or_else(|| "shopmesh".into()),
            },
            identity: IdentityConfig {
                signing_key_file: source.path(names::SIGNING_KEY_FILE),
                admin_email_file: source.path(names::ADMIN_EMAIL_FILE),
                admin_password_file: source.path(names::ADMIN_PASSWORD_FILE),
                shop_uid: source.text(names::SHOP_UID),
                access_token_ttl: source.seconds(
                    names::ACCESS_TOKEN_TTL_SECONDS,
                    600,
                    60,
                    86_400,
                    "must be 60 to 86400",
                )?,
                refresh_token_ttl: source.seconds(
                    names::REFRESH_TOKEN_TTL_SECONDS,
                    2_592_000,
                    300,
                    7_776_000,
                    "must be 300 to 7776000",
                )?,
                refresh_token_idle: source.seconds(
                    names::REFRESH_TOKEN_IDLE_SECONDS,
                    604_800,
                    300,
                    7_776_000,
                    "must be 300 to 7776000",
                )?,
            },
            payment: PaymentConfig {
                provider: match source.text(names::PAYMENT_PROVIDER).as_deref() {
                    None | Some("Sandbox") => PaymentProvider::Sandbox,
                    Some(_) => return Err(invalid(names::PAYMENT_PROVIDER, "must be Sandbox")),
                },
                url: source.text(names::PAYMENT_URL).unwrap_or_else(|| "http://127.0.0.1:8090".into()),
                api_key_file: source.path(names::PAYMENT_API_KEY_FILE),
                webhook_secret_file: source.path(names::PAYMENT_WEBHOOK_SECRET_FILE),
            },
            order_deadline: source.seconds(names::ORDER_DEADLINE_SECONDS, 900, 5, 86_400, "must be 5 to 86400")?,
            limits: limits::read(&source)?,
            cors: cors::read(&source)?,
            telemetry: TelemetryConfig {
                log: source.text(names::LOG).unwrap_or_else(|| "info".into()),
                otlp_endpoint: source.text(names::OTLP_ENDPOINT),
                sampling_percent: source.number(names::SAMPLING_PERCENT, 10, 0, 100, "must be 0 to 100")?,
            },
            drain_delay: source.seconds(names::DRAIN_DELAY_SECONDS, 5, 0, 60, "must be 0 to 60")?,
        })
    }

    /// Writes the settings as environment variables; [`Self::from_lookup`] reads the same settings back.
    #[must_use]
    pub fn to_env(&self) -> Vec<(&'static str, String)> {
        let mut env = vec![
            (names::POD, self.pod.clone()),
            (names::HTTP_ADDRESS, self.http.to_string()),
            (names::GRPC_ADDRESS, self.grpc.to_string()),
            (names::ADMIN_ADDRESS, self.admin.to_string()),
            (names::PEER_URL, self.peer_url.clone()),
            (names::CURRENCY, self.currency.clone()),
            (names::ALIASES, self.aliases.as_str().to_owned()),
            (names::KEY_SET_FILE, path_text(&self.auth.key_set_file)),
            (names::TOKEN_ISSUER, self.auth.issuer.clone()),
            (names::TOKEN_AUDIENCE, self.auth.audience.clone()),
            (names::ACCESS_TOKEN_TTL_SECONDS, self.identity.access_token_ttl.as_secs().to_string()),
            (names::REFRESH_TOKEN_TTL_SECONDS, self.identity.refresh_token_ttl.as_secs().to_string()),
            (names::REFRESH_TOKEN_IDLE_SECONDS, self.identity.refresh_token_idle.as_secs().to_string()),
            (names::PAYMENT_PROVIDER, self.payment.provider.as_str().to_owned()),
            (names::PAYMENT_URL, self.payment.url.clone()),
            (names::ORDER_DEADLINE_SECONDS, self.order_deadline.as_secs().to_string()),
            (names::LOG, self.telemetry.log.clone()),
            (names::SAMPLING_PERCENT, self.telemetry.sampling_percent.to_string()),
            (names::DRAIN_DELAY_SECONDS, self.drain_delay.as_secs().to_string()),
        ];
        env.extend(limits::write(&self.limits));
        env.extend(cors::write(&self.cors));
        if let Some(mongodb) = &self.mongodb {
            env.push((names::MONGO_URI, mongodb.uri.expose().to_owned()));
            env.push((names::MONGODB_URL, mongodb.uri.expose().to_owned()));
            env.push((names::DATABASE_PREFIX, mongodb.database_prefix.clone()));
            if let Some(owner) = &mongodb.owner {
                env.push((names::DATABASE_OWNER, owner.clone()));
            }
            env.push((names::MONGODB_MAX_POOL_SIZE, mongodb.max_pool_size.to_string()));
        }
        if let Some(redis) = &self.redis {
            env.push((names::REDIS_URL, redis.url.expose().to_owned()));
            env.push((names::REDIS_KEY_PREFIX, redis.key_prefix.clone()));
        }
        let files = [
            (names::SIGNING_KEY_FILE, &self.identity.signing_key_file),
            (names::ADMIN_EMAIL_FILE, &self.identity.admin_email_file),
            (names::ADMIN_PASSWORD_FILE, &self.identity.admin_password_file),
            (names::PAYMENT_API_KEY_FILE, &self.payment.api_key_file),
            (names::PAYMENT_WEBHOOK_SECRET_FILE, &self.payment.webhook_secret_file),
        ];
        env.extend(files.into_iter().filter_map(|(name, file)| file.as_ref().map(|path| (name, path_text(path)))));
        if let Some(uid) = &self.identity.shop_uid {
            env.push((names::SHOP_UID, uid.clone()));
        }
        if let Some(endpoint) = &self.telemetry.otlp_endpoint {
            env.push((names::OTLP_ENDPOINT, endpoint.clone()));
        }
        env
    }
}

impl Aliases {
    /// Every setting.
    pub const ALL: [Self; 3] = [Self::Off, Self::On, Self::Open];

    /// The word in the Shop and in the environment.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "Off",
            Self::On => "On",
            Self::Open => "Open",
        }
    }

    /// The setting of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|aliases| aliases.as_str() == word)
    }
}

impl PaymentProvider {
    /// The word in the Shop and in the environment.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "Sandbox",
        }
    }
}

fn path_text(path: &std::path::Path) -> String {
    path.to_string_lossy().into_owned()
}

fn invalid(name: &'static str, rule: &'static str) -> ConfigError {
    ConfigError::Invalid { name, rule }
}

struct Source<'a>(Lookup<'a>);

impl Source<'_> {
    fn text(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.text(name).map(PathBuf::from)
    }

    fn address(&self, name: &'static str, port: u16) -> Result<std::net::SocketAddr, ConfigError> {
        match self.text(name) {
            None => Ok(std::net::SocketAddr::from(([0, 0, 0, 0], port))),
            Some(text) => {
                text.parse().map_err(|_| invalid(name, "must be an IP address with a port, such as 0.0.0.0:8080"))
            }
        }
    }

    fn number<N>(&self, name: &'static str, default: N, least: N, most: N, rule: &'static str) -> Result<N, ConfigError>
    where
        N: std::str::FromStr + PartialOrd + Copy,
    {
        let Some(text) = self.text(name) else { return Ok(default) };
        match text.parse() {
            Ok(number) if number >= least && number <= most => Ok(number),
            Ok(_) | Err(_) => Err(invalid(name, rule)),
        }
    }

    fn seconds(
        &self,
        name: &'static str,
        default: u64,
        least: u64,
        most: u64,
        rule: &'static str,
    ) -> Result<Duration, ConfigError> {
        self.number(name, default, least, most, rule).map(Duration::from_secs)
    }
}

#[cfg(test)]
mod tests;

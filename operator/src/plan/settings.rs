//! What each service is told: its settings by environment variable, and the secrets it reads.

use std::time::Duration;

use shop_config::{
    Config, CorsConfig, LimitsConfig, MongoConfig, RateConfig, RedisConfig, Secret, ServiceSpec, Store, names as env,
};
use shop_types::Email;
use shop_types::text::Broken;

use super::{Identity, Located, readable, trace_endpoint};
use crate::build::names;
use crate::crd::ShopSpec;
use crate::crd::shop::{Aliases, Cors, Credentials, Rate, RateLimit};
use crate::error::Error;
use crate::keys;
use crate::observe::{Observed, references_by_field};

/// Key material and passwords of one Shop, each with the place where pods find it.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// Connection string of MongoDB.
    pub mongodb_uri: Located,
    /// URL of Redis.
    pub redis_url: Located,
    /// Password of the managed Redis.
    pub redis_password: Secret,
    /// Private key of access tokens, PEM.
    pub signing_key: Secret,
    /// Its public half, a JWKS document.
    pub key_set: String,
    /// Name of the Secret with the first administrator.
    pub admin: String,
    /// E-mail and password of the first administrator, if the operator keeps that Secret.
    pub made_admin: Option<(String, Secret)>,
    /// What the payment provider knows too.
    pub payment: PaymentSecrets,
}

/// What the payment provider and the shop both know; in one Secret.
#[derive(Debug, Clone)]
pub struct PaymentSecrets {
    /// API key of the provider.
    pub api_key: Located,
    /// What the provider signs its webhooks with; without it there are none.
    pub webhook_secret: Option<Located>,
    /// Whether the operator keeps that Secret.
    pub are_made: bool,
}

impl PaymentSecrets {
    /// All values.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.api_key).chain(&self.webhook_secret).map(|located| located.value.expose())
    }
}

impl Secrets {
    /// A digest of what one service reads at its start alone. The key set is not among them: services follow the file.
    pub(super) fn digest(&self, service: &ServiceSpec, salt: &str) -> String {
        let mut texts = Vec::new();
        if service.needs(Store::MongoDb) {
            texts.push(self.mongodb_uri.value.expose());
        }
        if service.needs(Store::Redis) {
            texts.push(self.redis_url.value.expose());
        }
        match service.name {
            names::IDENTITY => texts.push(self.signing_key.expose()),
            names::PAYMENT => texts.extend(self.payment.texts()),
            _ => {}
        }
        keys::digest(salt, texts)
    }
}

pub(super) fn secrets(spec: &ShopSpec, shop: &Identity, observed: &Observed) -> Result<Secrets, Error> {
    let made = &observed.made;
    ours_are_not_named(spec, &shop.name)?;
    for secret in &spec.image.pull_secret_refs {
        exists(observed, "spec.image.pullSecretRefs", &secret.name)?;
    }
    let uri = &spec.mongodb.uri_secret_ref;
    let mongodb_uri = located(observed, "spec.mongodb.uriSecretRef", &uri.name, &uri.key)?;
    scheme(&mongodb_uri, &["mongodb://", "mongodb+srv://"], "must begin with mongodb:// or mongodb+srv://")?;
    let redis_url = if let Some(external) = &spec.redis.external {
        let url = &external.url_secret_ref;
        let url = located(observed, "spec.redis.external.urlSecretRef", &url.name, &url.key)?;
        scheme(&url, &["redis://", "rediss://"], "must begin with redis:// or rediss://")?;
        url
    } else {
        let name = names::redis(&shop.name);
        let url = format!("redis://default:{}@{name}:{}/0", made.redis_password.expose(), names::REDIS_PORT);
        Located { secret: name, key: names::URL.to_owned(), value: Secret::new(url) }
    };
    let (admin, made_admin) = admin(spec, shop, observed)?;
    let key_set = keys::key_set(&made.signing_key).ok_or_else(|| Error::SecretUnusable {
        name: names::signing_key(&shop.name),
        key: names::SIGNING_KEY.to_owned(),
        rule: "must be an Ed25519 private key in PKCS #8 PEM; restore it, or delete the Secret to end all sessions",
    })?;
    Ok(Secrets {
        mongodb_uri,
        redis_url,
        redis_password: made.redis_password.clone(),
        signing_key: made.signing_key.clone(),
        key_set,
        admin,
        made_admin,
        payment: payment(spec, shop, observed)?,
    })
}

/// A Secret that the operator makes is deleted when the Shop names one of its own instead: it cannot be that one.
fn ours_are_not_named(spec: &ShopSpec, shop: &str) -> Result<(), Error> {
    let ours = names::made_secrets(shop);
    match references_by_field(spec).into_iter().find(|(_, name)| ours.iter().any(|ours| ours == name)) {
        None => Ok(()),
        Some((field, name)) => {
            Err(Error::Invalid(format!("`{field}` must not name {name}, a Secret that the operator makes")))
        }
    }
}

/// The Secret of the first administrator, and what is in it if the operator makes it. What identity would refuse to read
/// is refused here: it would try again for ever, and never be ready.
fn admin(spec: &ShopSpec, shop: &Identity, observed: &Observed) -> Result<(String, Option<(String, Secret)>), Error> {
    let Some(secret) = &spec.admin.secret_ref else {
        let email = spec.admin.email.clone().unwrap_or_else(|| format!("admin@{}.local", shop.name));
        email.parse::<Email>().map_err(|broken| Error::Invalid(format!("spec.admin.email: {broken}")))?;
        return Ok((names::admin(&shop.name), Some((email, observed.made.admin_password.clone()))));
    };
    for key in [names::EMAIL, names::PASSWORD] {
        let found = located(observed, "spec.admin.secretRef", &secret.name, key)?;
        let text = found.value.expose().trim_end_matches(['\r', '\n']);
        let rule = match key {
            names::EMAIL => text.parse::<Email>().err().map(|Broken(rule)| rule),
            _ => (!is_password(text)).then_some("must be 8 to 128 characters"),
        };
        if let Some(rule) = rule {
            return Err(Error::SecretUnusable { name: found.secret, key: found.key, rule });
        }
    }
    Ok((secret.name.clone(), None))
}

/// Identity counts 8 to 128 characters in Unicode's NFC, where only ASCII has as many as it has bytes: what is not ASCII is
/// left to it.
fn is_password(text: &str) -> bool {
    !text.is_ascii() || (8..=128).contains(&text.len())
}

fn payment(spec: &ShopSpec, shop: &Identity, observed: &Observed) -> Result<PaymentSecrets, Error> {
    let Some(secret) = &spec.payment.secret_ref else {
        let made = |key: &str, value: &Secret| Located {
            secret: names::sandbox_psp(&shop.name),
            key: key.to_owned(),
            value: value.clone(),
        };
        return Ok(PaymentSecrets {
            api_key: made(names::API_KEY, &observed.made.payment_api_key),
            webhook_secret: Some(made(names::WEBHOOK_SECRET, &observed.made.payment_webhook_secret)),
            are_made: true,
        });
    };
    Ok(PaymentSecrets {
        api_key: located(observed, "spec.payment.secretRef", &secret.name, &secret.key)?,
        webhook_secret: found(observed, &secret.name, names::WEBHOOK_SECRET),
        are_made: false,
    })
}

fn exists(observed: &Observed, field: &'static str, name: &str) -> Result<(), Error> {
    if observed.referenced.contains_key(name) {
        Ok(())
    } else {
        Err(Error::SecretNotFound { field, name: name.to_owned() })
    }
}

fn located(observed: &Observed, field: &'static str, name: &str, key: &str) -> Result<Located, Error> {
    exists(observed, field, name)?;
    found(observed, name, key).ok_or_else(|| Error::SecretKeyNotFound {
        field,
        name: name.to_owned(),
        key: key.to_owned(),
    })
}

/// An empty value is none.
fn found(observed: &Observed, name: &str, key: &str) -> Option<Located> {
    let value = observed.referenced.get(name)?.get(key).filter(|value| !value.expose().is_empty())?;
    Some(Located { secret: name.to_owned(), key: key.to_owned(), value: value.clone() })
}

fn scheme(located: &Located, schemes: &[&str], rule: &'static str) -> Result<(), Error> {
    if schemes.iter().any(|scheme| located.value.expose().starts_with(scheme)) {
        Ok(())
    } else {
        Err(Error::SecretUnusable { name: located.secret.clone(), key: located.key.clone(), rule })
    }
}

/// The settings of one service that are no secrets, sorted by name. A service is told only what it uses, so that a change
/// starts new pods of nobody else.
///
/// # Errors
/// [`Error::Internal`] if an empty environment is no good configuration; [`Error::Invalid`] names the field of what services
/// would refuse to read.
pub fn service_settings(
    service: &ServiceSpec,
    spec: &ShopSpec,
    shop: &Identity,
    database_prefix: &str,
    secrets: &Secrets,
) -> Result<Vec<(&'static str, String)>, Error> {
    let mut config = config(service, spec, shop, database_prefix)?;
    config.payment.webhook_secret_file =
        secrets.payment.webhook_secret.as_ref().map(|_| names::PAYMENT_WEBHOOK_SECRET_FILE.into());
    let mut settings = config.to_env();
    settings.retain(|(name, _)| is_told(service.name, name));
    settings.sort_unstable();
    readable::check(&settings)?;
    Ok(settings)
}

fn is_told(service: &str, name: &str) -> bool {
    match name {
        // These come from Secrets and from the pod itself.
        env::POD | env::MONGO_URI | env::MONGODB_URL | env::REDIS_URL | env::DATABASE_OWNER => false,
        env::SIGNING_KEY_FILE
        | env::ADMIN_EMAIL_FILE
        | env::ADMIN_PASSWORD_FILE
        | env::SHOP_UID
        | env::ACCESS_TOKEN_TTL_SECONDS
        | env::REFRESH_TOKEN_TTL_SECONDS
        | env::REFRESH_TOKEN_IDLE_SECONDS
        | env::AUTH_RATE_LIMIT_REQUESTS
        | env::AUTH_RATE_LIMIT_WINDOW_SECONDS => service == names::IDENTITY,
        env::PAYMENT_PROVIDER | env::PAYMENT_URL | env::PAYMENT_API_KEY_FILE | env::PAYMENT_WEBHOOK_SECRET_FILE => {
            service == names::PAYMENT
        }
        env::ORDER_DEADLINE_SECONDS => service == names::ORDER,
        env::ALIASES => shop_config::service(service).is_some_and(|service| !service.aliases.is_empty()),
        _ => true,
    }
}

fn config(service: &ServiceSpec, spec: &ShopSpec, shop: &Identity, prefix: &str) -> Result<Config, Error> {
    let own = spec.services.iter().find(|own| own.name.0 == service.name);
    let mut config = Config::from_lookup(&|_| None).map_err(Error::internal("make a configuration"))?;
    config.peer_url = format!("http://{}-{{service}}:{}", shop.name, shop_config::GRPC_PORT);
    config.currency.clone_from(&spec.currency);
    config.aliases = match spec.aliases {
        Aliases::Off => shop_config::Aliases::Off,
        Aliases::On => shop_config::Aliases::On,
        Aliases::Open => shop_config::Aliases::Open,
    };
    // The values stand in Secrets; only what surrounds them is written here.
    config.mongodb = service.needs(Store::MongoDb).then(|| MongoConfig {
        uri: Secret::new(""),
        database_prefix: prefix.to_owned(),
        owner: None,
        max_pool_size: spec.mongodb.max_pool_size.unsigned_abs(),
    });
    config.redis =
        service.needs(Store::Redis).then(|| RedisConfig { url: Secret::new(""), key_prefix: format!("{prefix}:") });
    config.auth.key_set_file = names::KEY_SET_FILE.into();
    config.auth.issuer = issuer(spec, shop);
    config.identity.signing_key_file = Some(names::SIGNING_KEY_FILE.into());
    config.identity.admin_email_file = Some(names::ADMIN_EMAIL_FILE.into());
    config.identity.admin_password_file = Some(names::ADMIN_PASSWORD_FILE.into());
    config.identity.shop_uid = Some(shop.uid.clone());
    config.identity.access_token_ttl = seconds(spec.auth.access_token_ttl_seconds);
    config.identity.refresh_token_ttl = seconds(spec.auth.refresh_token_ttl_seconds);
    config.identity.refresh_token_idle = seconds(spec.auth.refresh_token_idle_seconds);
    config.payment.url = format!("http://{}:{}", names::sandbox_psp(&shop.name), shop_config::HTTP_PORT);
    config.payment.api_key_file = Some(names::PAYMENT_API_KEY_FILE.into());
    config.order_deadline = seconds(spec.order.deadline_seconds);
    config.limits = limits(&spec.rate_limit)?;
    config.cors = cors(&spec.cors);
    let log_level = own.and_then(|own| own.log_level).unwrap_or(spec.defaults.log_level);
    log_level.as_str().clone_into(&mut config.telemetry.log);
    config.telemetry.otlp_endpoint = trace_endpoint(spec);
    config.telemetry.sampling_percent = u8::try_from(spec.observability.tracing.sampling_percent).unwrap_or(100);
    Ok(config)
}

fn cors(cors: &Cors) -> CorsConfig {
    CorsConfig {
        origins: cors.allowed_origins.clone(),
        credentials: match cors.credentials {
            Credentials::Omit => false,
            Credentials::Include => true,
        },
        max_age_seconds: cors.max_age_seconds.unsigned_abs(),
    }
}

fn limits(limit: &RateLimit) -> Result<LimitsConfig, Error> {
    let rate =
        |rate: &Rate| RateConfig { requests: rate.requests.unsigned_abs(), window: seconds(rate.window_seconds) };
    let network = |text: &String| {
        let error = || Error::Invalid(format!("spec.rateLimit.trustedProxies: {text} must be a network"));
        text.parse().map_err(|_| error())
    };
    Ok(LimitsConfig {
        general: rate(&limit.general),
        authentication: rate(&limit.authentication),
        trusted_proxies: limit.trusted_proxies.iter().map(network).collect::<Result<_, _>>()?,
    })
}

fn issuer(spec: &ShopSpec, shop: &Identity) -> String {
    let host = spec.ingress.host.as_ref().map(|host| format!("https://{host}"));
    spec.auth.issuer.clone().or(host).unwrap_or_else(|| format!("{}.{}.svc", shop.name, shop.namespace))
}

fn seconds(number: i32) -> Duration {
    Duration::from_secs(number.unsigned_abs().into())
}

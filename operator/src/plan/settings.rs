//! What each service is told: its settings by environment variable, and the secrets it reads.

use std::time::Duration;

use shop_config::{Config, MongoConfig, RedisConfig, Secret, ServiceSpec, Store, names as env};

use super::{Identity, Located, trace_endpoint};
use crate::build::names;
use crate::crd::ShopSpec;
use crate::error::Error;
use crate::keys;
use crate::observe::Observed;

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
    /// API key of the payment provider.
    pub payment_api_key: Located,
    /// Whether the operator keeps the Secret with that key.
    pub payment_api_key_is_made: bool,
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
            names::PAYMENT => texts.push(self.payment_api_key.value.expose()),
            _ => {}
        }
        keys::digest(salt, texts)
    }
}

pub(super) fn secrets(spec: &ShopSpec, shop: &Identity, observed: &Observed) -> Result<Secrets, Error> {
    let made = &observed.made;
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
    let (admin, made_admin) = if let Some(secret) = &spec.admin.secret_ref {
        for key in [names::EMAIL, names::PASSWORD] {
            located(observed, "spec.admin.secretRef", &secret.name, key)?;
        }
        (secret.name.clone(), None)
    } else {
        let email = spec.admin.email.clone().unwrap_or_else(|| format!("admin@{}.local", shop.name));
        (names::admin(&shop.name), Some((email, made.admin_password.clone())))
    };
    let payment_api_key = match &spec.payment.secret_ref {
        Some(secret) => located(observed, "spec.payment.secretRef", &secret.name, &secret.key)?,
        None => Located {
            secret: names::sandbox_psp(&shop.name),
            key: names::API_KEY.to_owned(),
            value: made.payment_api_key.clone(),
        },
    };
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
        payment_api_key_is_made: spec.payment.secret_ref.is_none(),
        payment_api_key,
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
    let value = observed.referenced.get(name).and_then(|secret| secret.get(key));
    match value.filter(|value| !value.expose().is_empty()) {
        Some(value) => Ok(Located { secret: name.to_owned(), key: key.to_owned(), value: value.clone() }),
        None => Err(Error::SecretKeyNotFound { field, name: name.to_owned(), key: key.to_owned() }),
    }
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
/// [`Error::Internal`] if an empty environment is no good configuration.
pub fn service_settings(
    service: &ServiceSpec,
    spec: &ShopSpec,
    shop: &Identity,
    database_prefix: &str,
) -> Result<Vec<(&'static str, String)>, Error> {
    let config = config(service, spec, shop, database_prefix)?;
    let mut settings = config.to_env();
    settings.retain(|(name, _)| is_told(service.name, name));
    settings.sort_unstable();
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
        | env::REFRESH_TOKEN_IDLE_SECONDS => service == names::IDENTITY,
        env::PAYMENT_PROVIDER | env::PAYMENT_URL | env::PAYMENT_API_KEY_FILE => service == names::PAYMENT,
        env::ORDER_DEADLINE_SECONDS => service == names::ORDER,
        _ => true,
    }
}

fn config(service: &ServiceSpec, spec: &ShopSpec, shop: &Identity, prefix: &str) -> Result<Config, Error> {
    let own = spec.services.iter().find(|own| own.name.0 == service.name);
    let mut config = Config::from_lookup(&|_| None).map_err(Error::internal("make a configuration"))?;
    config.peer_url = format!("http://{}-{{service}}:{}", shop.name, shop_config::GRPC_PORT);
    config.currency.clone_from(&spec.currency);
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
    let log_level = own.and_then(|own| own.log_level).unwrap_or(spec.defaults.log_level);
    log_level.as_str().clone_into(&mut config.telemetry.log);
    config.telemetry.otlp_endpoint = trace_endpoint(spec);
    config.telemetry.sampling_percent = u8::try_from(spec.observability.tracing.sampling_percent).unwrap_or(100);
    Ok(config)
}

fn issuer(spec: &ShopSpec, shop: &Identity) -> String {
    let host = spec.ingress.host.as_ref().map(|host| format!("https://{host}"));
    spec.auth.issuer.clone().or(host).unwrap_or_else(|| format!("{}.{}.svc", shop.name, shop.namespace))
}

fn seconds(number: i32) -> Duration {
    Duration::from_secs(number.unsigned_abs().into())
}

//! Names of objects, of keys in them, and of files in pods.

use super::metadata::Part;

/// Key of the private key in its Secret.
pub const SIGNING_KEY: &str = "signing.pem";
/// Key of a password.
pub const PASSWORD: &str = "password";
/// Key of an e-mail address.
pub const EMAIL: &str = "email";
/// Key of a payment provider's API key.
pub const API_KEY: &str = "apiKey";
/// Key of the secret that a payment provider signs its webhooks with.
pub const WEBHOOK_SECRET: &str = "webhookSecret";
/// Key of a URL.
pub const URL: &str = "url";
/// Key of the public keys.
pub const KEY_SET: &str = "jwks.json";
/// Key of Redis' users.
pub const REDIS_USERS: &str = "users.acl";
/// Key of Redis' settings.
pub const REDIS_CONFIG: &str = "redis.conf";
/// Key of NGINX' settings.
pub const NGINX_CONFIG: &str = "nginx.conf";

/// Where the public keys are mounted.
pub const KEYS_FOLDER: &str = "/etc/shopmesh/keys";
/// The public keys.
pub const KEY_SET_FILE: &str = "/etc/shopmesh/keys/jwks.json";
/// Where identity finds its private key.
pub const SIGNING_FOLDER: &str = "/etc/shopmesh/signing";
/// The private key.
pub const SIGNING_KEY_FILE: &str = "/etc/shopmesh/signing/signing.pem";
/// Where identity finds the first administrator.
pub const ADMIN_FOLDER: &str = "/etc/shopmesh/admin";
/// The first administrator's e-mail address.
pub const ADMIN_EMAIL_FILE: &str = "/etc/shopmesh/admin/email";
/// The first administrator's password.
pub const ADMIN_PASSWORD_FILE: &str = "/etc/shopmesh/admin/password";
/// Where the secrets shared with the payment provider are mounted.
pub const PAYMENT_FOLDER: &str = "/etc/shopmesh/payment";
/// The payment provider's API key.
pub const PAYMENT_API_KEY_FILE: &str = "/etc/shopmesh/payment/api-key";

/// What the payment provider signs its webhooks with.
pub const PAYMENT_WEBHOOK_SECRET_FILE: &str = "/etc/shopmesh/payment/webhook-secret";

/// Port of the managed Redis.
pub const REDIS_PORT: u16 = 6379;

/// Port of the bundled NGINX' Service.
pub const NGINX_PORT: u16 = 80;

/// The service that signs tokens.
pub const IDENTITY: &str = "identity";
/// The service that calls the payment provider.
pub const PAYMENT: &str = "payment";
/// The service that knows the deadline of orders.
pub const ORDER: &str = "order";

/// The label value of the database check.
pub const DATABASE_CHECK: &str = "database-check";

/// The managed Redis.
pub const REDIS_PART: Part = Part { name: "redis", role: "cache" };
/// The bundled NGINX.
pub const NGINX_PART: Part = Part { name: "nginx", role: "ingress" };
/// The sandbox payment provider.
pub const SANDBOX_PSP_PART: Part = Part { name: "sandbox-psp", role: "payment-provider" };
/// The database check.
pub const DATABASE_CHECK_PART: Part = Part { name: DATABASE_CHECK, role: "check" };

/// Deployment, Service and `ServiceAccount` of a service.
#[must_use]
pub fn service(shop: &str, service: &str) -> String {
    format!("{shop}-{service}")
}

/// The `ConfigMap` of a part, by a digest of what it holds.
#[must_use]
pub fn settings(shop: &str, part: &str, digest: &str) -> String {
    format!("{shop}-{part}-{digest}")
}

/// The Service whose name stands for every single pod.
#[must_use]
pub fn headless(shop: &str, service: &str) -> String {
    format!("{shop}-{service}-headless")
}

/// All objects of the managed Redis but its settings.
#[must_use]
pub fn redis(shop: &str) -> String {
    service(shop, REDIS_PART.name)
}

/// All objects of the bundled NGINX but its settings.
#[must_use]
pub fn nginx(shop: &str) -> String {
    service(shop, NGINX_PART.name)
}

/// All objects of the sandbox payment provider.
#[must_use]
pub fn sandbox_psp(shop: &str) -> String {
    service(shop, SANDBOX_PSP_PART.name)
}

/// The Secret of the first administrator.
#[must_use]
pub fn admin(shop: &str) -> String {
    format!("{shop}-admin")
}

/// The Secret of the private key.
#[must_use]
pub fn signing_key(shop: &str) -> String {
    format!("{shop}-signing-key")
}

/// The Secrets that the operator makes; a Shop must not name them as its own.
#[must_use]
pub fn made_secrets(shop: &str) -> [String; 4] {
    [admin(shop), redis(shop), sandbox_psp(shop), signing_key(shop)]
}

/// The `ConfigMap` of the public keys.
#[must_use]
pub fn key_set(shop: &str) -> String {
    format!("{shop}-keys")
}

/// The Job that checks the database; at most 63 characters, since pods carry it as a label.
#[must_use]
pub fn database_check(shop: &str, digest: &str) -> String {
    format!("{shop}-database-{digest}")
}

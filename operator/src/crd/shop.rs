//! The Shop: what a user declares. Every field with its meaning, bounds and rule; each of them has an effect.
//!
//! What does not belong here: what the operator reports (`status`), and how defaults that depend on other fields are
//! found (`plan`). Doc comments of this file are the descriptions that `kubectl explain` prints.
#![expect(unreachable_pub, reason = "KubeSchema repeats each struct, with its visibility, inside a function")]

mod cors;
mod ingress;
mod limits;
mod service;
mod stores;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ShopStatus;

pub use cors::{Cors, Credentials};
pub use ingress::{BundledIngress, Ingress, IngressProvider, IngressTimeouts, ServiceType};
pub use limits::{Rate, RateLimit};
pub use service::{Amounts, Defaults, EnvVar, LogLevel, Resources, Service};
pub use stores::{EvictionPolicy, ExternalRedis, ManagedRedis, Mongodb, Redis, RedisMode};

/// A whole shop: its services, their stores and the way in.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "shopmesh.dev",
    version = "v1alpha1",
    kind = "Shop",
    namespaced,
    status = "ShopStatus",
    derive = "PartialEq",
    category = "shopmesh",
    doc = "A whole shop: its services, their stores and the way in.",
    validation = Rule::new("self.metadata.name.matches('^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$')").message("`metadata.name` must be 1 to 40 lower-case letters, digits or '-', beginning with a letter"),
    validation = Rule::new("!(self.spec.mongodb.uriSecretRef.name in ['admin', 'redis', 'sandbox-psp', 'signing-key'].map(part, self.metadata.name + '-' + part))").message("`spec.mongodb.uriSecretRef` must not name a Secret that the operator makes: `<shop>-admin`, `<shop>-redis`, `<shop>-sandbox-psp` or `<shop>-signing-key`"),
    validation = Rule::new("!has(self.spec.redis) || !has(self.spec.redis.external) || !(self.spec.redis.external.urlSecretRef.name in ['admin', 'redis', 'sandbox-psp', 'signing-key'].map(part, self.metadata.name + '-' + part))").message("`spec.redis.external.urlSecretRef` must not name a Secret that the operator makes: `<shop>-admin`, `<shop>-redis`, `<shop>-sandbox-psp` or `<shop>-signing-key`"),
    validation = Rule::new("!has(self.spec.admin) || !has(self.spec.admin.secretRef) || !(self.spec.admin.secretRef.name in ['admin', 'redis', 'sandbox-psp', 'signing-key'].map(part, self.metadata.name + '-' + part))").message("`spec.admin.secretRef` must not name a Secret that the operator makes: `<shop>-admin`, `<shop>-redis`, `<shop>-sandbox-psp` or `<shop>-signing-key`"),
    validation = Rule::new("!has(self.spec.payment.secretRef) || !(self.spec.payment.secretRef.name in ['admin', 'redis', 'sandbox-psp', 'signing-key'].map(part, self.metadata.name + '-' + part))").message("`spec.payment.secretRef` must not name a Secret that the operator makes: `<shop>-admin`, `<shop>-redis`, `<shop>-sandbox-psp` or `<shop>-signing-key`"),
    validation = Rule::new("!has(self.spec.image) || !has(self.spec.image.pullSecretRefs) || !['admin', 'redis', 'sandbox-psp', 'signing-key'].exists(part, (self.metadata.name + '-' + part) in self.spec.image.pullSecretRefs.map(secret, secret.name))").message("`spec.image.pullSecretRefs` must not name a Secret that the operator makes: `<shop>-admin`, `<shop>-redis`, `<shop>-sandbox-psp` or `<shop>-signing-key`"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Services", type_ = "string", json_path = ".status.servicesReady"),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Database", type_ = "string", json_path = ".status.conditions[?(@.type==\"DatabaseReachable\")].status", priority = 1),
    printcolumn(name = "Cache", type_ = "string", json_path = ".status.conditions[?(@.type==\"CacheReady\")].status", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message", priority = 1)
)]
#[serde(rename_all = "camelCase")]
pub struct ShopSpec {
    /// How many pods each service has unless it says otherwise: two, spread over nodes and zones, or one.
    #[serde(default)]
    pub availability: Availability,
    /// Where images come from.
    #[serde(default)]
    pub image: Image,
    /// ISO 4217 code of all prices of the shop. Cannot be changed.
    #[serde(default = "euro")]
    #[schemars(length(equal = 3), regex(pattern = "^[A-Z]{3}$"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("`currency` must not change: stored prices would change their worth"))]
    pub currency: String,
    /// The MongoDB deployment that keeps everything: a replica set, such as MongoDB Atlas.
    pub mongodb: Mongodb,
    /// The Redis server for events and caches.
    #[serde(default)]
    pub redis: Redis,
    /// Access tokens and sessions.
    #[serde(default)]
    pub auth: Auth,
    /// The first administrator.
    #[serde(default)]
    pub admin: Admin,
    /// Who takes the money.
    pub payment: Payment,
    /// Orders.
    #[serde(default)]
    pub order: Order,
    /// How often clients may ask.
    #[serde(default)]
    pub rate_limit: RateLimit,
    /// Which web pages of other origins may call.
    #[serde(default)]
    pub cors: Cors,
    /// The way in from outside.
    #[serde(default)]
    pub ingress: Ingress,
    /// Which older names of calls are served beside `/api/v1`, for clients of other shops. Write `"On"` and `"Off"` in
    /// quotes: YAML takes the bare words for true and false.
    #[serde(default)]
    pub aliases: Aliases,
    /// What holds for every service that does not say otherwise.
    #[serde(default)]
    pub defaults: Defaults,
    /// What holds for single services; one that is not listed runs with the defaults.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub services: Vec<Service>,
    /// Traces.
    #[serde(default)]
    pub observability: Observability,
}

/// Which older names of calls are served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Aliases {
    /// None.
    Off,
    /// All of them, for those who may make the calls that they stand for.
    #[default]
    On,
    /// All of them; and callers without a token may create products, categories and orders by them and read orders and
    /// accounts. For testers and load scripts, never for a shop with customers.
    Open,
}

/// How much may fail before the shop does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Availability {
    /// Two pods of each service, spread over nodes and zones.
    #[default]
    HighlyAvailable,
    /// One pod of each service.
    SingleReplica,
}

/// Where images come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// Registry and path that replace those of every image the operator would take; name and tag stay.
    /// For private registries that mirror the images.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = "^[A-Za-z0-9][A-Za-z0-9._:/-]*[A-Za-z0-9]$"))]
    pub registry: Option<String>,
    /// Full reference of the image of all services, instead of the operator's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = "^[A-Za-z0-9][A-Za-z0-9._:/@-]*$"))]
    pub shopmesh: Option<String>,
    /// When a node asks the registry.
    #[serde(default)]
    pub pull_policy: PullPolicy,
    /// Secrets of this namespace with registry credentials.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub pull_secret_refs: Vec<SecretRef>,
}

/// When a node asks the registry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PullPolicy {
    /// At every start of a pod.
    Always,
    /// When the node has no such image.
    #[default]
    IfNotPresent,
    /// Never: the image must be on the node.
    Never,
}

/// A Secret of the Shop's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"))]
    pub name: String,
}

/// Access tokens and sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Auth {
    /// What tokens name as their issuer. By default `https://` and the host of the ingress, or the name of the Shop in the
    /// cluster if it has none. Tokens of another issuer are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = "^[!-~]+$"))]
    pub issuer: Option<String>,
    /// Life of an access token.
    #[serde(rename = "accessTokenTTLSeconds", default = "ten_minutes")]
    #[schemars(range(min = 60, max = 86_400))]
    pub access_token_ttl_seconds: i32,
    /// Life of a session, however often it is refreshed.
    #[serde(rename = "refreshTokenTTLSeconds", default = "thirty_days")]
    #[schemars(range(min = 300, max = 7_776_000))]
    pub refresh_token_ttl_seconds: i32,
    /// A session ends when it was not refreshed for so long.
    #[serde(default = "seven_days")]
    #[schemars(range(min = 300, max = 7_776_000))]
    pub refresh_token_idle_seconds: i32,
}

/// The first administrator. Created when the shop starts for the first time; later changes have no effect on the account,
/// unless the Shop is deleted and created again: then the account gets e-mail address and password anew.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!(has(self.email) && has(self.secretRef))").message("`email` must not be set when `secretRef` is: the Secret holds the e-mail address"))]
pub struct Admin {
    /// E-mail address; the password is made by the operator and stands in the Secret `<shop>-admin`.
    /// By default `admin@<shop>.local`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 254),
        regex(
            pattern = "^[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?([.][a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$"
        )
    )]
    pub email: Option<String>,
    /// A Secret with the keys `email` and `password`, instead of one made by the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,
}

/// Who takes the money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// The payment provider.
    pub provider: PaymentProvider,
    /// A Secret with the provider's API key and, under the key `webhookSecret`, what the provider signs its webhooks with; without
    /// that key there are no webhooks. For the Sandbox the operator makes one with both if none is named here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<ApiKeyRef>,
}

/// The payment provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PaymentProvider {
    /// A provider that the operator runs beside the shop. No real money.
    Sandbox,
}

/// One key of a Secret of the Shop's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiKeyRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"))]
    pub name: String,
    /// Under which key of the Secret the API key stands.
    #[serde(default = "api_key")]
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[A-Za-z0-9._-]+$"))]
    pub key: String,
}

/// Orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// How long an order may wait for its money before it is rejected and its stock is free again.
    #[serde(default = "fifteen_minutes")]
    #[schemars(range(min = 60, max = 86_400))]
    pub deadline_seconds: i32,
}

/// Traces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Observability {
    /// Where traces go.
    #[serde(default)]
    pub tracing: Tracing,
}

/// Where traces go.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(self.exporter == 'OTLP') == has(self.endpoint)").message("`endpoint` must be set when `exporter` is OTLP, and must not be set otherwise"))]
pub struct Tracing {
    /// How traces are sent.
    #[serde(default)]
    pub exporter: TraceExporter,
    /// The collector, for OTLP over gRPC, such as `http://otel-collector:4317`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 255),
        regex(
            pattern = "^https?://[A-Za-z0-9.-]+(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?/?$"
        )
    )]
    pub endpoint: Option<String>,
    /// How many of 100 requests leave a trace.
    #[serde(default = "ten")]
    #[schemars(range(min = 0, max = 100))]
    pub sampling_percent: i32,
}

/// How traces are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TraceExporter {
    /// Not at all.
    #[default]
    None,
    /// By the OpenTelemetry protocol over gRPC.
    #[serde(rename = "OTLP")]
    Otlp,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            issuer: None,
            access_token_ttl_seconds: ten_minutes(),
            refresh_token_ttl_seconds: thirty_days(),
            refresh_token_idle_seconds: seven_days(),
        }
    }
}

impl Default for Order {
    fn default() -> Self {
        Self { deadline_seconds: fifteen_minutes() }
    }
}

impl Default for Tracing {
    fn default() -> Self {
        Self { exporter: TraceExporter::None, endpoint: None, sampling_percent: ten() }
    }
}

fn euro() -> String {
    "EUR".to_owned()
}

fn api_key() -> String {
    "apiKey".to_owned()
}

const fn ten() -> i32 {
    10
}

const fn ten_minutes() -> i32 {
    600
}

const fn fifteen_minutes() -> i32 {
    900
}

const fn seven_days() -> i32 {
    604_800
}

const fn thirty_days() -> i32 {
    2_592_000
}

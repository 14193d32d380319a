//! The part of the Shop about MongoDB and Redis.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::service::Resources;
use crate::crd::Quantity;

/// The MongoDB deployment that keeps everything.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.databasePrefix) == has(oldSelf.databasePrefix) && (!has(self.databasePrefix) || self.databasePrefix == oldSelf.databasePrefix)").message("`databasePrefix` must not change: the shop would lose sight of its data"))]
pub struct Mongodb {
    /// The Secret with the connection string, `mongodb://` or `mongodb+srv://`.
    pub uri_secret_ref: UriRef,
    /// What the names of the shop's databases begin with: `<prefix>_catalog`. By default made from namespace and name.
    /// Cannot be changed, not even from absent to its default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 24), regex(pattern = "^[a-z0-9_]{1,24}$"))]
    pub database_prefix: Option<String>,
    /// Most connections that one pod keeps for operations; two more keep its register of sessions, and the driver watches
    /// each member of the replica set over up to three.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 500))]
    pub max_pool_size: i32,
}

/// One key of a Secret of the Shop's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UriRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"))]
    pub name: String,
    /// Key in the Secret.
    #[serde(default = "uri")]
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[A-Za-z0-9._-]+$"))]
    pub key: String,
}

/// The Redis server for events and caches.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(self.mode == 'External') == has(self.external)").message("`external` must be set when `mode` is External, and must not be set otherwise"))]
#[x_kube(validation = Rule::new("self.mode == 'Managed' || !has(self.managed)").message("`managed` may be set only when `mode` is Managed"))]
pub struct Redis {
    /// Who runs it.
    #[serde(default)]
    pub mode: RedisMode,
    /// The server that the operator runs. It keeps nothing on disk: events that it loses are published again from MongoDB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed: Option<ManagedRedis>,
    /// A server of your own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalRedis>,
}

/// Who runs Redis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RedisMode {
    /// The operator.
    #[default]
    Managed,
    /// You.
    External,
}

/// The Redis server that the operator runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManagedRedis {
    /// Full reference of an image with `redis-server` 7 or newer, instead of the operator's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = "^[A-Za-z0-9][A-Za-z0-9._:/@-]*$"))]
    pub image: Option<String>,
    /// Memory for data; the container's limit is one and a half times as much unless `resources` says otherwise.
    #[serde(default = "quarter_gigabyte")]
    pub max_memory: Quantity,
    /// What makes room when memory is full. Streams of events are never evicted: only keys with a time to live are.
    #[serde(default)]
    pub eviction_policy: EvictionPolicy,
    /// Resources of the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

/// What Redis drops when its memory is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EvictionPolicy {
    /// Cache entries that were not used for long.
    #[default]
    VolatileLru,
    /// Cache entries that are used rarely.
    VolatileLfu,
    /// Cache entries that end soon.
    VolatileTtl,
    /// Nothing.
    Noeviction,
}

/// A Redis server of your own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExternalRedis {
    /// The Secret with its URL, `redis://` or `rediss://`.
    pub url_secret_ref: UrlRef,
}

/// One key of a Secret of the Shop's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UrlRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"))]
    pub name: String,
    /// Key in the Secret.
    #[serde(default = "url")]
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[A-Za-z0-9._-]+$"))]
    pub key: String,
}

impl EvictionPolicy {
    /// Redis' own word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VolatileLru => "volatile-lru",
            Self::VolatileLfu => "volatile-lfu",
            Self::VolatileTtl => "volatile-ttl",
            Self::Noeviction => "noeviction",
        }
    }
}

impl Default for ManagedRedis {
    fn default() -> Self {
        Self {
            image: None,
            max_memory: quarter_gigabyte(),
            eviction_policy: EvictionPolicy::default(),
            resources: None,
        }
    }
}

fn uri() -> String {
    "uri".to_owned()
}

fn url() -> String {
    "url".to_owned()
}

fn quarter_gigabyte() -> Quantity {
    Quantity::new("256Mi")
}

const fn ten() -> i32 {
    10
}
